//! Everything that is hashed or signed, written in one place each (docs/formats.md).

mod audit;
mod data;
mod evidence;
mod gateway;
mod influence;
mod ledger;
mod model;
mod session;
mod storage;

pub use audit::*;
pub use data::*;
pub use evidence::*;
pub use gateway::*;
pub use influence::*;
pub use ledger::*;
pub use model::*;
pub use session::*;
pub use storage::*;

use cosmwasm_schema::cw_serde;
use cosmwasm_std::{HexBinary, Uint128};
use openledger_merkle::{Hash, SumNode};

/// Why a format was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// A field has another length than the format gives it.
    #[error("{field} must have {expected} bytes, not {actual}: send it as hexadecimal of that length")]
    Length {
        /// Name of the field.
        field: &'static str,
        /// Bytes that the format asks for.
        expected: usize,
        /// Bytes given.
        actual: usize,
    },
    /// Shares that do not have the form of PROTOCOL S2.
    #[error("shares refused: {0}")]
    Shares(&'static str),
}

/// A 32-byte hash out of a message field.
pub fn hash32(field: &'static str, value: &HexBinary) -> Result<Hash, FormatError> {
    value.as_slice().try_into().map_err(|_| FormatError::Length { field, expected: 32, actual: value.len() })
}

/// The root of a Merkle-sum tree with the number of its leaves.
#[cw_serde]
pub struct SumRoot {
    /// Root hash (32 bytes).
    pub hash: HexBinary,
    /// Sum of all leaves, in base units.
    pub sum: Uint128,
    /// Number of leaves.
    pub count: u64,
}

impl SumRoot {
    /// The commitment to a tree with this root node and number of leaves.
    pub fn new(node: SumNode, count: u64) -> Self {
        SumRoot { hash: HexBinary::from(&node.hash), sum: Uint128::new(node.sum), count }
    }

    /// The tree without leaves.
    pub fn empty() -> Self {
        use openledger_merkle::Node;
        SumRoot::new(SumNode::empty(), 0)
    }

    /// The root node.
    pub fn node(&self) -> Result<SumNode, FormatError> {
        Ok(SumNode { hash: hash32("hash", &self.hash)?, sum: self.sum.u128() })
    }
}

/// A node of a Merkle-sum tree as JSON, in files that clients and nodes keep; messages carry
/// [`crate::packed::SumPath`].
#[cw_serde]
pub struct SumStep {
    /// Hash of the node (32 bytes).
    pub hash: HexBinary,
    /// Its sum.
    pub sum: Uint128,
}

impl SumStep {
    /// As the merkle crate takes it.
    pub fn node(&self) -> Result<SumNode, FormatError> {
        Ok(SumNode { hash: hash32("hash", &self.hash)?, sum: self.sum.u128() })
    }
}

impl From<SumNode> for SumStep {
    fn from(node: SumNode) -> Self {
        SumStep { hash: HexBinary::from(&node.hash), sum: Uint128::new(node.sum) }
    }
}

/// The nodes of a list.
pub fn sum_path(steps: &[SumStep]) -> Result<Vec<SumNode>, FormatError> {
    steps.iter().map(SumStep::node).collect()
}

/// Hashes out of their fields.
pub fn hash_path(field: &'static str, steps: &[HexBinary]) -> Result<Vec<Hash>, FormatError> {
    steps.iter().map(|step| hash32(field, step)).collect()
}

/// A stored blob: the root over its 16 KiB leaves is its name everywhere.
#[cw_serde]
pub struct BlobRef {
    /// Root over 16 KiB leaves (32 bytes).
    pub root: HexBinary,
    /// Length in bytes.
    pub len: u64,
}

impl BlobRef {
    /// The reference to `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        use openledger_merkle::{chunk_root, BLOB_CHUNK};
        BlobRef { root: HexBinary::from(&chunk_root(bytes, BLOB_CHUNK)), len: bytes.len() as u64 }
    }
}
