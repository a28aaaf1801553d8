//! Input that nobody sends in good faith.

use openledger_attribution::{Document, Error, Index, RunKind};

use crate::support::{document, index};

#[test]
fn no_documents_and_no_words() {
    let odd = ["", " ", "\u{0}\u{1}", "\u{200b}", "....", "\u{feff}\n\r\t", "a", "\u{10ffff}", "\u{fdfa}"];
    let mut documents: Vec<Document> = Vec::new();
    for n in 0..=odd.len() {
        let index = index(documents.clone());
        for answer in odd {
            for prompt in odd {
                let trace = index.trace(prompt, answer, &[0; 32]);
                let paid: u32 = trace.shares.iter().map(|s| u32::from(s.bps)).sum();
                assert_eq!(paid + u32::from(trace.no_evidence_bps), 10_000);
                assert_eq!(trace.original_ranges(answer).len(), trace.runs.len());
            }
        }
        if let Some(text) = odd.get(n) {
            documents.push(document(n as u64 + 1, "owner", text));
        }
    }
}

#[test]
fn ids_that_cannot_be() {
    assert_eq!(Index::build(vec![document(0, "owner", "x")]).unwrap_err(), Error::ZeroId);
    let twice = vec![document(3, "owner", "x"), document(3, "owner", "y")];
    assert_eq!(Index::build(twice).unwrap_err(), Error::RepeatedId(3));
    assert_eq!(Error::ZeroId.code(), "E-ATTR-001");
    assert!(Error::RepeatedId(3).to_string().starts_with("E-ATTR-002"));
}

#[test]
fn one_word_for_ever() {
    let index =
        index(vec![document(1, "one", &"a ".repeat(1_000)), document(2, "two", &"a b ".repeat(9_000))]);
    let trace = index.trace(&"b ".repeat(200_000), &"a ".repeat(100_000), &[0; 32]);
    assert_eq!(trace.tokens.len(), 100_000);
    assert_eq!(trace.runs[0].kind, RunKind::Copy);
    assert_eq!(trace.runs.last().map(|run| run.kind), Some(RunKind::Unknown));
}

#[test]
fn one_endless_word() {
    let word = "x".repeat(300_000);
    let index = index(vec![document(1, "one", &format!("see {word} there"))]);
    let trace = index.trace("", &word, &[0; 32]);
    assert_eq!(trace.shares[0].bps, 10_000);
    assert_eq!(trace.pieces.iter().map(|p| p.len as usize).sum::<usize>(), word.len());
}
