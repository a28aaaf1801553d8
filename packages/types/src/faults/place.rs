//! Where something stands in a tree, and that it stands nowhere.

use openledger_merkle::{verify_inclusion, Node, SumNode};

use super::{DetailAt, FaultError, LeafAt, Place, ReceiptAt};
use crate::formats::{hash32, receipt_leaf, Account, SumRoot};

/// A leaf of a sorted Merkle-sum tree with its place.
pub(super) trait Placed {
    /// What the tree is sorted by.
    type Key: Ord;
    /// Name in errors.
    const NAME: &'static str;

    fn key(&self) -> Self::Key;
    fn node(&self) -> Result<SumNode, FaultError>;
    fn index(&self) -> u64;
    fn path(&self) -> &[SumNode];
}

impl Placed for ReceiptAt {
    type Key = Vec<u8>;
    const NAME: &'static str = "receipt";

    fn key(&self) -> Vec<u8> {
        self.receipt_id.to_vec()
    }

    fn node(&self) -> Result<SumNode, FaultError> {
        let id = hash32("receipt_id", &self.receipt_id)?;
        Ok(receipt_leaf(&id, self.session_id, self.sequence, self.fee.u128()))
    }

    fn index(&self) -> u64 {
        self.index
    }

    fn path(&self) -> &[SumNode] {
        &self.path
    }
}

impl Placed for LeafAt {
    type Key = Account;
    const NAME: &'static str = "leaf";

    fn key(&self) -> Account {
        self.leaf.account.clone()
    }

    fn node(&self) -> Result<SumNode, FaultError> {
        Ok(self.leaf.leaf())
    }

    fn index(&self) -> u64 {
        self.index
    }

    fn path(&self) -> &[SumNode] {
        &self.path
    }
}

impl Placed for DetailAt {
    type Key = (Vec<u8>, u64);
    const NAME: &'static str = "detail";

    fn key(&self) -> (Vec<u8>, u64) {
        (self.detail.receipt_id.to_vec(), self.detail.contribution_id)
    }

    fn node(&self) -> Result<SumNode, FaultError> {
        Ok(self.detail.leaf())
    }

    fn index(&self) -> u64 {
        self.index
    }

    fn path(&self) -> &[SumNode] {
        &self.path
    }
}

/// Refuses a leaf that is not in the tree at its place.
pub(super) fn stands<T: Placed>(leaf: &T, root: &SumRoot) -> Result<(), FaultError> {
    if verify_inclusion(&leaf.node()?, leaf.index(), root.count, leaf.path(), &root.node()?) {
        return Ok(());
    }
    Err(FaultError::BadPath(T::NAME))
}

/// Refuses two leaves that are not neighbours in the tree.
pub(super) fn neighbours<T: Placed>(left: &T, right: &T, root: &SumRoot) -> Result<(), FaultError> {
    if left.index().checked_add(1) != Some(right.index()) {
        return Err(FaultError::NotNeighbours(T::NAME));
    }
    stands(left, root)?;
    stands(right, root)
}

/// Whether two neighbours are out of order: a sorted tree has no such pair, an unsorted one has one.
pub(super) fn out_of_order<T: Placed>(left: &T, right: &T, root: &SumRoot) -> Result<bool, FaultError> {
    neighbours(left, right, root)?;
    Ok(left.key() >= right.key())
}

/// The leaf with this key, or none when its neighbours show that there is none.
pub(super) fn find<'a, T: Placed>(
    place: &'a Place<T>,
    key: &T::Key,
    root: &SumRoot,
) -> Result<Option<&'a T>, FaultError> {
    let (left, right) = match place {
        Place::At(leaf) if leaf.key() == *key => {
            stands(leaf, root)?;
            return Ok(Some(leaf));
        }
        Place::At(_) => return Err(FaultError::WrongDomain { document: T::NAME, field: "key" }),
        Place::Absent { left, right } => (left.as_ref(), right.as_ref()),
    };
    // An end of the tree is told by the position, so that no leaf hides outside of the pair.
    match (left, right) {
        (Some(left), Some(right)) => neighbours(left, right, root)?,
        (Some(left), None) if left.index().checked_add(1) == Some(root.count) => stands(left, root)?,
        (None, Some(right)) if right.index() == 0 => stands(right, root)?,
        (None, None) if root.count == 0 => {}
        _ => return Err(FaultError::NotNeighbours(T::NAME)),
    }
    if left.is_some_and(|left| left.key() >= *key) || right.is_some_and(|right| right.key() <= *key) {
        return Err(FaultError::NotNeighbours(T::NAME));
    }
    Ok(None)
}

/// Whether the root's hash stands for another sum or number of leaves than the root states, shown by
/// one of its leaves in a tree of `size`. An honest hash holds leaves at their own places only and
/// fixes every sum below it.
pub(super) fn misstated<T: Placed>(leaf: &T, size: u64, root: &SumRoot) -> Result<bool, FaultError> {
    let turns = turns(leaf.index(), size).ok_or(FaultError::BadPath(T::NAME))?;
    let path = leaf.path();
    if path.len() != turns.len() {
        return Err(FaultError::BadPath(T::NAME));
    }
    let mut node = leaf.node()?;
    for (right, sibling) in turns.iter().rev().zip(path) {
        let joined = if *right { SumNode::inner(sibling, &node) } else { SumNode::inner(&node, sibling) };
        node = joined.ok_or(FaultError::BadPath(T::NAME))?;
    }
    if node.hash != root.node()?.hash {
        return Err(FaultError::BadPath(T::NAME));
    }
    Ok(node.sum != root.sum.u128() || !leads_to_leaf(&turns, root.count))
}

/// The turns from the root down to leaf `index` of `size`, true for right.
fn turns(mut index: u64, mut size: u64) -> Option<Vec<bool>> {
    let mut turns = Vec::new();
    if index >= size {
        return None;
    }
    while size > 1 {
        let left = left_of(size);
        let right = index >= left;
        turns.push(right);
        (index, size) = if right { (index - left, size - left) } else { (index, left) };
    }
    Some(turns)
}

/// Whether these turns end at a leaf of a tree of `size`.
fn leads_to_leaf(turns: &[bool], mut size: u64) -> bool {
    for right in turns {
        if size < 2 {
            return false;
        }
        let left = left_of(size);
        size = if *right { size - left } else { left };
    }
    size == 1
}

/// Leaves on the left of a tree of at least two: the largest power of two below its size.
fn left_of(size: u64) -> u64 {
    1 << (63 - (size - 1).leading_zeros())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_leaf_of_a_tree_has_its_own_turns() {
        for size in 1..40u64 {
            let all: Vec<_> = (0..size).map(|index| turns(index, size).unwrap()).collect();
            assert!(all.windows(2).all(|pair| pair[0] < pair[1]), "{size}");
            for other in 0..40 {
                let fit = all.iter().all(|turns| leads_to_leaf(turns, other));
                assert_eq!(fit, other == size, "{size} {other}");
            }
            assert_eq!(turns(size, size), None);
        }
    }

    #[test]
    fn the_largest_sizes_do_not_overflow() {
        for size in [u64::MAX, u64::MAX - 1, 1 << 63, (1 << 63) + 1] {
            for index in [0, size / 2, size - 1] {
                assert!(leads_to_leaf(&turns(index, size).unwrap(), size));
            }
        }
    }
}
