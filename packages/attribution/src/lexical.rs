//! The vocabulary layer: whose texts use the words that the answer uses.
//!
//! Every word of the answer counts for every time that a contributor has it, by how rare it is: the product
//! of two bags of words. It is linear in the documents, so that splitting a text among a
//! contributor's documents changes nothing, and a stuffed word earns by its number. How well it predicts
//! training again stands in docs/attribution.md; how much it weighs beside the influence, in the manifest.

use std::collections::BTreeMap;

use crate::influence::noise_floor;
use crate::trace::{RunKind, Trace};
use crate::{Credits, Index};

/// Sixteenths of a bit that every word has to exceed: one in 2^6 words says nothing.
const SILENT: u32 = 16 * 6;
/// Most sixteenths of a bit that count above that: of rare words one says as much as another.
const LOUD: u32 = 16 * 2;

/// What a contributor is credited with, and the place that stands for it.
#[derive(Clone, Copy, Debug)]
struct Credit {
    sum: u128,
    /// The largest part by one word, and where the contributor has that word first.
    peak: (u128, u32),
}

/// What a word of this surprisal weighs, in sixteenths of a bit.
fn loudness(surprisal: u32) -> u32 {
    surprisal.saturating_sub(SILENT).min(LOUD)
}

impl Index {
    /// Credits of the vocabulary layer. A contributor's credit is cited by the contribution that has the
    /// word of the largest part of it first; words that echo the prompt, that more than 256 contributors
    /// have or that are more frequent than one in 64 do not count. What lies below the noise floor, the
    /// median distance from the median of all contributors', has no evidence.
    pub fn vocabulary(&self, trace: &Trace) -> Credits {
        let mut words: BTreeMap<u32, u128> = BTreeMap::new();
        for token in &trace.tokens {
            if trace.runs.get(token.run).is_none_or(|run| run.kind == RunKind::Echo) {
                continue;
            }
            let word = trace.match_text.get(token.start..token.end).and_then(|word| self.words.get(word));
            if let Some(word) = word.filter(|word| loudness(self.weight(*word)) > 0) {
                *words.entry(word).or_default() += 1;
            }
        }
        let mut owners: BTreeMap<u32, Credit> = BTreeMap::new();
        for (word, times) in words {
            let (lo, hi) = self.suffixes.range(word);
            let Some(counts) =
                self.owners.counts(&self.suffixes.sorted, lo, hi, |place| self.document_at(place))
            else {
                continue;
            };
            // At most 2^16 words of 2^5 units that occur 2^31 times.
            let weight = times * u128::from(loudness(self.weight(word)));
            for (owner, place, count) in counts {
                let part = weight * u128::from(count);
                let credit = owners.entry(owner).or_insert(Credit { sum: 0, peak: (0, place) });
                credit.sum += part;
                if part > credit.peak.0 {
                    credit.peak = (part, place);
                }
            }
        }
        let sum = |owner| owners.get(&owner).map_or(0, |c| i64::try_from(c.sum).unwrap_or(i64::MAX));
        let floor = noise_floor((0..self.owners.owners()).map(sum).collect());
        let mut credits = Credits::default();
        for Credit { sum, peak } in owners.values() {
            let above = sum.saturating_sub(u128::from(floor));
            if above > 0 {
                let cited = self.contribution(self.document_at(peak.1));
                *credits.contributions.entry(cited).or_default() += above;
            }
            credits.no_evidence += sum - above;
        }
        credits
    }
}
