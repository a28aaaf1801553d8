//! Evidence of the shares: which bytes of which contribution an answer repeats (PROTOCOL D2, S2).

use openledger_merkle::{leaf_hash, Hash};

use crate::encode::Preimage;

/// Most bytes of one piece of evidence, so that it lies in at most two neighbouring 1 KiB chunks.
pub const MAX_PIECE: u32 = 1024;

/// Leaf 0 of the evidence tree: the answer's match text.
///
/// `openledger/evidence/1`: root over 1 KiB chunks of the answer's match text, its length u64.
pub fn evidence_header_leaf(match_root: &Hash, match_len: u64) -> Hash {
    leaf_hash(&Preimage::new("openledger/evidence/1").bytes(match_root).u64(match_len).finish())
}

/// One piece of evidence: the same bytes stand in the answer's match text and in a contribution's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Piece {
    /// First byte in the answer's match text.
    pub answer_start: u64,
    /// Bytes, 1 to [`MAX_PIECE`].
    pub len: u32,
    /// Contribution.
    pub contribution_id: u64,
    /// First byte in the contribution's match text.
    pub source_start: u64,
}

impl Piece {
    /// Leaf of the evidence tree; pieces are sorted by (answer start, contribution).
    ///
    /// `openledger/span/1`: answer start u64, length u32, contribution u64, source start u64.
    pub fn leaf(&self) -> Hash {
        leaf_hash(
            &Preimage::new("openledger/span/1")
                .u64(self.answer_start)
                .u32(self.len)
                .u64(self.contribution_id)
                .u64(self.source_start)
                .finish(),
        )
    }
}

/// `openledger/tie/1`: seed, contribution u64. Orders equal remainders (ascending), so that ids
/// chosen beforehand gain nothing.
pub fn tie_key(seed: &Hash, contribution_id: u64) -> Hash {
    Preimage::new("openledger/tie/1").bytes(seed).u64(contribution_id).hash()
}
