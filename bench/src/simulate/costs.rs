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
    /// `Finalize` of an attested root.
    pub finalize: u64,
    /// `RequestClose` and `Refund`.
    pub close: u64,
    /// `Withdraw`.
    pub withdraw: u64,
    /// `Attest`.
    pub attest: u64,
    /// `ClaimAudit`; none where the page has no figure: then claims are left out.
    pub claim: Option<u64>,
    /// `CommitSeed`, and as much for `RevealSeed`.
    pub seed: u64,
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
        Ok(Gas {
            open: figure("open_session")?,
            settle: figure("settle_session")?,
            settle_next: figure("settle_next_session")?,
            finalize: figure("finalize_attested")?,
            close: figure("close_session")?,
            withdraw: figure("withdraw")?,
            attest: figure("attest")?,
            claim: figure("claim_audit").ok(),
            seed: figure("commit_seed")?,
            naive: figure("naive_answer")?,
        })
    }
}

/// CPU time and bytes of an answer with 20 tokens of prompt and 100 of its own.
#[derive(Clone, Debug)]
pub struct Work {
    /// CPU-seconds of its making, eight streams together.
    pub generate: f64,
    /// Computing it again, as part of its making, with the tile unit (AMX).
    pub replay_share: f64,
    /// The same on a processor without one.
    pub replay_share_without: f64,
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
        Ok(Work {
            generate,
            replay_share: figure("replay_share")?,
            replay_share_without: figure("replay_share_without_amx")?,
            check,
            receipt_bytes,
        })
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
        let page =
            "| `prefill_256`, tok/s | 200 (1 to 2) |\n| `streams_8` | 50 |\n| `replay_share` | 0.18 |\n\
                    | `replay_share_without_amx`, one run | 0.32 |";
        let work = Work::read(page, 1.0, 2.0).unwrap();
        assert_eq!((work.generate, work.replay_share, work.replay_share_without), (2.1, 0.18, 0.32));
        // A page without the second processor's figure says so instead of taking the first one's.
        assert!(Work::read(page.split("_without").next().unwrap(), 1.0, 2.0).is_err());
    }
}
