//! Match words: the units that span tracing compares (DESIGN §5, layer A).

use std::ops::Range;

use unicode_segmentation::{UWordBoundIndices, UnicodeSegmentation};

/// Version of the Unicode word-break tables in use. A golden test fails when it moves.
pub const WORD_BREAK_VERSION: (u64, u64, u64) = (17, 0, 0);

/// Version of the Unicode normalization tables in use.
pub const NORMALIZATION_VERSION: (u8, u8, u8) = (18, 0, 0);

/// The words of a match text with their byte ranges: every segment between the word boundaries of
/// UAX #29 that is not white space. Operators and punctuation are words of their own, so that
/// source code is traced as faithfully as prose. Nothing but white space is left out.
pub fn match_words(text: &str) -> impl Iterator<Item = (Range<usize>, &str)> {
    Words { text, at: 0, ascii: 0, run: None }
}

/// Most text is ASCII between spaces, whose boundaries need no tables: looking every character up takes most of the time
/// in which an index is built. What has other characters is left to the library, with the spaces before it, to which a
/// combining mark would belong.
struct Words<'a> {
    text: &'a str,
    /// First byte that is not looked at yet, outside of `run`.
    at: usize,
    /// End of the field that `at` lies in, as far as it is known to be ASCII.
    ascii: usize,
    /// Where a stretch for the library starts, and the segments that are left of it.
    run: Option<(usize, UWordBoundIndices<'a>)>,
}

impl Words<'_> {
    /// Start and end of the first field at or after `at`: bytes between spaces, whether they are ASCII.
    fn field(&self, at: usize) -> Option<(usize, usize, bool)> {
        let bytes = self.text.as_bytes().get(at..)?;
        let start = bytes.iter().position(|byte| *byte != b' ')?;
        let len = bytes[start..].iter().position(|byte| *byte == b' ').unwrap_or(bytes.len() - start);
        Some((at + start, at + start + len, bytes[start..start + len].is_ascii()))
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = (Range<usize>, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((from, segments)) = &mut self.run {
                for (start, word) in segments {
                    if !word.chars().all(char::is_whitespace) {
                        let start = *from + start;
                        return Some((start..start + word.len(), word));
                    }
                }
                self.run = None;
            }
            if self.at >= self.ascii {
                let spaces = self.at;
                // Most fields are one word of letters and digits behind one space.
                let bytes = self.text.as_bytes();
                let start = spaces + usize::from(bytes.get(spaces) == Some(&b' '));
                let rest = bytes.get(start..)?;
                let len = rest.iter().position(|byte| !JOINED[usize::from(*byte)]).unwrap_or(rest.len());
                if len > 0 && rest.get(len).is_none_or(|behind| *behind == b' ') {
                    let end = start + len;
                    (self.at, self.ascii) = (end, end);
                    return Some((start..end, &self.text[start..end]));
                }
                let (start, mut end, ascii) = self.field(spaces)?;
                if ascii {
                    (self.at, self.ascii) = (start, end);
                } else {
                    // A mark at the start of the next field belongs to the space before it, so the library has the fields up
                    // to the next that is ASCII.
                    while let Some((_, next, false)) = self.field(end) {
                        end = next;
                    }
                    (self.at, self.ascii) = (end, end);
                    self.run = Some((spaces, self.text[spaces..end].split_word_bound_indices()));
                    continue;
                }
            }
            let start = self.at;
            self.at = ascii_word(self.text.as_bytes(), start, self.ascii);
            let word = &self.text[start..self.at];
            if !word.starts_with(char::is_whitespace) {
                return Some((start..self.at, word));
            }
        }
    }
}

/// Word_Break of ASCII as far as rules tell characters apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Letter,
    Digit,
    /// `_`, ExtendNumLet.
    Extender,
    /// `:`, MidLetter.
    InLetters,
    /// `,` and `;`, MidNum.
    InDigits,
    /// `.` and `'`, MidNumLet and Single_Quote.
    InBoth,
    Other,
}

const CLASS: [Class; 128] = {
    let mut table = [Class::Other; 128];
    let mut byte = 0u8;
    while byte < 128 {
        table[byte as usize] = match byte {
            b'a'..=b'z' | b'A'..=b'Z' => Class::Letter,
            b'0'..=b'9' => Class::Digit,
            b'_' => Class::Extender,
            b':' => Class::InLetters,
            b',' | b';' => Class::InDigits,
            b'.' | b'\'' => Class::InBoth,
            _ => Class::Other,
        };
        byte += 1;
    }
    table
};

/// Bytes between which no rule sets a boundary: ASCII letters, digits and `_`.
const JOINED: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        table[byte] = matches!(CLASS[byte], Class::Letter | Class::Digit | Class::Extender);
        byte += 1;
    }
    table
};

/// End of the segment that starts at `start` of an ASCII field that ends at `end`: UAX #29, rules WB3 and WB5 to WB13b.
fn ascii_word(bytes: &[u8], start: usize, end: usize) -> usize {
    let class = |at: usize| match at < end {
        true => CLASS[usize::from(bytes[at] & 0x7F)],
        false => Class::Other,
    };
    if bytes[start] == b'\r' && start + 1 < end && bytes[start + 1] == b'\n' {
        return start + 2;
    }
    let mut at = start;
    loop {
        let (here, next) = (class(at), class(at + 1));
        let joined = match (here, next) {
            (
                Class::Letter | Class::Digit | Class::Extender,
                Class::Letter | Class::Digit | Class::Extender,
            ) => 1,
            (Class::Letter, Class::InLetters | Class::InBoth) if class(at + 2) == Class::Letter => 2,
            (Class::Digit, Class::InDigits | Class::InBoth) if class(at + 2) == Class::Digit => 2,
            _ => return at + 1,
        };
        at += joined;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What the library alone finds.
    fn by_tables(text: &str) -> Vec<(Range<usize>, &str)> {
        text.split_word_bound_indices()
            .filter(|(_, word)| !word.chars().all(char::is_whitespace))
            .map(|(start, word)| (start..start + word.len(), word))
            .collect()
    }

    /// A character of every kind that the rules tell apart, ASCII and others.
    const KINDS: [char; 22] = [
        'a',
        'Z',
        '7',
        '_',
        ':',
        ',',
        ';',
        '.',
        '\'',
        '"',
        '-',
        ' ',
        '\r',
        '\n',
        '\u{B}',
        '\0',
        '\u{308}',
        '\u{200D}',
        '\u{2000}',
        'ж',
        'א',
        '\u{1F1E6}',
    ];

    #[test]
    fn words_are_those_of_the_tables_for_all_short_texts() {
        let mut text = String::new();
        for len in 1..=4u32 {
            for number in 0..KINDS.len().pow(len) {
                text.clear();
                let mut rest = number;
                for _ in 0..len {
                    text.push(KINDS[rest % KINDS.len()]);
                    rest /= KINDS.len();
                }
                assert_eq!(match_words(&text).collect::<Vec<_>>(), by_tables(&text), "{text:?}");
            }
        }
        // Every ASCII character between letters, digits and at the ends.
        for byte in 0..=127u8 {
            let c = char::from(byte);
            for text in [format!("{c}"), format!("a{c}a {c}1{c}1{c} _{c}_"), format!("a{c}{c}a")] {
                assert_eq!(match_words(&text).collect::<Vec<_>>(), by_tables(&text), "{text:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn words_are_those_of_the_tables(
            picks in prop::collection::vec((0..KINDS.len(), any::<char>(), 0..4u8), 0..60),
        ) {
            let text: String =
                picks.into_iter().map(|(kind, other, which)| if which == 0 { other } else { KINDS[kind] }).collect();
            prop_assert_eq!(match_words(&text).collect::<Vec<_>>(), by_tables(&text));
        }
    }

    #[test]
    fn a_long_field_is_looked_at_once() {
        // Looked at anew for each of its words, this would take hours.
        let text = "a-".repeat(2_000_000);
        assert_eq!(match_words(&text).count(), 4_000_000);
    }
}
