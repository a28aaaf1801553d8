//! Reading proofs out of the documents of an epoch: places in its trees, contributions, chunks.

use cosmwasm_std::{Binary, HexBinary};
use openledger_merkle::{chunk_root, chunk_tree, Hash, SumNode, Tree, CONTENT_CHUNK};

use super::span::leaf_of;
use super::{ChunkRange, ContributionAt, DetailAt, Fault, LeafAt, Place, ReceiptAt};
use crate::api::EvidencePiece;
use crate::formats::{
    evidence_header_leaf, Account, ContributionFacts, Detail, LedgerBlob, LedgerEntry, Receipt,
    SignedReceipt, SumRoot,
};
use crate::packed::{HashPath, SumPath};

/// Receipts in the order of a tree: an epoch's, or a session's log.
pub struct ReceiptTree {
    leaves: Vec<ReceiptAt>,
    tree: Tree<SumNode>,
}

impl ReceiptTree {
    /// The tree over these receipts; none when their fees overflow.
    pub fn new<'a>(receipts: impl IntoIterator<Item = &'a Receipt>) -> Option<Self> {
        let (mut leaves, mut nodes) = (vec![], vec![]);
        for (index, receipt) in (0..).zip(receipts) {
            nodes.push(receipt.leaf());
            leaves.push(ReceiptAt {
                receipt_id: HexBinary::from(&receipt.digest()),
                session_id: receipt.session_id,
                sequence: receipt.sequence,
                fee: receipt.fee,
                index,
                path: SumPath::default(),
            });
        }
        Some(ReceiptTree { leaves, tree: Tree::new(nodes)? })
    }

    /// Its root.
    pub fn root(&self) -> SumRoot {
        SumRoot::new(self.tree.root(), self.tree.len())
    }

    /// Receipt `index` with its path.
    pub fn at(&self, index: u64) -> Option<ReceiptAt> {
        let leaf = self.leaves.get(usize::try_from(index).ok()?)?;
        Some(ReceiptAt { path: SumPath(self.tree.prove(index)?), ..leaf.clone() })
    }

    /// Where a receipt stands, or would stand.
    pub fn place(&self, receipt_id: &[u8]) -> Place<ReceiptAt> {
        place(&self.leaves, |leaf| leaf.receipt_id.as_slice(), &receipt_id, |index| self.at(index))
    }
}

/// The leaves of a ledger with their details.
pub struct LedgerTree<'a> {
    leaves: &'a [LedgerEntry],
    tree: Tree<SumNode>,
}

impl<'a> LedgerTree<'a> {
    /// The tree over a ledger's leaves; none when their amounts overflow.
    pub fn new(ledger: &'a LedgerBlob) -> Option<Self> {
        let nodes = ledger.leaves.iter().map(|entry| entry.leaf.leaf()).collect();
        Some(LedgerTree { leaves: &ledger.leaves, tree: Tree::new(nodes)? })
    }

    /// Its root.
    pub fn root(&self) -> SumRoot {
        SumRoot::new(self.tree.root(), self.tree.len())
    }

    /// Leaf `index` with its path.
    pub fn at(&self, index: u64) -> Option<LeafAt> {
        let entry = self.leaves.get(usize::try_from(index).ok()?)?;
        Some(LeafAt { leaf: entry.leaf.clone(), index, path: SumPath(self.tree.prove(index)?) })
    }

    /// Where an account's leaf stands, or would stand.
    pub fn place(&self, account: &Account) -> Place<LeafAt> {
        place(self.leaves, |entry| &entry.leaf.account, &account, |index| self.at(index))
    }

    /// Position of an account's leaf.
    pub fn position(&self, account: &Account) -> Option<u64> {
        let position = self.leaves.iter().position(|entry| entry.leaf.account == *account)?;
        u64::try_from(position).ok()
    }

    /// Detail `number` of leaf `index` with its path.
    pub fn detail(&self, index: u64, number: u64) -> Option<DetailAt> {
        detail_at(&self.leaves.get(usize::try_from(index).ok()?)?.details, number)
    }

    /// Where a detail of leaf `index` stands, or would stand.
    pub fn detail_place(
        &self,
        index: u64,
        receipt_id: &[u8],
        contribution_id: u64,
    ) -> Option<Place<DetailAt>> {
        let details = &self.leaves.get(usize::try_from(index).ok()?)?.details;
        let key = |detail: &Detail| (detail.receipt_id.to_vec(), detail.contribution_id);
        let wanted = (receipt_id.to_vec(), contribution_id);
        Some(place(details, key, &wanted, |number| detail_at(details, number)))
    }
}

/// The root over a leaf's details; none when their amounts overflow.
pub fn detail_root(details: &[Detail]) -> Option<SumRoot> {
    let tree = Tree::new(details.iter().map(Detail::leaf).collect())?;
    Some(SumRoot::new(tree.root(), tree.len()))
}

fn detail_at(details: &[Detail], number: u64) -> Option<DetailAt> {
    let detail = details.get(usize::try_from(number).ok()?)?;
    let tree = Tree::new(details.iter().map(Detail::leaf).collect())?;
    Some(DetailAt { detail: detail.clone(), index: number, path: SumPath(tree.prove(number)?) })
}

/// The first place that a proof accepts for this key; in an unsorted list there may be none.
fn place<'a, E, K: Ord, T>(
    entries: &'a [E],
    key: impl Fn(&'a E) -> K,
    wanted: &K,
    at: impl Fn(u64) -> Option<T>,
) -> Place<T> {
    let keys: Vec<K> = entries.iter().map(key).collect();
    let at = |position: usize| at(position as u64);
    if let Some(found) = keys.iter().position(|key| key == wanted).and_then(at) {
        return Place::At(found);
    }
    let before = |position: &usize| {
        let left = position.checked_sub(1).and_then(|left| keys.get(left));
        left.is_none_or(|left| left < wanted) && keys.get(*position).is_none_or(|right| wanted < right)
    };
    let position = (0..=keys.len()).find(before).unwrap_or_default();
    Place::Absent { left: position.checked_sub(1).and_then(at), right: at(position) }
}

/// Contribution `index` of a version whose leaves these are, for the receipt's `datanet`th version.
pub fn contribution_at(
    datanet: u32,
    contributions: &[ContributionFacts],
    index: u64,
) -> Option<ContributionAt> {
    let facts = contributions.get(usize::try_from(index).ok()?)?;
    let tree = Tree::new(contributions.iter().map(ContributionFacts::leaf).collect())?;
    Some(ContributionAt { datanet, facts: facts.clone(), index, path: HashPath(tree.prove(index)?) })
}

/// The chunks of a text that hold `len` bytes from `start` on.
pub fn chunk_range(text: &[u8], start: u64, len: u32) -> Option<ChunkRange> {
    let chunk = CONTENT_CHUNK as u64;
    let end = start.checked_add(u64::from(len)).filter(|end| *end <= text.len() as u64 && len > 0)?;
    let tree = chunk_tree(text, CONTENT_CHUNK);
    let numbers = start / chunk..=(end - 1) / chunk;
    let bytes = |number: u64| text.chunks(CONTENT_CHUNK).nth(usize::try_from(number).ok()?);
    Some(ChunkRange {
        first: start / chunk,
        chunks: numbers.clone().map(|number| bytes(number).map(Binary::from)).collect::<Option<_>>()?,
        paths: numbers.map(|number| Some(HashPath(tree.prove(number)?))).collect::<Option<_>>()?,
    })
}

/// The proof that piece `number` of an answer's evidence is false, or what would be one if it were.
/// Chunks are left out where the piece reaches beyond its text: then none are needed.
pub fn false_span(
    receipt: &SignedReceipt,
    answer: &[u8],
    pieces: &[EvidencePiece],
    number: u64,
    source: ContributionAt,
    text: &[u8],
) -> Option<Fault> {
    let piece = pieces.get(usize::try_from(number).ok()?)?.clone();
    let answer_root = chunk_root(answer, CONTENT_CHUNK);
    let header = evidence_header_leaf(&answer_root, answer.len() as u64);
    let leaves: Vec<Hash> = std::iter::once(header).chain(pieces.iter().map(|p| leaf_of(p).leaf())).collect();
    let tree = Tree::new(leaves)?;
    let index = number.checked_add(1)?;
    let nothing = || ChunkRange { first: 0, chunks: vec![], paths: vec![] };
    Some(Fault::FalseSpan {
        receipt: receipt.clone(),
        answer_root: HexBinary::from(&answer_root),
        answer_len: answer.len() as u64,
        header_path: HashPath(tree.prove(0)?),
        index,
        count: tree.len(),
        path: HashPath(tree.prove(index)?),
        answer: chunk_range(answer, piece.answer_start, piece.len).unwrap_or_else(nothing),
        text: chunk_range(text, piece.source_start, piece.len).unwrap_or_else(nothing),
        source,
        piece,
    })
}
