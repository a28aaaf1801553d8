//! Nodes of the two kinds of tree and how two of them become one.

use sha2::{Digest, Sha256};

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// 32 zero bytes: the root written where a scheme uses none.
pub const ZERO_HASH: Hash = [0; 32];

/// Hash of a leaf: `SHA-256(0x00 ‖ data)`.
pub fn leaf_hash(data: &[u8]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([0u8]);
    hasher.update(data);
    hasher.finalize().into()
}

/// A node that can be joined with its right neighbour.
pub trait Node: Clone + PartialEq {
    /// The node above `left` and `right`; `None` when their sums overflow.
    fn inner(left: &Self, right: &Self) -> Option<Self>;

    /// The root of a tree without leaves: SHA-256 of nothing.
    fn empty() -> Self;
}

impl Node for Hash {
    fn inner(left: &Self, right: &Self) -> Option<Self> {
        let mut hasher = Sha256::new();
        hasher.update([1u8]);
        hasher.update(left);
        hasher.update(right);
        Some(hasher.finalize().into())
    }

    fn empty() -> Self {
        Sha256::digest([]).into()
    }
}

/// A node of a Merkle-sum tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SumNode {
    /// Hash of the node.
    pub hash: Hash,
    /// Sum of the leaves below, in base units.
    pub sum: u128,
}

impl SumNode {
    /// The leaf for `data` that is worth `sum`. `data` must itself contain the amount: the caller
    /// encodes it, so that a leaf cannot be reopened with another sum.
    pub fn leaf(data: &[u8], sum: u128) -> Self {
        SumNode { hash: leaf_hash(data), sum }
    }
}

impl Node for SumNode {
    fn inner(left: &Self, right: &Self) -> Option<Self> {
        let sum = left.sum.checked_add(right.sum)?;
        let mut hasher = Sha256::new();
        hasher.update([1u8]);
        hasher.update(left.hash);
        hasher.update(left.sum.to_be_bytes());
        hasher.update(right.hash);
        hasher.update(right.sum.to_be_bytes());
        Some(SumNode { hash: hasher.finalize().into(), sum })
    }

    fn empty() -> Self {
        SumNode { hash: Hash::empty(), sum: 0 }
    }
}
