//! docs/gas.md, written from a measurement.

use super::targets::{Target, LEAST_RATIO, TARGETS};
use super::{Size, ANSWERS};
use crate::report::{number, Report};

/// The page.
pub fn render(report: &Report, size: &Size) -> String {
    let mut text = format!(
        "# Gas\n\nWhat the transactions of an answer's life cost. Written by\n\n```\nscripts/bench gas --write\n```\n\n\
         on a devnet of its own: stock wasmd, contracts not pinned, `gas_used` of transactions in blocks, \
         each of one message. {} runs each; the median and, where runs differ, the spread. Gas follows \
         from the code, not from the machine.\n\n",
        report.runs
    );
    text.push_str(
        "| figure | what | ours | at most | verdict | spread |\n| --- | --- | ---: | ---: | --- | --- |\n",
    );
    for target in TARGETS.iter().filter(|target| target.most.is_some()) {
        text.push_str(&line(report, target));
    }
    text.push_str("\n## One transaction per answer, on the same chain\n\n");
    text.push_str(&beside(report));
    let missed: Vec<&Target> = TARGETS.iter().filter(|target| missed(report, target)).collect();
    if !missed.is_empty() {
        text.push_str("\n## Not reached\n\n");
        for target in missed {
            let reason = target.reason();
            text.push_str(&format!("- `{}`: {reason}\n", target.metric));
        }
    }
    text.push_str("\n## More figures\n\n| figure | what | ours | spread |\n| --- | --- | ---: | --- |\n");
    for target in TARGETS.iter().filter(|target| target.most.is_none()) {
        if let Some(found) = report.figure(target.metric) {
            let (metric, what) = (target.metric, target.what);
            text.push_str(&format!(
                "| `{metric}` | {what} | {} | {} |\n",
                number(found.ours),
                spread(found.spread)
            ));
        }
    }
    text.push_str(&method(report, size));
    text
}

fn missed(report: &Report, target: &Target) -> bool {
    report.figure(target.metric).is_none_or(|found| !target.reached(found)) && target.most.is_some()
}

fn line(report: &Report, target: &Target) -> String {
    let most = target.most.map(number).unwrap_or_default();
    let (metric, what) = (target.metric, target.what);
    match report.figure(metric) {
        Some(found) => {
            let verdict = if target.reached(found) { "reached" } else { "**missed**" };
            let unit = if found.unit == "gas" { "" } else { found.unit };
            let ours = format!("{} {unit}", number(found.ours));
            let (ours, spread) = (ours.trim_end(), spread(found.spread));
            format!("| `{metric}` | {what} | {ours} | {most} | {verdict} | {spread} |\n")
        }
        None => format!("| `{metric}` | {what} | not measured | {most} | **missed** | |\n"),
    }
}

fn beside(report: &Report) -> String {
    let mut text = String::from("| figure | ours | peer | times less |\n| --- | ---: | --- | ---: |\n");
    for found in &report.metrics {
        if let (Some(peer), Some(name), Some(ratio)) = (found.peer, &found.peer_name, found.ratio) {
            let (metric, ours) = (&found.metric, number(found.ours));
            text.push_str(&format!(
                "| `{metric}` | {ours} | {} ({name}) | {} |\n",
                number(peer),
                number(ratio)
            ));
        }
    }
    text.push_str(&format!(
        "\nAsked: at least {LEAST_RATIO} times less per answer at {} answers a session. One transaction per \
         answer is our own escrow's settlement of a session with one answer. The plain transfer has no \
         escrow, no receipt and no proof.\n",
        number(ANSWERS as f64)
    ));
    text
}

fn method(report: &Report, size: &Size) -> String {
    let host = &report.host;
    format!(
        "\n## How it is measured\n\n\
         - An answer has 20 tokens of prompt and 100 of its own, its receipt cites 8 contributions; vouchers, receipts, logs and ledgers are \
           made and signed as client and node make them.\n\
         - `settle_next_session` is the slope of the least squares over 1, 2, 4, … {} sessions in one message.\n\
         - Sessions are settled for the first time and the node's previous root is final, unless the line says \
           otherwise. Leaves of the large ledger are claimed for the first time.\n\
         - Windows are two blocks. They decide when something happens, not what it costs.\n\
         - Until attestations are measured no auditor is registered, so making a root final asks the referee for audit weight; of an attested \
           root nobody is asked.\n\
         - Machine of this run: {} cores of {}; load {} before, {} after.\n",
        size.sessions, host.cores, host.cpu, host.load_before, host.load_after
    )
}

fn spread([least, most]: [f64; 2]) -> String {
    if least == most {
        return String::new();
    }
    format!("{} to {}", number(least), number(most))
}
