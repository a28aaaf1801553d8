//! Checkpoints: weights, moments and progress in one file that is replaced at once.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};

use super::optimizer::Params;
use super::recipe::Plan;
use crate::engine::files::{f32_values, read_bounded, weights_bytes, write_atomic};
use crate::engine::{Error, Result};

/// One step of the loss curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// Step, from 0.
    pub step: u64,
    /// Mean cross-entropy a token, in nats.
    pub loss: f32,
    /// Learning rate.
    pub rate: f32,
}

/// How far a run has come.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    /// Hash of recipe, documents and tokenizer: a checkpoint goes on only with the same.
    pub fingerprint: String,
    /// Steps done.
    pub step: u64,
    /// Seconds of training so far.
    pub seconds: f64,
    pub schedule: Vec<Plan>,
    pub curve: Vec<CurvePoint>,
}

/// Where a run into `dir` keeps its checkpoint.
pub(crate) fn path(dir: &Path) -> PathBuf {
    dir.join("checkpoint.safetensors")
}

const STATE: &str = "state";

/// Writes the checkpoint; a kill leaves the old one or the new one.
pub(crate) fn save(dir: &Path, params: &Params, state: &State) -> Result<()> {
    let mut tensors = BTreeMap::new();
    for p in &params.0 {
        for (kind, values) in [("weight", &p.values), ("first", &p.first), ("second", &p.second)] {
            tensors.insert(format!("{kind}/{}", p.name), (p.shape.clone(), values.clone()));
        }
    }
    let text = serde_json::to_string(state).map_err(|e| damaged(e.to_string()))?;
    write_atomic(&path(dir), &weights_bytes(&tensors, HashMap::from([(STATE.to_string(), text)]))?)
}

/// Reads the checkpoint into `params` if there is one of the same run; otherwise leaves them alone.
pub(crate) fn load(dir: &Path, params: &mut Params, fingerprint: &str) -> Result<Option<State>> {
    let path = path(dir);
    if !path.exists() {
        return Ok(None);
    }
    let numbers: usize = params.0.iter().map(|p| p.values.len()).sum();
    // Three numbers a parameter, and room for a long curve in the header.
    let bytes = read_bounded(&path, numbers as u64 * 12 + (256 << 20))?;
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| damaged(e.to_string()))?;
    let text = header.metadata().as_ref().and_then(|m| m.get(STATE)).cloned().unwrap_or_default();
    let state: State = serde_json::from_str(&text).map_err(|e| damaged(e.to_string()))?;
    if state.fingerprint != fingerprint {
        return Ok(None);
    }
    let file = SafeTensors::deserialize(&bytes).map_err(|e| damaged(e.to_string()))?;
    for p in &mut params.0 {
        let Param3 { weight, first, second } = Param3::read(&file, &p.name, p.values.len())?;
        p.values = weight;
        p.first = first;
        p.second = second;
        p.publish()?;
    }
    Ok(Some(state))
}

struct Param3 {
    weight: Vec<f32>,
    first: Vec<f32>,
    second: Vec<f32>,
}

impl Param3 {
    fn read(file: &SafeTensors, name: &str, len: usize) -> Result<Self> {
        let get = |kind: &str| {
            let view = file.tensor(&format!("{kind}/{name}")).map_err(|e| damaged(e.to_string()))?;
            let values = f32_values(view.data());
            if values.len() != len {
                return Err(damaged(format!("{name} has {} values instead of {len}", values.len())));
            }
            Ok(values)
        };
        Ok(Param3 { weight: get("weight")?, first: get("first")?, second: get("second")? })
    }
}

fn damaged(what: String) -> Error {
    Error::new(
        "E-TRAIN-005",
        format!("the checkpoint cannot be used: {what}"),
        "Delete checkpoint.safetensors in the model's folder to start the training again.",
    )
}
