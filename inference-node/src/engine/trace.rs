//! The trace of the class `tolerant-f32`, scheme `proj32-f32/1`: for each token of the answer 32 projections of
//! the hidden vector that the output head read (after the last norm), onto fixed vectors of +1 and -1.
//! candle-transformers does not hand that vector out, so the 32 vectors stand as additional rows under its output
//! head: one matrix product yields logits and projections, and what is committed is what the serving code
//! computed. The directions are words of a ChaCha8 stream, so every verifier has the same.

use candle_core::{Device, Tensor};
use openledger_exact::trace::PROJECTIONS;
use openledger_types::encode::Preimage;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::error::Result;

/// The directions, (32, hidden size): row r, column j is +1 where word `r * hidden + j` of ChaCha8
/// keyed by H(`openledger/projection/1`) is even, else -1.
pub(crate) fn directions(hidden: usize) -> Result<Tensor> {
    let mut rng = ChaCha8Rng::from_seed(Preimage::new("openledger/projection/1").hash());
    let values: Vec<f32> =
        (0..PROJECTIONS * hidden).map(|_| if rng.next_u32() & 1 == 0 { 1.0 } else { -1.0 }).collect();
    Ok(Tensor::from_vec(values, (PROJECTIONS, hidden), &Device::Cpu)?)
}

/// Relative distance |a - b| / |b| in the Euclidean norm, in f64; 0 for two zero vectors.
pub(crate) fn rel_l2(a: &[f32], b: &[f32]) -> f64 {
    let (mut distance, mut norm) = (0f64, 0f64);
    for (x, y) in a.iter().zip(b) {
        let (x, y) = (f64::from(*x), f64::from(*y));
        distance += (x - y) * (x - y);
        norm += y * y;
    }
    if distance == 0.0 {
        return 0.0;
    }
    (distance / norm).sqrt()
}
