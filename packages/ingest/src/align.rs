//! From match text back to the text that it was made of, for showing what was found.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use crate::match_text;

/// Which bytes of the original each stretch of match text came from.
#[derive(Debug, Clone)]
pub struct Alignment {
    /// (end in match text, range in the original), both ascending; stretches that left nothing in
    /// match text are not listed.
    stretches: Vec<(usize, Range<usize>)>,
}

impl Alignment {
    /// The range of the original text behind a range of match text, both in bytes, on grapheme boundaries.
    pub fn original(&self, range: Range<usize>) -> Range<usize> {
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
pub fn align(original: &str, normal: &str) -> Alignment {
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
