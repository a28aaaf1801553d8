//! AMX: the processor's tile unit multiplies a block of 16 rows with up to 16 positions in one instruction. Its sums
//! are whole numbers, hence exact in any order; scaling and adding them is done in the law's order by AVX-512.

#![allow(clippy::incompatible_msrv)] // Contracts are compiled for wasm, where this module is left out.

use core::arch::asm;
use core::arch::x86_64::*;
use core::ops::Range;

use alloc::vec::Vec;

use crate::matrix::{Line, Scales, BLOCK, TILE_ROWS};

/// Positions of a tile.
const POSITIONS: usize = 16;

/// Fewer positions at once are left to AVX-512: a tile costs about the same however few it holds.
pub(crate) const LEAST: usize = 9;

/// Asks the system for the unit: its registers are large, so a process has to say that it wants them saved.
/// `false` where processor or system lack it.
#[cfg(all(feature = "std", target_os = "linux"))]
pub(crate) fn granted() -> bool {
    const ARCH_PRCTL: u64 = 158;
    const ARCH_REQ_XCOMP_PERM: u64 = 0x1023;
    const XFEATURE_XTILE_DATA: u64 = 18;
    // AMX-TILE and AMX-INT8 (Intel SDM, CPUID leaf 7).
    #[allow(unused_unsafe)]
    // SAFETY: every processor of this architecture that has AVX-512 has the leaf.
    let found = unsafe { __cpuid_count(7, 0) }.edx;
    if found >> 24 & 3 != 3 {
        return false;
    }
    let mut answer = ARCH_PRCTL;
    // SAFETY: the call reads no memory of this process and changes nothing but what is saved for it.
    unsafe {
        asm!("syscall", inlateout("rax") answer, in("rdi") ARCH_REQ_XCOMP_PERM, in("rsi") XFEATURE_XTILE_DATA,
            lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    answer == 0
}

/// Without the system's word nobody knows whether the registers are saved.
#[cfg(all(feature = "std", not(target_os = "linux")))]
pub(crate) fn granted() -> bool {
    false
}

/// The sizes of the tiles, as the unit reads them.
#[repr(C, align(64))]
struct Sizes([u8; 64]);

impl Sizes {
    /// For `positions` positions. Tiles 0 and 3 are products, 1 and 4 positions, 2 and 5 weights.
    fn of(positions: usize) -> Self {
        let mut sizes = Sizes([0; 64]);
        sizes.0[0] = 1;
        for (tile, rows, bytes) in [(0, positions, 64), (1, positions, BLOCK), (2, BLOCK / 4, 64)] {
            for tile in [tile, tile + 3] {
                sizes.0[16 + 2 * tile] = bytes as u8;
                sizes.0[48 + tile] = rows as u8;
            }
        }
        sizes
    }
}

/// Quantised positions: int8, scales and -128 times the sum of every block, whole blocks one after the other.
pub(crate) struct Positions<'a> {
    pub values: &'a [i8],
    pub scales: &'a [f32],
    pub sums: &'a [i32],
}

/// Products of a matrix of `rows` rows with the positions `of`: `out` (their number × rows).
pub(crate) fn gemm(
    (weights, weight_scales): (&[Line], &[Scales]),
    blocks: usize,
    rows: usize,
    x: &Positions,
    of: Range<usize>,
    out: &mut [f32],
) {
    let tiles = rows.div_ceil(TILE_ROWS);
    assert!(weights.len() == tiles * blocks * 8 && weight_scales.len() == tiles * blocks);
    assert!(x.values.len() >= of.end * blocks * BLOCK && x.scales.len() >= of.end * blocks);
    assert!(x.sums.len() >= of.end * blocks && out.len() == of.len() * rows);
    let groups: Vec<Group> =
        of.clone().step_by(POSITIONS).map(|start| Group::of(x, blocks, start, of.end)).collect();
    let mut products = [[0f32; TILE_ROWS]; POSITIONS];
    let mut sized = 0;
    for (tile, (lines, scales)) in
        weights.chunks_exact(blocks * 8).zip(weight_scales.chunks_exact(blocks)).enumerate()
    {
        let first = tile * TILE_ROWS;
        let wanted = TILE_ROWS.min(rows - first);
        for (g, group) in groups.iter().enumerate() {
            // SAFETY: the path proves the unit and that its registers are saved; every address lies within the slices
            // checked above, of which the group's positions have whole blocks.
            unsafe {
                if sized != group.count {
                    let sizes = Sizes::of(group.count);
                    asm!("ldtilecfg [{}]", in(reg) &sizes, options(nostack, readonly));
                    sized = group.count;
                }
                run(lines, scales, group, &mut products);
            }
            for (t, products) in products.iter().enumerate().take(group.count) {
                let place = (g * POSITIONS + t) * rows + first;
                out[place..place + wanted].copy_from_slice(&products[..wanted]);
            }
        }
    }
    // SAFETY: as above. What the tiles held is not needed any more, so that the system need not save it.
    unsafe { asm!("tilerelease", options(nostack, nomem)) };
}

/// At most 16 positions, with what the sums need of a block side by side.
struct Group<'a> {
    count: usize,
    values: &'a [i8],
    /// Scale and -128 times the sum of each position; 0 beyond the count.
    blocks: Vec<([f32; POSITIONS], [i32; POSITIONS])>,
}

impl<'a> Group<'a> {
    fn of(x: &Positions<'a>, blocks: usize, start: usize, end: usize) -> Self {
        let count = POSITIONS.min(end - start);
        let block = |b: usize| {
            let mut block = ([0.0; POSITIONS], [0; POSITIONS]);
            for t in 0..count {
                let at = (start + t) * blocks + b;
                (block.0[t], block.1[t]) = (x.scales[at], x.sums[at]);
            }
            block
        };
        Group { count, values: &x.values[start * blocks * BLOCK..], blocks: (0..blocks).map(block).collect() }
    }
}

/// A product of a block as the unit stores it.
#[repr(C, align(64))]
struct Exact([[i32; TILE_ROWS]; POSITIONS]);

/// Lane by lane, so that a lane of all positions stays in registers.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn run(lines: &[Line], scales: &[Scales], group: &Group, out: &mut [[f32; TILE_ROWS]; POSITIONS]) {
    let blocks = group.blocks.len();
    let mut lanes = [[_mm512_setzero_ps(); POSITIONS]; 4];
    let mut exact = [const { Exact([[0; TILE_ROWS]; POSITIONS]) }; 2];
    for (l, lane) in lanes.iter_mut().enumerate() {
        let mut sums = [_mm512_setzero_ps(); POSITIONS];
        let mut b = l;
        // The unit is one block ahead of the sums, which hides its latency.
        if b < blocks {
            even(lines, group, b, &mut exact[0]);
        }
        while b < blocks {
            if b + 4 < blocks {
                odd(lines, group, b + 4, &mut exact[1]);
            }
            add(scales, group, b, &exact[0], &mut sums);
            b += 4;
            if b >= blocks {
                break;
            }
            if b + 4 < blocks {
                even(lines, group, b + 4, &mut exact[0]);
            }
            add(scales, group, b, &exact[1], &mut sums);
            b += 4;
        }
        *lane = sums;
    }
    for t in 0..group.count {
        let sum =
            _mm512_add_ps(_mm512_add_ps(lanes[0][t], lanes[2][t]), _mm512_add_ps(lanes[1][t], lanes[3][t]));
        _mm512_storeu_ps(out[t].as_mut_ptr(), sum);
    }
}

/// Defines a function for the exact products of a block, with three tiles of its own.
macro_rules! product {
    ($name:ident, $c:literal, $a:literal, $w:literal) => {
        #[inline]
        #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
        unsafe fn $name(lines: &[Line], group: &Group, b: usize, exact: &mut Exact) {
            let row = group.blocks.len().wrapping_mul(BLOCK);
            let a = group.values.as_ptr().wrapping_add(b.wrapping_mul(BLOCK));
            let w = lines.as_ptr().wrapping_add(b.wrapping_mul(8));
            asm!(
                concat!("tilezero ", $c),
                concat!("tileloadd ", $a, ", [{a} + {row}*1]"),
                concat!("tileloadd ", $w, ", [{w} + {line}*1]"),
                concat!("tdpbsud ", $c, ", ", $a, ", ", $w),
                concat!("tilestored [{c} + {line}*1], ", $c),
                a = in(reg) a, row = in(reg) row, w = in(reg) w, line = in(reg) 64usize,
                c = in(reg) exact.0.as_mut_ptr(), options(nostack)
            );
        }
    };
}
product!(even, "tmm0", "tmm1", "tmm2");
product!(odd, "tmm3", "tmm4", "tmm5");

/// Scales the exact products of block `b` and adds them: (dw da) times the whole number, in the law's order.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn add(scales: &[Scales], group: &Group, b: usize, exact: &Exact, sums: &mut [__m512; POSITIONS]) {
    let scale = _mm512_load_ps(scales.as_ptr().wrapping_add(b).cast::<f32>());
    let (of, minus) = group.blocks.get_unchecked(b);
    for t in 0..POSITIONS {
        // Places beyond the count hold an old product and are read by nobody.
        let whole = _mm512_load_si512(exact.0[t].as_ptr().cast());
        let whole = _mm512_add_epi32(whole, _mm512_set1_epi32(minus[t]));
        let d = _mm512_mul_ps(scale, _mm512_set1_ps(of[t]));
        sums[t] = _mm512_add_ps(sums[t], _mm512_mul_ps(d, _mm512_cvtepi32_ps(whole)));
    }
}
