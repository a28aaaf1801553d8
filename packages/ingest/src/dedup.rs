//! Exact duplicates by the hash of the match text, which is unique over all datanets (PROTOCOL D2).

use std::collections::HashMap;

use openledger_merkle::Hash;

/// Whether a match text was seen before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// Never.
    New,
    /// Earlier in this run, as the document of this number (from 0, in the order of observation of
    /// new documents).
    InRun(u32),
    /// The chain holds it already.
    OnChain,
}

/// Remembers hashes: 32 bytes a document of the chain, 36 and the slack of a hash table for one of
/// the run.
#[derive(Debug, Clone, Default)]
pub struct Deduplicator {
    /// Sorted.
    known: Vec<Hash>,
    run: HashMap<Hash, u32>,
}

impl Deduplicator {
    /// Starts with the hashes that the chain knows.
    pub fn new(known: impl IntoIterator<Item = Hash>) -> Self {
        let mut known: Vec<Hash> = known.into_iter().collect();
        known.sort_unstable();
        known.dedup();
        known.shrink_to_fit();
        Deduplicator { known, run: HashMap::new() }
    }

    /// Whether `match_hash` was seen; remembers it when it is new.
    pub fn observe(&mut self, match_hash: &Hash) -> Seen {
        if self.known.binary_search(match_hash).is_ok() {
            return Seen::OnChain;
        }
        let next = u32::try_from(self.run.len()).unwrap_or(u32::MAX);
        match self.run.entry(*match_hash) {
            std::collections::hash_map::Entry::Occupied(earlier) => Seen::InRun(*earlier.get()),
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(next);
                Seen::New
            }
        }
    }
}
