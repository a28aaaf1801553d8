//! The second layer of attribution: an answer's signature and the index of a model's data that it is
//! compared with (packages/attribution). Both hold rows of [`RANK`] signed bytes by slot; a slot is
//! a token of the model's vocabulary, or another coordinate that the scheme names.

use openledger_merkle::{leaf_hash, Hash};

use crate::encode::Preimage;

/// Signed bytes of one row.
pub const RANK: usize = 16;

/// A row: two's complement, one byte each.
pub type Row = [i8; RANK];

/// The row's bytes as they are hashed and stored.
pub fn row_bytes(row: &Row) -> [u8; RANK] {
    row.map(|value| value as u8)
}

/// Leaf 0 of a signature's tree: how many rows follow, so that none can be left out.
///
/// `openledger/signature/1`: scheme text, rows u32.
pub fn signature_header_leaf(scheme: &str, rows: u32) -> Hash {
    leaf_hash(&Preimage::new("openledger/signature/1").text(scheme).u32(rows).finish())
}

/// Leaf `1 + i` of a signature's tree: row `i`; slots ascend.
///
/// `openledger/signature-row/1`: slot u32, 16 bytes.
pub fn signature_row_leaf(slot: u32, row: &Row) -> Hash {
    leaf_hash(&Preimage::new("openledger/signature-row/1").u32(slot).bytes(&row_bytes(row)).finish())
}

/// Leaf 0 of an influence index: the scheme, the hash of its parameters and its documents in order.
///
/// `openledger/influence/1`: scheme text, SHA-256 of the parameters root32, documents (one field:
/// contribution u64 ‖ exponent u8 each), posting lists u32.
pub fn influence_header_leaf(scheme: &str, parameters: &Hash, documents: &[(u64, u8)], lists: u32) -> Hash {
    let mut bytes = Vec::with_capacity(documents.len() * 9);
    for (contribution_id, exponent) in documents {
        bytes.extend_from_slice(&contribution_id.to_be_bytes());
        bytes.push(*exponent);
    }
    leaf_hash(
        &Preimage::new("openledger/influence/1")
            .text(scheme)
            .bytes(parameters)
            .bytes(&bytes)
            .u32(lists)
            .finish(),
    )
}

/// Leaf `1 + j` of an influence index: posting list `j`; slots ascend, and documents in each list.
///
/// `openledger/posting/1`: slot u32, entries (one field: document u32 ‖ 16 bytes each).
pub fn posting_leaf(slot: u32, entries: &[(u32, Row)]) -> Hash {
    let mut bytes = Vec::with_capacity(entries.len() * (4 + RANK));
    for (document, row) in entries {
        bytes.extend_from_slice(&document.to_be_bytes());
        bytes.extend_from_slice(&row_bytes(row));
    }
    leaf_hash(&Preimage::new("openledger/posting/1").u32(slot).bytes(&bytes).finish())
}
