//! `AddBond`, `Unbond` and `WithdrawBond` (PROTOCOL F5, A2).

use cosmwasm_std::{coin, BankMsg, DepsMut, Env, Event, MessageInfo, Response, Uint128, Uint64};
use openledger_contract::payment;
use openledger_types::msg::node_registry::NodeStatus;

use crate::execute::{offer, operated_by};
use crate::state::{self, NODES, PARAMS, TOTALS};
use crate::{audit, ContractError};

/// Adds the funds to the bond of a node in service. By anyone.
pub fn add_bond(deps: DepsMut, info: MessageInfo, node_id: u64) -> Result<Response, ContractError> {
    let denom = PARAMS.load(deps.storage)?.denom;
    let amount = Uint128::new(payment::must_pay(&info, &denom)?);
    let mut node = state::node(deps.storage, node_id)?;
    if node.status != NodeStatus::Bonded {
        return Err(ContractError::NotBonded { node_id });
    }
    node.bond = node.bond.checked_add(amount)?;
    let mut totals = TOTALS.load(deps.storage)?;
    totals.bonds = totals.bonds.checked_add(amount)?;

    TOTALS.save(deps.storage, &totals)?;
    NODES.save(deps.storage, node_id, &node)?;
    Ok(Response::new().add_attribute("action", "add_bond").add_event(
        Event::new("bond_added")
            .add_attribute("node_id", node_id.to_string())
            .add_attribute("amount", amount)
            .add_attribute("denom", denom)
            .add_attribute("bond", node.bond),
    ))
}

/// Takes a node out of service: it audits and offers no longer. The bond stays at stake for the delay in
/// force now.
pub fn unbond(deps: DepsMut, env: Env, info: MessageInfo, node_id: u64) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    let mut node = operated_by(deps.storage, &info, node_id)?;
    if node.status != NodeStatus::Bonded {
        return Err(ContractError::NotBonded { node_id });
    }
    let delay = Uint64::new(PARAMS.load(deps.storage)?.unbonding_blocks);
    let unbonds_at = Uint64::new(env.block.height).checked_add(delay)?.u64();
    node.status = NodeStatus::Unbonding;
    node.unbonds_at = Some(unbonds_at);

    audit::leave(deps.storage, node_id, &node);
    offer::stop_all(deps.storage, node_id)?;
    NODES.save(deps.storage, node_id, &node)?;
    Ok(Response::new().add_attribute("action", "unbond").add_event(
        Event::new("node_unbonding")
            .add_attribute("node_id", node_id.to_string())
            .add_attribute("unbonds_at", unbonds_at.to_string()),
    ))
}

/// Pays the bond, or what cuts have left of it, to the operator once the delay is over and neither a case
/// nor a planned cut holds it.
pub fn withdraw_bond(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    node_id: u64,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    let mut node = operated_by(deps.storage, &info, node_id)?;
    let unbonds_at = match (node.status, node.unbonds_at) {
        (NodeStatus::Unbonding, Some(unbonds_at)) => unbonds_at,
        (NodeStatus::Left, _) => return Err(ContractError::HasLeft { node_id }),
        _ => return Err(ContractError::NotUnbonding { node_id }),
    };
    if env.block.height < unbonds_at {
        return Err(ContractError::StillUnbonding { node_id, unbonds_at });
    }
    if node.open_cases > 0 {
        return Err(ContractError::BondFrozen { node_id, open_cases: node.open_cases });
    }
    if node.planned_cuts > 0 {
        return Err(ContractError::CutsWaiting { node_id, planned_cuts: node.planned_cuts });
    }
    let amount = node.bond;
    let denom = PARAMS.load(deps.storage)?.denom;
    let mut totals = TOTALS.load(deps.storage)?;
    totals.bonds = totals.bonds.checked_sub(amount)?;
    node.bond = Uint128::zero();
    node.status = NodeStatus::Left;
    node.unbonds_at = None;
    // The bank refuses coins of zero: a bond that was cut wholly leaves without a payment.
    let payment = (!amount.is_zero()).then(|| BankMsg::Send {
        to_address: node.operator.to_string(),
        amount: vec![coin(amount.u128(), &denom)],
    });

    TOTALS.save(deps.storage, &totals)?;
    NODES.save(deps.storage, node_id, &node)?;
    Ok(Response::new()
        .add_attribute("action", "withdraw_bond")
        .add_event(
            Event::new("bond_withdrawn")
                .add_attribute("node_id", node_id.to_string())
                .add_attribute("amount", amount)
                .add_attribute("denom", &denom)
                .add_attribute("operator", node.operator),
        )
        .add_messages(payment))
}
