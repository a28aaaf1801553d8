//! An append-only log kept as the peaks of a Merkle mountain range: `O(log n)` state.

use alloc::vec::Vec;

use crate::node::Node;

/// The peaks of a log of `size` leaves, the tallest first.
#[derive(Clone, Debug, PartialEq)]
pub struct Frontier<N> {
    size: u64,
    peaks: Vec<N>,
}

impl<N: Node> Default for Frontier<N> {
    fn default() -> Self {
        Frontier { size: 0, peaks: Vec::new() }
    }
}

impl<N: Node> Frontier<N> {
    /// A log that holds nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Restores a log from stored peaks; `None` unless there is one peak for every bit of `size`.
    pub fn from_parts(size: u64, peaks: Vec<N>) -> Option<Self> {
        (peaks.len() == size.count_ones() as usize).then_some(Frontier { size, peaks })
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The peaks, the tallest first.
    pub fn peaks(&self) -> &[N] {
        &self.peaks
    }

    /// Appends a leaf; `None`, with the log unchanged, when the size or a sum overflows.
    pub fn push(&mut self, leaf: N) -> Option<()> {
        let size = self.size.checked_add(1)?;
        let merges = self.size.trailing_ones() as usize;
        let kept = self.peaks.len().checked_sub(merges)?;
        let mut node = leaf;
        for peak in self.peaks[kept..].iter().rev() {
            node = N::inner(peak, &node)?;
        }
        self.peaks.truncate(kept);
        self.peaks.push(node);
        self.size = size;
        Some(())
    }

    /// The root: peaks bagged from right to left; `None` when sums overflow.
    pub fn root(&self) -> Option<N> {
        let mut peaks = self.peaks.iter().rev();
        let Some(last) = peaks.next() else { return Some(N::empty()) };
        let mut node = last.clone();
        for peak in peaks {
            node = N::inner(peak, &node)?;
        }
        Some(node)
    }
}
