//! When a root is final, and what happens then (L5, L6, F5).

use cosmwasm_std::{Deps, DepsMut, Env, Event, MessageInfo, Response, Storage, SubMsg, Uint128, WasmMsg};
use openledger_contract::payment;
use openledger_types::money::bps_floor;
use openledger_types::msg::escrow::RootStatus;
use openledger_types::msg::node_registry::{ExecuteMsg as NodeMsg, RecordedWork};

use crate::contract::MAY_FAIL;
use crate::error::{ContractError, ContractResult};
use crate::state::{
    NodeBook, Outcome, Pending, CONNECTED, FUNDS, LEDGERS, NODES, OUTCOMES, PENDING, REGISTRIES, SWEEPS,
    WEIGHTS,
};
use crate::{money, registry, roots};

/// `Finalize`. By anyone. Tells the node registry of the work since it was told last; whether it
/// listens decides nothing.
pub fn finalize(mut deps: DepsMut, env: Env, info: MessageInfo, node_id: u64) -> ContractResult<Response> {
    payment::nonpayable(&info)?;
    let mut response =
        Response::new().add_attribute("action", "finalize").add_attribute("node_id", node_id.to_string());
    let untold = CONNECTED.exists(deps.storage)
        && NODES.may_load(deps.storage, node_id)?.is_some_and(|book| book.epochs > 0);
    match PENDING.may_load(deps.storage, node_id)? {
        Some(pending) => match check_due(deps.as_ref(), &env, node_id, &pending) {
            Ok(()) => response = response.add_event(make_final(&mut deps, &env, node_id, pending)?),
            Err(reason) if !untold => return Err(reason),
            Err(_) => {}
        },
        None if !untold => return Err(ContractError::NoPendingRoot { node_id }),
        None => {}
    }
    Ok(response.add_submessages(report(deps.storage, node_id)?))
}

/// Makes a node's root final if it is due; leaves it as it is when it is not, or when that cannot be
/// told because another contract does not answer: claims on what is final go on.
pub fn finalize_if_due(deps: &mut DepsMut, env: &Env, node_id: u64) -> ContractResult<Option<Event>> {
    let Some(pending) = PENDING.may_load(deps.storage, node_id)? else { return Ok(None) };
    if check_due(deps.as_ref(), env, node_id, &pending).is_err() {
        return Ok(None);
    }
    make_final(deps, env, node_id, pending).map(Some)
}

/// Refuses a root that is not due, with the reason (L6).
fn check_due(deps: Deps, env: &Env, node_id: u64, pending: &Pending) -> ContractResult<()> {
    if pending.void.is_some() {
        return Err(ContractError::RootVoid { epoch: pending.epoch });
    }
    let from = if pending.attested { pending.early_at } else { pending.final_at };
    if env.block.height < from {
        return Err(ContractError::RootPending { final_at: from });
    }
    if pending.holds > 0 {
        return Err(ContractError::RootDemanded { open: pending.holds });
    }
    if !pending.attested && !registry::audit_weight(deps, node_id)?.is_zero() {
        return Err(ContractError::NotAttested {});
    }
    if pending.attested && env.block.height < pending.final_at && !is_covered(deps, node_id, pending) {
        return Err(ContractError::Exposed { final_at: pending.final_at });
    }
    Ok(())
}

/// F5: whether what waits is within the part of the bond that may be exposed. Asked only of roots that
/// would be final before all their windows are over, and of the bond as it is then: one that was cut
/// since covers less, one that was raised covers more. What cannot be told does not cover.
fn is_covered(deps: Deps, node_id: u64, pending: &Pending) -> bool {
    let denom = CONNECTED.may_load(deps.storage).ok().flatten().map(|connected| connected.bond_denom);
    if denom.as_ref() != Some(&pending.denom) {
        return false;
    }
    registry::node(deps, node_id)
        .is_ok_and(|node| pending.fees.u128() <= bps_floor(node.bond.u128(), pending.exposure_bps))
}

/// Credits what a root settled and lets claims see its ledger. Work is bounded by the settlements of
/// one epoch.
fn make_final(deps: &mut DepsMut, env: &Env, node_id: u64, pending: Pending) -> ContractResult<Event> {
    let bond_denom = CONNECTED.may_load(deps.storage)?.map(|connected| connected.bond_denom);
    let storage = &mut *deps.storage;
    let denom = pending.denom.as_str();
    let place = (node_id, denom, pending.epoch);
    let commit = roots::load(storage, env, place)?.commit;
    let answers = commit.receipts.count.saturating_sub(pending.own_receipts);
    PENDING.remove(storage, node_id);
    let mut ledger = LEDGERS.may_load(storage, (node_id, denom))?.unwrap_or_default();
    ledger.epoch = pending.epoch;
    ledger.ledger = commit.ledger;
    LEDGERS.save(storage, (node_id, denom), &ledger)?;
    let mut funds = FUNDS.may_load(storage, (node_id, denom))?.unwrap_or_default();
    funds.funded = funds.funded.checked_add(pending.data)?;
    FUNDS.save(storage, (node_id, denom), &funds)?;
    // F4: a fixed part of every fee pays audits.
    let audit = Uint128::new(bps_floor(pending.protocol.u128(), pending.audit_bps));
    let outcome = Outcome {
        status: RootStatus::Final,
        attested: pending.attested,
        reason: None,
        audit,
        paid: Uint128::zero(),
    };
    OUTCOMES.save(storage, place, &outcome)?;

    let accrued = money::credit_all(storage, &pending.payees, denom)?.checked_add(money::credit_all(
        storage,
        &pending.operators,
        denom,
    )?)?;
    money::update(storage, denom, |counters| {
        money::shift(&mut counters.pending, &mut counters.accrued, accrued)?;
        money::shift(&mut counters.pending, &mut counters.audits, audit)?;
        money::shift(&mut counters.pending, &mut counters.treasury, pending.protocol.checked_sub(audit)?)?;
        money::shift(&mut counters.pending, &mut counters.ledgers, pending.data)
    })?;
    weigh(storage, &pending)?;
    let mut book = finished(storage, env, node_id, &pending)?;
    book.epochs = book.epochs.saturating_add(1);
    book.answers = book.answers.saturating_add(answers);
    if bond_denom.as_deref() == Some(denom) {
        book.fees = book.fees.saturating_add(pending.fees.saturating_sub(pending.own_fees));
    }
    NODES.save(storage, node_id, &book)?;
    Ok(Event::new("epoch_final")
        .add_attribute("node_id", node_id.to_string())
        .add_attribute("epoch", pending.epoch.to_string())
        .add_attribute("attested", pending.attested.to_string())
        .add_attribute("ledger", ledger.ledger.hash.to_hex())
        .add_attribute("data", format!("{}{denom}", pending.data)))
}

/// The node's book, with when its root was finished: until then it could settle nothing (S4). The
/// caller saves it.
pub fn finished(
    storage: &dyn Storage,
    env: &Env,
    node_id: u64,
    pending: &Pending,
) -> ContractResult<NodeBook> {
    let mut book = NODES.may_load(storage, node_id)?.unwrap_or_default();
    book.posted = pending.posted_at;
    book.freed = env.block.height;
    Ok(book)
}

/// Gathers the weights by which the commons of the denom are shared out (I1).
fn weigh(storage: &mut dyn Storage, pending: &Pending) -> ContractResult<()> {
    let denom = pending.denom.as_str();
    let mut sweep = SWEEPS.may_load(storage, denom)?.unwrap_or_default();
    let before = sweep.gathered;
    for part in &pending.models {
        for datanet_id in &part.datanets {
            let key = (denom, sweep.round, *datanet_id);
            let weight = WEIGHTS.may_load(storage, key)?.unwrap_or_default();
            WEIGHTS.save(storage, key, &weight.saturating_add(part.fees))?;
            sweep.gathered = sweep.gathered.saturating_add(part.fees);
        }
    }
    if sweep.gathered != before {
        SWEEPS.save(storage, denom, &sweep)?;
    }
    Ok(())
}

/// The work that the node registry was not told of.
fn report(storage: &mut dyn Storage, node_id: u64) -> ContractResult<Option<SubMsg>> {
    if !CONNECTED.exists(storage) {
        return Ok(None);
    }
    let Some(mut book) = NODES.may_load(storage, node_id)? else { return Ok(None) };
    let work =
        RecordedWork { answers: book.answers, fees: book.fees, epochs: book.epochs, ..Default::default() };
    book.answers = 0;
    book.fees = Uint128::zero();
    book.epochs = 0;
    NODES.save(storage, node_id, &book)?;
    let registry = REGISTRIES.load(storage)?.node;
    let msg = cosmwasm_std::to_json_binary(&NodeMsg::RecordWork { node_id, work })?;
    let msg = WasmMsg::Execute { contract_addr: registry.into(), msg, funds: vec![] };
    Ok(Some(SubMsg::reply_on_error(msg, MAY_FAIL)))
}
