//! `Slash` and `Unjail`.

use cosmwasm_std::{DepsMut, Env, Event, MessageInfo, Response, Uint64};
use openledger_contract::payment;
use openledger_types::msg::node_registry::{NodeStatus, RecordedWork};

use crate::execute::{assert_court, check_sentence, operated_by, with_parts, work};
use crate::state::{self, CONNECTIONS, NODES, PARAMS};
use crate::{cuts, ContractError};

/// Cuts a bond at once and counts the fault; jails the node unless the storage contract asks. A bond that is gone is
/// cut by nothing, so that the message that found the fault still goes through.
///
/// A draw is missed by a disk or a line that fails, and costs its cut and the fragments; the answers and audits of the
/// same node are not in doubt by it.
pub fn slash(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    node_id: u64,
    bps: u16,
    finder: Option<String>,
    reason: &str,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    assert_court(deps.storage, &info.sender)?;
    let mut node = state::node(deps.storage, node_id)?;
    check_sentence(bps, reason)?;
    let finder = finder.map(|finder| deps.api.addr_validate(&finder)).transpose()?;
    let params = PARAMS.load(deps.storage)?;
    let amount = cuts::part(node.bond, bps);
    let taken = cuts::take(deps.storage, &params, &mut node, amount, finder)?;
    let fault = RecordedWork { faults: 1, ..RecordedWork::default() };
    work::record(deps.storage, node_id, fault)?;
    let mut event = Event::new("node_slashed")
        .add_attribute("node_id", node_id.to_string())
        .add_attribute("reason", reason);
    let storage = CONNECTIONS.load(deps.storage)?.storage;
    let jails = storage != Some(info.sender);
    if jails && node.status != NodeStatus::Left {
        let until = Uint64::new(env.block.height).checked_add(Uint64::new(params.jail_blocks))?.u64();
        let until = node.jailed_until.map_or(until, |already| already.max(until));
        node.jailed_until = Some(until);
        event = event.add_attribute("jailed_until", until.to_string());
    }
    NODES.save(deps.storage, node_id, &node)?;
    Ok(Response::new()
        .add_attribute("action", "slash")
        .add_event(with_parts(event, &params.denom, &taken, node.bond))
        .add_messages(taken.burn))
}

/// Leaves jail, once the time is over and the bond is whole again: what is left of a cut bond would not
/// have been taken at registration either.
pub fn unjail(deps: DepsMut, env: Env, info: MessageInfo, node_id: u64) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    let mut node = operated_by(deps.storage, &info, node_id)?;
    if node.status != NodeStatus::Bonded {
        return Err(ContractError::NotBonded { node_id });
    }
    let jailed_until = node.jailed_until.ok_or(ContractError::NotJailed { node_id })?;
    if env.block.height < jailed_until {
        return Err(ContractError::StillJailed { node_id, jailed_until });
    }
    let least = PARAMS.load(deps.storage)?.min_bond;
    if node.bond < least {
        return Err(ContractError::BondTooSmall { least: least.u128(), sent: node.bond.u128() });
    }
    node.jailed_until = None;

    NODES.save(deps.storage, node_id, &node)?;
    Ok(Response::new()
        .add_attribute("action", "unjail")
        .add_event(Event::new("node_unjailed").add_attribute("node_id", node_id.to_string())))
}
