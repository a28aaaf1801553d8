//! From match text back to the answer as it was written.

use std::ops::Range;

use openledger_ingest::align;

use crate::Trace;

impl Trace {
    /// The byte range in `answer`, the text that was traced, of each run, in order. For display: the
    /// ranges lie on grapheme boundaries of `answer`.
    pub fn original_ranges(&self, answer: &str) -> Vec<Range<usize>> {
        let map = align(answer, &self.match_text);
        self.runs.iter().map(|run| map.original(run.start..run.start + run.len)).collect()
    }
}
