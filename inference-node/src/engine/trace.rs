//! The commitment to how an answer was computed.
//!
//! Class `exact`, scheme `hidden-q8/1`: for each window of 32 tokens the trace holds the SHA-256 of the
//! hidden vectors that the output head read, bit for bit. Class `tolerant-f32`, scheme `proj32-f32/1`: for
//! each token of the answer the trace holds 32 projections of the hidden vector that the output head read
//! (after the last norm), onto fixed vectors of +1 and -1. candle-transformers does not
//! hand that vector out, so the 32 vectors stand as additional rows under its output head: one
//! matrix product yields logits and projections, and what is committed is what the serving code
//! computed. The directions are words of a ChaCha8 stream, so every verifier has the same.

use candle_core::{Device, Tensor};
use openledger_types::encode::Preimage;
use openledger_types::formats::{hidden_digest, window_leaf, WINDOW};
use openledger_types::merkle::{Hash, Tree};
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::error::Result;

/// Name of the tolerant class's scheme, as it stands in manifests and receipts.
pub const COMMIT_SCHEME: &str = "proj32-f32/1";

/// Name of the exact class's scheme.
pub const EXACT_COMMIT_SCHEME: &str = "hidden-q8/1";

/// Projections of one token.
pub const PROJECTIONS: usize = 32;

/// Bytes of the tolerant class's trace of one token: little-endian f32.
pub const TRACE_BYTES: usize = PROJECTIONS * 4;

/// The directions, (32, hidden size): row r, column j is +1 where word `r * hidden + j` of ChaCha8
/// keyed by H(`openledger/projection/1`) is even, else -1.
pub(crate) fn directions(hidden: usize) -> Result<Tensor> {
    let mut rng = ChaCha8Rng::from_seed(Preimage::new("openledger/projection/1").hash());
    let values: Vec<f32> =
        (0..PROJECTIONS * hidden).map(|_| if rng.next_u32() & 1 == 0 { 1.0 } else { -1.0 }).collect();
    Ok(Tensor::from_vec(values, (PROJECTIONS, hidden), &Device::Cpu)?)
}

/// Bytes of the trace of a window of `tokens`; `None` for an unknown scheme.
fn window_bytes(scheme: &str, tokens: usize) -> Option<usize> {
    match scheme {
        COMMIT_SCHEME => Some(tokens * TRACE_BYTES),
        EXACT_COMMIT_SCHEME => Some(32),
        _ => None,
    }
}

/// Root over the windows of 32 tokens with their trace; `None` when the scheme is unknown or the trace has
/// another length than the tokens give.
pub fn commit_root(scheme: &str, request_hash: &Hash, tokens: &[u32], trace: &[u8]) -> Option<Hash> {
    let mut rest = trace;
    let mut leaves = Vec::with_capacity(tokens.len().div_ceil(WINDOW));
    for (window, ids) in tokens.chunks(WINDOW).enumerate() {
        let (bytes, after) = rest.split_at_checked(window_bytes(scheme, ids.len())?)?;
        leaves.push(window_leaf(request_hash, window as u32, ids, bytes));
        rest = after;
    }
    rest.is_empty().then(|| Tree::new(leaves).unwrap_or_else(Tree::empty).root())
}

/// The exact class's trace under construction.
#[derive(Debug, Default)]
pub(crate) struct HiddenTrace {
    digests: Vec<u8>,
    window: Vec<f32>,
    tokens: usize,
}

impl HiddenTrace {
    /// Takes the hidden vector of the next token.
    pub(crate) fn push(&mut self, hidden: &[f32]) {
        self.window.extend(hidden);
        self.tokens += 1;
        if self.tokens.is_multiple_of(WINDOW) {
            self.close();
        }
    }

    fn close(&mut self) {
        self.digests.extend(hidden_digest(&self.window));
        self.window.clear();
    }

    /// The trace: 32 bytes for each window, the last one as long as it is.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        if !self.window.is_empty() {
            self.close();
        }
        self.digests
    }
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
