//! The referee's cases as a loop follows them: a round reads those that run and those that are new, not all that ever
//! were.

use std::collections::HashMap;
use std::sync::Mutex;

use cosmwasm_std::HexBinary;
use openledger_types::msg::referee::{CaseResponse, Subject};

use super::view::RefereeView;
use crate::fault::Result;
use crate::serve::lock;

/// What is known between rounds; lost with a restart, which costs reading all cases once more.
#[derive(Default)]
struct Known {
    /// The last case of those, from the first on, that have ended.
    over: Option<u64>,
    /// The newest of them about each receipt.
    about: HashMap<HexBinary, u64>,
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
            if let Subject::Receipts { receipts, .. } = &case.subject {
                known.about.extend(receipts.iter().map(|held| (held.receipt_id.clone(), case.case_id)));
            }
        }
        Ok(found)
    }

    /// The newest case about a receipt, among those just read or before them: one that released its receipts may be
    /// followed by another.
    ///
    /// # Errors
    /// Those of the chain.
    pub(super) async fn about(
        &self,
        referee: &dyn RefereeView,
        read: &[CaseResponse],
        receipt_id: &HexBinary,
    ) -> Result<Option<CaseResponse>> {
        let holds = |case: &&CaseResponse| {
            matches!(&case.subject, Subject::Receipts { receipts, .. }
                if receipts.iter().any(|held| held.receipt_id == *receipt_id))
        };
        if let Some(case) = read.iter().rev().find(holds) {
            return Ok(Some(case.clone()));
        }
        let known = lock(&self.known).about.get(receipt_id).copied();
        match known {
            Some(case_id) => referee.case(case_id).await.map(Some),
            None => Ok(None),
        }
    }
}
