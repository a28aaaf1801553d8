//! Trees over the chunks of a byte string.

use alloc::vec::Vec;

use crate::node::{leaf_hash, Hash};
use crate::tree::Tree;

/// Bytes in a chunk of content text, match text and answers (PROTOCOL D2, S2).
pub const CONTENT_CHUNK: usize = 1024;

/// Bytes in a leaf of a stored blob.
pub const BLOB_CHUNK: usize = 16 * 1024;

/// The tree over `bytes` cut into chunks of `chunk` bytes (the last may be shorter; a `chunk` of 0
/// counts as 1). No bytes, no leaves: the root is then that of the empty tree.
pub fn chunk_tree(bytes: &[u8], chunk: usize) -> Tree<Hash> {
    let leaves: Vec<Hash> = bytes.chunks(chunk.max(1)).map(leaf_hash).collect();
    // Plain hashes never overflow; an empty tree stands in for the case that cannot happen.
    Tree::new(leaves).unwrap_or_else(Tree::empty)
}

/// Root of [`chunk_tree`].
pub fn chunk_root(bytes: &[u8], chunk: usize) -> Hash {
    chunk_tree(bytes, chunk).root()
}

/// Audit path of chunk `index`; `None` when there is no such chunk.
pub fn chunk_path(bytes: &[u8], chunk: usize, index: u64) -> Option<Vec<Hash>> {
    chunk_tree(bytes, chunk).prove(index)
}
