//! Match words: the units that span tracing compares (DESIGN §5, layer A).

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

/// Version of the Unicode word-break tables in use. A golden test fails when it moves.
pub const WORD_BREAK_VERSION: (u64, u64, u64) = (17, 0, 0);

/// Version of the Unicode normalization tables in use.
pub const NORMALIZATION_VERSION: (u8, u8, u8) = (18, 0, 0);

/// The words of a match text with their byte ranges: every segment between the word boundaries of
/// UAX #29 that is not white space. Operators and punctuation are words of their own, so that
/// source code is traced as faithfully as prose. Nothing but white space is left out.
pub fn match_words(text: &str) -> impl Iterator<Item = (Range<usize>, &str)> {
    text.split_word_bound_indices()
        .filter(|(_, word)| !word.chars().all(char::is_whitespace))
        .map(|(start, word)| (start..start + word.len(), word))
}
