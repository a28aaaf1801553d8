//! The referee's cases as a loop follows them: a round reads those that run and those that are new, not all that ever
//! were.

use std::collections::HashMap;
use std::sync::Mutex;

use cosmwasm_std::HexBinary;
use openledger_types::msg::referee::{CaseResponse, ReceiptFault, Subject, Verdict};

use super::view::RefereeView;
use crate::fault::Result;
use crate::serve::lock;

/// What is known between rounds; lost with a restart, which costs reading all cases once more.
#[derive(Default)]
struct Known {
    /// The last case of those, from the first on, that have ended.
    over: Option<u64>,
    /// The newest of them about the answer of each receipt.
    about: HashMap<HexBinary, u64>,
    /// Those that found a receipt guilty of another fault: it is accused no more.
    convicted: HashMap<HexBinary, u64>,
}

/// The cases of one referee.
#[derive(Default)]
pub(super) struct Cases {
    known: Mutex<Known>,
}

impl Cases {
    /// Every case that runs, in order, with those that ended since the last call.
    ///
    /// # Errors
    /// Those of the chain.
    pub(super) async fn read(&self, referee: &dyn RefereeView) -> Result<Vec<CaseResponse>> {
        let mut found: Vec<CaseResponse> = Vec::new();
        let mut after = lock(&self.known).over;
        loop {
            let page = referee.cases(after).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.case_id);
            found.extend(page);
        }
        let mut known = lock(&self.known);
        for case in found.iter().take_while(|case| case.verdict.is_some()) {
            known.over = Some(case.case_id);
            if let Subject::Receipts { kind, receipts, .. } = &case.subject {
                let ids = receipts.iter().map(|held| (held.receipt_id.clone(), case.case_id));
                match kind {
                    ReceiptFault::Output => known.about.extend(ids),
                    _ if case.verdict == Some(Verdict::Guilty) => known.convicted.extend(ids),
                    _ => {}
                }
            }
        }
        Ok(found)
    }

    /// The newest case about the answer of a receipt, among those just read or before them: one that released it may be
    /// followed by another. Cases about other faults keep nobody from accusing the answer, unless one found guilt.
    ///
    /// # Errors
    /// Those of the chain.
    pub(super) async fn about(
        &self,
        referee: &dyn RefereeView,
        read: &[CaseResponse],
        receipt_id: &HexBinary,
    ) -> Result<Option<CaseResponse>> {
        let cites = |case: &CaseResponse, wanted: fn(ReceiptFault) -> bool| {
            matches!(&case.subject, Subject::Receipts { kind, receipts, .. }
                if wanted(*kind) && receipts.iter().any(|held| held.receipt_id == *receipt_id))
        };
        let of_answer = |case: &&CaseResponse| cites(case, |kind| kind == ReceiptFault::Output);
        let of_others = |case: &&CaseResponse| {
            case.verdict == Some(Verdict::Guilty) && cites(case, |kind| kind != ReceiptFault::Output)
        };
        let (about, convicted) = {
            let known = lock(&self.known);
            (known.about.get(receipt_id).copied(), known.convicted.get(receipt_id).copied())
        };
        let found = match (read.iter().rev().find(of_answer), about) {
            (Some(case), _) => Some(case.clone()),
            (None, Some(case_id)) => Some(referee.case(case_id).await?),
            (None, None) => None,
        };
        // A case about the answer that runs, or whose bond waits, is looked at first.
        let is_open = found.as_ref().is_some_and(|case| {
            case.verdict.is_none()
                || case.challenger == referee.hot_addr()
                || case.verdict == Some(Verdict::Guilty)
        });
        if is_open {
            return Ok(found);
        }
        match (read.iter().rev().find(of_others), convicted) {
            (Some(case), _) => Ok(Some(case.clone())),
            (None, Some(case_id)) => referee.case(case_id).await.map(Some),
            (None, None) => Ok(found),
        }
    }
}
