//! Lists of nodes as bytes: paths, consistency proofs and peaks as messages carry them.
//!
//! A hash is its 32 bytes. A node with a sum is its hash, one byte with the number of bytes of its sum,
//! and the sum, big-endian without leading zeros (a sum of 0 has no bytes). The nodes follow each other
//! in order; nothing stands around them. Every list has exactly one form and every other is refused.

use alloc::vec::Vec;
use core::fmt;

use crate::node::{Hash, Node, SumNode};

/// Most nodes of a list: a consistency proof in a tree of 2^64 leaves has one more than a path.
pub const MAX_NODES: usize = 65;

/// Why bytes are no list of nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireError {
    /// They end within a node.
    CutShort,
    /// There are more than [`MAX_NODES`].
    TooMany,
    /// A sum has more than 16 bytes.
    SumTooLong,
    /// A sum begins with a zero byte: it has a shorter form.
    SumNotShortest,
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WireError::CutShort => "a packed path ends within a node: send whole nodes",
            WireError::TooMany => "a packed path has more than 65 nodes: no tree is that deep",
            WireError::SumTooLong => "a sum of a packed path has more than 16 bytes",
            WireError::SumNotShortest => {
                "a sum of a packed path begins with a zero byte: send its shortest form"
            }
        })
    }
}

impl core::error::Error for WireError {}

/// A node that has a form in bytes.
pub trait Wire: Node {
    /// Appends the node.
    fn write(&self, out: &mut Vec<u8>);

    /// Takes the node that `bytes` begin with.
    fn read(bytes: &mut &[u8]) -> Result<Self, WireError>;
}

impl Wire for Hash {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }

    fn read(bytes: &mut &[u8]) -> Result<Self, WireError> {
        let (hash, rest) = bytes.split_first_chunk::<32>().ok_or(WireError::CutShort)?;
        *bytes = rest;
        Ok(*hash)
    }
}

impl Wire for SumNode {
    fn write(&self, out: &mut Vec<u8>) {
        self.hash.write(out);
        let sum = self.sum.to_be_bytes();
        let zeros = (self.sum.leading_zeros() / 8) as usize;
        out.push((sum.len() - zeros) as u8);
        out.extend_from_slice(&sum[zeros..]);
    }

    fn read(bytes: &mut &[u8]) -> Result<Self, WireError> {
        let hash = Hash::read(bytes)?;
        let (len, rest) = bytes.split_first().ok_or(WireError::CutShort)?;
        let len = usize::from(*len);
        if len > 16 {
            return Err(WireError::SumTooLong);
        }
        if rest.len() < len {
            return Err(WireError::CutShort);
        }
        let (digits, rest) = rest.split_at(len);
        if digits.first() == Some(&0) {
            return Err(WireError::SumNotShortest);
        }
        *bytes = rest;
        let sum = digits.iter().fold(0u128, |sum, digit| sum << 8 | u128::from(*digit));
        Ok(SumNode { hash, sum })
    }
}

/// The bytes of a list of nodes.
pub fn write_nodes<N: Wire>(nodes: &[N]) -> Vec<u8> {
    let mut out = Vec::with_capacity(nodes.len().saturating_mul(40));
    nodes.iter().for_each(|node| node.write(&mut out));
    out
}

/// The list of nodes that these bytes are.
pub fn read_nodes<N: Wire>(mut bytes: &[u8]) -> Result<Vec<N>, WireError> {
    let mut nodes = Vec::new();
    while !bytes.is_empty() {
        if nodes.len() == MAX_NODES {
            return Err(WireError::TooMany);
        }
        nodes.push(N::read(&mut bytes)?);
    }
    Ok(nodes)
}
