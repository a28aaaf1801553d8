//! What work costs: read from the pages that hold the measured figures, so that the simulation follows them.

use anyhow::{Context, Result};

/// Gas of transactions, from `docs/gas.md`.
#[derive(Clone, Debug)]
pub struct Gas {
    /// `OpenSession` with one node.
    pub open: u64,
    /// The first session of a `PostEpoch`.
    pub settle: u64,
    /// Each further one.
    pub settle_next: u64,
    /// What making the previous root final adds to a `PostEpoch`.
    pub finalize: u64,
    /// `RequestClose` and `Refund`.
    pub close: u64,
    /// `Attest`.
    pub attest: u64,
    /// `CommitSeed` and `RevealSeed`.
    pub seeds: u64,
    /// One transaction per answer, for comparison.
    pub naive: u64,
}

impl Gas {
    /// Out of the tables of the page.
    ///
    /// # Errors
    /// A figure that the page does not hold.
    pub fn read(page: &str) -> Result<Self> {
        let figure = |name: &str| -> Result<u64> {
            cell(page, name, 3)
                .and_then(|text| text.replace(',', "").parse().ok())
                .with_context(|| format!("docs/gas.md has no figure `{name}`: scripts/bench gas --write"))
        };
        let settle = figure("settle_session")?;
        Ok(Gas {
            open: figure("open_session")?,
            settle,
            settle_next: figure("settle_next_session")?,
            finalize: figure("settle_session_and_finalize")?.saturating_sub(settle),
            close: figure("close_session")?,
            attest: figure("attest")?,
            seeds: 2 * figure("commit_seed")?,
            naive: figure("naive_answer")?,
        })
    }
}

/// CPU time and bytes of an answer with 20 tokens of prompt and 100 of its own.
#[derive(Clone, Debug)]
pub struct Work {
    /// CPU-seconds of its making, eight streams together.
    pub generate: f64,
    /// Computing it again, as part of its making.
    pub replay_share: f64,
    /// CPU-seconds of the check that every auditor does of every receipt: signature, sums, order.
    pub check: f64,
    /// Bytes of its receipt in the receipts' blob.
    pub receipt_bytes: f64,
}

impl Work {
    /// Out of the table of `docs/performance.md`; `check` and `receipt_bytes` are measured by the caller.
    ///
    /// # Errors
    /// A figure that the page does not hold.
    pub fn read(page: &str, check: f64, receipt_bytes: f64) -> Result<Self> {
        let figure = |name: &str| -> Result<f64> {
            cell(page, name, 2)
                .and_then(|text| text.split(' ').next()?.replace(',', "").parse().ok())
                .with_context(|| format!("docs/performance.md has no figure `{name}`"))
        };
        let generate = 20.0 / figure("prefill_256")? + 100.0 / figure("streams_8")?;
        Ok(Work { generate, replay_share: figure("replay_share")?, check, receipt_bytes })
    }
}

/// Column `column` (from 1) of the row whose first cell names the figure.
fn cell<'a>(page: &'a str, name: &str, column: usize) -> Option<&'a str> {
    let named = format!("`{name}`");
    let row = page.lines().find(|line| {
        line.split('|').nth(1).is_some_and(|first| first.trim().split([',', ' ']).next() == Some(&named))
    })?;
    row.split('|').nth(column).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_come_from_the_pages() {
        let page = "| figure | what | ours |\n| --- | --- | ---: |\n| `settle_session` | x | 191,530 |\n\
                    | `settle_session_and_finalize` | y | 200,000 |\n| `streams_8`, tok/s | 533 (1 to 2) |";
        assert_eq!(cell(page, "settle_session", 3), Some("191,530"));
        assert_eq!(cell(page, "streams_8", 2), Some("533 (1 to 2)"));
        assert_eq!(cell(page, "settle", 3), None);
        assert!(Gas::read(page).is_err());
    }
}
