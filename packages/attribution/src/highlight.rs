//! From match text back to the answer as it was written.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use crate::Trace;
use openledger_ingest::{match_text, match_words};

use crate::spans::echoed;

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

/// Which bytes of the original each stretch of match text came from.
struct Alignment {
    /// (end in match text, range in the original), both ascending; stretches that left nothing in
    /// match text are not listed.
    stretches: Vec<(usize, Range<usize>)>,
}

impl Alignment {
    fn original(&self, range: Range<usize>) -> Range<usize> {
        let first = self.stretches.partition_point(|(end, _)| *end <= range.start);
        let last =
            self.stretches.partition_point(|(end, _)| *end < range.end).min(self.stretches.len().max(1) - 1);
        match (self.stretches.get(first), self.stretches.get(last)) {
            (Some((_, from)), Some((_, to))) if from.start <= to.end => from.start..to.end,
            _ => 0..0,
        }
    }
}

/// Walks both texts grapheme by grapheme. Where a grapheme normalises otherwise alone than in its
/// context, one character is taken for it, and the next white space brings the two in step again.
fn align(original: &str, normal: &str) -> Alignment {
    let mut stretches = Vec::new();
    let (mut at, mut lost) = (0, false);
    for (start, grapheme) in original.grapheme_indices(true) {
        let range = start..start + grapheme.len();
        let rest = &normal[at..];
        let mut taken = 0;
        if grapheme.chars().all(char::is_whitespace) {
            if rest.starts_with(' ') {
                taken = 1;
            } else if lost {
                taken = rest.find(' ').map_or(rest.len(), |space| space + 1);
            }
            lost = false;
        } else {
            let alone = match_text(grapheme);
            if rest.starts_with(&alone) {
                taken = alone.len();
            } else {
                taken = rest.chars().next().map_or(0, char::len_utf8);
                lost = true;
            }
        }
        at += taken;
        if taken > 0 {
            stretches.push((at, range));
        }
    }
    Alignment { stretches }
}
