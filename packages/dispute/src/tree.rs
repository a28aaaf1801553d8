//! The root over a trace and the descent from it to one unit.
//!
//! A unit is at most [`UNIT`] values. Its leaf hashes `openledger/trace-unit/1`: the values as little-endian
//! f32, every NaN as `0x7fc00000`. The units of a slot make a tree in the shape of RFC 6962; the leaf of the
//! slot hashes `openledger/trace-slot/1`: root of its units. The slots make the trace's tree.

use openledger_merkle::{leaf_hash, Hash, Node};
use openledger_types::encode::Preimage;

use crate::DisputeError;

/// Most values of a unit.
pub const UNIT: usize = 16;

/// Levels of a tree that one move opens: at most 16 hashes.
pub const LEVELS: u32 = 4;

/// The value as it is committed to: every NaN is the same one.
pub fn canonical(x: f32) -> f32 {
    match x.is_nan() {
        true => f32::from_bits(0x7fc0_0000),
        false => x,
    }
}

/// Values as they are hashed and opened.
pub fn value_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|x| canonical(*x).to_le_bytes()).collect()
}

/// Leaf of a unit.
pub fn unit_leaf(values: &[f32]) -> Hash {
    leaf_hash(&Preimage::new("openledger/trace-unit/1").bytes(&value_bytes(values)).finish())
}

/// Leaf of a slot, by the root of its units.
pub fn slot_leaf(units_root: &Hash) -> Hash {
    leaf_hash(&Preimage::new("openledger/trace-slot/1").bytes(units_root).finish())
}

/// Leaves of a slot's units.
pub fn unit_leaves(values: &[f32]) -> Vec<Hash> {
    values.chunks(UNIT).map(unit_leaf).collect()
}

/// Sizes of the subtrees at most `levels` below a tree of `size` leaves, from the left.
pub fn parts(size: u64, levels: u32) -> Vec<u64> {
    if levels == 0 || size <= 1 {
        return vec![size];
    }
    let left = left_size(size);
    let mut sizes = parts(left, levels - 1);
    sizes.extend(parts(size - left, levels - 1));
    sizes
}

/// Root over `leaves`, in the shape of RFC 6962; that of no leaf is 32 zero bytes, which no tree has.
pub fn root_of(leaves: &[Hash]) -> Hash {
    combine(leaves.len() as u64, u32::MAX, &mut leaves.iter().copied()).unwrap_or_default()
}

/// Hash of a tree of `size` leaves from those of its [`parts`]; `None` when there are too few.
fn combine(size: u64, levels: u32, hashes: &mut impl Iterator<Item = Hash>) -> Option<Hash> {
    if levels == 0 || size <= 1 {
        return hashes.next();
    }
    let left = left_size(size);
    let first = combine(left, levels - 1, hashes)?;
    Hash::inner(&first, &combine(size - left, levels - 1, hashes)?)
}

/// The largest power of two below `size`, which is at least 2.
fn left_size(size: u64) -> u64 {
    1 << (u64::BITS - 1 - (size - 1).leading_zeros())
}

/// Where a dispute stands: the subtree that was picked, and what was opened of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descent {
    /// The slot whose units are descended into; none while slots are.
    pub slot: Option<u64>,
    /// First leaf of the subtree.
    pub offset: u64,
    /// Its leaves.
    pub size: u64,
    /// Its hash.
    pub hash: Hash,
    /// Hashes below it that the accused has opened; empty when it is to move.
    pub shown: Vec<Hash>,
}

/// The unit at the end of a descent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// Its slot.
    pub slot: u64,
    /// Its number in the slot.
    pub unit: u64,
    /// Its leaf.
    pub leaf: Hash,
}

impl Descent {
    /// At the root of a trace of `slots`.
    pub fn new(root: Hash, slots: u64) -> Self {
        Descent { slot: None, offset: 0, size: slots, hash: root, shown: Vec::new() }
    }

    /// The unit, once one is left.
    pub fn target(&self) -> Option<Target> {
        let slot = self.slot.filter(|_| self.size == 1)?;
        Some(Target { slot, unit: self.offset, leaf: self.hash })
    }

    /// The slot whose units are to be opened next.
    pub fn at_slot(&self) -> Option<u64> {
        (self.slot.is_none() && self.size == 1).then_some(self.offset)
    }

    /// Sizes of the subtrees that the accused opens next, when the slot picked, if one was, has `units`.
    pub fn expected(&self, units: u64) -> Vec<u64> {
        parts(if self.at_slot().is_some() { units } else { self.size }, LEVELS)
    }

    /// The accused opens the hashes below the subtree. `units` are those of the slot that was picked, read
    /// only when one was.
    ///
    /// # Errors
    /// When it is not its turn, or the hashes are not those below.
    pub fn open(&mut self, units: u64, hashes: Vec<Hash>) -> Result<(), DisputeError> {
        if !self.shown.is_empty() || self.target().is_some() {
            return Err(DisputeError::NotYourTurn);
        }
        let at = self.at_slot();
        let expected = self.expected(units).len();
        let size = if at.is_some() { units } else { self.size };
        let found = combine(size, LEVELS, &mut hashes.iter().copied());
        let found = if at.is_some() { found.map(|root| slot_leaf(&root)) } else { found };
        if hashes.len() != expected || found != Some(self.hash) {
            return Err(DisputeError::WrongHashes { expected });
        }
        if at.is_some() {
            (self.slot, self.offset, self.size) = (at, 0, units);
        }
        self.shown = hashes;
        // One hash leaves nothing to pick.
        match self.shown.len() {
            1 => self.pick(0),
            _ => Ok(()),
        }
    }

    /// The challenger picks one of the hashes that were opened.
    ///
    /// # Errors
    /// When it is not its turn, or there are not so many.
    pub fn pick(&mut self, index: usize) -> Result<(), DisputeError> {
        if self.shown.is_empty() {
            return Err(DisputeError::NotYourTurn);
        }
        let sizes = parts(self.size, LEVELS);
        let (Some(size), Some(hash)) = (sizes.get(index), self.shown.get(index)) else {
            return Err(DisputeError::OutsideTrace);
        };
        self.offset += sizes.iter().take(index).sum::<u64>();
        (self.size, self.hash) = (*size, *hash);
        self.shown.clear();
        Ok(())
    }
}

/// Most moves of both sides of a descent through `slots`, none of more than `units`, and the step.
pub fn most_moves(slots: u64, units: u64) -> u64 {
    let opens = |leaves: u64| {
        u64::from((u64::BITS - leaves.saturating_sub(1).leading_zeros()).div_ceil(LEVELS)).max(1)
    };
    2 * (opens(slots) + opens(units)) + 1
}
