//! Faults of the details under a ledger's leaves: who is paid for which share of which receipt.

use openledger_merkle::ZERO_HASH;

use super::place::{find, out_of_order, stands};
use super::receipts::breaks_terms;
use super::roots::guilty_if;
use super::span::contribution;
use super::{
    ContributionAt, DetailAt, FaultError, LeafAt, Place, ReceiptAt, RootCase, SessionFacts, Verdict,
};
use crate::formats::{hash32, Account, Receipt};
use crate::money::divide_answer;

/// Details out of order, or one twice.
pub(super) fn detail_order(case: &RootCase, leaf: &LeafAt, first: &DetailAt, second: &DetailAt) -> Verdict {
    stands(leaf, &case.commit.ledger)?;
    guilty_if(out_of_order(first, second, &leaf.leaf.detail)?)
}

/// A detail whose receipt is not in the tree, or that is dust elsewhere than in the dust leaf.
pub(super) fn detail_without_receipt(
    case: &RootCase,
    leaf: &LeafAt,
    detail: &DetailAt,
    receipt: &Place<ReceiptAt>,
) -> Verdict {
    stands(leaf, &case.commit.ledger)?;
    stands(detail, &leaf.leaf.detail)?;
    let entry = &detail.detail;
    let is_dust = entry.receipt_id.as_slice() == ZERO_HASH;
    if is_dust && leaf.leaf.account == Account::Dust && entry.contribution_id == 0 {
        return Err(FaultError::NoFault("dust belongs to no receipt"));
    }
    // Dust under another account, or an answer's amount in the dust.
    if is_dust || leaf.leaf.account == Account::Dust {
        return Ok(());
    }
    if find(receipt, &entry.receipt_id.to_vec(), &case.commit.receipts)?.is_some() {
        return Err(FaultError::NoFault("the receipt stands in the tree"));
    }
    Ok(())
}

/// A detail that its receipt does not lead to. The receipt needs no signature: the node named its
/// hash, and no other receipt has it.
pub(super) fn detail_amount(
    case: &mut RootCase,
    leaf: &LeafAt,
    detail: &DetailAt,
    receipt: &Receipt,
    source: Option<&ContributionAt>,
) -> Verdict {
    stands(leaf, &case.commit.ledger)?;
    stands(detail, &leaf.leaf.detail)?;
    let entry = &detail.detail;
    if entry.receipt_id.as_slice() != receipt.digest() {
        return Err(FaultError::WrongDomain { document: "receipt", field: "id" });
    }
    if !is_own(case, receipt) || receipt.validate().is_err() {
        return Ok(());
    }
    let facts = session_of(case, receipt)?;
    if owed(facts, receipt, entry.contribution_id)? != Some(entry.amount.u128()) {
        return Ok(());
    }
    let account = &leaf.leaf.account;
    let owner = match (entry.contribution_id, account) {
        (0, _) => Account::Commons,
        // What a contribution earns is a contributor's, whoever that is.
        (_, Account::Commons | Account::Dust) => return Ok(()),
        _ => {
            let source = source.ok_or(FaultError::NotStated("source"))?;
            contribution(receipt, source)?;
            if source.facts.contribution_id != entry.contribution_id {
                return Err(FaultError::WrongDomain { document: "source", field: "contribution" });
            }
            Account::Contributor(source.facts.contributor.clone())
        }
    };
    if *account == owner {
        return Err(FaultError::NoFault("the detail is the share's"));
    }
    Ok(())
}

/// The parts of a proof that a share is not paid.
pub(super) struct Unpaid<'a> {
    pub receipt: &'a Receipt,
    pub at: &'a ReceiptAt,
    pub source: Option<&'a ContributionAt>,
    pub leaf: &'a Place<LeafAt>,
    pub detail: Option<&'a Place<DetailAt>>,
}

/// A share of a settled receipt that its owner's leaf does not list; or a settled receipt that none
/// of its session could be: with other facts than its leaf, or against the pinned terms.
pub(super) fn share_missing(case: &mut RootCase, unpaid: &Unpaid) -> Verdict {
    let Unpaid { receipt, at, source, leaf, detail } = *unpaid;
    stands(at, &case.commit.receipts)?;
    let id = receipt.digest();
    if at.receipt_id.as_slice() != id {
        return Err(FaultError::WrongDomain { document: "receipt", field: "id" });
    }
    let told = (receipt.session_id, receipt.sequence, receipt.fee);
    if (at.session_id, at.sequence, at.fee) != told || !is_own(case, receipt) || receipt.validate().is_err() {
        return Ok(());
    }
    let facts = session_of(case, receipt)?;
    if breaks_terms(receipt, facts) {
        return Ok(());
    }
    let (contribution_id, owner) = match source {
        None => (0, Account::Commons),
        Some(source) => {
            contribution(receipt, source)?;
            (source.facts.contribution_id, Account::Contributor(source.facts.contributor.clone()))
        }
    };
    match owed(facts, receipt, contribution_id)? {
        None => return Err(FaultError::NoFault("the receipt has no such share")),
        // Honest nodes list it too, but nobody loses by its absence.
        Some(0) => return Err(FaultError::NoFault("an amount of nothing needs no detail")),
        Some(_) => {}
    }
    let Some(leaf) = find(leaf, &owner, &case.commit.ledger)? else { return Ok(()) };
    let detail = detail.ok_or(FaultError::NotStated("detail"))?;
    if find(detail, &(id.to_vec(), contribution_id), &leaf.leaf.detail)?.is_some() {
        return Err(FaultError::NoFault("the share has its detail"));
    }
    Ok(())
}

/// Whether a receipt is for this escrow and by the node of the root. Honest ledgers name no other.
fn is_own(case: &RootCase, receipt: &Receipt) -> bool {
    let court = case.court;
    receipt.chain_id == court.chain_id
        && receipt.contract == court.escrow
        && receipt.node_id == case.commit.node_id
}

/// The stated session, which must be the receipt's.
fn session_of<'a>(case: &mut RootCase<'a>, receipt: &Receipt) -> Result<&'a SessionFacts, FaultError> {
    let facts = case.session()?;
    if facts.session_id != receipt.session_id {
        return Err(FaultError::WrongDomain { document: "receipt", field: "session" });
    }
    Ok(facts)
}

/// What a receipt of valid form owes to a contribution, 0 for the commons; none when it has no such
/// share.
pub(super) fn owed(
    facts: &SessionFacts,
    receipt: &Receipt,
    contribution_id: u64,
) -> Result<Option<u128>, FaultError> {
    let seed = hash32("seed", &receipt.seed)?;
    let fee = receipt.fee.u128();
    let division = divide_answer(fee, facts.data_bps, &receipt.shares, receipt.no_evidence, &seed);
    if contribution_id == 0 {
        return Ok((receipt.no_evidence > 0).then_some(division.commons));
    }
    let share = division.amounts.iter().find(|(id, _)| *id == contribution_id);
    Ok(share.map(|(_, amount)| *amount))
}
