//! Faults of an epoch's root: its two trees and the one before.

use super::place::{find, misstated, out_of_order, stands};
use super::{FaultError, LeafAt, Place, ReceiptAt, RootCase, Rooted, Verdict};
use crate::formats::{hash32, SumRoot};

/// Guilty when the neighbours are out of order.
pub(super) fn guilty_if(out_of_order: bool) -> Verdict {
    if out_of_order {
        return Ok(());
    }
    Err(FaultError::NoFault("both stand in their order"))
}

/// Receipts out of order, or one twice.
pub(super) fn receipt_order(case: &RootCase, first: &ReceiptAt, second: &ReceiptAt) -> Verdict {
    guilty_if(out_of_order(first, second, &case.commit.receipts)?)
}

/// Leaves out of order, or one account twice.
pub(super) fn ledger_order(case: &RootCase, first: &LeafAt, second: &LeafAt) -> Verdict {
    guilty_if(out_of_order(first, second, &case.commit.ledger)?)
}

/// A receipt in the tree that its session did not settle in this epoch.
pub(super) fn foreign_receipt(case: &mut RootCase, at: &ReceiptAt, logged: Option<&ReceiptAt>) -> Verdict {
    let (commit, facts) = (case.commit, case.session()?);
    stands(at, &commit.receipts)?;
    if at.session_id != facts.session_id {
        return Err(FaultError::WrongDomain { document: "receipt", field: "session" });
    }
    let never = facts.denom != commit.denom || at.sequence == 0 || at.sequence > facts.log.count;
    // An older root may be the void one that was replaced: it held the same receipts.
    let before = at.sequence <= facts.settled_from && commit.epoch >= facts.settled_epoch;
    let later = commit.epoch > facts.settled_epoch;
    if never || before || later {
        return Ok(());
    }
    let logged = logged.ok_or(FaultError::NoFault("the session settled this sequence; show its log"))?;
    check_logged(logged, at.sequence)?;
    stands(logged, &facts.log)?;
    if logged.receipt_id == at.receipt_id && logged.fee == at.fee {
        return Err(FaultError::NoFault("the session's log holds this receipt"));
    }
    Ok(())
}

/// Refuses what does not claim to be the log's entry for this sequence: the log counts from 0.
fn check_logged(logged: &ReceiptAt, sequence: u64) -> Result<(), FaultError> {
    if logged.index.checked_add(1) == Some(sequence) {
        return Ok(());
    }
    Err(FaultError::WrongDomain { document: "log", field: "sequence" })
}

/// A leaf of the previous ledger that shrank or vanished.
pub(super) fn leaf_shrank(case: &RootCase, before: &LeafAt, after: &Place<LeafAt>) -> Verdict {
    stands(before, &case.commit.previous)?;
    let old = &before.leaf;
    let kept = find(after, &old.account, &case.commit.ledger)?
        .is_some_and(|new| new.leaf.cumulative >= old.cumulative && new.leaf.uses >= old.uses);
    if kept {
        return Err(FaultError::NoFault("the leaf did not shrink"));
    }
    Ok(())
}

/// A leaf whose growth is not the sum of its details.
pub(super) fn leaf_growth(case: &RootCase, before: &Place<LeafAt>, after: &LeafAt) -> Verdict {
    stands(after, &case.commit.ledger)?;
    let new = &after.leaf;
    let old = find(before, &new.account, &case.commit.previous)?.map(|before| &before.leaf);
    let (cumulative, uses) = old.map_or((0, 0), |old| (old.cumulative.u128(), old.uses));
    let grown = new.cumulative.u128().checked_sub(cumulative);
    let used = new.uses.checked_sub(uses);
    let detail = &new.detail;
    let sound = grown == Some(detail.sum.u128())
        // An answer that paid it has a detail of its own.
        && used.is_some_and(|used| used <= detail.count)
        && hash32("detail.hash", &detail.hash).is_ok()
        && !is_false_empty(detail);
    if sound {
        return Err(FaultError::NoFault("the leaf grew by the sum of its details"));
    }
    Ok(())
}

/// A root whose hash stands for another sum or number of leaves than it states.
pub(super) fn wrong_root(case: &RootCase, of: &Rooted, size: u64) -> Verdict {
    let commit = case.commit;
    let wrong = match of {
        Rooted::Nothing {} => is_false_empty(&commit.receipts) || is_false_empty(&commit.ledger),
        Rooted::Receipt(at) => misstated(at, size, &commit.receipts)?,
        Rooted::Leaf(at) => misstated(at, size, &commit.ledger)?,
        Rooted::Detail { leaf, detail } => {
            stands(leaf, &commit.ledger)?;
            misstated(detail, size, &leaf.leaf.detail)?
        }
    };
    if wrong {
        return Ok(());
    }
    Err(FaultError::NoFault("the root is worth what it states"))
}

/// Whether a root states no leaves and is not that of the empty tree.
fn is_false_empty(root: &SumRoot) -> bool {
    root.count == 0 && *root != SumRoot::empty()
}
