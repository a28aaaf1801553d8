//! Evidence: what a contract can check.

use openledger_attribution::{verify_piece, Evidence, Index, Opened, TextProof, Trace};
use openledger_types::formats::{evidence_header_leaf, Piece, MAX_PIECE};
use openledger_types::merkle::{chunk_root, verify_inclusion, Hash, CONTENT_CHUNK};

use crate::support::{cut, document, index, prose};

fn root(text: &str) -> Hash {
    chunk_root(text.as_bytes(), CONTENT_CHUNK)
}

fn accepted(index: &Index, trace: &Trace, claimed: &Piece, shown: &Piece) -> bool {
    let source = index.document(shown.contribution_id).unwrap();
    let (Some(ours), Some(theirs)) = (
        TextProof::new(trace.match_text.as_bytes(), shown.answer_start, shown.len),
        index.prove_source(shown),
    ) else {
        return false;
    };
    verify_piece(
        claimed,
        Opened { root: &root(&trace.match_text), len: trace.match_text.len() as u64, proof: &ours },
        Opened { root: &root(&source.match_text), len: source.match_text.len() as u64, proof: &theirs },
    )
}

fn sample() -> (Index, Trace) {
    let (one, two) = (prose(1, 2_000), prose(2, 2_000));
    let index = index(vec![document(1, "one", &one), document(2, "two", &two)]);
    // A long copy, one with other white space, a hyphen for a space, short phrases, unknown words.
    let answer =
        [cut(&one, 300, 900), cut(&two, 5, 40).replace(' ', "\n\n"), "nothing".into(), cut(&two, 90, 93)]
            .join(" ");
    let trace = index.trace("", &answer, &[5; 32]);
    (index, trace)
}

#[test]
fn every_piece_is_proved() {
    let (index, trace) = sample();
    let evidence = Evidence::new(&trace);
    assert!(trace.pieces.len() > 4);
    assert_eq!(evidence.leaves(), trace.pieces.len() as u64 + 1);
    let header = evidence_header_leaf(&root(&trace.match_text), trace.match_text.len() as u64);
    let path = evidence.evidence_path(0).unwrap();
    assert!(verify_inclusion(&header, 0, evidence.leaves(), &path, &evidence.root()));
    for (number, piece) in trace.pieces.iter().enumerate() {
        assert!(piece.len >= 1 && piece.len <= MAX_PIECE);
        assert!(accepted(&index, &trace, piece, piece), "{piece:?}");
        let leaf = number as u64 + 1;
        let path = evidence.evidence_path(leaf).unwrap();
        assert!(verify_inclusion(&piece.leaf(), leaf, evidence.leaves(), &path, &evidence.root()));
    }
    assert!(evidence.evidence_path(evidence.leaves()).is_none());
    assert!(trace
        .pieces
        .windows(2)
        .all(|p| (p[0].answer_start, p[0].contribution_id) < (p[1].answer_start, p[1].contribution_id)));
}

#[test]
fn pieces_cover_every_paying_word() {
    let (_, trace) = sample();
    for token in trace.tokens.iter().filter(|t| !trace.runs[t.run].payees.is_empty()) {
        let covered: u64 = trace
            .pieces
            .iter()
            .map(|p| {
                let end = (p.answer_start + u64::from(p.len)).min(token.end as u64);
                end.saturating_sub(p.answer_start.max(token.start as u64))
            })
            .sum();
        assert_eq!(covered, (token.end - token.start) as u64);
    }
}

#[test]
fn a_false_piece_is_refused() {
    let (index, trace) = sample();
    let piece = trace.pieces[0];
    for wrong in [
        Piece { answer_start: piece.answer_start + 1, ..piece },
        Piece { source_start: piece.source_start + 1, ..piece },
        Piece { source_start: u64::MAX, ..piece },
        Piece { answer_start: u64::MAX, ..piece },
        Piece { len: 0, ..piece },
        Piece { len: MAX_PIECE + 1, ..piece },
        Piece { contribution_id: 2, ..piece },
    ] {
        assert!(!accepted(&index, &trace, &wrong, &wrong), "{wrong:?}");
    }
    assert!(
        !accepted(&index, &trace, &Piece { len: piece.len + 1, ..piece }, &Piece { len: piece.len, ..piece })
            || piece.len < MAX_PIECE
    );
}

#[test]
fn a_forged_opening_is_refused() {
    let text = prose(1, 2_000);
    let (root, len) = (root(&text), text.len() as u64);
    let proof = TextProof::new(text.as_bytes(), 1_000, 100).unwrap();
    assert_eq!(proof.chunks.len(), 2);
    assert_eq!(proof.read(1_000, 100, &root, len).unwrap(), &text.as_bytes()[1_000..1_100]);
    let mut flipped = proof.clone();
    flipped.chunks[1][3] ^= 1;
    let mut moved = proof.clone();
    moved.first_chunk += 1;
    let mut short = proof.clone();
    short.paths.pop();
    let mut swapped = proof.clone();
    swapped.chunks.swap(0, 1);
    let mut cut = proof.clone();
    cut.chunks[0].pop();
    for forged in [flipped, moved, short, swapped, cut] {
        assert!(forged.read(1_000, 100, &root, len).is_none());
    }
    assert!(proof.read(1_000, 100, &root, 1_050).is_none());
    assert!(proof.read(u64::MAX, 100, &root, len).is_none());
    assert!(proof.read(len - 10, 11, &root, len).is_none());
    assert!(TextProof::new(b"", 0, 1).is_none());
    // The last, short chunk.
    let tail = TextProof::new(text.as_bytes(), len - 5, 5).unwrap();
    assert_eq!(tail.read(len - 5, 5, &root, len).unwrap(), &text.as_bytes()[text.len() - 5..]);
}
