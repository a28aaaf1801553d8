//! What holds for any documents and answers.

use openledger_attribution::{Document, Evidence, Index, RunKind};
use openledger_types::formats::validate_shares;
use proptest::prelude::*;

use crate::support::{cut, document, index, prose};

/// Any text over a few words with a full stop, capitals and odd white space.
fn text(most: usize) -> impl Strategy<Value = String> {
    let word =
        prop::sample::select(vec!["a ", "b ", "c ", "d. ", "Ab ", "e,f ", "\u{e9}t\u{e9}\n", "x  ", "-"]);
    prop::collection::vec(word, 0..most).prop_map(|words| words.concat())
}

fn documents() -> impl Strategy<Value = Vec<Document>> {
    prop::collection::vec((text(80), 0u8..5, 0u64..4), 0..8).prop_map(|texts| {
        texts
            .into_iter()
            .enumerate()
            .map(|(i, (text, owner, height))| Document {
                priority: (height, 0),
                ..document(i as u64 + 1, &format!("owner{owner}"), &text)
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn rule_s2_shares_are_ten_thousand_and_credits_the_whole_weight(
        documents in documents(), prompt in text(40), answer in text(120), seed in any::<[u8; 32]>(),
    ) {
        let trace = Index::build(documents).unwrap().trace(&prompt, &answer, &seed);
        validate_shares(&trace.shares, trace.no_evidence_bps).unwrap();
        let weight: u128 = trace.tokens.iter().map(|t| u128::from(t.weight) << 32).sum();
        prop_assert_eq!(trace.credits.values().sum::<u128>() + trace.no_evidence, weight);
        prop_assert_eq!(trace.runs.iter().map(|run| run.tokens).sum::<usize>(), trace.tokens.len());
    }

    #[test]
    fn rule_d3_shares_follow_from_the_union_of_all_documents_whatever_their_order(
        documents in documents(), shuffled in any::<prop::sample::Index>(), answer in text(120),
    ) {
        let mut other = documents.clone();
        other.reverse();
        let turn = shuffled.index(other.len().max(1)).min(other.len());
        other.rotate_left(turn);
        let (one, two) = (Index::build(documents).unwrap(), Index::build(other).unwrap());
        let (a, b) = (one.trace("", &answer, &[3; 32]), two.trace("", &answer, &[3; 32]));
        prop_assert_eq!(Evidence::new(&a).root(), Evidence::new(&b).root());
        prop_assert_eq!(a, b);
    }

    #[test]
    fn rule_d2_a_later_document_takes_no_copied_word_from_an_earlier_one(
        pool in prop::collection::vec(prop::collection::vec(0u8..5, 30..60), 2..4),
        texts in prop::collection::vec((prop::collection::vec((0usize..4, 0usize..30, 10usize..40), 1..4), 0u8..3), 1..6),
        later in prop::collection::vec((0usize..4, 0usize..30, 10usize..40), 1..4),
        answer in prop::collection::vec((0usize..4, 0usize..30, 10usize..40), 1..4),
        prompt in prop::collection::vec((0usize..4, 0usize..30, 0usize..12), 0..2),
    ) {
        let paste = |parts: &[(usize, usize, usize)]| {
            let mut words = Vec::new();
            for (passage, from, len) in parts {
                let passage = &pool[passage % pool.len()];
                words.extend(passage.iter().skip(*from).take(*len).map(|w| ((b'a' + w) as char).to_string()));
            }
            words.join(" ")
        };
        let mut documents: Vec<Document> = texts
            .iter()
            .enumerate()
            .map(|(i, (parts, owner))| document(i as u64 + 1, &format!("owner{owner}"), &paste(parts)))
            .collect();
        let (prompt, answer) = (paste(&prompt), paste(&answer));
        let before = Index::build(documents.clone()).unwrap().trace(&prompt, &answer, &[0; 32]);
        documents.push(document(1_000, "later", &paste(&later)));
        let after = Index::build(documents).unwrap().trace(&prompt, &answer, &[0; 32]);
        for (old, new) in before.tokens.iter().zip(&after.tokens) {
            let (old, new) = (&before.runs[old.run], &after.runs[new.run]);
            if old.kind == RunKind::Copy {
                prop_assert_eq!(new.kind, RunKind::Copy);
                prop_assert_eq!(new.payees[0].contribution_id, old.payees[0].contribution_id);
            }
        }
    }

    #[test]
    fn original_ranges_ascend_on_character_boundaries(documents in documents(), answer in "\\PC{0,60}") {
        let trace = Index::build(documents).unwrap().trace("", &answer, &[0; 32]);
        for range in trace.original_ranges(&answer) {
            prop_assert!(answer.get(range).is_some());
        }
    }
}

#[test]
fn a_short_phrase_is_shared_by_owners_not_by_documents() {
    let phrase = cut(&prose(50, 6), 0, 6);
    let with = |seed| format!("{} {phrase} {}", prose(seed, 40), prose(seed + 500, 40));
    let index = index(vec![
        document(1, "one", &with(1)),
        document(2, "two", &with(2)),
        document(3, "two", &with(3)),
        document(4, "two", &with(4)),
    ]);
    let trace = index.trace("", &phrase, &[0; 32]);
    assert_eq!(
        trace.shares.iter().map(|s| (s.contribution_id, s.bps)).collect::<Vec<_>>(),
        [(1, 5_000), (2, 5_000)]
    );
}

#[test]
fn a_phrase_of_too_many_owners_is_nobodys() {
    for (owners, kind) in [(256u64, RunKind::Phrase), (257, RunKind::Common)] {
        let documents = (1..=owners)
            .map(|id| document(id, &format!("owner{id}"), &format!("x{id} in common y{id}")))
            .collect();
        let trace = index(documents).trace("", "in common", &[0; 32]);
        assert_eq!(trace.runs[0].kind, kind);
        // At most 64 earn; the others' part has no evidence.
        assert_eq!(trace.shares.len(), if kind == RunKind::Phrase { 64 } else { 0 });
    }
}

#[test]
fn many_suffixes_of_few_owners_are_listed_like_few() {
    // More than 256 places: with few owners each is searched, with many all places are read; for a
    // word the list of frequent words answers.
    for owners in [7, 200] {
        let documents = (1..=900u64)
            .map(|id| document(id, &format!("owner{}", id % owners), &format!("x{id} in common y{id}")))
            .collect();
        let index = index(documents);
        for answer in ["in", "in common"] {
            let trace = index.trace("", answer, &[0; 32]);
            let paid: Vec<u64> = trace.runs[0].payees.iter().map(|p| p.contribution_id).collect();
            assert_eq!(paid, (1..=owners).collect::<Vec<_>>());
        }
    }
}

#[test]
fn ranges_lead_back_to_the_text_as_written() {
    let index = index(vec![document(1, "owner", "the caf\u{e9} on the corner")]);
    let answer = "  Well:\tThe  CAFE\u{301}\n on\u{200b} THE corner!";
    let trace = index.trace("", answer, &[0; 32]);
    let shown: Vec<(RunKind, &str)> = trace
        .runs
        .iter()
        .zip(trace.original_ranges(answer))
        .map(|(run, range)| (run.kind, &answer[range]))
        .collect();
    assert_eq!(
        shown,
        [
            (RunKind::Unknown, "Well:"),
            (RunKind::Phrase, "The  CAFE\u{301}\n on\u{200b} THE corner"),
            (RunKind::Unknown, "!"),
        ]
    );
}
