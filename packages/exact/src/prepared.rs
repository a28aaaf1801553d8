//! A model's int8 rows as a file beside its weights, `model.q8`, so that a start need not make them again
//! (docs/formats.md, docs/adr/0025).
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `OLQ8/1` and two zero bytes |
//! | 32 | root of the weights |
//! | the rest | tensors in the order of their names as bytes |
//!
//! A matrix is its rows one after the other: the scales of the row's blocks of 32 as little-endian f32, then its
//! int8, the last block padded with zeros. A tensor of one dimension is its little-endian f32. Names and
//! shapes follow from the configuration. Nothing of the file is used before the root over what was read from
//! it, row by row, has been found equal to the manifest's.

use std::collections::BTreeMap;
use std::io::{self, Write};

use openledger_numerics::{Matrix, BLOCK};
use openledger_types::merkle::Hash;

use crate::config::ModelConfig;
use crate::error::{Error, Result};
use crate::file::{f32_bytes, f32_values};
use crate::weights::{each, ExactWeights, Part, Source};

/// Name of the file.
pub const PREPARED_FILE: &str = "model.q8";

const MAGIC: &[u8; 8] = b"OLQ8/1\0\0";
const HEADER: usize = 40;

fn refuse(what: impl std::fmt::Display) -> Error {
    Error::new(
        "E-MODEL-010",
        format!("{PREPARED_FILE} refused: {what}"),
        "It is made anew from the published weights; if this repeats, test the disk.",
    )
}

/// Bytes of a tensor in the file; `None` when they cannot be counted.
fn tensor_bytes(shape: &[usize]) -> Option<usize> {
    match *shape {
        [rows, columns] => columns.div_ceil(BLOCK).checked_mul(BLOCK + 4)?.checked_mul(rows),
        [values] => values.checked_mul(4),
        _ => None,
    }
}

/// Bytes of the file of a model of this shape; `None` when they cannot be counted.
pub fn prepared_len(config: &ModelConfig) -> Option<u64> {
    let body =
        config.tensors().iter().try_fold(HEADER, |sum, (_, shape)| sum.checked_add(tensor_bytes(shape)?))?;
    u64::try_from(body).ok()
}

/// Writes the file of `weights`, whose root is `root`.
///
/// # Errors
/// Those of `out`.
pub fn write_prepared(weights: &ExactWeights, root: &Hash, out: &mut impl Write) -> io::Result<()> {
    out.write_all(MAGIC)?;
    out.write_all(root)?;
    for (_, part) in weights.parts() {
        match part {
            Part::Norm(values) => out.write_all(&f32_bytes(values))?,
            Part::Rows(matrix) => {
                for row in 0..matrix.rows() {
                    let (scales, values) = matrix.row(row);
                    out.write_all(&f32_bytes(&scales))?;
                    let values: Vec<u8> = values.iter().map(|v| v.to_le_bytes()[0]).collect();
                    out.write_all(&values)?;
                }
            }
        }
    }
    out.flush()
}

/// A tensor that was read.
enum Built {
    Rows(Matrix),
    Norm(Vec<f32>),
}

struct Read(BTreeMap<String, Built>);

impl Source for Read {
    fn matrix(&mut self, name: &str) -> Result<Matrix> {
        match self.0.remove(name) {
            Some(Built::Rows(matrix)) => Ok(matrix),
            _ => Err(refuse(format!("{name} is no matrix of it"))),
        }
    }

    fn vector(&mut self, name: &str) -> Result<Vec<f32>> {
        match self.0.remove(name) {
            Some(Built::Norm(values)) => Ok(values),
            _ => Err(refuse(format!("{name} is no vector of it"))),
        }
    }
}

/// Reads a file and holds it against `root`, which the caller takes from the manifest: the root is computed
/// from the weights as they then stand in memory, by at most `threads` threads.
///
/// # Errors
/// `E-MODEL-010` when the file is damaged or another model's.
pub fn read_prepared(
    config: &ModelConfig,
    root: &Hash,
    bytes: &[u8],
    threads: usize,
) -> Result<ExactWeights> {
    if prepared_len(config) != u64::try_from(bytes.len()).ok() {
        return Err(refuse(format!("{} bytes do not fit the model's shape", bytes.len())));
    }
    let (header, mut body) = bytes.split_at_checked(HEADER).ok_or_else(|| refuse("it is cut off"))?;
    if header != [MAGIC.as_slice(), root].concat() {
        return Err(refuse("it was made of other weights"));
    }
    let mut parts = Vec::new();
    for (name, shape) in config.tensors() {
        let cut = tensor_bytes(&shape).and_then(|len| body.split_at_checked(len));
        let (own, rest) = cut.ok_or_else(|| refuse("it is cut off"))?;
        parts.push((name, shape, own));
        body = rest;
    }
    let built = each(threads, &parts, &|(name, shape, bytes)| match shape[..] {
        [rows, columns] => {
            let matrix = Matrix::from_rows(rows, columns, bytes);
            matrix.map(Built::Rows).map_err(|_| refuse(format!("{name} holds a value that no row has")))
        }
        _ => Ok(Built::Norm(f32_values(bytes))),
    });
    let names = parts.into_iter().map(|(name, ..)| name);
    let built = names.zip(built).map(|(name, built)| Ok((name, built?))).collect::<Result<_>>()?;
    let weights = ExactWeights::assemble(config, &mut Read(built))?;
    match weights.root_with(threads) == *root {
        true => Ok(weights),
        false => Err(refuse("its rows have another root")),
    }
}
