//! A quality score from 0 to 1000 with its reasons: what a curator would object to at first sight.
//!
//! Every document starts at 1000; each finding costs a stated number of points, and the cost is
//! shown. The score judges form only, never truth or worth.

use std::collections::HashSet;
use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};

/// Words looked at for repetition; keeps the cost linear for long documents.
const WORD_SAMPLE: usize = 4096;

/// Phrases of which one or more on a short line make it boilerplate of web pages.
static BOILERPLATE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?x)(?i-u:all\x20rights\x20reserved|cookie|privacy\x20policy|terms\x20of\x20(?:service|use)|subscribe
        |sign\x20up|log\x20in|click\x20here|read\x20more|share\x20this|follow\x20us|enable\x20javascript
        |skip\x20to\x20content)",
    )
    .ok()
});

/// A line longer than this is prose, whatever it mentions.
const BOILERPLATE_LINE: usize = 100;

/// One reason for a lower score.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QualityNote {
    /// `very_short`, `repeated_lines`, `repeated_words`, `boilerplate`, `symbols` or `damaged`.
    pub code: String,
    /// Points that it cost.
    pub cost: u16,
    /// The measured figure: words for `very_short`, else per mille.
    pub value: u32,
}

/// The score and why it is not 1000.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quality {
    /// 0 to 1000.
    pub score: u16,
    /// In the order of the checks; empty for 1000.
    pub notes: Vec<QualityNote>,
}

/// Scores a content text. Source code may repeat and may be full of symbols.
pub(crate) fn score(text: &str, code: bool) -> Quality {
    let mut quality = Quality { score: 1000, notes: Vec::new() };
    let words: Vec<&str> = text.split_whitespace().take(WORD_SAMPLE).collect();
    // Scripts without spaces count a word for every two characters.
    let wide =
        text.chars().filter(|c| matches!(u32::from(*c), 0x2E80..=0x9FFF | 0xAC00..=0xD7AF)).take(200).count();
    let length = words.len() + wide / 2;
    if length < 50 {
        quality.note("very_short", (50 - length) * 6, length);
    }
    let lines = lines(text);
    let repeated = per_mille(lines.repeated, lines.total);
    if lines.total >= 5 && repeated > 300 && !code {
        quality.note("repeated_lines", (repeated - 300) / 2, repeated);
    }
    if words.len() >= 100 && !code {
        let distinct = per_mille(words.iter().collect::<HashSet<_>>().len(), words.len());
        if distinct < 150 {
            quality.note("repeated_words", (150 - distinct) * 2, distinct);
        }
    }
    let boilerplate = per_mille(lines.boilerplate, lines.total);
    if boilerplate > 100 {
        quality.note("boilerplate", (boilerplate - 100) / 3, boilerplate);
    }
    let (mut symbols, mut damaged, mut seen) = (0usize, 0usize, 0usize);
    for c in text.chars().filter(|c| !c.is_ascii_whitespace()) {
        seen += 1;
        symbols += usize::from(c.is_ascii_punctuation());
        damaged += usize::from(c == '\u{FFFD}' || (c < ' '));
    }
    let symbols = per_mille(symbols, seen);
    if symbols > 300 && !code {
        quality.note("symbols", (symbols - 300) / 3, symbols);
    }
    if damaged > 0 {
        let share = per_mille(damaged, seen);
        quality.note("damaged", share * 10 + 20, share);
    }
    quality
}

impl Quality {
    /// Takes `cost` points, at most 300 for one reason.
    fn note(&mut self, code: &str, cost: usize, value: usize) {
        let cost = u16::try_from(cost.min(300)).unwrap_or(300);
        self.score = self.score.saturating_sub(cost);
        self.notes.push(QualityNote {
            code: code.to_owned(),
            cost,
            value: u32::try_from(value).unwrap_or(u32::MAX),
        });
    }
}

struct Lines {
    /// Lines that are not blank.
    total: usize,
    /// Of them, those seen before.
    repeated: usize,
    boilerplate: usize,
}

fn lines(text: &str) -> Lines {
    let mut seen = HashSet::new();
    let mut lines = Lines { total: 0, repeated: 0, boilerplate: 0 };
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        lines.total += 1;
        lines.repeated += usize::from(!seen.insert(line));
        if line.len() <= BOILERPLATE_LINE {
            let found = BOILERPLATE.as_ref().is_some_and(|regex| regex.is_match(line));
            lines.boilerplate += usize::from(found);
        }
    }
    lines
}

fn per_mille(part: usize, whole: usize) -> usize {
    part.saturating_mul(1000).checked_div(whole).unwrap_or(0)
}
