//! Canonical arithmetic of the exact class: int8 products with f32 scales, and everything between two of
//! them, in an order that is written down, so that an answer has the same bits on every machine.
//!
//! The scalar code is the law. Every other path is either the same source compiled for wider registers or
//! an implementation of its own in [`simd`]; both must give the same bits, for any number of rows and any
//! split of the work. Only `+ - * /` and the square root of IEEE 754 are used, in round-to-nearest-even,
//! never fused, never reordered; docs/numerics.md states every operation's order.
//!
//! A NaN is any NaN: its sign and payload differ between processors. Whoever commits to values checks
//! first that they are finite.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod attention;
mod half;
mod math;
mod matrix;
mod path;
mod simd;
mod vector;

pub use attention::{attend, mix, scores, softmax, write_key, write_value, QUERIES, TILE};
pub use half::{f16_to_f32, f32_to_f16, halves};
pub use math::{cos, exp, exp_f32, ln, rope_row, rope_table, sin, sqrt_f32};
pub use matrix::{gemm, gemm_rows, quantize_block, row_dot, Activations, Matrix, Refused, BLOCK, TILE_ROWS};
pub use path::Path;
pub use vector::{add, add_scaled, dot, rms_norm, rope, silu_mul};
