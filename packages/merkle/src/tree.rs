//! A tree held in memory, from which roots and proofs are read.

use alloc::vec;
use alloc::vec::Vec;

use crate::node::Node;

/// All complete subtrees over a list of leaves. Memory: two nodes a leaf.
#[derive(Clone, Debug)]
pub struct Tree<N> {
    /// `levels[h][i]` is the node over leaves `i·2^h .. (i+1)·2^h`, for complete ranges only.
    levels: Vec<Vec<N>>,
}

impl<N: Node> Tree<N> {
    /// The tree without leaves.
    pub fn empty() -> Self {
        Tree { levels: vec![Vec::new()] }
    }

    /// Builds the tree; `None` when sums overflow.
    pub fn new(leaves: Vec<N>) -> Option<Self> {
        let mut levels = vec![leaves];
        loop {
            let below = &levels[levels.len() - 1];
            if below.len() < 2 {
                break;
            }
            let mut level = Vec::with_capacity(below.len() / 2);
            for pair in below.chunks_exact(2) {
                level.push(N::inner(&pair[0], &pair[1])?);
            }
            levels.push(level);
        }
        let tree = Tree { levels };
        // Every partial sum is at most the whole, so one check here covers all later joins.
        tree.range(0, tree.len())?;
        Some(tree)
    }

    /// Number of leaves.
    pub fn len(&self) -> u64 {
        self.levels.first().map_or(0, Vec::len) as u64
    }

    /// Whether there are no leaves.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The root (that of the empty tree when there are no leaves).
    pub fn root(&self) -> N {
        self.range(0, self.len()).unwrap_or_else(N::empty)
    }

    /// The audit path of leaf `index`, from the leaf upwards; `None` when there is no such leaf.
    pub fn prove(&self, index: u64) -> Option<Vec<N>> {
        if index >= self.len() {
            return None;
        }
        let mut path = Vec::new();
        let (mut start, mut end) = (0, self.len());
        while end - start > 1 {
            let middle = start + split(end - start);
            if index < middle {
                path.push(self.range(middle, end)?);
                end = middle;
            } else {
                path.push(self.range(start, middle)?);
                start = middle;
            }
        }
        path.reverse();
        Some(path)
    }

    /// Proof that the first `old_size` leaves are a prefix of this tree (RFC 6962 §2.1.2);
    /// `None` when `old_size` exceeds the tree. Empty for `old_size` 0 or equal to the size.
    pub fn prove_consistency(&self, old_size: u64) -> Option<Vec<N>> {
        if old_size > self.len() {
            return None;
        }
        let mut proof = Vec::new();
        if old_size == 0 || old_size == self.len() {
            return Some(proof);
        }
        let (mut start, mut end) = (0, self.len());
        let mut known = true;
        while old_size != end {
            let middle = start + split(end - start);
            if old_size <= middle {
                proof.push(self.range(middle, end)?);
                end = middle;
            } else {
                proof.push(self.range(start, middle)?);
                start = middle;
                known = false;
            }
        }
        if !known {
            proof.push(self.range(start, end)?);
        }
        proof.reverse();
        Some(proof)
    }

    /// Node over leaves `start..end`, where `start` is aligned as RFC 6962 splits produce it.
    fn range(&self, start: u64, end: u64) -> Option<N> {
        let len = end.checked_sub(start)?;
        if len == 0 {
            return Some(N::empty());
        }
        if len.is_power_of_two() {
            let height = len.trailing_zeros() as usize;
            return self.levels.get(height)?.get((start >> height) as usize).cloned();
        }
        let middle = start + split(len);
        N::inner(&self.range(start, middle)?, &self.range(middle, end)?)
    }
}

/// The largest power of two smaller than `len` (`len` at least 2).
fn split(len: u64) -> u64 {
    1 << (63 - (len - 1).leading_zeros())
}
