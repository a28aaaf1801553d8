//! From match text back to the answer as it was written.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use crate::Trace;
use openledger_ingest::match_text;

impl Trace {
    /// The byte range in `answer`, the text that was traced, of each run, in order. For display: the
    /// ranges lie on grapheme boundaries of `answer`.
    pub fn original_ranges(&self, answer: &str) -> Vec<Range<usize>> {
        let map = align(answer, &self.match_text);
        self.runs.iter().map(|run| map.original(run.start..run.start + run.len)).collect()
    }
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
