//! What a step reads, opened from the roots of a trace and of a model's weights.

use std::collections::BTreeMap;

use openledger_merkle::{verify_inclusion, Hash};
use openledger_types::formats::{quantized_row_leaf, weights_row_leaf};
use openledger_types::msg::arbiter::{OpenedRow, OpenedSlot, OpenedUnit, Openings};

use crate::layout::Layout;
use crate::step::{QuantizedRow, Source};
use crate::tree::{root_of, slot_leaf, unit_leaf, unit_leaves};
use crate::DisputeError;

/// Opened values, each of which stands under its root.
#[derive(Debug, Default)]
pub struct Opened {
    slots: BTreeMap<u64, Vec<f32>>,
    units: BTreeMap<(u64, u64), Vec<f32>>,
    rows: BTreeMap<(usize, usize), QuantizedRow>,
    vectors: BTreeMap<usize, Vec<f32>>,
}

/// Little-endian f32; `None` for another length than `len` of them.
fn values(bytes: &[u8], len: usize) -> Option<Vec<f32>> {
    let fits = bytes.len() == len.checked_mul(4)?;
    fits.then(|| bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
}

impl Opened {
    /// Checks `openings` against the roots.
    ///
    /// # Errors
    /// For a value that does not stand where it is said to stand.
    pub fn new(
        layout: &Layout,
        trace_root: &Hash,
        weights_root: &Hash,
        openings: &Openings,
    ) -> Result<Self, DisputeError> {
        let mut opened = Opened::default();
        for OpenedSlot { slot, values: bytes, path } in &openings.slots {
            let bad = || DisputeError::BadOpening(format!("slot {slot}"));
            let found = values(bytes, layout.len(*slot)?).ok_or_else(bad)?;
            let leaf = slot_leaf(&root_of(&unit_leaves(&found)));
            if !verify_inclusion(&leaf, *slot, layout.slots(), path, trace_root) {
                return Err(bad());
            }
            opened.slots.insert(*slot, found);
        }
        for OpenedUnit { slot, unit, values: bytes, units_root, unit_path, path } in &openings.units {
            let bad = || DisputeError::BadOpening(format!("unit {unit} of slot {slot}"));
            let units = layout.units(*slot)?;
            let found = values(bytes, bytes.len() / 4).ok_or_else(bad)?;
            let units_root: Hash = units_root.as_slice().try_into().map_err(|_| bad())?;
            let in_slot = verify_inclusion(&unit_leaf(&found), *unit, units, unit_path, &units_root);
            let in_trace = verify_inclusion(&slot_leaf(&units_root), *slot, layout.slots(), path, trace_root);
            if !in_slot || !in_trace {
                return Err(bad());
            }
            opened.units.insert((*slot, *unit), found);
        }
        for OpenedRow { leaf, values: bytes, path } in &openings.rows {
            let bad = || DisputeError::BadOpening(format!("row {leaf} of the weights"));
            let index = layout.tensors.partition_point(|tensor| tensor.first <= *leaf).checked_sub(1);
            let index = index.ok_or_else(bad)?;
            let tensor = layout.tensors.get(index).ok_or_else(bad)?;
            let row = leaf - tensor.first;
            let hash = if tensor.quantized {
                let blocks = tensor.columns.div_ceil(openledger_numerics::BLOCK);
                let (scales, weights) = bytes.split_at_checked(blocks * 4).ok_or_else(bad)?;
                let scales = values(scales, blocks).ok_or_else(bad)?;
                if weights.len() != blocks * openledger_numerics::BLOCK {
                    return Err(bad());
                }
                let weights: Vec<i8> = weights.iter().map(|byte| i8::from_le_bytes([*byte])).collect();
                let hash = quantized_row_leaf(&tensor.name, row, &scales, &weights);
                opened.rows.insert((index, row as usize), QuantizedRow { scales, values: weights });
                hash
            } else {
                opened.vectors.insert(index, values(bytes, tensor.columns).ok_or_else(bad)?);
                weights_row_leaf(&tensor.name, row, bytes)
            };
            if !verify_inclusion(&hash, *leaf, layout.weight_rows, path, weights_root) {
                return Err(bad());
            }
        }
        Ok(opened)
    }
}

impl Source for Opened {
    fn slot(&mut self, slot: u64) -> Result<Vec<f32>, DisputeError> {
        let found = self.slots.get(&slot).cloned();
        found.ok_or_else(|| DisputeError::Missing(format!("slot {slot}")))
    }

    fn unit(&mut self, slot: u64, unit: u64) -> Result<Vec<f32>, DisputeError> {
        let found = self.units.get(&(slot, unit)).cloned();
        found.ok_or_else(|| DisputeError::Missing(format!("unit {unit} of slot {slot}")))
    }

    fn row(&mut self, tensor: usize, row: usize) -> Result<QuantizedRow, DisputeError> {
        let found = self.rows.get(&(tensor, row)).cloned();
        found.ok_or_else(|| DisputeError::Missing(format!("row {row} of tensor {tensor}")))
    }

    fn vector(&mut self, tensor: usize) -> Result<Vec<f32>, DisputeError> {
        let found = self.vectors.get(&tensor).cloned();
        found.ok_or_else(|| DisputeError::Missing(format!("tensor {tensor}")))
    }
}
