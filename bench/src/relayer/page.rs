//! Writes the figures into the operator's guide.

use std::path::Path;

use anyhow::{ensure, Context, Result};

use super::Size;
use crate::marks::Marks;
use crate::report::{number, Report};

const MARKS: Marks =
    Marks { begin: "<!-- figures: scripts/bench relayer --write -->", end: "<!-- end of figures -->" };

/// Replaces what stands between the two marks of the page.
///
/// # Errors
/// When the page cannot be read or written, or lacks the marks.
pub fn write(page: &Path, report: &Report, size: &Size) -> Result<()> {
    let text = std::fs::read_to_string(page).with_context(|| format!("{} cannot be read", page.display()))?;
    std::fs::write(page, MARKS.replace(&text, &render(report, size))?)?;
    Ok(())
}

/// What each figure is called, and whether the table shows it.
const ROWS: [(&str, &str); 8] = [
    ("packets_per_second", "packets received and acknowledged, a second"),
    ("commit_to_commit", "from block to block, in pauses between blocks"),
    ("commit_to_commit_blocks", "the same, in blocks of the receiving chain"),
    ("idle_cpu", "processor while idle, % of a core"),
    ("idle_memory", "memory while idle, MiB"),
    ("memory_at_most", "memory at most, MiB"),
    ("backlog_packets_per_second", "packets of a backlog, a second"),
    ("delay_by_backlog", "delay of a fresh packet by a backlog, blocks"),
];

fn render(report: &Report, size: &Size) -> String {
    let host = &report.host;
    let mut text = format!(
        "{} cores of {}; load {} before, {} after. {} packets wait when a relayer starts, median of {} run(s);\n\
         {} single packets; {} s idle; a backlog of {}.\n",
        host.cores,
        host.cpu,
        number(host.load_before),
        number(host.load_after),
        number(size.pending as f64),
        size.runs,
        size.trips,
        size.idle,
        number(size.backlog as f64)
    );
    if let Some(peer) = report.metrics.iter().find_map(|m| m.peer_name.as_ref()) {
        text.push_str(&format!("Hermes is `{peer}`, the best of three settings.\n"));
    }
    text.push_str("\n| median | here | least to most | Hermes | times better |\n|---|---|---|---|---|\n");
    for (name, words) in ROWS {
        let Some(m) = report.figure(name) else { continue };
        let peer = m.peer.map(number).unwrap_or_default();
        let ratio = m.ratio.map(number).unwrap_or_default();
        let [least, most] = m.spread.map(number);
        text.push_str(&format!("| {words} | {} | {least} to {most} | {peer} | {ratio} |\n", number(m.ours)));
    }
    text
}

/// Fails when the page has lost its place for figures.
///
/// # Errors
/// See [`write`].
pub fn check(page: &Path) -> Result<()> {
    let text = std::fs::read_to_string(page).with_context(|| format!("{} cannot be read", page.display()))?;
    ensure!(MARKS.inside(&text).is_some(), "{} has no place for figures", page.display());
    Ok(())
}
