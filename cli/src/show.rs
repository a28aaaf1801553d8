//! Printing for people: answers with their cited spans, tables.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;

use openledger_attribution::{Run, RunKind, Trace};
use openledger_types::api::{AnswerBundle, EvidencePiece};

use crate::explain::{Earned, Explained};
use crate::verify::Verification;

/// Words from which a span is cited with its contributions; shorter ones are only underlined.
const CITED_WORDS: usize = 4;
/// Contributions named at a span.
const NAMED: usize = 3;
const UNDERLINE: &str = "\x1b[4;36m";
const DIM: &str = "\x1b[2m";
const RESET: &str = "\x1b[0m";

/// A stretch of an answer that has evidence.
struct Span {
    range: Range<usize>,
    words: usize,
    contributions: Vec<u64>,
}

/// The answer with every span that pays somebody: underlined with `colour`, else spans of at least
/// four words in double brackets. After those follow the contributions, for example `[3,7,+2]`.
pub fn highlight(answer: &str, trace: &Trace, colour: bool) -> String {
    let ranges = trace.original_ranges(answer);
    let spans = trace
        .runs
        .iter()
        .zip(ranges)
        .filter(|(run, _)| !run.payees.is_empty())
        .map(|(run, range)| Span {
            range,
            words: run.tokens,
            contributions: run.payees.iter().map(|p| p.contribution_id).collect(),
        })
        .collect();
    mark(answer, spans, colour)
}

/// The same from a bundle's evidence, without the data.
pub fn highlight_evidence(answer: &str, evidence: &[EvidencePiece], colour: bool) -> String {
    let match_text = openledger_ingest::match_text(answer);
    let mut by_place: BTreeMap<(usize, usize), Vec<u64>> = BTreeMap::new();
    for piece in evidence {
        let (Ok(start), Ok(len)) = (usize::try_from(piece.answer_start), usize::try_from(piece.len)) else {
            continue;
        };
        // The bundle may come from anyone: only ranges of whole characters are shown.
        if start.checked_add(len).is_some_and(|end| match_text.get(start..end).is_some()) {
            by_place.entry((start, len)).or_default().push(piece.contribution_id);
        }
    }
    let runs = by_place
        .keys()
        .map(|(start, len)| Run {
            kind: RunKind::Phrase,
            first_token: 0,
            tokens: 0,
            matched: 0,
            start: *start,
            len: *len,
            weight: 0,
            payees: Vec::new(),
        })
        .collect();
    let trace = Trace {
        match_text,
        tokens: Vec::new(),
        runs,
        credits: BTreeMap::new(),
        no_evidence: 0,
        total: Default::default(),
        shares: Vec::new(),
        no_evidence_bps: 0,
        pieces: Vec::new(),
    };
    let ranges = trace.original_ranges(answer);
    let spans = by_place
        .into_values()
        .zip(ranges)
        .map(|(contributions, range)| {
            let words = answer.get(range.clone()).map_or(0, |text| text.split_whitespace().count());
            Span { range, words, contributions }
        })
        .collect();
    mark(answer, spans, colour)
}

fn mark(answer: &str, spans: Vec<Span>, colour: bool) -> String {
    let mut shown = String::with_capacity(answer.len() * 2);
    let mut at = 0;
    for span in spans {
        let cited = span.words >= CITED_WORDS;
        let (Some(before), Some(text)) = (answer.get(at..span.range.start), answer.get(span.range.clone()))
        else {
            continue;
        };
        if text.is_empty() || (!cited && !colour) {
            continue;
        }
        shown.push_str(&clean(before));
        let (open, close) = if colour { (UNDERLINE, RESET) } else { ("[[", "]]") };
        shown.push_str(open);
        shown.push_str(&clean(text));
        shown.push_str(close);
        if cited {
            let mut names: Vec<String> = span.contributions.iter().take(NAMED).map(u64::to_string).collect();
            if span.contributions.len() > NAMED {
                names.push(format!("+{}", span.contributions.len() - NAMED));
            }
            let (dim, reset) = if colour { (DIM, RESET) } else { ("", "") };
            // Writing to a text cannot fail.
            let _ = write!(shown, "{dim}[{}]{reset}", names.join(","));
        }
        at = span.range.end;
    }
    shown.push_str(&clean(answer.get(at..).unwrap_or_default()));
    shown
}

/// Text that cannot steer a terminal: control characters other than line end and tab are replaced.
pub fn clean(text: &str) -> String {
    let steers = |c: char| c.is_control() && c != '\n' && c != '\t';
    text.chars().map(|c| if steers(c) { '\u{FFFD}' } else { c }).collect()
}

/// An amount of base units with its denom, in groups of three digits.
pub fn amount(base_units: u128, denom: &str) -> String {
    let digits = base_units.to_string();
    let mut grouped = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{grouped} {denom}")
}

/// Basis points as percent.
pub fn percent(bps: u16) -> String {
    format!("{}.{:02} %", bps / 100, bps % 100)
}

/// Who is paid for an answer: fee, shares and the part without evidence. `contributor` names the owner
/// of a contribution, where known.
pub fn shares(bundle: &AnswerBundle, denom: &str, contributor: &dyn Fn(u64) -> Option<String>) -> String {
    let receipt = &bundle.receipt.receipt;
    let mut rows = Vec::new();
    for share in &receipt.shares {
        let owner = contributor(share.contribution_id).unwrap_or_default();
        let kind = kind_of_evidence(bundle, share.contribution_id).into();
        rows.push(vec![share.contribution_id.to_string(), percent(share.bps), kind, owner]);
    }
    rows.push(vec!["(no evidence)".into(), percent(receipt.no_evidence), String::new(), "commons".into()]);
    format!(
        "{}fee {} for {} + {} tokens\n",
        table(&["contribution", "share", "evidence", "contributor"], &rows),
        amount(receipt.fee.u128(), denom),
        receipt.tokens_in,
        receipt.tokens_out
    )
}

/// An answer's shares by layer.
pub fn explained(explained: &Explained) -> String {
    let mut rows: Vec<Vec<String>> = explained
        .parts
        .iter()
        .map(|part| {
            vec![
                part.contribution_id.to_string(),
                percent(part.bps),
                percent(part.influence_bps),
                percent(part.wording_bps),
                part.quoted_words.to_string(),
                part.contributor.clone(),
            ]
        })
        .collect();
    rows.push(vec!["(no evidence)".into(), percent(explained.no_evidence_bps)]);
    table(&["contribution", "share", "influence", "wording", "words", "contributor"], &rows)
}

/// What answers earned, with the words that they quote.
pub fn earned(earned: &[Earned]) -> String {
    let mut text = String::new();
    for item in earned {
        let share = item.bps.map(percent).unwrap_or_default();
        let line = format!(
            "{} for contribution {} ({share} {}) of answer {} on node {}, epoch {}",
            amount(item.amount, &item.denom),
            item.contribution_id,
            item.evidence.unwrap_or_default(),
            item.receipt_id.get(..16).unwrap_or_default(),
            item.node_id,
            item.epoch
        );
        text.push_str(&clean(&line));
        text.push('\n');
        for words in &item.quotations {
            let _ = writeln!(text, "    \u{201c}{}\u{201d}", clean(words).replace('\n', " "));
        }
        if let Some(problem) = &item.problem {
            let _ = writeln!(text, "    not shown: {}", clean(problem));
        }
    }
    if earned.is_empty() {
        text.push_str("no final ledger owes this account anything\n");
    }
    text
}

/// On what a share rests, as the bundle shows without the data: the answer's own words, or what the
/// contribution did to the model.
pub fn kind_of_evidence(bundle: &AnswerBundle, contribution_id: u64) -> &'static str {
    match bundle.evidence.iter().any(|piece| piece.contribution_id == contribution_id) {
        true => "quoted",
        false => "influence",
    }
}

/// A table with its columns as wide as their widest cell.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let cells = |row: &[String]| row.iter().map(|cell| clean(cell)).collect::<Vec<_>>();
    let head: Vec<String> = head.iter().map(|cell| (*cell).to_string()).collect();
    let rows: Vec<Vec<String>> = rows.iter().map(|row| cells(row)).collect();
    let mut widths: Vec<usize> = head.iter().map(|cell| cell.chars().count()).collect();
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    for row in [&head, &rule].into_iter().chain(&rows) {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:<width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A verification, check by check.
pub fn verification(found: &Verification) -> String {
    let mut text = String::new();
    for check in &found.checks {
        let word = if check.holds { "ok  " } else { "FAIL" };
        let _ = match check.found.is_empty() {
            true => writeln!(text, "{word} {}", check.name),
            false => writeln!(text, "{word} {}: {}", check.name, clean(&check.found)),
        };
    }
    let _ = match found.numeric_class.as_str() {
        "exact" => writeln!(
            text,
            "class exact: {} tokens replayed to the bit, {} windows differ",
            found.tokens, found.windows_differing
        ),
        class => writeln!(
            text,
            "class {class}: {} tokens replayed, {} near ties, projections differ by at most {:.1e}",
            found.tokens, found.near_ties, found.rel_l2_max
        ),
    };
    let _ = writeln!(text, "{}", clean(&found.settlement));
    let _ = writeln!(text, "{} {}", if found.holds { "verified" } else { "NOT VERIFIED" }, found.receipt_id);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(answer_start: u64, len: u32, contribution_id: u64) -> EvidencePiece {
        EvidencePiece { answer_start, len, contribution_id, source_start: 0 }
    }

    #[test]
    fn cited_spans_are_marked_in_the_answer_as_it_was_written() {
        let answer = "So  One Two Three Four, end";
        let evidence = [piece(3, 18, 7), piece(3, 18, 9)];
        let shown = highlight_evidence(answer, &evidence, false);
        assert_eq!(shown, "So  [[One Two Three Four]][7,9], end");
        assert!(highlight_evidence(answer, &evidence, true).contains(UNDERLINE));
    }

    #[test]
    fn evidence_from_anyone_cannot_break_the_printing() {
        for bad in [piece(u64::MAX, 5, 1), piece(0, u32::MAX, 1), piece(1, 1, 1), piece(0, 0, 1)] {
            assert_eq!(highlight_evidence("é ü", &[bad], false), "é ü");
        }
        assert_eq!(highlight_evidence("", &[], true), "");
        assert_eq!(highlight_evidence("a\x1b[2Jb", &[], false), "a\u{FFFD}[2Jb");
    }

    #[test]
    fn tables_align_and_amounts_group() {
        assert_eq!(amount(1_234_567, "uopen"), "1,234,567 uopen");
        assert_eq!(amount(12, "uopen"), "12 uopen");
        assert_eq!(percent(1_205), "12.05 %");
        let text = table(&["a", "bb"], &[vec!["xyz".into(), "1".into()]]);
        assert_eq!(text, "a    bb\n---  --\nxyz  1\n");
    }
}
