//! Operations on vectors, the same source for every width of register.

use crate::math::{exp_f32, sqrt_f32};
use crate::path::Path;
use crate::simd::wide;

/// Lanes of a canonical sum.
pub(crate) const LANES: usize = 16;

/// The sum of 16 lanes: 8 sums of lanes j and j + 8, then 4, 2, 1.
#[inline(always)]
pub(crate) fn fold(mut lanes: [f32; LANES]) -> f32 {
    let mut width = LANES / 2;
    while width > 0 {
        for j in 0..width {
            lanes[j] += lanes[j + width];
        }
        width /= 2;
    }
    lanes[0]
}

/// Sum of products: lane i mod 16 adds a_i * b_i in rising i; the lanes are folded in halves.
pub fn dot(path: Path, a: &[f32], b: &[f32]) -> f32 {
    wide!(path, dot_body(a: &[f32], b: &[f32]) -> f32)
}

#[inline(always)]
fn dot_body(a: &[f32], b: &[f32]) -> f32 {
    let n = a.len().min(b.len());
    let (a, b) = (&a[..n], &b[..n]);
    let mut lanes = [0f32; LANES];
    let (mut x, mut y) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    for (x, y) in x.by_ref().zip(y.by_ref()) {
        for j in 0..LANES {
            lanes[j] += x[j] * y[j];
        }
    }
    for ((lane, x), y) in lanes.iter_mut().zip(x.remainder()).zip(y.remainder()) {
        *lane += x * y;
    }
    fold(lanes)
}

/// RMSNorm: with s = dot(x, x), r = 1 / sqrt(s / n + eps): out_i = (x_i * r) * w_i.
pub fn rms_norm(path: Path, x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
    let s = dot(path, x, x);
    let r = 1.0 / sqrt_f32(s / x.len() as f32 + eps);
    wide!(path, scale_body(x: &[f32], weight: &[f32], r: f32, out: &mut [f32]))
}

#[inline(always)]
fn scale_body(x: &[f32], weight: &[f32], r: f32, out: &mut [f32]) {
    for ((out, x), w) in out.iter_mut().zip(x).zip(weight) {
        *out = (x * r) * w;
    }
}

/// out_i = out_i + x_i.
pub fn add(path: Path, out: &mut [f32], x: &[f32]) {
    wide!(path, add_body(out: &mut [f32], x: &[f32]))
}

#[inline(always)]
fn add_body(out: &mut [f32], x: &[f32]) {
    for (out, x) in out.iter_mut().zip(x) {
        *out += x;
    }
}

/// out_i = out_i + s * x_i: the product is rounded, then the sum.
pub fn add_scaled(path: Path, out: &mut [f32], x: &[f32], s: f32) {
    wide!(path, add_scaled_body(out: &mut [f32], x: &[f32], s: f32))
}

#[inline(always)]
fn add_scaled_body(out: &mut [f32], x: &[f32], s: f32) {
    for (out, x) in out.iter_mut().zip(x) {
        *out += s * x;
    }
}

/// SwiGLU: gate_i = (gate_i / (1 + e^-gate_i)) * up_i.
pub fn silu_mul(path: Path, gate: &mut [f32], up: &[f32]) {
    wide!(path, silu_body(gate: &mut [f32], up: &[f32]))
}

#[inline(always)]
fn silu_body(gate: &mut [f32], up: &[f32]) {
    for (g, u) in gate.iter_mut().zip(up) {
        *g = (*g / (1.0 + exp_f32(-*g))) * u;
    }
}

/// Rotates one head of even width: pairs (i, i + n/2) with `table` = n/2 cosines, then n/2 sines:
/// (a * cos - b * sin, b * cos + a * sin).
pub fn rope(path: Path, head: &mut [f32], table: &[f32]) {
    wide!(path, rope_body(head: &mut [f32], table: &[f32]))
}

#[inline(always)]
fn rope_body(head: &mut [f32], table: &[f32]) {
    let half = head.len() / 2;
    let (a, b) = head.split_at_mut(half);
    let (cos, sin) = table.split_at(half.min(table.len()));
    for (((a, b), c), s) in a.iter_mut().zip(b).zip(cos).zip(sin) {
        let (x, y) = (*a, *b);
        *a = x * c - y * s;
        *b = y * c + x * s;
    }
}
