//! AVX2: 8 rows of weights in one register, two registers to a tile.

use core::arch::x86_64::*;

use crate::matrix::{Group, Line, Scales, BLOCK};

/// Products of a tile with a group; see [`super::tile`], which is only called with this unit present.
pub(crate) fn tile(weights: &[Line], scales: &[Scales], group: &Group, out: &mut [[f32; 16]; 4]) {
    let blocks = scales.len();
    assert!(weights.len() >= blocks * 8);
    for (t, out) in out.iter_mut().enumerate().take(group.count) {
        let (values, activation_scales) = (group.values[t], group.scales[t]);
        assert!(values.len() >= blocks * BLOCK && activation_scales.len() >= blocks);
        // SAFETY: the path proves the instructions; every address lies within the slices just checked.
        unsafe { run(weights, scales, values, activation_scales, out) }
    }
}

#[target_feature(enable = "avx2")]
unsafe fn run(
    weights: &[Line],
    scales: &[Scales],
    values: &[i8],
    activation_scales: &[f32],
    out: &mut [f32; 16],
) {
    let mut lanes = [[_mm256_setzero_ps(); 2]; 4];
    let (flip, ones) = (_mm256_set1_epi8(-128), _mm256_set1_epi16(1));
    for b in 0..scales.len() {
        let mut exact = [_mm256_setzero_si256(); 2];
        for g in 0..8 {
            let a = values.as_ptr().add(b * BLOCK + 4 * g).cast::<i32>().read_unaligned();
            let a = _mm256_set1_epi32(a);
            let line = weights.as_ptr().add(b * 8 + g).cast::<__m256i>();
            for (half, exact) in exact.iter_mut().enumerate() {
                let w = _mm256_xor_si256(_mm256_load_si256(line.add(half)), flip);
                // |w| * (a with the sign of w): no pair exceeds 2 * 127 * 127, so nothing saturates.
                let pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(a, w));
                *exact = _mm256_add_epi32(*exact, _mm256_madd_epi16(pairs, ones));
            }
        }
        let da = _mm256_set1_ps(*activation_scales.get_unchecked(b));
        let dw = scales.as_ptr().add(b).cast::<f32>();
        let lane = &mut lanes[b % 4];
        for half in 0..2 {
            let d = _mm256_mul_ps(_mm256_load_ps(dw.add(8 * half)), da);
            lane[half] = _mm256_add_ps(lane[half], _mm256_mul_ps(d, _mm256_cvtepi32_ps(exact[half])));
        }
    }
    for half in 0..2 {
        let sum = _mm256_add_ps(
            _mm256_add_ps(lanes[0][half], lanes[2][half]),
            _mm256_add_ps(lanes[1][half], lanes[3][half]),
        );
        _mm256_storeu_ps(out.as_mut_ptr().add(8 * half), sum);
    }
}
