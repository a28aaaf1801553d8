//! Posting epochs, and replacing roots that are void (L2, L7).

use cosmwasm_std::{DepsMut, Env, Event, HexBinary, MessageInfo, Response, Uint128};
use openledger_contract::lean::Lean;
use openledger_contract::lists::is_rising;
use openledger_contract::{payment, CommonError};
use openledger_types::formats::{hash32, BlobRef, EpochCommit};
use openledger_types::msg::escrow::{RootStatus, Settlement, MAX_SETTLEMENTS};

use crate::error::{ContractError, ContractResult};
use crate::execute::finality::finalize_if_due;
use crate::roots::{self, Epoch};
use crate::settle::settle;
use crate::state::{Ledger, Outcome, Pending, LEDGERS, OUTCOMES, PARAMS, PENDING, REPLACED};
use crate::{book, money, registry};

/// `PostEpoch`.
// As a function of its own: inlined into `execute` it passes the 100 locals that the chain allows.
#[inline(never)]
pub fn post(
    mut deps: DepsMut,
    env: Env,
    info: MessageInfo,
    commit: EpochCommit,
    settlements: Vec<Settlement>,
) -> ContractResult<Response> {
    payment::nonpayable(&info)?;
    validate_batch(&settlements)?;
    let (node_id, denom) = (commit.node_id, commit.denom.clone());
    let due = finalize_if_due(&mut deps, &env, node_id)?;
    if let Some(waiting) = PENDING.may_load(deps.storage, node_id)? {
        return Err(match waiting.void {
            Some(_) => ContractError::RootVoid { epoch: waiting.epoch },
            None => ContractError::RootPending { final_at: waiting.final_at },
        });
    }
    let ledger = LEDGERS.may_load(deps.storage, (node_id, &denom))?.unwrap_or_default();
    validate_commit(&env, &commit, &ledger, ledger.epoch)?;

    let mut pending = Pending { denom: denom.clone(), posted_at: env.block.height, ..Pending::default() };
    let mut receipts = 0u64;
    let mut events: Vec<Event> = due.into_iter().collect();
    for settlement in &settlements {
        let session_id = settlement.session_id;
        let place = (node_id, denom.as_str(), commit.epoch);
        let settled = settle(&mut deps, &env, &info.sender, place, settlement)
            .map_err(|source| ContractError::InSession { session_id, source: Box::new(source) })?;
        receipts = receipts.checked_add(settled.receipts).ok_or(CommonError::AmountTooLarge {})?;
        // Who may replace the root: whom every session would have let post it.
        if pending.operators.is_empty() {
            pending.hot.clone_from(&settled.pin.hot);
        } else if pending.hot != settled.pin.hot {
            pending.hot = None;
        }
        book::add(&mut pending, &settled.session, &settled.pin.operator, settled.fees)?;
        if settled.session.owner == settled.pin.operator {
            pending.own_receipts = pending.own_receipts.saturating_add(settled.receipts);
        }
        events.push(
            Event::new("session_settled")
                .add_attribute("session_id", session_id.to_string())
                .add_attribute("node_id", node_id.to_string())
                .add_attribute("receipts", settled.receipts.to_string())
                .add_attribute("fees", format!("{}{denom}", settled.fees)),
        );
    }
    let response = Response::new()
        .add_attribute("action", "post_epoch")
        .add_attribute("node_id", node_id.to_string())
        .add_attribute("epoch", commit.epoch.to_string())
        .add_attribute("hash", HexBinary::from(&commit.hash()).to_hex())
        .add_attribute("receipts", receipts.to_string())
        .add_attribute("fees", format!("{}{denom}", pending.fees))
        .add_attribute("data", format!("{}{denom}", pending.data));
    validate_sums(&commit, pending.fees, pending.data, receipts)?;
    let final_at = save(deps, &env, commit, pending)?;
    Ok(response.add_attribute("final_at", final_at.to_string()).add_events(events))
}

/// `ReplaceEpoch`. What the void root settled is settled: only receipts and ledger are committed anew.
pub fn replace(deps: DepsMut, env: Env, info: MessageInfo, commit: EpochCommit) -> ContractResult<Response> {
    payment::nonpayable(&info)?;
    let (node_id, denom) = (commit.node_id, commit.denom.clone());
    let mut pending =
        PENDING.may_load(deps.storage, node_id)?.ok_or(ContractError::NoPendingRoot { node_id })?;
    let Some(void) = pending.void.take() else {
        return Err(ContractError::RootPending { final_at: pending.final_at });
    };
    let allowed = match pending.operators.as_slice() {
        // Roots of the first release do not say who posted them.
        [] => {
            let node = registry::node(deps.as_ref(), node_id)?;
            [Some(node.operator.as_str()), node.hot_addr.as_deref()].contains(&Some(info.sender.as_str()))
        }
        [(operator, _)] if *operator == info.sender => true,
        _ => pending.hot.as_ref() == Some(&info.sender),
    };
    if !allowed {
        return Err(CommonError::Unauthorized { role: "the node's operator or hot address" }.into());
    }
    if commit.denom != pending.denom {
        return Err(ContractError::WrongCommit { field: "denom", rule: "that of the void root" });
    }
    let ledger = LEDGERS.may_load(deps.storage, (node_id, &denom))?.unwrap_or_default();
    validate_commit(&env, &commit, &ledger, pending.epoch)?;
    let old = roots::load(deps.storage, &env, (node_id, &denom, pending.epoch))?;
    // What cases hold is still covered; what verdicts took out is not.
    let covered = pending.covered();
    let receipts = old.commit.receipts.count.saturating_sub(pending.struck);
    validate_sums(&commit, covered.fees, covered.data, receipts)?;

    let outcome = Outcome {
        status: RootStatus::Replaced,
        attested: pending.attested,
        reason: Some(void.reason),
        audit: Uint128::zero(),
        paid: Uint128::zero(),
    };
    OUTCOMES.save(deps.storage, (node_id, &denom, pending.epoch), &outcome)?;
    pending.origin = pending.origin();
    REPLACED.save(deps.storage, (node_id, &denom, pending.origin), &commit.epoch)?;
    let response = Response::new()
        .add_attribute("action", "replace_epoch")
        .add_attribute("node_id", node_id.to_string())
        .add_attribute("void", pending.epoch.to_string())
        .add_attribute("epoch", commit.epoch.to_string())
        .add_attribute("hash", HexBinary::from(&commit.hash()).to_hex());
    // Demands and attestations were about the other blobs.
    pending.attested = false;
    pending.holds = 0;
    pending.struck = 0;
    let final_at = save(deps, &env, commit, pending)?;
    Ok(response.add_attribute("final_at", final_at.to_string()))
}

/// Stores a root with fresh windows. Coins move when it is the first of its origin.
fn save(deps: DepsMut, env: &Env, commit: EpochCommit, mut pending: Pending) -> ContractResult<u64> {
    let Lean(params) = PARAMS.load(deps.storage)?;
    let after = |windows: u32| {
        let blocks = params.challenge_blocks.checked_mul(u64::from(windows));
        blocks.and_then(|blocks| env.block.height.checked_add(blocks)).ok_or(CommonError::AmountTooLarge {})
    };
    // Without audit weight a root waits all its windows and stays unattested (L6).
    pending.final_at = after(params.unattested_windows)?;
    pending.early_at = after(1)?;
    pending.audit_bps = params.audit_bps;
    pending.exposure_bps = params.exposure_bps;
    pending.epoch = commit.epoch;
    let (node_id, final_at) = (commit.node_id, pending.final_at);
    PENDING.save(deps.storage, node_id, &pending)?;
    if pending.origin == 0 {
        money::update(deps.storage, &commit.denom, |counters| {
            money::shift(&mut counters.escrowed, &mut counters.pending, pending.fees)
        })?;
    }
    roots::save(deps.storage, &Epoch { commit, posted_at: env.block.height, final_at });
    Ok(final_at)
}

fn validate_batch(settlements: &[Settlement]) -> ContractResult<()> {
    let refuse = |reason| Err(ContractError::BadBatch { list: "settlements", reason });
    if settlements.is_empty() || settlements.len() > MAX_SETTLEMENTS {
        return refuse("give 1 to 32");
    }
    if !is_rising(settlements, |settlement| settlement.session_id) {
        return refuse("sort them by session, none twice");
    }
    Ok(())
}

/// The commitment is the one after `last` of this node in this denom on this chain.
fn validate_commit(env: &Env, commit: &EpochCommit, ledger: &Ledger, last: u64) -> ContractResult<()> {
    let refuse = |field, rule| Err(ContractError::WrongCommit { field, rule });
    if commit.chain_id != env.block.chain_id {
        return refuse("chain_id", "this chain's");
    }
    if ledger.closed.is_some() {
        return Err(ContractError::LedgerClosed { node_id: commit.node_id });
    }
    if commit.contract != env.contract.address.as_str() {
        return refuse("contract", "this contract's address");
    }
    if Some(commit.epoch) != last.checked_add(1) {
        return refuse("epoch", "the number after the last one posted");
    }
    if commit.previous != ledger.ledger {
        return refuse("previous", "the newest final ledger");
    }
    hash32("receipts.hash", &commit.receipts.hash)?;
    hash32("ledger.hash", &commit.ledger.hash)?;
    if commit.ledger.count < commit.previous.count {
        return refuse("ledger.count", "at least that of the previous ledger");
    }
    for (field, blob) in [("leaves_blob", &commit.leaves_blob), ("receipts_blob", &commit.receipts_blob)] {
        let BlobRef { root, len } = blob;
        hash32(field, root)?;
        if *len == 0 {
            return refuse(field, "a blob that is not empty");
        }
    }
    Ok(())
}

/// Sum of fees = sum settled; growth of the ledger = the data's part (L2).
fn validate_sums(commit: &EpochCommit, fees: Uint128, data: Uint128, receipts: u64) -> ContractResult<()> {
    let refuse = |field, rule| Err(ContractError::WrongCommit { field, rule });
    if commit.receipts.sum != fees {
        return refuse("receipts.sum", "the fees settled");
    }
    if commit.receipts.count != receipts {
        return refuse("receipts.count", "the number of receipts settled");
    }
    if commit.previous.sum.checked_add(data)? != commit.ledger.sum {
        return refuse("ledger.sum", "the previous sum and the data's part");
    }
    Ok(())
}
