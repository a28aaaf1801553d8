//! Which contributors' texts lie in a range of the suffix array.

use std::collections::BTreeMap;

use crate::rmq::RangeMin;
use crate::suffix::partition;

/// Most contributors among whom a phrase is shared; one that more have is nobody's.
pub const MAX_OWNERS: usize = 256;

/// Ranges up to this many suffixes are simply read.
const SHORT: usize = 256;

/// Suffixes that are read in the time in which one owner is listed and its suffixes are searched.
const SEARCH: usize = 32;

/// Lists the distinct owners of a range in time that depends on their number, not on the length of
/// the range (Muthukrishnan, "Efficient algorithms for document retrieval problems", 2002), and
/// finds the first place of each.
#[derive(Debug, Default)]
pub(crate) struct Owners {
    /// Owner of each document.
    owner_of: Vec<u32>,
    /// Per suffix: 1 + the last suffix before it with the same owner, 0 if none.
    previous: Vec<u32>,
    /// Minimum over `previous`.
    previous_min: Option<RangeMin>,
    /// Suffixes grouped by owner, ascending in each group.
    grouped: Vec<u32>,
    /// Where each owner's group starts, and the end.
    group: Vec<u32>,
    /// Minimum over the positions of `grouped`.
    grouped_min: Option<RangeMin>,
    /// First places of the ranges of single words that are longer than [`SHORT`], by their start: the
    /// longest ranges there are, answered in advance. At most 4 bytes a token.
    frequent: BTreeMap<u32, Frequent>,
}

/// A frequent word: the end of its range and its first places, as [`Owners::first_places`] gives them.
#[derive(Debug)]
struct Frequent {
    hi: u32,
    places: Option<Vec<u32>>,
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
        let owners: Vec<u32> =
            sorted.iter().map(|position| owner_of[document_at(*position) as usize]).collect();
        let mut group = vec![0u32; count + 1];
        for owner in &owners {
            group[*owner as usize + 1] += 1;
        }
        for owner in 0..count {
            group[owner + 1] += group[owner];
        }
        let mut next = group.clone();
        let mut last = vec![0u32; count];
        let mut grouped = vec![0u32; sorted.len()];
        let frequent = frequent(sorted, &owners, count, buckets);
        let mut previous = owners;
        for (i, slot) in previous.iter_mut().enumerate() {
            let owner = *slot as usize;
            grouped[next[owner] as usize] = i as u32;
            next[owner] += 1;
            *slot = std::mem::replace(&mut last[owner], i as u32 + 1);
        }
        let previous_min = Some(RangeMin::new(previous.len(), |i| previous[i]));
        let grouped_min = Some(RangeMin::new(grouped.len(), |j| sorted[grouped[j] as usize]));
        Owners { owner_of, previous, previous_min, grouped, group, grouped_min, frequent }
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
        let owner_at = |i: usize| self.owner_of[document_at(sorted[i]) as usize];
        let mut places: Vec<u32> = if hi - lo <= SHORT {
            let mut found: Vec<(u32, u32)> = (lo..hi).map(|i| (owner_at(i), sorted[i])).collect();
            found.sort_unstable();
            found.dedup_by_key(|(owner, _)| *owner);
            found.into_iter().map(|(_, place)| place).collect()
        } else if hi - lo <= SEARCH * (self.group.len() - 1).min(MAX_OWNERS) {
            let mut first = vec![u32::MAX; self.group.len()];
            for (i, position) in sorted.iter().enumerate().take(hi).skip(lo) {
                let place = &mut first[owner_at(i) as usize];
                *place = (*place).min(*position);
            }
            first.retain(|place| *place != u32::MAX);
            if first.len() > MAX_OWNERS {
                return None;
            }
            first
        } else {
            let owners = self.distinct(lo, hi, owner_at)?;
            owners.into_iter().filter_map(|owner| self.first_of(sorted, owner, lo, hi)).collect()
        };
        places.sort_unstable();
        Some(places)
    }

    /// Distinct owners in `lo..hi`, `None` when they are too many.
    fn distinct(&self, lo: usize, hi: usize, owner_at: impl Fn(usize) -> u32) -> Option<Vec<u32>> {
        let least = self.previous_min.as_ref()?;
        let mut owners = Vec::new();
        let mut ranges = vec![(lo, hi)];
        while let Some((from, to)) = ranges.pop() {
            if from >= to {
                continue;
            }
            let i = least.argmin(from, to, |i| self.previous[i]);
            // The suffix is its owner's first in the range exactly when the one before lies outside.
            if self.previous[i] as usize > lo {
                continue;
            }
            if owners.len() == MAX_OWNERS {
                return None;
            }
            owners.push(owner_at(i));
            ranges.push((from, i));
            ranges.push((i + 1, to));
        }
        Some(owners)
    }

    /// First position of one owner's suffixes in `lo..hi`.
    fn first_of(&self, sorted: &[u32], owner: u32, lo: usize, hi: usize) -> Option<u32> {
        let (start, end) = (self.group[owner as usize] as usize, self.group[owner as usize + 1] as usize);
        let from = partition(start, end, |j| (self.grouped[j] as usize) < lo);
        let to = partition(from, end, |j| (self.grouped[j] as usize) < hi);
        let position = |j: usize| sorted[self.grouped[j] as usize];
        (from < to)
            .then(|| self.grouped_min.as_ref().map(|least| position(least.argmin(from, to, position))))?
    }

    /// Bytes on the heap.
    pub(crate) fn bytes(&self) -> usize {
        let places: usize = self
            .frequent
            .values()
            .filter_map(|word| word.places.as_ref())
            .map(|places| 4 * places.capacity())
            .sum();
        let tables = [&self.previous_min, &self.grouped_min];
        4 * (self.owner_of.capacity()
            + self.previous.capacity()
            + self.grouped.capacity()
            + self.group.capacity())
            + places
            + 48 * self.frequent.len()
            + tables.iter().filter_map(|t| t.as_ref()).map(RangeMin::bytes).sum::<usize>()
    }
}

/// First places of all words that occur more than [`SHORT`] times, in one pass over their suffixes.
fn frequent(sorted: &[u32], owners: &[u32], count: usize, buckets: &[u32]) -> BTreeMap<u32, Frequent> {
    let mut words = BTreeMap::new();
    // Per owner: the end of the last bucket it was seen in, and its slot in that word's `places`.
    let mut slots = vec![(0u32, 0usize); count];
    for bounds in buckets.windows(2) {
        let (lo, hi) = (bounds[0], bounds[1]);
        if (hi - lo) as usize <= SHORT {
            continue;
        }
        let mut places: Vec<u32> = Vec::new();
        for i in lo as usize..hi as usize {
            let (seen, slot) = &mut slots[owners[i] as usize];
            if *seen != hi {
                (*seen, *slot) = (hi, places.len());
                places.push(sorted[i]);
            } else {
                places[*slot] = places[*slot].min(sorted[i]);
            }
        }
        places.sort_unstable();
        places.shrink_to_fit();
        words.insert(lo, Frequent { hi, places: (places.len() <= MAX_OWNERS).then_some(places) });
    }
    words
}
