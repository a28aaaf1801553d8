//! Posting epochs and making them final (L2, L5, L6).

use std::collections::BTreeMap;

use cosmwasm_std::{Addr, DepsMut, Env, Event, HexBinary, MessageInfo, Response, Storage, Uint128};
use openledger_contract::{payment, CommonError};
use openledger_types::formats::{hash32, BlobRef, EpochCommit};
use openledger_types::msg::escrow::{Settlement, MAX_SETTLEMENTS};

use crate::error::{ContractError, ContractResult};
use crate::money;
use crate::settle::{settle, Settled};
use crate::state::{EpochRecord, Ledger, Pending, EPOCHS, FUNDS, LEDGERS, PARAMS, PENDING};

/// `PostEpoch`.
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
    let due = finalize_if_due(deps.storage, &env, node_id)?;
    if let Some(waiting) = PENDING.may_load(deps.storage, node_id)? {
        return Err(ContractError::RootPending { final_at: waiting.final_at });
    }
    let mut ledger = LEDGERS.may_load(deps.storage, (node_id, &denom))?.unwrap_or_default();
    validate_commit(&env, &commit, &ledger)?;

    let mut sums = Sums::default();
    let mut events: Vec<Event> = due.into_iter().collect();
    for settlement in &settlements {
        let session_id = settlement.session_id;
        let settled = settle(&mut deps, &env, &info.sender, (node_id, &denom), settlement)
            .map_err(|source| ContractError::InSession { session_id, source: Box::new(source) })?;
        sums.add(&settled)?;
        events.push(
            Event::new("session_settled")
                .add_attribute("session_id", session_id.to_string())
                .add_attribute("node_id", node_id.to_string())
                .add_attribute("receipts", settled.receipts.to_string())
                .add_attribute("fees", format!("{}{denom}", settled.fees)),
        );
    }
    validate_sums(&commit, &sums)?;

    let params = PARAMS.load(deps.storage)?;
    // Without audit weight a root waits all its windows and stays unattested (L6).
    let wait = params
        .challenge_blocks
        .checked_mul(u64::from(params.unattested_windows))
        .and_then(|blocks| env.block.height.checked_add(blocks))
        .ok_or(CommonError::AmountTooLarge {})?;
    let hash = HexBinary::from(&commit.hash());
    ledger.epoch = commit.epoch;
    LEDGERS.save(deps.storage, (node_id, &denom), &ledger)?;
    let pending = Pending {
        denom: denom.clone(),
        epoch: commit.epoch,
        final_at: wait,
        fees: sums.fees,
        data: sums.data,
        protocol: sums.protocol,
        payees: sums.payees.into_iter().collect(),
    };
    PENDING.save(deps.storage, node_id, &pending)?;
    let record = EpochRecord {
        commit,
        posted_at: env.block.height,
        final_at: wait,
        attested: false,
        fees: pending.fees,
        data: pending.data,
    };
    EPOCHS.save(deps.storage, (node_id, &denom, pending.epoch), &record)?;
    money::update(deps.storage, &denom, |counters| {
        money::shift(&mut counters.escrowed, &mut counters.pending, pending.fees)
    })?;
    Ok(Response::new()
        .add_attribute("action", "post_epoch")
        .add_attribute("node_id", node_id.to_string())
        .add_attribute("epoch", pending.epoch.to_string())
        .add_attribute("hash", hash.to_hex())
        .add_attribute("receipts", sums.receipts.to_string())
        .add_attribute("fees", format!("{}{denom}", pending.fees))
        .add_attribute("data", format!("{}{denom}", pending.data))
        .add_attribute("final_at", wait.to_string())
        .add_events(events))
}

/// `Finalize`. By anyone.
pub fn finalize(deps: DepsMut, env: Env, info: MessageInfo, node_id: u64) -> ContractResult<Response> {
    payment::nonpayable(&info)?;
    let Some(event) = finalize_if_due(deps.storage, &env, node_id)? else {
        return Err(match PENDING.may_load(deps.storage, node_id)? {
            Some(pending) => ContractError::RootPending { final_at: pending.final_at },
            None => ContractError::NoPendingRoot { node_id },
        });
    };
    Ok(Response::new()
        .add_attribute("action", "finalize")
        .add_attribute("node_id", node_id.to_string())
        .add_event(event))
}

/// Makes a node's root final if its windows are over: credits what it settled (L5) and lets claims
/// see its ledger. Work is bounded by the settlements of one epoch.
pub fn finalize_if_due(storage: &mut dyn Storage, env: &Env, node_id: u64) -> ContractResult<Option<Event>> {
    let Some(pending) = PENDING.may_load(storage, node_id)? else { return Ok(None) };
    if env.block.height < pending.final_at {
        return Ok(None);
    }
    let denom = pending.denom.as_str();
    PENDING.remove(storage, node_id);
    let mut ledger = LEDGERS.load(storage, (node_id, denom))?;
    let commit = EPOCHS.load(storage, (node_id, denom, pending.epoch))?.commit;
    ledger.ledger = commit.ledger;
    ledger.leaves_blob = Some(commit.leaves_blob);
    LEDGERS.save(storage, (node_id, denom), &ledger)?;
    let mut funds = FUNDS.may_load(storage, (node_id, denom))?.unwrap_or_default();
    funds.funded = funds.funded.checked_add(pending.data)?;
    FUNDS.save(storage, (node_id, denom), &funds)?;

    let mut accrued = Uint128::zero();
    for (address, amount) in &pending.payees {
        money::credit(storage, address, denom, *amount)?;
        accrued = accrued.checked_add(*amount)?;
    }
    money::update(storage, denom, |counters| {
        money::shift(&mut counters.pending, &mut counters.accrued, accrued)?;
        money::shift(&mut counters.pending, &mut counters.treasury, pending.protocol)?;
        money::shift(&mut counters.pending, &mut counters.ledgers, pending.data)
    })?;
    Ok(Some(
        Event::new("epoch_final")
            .add_attribute("node_id", node_id.to_string())
            .add_attribute("epoch", pending.epoch.to_string())
            .add_attribute("ledger", ledger.ledger.hash.to_hex())
            .add_attribute("data", format!("{}{denom}", pending.data)),
    ))
}

/// What the settlements of an epoch are together.
#[derive(Default)]
struct Sums {
    receipts: u64,
    fees: Uint128,
    data: Uint128,
    protocol: Uint128,
    payees: BTreeMap<Addr, Uint128>,
}

impl Sums {
    fn add(&mut self, settled: &Settled) -> ContractResult<()> {
        self.receipts = self.receipts.checked_add(settled.receipts).ok_or(CommonError::AmountTooLarge {})?;
        self.fees = self.fees.checked_add(settled.fees.into())?;
        self.data = self.data.checked_add(settled.parts.data.into())?;
        self.protocol = self.protocol.checked_add(settled.parts.protocol.into())?;
        for (address, amount) in
            [(&settled.developer, settled.parts.developer), (&settled.operator, settled.parts.node)]
        {
            let entry = self.payees.entry(address.clone()).or_default();
            *entry = entry.checked_add(amount.into())?;
        }
        Ok(())
    }
}

fn validate_batch(settlements: &[Settlement]) -> ContractResult<()> {
    let refuse = |reason| Err(ContractError::BadBatch { list: "settlements", reason });
    if settlements.is_empty() || settlements.len() > MAX_SETTLEMENTS {
        return refuse("give 1 to 32");
    }
    if settlements.windows(2).any(|pair| matches!(pair, [a, b] if a.session_id >= b.session_id)) {
        return refuse("sort them by session, none twice");
    }
    Ok(())
}

/// The commitment is the next one of this node in this denom on this chain.
fn validate_commit(env: &Env, commit: &EpochCommit, ledger: &Ledger) -> ContractResult<()> {
    let refuse = |field, rule| Err(ContractError::WrongCommit { field, rule });
    if commit.chain_id != env.block.chain_id {
        return refuse("chain_id", "this chain's");
    }
    if commit.contract != env.contract.address.as_str() {
        return refuse("contract", "this contract's address");
    }
    if Some(commit.epoch) != ledger.epoch.checked_add(1) {
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
fn validate_sums(commit: &EpochCommit, sums: &Sums) -> ContractResult<()> {
    let refuse = |field, rule| Err(ContractError::WrongCommit { field, rule });
    if commit.receipts.sum != sums.fees {
        return refuse("receipts.sum", "the fees settled");
    }
    if commit.receipts.count != sums.receipts {
        return refuse("receipts.count", "the number of receipts settled");
    }
    if commit.previous.sum.checked_add(sums.data)? != commit.ledger.sum {
        return refuse("ledger.sum", "the previous sum and the data's part");
    }
    Ok(())
}
