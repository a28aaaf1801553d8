//! What a written order costs: the exact class's product of int8 rows beside the same product with the same layout and
//! instructions whose sums may be fused and come in whatever order is fastest. Only where the processor has
//! AVX-512 VNNI.
//!
//! ```text
//! cargo run --locked --workspace --example price_of_order
//! ```

// Instructions by name are the point of the comparison.
#![allow(unsafe_code)]
#![allow(clippy::incompatible_msrv)] // Contracts are compiled for wasm, and without examples.
#![allow(clippy::needless_range_loop)] // An index names the same lane of several arrays.

use std::time::Instant;

use openledger_numerics::{gemm, Activations, Matrix, Path as CpuPath, BLOCK, TILE_ROWS};

/// The head of the shape that `scripts/bench engine` measures: 27 MB, which no nearer cache holds.
const ROWS: usize = 32_000;
const COLUMNS: usize = 768;
/// Products of a measurement, by positions at once: as in writing, and as in reading a prompt.
const WRITING: (usize, usize) = (1, 4);
const READING: (usize, usize) = (32, 1);
/// Times that each goes in a run.
const ROUNDS: usize = 40;

fn values(count: usize) -> Vec<f32> {
    (0..count).map(|i| ((i * 7_919 % 1_009) as f32 - 504.0) / 20_000.0).collect()
}

/// Runs of each measurement.
const RUNS: usize = 5;

fn main() {
    // The path whose instructions the free order has too.
    let Some(path) = CpuPath::available().find(|path| path.name() == "avx512-vnni") else {
        return println!("skipped: this processor has no AVX-512 VNNI");
    };
    let matrix = Matrix::quantize(ROWS, COLUMNS, &values(ROWS * COLUMNS)).expect("a matrix of finite values");
    let Some(free) = Free::new(&matrix) else {
        return println!("skipped: this processor has no AVX-512 VNNI");
    };
    for (name, (positions, repeats)) in
        [("price_of_determinism_writing", WRITING), ("price_of_determinism_reading", READING)]
    {
        let mut x = Activations::default();
        x.quantize(path, &values(positions * COLUMNS), COLUMNS);
        let (mut out, mut other) = (vec![0.0; positions * ROWS], vec![0.0; positions * ROWS]);
        let quantized: Vec<Position> = (0..positions).map(|i| Position::of(&x, i)).collect();
        let mut prices = Vec::new();
        for _ in 0..RUNS {
            let (mut ours, mut theirs) = (f64::MAX, f64::MAX);
            // In turn, and the least of each: what interrupts only ever adds.
            for _ in 0..ROUNDS {
                let started = Instant::now();
                (0..repeats).for_each(|_| gemm(path, &matrix, &x, &mut out));
                ours = ours.min(started.elapsed().as_secs_f64());
                let started = Instant::now();
                (0..repeats).for_each(|_| free.gemm(&quantized, &mut other));
                theirs = theirs.min(started.elapsed().as_secs_f64());
            }
            prices.push(ours / theirs - 1.0);
        }
        let far = out.iter().zip(&other).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(far < 1e-3, "the free order computes something else: {far}");
        prices.sort_by(f64::total_cmp);
        println!("{name}: {:.3} ({:.3} to {:.3})", prices[RUNS / 2], prices[0], prices[RUNS - 1]);
    }
}

/// One position of the activations.
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
struct Position<'a> {
    scales: &'a [f32],
    values: &'a [i8],
    /// -128 times the sum of each block.
    sums: Vec<i32>,
}

impl<'a> Position<'a> {
    fn of(x: &'a Activations, i: usize) -> Self {
        let (scales, values) = x.row(i);
        let sum = |block: &[i8]| -128 * block.iter().map(|q| i32::from(*q)).sum::<i32>();
        Position { scales, values, sums: values.chunks(BLOCK).map(sum).collect() }
    }
}

/// The matrix in the layout of `openledger_numerics::Matrix`: four columns of 16 rows to a register.
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
struct Free {
    blocks: usize,
    /// For each tile of 16 rows and each block of 32 columns, eight registers of weights plus 128.
    lines: Vec<[u8; 64]>,
    /// Scales of each block.
    scales: Vec<[f32; TILE_ROWS]>,
}

impl Free {
    fn new(matrix: &Matrix) -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        if std::is_x86_feature_detected!("avx512f")
            && std::is_x86_feature_detected!("avx512bw")
            && std::is_x86_feature_detected!("avx512vnni")
        {
            let blocks = COLUMNS / BLOCK;
            let mut lines = vec![[0; 64]; ROWS / TILE_ROWS * blocks * 8];
            let mut scales = vec![[0.0; TILE_ROWS]; ROWS / TILE_ROWS * blocks];
            for row in 0..ROWS {
                let (tile, r) = (row / TILE_ROWS, row % TILE_ROWS);
                let (row_scales, weights) = matrix.row(row);
                for (b, scale) in row_scales.into_iter().enumerate() {
                    scales[tile * blocks + b][r] = scale;
                }
                for (i, weight) in weights.into_iter().enumerate() {
                    lines[tile * blocks * 8 + i / 4][4 * r + i % 4] = (weight as u8) ^ 0x80;
                }
            }
            return Some(Free { blocks, lines, scales });
        }
        let _ = matrix;
        None
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn gemm(&self, _: &[Position], _: &mut [f32]) {}

    /// Products with every position: `out` (positions × rows).
    #[cfg(target_arch = "x86_64")]
    fn gemm(&self, positions: &[Position], out: &mut [f32]) {
        const GROUP: usize = 4;
        let tiles = self.lines.chunks_exact(self.blocks * 8).zip(self.scales.chunks_exact(self.blocks));
        for (tile, (lines, scales)) in tiles.enumerate() {
            for (start, group) in (0..).step_by(GROUP).zip(positions.chunks(GROUP)) {
                // SAFETY: `new` has seen the instructions; lines, scales and positions have whole blocks.
                unsafe {
                    match <&[_; GROUP]>::try_from(group) {
                        Ok(group) => x86::tile(lines, scales, group, start, tile, out),
                        Err(_) => {
                            for (i, one) in group.iter().enumerate() {
                                x86::tile(lines, scales, std::array::from_ref(one), start + i, tile, out);
                            }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use core::arch::x86_64::*;

    use super::{Position, BLOCK, ROWS, TILE_ROWS};

    /// 16 rows with T positions; sums are fused.
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    pub unsafe fn tile<const T: usize>(
        lines: &[[u8; 64]],
        scales: &[[f32; TILE_ROWS]],
        group: &[Position; T],
        start: usize,
        tile: usize,
        out: &mut [f32],
    ) {
        let mut sums = [_mm512_setzero_ps(); T];
        for (b, scale) in scales.iter().enumerate() {
            let line = lines.as_ptr().add(b * 8).cast::<__m512i>();
            // Weights carry 128 more than their value, which the sums take back.
            let mut even: [__m512i; T] =
                core::array::from_fn(|t| _mm512_set1_epi32(*group[t].sums.get_unchecked(b)));
            let mut odd = [_mm512_setzero_si512(); T];
            for g in 0..4 {
                let w0 = _mm512_loadu_si512(line.add(2 * g));
                let w1 = _mm512_loadu_si512(line.add(2 * g + 1));
                for t in 0..T {
                    let a = group[t].values.as_ptr().add(b * BLOCK + 8 * g).cast::<i32>();
                    even[t] = _mm512_dpbusd_epi32(even[t], w0, _mm512_set1_epi32(a.read_unaligned()));
                    odd[t] = _mm512_dpbusd_epi32(odd[t], w1, _mm512_set1_epi32(a.add(1).read_unaligned()));
                }
            }
            let scale = _mm512_loadu_ps(scale.as_ptr());
            for t in 0..T {
                let exact = _mm512_cvtepi32_ps(_mm512_add_epi32(even[t], odd[t]));
                let d = _mm512_mul_ps(scale, _mm512_set1_ps(*group[t].scales.get_unchecked(b)));
                sums[t] = _mm512_fmadd_ps(d, exact, sums[t]);
            }
        }
        for t in 0..T {
            let at = (start + t) * ROWS + tile * TILE_ROWS;
            _mm512_storeu_ps(out[at..at + TILE_ROWS].as_mut_ptr(), sums[t]);
        }
    }
}
