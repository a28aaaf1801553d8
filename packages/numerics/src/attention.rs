//! Attention over keys and values in half precision, in tiles of 16 positions.
//!
//! A tile of keys holds, for each of the head's dimensions, 16 positions; a tile of values holds, for each
//! of 16 positions, the head's dimensions. Tiles are aligned to the absolute position, so that how a text
//! was cut into pieces, or which of them came from a cache, changes nothing.

use crate::half::f16_to_f32;
use crate::math::exp_f32;
use crate::path::Path;
use crate::simd::{self, wide};
use crate::vector::{fold, LANES};

/// Positions of a tile.
pub const TILE: usize = 16;

/// Most queries of one call.
pub const QUERIES: usize = 4;

/// Scores of `queries` (n × width) with the 16 keys of a tile (width × 16), to `out` (n × 16), n at most 4.
///
/// Lane d mod 4 adds q_d * k_d in rising d; a score is ((l0 + l2) + (l1 + l3)) * scale.
pub fn scores(path: Path, queries: &[f32], width: usize, keys: &[u16], scale: f32, out: &mut [f32]) {
    let n = out.len() / TILE;
    assert!(
        width > 0 && n <= QUERIES && queries.len() >= n * width && keys.len() >= width * TILE,
        "shapes of a tile"
    );
    if simd::scores(path, queries, width, keys, scale, out) {
        return;
    }
    wide!(path, scores_body(queries: &[f32], width: usize, keys: &[u16], scale: f32, out: &mut [f32]))
}

#[inline(always)]
fn scores_body(queries: &[f32], width: usize, keys: &[u16], scale: f32, out: &mut [f32]) {
    for (query, out) in queries.chunks_exact(width).zip(out.chunks_exact_mut(TILE)) {
        let mut lanes = [[0f32; TILE]; 4];
        for (d, (q, keys)) in query.iter().zip(keys.chunks_exact(TILE)).enumerate() {
            let lane = &mut lanes[d % 4];
            for j in 0..TILE {
                lane[j] += q * f16_to_f32(keys[j]);
            }
        }
        for j in 0..TILE {
            out[j] = ((lanes[0][j] + lanes[2][j]) + (lanes[1][j] + lanes[3][j])) * scale;
        }
    }
}

/// Turns scores into e^(score - largest) and returns their sum: lane i mod 16 adds in rising i, lanes are
/// folded in halves.
pub fn softmax(path: Path, scores: &mut [f32]) -> f32 {
    wide!(path, softmax_body(scores: &mut [f32]) -> f32)
}

#[inline(always)]
fn softmax_body(scores: &mut [f32]) -> f32 {
    let mut most = [f32::NEG_INFINITY; LANES];
    for chunk in scores.chunks(LANES) {
        for (most, s) in most.iter_mut().zip(chunk) {
            *most = if *s > *most { *s } else { *most };
        }
    }
    let most = most.iter().fold(f32::NEG_INFINITY, |m, s| if *s > m { *s } else { m });
    let mut lanes = [0f32; LANES];
    let mut chunks = scores.chunks_exact_mut(LANES);
    for chunk in chunks.by_ref() {
        for j in 0..LANES {
            chunk[j] = exp_f32(chunk[j] - most);
            lanes[j] += chunk[j];
        }
    }
    for (lane, s) in lanes.iter_mut().zip(chunks.into_remainder()) {
        *s = exp_f32(*s - most);
        *lane += *s;
    }
    fold(lanes)
}

/// Adds the first `count` values of a tile (16 × width) to `out` (n × width), each times its weight
/// (`weights`: n × 16), in rising position; n at most 4.
pub fn mix(path: Path, weights: &[f32], values: &[u16], count: usize, width: usize, out: &mut [f32]) {
    let n = weights.len() / TILE;
    assert!(
        width > 0 && n <= QUERIES && count <= TILE && out.len() >= n * width && values.len() >= TILE * width,
        "shapes of a tile"
    );
    if simd::mix(path, weights, values, count, width, out) {
        return;
    }
    wide!(path, mix_body(weights: &[f32], values: &[u16], count: usize, width: usize, out: &mut [f32]))
}

#[inline(always)]
fn mix_body(weights: &[f32], values: &[u16], count: usize, width: usize, out: &mut [f32]) {
    for (weights, out) in weights.chunks_exact(TILE).zip(out.chunks_exact_mut(width)) {
        for (weight, values) in weights.iter().zip(values.chunks_exact(width)).take(count) {
            for (out, v) in out.iter_mut().zip(values) {
                *out += weight * f16_to_f32(*v);
            }
        }
    }
}
