//! NEON: 4 rows of weights in one register, four registers to a tile.

use core::arch::aarch64::*;

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

#[target_feature(enable = "neon")]
unsafe fn run(
    weights: &[Line],
    scales: &[Scales],
    values: &[i8],
    activation_scales: &[f32],
    out: &mut [f32; 16],
) {
    let mut lanes = [[vdupq_n_f32(0.0); 4]; 4];
    let flip = vdupq_n_u8(128);
    for b in 0..scales.len() {
        // Two partial sums a row; rows 2 i and 2 i + 1 stand in register i.
        let mut partial = [vdupq_n_s32(0); 8];
        for g in 0..8 {
            let a = values.as_ptr().add(b * BLOCK + 4 * g).cast::<i32>().read_unaligned();
            let a = vreinterpret_s8_s32(vdup_n_s32(a));
            let line = weights.as_ptr().add(b * 8 + g).cast::<u8>();
            for quarter in 0..4 {
                let w = vreinterpretq_s8_u8(veorq_u8(vld1q_u8(line.add(16 * quarter)), flip));
                // A product is at most 127 * 127; two of them are added as 32 bits.
                let (low, high) = (vmull_s8(vget_low_s8(w), a), vmull_s8(vget_high_s8(w), a));
                partial[2 * quarter] = vpadalq_s16(partial[2 * quarter], low);
                partial[2 * quarter + 1] = vpadalq_s16(partial[2 * quarter + 1], high);
            }
        }
        let da = vdupq_n_f32(*activation_scales.get_unchecked(b));
        let dw = scales.as_ptr().add(b).cast::<f32>();
        let lane = &mut lanes[b % 4];
        for quarter in 0..4 {
            let exact = vcvtq_f32_s32(vpaddq_s32(partial[2 * quarter], partial[2 * quarter + 1]));
            let d = vmulq_f32(vld1q_f32(dw.add(4 * quarter)), da);
            lane[quarter] = vaddq_f32(lane[quarter], vmulq_f32(d, exact));
        }
    }
    for quarter in 0..4 {
        let sum = vaddq_f32(
            vaddq_f32(lanes[0][quarter], lanes[2][quarter]),
            vaddq_f32(lanes[1][quarter], lanes[3][quarter]),
        );
        vst1q_f32(out.as_mut_ptr().add(4 * quarter), sum);
    }
}
