//! The chain as a queue: transactions wait until a block has gas for them.

use std::collections::VecDeque;

/// Transactions that wait, and what blocks have taken.
#[derive(Debug)]
pub struct Chain<T> {
    limit: u64,
    queue: VecDeque<(u64, u64, T)>,
    /// Gas of each block.
    pub used: Vec<u64>,
    /// Transactions taken.
    pub taken: u64,
    /// Blocks that transactions waited, by number of blocks; the last entry holds all longer waits.
    pub waits: Vec<u64>,
}

/// Longest wait that is told apart, in blocks.
const LONGEST: usize = 10_000;

impl<T> Chain<T> {
    /// Empty, with blocks of so much gas.
    pub fn new(limit: u64) -> Self {
        Chain { limit, queue: VecDeque::new(), used: Vec::new(), taken: 0, waits: vec![0; LONGEST + 1] }
    }

    /// A transaction reaches the memory pool before block `now`.
    pub fn send(&mut self, now: u64, gas: u64, what: T) {
        self.queue.push_back((now, gas, what));
    }

    /// Block `now`: what it takes, each with its gas, in the order in which it came. One that alone needs more than a block may
    /// hold is never taken by a chain; here it takes a block of its own, and the caller sees it in `used`.
    pub fn block(&mut self, now: u64) -> Vec<(u64, T)> {
        let mut used = 0u64;
        let mut done = Vec::new();
        while let Some((since, gas, _)) = self.queue.front() {
            if used > 0 && used.saturating_add(*gas) > self.limit {
                break;
            }
            used = used.saturating_add(*gas);
            self.waits[usize::try_from(now - since).unwrap_or(LONGEST).min(LONGEST)] += 1;
            let (_, gas, what) = self.queue.pop_front().expect("the front was looked at");
            done.push((gas, what));
        }
        self.taken += done.len() as u64;
        self.used.push(used);
        done
    }

    /// Transactions that wait.
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Blocks within which this part of all transactions was taken.
    pub fn wait(&self, part: f64) -> u64 {
        let all: u64 = self.waits.iter().sum();
        let mut seen = 0;
        for (blocks, count) in self.waits.iter().enumerate() {
            seen += count;
            if seen as f64 >= part * all as f64 {
                return blocks as u64;
            }
        }
        LONGEST as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_takes_what_fits_in_order() {
        let mut chain = Chain::new(10);
        for gas in [4, 5, 6, 20, 1] {
            chain.send(1, gas, gas);
        }
        let mut what = |now| chain.block(now).into_iter().map(|(_, what)| what).collect();
        let blocks: Vec<Vec<u64>> = (1..6).map(&mut what).collect();
        assert_eq!(blocks, [vec![4, 5], vec![6], vec![20], vec![1], vec![]]);
        assert_eq!((chain.wait(0.5), chain.wait(1.0), chain.waiting()), (1, 3, 0));
    }
}
