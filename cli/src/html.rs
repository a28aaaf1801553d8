//! A verified answer as one HTML file that needs nothing else: the answer with its spans, who is paid for
//! what, every check.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use openledger_attribution::RunKind;
use openledger_types::api::AnswerBundle;

use crate::explain::{Explained, Stretch};
use crate::show;
use crate::verify::Verification;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;\
color:#1a1a1a;background:#fff}pre{white-space:pre-wrap;overflow-wrap:anywhere;background:#f6f6f4;padding:1rem;\
border-radius:6px}table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .6rem;\
border-bottom:1px solid #ddd;vertical-align:top}td.n{text-align:right;font-variant-numeric:tabular-nums}\
mark{padding:.05em .1em;border-radius:3px}mark.echo{background:#e4e4e4}mark.common{background:none;\
border-bottom:1px dotted #999}.ok{color:#17652b}.fail{color:#a4161a;font-weight:bold}\
.bar{display:inline-block;height:.7em;background:#4a7fb0}.bar.w{background:#d08a2e}small{color:#555}";

/// Colours of contributions, over and over in the order of their shares.
const HUES: [u16; 8] = [45, 200, 100, 330, 260, 20, 160, 290];

/// The report. `amounts` are base units of `denom` by contribution.
pub fn report(
    bundle: &AnswerBundle,
    found: &Verification,
    explained: &Explained,
    amounts: &BTreeMap<u64, u128>,
    denom: &str,
) -> String {
    let receipt = &bundle.receipt.receipt;
    let verdict = if found.holds { ("ok", "Verified") } else { ("fail", "Not verified") };
    let mut page = String::new();
    // Writing to a text cannot fail.
    let _ = write!(
        page,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>Answer {}</title><style>{STYLE}</style></head><body>\n\
         <h1><span class=\"{}\">{}</span></h1>\n<p>Receipt <code>{}</code><br>Model {}:{}, node {}, {} tokens, fee {}</p>\n",
        &found.receipt_id.get(..12).unwrap_or(&found.receipt_id),
        verdict.0,
        verdict.1,
        escape(&found.receipt_id),
        receipt.model_id,
        receipt.model_version,
        receipt.node_id,
        receipt.tokens_out,
        escape(&show::amount(receipt.fee.u128(), denom)),
    );
    let _ = write!(page, "<h2>Question</h2>\n<pre>{}</pre>\n<h2>Answer</h2>\n", escape(&explained.prompt));
    let _ = writeln!(page, "<pre>{}</pre>", answer(&bundle.answer, explained));
    page.push_str(
        "<p><small>Coloured: words that stand in a contribution. Grey: repeats the question and pays nobody. \
         Dotted: a phrase that too many have. The rest stands in no contribution.</small></p>\n",
    );
    shares(&mut page, explained, amounts, denom);
    page.push_str("<h2>Checks</h2>\n<table><tbody>\n");
    for check in &found.checks {
        let (class, word) = if check.holds { ("ok", "holds") } else { ("fail", "FAILS") };
        let _ = writeln!(
            page,
            "<tr><td class=\"{class}\">{word}</td><td>{}</td><td>{}</td></tr>",
            escape(check.name),
            escape(&check.found)
        );
    }
    let _ = write!(
        page,
        "</tbody></table>\n<p>{}</p>\n<p><small>Class {}: {} tokens replayed, {} near ties. Repeat with \
         <code>openledger verify {}</code></small></p>\n</body></html>\n",
        escape(&found.settlement),
        escape(&found.numeric_class),
        found.tokens,
        found.near_ties,
        escape(&found.receipt_id),
    );
    page
}

fn shares(page: &mut String, explained: &Explained, amounts: &BTreeMap<u64, u128>, denom: &str) {
    let (influence, vocabulary, wording) = explained.weights;
    let _ = write!(
        page,
        "<h2>Who is paid</h2>\n<p><small>Scheme {}: influence weighs {influence}, vocabulary {vocabulary}, wording {wording}.</small></p>\n\
         <table><thead><tr><th>contribution</th><th>contributor</th><th>share</th><th>of it influence</th>\
         <th>of it wording</th><th>words</th><th>amount</th></tr></thead><tbody>\n",
        escape(&explained.scheme)
    );
    for (rank, part) in explained.parts.iter().enumerate() {
        let _ = writeln!(
            page,
            "<tr><td>{} {}</td><td><code>{}</code></td><td class=\"n\">{}</td><td class=\"n\">{} {}</td>\
             <td class=\"n\">{} {}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            swatch(rank),
            part.contribution_id,
            escape(&part.contributor),
            show::percent(part.bps),
            bar("", part.influence_bps),
            show::percent(part.influence_bps),
            bar(" w", part.wording_bps),
            show::percent(part.wording_bps),
            part.quoted_words,
            escape(&show::amount(amounts.get(&part.contribution_id).copied().unwrap_or(0), denom)),
        );
    }
    let _ = writeln!(
        page,
        "<tr><td></td><td>no evidence: to the commons</td><td class=\"n\">{}</td><td></td><td></td><td></td>\
         <td></td></tr>\n</tbody></table>",
        show::percent(explained.no_evidence_bps)
    );
}

fn bar(class: &str, bps: u16) -> String {
    format!("<span class=\"bar{class}\" style=\"width:{}px\"></span>", bps / 100)
}

fn hue(rank: usize) -> u16 {
    HUES[rank % HUES.len()]
}

fn swatch(rank: usize) -> String {
    format!("<mark style=\"background:hsl({} 80% 82%)\">&nbsp;&nbsp;</mark>", hue(rank))
}

/// The answer with its stretches marked; each names its contributions when pointed at.
fn answer(text: &str, explained: &Explained) -> String {
    let mut shown = String::with_capacity(text.len() * 2);
    let mut at = 0;
    for stretch in &explained.stretches {
        let range = stretch.range.clone();
        let (Some(before), Some(marked)) = (text.get(at..range.start), text.get(range.clone())) else {
            continue;
        };
        if marked.is_empty() {
            continue;
        }
        shown.push_str(&escape(before));
        match opening(stretch, explained) {
            Some(open) => {
                let _ = write!(shown, "{open}{}</mark>", escape(marked));
            }
            None => shown.push_str(&escape(marked)),
        }
        at = range.end;
    }
    shown.push_str(&escape(text.get(at..).unwrap_or_default()));
    shown
}

fn opening(stretch: &Stretch, explained: &Explained) -> Option<String> {
    let named: Vec<String> = stretch.contributions.iter().map(u64::to_string).collect();
    let rank = explained.parts.iter().position(|part| stretch.contributions.contains(&part.contribution_id));
    match stretch.kind {
        RunKind::Unknown => None,
        RunKind::Echo => Some("<mark class=\"echo\" title=\"repeats the question\">".into()),
        RunKind::Common => {
            Some("<mark class=\"common\" title=\"more than 256 contributors have it\">".into())
        }
        RunKind::Copy | RunKind::Phrase => Some(format!(
            "<mark style=\"background:hsl({} 80% 82%)\" title=\"{} words in contribution {}\">",
            hue(rank.unwrap_or(HUES.len() - 1)),
            stretch.words,
            named.join(", ")
        )),
    }
}

/// Text that cannot become markup, in elements and in quoted attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in show::clean(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::Part;

    #[test]
    fn hostile_text_cannot_become_markup() {
        let text = "<script>alert('x')</script> one & \"two\"";
        let explained = Explained {
            prompt: "<b>".into(),
            scheme: "span/1".into(),
            weights: (0, 0, 1),
            parts: vec![Part {
                contribution_id: 7,
                contributor: "a".into(),
                bps: 9_000,
                influence_bps: 0,
                wording_bps: 9_000,
                quoted_words: 1,
            }],
            no_evidence_bps: 1_000,
            stretches: vec![
                Stretch { range: 0..8, kind: RunKind::Copy, words: 1, contributions: vec![7] },
                Stretch { range: 4..900, kind: RunKind::Copy, words: 1, contributions: vec![7] },
            ],
        };
        let shown = answer(text, &explained);
        assert!(shown.starts_with("<mark style=\"background:hsl(45 80% 82%)\""), "{shown}");
        assert!(!shown.contains("<script") && shown.contains("&amp; &quot;two&quot;"), "{shown}");
        let mut page = String::new();
        shares(&mut page, &explained, &BTreeMap::from([(7, 12)]), "<u>");
        assert!(page.contains("90.00 %") && !page.contains("<u>"), "{page}");
    }
}
