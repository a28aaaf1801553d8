//! Which contributors' texts lie in a range of the suffix array.

use std::collections::BTreeMap;

/// Most contributors among whom a phrase is shared; one that more have is nobody's.
pub const MAX_OWNERS: usize = 256;

/// Suffixes of a block whose owners are listed in advance; shorter ranges are simply read.
const BLOCK: usize = 256;
/// Blocks that a block of the next level joins.
const FAN: usize = 8;

/// Lists the distinct owners of a range with the first place of each, in time that depends on their
/// number and hardly on the length of the range: the range is cut into blocks whose lists are known
/// (precomputed document lists; Gagie et al., "Document listing on repetitive collections", 2013).
///
/// A list holds first places only, for the owner of a place is known: at most
/// `4 × MAX_OWNERS / BLOCK × 8/7` bytes a token, a few tenths with some dozens of owners.
#[derive(Debug, Default)]
pub(crate) struct Owners {
    /// Owner of each document.
    owner_of: Vec<u32>,
    /// How many owners.
    count: u32,
    /// `levels[k]`: the lists of blocks of `BLOCK × FAN^k` suffixes.
    levels: Vec<Lists>,
    /// First places of the ranges of single words that are longer than [`BLOCK`], by their start: the
    /// longest ranges there are, answered in advance.
    frequent: BTreeMap<u32, Frequent>,
}

/// The lists of one level, one after the other.
#[derive(Debug, Default)]
struct Lists {
    /// Where each list starts, and the end.
    starts: Vec<u32>,
    /// The first place of every owner, in no order that matters. A list of more than [`MAX_OWNERS`]
    /// places is cut behind the one that is too many.
    places: Vec<u32>,
}

impl Lists {
    fn new() -> Self {
        Lists { starts: vec![0], places: Vec::new() }
    }

    fn push(&mut self, list: &[(u32, u32)]) {
        self.places.extend(list.iter().take(MAX_OWNERS + 1).map(|(_, place)| *place));
        self.starts.push(self.places.len() as u32);
    }

    fn len(&self) -> usize {
        self.starts.len() - 1
    }

    fn get(&self, block: usize) -> &[u32] {
        &self.places[self.starts[block] as usize..self.starts[block + 1] as usize]
    }

    fn shrunk(mut self) -> Self {
        self.starts.shrink_to_fit();
        self.places.shrink_to_fit();
        self
    }
}

/// A frequent word: the end of its range, its first places, as [`Owners::first_places`] gives them, and how
/// often the owner of each has it.
#[derive(Debug)]
struct Frequent {
    hi: u32,
    places: Option<Vec<u32>>,
    counts: Vec<u32>,
}

/// The first place of each owner among (owner, place).
fn firsts(found: &mut Vec<(u32, u32)>) {
    found.sort_unstable();
    found.dedup_by_key(|(owner, _)| *owner);
}

impl Owners {
    /// Prepares the suffixes `sorted` of `count` owners; `buckets` are the bounds of single words and
    /// `document_at` gives the document of a position.
    pub(crate) fn build(
        sorted: &[u32],
        owner_of: Vec<u32>,
        count: usize,
        buckets: &[u32],
        document_at: impl Fn(u32) -> u32,
    ) -> Self {
        let owner = |place: u32| owner_of[document_at(place) as usize];
        let owners: Vec<u32> = sorted.iter().map(|place| owner(*place)).collect();
        let frequent = frequent(sorted, &owners, count, buckets);
        let mut found: Vec<(u32, u32)> = Vec::new();
        let mut lists = Lists::new();
        for (owners, places) in owners.chunks(BLOCK).zip(sorted.chunks(BLOCK)) {
            found.clear();
            found.extend(owners.iter().copied().zip(places.iter().copied()));
            firsts(&mut found);
            lists.push(&found);
        }
        drop(owners);
        let mut levels = vec![lists.shrunk()];
        while let Some(below) = levels.last().filter(|below| below.len() > FAN) {
            let mut lists = Lists::new();
            for block in (0..below.len()).step_by(FAN) {
                found.clear();
                for part in block..(block + FAN).min(below.len()) {
                    found.extend(below.get(part).iter().map(|place| (owner(*place), *place)));
                }
                firsts(&mut found);
                lists.push(&found);
            }
            levels.push(lists.shrunk());
        }
        Owners { owner_of, count: count as u32, levels, frequent }
    }

    /// The first position of every owner that has a suffix in `lo..hi`, ascending; `None` when more
    /// than [`MAX_OWNERS`] have one.
    pub(crate) fn first_places(
        &self,
        sorted: &[u32],
        lo: usize,
        hi: usize,
        document_at: impl Fn(u32) -> u32,
    ) -> Option<Vec<u32>> {
        if let Some(word) = self.frequent.get(&(lo as u32)).filter(|word| word.hi as usize == hi) {
            return word.places.clone();
        }
        let owner = |place: u32| self.owner_of[document_at(place) as usize];
        let mut found: Vec<(u32, u32)> = Vec::new();
        let mut add = |places: &[u32]| found.extend(places.iter().map(|place| (owner(*place), *place)));
        // Blocks as large as fit between what is already read on the left and on the right.
        let (mut from, mut to) = (lo, hi);
        let mut size = BLOCK;
        for (level, lists) in self.levels.iter().enumerate() {
            let (first, last) = (from.div_ceil(size), to / size);
            if first >= last {
                break;
            }
            if level == 0 {
                add(&sorted[from..first * size]);
                add(&sorted[last * size..to]);
            }
            // What the next level does not cover is taken from this one.
            let wide = size * FAN;
            let (next_first, next_last) = ((first * size).div_ceil(wide), last * size / wide);
            if next_first >= next_last || level + 1 == self.levels.len() {
                (first..last).for_each(|block| add(lists.get(block)));
                (from, to) = (0, 0);
                break;
            }
            (first..next_first * FAN).for_each(|block| add(lists.get(block)));
            (next_last * FAN..last).for_each(|block| add(lists.get(block)));
            (from, to) = (next_first * wide, next_last * wide);
            size = wide;
        }
        add(&sorted[from..to]);
        firsts(&mut found);
        if found.len() > MAX_OWNERS {
            return None;
        }
        let mut places: Vec<u32> = found.into_iter().map(|(_, place)| place).collect();
        places.sort_unstable();
        Some(places)
    }

    /// How many owners there are.
    pub(crate) fn owners(&self) -> u32 {
        self.count
    }

    /// How often each owner has the word of the range `lo..hi`: (owner, first place, times), places
    /// ascending; `None` when more than [`MAX_OWNERS`] have it.
    pub(crate) fn counts(
        &self,
        sorted: &[u32],
        lo: usize,
        hi: usize,
        document_at: impl Fn(u32) -> u32,
    ) -> Option<Vec<(u32, u32, u32)>> {
        let owner = |place: u32| self.owner_of[document_at(place) as usize];
        if let Some(word) = self.frequent.get(&(lo as u32)).filter(|word| word.hi as usize == hi) {
            let places = word.places.as_ref()?.iter().zip(&word.counts);
            return Some(places.map(|(place, count)| (owner(*place), *place, *count)).collect());
        }
        let mut found: Vec<(u32, u32)> = sorted[lo..hi].iter().map(|place| (owner(*place), *place)).collect();
        found.sort_unstable();
        let mut counts: Vec<(u32, u32, u32)> = Vec::new();
        for (owner, place) in found {
            match counts.last_mut().filter(|last| last.0 == owner) {
                Some(last) => last.2 += 1,
                None => counts.push((owner, place, 1)),
            }
        }
        counts.sort_unstable_by_key(|(_, place, _)| *place);
        (counts.len() <= MAX_OWNERS).then_some(counts)
    }

    /// Bytes on the heap.
    pub(crate) fn bytes(&self) -> usize {
        let places: usize = self
            .frequent
            .values()
            .filter_map(|word| word.places.as_ref())
            .map(|places| 8 * places.capacity())
            .sum();
        let lists: usize = self.levels.iter().map(|l| 4 * (l.starts.capacity() + l.places.capacity())).sum();
        4 * self.owner_of.capacity() + lists + places + 48 * self.frequent.len()
    }
}

/// First places of all words that occur more than [`BLOCK`] times, in one pass over their suffixes.
fn frequent(sorted: &[u32], owners: &[u32], count: usize, buckets: &[u32]) -> BTreeMap<u32, Frequent> {
    let mut words = BTreeMap::new();
    // Per owner: the end of the last bucket it was seen in, and its slot in that word's `places`.
    let mut slots = vec![(0u32, 0usize); count];
    for bounds in buckets.windows(2) {
        let (lo, hi) = (bounds[0], bounds[1]);
        if (hi - lo) as usize <= BLOCK {
            continue;
        }
        let mut found: Vec<(u32, u32)> = Vec::new();
        for i in lo as usize..hi as usize {
            let (seen, slot) = &mut slots[owners[i] as usize];
            if *seen != hi {
                (*seen, *slot) = (hi, found.len());
                found.push((sorted[i], 0));
            }
            let (place, count) = &mut found[*slot];
            (*place, *count) = ((*place).min(sorted[i]), *count + 1);
        }
        let word = match found.len() <= MAX_OWNERS {
            true => {
                found.sort_unstable();
                let (places, counts) = found.into_iter().unzip();
                Frequent { hi, places: Some(places), counts }
            }
            false => Frequent { hi, places: None, counts: Vec::new() },
        };
        words.insert(lo, word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ranges_give_what_reading_them_gives(
            owners in prop::collection::vec(0u32..300, 1..6), len in 1usize..40_000,
            a in any::<usize>(), b in any::<usize>(), seed in any::<u64>(),
        ) {
            // Positions in an order that mixes owners unevenly; the document of a position is position / 7.
            let mut sorted: Vec<u32> = (0..len as u32).collect();
            let mut state = seed | 1;
            for i in (1..len).rev() {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                sorted.swap(i, (state >> 33) as usize % (i + 1));
            }
            let spread = 1 + owners[0];
            let owner_of: Vec<u32> = (0..len as u32 / 7 + 1)
                .map(|d| owners[d as usize % owners.len()].wrapping_add(d / 3) % spread)
                .collect();
            let index = Owners::build(&sorted, owner_of.clone(), 300, &[0, 0], |p| p / 7);
            let (lo, hi) = (a.min(b) % len, a.max(b) % len + 1);
            prop_assume!(lo < hi);
            let mut naive: BTreeMap<u32, u32> = BTreeMap::new();
            for place in &sorted[lo..hi] {
                let first = naive.entry(owner_of[*place as usize / 7]).or_insert(*place);
                *first = (*first).min(*place);
            }
            let mut places: Vec<u32> = naive.into_values().collect();
            places.sort_unstable();
            let expected = (places.len() <= MAX_OWNERS).then_some(places);
            prop_assert_eq!(index.first_places(&sorted, lo, hi, |p| p / 7), expected);
        }
    }
}
