//! The suffix array over all documents and the search in it.

use libsais::SuffixArrayConstruction;

use crate::Error;

/// Stands in a pattern for a word that no document has.
pub(crate) const NO_WORD: u32 = u32::MAX;

/// Most tokens, separators included: positions are 31-bit, with room for what libsais adds.
const MAX_TOKENS: usize = i32::MAX as usize - (1 << 16);

/// Tokens in document order and their suffixes in sorted order.
#[derive(Debug)]
pub(crate) struct Suffixes {
    /// Words `0..words`, and after each document a separator `words + document`, so that no match
    /// crosses from one document into the next.
    pub(crate) tokens: Vec<u32>,
    /// Suffixes that start with a word, sorted. Separators sort behind all words and are left out.
    pub(crate) sorted: Vec<u32>,
    /// `bucket[v]..bucket[v + 1]`: suffixes that start with word `v`.
    pub(crate) bucket: Vec<u32>,
}

/// A match: suffixes `lo..hi` share their first `len` tokens with the pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Match {
    pub(crate) len: usize,
    pub(crate) lo: usize,
    pub(crate) hi: usize,
}

impl Suffixes {
    /// Sorts the suffixes of `tokens` (separators included) over `words` different words.
    pub(crate) fn build(mut tokens: Vec<i32>, words: usize) -> Result<Self, Error> {
        if tokens.len() > MAX_TOKENS {
            return Err(Error::TooManyTokens(tokens.len() as u64));
        }
        let mut bucket = vec![0u32; words + 1];
        for &token in &tokens {
            if let Some(count) = bucket.get_mut(token as usize + 1) {
                *count += 1;
            }
        }
        for v in 0..words {
            bucket[v + 1] += bucket[v];
        }
        let mut sorted: Vec<i32> = if tokens.is_empty() {
            Vec::new()
        } else {
            SuffixArrayConstruction::for_text_mut(&mut tokens)
                .in_owned_buffer32()
                .single_threaded()
                .run()
                .map_err(|error| Error::SuffixArray(error.to_string()))?
                .into_vec()
        };
        sorted.truncate(bucket[words] as usize);
        sorted.shrink_to_fit();
        Ok(Suffixes {
            tokens: tokens.into_iter().map(|token| token as u32).collect(),
            sorted: sorted.into_iter().map(|position| position as u32).collect(),
            bucket,
        })
    }

    /// The suffixes that start with `word`, one of the index.
    pub(crate) fn range(&self, word: u32) -> (usize, usize) {
        let bound = |v: usize| self.bucket.get(v).copied().unwrap_or(0) as usize;
        (bound(word as usize), bound(word as usize + 1))
    }

    /// How often word `v` occurs.
    pub(crate) fn count(&self, v: usize) -> u32 {
        self.bucket[v + 1] - self.bucket[v]
    }

    /// The longest prefix of `pattern`, at most `cap` tokens of it, that occurs, and where.
    pub(crate) fn longest(&self, pattern: &[u32], cap: usize) -> Option<Match> {
        let first = *pattern.first()? as usize;
        let (mut lo, mut hi) = (*self.bucket.get(first)? as usize, *self.bucket.get(first + 1)? as usize);
        if lo >= hi {
            return None;
        }
        let limit = pattern.len().min(cap);
        let mut len = 1;
        while len < limit {
            let next = pattern[len];
            // The suffixes share `len` words, so the token behind them exists: at the least a separator.
            let token = |i: usize| self.tokens[self.sorted[i] as usize + len];
            let (least, most) = (token(lo), token(hi - 1));
            if next < least || next > most {
                break;
            }
            if least != most {
                let from = partition(lo, hi, |i| token(i) < next);
                let to = partition(from, hi, |i| token(i) <= next);
                if from == to {
                    break;
                }
                (lo, hi) = (from, to);
            }
            len += 1;
        }
        Some(Match { len, lo, hi })
    }

    /// For each sorted suffix, how many tokens it shares with the one before it; at most `cap`, which fits a byte.
    pub(crate) fn shared(&self, cap: u8) -> Vec<u8> {
        let mut before: &[u32] = &[];
        let suffixes = self.sorted.iter().map(|position| &self.tokens[*position as usize..]);
        suffixes
            .map(|suffix| {
                let pairs = before.iter().zip(suffix).take(usize::from(cap));
                before = suffix;
                // Separators are unique: what two suffixes share lies in one document each.
                pairs.take_while(|(a, b)| a == b).count() as u8
            })
            .collect()
    }

    /// Calls `visit` with the positions of every `width` words that occur more than once, in no order. `shared` is what
    /// [`Suffixes::shared`] gives for a cap of at least `width`.
    pub(crate) fn repeated(&self, width: usize, shared: &[u8], mut visit: impl FnMut(&[u32])) {
        let mut start = 0;
        for end in 1..=self.sorted.len() {
            if shared.get(end).is_some_and(|shared| usize::from(*shared) >= width) {
                continue;
            }
            if end - start > 1 {
                visit(&self.sorted[start..end]);
            }
            start = end;
        }
    }

    /// For every position, the first position of all that start the same `width` words; the position
    /// itself where fewer words are left of the document.
    pub(crate) fn first_of_gram(&self, width: usize, shared: &[u8]) -> Vec<u32> {
        let mut first: Vec<u32> = (0..self.tokens.len() as u32).collect();
        self.repeated(width, shared, |group| {
            let least = group.iter().copied().min().unwrap_or(0);
            for &position in group {
                first[position as usize] = least;
            }
        });
        first
    }

    /// Bytes on the heap.
    pub(crate) fn bytes(&self) -> usize {
        4 * (self.tokens.capacity() + self.sorted.capacity() + self.bucket.capacity())
    }
}

/// First `i` in `lo..hi` for which `below` is false; it is true before and false after.
pub(crate) fn partition(mut lo: usize, mut hi: usize, below: impl Fn(usize) -> bool) -> usize {
    while lo < hi {
        let middle = lo + (hi - lo) / 2;
        if below(middle) {
            lo = middle + 1;
        } else {
            hi = middle;
        }
    }
    lo
}
