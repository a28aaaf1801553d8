//! Evidence: which bytes of the answer stand in which contribution, as a Merkle tree.

use openledger_merkle::{chunk_root, Hash, Tree, CONTENT_CHUNK};
use openledger_types::formats::{evidence_header_leaf, Piece, Share, MAX_PIECE};

use crate::trace::{Run, Token, Trace};
use crate::Index;

/// The evidence tree of an answer: leaf 0 is the header, leaf `1 + i` is piece `i`.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// Root over 1 KiB chunks of the answer's match text.
    pub match_root: Hash,
    /// Bytes of the answer's match text.
    pub match_len: u64,
    tree: Tree<Hash>,
}

impl Evidence {
    /// Builds the tree of a trace.
    pub fn new(trace: &Trace) -> Self {
        Self::from_parts(&trace.match_text, &trace.pieces)
    }

    /// Builds the tree over the pieces of an answer with this match text.
    pub fn from_parts(match_text: &str, pieces: &[Piece]) -> Self {
        let match_root = chunk_root(match_text.as_bytes(), CONTENT_CHUNK);
        let match_len = match_text.len() as u64;
        let mut leaves = Vec::with_capacity(pieces.len() + 1);
        leaves.push(evidence_header_leaf(&match_root, match_len));
        leaves.extend(pieces.iter().map(Piece::leaf));
        // Plain hashes never overflow; an empty tree stands in for the case that cannot happen.
        let tree = Tree::new(leaves).unwrap_or_else(Tree::empty);
        Evidence { match_root, match_len, tree }
    }

    /// The root that the receipt states.
    pub fn root(&self) -> Hash {
        self.tree.root()
    }

    /// Leaves, the header included.
    pub fn leaves(&self) -> u64 {
        self.tree.len()
    }

    /// Merkle path of a leaf; `None` when there is no such leaf.
    pub fn evidence_path(&self, leaf: u64) -> Option<Vec<Hash>> {
        self.tree.prove(leaf)
    }
}

/// The pieces of the runs that pay a contribution with a share, sorted by (answer start,
/// contribution). A piece ends where the white space between two words differs and after
/// [`MAX_PIECE`] bytes, so that its bytes are the same in both texts.
pub(crate) fn pieces(
    index: &Index,
    text: &str,
    tokens: &[Token],
    runs: &[Run],
    shares: &[Share],
) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for run in runs {
        for payee in &run.payees {
            if shares.binary_search_by_key(&payee.contribution_id, |share| share.contribution_id).is_err() {
                continue;
            }
            let mut open: Option<(usize, usize, usize)> = None;
            for (token, position) in
                tokens[run.first_token..run.first_token + run.tokens].iter().zip(payee.position..)
            {
                let (source, start, end) = index.source(position);
                open = match open {
                    Some((a, s, len))
                        if text
                            .get(a + len..token.start)
                            .is_some_and(|gap| source.get(s + len..start) == Some(gap)) =>
                    {
                        Some((a, s, end - s))
                    }
                    before => {
                        cut(&mut pieces, before, payee.contribution_id);
                        Some((token.start, start, end - start))
                    }
                };
            }
            cut(&mut pieces, open, payee.contribution_id);
        }
    }
    pieces.sort_by_key(|piece| (piece.answer_start, piece.contribution_id));
    pieces
}

/// Adds the stretch (answer start, source start, bytes) in pieces of at most [`MAX_PIECE`].
fn cut(pieces: &mut Vec<Piece>, stretch: Option<(usize, usize, usize)>, contribution_id: u64) {
    let Some((answer, source, len)) = stretch else { return };
    for done in (0..len).step_by(MAX_PIECE as usize) {
        pieces.push(Piece {
            answer_start: (answer + done) as u64,
            len: (len - done).min(MAX_PIECE as usize) as u32,
            contribution_id,
            source_start: (source + done) as u64,
        });
    }
}
