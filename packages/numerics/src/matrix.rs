//! Matrices of int8 in blocks of 32 with f32 scales, and their products.

use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use crate::math::MAGIC;
#[cfg(target_arch = "x86_64")]
use crate::path::Isa;
use crate::path::Path;
use crate::simd::{self, wide};

/// Values under one scale.
pub const BLOCK: usize = 32;

/// Rows that are stored and computed together.
pub const TILE_ROWS: usize = 16;

/// Activations that are computed together with a tile.
const GROUP: usize = 4;

/// A block whose largest magnitude is below 2^-100 counts as zero.
const LEAST: u32 = 0x0d80_0000;

/// Four columns of 16 rows: byte 4 r + c is row r, column c, plus 128.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Line(pub [u8; 64]);

/// Scales of a block of 16 rows.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Scales(pub [f32; TILE_ROWS]);

/// Why values are not made a matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Rows times columns is not the number of values, or one of them is 0.
    Shape,
    /// A value is NaN or infinite.
    NotFinite {
        /// Its row.
        row: usize,
        /// Its column.
        column: usize,
    },
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::Shape => f.write_str("rows and columns do not fit the number of values"),
            Refused::NotFinite { row, column } => {
                write!(f, "the value at row {row}, column {column} is not a finite number")
            }
        }
    }
}

impl core::error::Error for Refused {}

/// Quantises at most 32 values: scale d = a / 127 with a the largest magnitude, q_i = round(x_i * (127 / a)),
/// ties to even; places beyond the values are 0. Below a = 2^-100 everything is 0. If a value is NaN or
/// infinite, d is NaN and every q is 0, so that whatever reads the block is NaN.
#[inline(always)]
pub fn quantize_block(x: &[f32], q: &mut [i8; BLOCK]) -> f32 {
    let mut most = 0u32;
    for x in x.iter().take(BLOCK) {
        let magnitude = x.to_bits() & 0x7fff_ffff;
        most = if magnitude > most { magnitude } else { most };
    }
    *q = [0; BLOCK];
    if most < LEAST {
        return 0.0;
    }
    if most >= 0x7f80_0000 {
        return f32::NAN;
    }
    let a = f32::from_bits(most);
    let inverse = 127.0 / a;
    for (q, x) in q.iter_mut().zip(x) {
        // The low byte of the sum is the whole number in two's complement.
        *q = (x * inverse + MAGIC).to_bits() as i8;
    }
    a / 127.0
}

/// The law: the product of one quantised row with one quantised activation.
///
/// Block b gives p_b = (dw_b * da_b) * (sum of w_i * a_i as i32, exact); lane b mod 4 adds p_b in rising b;
/// the result is (l0 + l2) + (l1 + l3).
pub fn row_dot(weights: &[i8], weight_scales: &[f32], activation: &[i8], activation_scales: &[f32]) -> f32 {
    let mut lanes = [0f32; 4];
    let blocks = weights.chunks(BLOCK).zip(activation.chunks(BLOCK));
    for (b, ((w, a), (dw, da))) in blocks.zip(weight_scales.iter().zip(activation_scales)).enumerate() {
        let exact: i32 = w.iter().zip(a).map(|(w, a)| i32::from(*w) * i32::from(*a)).sum();
        lanes[b % 4] += (dw * da) * exact as f32;
    }
    (lanes[0] + lanes[2]) + (lanes[1] + lanes[3])
}

/// A matrix (rows × columns) in int8, 16 rows to a tile; columns are padded to whole blocks with zeros.
#[derive(Clone)]
pub struct Matrix {
    rows: usize,
    columns: usize,
    blocks: usize,
    lines: Vec<Line>,
    scales: Vec<Scales>,
}

impl fmt::Debug for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Matrix({} × {})", self.rows, self.columns)
    }
}

impl Matrix {
    /// Quantises `values` (rows × columns, row by row), each block by [`quantize_block`].
    ///
    /// # Errors
    /// When the shape does not fit or a value is not finite.
    pub fn quantize(rows: usize, columns: usize, values: &[f32]) -> Result<Self, Refused> {
        if rows == 0 || columns == 0 || rows.checked_mul(columns) != Some(values.len()) {
            return Err(Refused::Shape);
        }
        let blocks = columns.div_ceil(BLOCK);
        let tiles = rows.div_ceil(TILE_ROWS);
        let mut lines = alloc::vec![Line([128; 64]); tiles * blocks * 8];
        let mut scales = alloc::vec![Scales([0.0; TILE_ROWS]); tiles * blocks];
        let mut q = [0i8; BLOCK];
        for (row, values) in values.chunks_exact(columns).enumerate() {
            let (tile, r) = (row / TILE_ROWS, row % TILE_ROWS);
            for (b, x) in values.chunks(BLOCK).enumerate() {
                let d = quantize_block(x, &mut q);
                if d.is_nan() {
                    let at = x.iter().position(|x| !x.is_finite()).unwrap_or(0);
                    return Err(Refused::NotFinite { row, column: b * BLOCK + at });
                }
                let block = tile * blocks + b;
                scales[block].0[r] = d;
                for (line, q) in lines[block * 8..block * 8 + 8].iter_mut().zip(q.chunks_exact(4)) {
                    for (c, q) in q.iter().enumerate() {
                        line.0[4 * r + c] = (*q as u8) ^ 0x80;
                    }
                }
            }
        }
        Ok(Matrix { rows, columns, blocks, lines, scales })
    }

    /// A matrix from rows that are quantised already, one after the other as [`Matrix::row`] gives them: the
    /// scales of a row as little-endian f32, then its int8, padded to whole blocks.
    ///
    /// # Errors
    /// When the shape does not fit, or a value is none that [`quantize_block`] gives: a scale that is negative
    /// or not finite, the int8 -128.
    pub fn from_rows(rows: usize, columns: usize, bytes: &[u8]) -> Result<Self, Refused> {
        let blocks = columns.div_ceil(BLOCK);
        let row_bytes = blocks.checked_mul(4 + BLOCK).ok_or(Refused::Shape)?;
        if rows == 0 || columns == 0 || rows.checked_mul(row_bytes) != Some(bytes.len()) {
            return Err(Refused::Shape);
        }
        let tiles = rows.div_ceil(TILE_ROWS);
        let mut lines = alloc::vec![Line([128; 64]); tiles * blocks * 8];
        let mut scales = alloc::vec![Scales([0.0; TILE_ROWS]); tiles * blocks];
        for (row, bytes) in bytes.chunks_exact(row_bytes).enumerate() {
            let (tile, r) = (row / TILE_ROWS, row % TILE_ROWS);
            let (row_scales, values) = bytes.split_at(blocks * 4);
            for (b, (d, q)) in row_scales.chunks_exact(4).zip(values.chunks_exact(BLOCK)).enumerate() {
                let d = f32::from_le_bytes([d[0], d[1], d[2], d[3]]);
                if !d.is_finite() || d.is_sign_negative() || q.contains(&0x80) {
                    let at = q.iter().position(|q| *q == 0x80).unwrap_or(0);
                    return Err(Refused::NotFinite { row, column: b * BLOCK + at });
                }
                let block = tile * blocks + b;
                scales[block].0[r] = d;
                for (line, q) in lines[block * 8..block * 8 + 8].iter_mut().zip(q.chunks_exact(4)) {
                    for (line, q) in line.0[4 * r..4 * r + 4].iter_mut().zip(q) {
                        *line = q ^ 0x80;
                    }
                }
            }
        }
        Ok(Matrix { rows, columns, blocks, lines, scales })
    }

    /// Rows: the length of a product.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Columns: the length of what it is multiplied with.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Bytes of int8 and scales in memory.
    pub fn bytes(&self) -> usize {
        self.lines.len() * 64 + self.scales.len() * 64
    }

    /// Scales and int8 of a row, the int8 padded to whole blocks; empty beyond the last row.
    pub fn row(&self, row: usize) -> (Vec<f32>, Vec<i8>) {
        if row >= self.rows {
            return (Vec::new(), Vec::new());
        }
        let (tile, r) = (row / TILE_ROWS, row % TILE_ROWS);
        let blocks = tile * self.blocks..(tile + 1) * self.blocks;
        let scales = self.scales[blocks.clone()].iter().map(|s| s.0[r]).collect();
        let lines = &self.lines[blocks.start * 8..blocks.end * 8];
        let values =
            lines.iter().flat_map(|line| line.0[4 * r..4 * r + 4].iter().map(|w| (w ^ 0x80) as i8)).collect();
        (scales, values)
    }

    /// Writes row `row` as f32, scale times int8, to `out`, as far as both reach.
    pub fn dequantize_row(&self, row: usize, out: &mut [f32]) {
        let (tile, r) = (row / TILE_ROWS, row % TILE_ROWS);
        let Some(scales) = self.scales.get(tile * self.blocks..(tile + 1) * self.blocks) else { return };
        let lines = &self.lines[tile * self.blocks * 8..(tile + 1) * self.blocks * 8];
        for ((out, scale), lines) in out.chunks_mut(BLOCK).zip(scales).zip(lines.chunks_exact(8)) {
            for (i, out) in out.iter_mut().enumerate() {
                let w = (lines[i / 4].0[4 * r + i % 4] ^ 0x80) as i8;
                *out = scale.0[r] * f32::from(w);
            }
        }
    }
}

/// Quantised activations of several positions. Kept between calls, so that nothing is allocated in a step.
#[derive(Debug, Clone, Default)]
pub struct Activations {
    rows: usize,
    columns: usize,
    blocks: usize,
    values: Vec<i8>,
    scales: Vec<f32>,
    /// -128 times the sum of each block: what the 128 added to every weight contributes.
    sums: Vec<i32>,
}

impl Activations {
    /// Quantises `x` (positions × columns) by [`quantize_block`].
    pub fn quantize(&mut self, path: Path, x: &[f32], columns: usize) {
        let blocks = columns.div_ceil(BLOCK);
        let rows = x.len().checked_div(columns).unwrap_or(0);
        (self.rows, self.columns, self.blocks) = (rows, columns, blocks);
        self.values.resize(rows * blocks * BLOCK, 0);
        self.scales.resize(rows * blocks, 0.0);
        self.sums.resize(rows * blocks, 0);
        for (row, x) in x.chunks_exact(columns.max(1)).enumerate() {
            let at = row * blocks;
            quantize_row(
                path,
                x,
                &mut self.values[at * BLOCK..(at + blocks) * BLOCK],
                &mut self.scales[at..at + blocks],
                &mut self.sums[at..at + blocks],
            );
        }
    }

    /// Positions.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Scales and int8 of one position.
    pub fn row(&self, row: usize) -> (&[f32], &[i8]) {
        let blocks = row * self.blocks..(row + 1) * self.blocks;
        (&self.scales[blocks.clone()], &self.values[blocks.start * BLOCK..blocks.end * BLOCK])
    }
}

fn quantize_row(path: Path, x: &[f32], values: &mut [i8], scales: &mut [f32], sums: &mut [i32]) {
    wide!(path, quantize_row_body(x: &[f32], values: &mut [i8], scales: &mut [f32], sums: &mut [i32]))
}

#[inline(always)]
fn quantize_row_body(x: &[f32], values: &mut [i8], scales: &mut [f32], sums: &mut [i32]) {
    let mut q = [0i8; BLOCK];
    let places = values.chunks_exact_mut(BLOCK).zip(scales.iter_mut().zip(sums));
    for (x, (values, (scale, sum))) in x.chunks(BLOCK).zip(places) {
        *scale = match <&[f32; BLOCK]>::try_from(x) {
            // A length known to the compiler makes it use whole registers.
            Ok(x) => quantize_block(x, &mut q),
            Err(_) => quantize_block(x, &mut q),
        };
        values.copy_from_slice(&q);
        *sum = -128 * q.iter().map(|q| i32::from(*q)).sum::<i32>();
    }
}

/// At most four positions of activations, as the kernels read them: `count` of the slices are used, all
/// of whole blocks.
pub(crate) struct Group<'a> {
    pub count: usize,
    pub values: [&'a [i8]; GROUP],
    pub scales: [&'a [f32]; GROUP],
    /// Read where weights are the unsigned operand.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
    pub sums: [&'a [i32]; GROUP],
}

/// Products of `matrix` with every position: `out` (positions × rows). Each is [`row_dot`] of its row and
/// its position, whatever stands beside them.
pub fn gemm(path: Path, matrix: &Matrix, x: &Activations, out: &mut [f32]) {
    gemm_rows(path, matrix, x, 0..x.rows, out);
}

/// The same of the positions `of` only: `out` (their number × rows).
pub fn gemm_rows(path: Path, matrix: &Matrix, x: &Activations, of: Range<usize>, out: &mut [f32]) {
    let count = of.len();
    assert!(
        x.columns == matrix.columns && of.end <= x.rows && out.len() == count * matrix.rows,
        "a product of {} × {} with {count} of {} × {} does not fit {} places",
        matrix.rows,
        matrix.columns,
        x.rows,
        x.columns,
        out.len()
    );
    let blocks = matrix.blocks;
    #[cfg(target_arch = "x86_64")]
    if path.0 == Isa::Amx && count >= simd::amx::LEAST {
        let positions = simd::amx::Positions { values: &x.values, scales: &x.scales, sums: &x.sums };
        return simd::amx::gemm((&matrix.lines, &matrix.scales), blocks, matrix.rows, &positions, of, out);
    }
    let mut result = [[0f32; TILE_ROWS]; GROUP];
    let tiles = matrix.lines.chunks_exact(blocks * 8).zip(matrix.scales.chunks_exact(blocks));
    for (tile, (lines, scales)) in tiles.enumerate() {
        let first = tile * TILE_ROWS;
        let rows = TILE_ROWS.min(matrix.rows - first);
        for start in of.clone().step_by(GROUP) {
            let count = GROUP.min(of.end - start);
            let at = |t: usize| (start + t.min(count - 1)) * blocks;
            let group = Group {
                count,
                values: core::array::from_fn(|t| &x.values[at(t) * BLOCK..(at(t) + blocks) * BLOCK]),
                scales: core::array::from_fn(|t| &x.scales[at(t)..at(t) + blocks]),
                sums: core::array::from_fn(|t| &x.sums[at(t)..at(t) + blocks]),
            };
            if !simd::tile(path, lines, scales, &group, &mut result) {
                tile_by_law(lines, scales, &group, &mut result);
            }
            for (t, result) in result.iter().enumerate().take(count) {
                let place = (start - of.start + t) * matrix.rows + first;
                out[place..place + rows].copy_from_slice(&result[..rows]);
            }
        }
    }
}

/// The law, read from the tile.
fn tile_by_law(lines: &[Line], scales: &[Scales], group: &Group, out: &mut [[f32; TILE_ROWS]; GROUP]) {
    for (t, out) in out.iter_mut().enumerate().take(group.count) {
        for (r, out) in out.iter_mut().enumerate() {
            let mut lanes = [0f32; 4];
            let blocks = lines.chunks_exact(8).zip(group.values[t].chunks_exact(BLOCK));
            for (b, ((lines, a), (dw, da))) in blocks.zip(scales.iter().zip(group.scales[t])).enumerate() {
                let mut exact = 0i32;
                for (line, a) in lines.iter().zip(a.chunks_exact(4)) {
                    for (w, a) in line.0[4 * r..4 * r + 4].iter().zip(a) {
                        exact += i32::from((w ^ 0x80) as i8) * i32::from(*a);
                    }
                }
                lanes[b % 4] += (dw.0[r] * da) * exact as f32;
            }
            *out = (lanes[0] + lanes[2]) + (lanes[1] + lanes[3]);
        }
    }
}
