//! A model's weights as they lie in its file (safetensors).

use std::collections::BTreeMap;

use safetensors::{Dtype, SafeTensors};

use crate::config::ModelConfig;
use crate::error::{Error, Result};

/// Name of the weights' file.
pub const WEIGHTS_FILE: &str = "model.safetensors";

/// A tensor in memory, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Its dimensions, the slowest first.
    pub shape: Vec<usize>,
    /// Its values.
    pub values: Vec<f32>,
}

/// Weights by name.
pub type Weights = BTreeMap<String, Tensor>;

fn refuse(what: String) -> Error {
    Error::new(
        "E-MODEL-004",
        format!("{WEIGHTS_FILE} refused: {what}"),
        "The weights are damaged or of another model: fetch the model again and compare its manifest.",
    )
}

/// Reads the weights that `config` asks for: exactly its tensors, in its shapes, finite; as f32.
///
/// # Errors
/// `E-MODEL-004` for anything else.
pub fn parse_weights(bytes: &[u8], config: &ModelConfig) -> Result<Weights> {
    let file = SafeTensors::deserialize(bytes).map_err(|e| refuse(e.to_string()))?;
    let wanted = config.tensors();
    if file.len() != wanted.len() {
        return Err(refuse(format!("{} tensors instead of {}", file.len(), wanted.len())));
    }
    let mut weights = Weights::new();
    for (name, shape) in wanted {
        let view = file.tensor(&name).map_err(|e| refuse(e.to_string()))?;
        if view.shape() != shape {
            return Err(refuse(format!("{name} is {:?}, not {shape:?}", view.shape())));
        }
        let pairs = || view.data().chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]]));
        let values: Vec<f32> = match view.dtype() {
            Dtype::F32 => f32_values(view.data()),
            Dtype::F16 => pairs().map(openledger_numerics::f16_to_f32).collect(),
            Dtype::BF16 => pairs().map(|b| f32::from_bits(u32::from(b) << 16)).collect(),
            other => return Err(refuse(format!("{name} is {other:?}, not F32, F16 or BF16"))),
        };
        if values.iter().any(|v| !v.is_finite()) {
            return Err(refuse(format!("{name} holds a value that is not a finite number")));
        }
        weights.insert(name, Tensor { shape, values });
    }
    Ok(weights)
}

/// Little-endian bytes as f32; a rest of fewer than 4 bytes is left out.
pub fn f32_values(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

/// f32 as little-endian bytes.
pub fn f32_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}
