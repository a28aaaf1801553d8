//! A piece of evidence whose bytes differ in answer and source.

use cosmwasm_std::HexBinary;
use openledger_merkle::{leaf_hash, verify_inclusion, Hash, CONTENT_CHUNK};

use super::{ChunkRange, ContributionAt, FaultError, Verdict};
use crate::api::EvidencePiece;
use crate::formats::{evidence_header_leaf, hash32, Piece, Receipt, MAX_PIECE};

/// The parts of a proof that a span is false.
pub(super) struct Span<'a> {
    pub receipt: &'a Receipt,
    pub answer_root: &'a HexBinary,
    pub answer_len: u64,
    pub header_path: &'a [Hash],
    pub piece: &'a EvidencePiece,
    pub index: u64,
    pub count: u64,
    pub path: &'a [Hash],
    pub answer: &'a ChunkRange,
    pub source: &'a ContributionAt,
    pub text: &'a ChunkRange,
}

impl Span<'_> {
    /// Whether the piece is one that no honest node signs.
    ///
    /// The receipt commits no number of evidence leaves, so `count` is the filer's word. It cannot
    /// bring a leaf into the tree: header and piece have tags of their own and the prefix of leaves, so
    /// whatever path leads to the root starts at a real header and a real piece of the node. A wrong
    /// `count` can only misname the piece's position, on which nothing depends.
    pub fn is_false(&self) -> Verdict {
        let piece = self.piece;
        let evidence = hash32("evidence_root", &self.receipt.evidence_root)?;
        let answer_root = hash32("answer_root", self.answer_root)?;
        let header = evidence_header_leaf(&answer_root, self.answer_len);
        if !verify_inclusion(&header, 0, self.count, self.header_path, &evidence) {
            return Err(FaultError::BadPath("header"));
        }
        let leaf = leaf_of(piece);
        if self.index == 0 || !verify_inclusion(&leaf.leaf(), self.index, self.count, self.path, &evidence) {
            return Err(FaultError::BadPath("piece"));
        }
        // Without this a node would make its false pieces too long for anybody to show.
        if piece.len == 0 || piece.len > MAX_PIECE {
            return Ok(());
        }
        if beyond(piece.answer_start, piece.len, self.answer_len) {
            return Ok(());
        }
        contribution(self.receipt, self.source)?;
        let facts = &self.source.facts;
        if facts.contribution_id != piece.contribution_id {
            return Err(FaultError::WrongDomain { document: "source", field: "contribution" });
        }
        if beyond(piece.source_start, piece.len, facts.match_len) {
            return Ok(());
        }
        let match_root = hash32("match_root", &facts.match_root)?;
        let len = piece.len as usize;
        let said = bytes("answer", self.answer, &answer_root, self.answer_len, piece.answer_start, len)?;
        let found = bytes("text", self.text, &match_root, facts.match_len, piece.source_start, len)?;
        if said == found {
            return Err(FaultError::NoFault("the bytes are the same in answer and source"));
        }
        Ok(())
    }
}

/// Refuses a contribution that is not in the receipt's versions at its place. Versions hold leaves of
/// both forms: those sealed by the first release have no uses.
pub(super) fn contribution(receipt: &Receipt, at: &ContributionAt) -> Result<(), FaultError> {
    const NAME: &str = "contribution";
    let version = usize::try_from(at.datanet).ok().and_then(|number| receipt.datanets.get(number));
    let version = version.ok_or(FaultError::BadPath(NAME))?;
    let root = hash32("datanets.root", &version.root)?;
    let stands = |leaf: Hash| verify_inclusion(&leaf, at.index, version.size, &at.path, &root);
    if stands(at.facts.leaf()) || stands(at.facts.legacy_leaf()) {
        return Ok(());
    }
    Err(FaultError::BadPath(NAME))
}

/// Whether `len` bytes from `start` on reach beyond a text of `total` bytes.
fn beyond(start: u64, len: u32, total: u64) -> bool {
    start.checked_add(u64::from(len)).is_none_or(|end| end > total)
}

/// `len` bytes from `start` on, out of the chunks that hold them. The range lies within the text and
/// has 1 to [`MAX_PIECE`] bytes, so one or two chunks do.
fn bytes(
    name: &'static str,
    range: &ChunkRange,
    root: &Hash,
    total: u64,
    start: u64,
    len: usize,
) -> Result<Vec<u8>, FaultError> {
    let chunk = CONTENT_CHUNK as u64;
    let last = start.saturating_add(len as u64).saturating_sub(1) / chunk;
    let first = start / chunk;
    let needed = last.saturating_sub(first).saturating_add(1);
    if range.first != first || range.chunks.len() as u64 != needed || range.paths.len() as u64 != needed {
        return Err(FaultError::WrongChunks(name));
    }
    let mut text = Vec::with_capacity(2 * CONTENT_CHUNK);
    for ((index, bytes), path) in (first..).zip(&range.chunks).zip(&range.paths) {
        let length = total.saturating_sub(index.saturating_mul(chunk)).min(chunk);
        if bytes.len() as u64 != length {
            return Err(FaultError::WrongChunks(name));
        }
        if !verify_inclusion(&leaf_hash(bytes), index, total.div_ceil(chunk), path, root) {
            return Err(FaultError::BadPath(name));
        }
        text.extend_from_slice(bytes);
    }
    let from = (start % chunk) as usize;
    let part = from.checked_add(len).and_then(|end| text.get(from..end));
    part.map(<[u8]>::to_vec).ok_or(FaultError::WrongChunks(name))
}

/// A piece as it is hashed.
pub(super) fn leaf_of(piece: &EvidencePiece) -> Piece {
    Piece {
        answer_start: piece.answer_start,
        len: piece.len,
        contribution_id: piece.contribution_id,
        source_start: piece.source_start,
    }
}
