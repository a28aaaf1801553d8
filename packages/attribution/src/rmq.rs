//! Range minimum queries in little memory.

/// Values in a block that is scanned one by one.
const BLOCK: usize = 32;

/// Where the smallest value of a range stands. Blocks of 32 values are scanned; whole blocks are
/// looked up in a sparse table of positions (Bender & Farach-Colton, "The LCA problem revisited",
/// 2000). The values stay with the caller, who passes the same accessor every time: about
/// `log2(n / 32) / 8` bytes a value.
#[derive(Debug)]
pub(crate) struct RangeMin {
    /// `levels[k][b]`: position of the minimum over blocks `b .. b + 2^k`.
    levels: Vec<Vec<u32>>,
}

impl RangeMin {
    /// Prepares `len` values.
    pub(crate) fn new(len: usize, value: impl Fn(usize) -> u32) -> Self {
        let blocks = len.div_ceil(BLOCK);
        let mut level: Vec<u32> = Vec::with_capacity(blocks);
        for block in 0..blocks {
            let start = block * BLOCK;
            level.push(scan(start, (start + BLOCK).min(len), &value) as u32);
        }
        let mut levels = vec![level];
        let mut width = 1;
        while 2 * width <= blocks {
            let below = &levels[levels.len() - 1];
            let next = (0..=blocks - 2 * width)
                .map(|b| smaller(below[b] as usize, below[b + width] as usize, &value) as u32)
                .collect();
            levels.push(next);
            width *= 2;
        }
        RangeMin { levels }
    }

    /// Position of the smallest value in `lo..hi`, the leftmost of equals. `lo < hi <= len`.
    pub(crate) fn argmin(&self, lo: usize, hi: usize, value: impl Fn(usize) -> u32) -> usize {
        let (first, last) = (lo.div_ceil(BLOCK), hi / BLOCK);
        if first >= last {
            return scan(lo, hi, &value);
        }
        let height = (last - first).ilog2() as usize;
        let level = &self.levels[height];
        let mut best = smaller(level[first] as usize, level[last - (1 << height)] as usize, &value);
        if lo < first * BLOCK {
            best = smaller(scan(lo, first * BLOCK, &value), best, &value);
        }
        if last * BLOCK < hi {
            best = smaller(best, scan(last * BLOCK, hi, &value), &value);
        }
        best
    }

    /// Bytes on the heap.
    pub(crate) fn bytes(&self) -> usize {
        self.levels.iter().map(|level| level.capacity() * 4).sum()
    }
}

/// Leftmost minimum of a short range.
fn scan(lo: usize, hi: usize, value: &impl Fn(usize) -> u32) -> usize {
    let (mut best, mut least) = (lo, value(lo));
    for i in lo + 1..hi {
        let v = value(i);
        if v < least {
            (best, least) = (i, v);
        }
    }
    best
}

/// The position with the smaller value; `a` stands left of `b` and wins when equal.
fn smaller(a: usize, b: usize, value: &impl Fn(usize) -> u32) -> usize {
    if value(b) < value(a) {
        b
    } else {
        a
    }
}

#[cfg(test)]
mod tests {
    use super::RangeMin;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn finds_the_leftmost_minimum(values in prop::collection::vec(0u32..9, 1..400), a in 0usize..400, b in 0usize..400) {
            let rmq = RangeMin::new(values.len(), |i| values[i]);
            let (lo, hi) = (a.min(b) % values.len(), a.max(b) % values.len() + 1);
            prop_assume!(lo < hi);
            let naive = (lo..hi).min_by_key(|&i| (values[i], i)).unwrap();
            prop_assert_eq!(rmq.argmin(lo, hi, |i| values[i]), naive);
        }
    }
}
