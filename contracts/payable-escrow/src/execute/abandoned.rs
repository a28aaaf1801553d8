//! Roots that are void and stay so (L8): the contributors get their part by what the models were
//! trained on, the payers the node's part back, the developers theirs.

use cosmwasm_std::{
    to_json_binary, Addr, DepsMut, Env, MessageInfo, Response, Storage, SubMsg, Uint128, WasmMsg,
};
use openledger_contract::lean::Lean;
use openledger_contract::{payment, CommonError};
use openledger_merkle::verify_inclusion;
use openledger_types::formats::training_leaf;
use openledger_types::msg::datanet::TrainingItem;
use openledger_types::msg::escrow::{RootStatus, MAX_CLAIMS};
use openledger_types::msg::node_registry::ExecuteMsg as NodeMsg;

use crate::contract::MAY_FAIL;
use crate::error::{ContractError, ContractResult};
use crate::execute::{finality, session};
use crate::settle::load_pin;
use crate::state::{
    Closed, Funds, Ledger, Outcome, Pot, CITED, FUNDS, LEDGERS, LOGS, NODES, OUTCOMES, PARAMS, PENDING, POTS,
    POT_CLAIMS, REGISTRIES, RETURNED,
};
use crate::{book, money, registry};

/// `CloseAbandoned`. E epochs after a root became void without another in its place, or at once when
/// more than E roots of one origin were void.
pub fn close(deps: DepsMut, env: Env, info: MessageInfo, node_id: u64) -> ContractResult<Response> {
    payment::nonpayable(&info)?;
    let pending = PENDING.may_load(deps.storage, node_id)?.ok_or(ContractError::NoPendingRoot { node_id })?;
    let Some(void) = &pending.void else {
        return Err(ContractError::RootPending { final_at: pending.final_at });
    };
    let Lean(params) = PARAMS.load(deps.storage)?;
    let from = params.epoch_blocks.saturating_mul(u64::from(params.abandoned_epochs)).saturating_add(void.at);
    if env.block.height < from && pending.voids <= params.abandoned_epochs {
        return Err(ContractError::NotAbandoned { from });
    }
    // A case has one total deadline; then its receipts are back in the root or out of it for good.
    if pending.cases > 0 {
        return Err(ContractError::CasesOpen { open: pending.cases });
    }
    let denom = pending.denom.as_str();
    let place = (node_id, denom, pending.epoch);
    let outcome = Outcome {
        status: RootStatus::Abandoned,
        attested: pending.attested,
        reason: Some(void.reason.clone()),
        audit: Uint128::zero(),
        paid: Uint128::zero(),
    };
    OUTCOMES.save(deps.storage, place, &outcome)?;
    PENDING.remove(deps.storage, node_id);
    let book = finality::finished(deps.storage, &env, node_id, &pending)?;
    NODES.save(deps.storage, node_id, &book)?;

    let mut node = Uint128::zero();
    for (_, amount) in &pending.operators {
        node = node.checked_add(*amount)?;
    }
    let mut rest = pending.data;
    for part in &pending.models {
        rest = rest.checked_sub(part.data)?;
        let pot = Pot { data: part.data, given: false };
        POTS.save(deps.storage, (node_id, denom, (part.model_id, part.version)), &pot)?;
    }
    // Roots of the first release do not say which models their data's part is of: the commons' it is.
    let shared = pending.data.checked_sub(rest)?.checked_add(node)?;
    let mut ledger = LEDGERS.may_load(deps.storage, (node_id, denom))?.unwrap_or_default();
    ledger.epoch = pending.epoch;
    ledger.closed = Some(Closed { epoch: pending.epoch, origin: pending.origin(), left: shared });
    LEDGERS.save(deps.storage, (node_id, denom), &ledger)?;
    let mut funds = FUNDS.may_load(deps.storage, (node_id, denom))?.unwrap_or_default();
    funds.funded = funds.funded.checked_add(shared)?;
    FUNDS.save(deps.storage, (node_id, denom), &funds)?;
    let accrued = money::credit_all(deps.storage, &pending.payees, denom)?;
    money::update(deps.storage, denom, |counters| {
        money::shift(&mut counters.pending, &mut counters.ledgers, shared)?;
        money::shift(&mut counters.pending, &mut counters.commons, rest)?;
        money::shift(&mut counters.pending, &mut counters.accrued, accrued)?;
        money::shift(&mut counters.pending, &mut counters.treasury, pending.protocol)
    })?;
    // The coins are shared out whether the registry listens or not.
    let slash = slash(deps.storage, node_id, info.sender, "abandoned its ledger")?;
    Ok(Response::new()
        .add_attribute("action", "close_abandoned")
        .add_attribute("node_id", node_id.to_string())
        .add_attribute("epoch", pending.epoch.to_string())
        .add_attribute("data", format!("{}{denom}", pending.data))
        .add_attribute("node", format!("{node}{denom}"))
        .add_submessage(SubMsg::reply_on_error(slash, MAY_FAIL)))
}

/// The message that cuts a node's bond, with a finder's part for `finder`.
pub fn slash(storage: &dyn Storage, node_id: u64, finder: Addr, reason: &str) -> ContractResult<WasmMsg> {
    let bps = PARAMS.load(storage)?.0.abandoned_cut_bps;
    let msg = NodeMsg::Slash { node_id, bps, finder: Some(finder.into()), reason: reason.to_string() };
    let contract_addr = REGISTRIES.load(storage)?.node.into();
    Ok(WasmMsg::Execute { contract_addr, msg: to_json_binary(&msg)?, funds: vec![] })
}

/// `ClaimAbandoned`.
pub fn claim(
    deps: DepsMut,
    info: MessageInfo,
    (node_id, denom, epoch): (u64, String, u64),
    (model_id, version, datanet_id): (u64, u32, u64),
    items: Vec<TrainingItem>,
) -> ContractResult<Response> {
    payment::nonpayable(&info)?;
    if items.len() > MAX_CLAIMS {
        return Err(ContractError::BadBatch { list: "items", reason: "give at most 32" });
    }
    let mut ledger = load_closed(deps.storage, node_id, &denom, epoch)?;
    let pot_key = (node_id, denom.as_str(), (model_id, version));
    let pot = POTS.may_load(deps.storage, pot_key)?.ok_or(ContractError::NothingToClaim {})?;
    let model = registry::model(deps.as_ref(), model_id, version)?;
    let mut all = Uint128::zero();
    for tree in &model.training {
        all = all.checked_add(tree.sum)?;
    }
    let (mut accrued, mut commons) = (Uint128::zero(), Uint128::zero());
    if all.is_zero() {
        // Trained on nothing that is known: nobody has a part by name.
        if pot.given {
            return Err(ContractError::NothingToClaim {});
        }
        commons = pot.data;
        POTS.save(deps.storage, pot_key, &Pot { data: pot.data, given: true })?;
    } else {
        let at = model.datanets.iter().position(|of| of.datanet_id == datanet_id);
        let tree =
            at.and_then(|at| model.training.get(at)).ok_or(ContractError::NotTrained { position: 0 })?;
        let root = tree.node()?;
        for (position, item) in items.iter().enumerate() {
            let leaf = training_leaf(item.contribution_id, item.times_seen);
            if !verify_inclusion(&leaf, item.index, tree.count, &item.path, &root) {
                return Err(ContractError::NotTrained { position });
            }
            let claim = format!("{model_id}/{version}/{}", item.contribution_id);
            let key = (node_id, denom.as_str(), claim.as_str());
            if POT_CLAIMS.has(deps.storage, key) {
                continue;
            }
            let source = registry::contribution(deps.as_ref(), item.contribution_id)?;
            if source.datanet_id != datanet_id {
                return Err(ContractError::NotTrained { position });
            }
            let amount = pot
                .data
                .checked_multiply_ratio(item.times_seen, all)
                .map_err(|_| CommonError::AmountTooLarge {})?;
            POT_CLAIMS.save(deps.storage, key, &true)?;
            let to_addr = deps.api.addr_validate(&source.contributor)?;
            money::credit(deps.storage, &to_addr, &denom, amount)?;
            accrued = accrued.checked_add(amount)?;
        }
    }
    let paid = accrued.checked_add(commons)?;
    if paid.is_zero() {
        return Err(ContractError::NothingToClaim {});
    }
    pay_from_closed(deps.storage, (node_id, &denom), &mut ledger, |funds| {
        funds.claimed = funds.claimed.checked_add(paid)?;
        Ok(paid)
    })?;
    money::update(deps.storage, &denom, |counters| {
        money::shift(&mut counters.ledgers, &mut counters.accrued, accrued)?;
        money::shift(&mut counters.ledgers, &mut counters.commons, commons)
    })?;
    Ok(Response::new()
        .add_attribute("action", "claim_abandoned")
        .add_attribute("node_id", node_id.to_string())
        .add_attribute("model_id", model_id.to_string())
        .add_attribute("model_version", version.to_string())
        .add_attribute("amount", format!("{paid}{denom}")))
}

/// `RefundAbandoned`. By anyone; the coins go to the owner's balance, once.
pub fn refund(deps: DepsMut, info: MessageInfo, session_id: u64, node_id: u64) -> ContractResult<Response> {
    payment::nonpayable(&info)?;
    let session = session::load(deps.storage, session_id)?;
    load_pin(deps.storage, session_id, node_id)?;
    let denom = session.denom.as_str();
    let log = LOGS.load(deps.storage, (session_id, node_id))?;
    let mut ledger = LEDGERS.may_load(deps.storage, (node_id, denom))?.unwrap_or_default();
    let of_it = ledger.closed.as_ref().is_some_and(|closed| log.epoch > 0 && closed.origin == log.epoch);
    if !of_it || RETURNED.has(deps.storage, (session_id, node_id)) {
        return Err(ContractError::NothingToReturn { session_id });
    }
    let away = CITED.may_load(deps.storage, (session_id, node_id, log.epoch))?.map(|of| of.away);
    let fees = log.log.sum.checked_sub(log.before)?.checked_sub(away.unwrap_or_default())?;
    let amount = Uint128::new(book::parts(&session, fees)?.node);
    RETURNED.save(deps.storage, (session_id, node_id), &true)?;
    pay_from_closed(deps.storage, (node_id, denom), &mut ledger, |funds| {
        funds.refunded = funds.refunded.checked_add(amount)?;
        Ok(amount)
    })?;
    money::credit(deps.storage, &session.owner, denom, amount)?;
    money::update(deps.storage, denom, |counters| {
        money::shift(&mut counters.ledgers, &mut counters.accrued, amount)
    })?;
    Ok(Response::new()
        .add_attribute("action", "refund_abandoned")
        .add_attribute("session_id", session_id.to_string())
        .add_attribute("node_id", node_id.to_string())
        .add_attribute("owner", &session.owner)
        .add_attribute("amount", format!("{amount}{denom}")))
}

/// A ledger that this epoch's abandoned root closed.
fn load_closed(storage: &dyn Storage, node_id: u64, denom: &str, epoch: u64) -> ContractResult<Ledger> {
    let ledger = LEDGERS.may_load(storage, (node_id, denom))?.unwrap_or_default();
    match &ledger.closed {
        Some(closed) if closed.epoch == epoch => Ok(ledger),
        _ => Err(ContractError::EpochNotFound { node_id, denom: denom.to_string(), epoch }),
    }
}

/// L1: what an abandoned root left is paid from it and from nothing else.
fn pay_from_closed(
    storage: &mut dyn Storage,
    (node_id, denom): (u64, &str),
    ledger: &mut Ledger,
    pay: impl FnOnce(&mut Funds) -> ContractResult<Uint128>,
) -> ContractResult<()> {
    let mut funds = FUNDS.may_load(storage, (node_id, denom))?.unwrap_or_default();
    let amount = pay(&mut funds)?;
    if let Some(closed) = ledger.closed.as_mut() {
        closed.left = closed.left.checked_sub(amount)?;
    }
    if funds.claimed.checked_add(funds.refunded)? > funds.funded {
        return Err(ContractError::AboveFunded { position: 0, node_id });
    }
    LEDGERS.save(storage, (node_id, denom), ledger)?;
    Ok(FUNDS.save(storage, (node_id, denom), &funds)?)
}
