//! Tables of the index in few bytes a token.

/// Tokens from one stored offset to the next.
const STRIDE: usize = 32;
/// Stands for a distance that does not fit a byte.
const WIDE: u8 = u8::MAX;

/// First byte of each token in its document: distances of a byte each, and every 32nd offset whole. A
/// little more than a byte a token.
#[derive(Debug, Default)]
pub(crate) struct Offsets {
    /// Offsets of tokens 0, 32, 64, …
    whole: Vec<u32>,
    /// Distance of each token from the one before it, of a document's first from the document's start.
    distances: Vec<u8>,
    /// Distances of 255 and more: (token, distance), ascending.
    wide: Vec<(u32, u32)>,
}

impl Offsets {
    /// Adds the next token, `first` where it is the first of its document. Offsets rise in a document.
    pub(crate) fn push(&mut self, offset: u32, before: u32, first: bool) {
        let token = self.distances.len();
        if token.is_multiple_of(STRIDE) {
            self.whole.push(offset);
        }
        let distance = if first { offset } else { offset.saturating_sub(before) };
        match u8::try_from(distance) {
            Ok(small) if small != WIDE => self.distances.push(small),
            _ => {
                self.wide.push((token as u32, distance));
                self.distances.push(WIDE);
            }
        }
    }

    /// Offset of token `position` of the document that starts with token `start`.
    pub(crate) fn get(&self, position: u32, start: u32) -> u32 {
        let (position, start) = (position as usize, start as usize);
        let stored = position - position % STRIDE;
        let (mut offset, from) = match stored >= start {
            true => (self.whole[stored / STRIDE], stored + 1),
            false => (0, start),
        };
        for (token, distance) in (from..=position).zip(&self.distances[from..=position]) {
            offset += match *distance {
                WIDE => self.wide_at(token as u32),
                small => u32::from(small),
            };
        }
        offset
    }

    fn wide_at(&self, token: u32) -> u32 {
        self.wide.binary_search_by_key(&token, |(at, _)| *at).map_or(0, |i| self.wide[i].1)
    }

    pub(crate) fn shrink(&mut self) {
        self.whole.shrink_to_fit();
        self.distances.shrink_to_fit();
        self.wide.shrink_to_fit();
    }

    /// Bytes on the heap.
    pub(crate) fn bytes(&self) -> usize {
        4 * self.whole.capacity() + self.distances.capacity() + 8 * self.wide.capacity()
    }
}

/// A table most of whose entries are their own number: a bit for each, and the others' values.
#[derive(Debug, Default)]
pub(crate) struct Mostly {
    /// Which entries have another value.
    bits: Vec<u64>,
    /// Values before each word of `bits`.
    before: Vec<u32>,
    values: Vec<u32>,
}

impl Mostly {
    /// The table with these entries.
    pub(crate) fn new(entries: impl ExactSizeIterator<Item = u32>) -> Self {
        let words = entries.len().div_ceil(64);
        let mut table =
            Mostly { bits: vec![0; words], before: Vec::with_capacity(words), values: Vec::new() };
        for (number, value) in entries.enumerate() {
            if number.is_multiple_of(64) {
                table.before.push(table.values.len() as u32);
            }
            if value as usize != number {
                table.bits[number / 64] |= 1 << (number % 64);
                table.values.push(value);
            }
        }
        table.values.shrink_to_fit();
        table
    }

    /// Entry `number`.
    pub(crate) fn get(&self, number: u32) -> u32 {
        let (word, bit) = (number as usize / 64, number % 64);
        let bits = self.bits[word];
        if bits >> bit & 1 == 0 {
            return number;
        }
        let below = bits & ((1u64 << bit) - 1);
        self.values[(self.before[word] + below.count_ones()) as usize]
    }

    /// Bytes on the heap.
    pub(crate) fn bytes(&self) -> usize {
        8 * self.bits.capacity() + 4 * (self.before.capacity() + self.values.capacity())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn tables_give_back_what_they_were_given(
            documents in prop::collection::vec(prop::collection::vec(0u32..700, 0..90), 1..8),
        ) {
            let (mut offsets, mut expected, mut token) = (Offsets::default(), Vec::new(), 0u32);
            for document in &documents {
                let (start, mut at) = (token, 0);
                for (number, distance) in document.iter().enumerate() {
                    let before = at;
                    at += distance;
                    offsets.push(at, before, number == 0);
                    expected.push((token, start, at));
                    token += 1;
                }
            }
            for (position, start, offset) in expected {
                prop_assert_eq!(offsets.get(position, start), offset);
            }
            let entries: Vec<u32> =
                (0u32..).zip(documents.concat()).map(|(i, v)| if v < 500 { i } else { v }).collect();
            let table = Mostly::new(entries.iter().copied());
            for (number, value) in (0u32..).zip(&entries) {
                prop_assert_eq!(table.get(number), *value);
            }
        }
    }
}
