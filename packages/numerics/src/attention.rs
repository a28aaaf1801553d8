//! Attention over keys and values in half precision, in tiles of 16 positions.
//!
//! A tile of keys holds, for each of the head's dimensions, 16 positions; a tile of values holds, for each
//! of 16 positions, the head's dimensions. Tiles are aligned to the absolute position, so that how a text
//! was cut into pieces, or which of them came from a cache, changes nothing.

use alloc::vec::Vec;

use crate::half::{f16_to_f32, f32_to_f16};
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

/// Writes the key of the position `slot` (0 to 15) of a tile.
pub fn write_key(tile: &mut [u16], slot: usize, key: &[f32]) {
    for (places, k) in tile.chunks_exact_mut(TILE).zip(key) {
        if let Some(place) = places.get_mut(slot) {
            *place = f32_to_f16(*k);
        }
    }
}

/// Writes the value of the position `slot` (0 to 15) of a tile.
pub fn write_value(tile: &mut [u16], slot: usize, value: &[f32]) {
    for (place, v) in tile.iter_mut().skip(slot * value.len()).zip(value) {
        *place = f32_to_f16(*v);
    }
}

/// Attention of at most 4 queries (n × width) over `tiles` of (keys, values), to `out` (n × width). Query i
/// sees the first `lengths[i]` positions, at least one and no more than the tiles hold. `scratch` is kept
/// between calls.
///
/// out = (sum over rising positions of w_p v_p) / (sum of w_p), w = [`softmax`] of [`scores`].
#[allow(clippy::too_many_arguments)]
pub fn attend(
    path: Path,
    tiles: &[(&[u16], &[u16])],
    queries: &[f32],
    width: usize,
    lengths: &[usize],
    scale: f32,
    scratch: &mut Vec<f32>,
    out: &mut [f32],
) {
    let n = lengths.len();
    let longest = lengths.iter().copied().max().unwrap_or(0);
    let used = longest.div_ceil(TILE);
    assert!(
        n <= QUERIES && used <= tiles.len() && !lengths.contains(&0) && out.len() >= n * width,
        "shapes of attention"
    );
    let padded = used * TILE;
    scratch.clear();
    scratch.resize(n * padded, 0.0);
    let mut tile_weights = [0f32; QUERIES * TILE];
    for (t, (keys, _)) in tiles.iter().enumerate().take(used) {
        scores(path, queries, width, keys, scale, &mut tile_weights[..n * TILE]);
        for (row, s) in scratch.chunks_exact_mut(padded).zip(tile_weights.chunks_exact(TILE)) {
            row[t * TILE..(t + 1) * TILE].copy_from_slice(s);
        }
    }
    let mut sums = [0f32; QUERIES];
    for ((row, length), sum) in scratch.chunks_exact_mut(padded.max(1)).zip(lengths).zip(&mut sums) {
        *sum = softmax(path, &mut row[..*length]);
    }
    let out = &mut out[..n * width];
    out.fill(0.0);
    let shortest = lengths.iter().copied().min().unwrap_or(0);
    for (t, (_, values)) in tiles.iter().enumerate().take(used) {
        let start = t * TILE;
        if shortest >= start + TILE {
            for (row, w) in scratch.chunks_exact(padded).zip(tile_weights.chunks_exact_mut(TILE)) {
                w.copy_from_slice(&row[start..start + TILE]);
            }
            mix(path, &tile_weights[..n * TILE], values, TILE, width, out);
            continue;
        }
        for ((row, length), out) in scratch.chunks_exact(padded).zip(lengths).zip(out.chunks_exact_mut(width))
        {
            let count = length.saturating_sub(start).min(TILE);
            if count > 0 {
                mix(path, &row[start..start + TILE], values, count, width, out);
            }
        }
    }
    for (out, sum) in out.chunks_exact_mut(width).zip(sums) {
        for out in out {
            *out /= sum;
        }
    }
}
