//! From match text back to the answer as it was written.

use std::ops::Range;

use openledger_ingest::{align, match_text, match_words};

use crate::spans::echoed;
use crate::Trace;

impl Trace {
    /// The byte range in `answer`, the text that was traced, of each run, in order. For display: the
    /// ranges lie on grapheme boundaries of `answer`.
    pub fn original_ranges(&self, answer: &str) -> Vec<Range<usize>> {
        let map = align(answer, &self.match_text);
        self.runs.iter().map(|run| map.original(run.start..run.start + run.len)).collect()
    }
}

/// The byte ranges of `answer`, as it was written, that repeat at least [`crate::ECHO_WORDS`] words of the
/// prompt, ascending. What they say is the prompt's, so neither layer pays for it.
pub fn echoes(prompt: &str, answer: &str) -> Vec<Range<usize>> {
    let (text, prompt) = (match_text(answer), match_text(prompt));
    let words: Vec<(Range<usize>, &str)> = match_words(&text).collect();
    let strings: Vec<&str> = words.iter().map(|(_, word)| *word).collect();
    let mask = echoed(&strings, match_words(&prompt).map(|(_, word)| word));
    let map = align(answer, &text);
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let mut before = false;
    for (masked, (range, _)) in mask.into_iter().zip(&words) {
        if masked {
            let range = map.original(range.clone());
            match ranges.last_mut().filter(|_| before) {
                Some(open) => open.end = range.end.max(open.end),
                None => ranges.push(range),
            }
        }
        before = masked;
    }
    ranges
}
