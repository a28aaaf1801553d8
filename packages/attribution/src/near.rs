//! Near-duplicates: documents most of whose phrases stand in an earlier one, though hardly sixteen words
//! in a row do.
//!
//! MinHash (Broder, "On the resemblance and containment of documents", 1997) proposes pairs, the exact
//! resemblance of their sets of five words in a row decides. A signature depends on its document alone, so
//! a contributor can compare a draft with signatures that others publish.

use std::collections::{BTreeSet, HashMap, HashSet};

use sha2::{Digest, Sha256};

use crate::suffix::Suffixes;

/// Words of a shingle.
pub const SHINGLE: usize = 5;
/// Values of a signature.
pub const HASHES: usize = 128;
/// Values of a band; documents with one equal band are compared.
const ROWS: usize = 8;
/// Documents of fewer words are not compared: two sentences of the same form are no copy.
pub const LEAST_WORDS: usize = 16;
/// Words before a document from which on a run that counts as borrowed is longer, and the factor to the next.
const WORDS: (u32, u32) = (1 << 22, 8);

/// Words of a run that counts as borrowed when an earlier document of another contributor has it, for a
/// document that `before` words of others precede: 5, and one more from 4 M, 32 M, 256 M words on, because
/// in more text more runs meet by chance.
///
/// It depends on what was committed before the document, so that no later document changes the verdict.
pub fn borrowed_run(before: u32) -> usize {
    let mut width = SHINGLE;
    let mut words = WORDS.0;
    while before >= words {
        width += 1;
        words = words.saturating_mul(WORDS.1);
        if words == u32::MAX {
            break;
        }
    }
    width
}

/// Earliest documents of one band that a later one is compared with, so that a flood of equal documents
/// costs no more than this each.
const COMPARED: usize = 64;

/// Signature of a document: equal values are as frequent as shingles are common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MinHash([u32; HASHES]);

/// Value of a word, the same wherever it stands.
pub(crate) fn word_value(word: &str) -> u64 {
    let hash: [u8; 32] = Sha256::digest(word.as_bytes()).into();
    hash.iter().take(8).fold(0, |value, byte| value << 8 | u64::from(*byte))
}

impl MinHash {
    /// The signature of a match text; none of one with fewer than 16 words.
    pub fn of(match_text: &str) -> Option<Self> {
        let words: Vec<u64> =
            openledger_ingest::match_words(match_text).map(|(_, word)| word_value(word)).collect();
        Self::of_values(&words)
    }

    pub(crate) fn of_values(words: &[u64]) -> Option<Self> {
        if words.len() < LEAST_WORDS {
            return None;
        }
        let mut least = [u32::MAX; HASHES];
        for window in words.windows(SHINGLE) {
            let shingle = window.iter().fold(0, |sum, word| mix(sum ^ word));
            for ([factor, shift], value) in FACTORS.iter().zip(&mut least) {
                // The upper half is well mixed.
                let hash = (shingle.wrapping_mul(*factor).wrapping_add(*shift) >> 32) as u32;
                *value = (*value).min(hash);
            }
        }
        Some(MinHash(least))
    }

    /// Estimate of the resemblance, in thousandths.
    pub fn resemblance(&self, other: &MinHash) -> u32 {
        let equal = self.0.iter().zip(&other.0).filter(|(a, b)| a == b).count();
        (equal * 1_000 / HASHES) as u32
    }

    /// Whether the two documents are compared in full: one of 16 bands of 8 values is equal. Of documents
    /// that resemble each other by 70 % this finds three in five, of 85 % 99 in 100.
    pub fn has_equal_band(&self, other: &MinHash) -> bool {
        self.bands().zip(other.bands()).any(|(a, b)| a == b)
    }

    fn bands(&self) -> impl Iterator<Item = (usize, &[u32])> {
        self.0.chunks_exact(ROWS).enumerate()
    }
}

/// What each of the hashes multiplies a shingle by and adds: odd factors from the same mixer.
const FACTORS: [[u64; 2]; HASHES] = {
    let mut factors = [[0; 2]; HASHES];
    let mut number = 0;
    while number < HASHES {
        let from = number as u64 + 1;
        factors[number] = [mix(from) | 1, mix(from + 1_000)];
        number += 1;
    }
    factors
};

/// The finalizer of SplitMix64.
pub(crate) const fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Whether at least 70 % of all shingles of two texts are common to both.
pub(crate) fn resemble(one: &[u32], other: &[u32]) -> bool {
    let (a, b): (HashSet<&[u32]>, HashSet<&[u32]>) =
        (one.windows(SHINGLE).collect(), other.windows(SHINGLE).collect());
    let common = a.intersection(&b).count();
    let all = a.len() + b.len() - common;
    all > 0 && common * 10 >= all * 7
}

/// Documents that can resemble another: at least 70 % of their different shingles stand in other documents too.
///
/// Two texts resemble each other when 70 % of the shingles of both are common, so 70 % of each one's are. In a
/// datanet of texts that people wrote hardly any document is left, and signatures, 128 hashes a word, are the
/// dearest part of an index. `numbers` holds the document of every position.
pub(crate) fn may_resemble(
    suffixes: &Suffixes,
    shared: &[u8],
    documents: &[&[u32]],
    numbers: &[u32],
) -> Vec<bool> {
    // Different shingles of each document, and how many of them stand elsewhere too.
    let mut different: Vec<usize> = documents.iter().map(|d| (d.len() + 1).saturating_sub(SHINGLE)).collect();
    let mut elsewhere = vec![0usize; documents.len()];
    let mut group_of: Vec<u32> = vec![0; documents.len()];
    let mut group = 0;
    let mut members: Vec<usize> = Vec::new();
    suffixes.repeated(SHINGLE, shared, |positions| {
        group += 1;
        members.clear();
        for position in positions {
            let document = numbers[*position as usize] as usize;
            if std::mem::replace(&mut group_of[document], group) == group {
                different[document] -= 1;
            } else {
                members.push(document);
            }
        }
        if members.len() > 1 {
            members.iter().for_each(|document| elsewhere[*document] += 1);
        }
    });
    different.iter().zip(&elsewhere).map(|(all, common)| common * 10 >= all * 7).collect()
}

/// Documents, in order of priority, that resemble an earlier one which is kept: (document, the earliest
/// that it resembles). `values` are the words' values, by number; `compared` names the documents that are
/// compared at all.
pub(crate) fn near_duplicates(
    documents: &[&[u32]],
    values: &[u64],
    compared: impl Fn(usize) -> bool,
) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut bands: HashMap<(usize, Vec<u32>), Vec<usize>> = HashMap::new();
    for (number, words) in documents.iter().enumerate().filter(|(number, _)| compared(*number)) {
        let own: Vec<u64> =
            words.iter().map(|word| values.get(*word as usize).copied().unwrap_or(0)).collect();
        let Some(signature) = MinHash::of_values(&own) else { continue };
        let candidates: BTreeSet<usize> = signature
            .bands()
            .filter_map(|(band, rows)| bands.get(&(band, rows.to_vec())))
            .flat_map(|earlier| earlier.iter().take(COMPARED))
            .copied()
            .collect();
        if let Some(earlier) = candidates.into_iter().find(|earlier| resemble(words, documents[*earlier])) {
            found.push((number, earlier));
            continue;
        }
        for (band, rows) in signature.bands() {
            bands.entry((band, rows.to_vec())).or_default().push(number);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// [`may_resemble`] of texts over so many words.
    fn may(texts: &[&[u32]], words: u32) -> Vec<bool> {
        let (mut tokens, mut numbers) = (Vec::new(), Vec::new());
        for (document, text) in (0u32..).zip(texts) {
            tokens.extend(text.iter().copied().chain([words + document]).map(|token| token as i32));
            numbers.extend(std::iter::repeat_n(document, text.len() + 1));
        }
        let suffixes = Suffixes::build(tokens, words as usize).unwrap();
        may_resemble(&suffixes, &suffixes.shared(16), texts, &numbers)
    }

    proptest! {
        #[test]
        fn what_cannot_resemble_need_not_be_compared(
            base in prop::collection::vec(0u32..40, 30..60),
            edits in prop::collection::vec(
                (prop::collection::vec((any::<prop::sample::Index>(), 0u32..40), 0..6), 0usize..3, 0u32..40), 2..12),
        ) {
            // Texts with few and with many words changed, repeated whole, and of words of their own.
            let documents: Vec<Vec<u32>> = edits
                .iter()
                .map(|(edits, copies, own)| {
                    let mut text = base.clone();
                    edits.iter().for_each(|(at, word)| *at.get_mut(&mut text) = *word);
                    match copies {
                        0 => text.iter().map(|word| (word + own) % 40).collect(),
                        n => text.repeat(*n),
                    }
                })
                .collect();
            let texts: Vec<&[u32]> = documents.iter().map(Vec::as_slice).collect();
            let may = may(&texts, 40);
            let values: Vec<u64> = (0..40).map(mix).collect();
            prop_assert_eq!(near_duplicates(&texts, &values, |d| may[d]), near_duplicates(&texts, &values, |_| true));
            for (one, other) in (0..texts.len()).flat_map(|a| (0..a).map(move |b| (a, b))) {
                prop_assert!(!resemble(texts[one], texts[other]) || may[one] && may[other]);
            }
        }
    }

    #[test]
    fn texts_of_their_own_words_are_not_compared() {
        let documents: Vec<Vec<u32>> = (0..4).map(|d| (d * 30..d * 30 + 30).collect()).collect();
        let copy: Vec<u32> = (0..25).chain(200..205).collect();
        let texts: Vec<&[u32]> = documents.iter().chain([&copy]).map(Vec::as_slice).collect();
        assert_eq!(may(&texts, 300), [true, false, false, false, true]);
    }

    #[test]
    fn runs_grow_with_what_stands_before() {
        let steps = [
            (0, 5),
            ((1 << 22) - 1, 5),
            (1 << 22, 6),
            (1 << 25, 7),
            (1 << 28, 8),
            (1 << 31, 9),
            (u32::MAX, 9),
        ];
        for (before, width) in steps {
            assert_eq!(borrowed_run(before), width, "{before}");
        }
    }
}
