//! An audit as one HTML file that needs nothing else.

use std::fmt::Write as _;

use super::{Audited, Figure, Report, Verdict};
use crate::html::escape;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;\
color:#1a1a1a;background:#fff}table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .6rem;\
border-bottom:1px solid #ddd}td.n{text-align:right;font-variant-numeric:tabular-nums}code{overflow-wrap:anywhere}\
.ok{color:#17652b}.fail{color:#a4161a;font-weight:bold}small{color:#555}svg{max-width:100%}";

/// The report as a page.
pub fn page(report: &Report) -> String {
    let findings = report.findings();
    let mut page = String::new();
    // Writing to a text cannot fail.
    let _ = write!(
        page,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>Attribution of model {}:{}</title><style>{STYLE}</style></head><body>\n\
         <h1>Attribution of model {}:{}</h1>\n<p>Manifest <code>{}</code>, scheme {}. {} questions, {} of {} contributors \
         left out one by one, the model trained again each time.</p>\n",
        report.model_id,
        report.model_version,
        report.model_id,
        report.model_version,
        escape(&report.manifest_hash),
        escape(&report.scheme),
        report.questions.len(),
        report.audited.len(),
        report.contributors,
    );
    match findings.is_empty() {
        true => page.push_str("<p class=\"ok\">Nothing found against it.</p>\n"),
        false => findings.iter().for_each(|finding| {
            let _ = writeln!(page, "<p class=\"fail\">{}</p>", escape(finding));
        }),
    }
    let word = match report.reproduced {
        true => "<span class=\"ok\">are those published, to the bit</span>".to_string(),
        false => format!(
            "have another root, <code>{}</code>; on another kind of processor than the developer's this is no fault",
            escape(&report.weights_root[1])
        ),
    };
    let _ = writeln!(
        page,
        "<p>The weights that recipe and data give here ({}) {word}.</p>",
        escape(&report.processor)
    );
    if let Some(agreement) = &report.agreement {
        page.push_str(
            "<h2>Does pay predict change?</h2>\n<table><thead><tr><th></th><th>mean</th><th>95 % interval</th></tr>\
             </thead><tbody>\n",
        );
        for (name, figure) in [
            ("paid most is whose absence harms most", &agreement.top1),
            ("rank correlation", &agreement.rho),
            ("total variation (0 is best)", &agreement.total_variation),
        ] {
            let _ = writeln!(page, "<tr><td>{name}</td>{}</tr>", cells(figure));
        }
        page.push_str("</tbody></table>\n");
    }
    contributors(&mut page, &report.audited);
    let _ = write!(
        page,
        "<h2>To repeat it</h2>\n<p><code>openledger audit-attribution {}:{} --seed {}</code> with the same answers and \
         texts; their ids, tokens and shares, and the losses of every training, stand in <code>report.json</code>.</p>\n\
         <p><small>Documents <code>{}</code>, index <code>{}</code>, weights <code>{}</code>. Drawn questions move these \
         figures; the intervals are over questions, not over trainings.</small></p>\n</body></html>\n",
        report.model_id,
        report.model_version,
        escape(&report.seed),
        escape(&report.documents_hash),
        escape(report.index_root.as_deref().unwrap_or("none")),
        escape(&report.weights_root[0]),
    );
    page
}

fn cells(figure: &Figure) -> String {
    format!(
        "<td class=\"n\">{:.2}</td><td class=\"n\">{:.2} to {:.2}</td>",
        figure.mean, figure.low, figure.high
    )
}

fn contributors(page: &mut String, audited: &[Audited]) {
    page.push_str("<h2>By contributor</h2>\n");
    page.push_str(&plot(audited));
    page.push_str(
        "<table><thead><tr><th>contributor</th><th>contributions</th><th>paid</th><th>changed</th>\
         <th>excess</th><th>95 % interval</th><th></th></tr></thead><tbody>\n",
    );
    for one in audited {
        let Some(standing) = &one.standing else { continue };
        let (class, word) = match standing.verdict {
            Verdict::Fair => ("ok", "as the others"),
            Verdict::Favoured => ("fail", "paid for what changes nothing"),
            Verdict::Neglected => ("fail", "paid too little"),
        };
        let _ = writeln!(
            page,
            "<tr><td><code>{}</code></td><td class=\"n\">{}</td><td class=\"n\">{:.1} %</td>\
             <td class=\"n\">{:.1} %</td>{}<td class=\"{class}\">{word}</td></tr>",
            escape(&one.contributor),
            one.contributions,
            100.0 * standing.paid,
            100.0 * standing.changed,
            cells(&standing.excess),
        );
    }
    page.push_str("</tbody></table>\n");
}

/// What is paid (upwards) over what the absence changes (to the right), a point a contributor; fair is the diagonal.
fn plot(audited: &[Audited]) -> String {
    let standings: Vec<_> = audited.iter().filter_map(|one| Some((one, one.standing?))).collect();
    let most = standings.iter().map(|(_, s)| s.paid.max(s.changed)).fold(0.01, f64::max);
    let (x, y) = (|part: f64| 50.0 + 340.0 * part / most, |part: f64| 360.0 - 340.0 * part / most);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 420 400\" width=\"420\" font-size=\"11\" \
         font-family=\"sans-serif\" role=\"img\" aria-label=\"paid over changed\">\
         <path d=\"M50 20V360H390\" fill=\"none\" stroke=\"#888\"/><path d=\"M50 360L390 20\" stroke=\"#bbb\" \
         stroke-dasharray=\"4 4\"/><text x=\"140\" y=\"390\">part of what absences change, to {:.0} %</text>\
         <text x=\"-270\" y=\"20\" transform=\"rotate(-90)\">part of the pay</text>\n",
        100.0 * most
    );
    for (one, standing) in standings {
        let colour = if standing.verdict == Verdict::Fair { "#246" } else { "#a4161a" };
        let _ = writeln!(
            svg,
            "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"4\" fill=\"{colour}\" fill-opacity=\".75\"><title>{}</title></circle>",
            x(standing.changed),
            y(standing.paid),
            escape(&one.contributor)
        );
    }
    svg.push_str("</svg>\n");
    svg
}
