//! Documents and texts for the tests.

use openledger_attribution::{Document, Index};
use openledger_ingest::match_text;

/// A small generator of numbers (SplitMix64), so that texts are the same on every run.
pub struct Numbers(pub u64);

impl Numbers {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }
}

/// `count` words out of a vocabulary of 4,000; different seeds share hardly a phrase.
pub fn prose(seed: u64, count: usize) -> String {
    let mut numbers = Numbers(seed);
    let words: Vec<String> = (0..count).map(|_| format!("w{}", numbers.below(4_000))).collect();
    words.join(" ")
}

/// Words `from..to` of a text.
pub fn cut(text: &str, from: usize, to: usize) -> String {
    text.split(' ').skip(from).take(to - from).collect::<Vec<_>>().join(" ")
}

/// A document committed at height `id`.
pub fn document(id: u64, contributor: &str, text: &str) -> Document {
    Document {
        contribution_id: id,
        contributor: contributor.into(),
        priority: (id, 0),
        match_text: match_text(text),
    }
}

pub fn index(documents: Vec<Document>) -> Index {
    Index::build(documents).expect("documents are valid")
}
