//! AVX-512 with VNNI: 16 rows of weights in one register.

#![allow(clippy::incompatible_msrv)] // Contracts are compiled for wasm, where this module is left out.

use core::arch::x86_64::*;

use crate::matrix::{Group, Line, Scales, BLOCK};

/// Products of a tile with a group; see [`super::tile`], which is only called with this unit present.
pub(crate) fn tile(weights: &[Line], scales: &[Scales], group: &Group, out: &mut [[f32; 16]; 4]) {
    let blocks = scales.len();
    assert!(weights.len() >= blocks * 8);
    for t in 0..group.count {
        assert!(
            group.values[t].len() >= blocks * BLOCK
                && group.scales[t].len() >= blocks
                && group.sums[t].len() >= blocks
        );
    }
    // SAFETY: the path proves the instructions; every address below lies within the slices just checked.
    unsafe {
        match group.count {
            1 => run::<1>(weights, scales, group, out),
            2 => run::<2>(weights, scales, group, out),
            3 => run::<3>(weights, scales, group, out),
            _ => run::<4>(weights, scales, group, out),
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn run<const T: usize>(weights: &[Line], scales: &[Scales], group: &Group, out: &mut [[f32; 16]; 4]) {
    let mut lanes = [[_mm512_setzero_ps(); T]; 4];
    let blocks = scales.len();
    let mut b = 0;
    while b + 4 <= blocks {
        block::<T>(weights, scales, group, b, &mut lanes[0]);
        block::<T>(weights, scales, group, b + 1, &mut lanes[1]);
        block::<T>(weights, scales, group, b + 2, &mut lanes[2]);
        block::<T>(weights, scales, group, b + 3, &mut lanes[3]);
        b += 4;
    }
    if b < blocks {
        block::<T>(weights, scales, group, b, &mut lanes[0]);
    }
    if b + 1 < blocks {
        block::<T>(weights, scales, group, b + 1, &mut lanes[1]);
    }
    if b + 2 < blocks {
        block::<T>(weights, scales, group, b + 2, &mut lanes[2]);
    }
    for t in 0..T {
        let sum =
            _mm512_add_ps(_mm512_add_ps(lanes[0][t], lanes[2][t]), _mm512_add_ps(lanes[1][t], lanes[3][t]));
        _mm512_storeu_ps(out[t].as_mut_ptr(), sum);
    }
}

/// One block of 32 columns. Weights carry 128 more than their value, so that they are the unsigned
/// operand; the sums take that back.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn block<const T: usize>(
    weights: &[Line],
    scales: &[Scales],
    group: &Group,
    b: usize,
    lane: &mut [__m512; T],
) {
    let line = weights.as_ptr().add(b * 8).cast::<__m512i>();
    // Two chains a position hide the latency of the products; whole numbers add in any order.
    let mut even: [__m512i; T] = core::array::from_fn(|t| _mm512_set1_epi32(*group.sums[t].get_unchecked(b)));
    let mut odd = [_mm512_setzero_si512(); T];
    for g in 0..4 {
        let (w0, w1) = (_mm512_load_si512(line.add(2 * g)), _mm512_load_si512(line.add(2 * g + 1)));
        for t in 0..T {
            let a = group.values[t].as_ptr().add(b * BLOCK + 8 * g).cast::<i32>();
            even[t] = _mm512_dpbusd_epi32(even[t], w0, _mm512_set1_epi32(a.read_unaligned()));
            odd[t] = _mm512_dpbusd_epi32(odd[t], w1, _mm512_set1_epi32(a.add(1).read_unaligned()));
        }
    }
    let scale = _mm512_load_ps(scales.as_ptr().add(b).cast::<f32>());
    for t in 0..T {
        let exact = _mm512_cvtepi32_ps(_mm512_add_epi32(even[t], odd[t]));
        let d = _mm512_mul_ps(scale, _mm512_set1_ps(*group.scales[t].get_unchecked(b)));
        lane[t] = _mm512_add_ps(lane[t], _mm512_mul_ps(d, exact));
    }
}

/// See [`crate::scores`], which has checked the shapes.
pub(crate) fn scores(queries: &[f32], width: usize, keys: &[u16], scale: f32, out: &mut [f32]) {
    // SAFETY: the path proves the instructions; the caller has checked the lengths.
    unsafe {
        match out.len() / 16 {
            0 => {}
            1 => score::<1>(queries, width, keys, scale, out),
            2 => score::<2>(queries, width, keys, scale, out),
            3 => score::<3>(queries, width, keys, scale, out),
            _ => score::<4>(queries, width, keys, scale, out),
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn score<const N: usize>(queries: &[f32], width: usize, keys: &[u16], scale: f32, out: &mut [f32]) {
    let mut lanes = [[_mm512_setzero_ps(); N]; 4];
    let (query, keys) = (queries.as_ptr(), keys.as_ptr());
    let mut d = 0;
    while d + 4 <= width {
        for (l, lane) in lanes.iter_mut().enumerate() {
            let key = _mm512_cvtph_ps(_mm256_loadu_si256(keys.add((d + l) * 16).cast()));
            for (n, lane) in lane.iter_mut().enumerate() {
                let q = _mm512_set1_ps(*query.add(n * width + d + l));
                *lane = _mm512_add_ps(*lane, _mm512_mul_ps(q, key));
            }
        }
        d += 4;
    }
    for (l, lane) in lanes.iter_mut().enumerate().take(width - d) {
        let key = _mm512_cvtph_ps(_mm256_loadu_si256(keys.add((d + l) * 16).cast()));
        for (n, lane) in lane.iter_mut().enumerate() {
            let q = _mm512_set1_ps(*query.add(n * width + d + l));
            *lane = _mm512_add_ps(*lane, _mm512_mul_ps(q, key));
        }
    }
    for n in 0..N {
        let sum =
            _mm512_add_ps(_mm512_add_ps(lanes[0][n], lanes[2][n]), _mm512_add_ps(lanes[1][n], lanes[3][n]));
        _mm512_storeu_ps(out.as_mut_ptr().add(n * 16), _mm512_mul_ps(sum, _mm512_set1_ps(scale)));
    }
}

/// See [`crate::mix`], which has checked the shapes; the width is a multiple of 16.
pub(crate) fn mix(weights: &[f32], values: &[u16], count: usize, width: usize, out: &mut [f32]) {
    // SAFETY: the path proves the instructions; the caller has checked the lengths.
    unsafe {
        match weights.len() / 16 {
            0 => {}
            1 => add::<1>(weights, values, count, width, out),
            2 => add::<2>(weights, values, count, width, out),
            3 => add::<3>(weights, values, count, width, out),
            _ => add::<4>(weights, values, count, width, out),
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn add<const N: usize>(weights: &[f32], values: &[u16], count: usize, width: usize, out: &mut [f32]) {
    let mut d = 0;
    while d + 64 <= width {
        columns::<N, 4>(weights, values, count, width, d, out);
        d += 64;
    }
    while d < width {
        columns::<N, 1>(weights, values, count, width, d, out);
        d += 16;
    }
}

/// 16 C dimensions from `d` on.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn columns<const N: usize, const C: usize>(
    weights: &[f32],
    values: &[u16],
    count: usize,
    width: usize,
    d: usize,
    out: &mut [f32],
) {
    let place = out.as_mut_ptr().add(d);
    let mut sums: [[__m512; C]; N] =
        core::array::from_fn(|n| core::array::from_fn(|c| _mm512_loadu_ps(place.add(n * width + 16 * c))));
    for p in 0..count {
        let row = values.as_ptr().add(p * width + d);
        let v: [__m512; C] =
            core::array::from_fn(|c| _mm512_cvtph_ps(_mm256_loadu_si256(row.add(16 * c).cast())));
        for n in 0..N {
            let weight = _mm512_set1_ps(*weights.as_ptr().add(n * 16 + p));
            for c in 0..C {
                sums[n][c] = _mm512_add_ps(sums[n][c], _mm512_mul_ps(weight, v[c]));
            }
        }
    }
    for n in 0..N {
        for c in 0..C {
            _mm512_storeu_ps(place.add(n * width + 16 * c), sums[n][c]);
        }
    }
}
