//! The trace against a search that tries everything.

use std::collections::HashSet;

use openledger_attribution::{Document, Index, MinHash, RunKind, COPY_WORDS, ECHO_WORDS};
use proptest::prelude::*;

/// A place: document, then word in it.
type Place = (usize, usize);

struct Oracle {
    documents: Vec<Document>,
    words: Vec<Vec<String>>,
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_string).collect()
}

impl Oracle {
    fn new(mut documents: Vec<Document>) -> Self {
        documents.sort_by_key(|d| (d.priority, d.contribution_id));
        let mut kept: Vec<Document> = Vec::new();
        for document in documents {
            if !kept.iter().any(|k| k.match_text == document.match_text) {
                kept.push(document);
            }
        }
        let all = Oracle { words: kept.iter().map(|d| words(&d.match_text)).collect(), documents: kept };
        let mut original: Vec<usize> = Vec::new();
        for d in (0..all.documents.len()).filter(|&d| !all.contained(d)) {
            // Which pairs are compared is drawn by hashes; that equal bands lead to them is tested apart.
            if !original.iter().any(|&earlier| all.proposed(earlier, d) && all.resemble(earlier, d)) {
                original.push(d);
            }
        }
        original.retain(|&d| !all.borrowed(d));
        Oracle {
            documents: original.iter().map(|&d| all.documents[d].clone()).collect(),
            words: original.iter().map(|&d| all.words[d].clone()).collect(),
        }
    }

    fn proposed(&self, a: usize, b: usize) -> bool {
        let signature = |d: usize| MinHash::of(&self.documents[d].match_text);
        match (signature(a), signature(b)) {
            (Some(a), Some(b)) => a.has_equal_band(&b),
            _ => false,
        }
    }

    fn resemble(&self, a: usize, b: usize) -> bool {
        let shingles = |d: usize| self.words[d].windows(5).collect::<HashSet<_>>();
        let (a, b) = (shingles(a), shingles(b));
        a.intersection(&b).count() * 10 >= a.union(&b).count() * 7
    }

    fn contained(&self, d: usize) -> bool {
        let text = &self.words[d];
        let mut covered = vec![false; text.len()];
        for (start, gram) in text.windows(COPY_WORDS).enumerate() {
            if self.places(gram)[0].0 < d {
                covered[start..start + COPY_WORDS].fill(true);
            }
        }
        let count = covered.iter().filter(|c| **c).count();
        count > 0 && count * 10 >= text.len() * 8
    }

    fn borrowed(&self, d: usize) -> bool {
        let text = &self.words[d];
        let mut covered = vec![false; text.len()];
        for (start, gram) in text.windows(5).enumerate() {
            let owner = |place: &Place| &self.documents[place.0].contributor;
            if self.places(gram).iter().any(|p| p.0 < d && *owner(p) != self.documents[d].contributor) {
                covered[start..start + 5].fill(true);
            }
        }
        let count = covered.iter().filter(|c| **c).count();
        text.len() >= 16 && count * 10 >= text.len() * 6
    }

    fn places(&self, gram: &[String]) -> Vec<Place> {
        let mut places = Vec::new();
        for (d, text) in self.words.iter().enumerate() {
            for (at, window) in text.windows(gram.len()).enumerate() {
                if window == gram {
                    places.push((d, at));
                }
            }
        }
        places
    }

    fn origin(&self, (d, at): Place) -> Place {
        (at.saturating_sub(COPY_WORDS - 1)..=at)
            .filter(|start| start + COPY_WORDS <= self.words[d].len())
            .map(|start| {
                let (first, place) = self.places(&self.words[d][start..start + COPY_WORDS])[0];
                (first, place + at - start)
            })
            .min()
            .unwrap_or((d, at))
    }

    /// Kind and payees of every word of the answer.
    fn trace(&self, prompt: &str, answer: &str) -> Vec<(RunKind, Vec<u64>)> {
        let (prompt, answer) = (words(prompt), words(answer));
        let mut reach = 0;
        let mut spans: Vec<(usize, usize)> = Vec::new();
        for start in 0..answer.len() {
            let longest = (start..answer.len())
                .take_while(|&end| !self.places(&answer[start..=end]).is_empty())
                .count();
            if longest > 0 && start + longest > reach {
                spans.push((start, longest));
                reach = start + longest;
            }
        }
        (0..answer.len())
            .map(|t| {
                let windows = |width: usize| {
                    let answer = &answer;
                    (t.saturating_sub(width - 1)..=t)
                        .filter(move |start| start + width <= answer.len())
                        .map(move |start| (start, &answer[start..start + width]))
                };
                if windows(ECHO_WORDS).any(|(_, gram)| prompt.windows(ECHO_WORDS).any(|p| p == gram)) {
                    return (RunKind::Echo, vec![]);
                }
                let copy = windows(COPY_WORDS)
                    .filter_map(|(start, gram)| self.places(gram).first().map(|(d, at)| (*d, at + t - start)))
                    .min();
                if let Some(place) = copy {
                    return (RunKind::Copy, vec![self.documents[self.origin(place).0].contribution_id]);
                }
                let cover = spans
                    .iter()
                    .filter(|(start, len)| (*start..start + len).contains(&t))
                    .max_by_key(|(start, len)| (*len, std::cmp::Reverse(*start)));
                let Some((start, len)) = cover else { return (RunKind::Unknown, vec![]) };
                let mut owners: Vec<&str> = Vec::new();
                let mut payees = Vec::new();
                for (d, _) in self.places(&answer[*start..start + len]) {
                    let document = &self.documents[d];
                    if !owners.contains(&document.contributor.as_str()) {
                        owners.push(&document.contributor);
                        payees.push(document.contribution_id);
                    }
                }
                payees.sort_unstable();
                (RunKind::Phrase, payees)
            })
            .collect()
    }
}

/// Texts pasted from a pool of passages and noise over few words, so that copies, overlaps, shared
/// phrases, marks and duplicates all happen.
fn text(pool: &[Vec<u8>], picks: &[(usize, usize, usize, Vec<u8>)]) -> String {
    let mut words = Vec::new();
    for (passage, from, len, noise) in picks {
        if let Some(passage) = pool.get(passage % pool.len().max(1)) {
            let from = from % passage.len();
            words.extend_from_slice(&passage[from..(from + len).min(passage.len())]);
        }
        words.extend_from_slice(noise);
    }
    let word = |w: &u8| if *w == 5 { '.' } else { (b'a' + w) as char };
    words.iter().map(|w| word(w).to_string()).collect::<Vec<_>>().join(" ")
}

fn picks() -> impl Strategy<Value = Vec<(usize, usize, usize, Vec<u8>)>> {
    prop::collection::vec((0usize..4, 0usize..30, 0usize..45, prop::collection::vec(0u8..7, 0..6)), 0..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn equals_trying_everything(
        pool in prop::collection::vec(prop::collection::vec(0u8..6, 20..60), 1..4),
        texts in prop::collection::vec((picks(), 0u8..3, 0u64..3), 0..7),
        answer in picks(),
        prompt in picks(),
    ) {
        let documents: Vec<Document> = texts
            .iter()
            .enumerate()
            .map(|(i, (parts, owner, height))| Document {
                contribution_id: i as u64 + 1,
                contributor: format!("owner{owner}"),
                priority: (*height, 0),
                match_text: text(&pool, parts),
            })
            .collect();
        let (prompt, answer) = (text(&pool, &prompt), text(&pool, &answer));
        let oracle = Oracle::new(documents.clone());
        let index = Index::build(documents).unwrap();
        prop_assert_eq!(index.documents(), &oracle.documents[..]);
        let trace = index.trace(&prompt, &answer, &[1; 32]);
        let found: Vec<(RunKind, Vec<u64>)> = trace
            .tokens
            .iter()
            .map(|token| &trace.runs[token.run])
            .map(|run| (run.kind, run.payees.iter().map(|p| p.contribution_id).collect()))
            .collect();
        prop_assert_eq!(found, oracle.trace(&prompt, &answer));
    }
}
