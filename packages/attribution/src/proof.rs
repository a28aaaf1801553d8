//! What a contract checks of a piece of evidence: the same bytes stand in both match texts. Needs
//! only the merkle crate and the formats.

use openledger_merkle::{chunk_tree, leaf_hash, verify_inclusion, Hash, CONTENT_CHUNK};
use openledger_types::formats::{Piece, MAX_PIECE};
use serde::{Deserialize, Serialize};

/// One chunk of 1 KiB, or two neighbours, of a match text with their Merkle paths.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextProof {
    /// Number of the first chunk.
    pub first_chunk: u64,
    /// The chunks' bytes.
    pub chunks: Vec<Vec<u8>>,
    /// The path of each chunk, from the leaf upwards.
    pub paths: Vec<Vec<Hash>>,
}

/// A match text as it is committed, opened where a piece lies.
#[derive(Clone, Copy, Debug)]
pub struct Opened<'a> {
    /// Root over the text's 1 KiB chunks.
    pub root: &'a Hash,
    /// Bytes of the text.
    pub len: u64,
    /// The opening.
    pub proof: &'a TextProof,
}

/// First and last chunk of `len` bytes from `start`, if the piece is one of 1 to [`MAX_PIECE`] bytes
/// and ends within `total`.
fn chunks_of(start: u64, len: u32, total: u64) -> Option<(u64, u64)> {
    let end = start.checked_add(u64::from(len))?;
    if len == 0 || len > MAX_PIECE || end > total {
        return None;
    }
    Some((start / CONTENT_CHUNK as u64, (end - 1) / CONTENT_CHUNK as u64))
}

impl TextProof {
    /// Opens `text` at `len` bytes from `start`; `None` when they do not lie in it or are more than
    /// [`MAX_PIECE`].
    pub fn new(text: &[u8], start: u64, len: u32) -> Option<Self> {
        let (first, last) = chunks_of(start, len, text.len() as u64)?;
        let tree = chunk_tree(text, CONTENT_CHUNK);
        let mut proof = TextProof { first_chunk: first, chunks: Vec::new(), paths: Vec::new() };
        for chunk in first..=last {
            proof.chunks.push(text.chunks(CONTENT_CHUNK).nth(usize::try_from(chunk).ok()?)?.to_vec());
            proof.paths.push(tree.prove(chunk)?);
        }
        Some(proof)
    }

    /// The `len` bytes from `start` of the text of `total` bytes with this chunk `root`, if the proof
    /// shows them. Number and lengths of the chunks are checked with the paths.
    pub fn read(&self, start: u64, len: u32, root: &Hash, total: u64) -> Option<Vec<u8>> {
        let (first, last) = chunks_of(start, len, total)?;
        let count = usize::try_from(last - first + 1).ok()?;
        if self.first_chunk != first || self.chunks.len() != count || self.paths.len() != count {
            return None;
        }
        let chunk_len = CONTENT_CHUNK as u64;
        let size = total.div_ceil(chunk_len);
        let mut bytes = Vec::with_capacity(count * CONTENT_CHUNK);
        for ((number, chunk), path) in (first..=last).zip(&self.chunks).zip(&self.paths) {
            if chunk.len() as u64 != chunk_len.min(total - number * chunk_len)
                || !verify_inclusion(&leaf_hash(chunk), number, size, path, root)
            {
                return None;
            }
            bytes.extend_from_slice(chunk);
        }
        let from = usize::try_from(start - first * chunk_len).ok()?;
        bytes.get(from..from.checked_add(len as usize)?).map(<[u8]>::to_vec)
    }
}

/// Whether the bytes of `piece` stand in both texts: in the answer's match text, whose root and length
/// are in the header of the evidence, and in the contribution's, whose root and length are on chain.
/// That the piece itself is a leaf under the receipt's evidence root is checked apart.
pub fn verify_piece(piece: &Piece, answer: Opened<'_>, source: Opened<'_>) -> bool {
    let ours = answer.proof.read(piece.answer_start, piece.len, answer.root, answer.len);
    let theirs = source.proof.read(piece.source_start, piece.len, source.root, source.len);
    ours.is_some() && ours == theirs
}
