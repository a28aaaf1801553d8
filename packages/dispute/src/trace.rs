//! A whole trace, as the accused and the challenger make it, and their moves.

use openledger_exact::weights::{ExactWeights, WeightRow};
use openledger_merkle::{Hash, Tree};
use openledger_types::formats::hidden_digest;
use openledger_types::msg::arbiter::{OpenedRow, OpenedSlot, OpenedUnit, Openings};
use openledger_types::packed::HashPath;

use crate::layout::{Layout, Place, Statement};
use crate::step::{compute, is_stated, QuantizedRow, Source};
use crate::tree::{parts, root_of, slot_leaf, unit_leaves, value_bytes, Descent, LEVELS};
use crate::DisputeError;

/// A model's weights, row by row, with their tree.
pub struct Rows {
    rows: Vec<WeightRow>,
    tree: Tree<Hash>,
}

impl Rows {
    /// The rows of `weights`.
    pub fn new(weights: &ExactWeights) -> Self {
        let (rows, leaves) = weights.rows().into_iter().unzip();
        Rows { rows, tree: Tree::new(leaves).unwrap_or_else(Tree::empty) }
    }

    /// The root that the manifest names.
    pub fn root(&self) -> Hash {
        self.tree.root()
    }

    fn open(&self, leaf: u64) -> OpenedRow {
        let values = match self.rows.get(leaf as usize) {
            Some(WeightRow::Quantized(scales, values)) => {
                let mut bytes = value_bytes(scales);
                bytes.extend(values.iter().map(|q| q.to_le_bytes()[0]));
                bytes
            }
            Some(WeightRow::Plain(values)) => value_bytes(values),
            None => Vec::new(),
        };
        let path = HashPath(self.tree.prove(leaf).unwrap_or_default());
        OpenedRow { leaf, values: values.into(), path }
    }
}

/// Every value of an answer's computation, with the hashes over them.
pub struct Trace {
    layout: Layout,
    statement: Statement,
    slots: Vec<Vec<f32>>,
    leaves: Vec<Hash>,
}

/// Reads a trace and its weights; notes what was read.
struct Reader<'a> {
    layout: &'a Layout,
    slots: &'a [Vec<f32>],
    rows: &'a Rows,
    read: Option<Read>,
}

/// What a step has read.
#[derive(Default)]
struct Read {
    slots: Vec<u64>,
    units: Vec<(u64, u64)>,
    rows: Vec<u64>,
}

impl Source for Reader<'_> {
    fn slot(&mut self, slot: u64) -> Result<Vec<f32>, DisputeError> {
        if let Some(read) = &mut self.read {
            read.slots.push(slot);
        }
        self.slots.get(slot as usize).cloned().ok_or(DisputeError::OutsideTrace)
    }

    fn unit(&mut self, slot: u64, unit: u64) -> Result<Vec<f32>, DisputeError> {
        if let Some(read) = &mut self.read {
            read.units.push((slot, unit));
        }
        let values = self.slots.get(slot as usize).ok_or(DisputeError::OutsideTrace)?;
        let unit = values.chunks(crate::tree::UNIT).nth(unit as usize);
        unit.map(<[f32]>::to_vec).ok_or(DisputeError::OutsideTrace)
    }

    fn row(&mut self, tensor: usize, row: usize) -> Result<QuantizedRow, DisputeError> {
        let leaf = self.layout.tensors.get(tensor).ok_or(DisputeError::OutsideTrace)?.first + row as u64;
        if let Some(read) = &mut self.read {
            read.rows.push(leaf);
        }
        match self.rows.rows.get(leaf as usize) {
            Some(WeightRow::Quantized(scales, values)) => {
                Ok(QuantizedRow { scales: scales.clone(), values: values.clone() })
            }
            _ => Err(DisputeError::OutsideTrace),
        }
    }

    fn vector(&mut self, tensor: usize) -> Result<Vec<f32>, DisputeError> {
        let leaf = self.layout.tensors.get(tensor).ok_or(DisputeError::OutsideTrace)?.first;
        if let Some(read) = &mut self.read {
            read.rows.push(leaf);
        }
        match self.rows.rows.get(leaf as usize) {
            Some(WeightRow::Plain(values)) => Ok(values.clone()),
            _ => Err(DisputeError::OutsideTrace),
        }
    }
}

impl Trace {
    /// Computes everything that `statement` says with the weights of `rows`.
    ///
    /// # Errors
    /// When the weights are of another shape.
    pub fn new(layout: Layout, statement: Statement, rows: &Rows) -> Result<Self, DisputeError> {
        let mut slots: Vec<Vec<f32>> = Vec::new();
        for slot in 0..layout.slots() {
            let mut reader = Reader { layout: &layout, slots: &slots, rows, read: None };
            let values = compute(&layout, &statement, slot, 0..layout.units(slot)?, &mut reader)?;
            slots.push(values);
        }
        Ok(Trace::from_values(layout, statement, slots))
    }

    /// What follows for a slot from the values before it, true or not.
    ///
    /// # Errors
    /// When there is no such slot, or the weights are of another shape.
    pub fn follows(&self, rows: &Rows, slot: u64) -> Result<Vec<f32>, DisputeError> {
        let mut reader = Reader { layout: &self.layout, slots: &self.slots, rows, read: None };
        compute(&self.layout, &self.statement, slot, 0..self.layout.units(slot)?, &mut reader)
    }

    /// A trace of given values, true or not.
    pub fn from_values(layout: Layout, statement: Statement, slots: Vec<Vec<f32>>) -> Self {
        let leaves = slots.iter().map(|values| slot_leaf(&root_of(&unit_leaves(values)))).collect();
        Trace { layout, statement, slots, leaves }
    }

    /// The values, slot by slot.
    pub fn values(&self) -> &[Vec<f32>] {
        &self.slots
    }

    /// What it is a trace of.
    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    /// Where they lie.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The root.
    pub fn root(&self) -> Hash {
        root_of(&self.leaves)
    }

    /// Digests of the answer's windows as they follow from the trace.
    pub fn digests(&self) -> Vec<Hash> {
        let hidden = |at: usize| {
            let slot = self.layout.slot(self.layout.prompt - 1 + at, Place::Hidden);
            self.slots.get(slot as usize).cloned().unwrap_or_default()
        };
        let positions: Vec<usize> = (0..self.layout.answer).collect();
        let windows = positions.chunks(openledger_types::formats::WINDOW);
        windows
            .map(|window| hidden_digest(&window.iter().flat_map(|at| hidden(*at)).collect::<Vec<_>>()))
            .collect()
    }

    /// Hashes of the leaves below the subtree that was picked.
    fn below(&self, descent: &Descent) -> Vec<Hash> {
        let units = descent.at_slot().or(descent.slot).map(|slot| self.units(slot));
        let (leaves, offset, size) = match (units, descent.at_slot()) {
            (Some(units), Some(_)) => {
                let size = units.len() as u64;
                (units, 0, size)
            }
            (Some(units), None) => (units, descent.offset, descent.size),
            (None, _) => (self.leaves.clone(), descent.offset, descent.size),
        };
        let mut at = offset as usize;
        let range = |size: u64| {
            let range = at..at + size as usize;
            at = range.end;
            root_of(leaves.get(range).unwrap_or(&[]))
        };
        parts(size, LEVELS).into_iter().map(range).collect()
    }

    fn units(&self, slot: u64) -> Vec<Hash> {
        self.slots.get(slot as usize).map(|values| unit_leaves(values)).unwrap_or_default()
    }

    /// The accused's move: the hashes below the subtree that was picked.
    pub fn open(&self, descent: &Descent) -> Vec<Hash> {
        self.below(descent)
    }

    /// The challenger's move: the leftmost hash that is not its own, or below which a token or a digest is
    /// not what the statement says. None when all of it is right.
    pub fn pick(&self, descent: &Descent) -> Option<usize> {
        let mine = {
            let before = Descent { shown: Vec::new(), ..descent.clone() };
            self.below(&before)
        };
        let mut at = descent.offset;
        let sizes = parts(descent.size, LEVELS);
        for (i, (size, (shown, mine))) in sizes.iter().zip(descent.shown.iter().zip(&mine)).enumerate() {
            let mut broken = (at..at + size).any(|leaf| match descent.slot {
                Some(slot) => self.misstated(slot, leaf..leaf + 1),
                None => self.misstated(leaf, 0..self.layout.units(leaf).unwrap_or(0)),
            });
            broken |= shown != mine;
            if broken {
                return Some(i);
            }
            at += size;
        }
        None
    }

    /// Whether every token and digest of the statement is the one that follows.
    pub fn is_true(&self) -> bool {
        (0..self.layout.slots()).all(|slot| !self.misstated(slot, 0..self.layout.units(slot).unwrap_or(0)))
    }

    /// Whether a unit of these is not what the statement says.
    fn misstated(&self, slot: u64, units: std::ops::Range<u64>) -> bool {
        let Some(values) = self.slots.get(slot as usize) else { return false };
        units.into_iter().any(|unit| {
            let values = values.chunks(crate::tree::UNIT).nth(unit as usize).unwrap_or(&[]);
            is_stated(&self.layout, &self.statement, slot, unit, values) == Ok(false)
        })
    }

    /// Everything that the step to a unit reads, with its paths.
    ///
    /// # Errors
    /// When there is no such unit.
    pub fn openings(&self, rows: &Rows, slot: u64, unit: u64) -> Result<Openings, DisputeError> {
        let read = Some(Read::default());
        let mut reader = Reader { layout: &self.layout, slots: &self.slots, rows, read };
        compute(&self.layout, &self.statement, slot, unit..unit + 1, &mut reader)?;
        let mut read = reader.read.unwrap_or_default();
        for list in [&mut read.slots, &mut read.rows] {
            list.sort_unstable();
            list.dedup();
        }
        read.units.sort_unstable();
        read.units.dedup();
        let tree = Tree::new(self.leaves.clone()).unwrap_or_else(Tree::empty);
        let path = |slot| HashPath(tree.prove(slot).unwrap_or_default());
        let slots = read.slots.iter().map(|slot| OpenedSlot {
            slot: *slot,
            values: value_bytes(self.slots.get(*slot as usize).map_or(&[], |v| v)).into(),
            path: path(*slot),
        });
        let units = read.units.iter().map(|(slot, unit)| {
            let leaves = Tree::new(self.units(*slot)).unwrap_or_else(Tree::empty);
            let values =
                self.slots.get(*slot as usize).and_then(|v| v.chunks(crate::tree::UNIT).nth(*unit as usize));
            OpenedUnit {
                slot: *slot,
                unit: *unit,
                values: value_bytes(values.unwrap_or(&[])).into(),
                units_root: leaves.root().into(),
                unit_path: HashPath(leaves.prove(*unit).unwrap_or_default()),
                path: path(*slot),
            }
        });
        Ok(Openings {
            slots: slots.collect(),
            units: units.collect(),
            rows: read.rows.iter().map(|leaf| rows.open(*leaf)).collect(),
        })
    }
}
