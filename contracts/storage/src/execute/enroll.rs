//! `Enroll`, `Leave` and `Delist`: which nodes offer space.

use cosmwasm_std::{Addr, DepsMut, Env, Event, MessageInfo, Response, Storage};
use openledger_contract::{pause, payment};
use openledger_types::msg::node_registry::NodeStatus;
use openledger_types::msg::storage::StorerState;

use crate::error::{ContractError, ContractResult};
use crate::peers::{may_store, run_by};
use crate::state::{self, Storer, CONTRACTS, DRAW_COUNT, OPERATORS, OPERATOR_COUNT, PARAMS, STORERS};

/// Offers space, or changes how much. A node that was leaving or out takes part again.
pub fn enroll(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    node_id: u64,
    capacity: u64,
) -> ContractResult<Response> {
    payment::nonpayable(&info)?;
    pause::assert_running(deps.storage)?;
    let node = CONTRACTS.load(deps.storage)?.storing_node(&deps.querier, node_id, info.sender.as_str())?;
    let operator = deps.api.addr_validate(&node.operator)?;
    let known = STORERS.may_load(deps.storage, node_id)?;
    let mut storer = match known {
        Some(storer) => storer,
        None => Storer {
            operator: operator.clone(),
            state: StorerState::Out,
            capacity: 0,
            kept: 0,
            pending: 0,
            drawn_from: 0,
            positions: 0,
            proven_blocks: 0,
            mark: env.block.height,
            settled_draw: DRAW_COUNT.load(deps.storage)?,
            misses: 0,
            rate: Default::default(),
        },
    };
    if storer.state != StorerState::Active {
        count_operator(deps.storage, &operator, true)?;
        if storer.state == StorerState::Out {
            // Draws of the time outside are neither owed nor paid.
            storer.settled_draw = DRAW_COUNT.load(deps.storage)?;
            storer.mark = env.block.height;
            storer.misses = 0;
        }
    }
    storer.state = StorerState::Active;
    storer.capacity = capacity;
    STORERS.save(deps.storage, node_id, &storer)?;
    Ok(Response::new().add_attribute("action", "enroll").add_event(
        Event::new("storer_enrolled")
            .add_attribute("node_id", node_id.to_string())
            .add_attribute("operator", operator)
            .add_attribute("capacity", capacity.to_string()),
    ))
}

/// Stops taking fragments; those kept stay owed until somebody else has accepted them or the time is over.
pub fn leave(deps: DepsMut, env: Env, info: MessageInfo, node_id: u64) -> ContractResult<Response> {
    payment::nonpayable(&info)?;
    let node = CONTRACTS.load(deps.storage)?.node(&deps.querier, node_id)?;
    run_by(&node, info.sender.as_str())?;
    let mut storer = state::storer(deps.storage, node_id)?;
    if storer.state != StorerState::Active {
        return Err(ContractError::Ineligible { node_id, why: "it is leaving, or out, already" });
    }
    let until = start_leaving(deps.storage, env.block.height, &mut storer)?;
    STORERS.save(deps.storage, node_id, &storer)?;
    Ok(Response::new().add_attribute("action", "leave").add_event(left(node_id, Some(until))))
}

/// Follows the registry: a node that unbonds or gave the role up is leaving, one that has left is out.
pub fn delist(deps: DepsMut, env: Env, info: MessageInfo, node_id: u64) -> ContractResult<Response> {
    payment::nonpayable(&info)?;
    let mut storer = state::storer(deps.storage, node_id)?;
    let node = CONTRACTS.load(deps.storage)?.node(&deps.querier, node_id)?;
    let until = match (node.status, storer.state) {
        (NodeStatus::Left, StorerState::Active | StorerState::Leaving { .. }) => {
            put_out(deps.storage, &mut storer)?;
            None
        }
        (_, StorerState::Active) if !may_store(&node) => {
            Some(start_leaving(deps.storage, env.block.height, &mut storer)?)
        }
        _ => return Err(ContractError::InService { node_id }),
    };
    STORERS.save(deps.storage, node_id, &storer)?;
    Ok(Response::new().add_attribute("action", "delist").add_event(left(node_id, until)))
}

fn left(node_id: u64, until: Option<u64>) -> Event {
    let event = Event::new("storer_left").add_attribute("node_id", node_id.to_string());
    match until {
        Some(until) => event.add_attribute("until", until.to_string()),
        None => event,
    }
}

fn start_leaving(storage: &mut dyn Storage, height: u64, storer: &mut Storer) -> ContractResult<u64> {
    let until = height.saturating_add(PARAMS.load(storage)?.leave_blocks);
    count_operator(storage, &storer.operator, false)?;
    storer.state = StorerState::Leaving { until };
    Ok(until)
}

/// Ends a node's part; the caller saves it.
pub(crate) fn put_out(storage: &mut dyn Storage, storer: &mut Storer) -> ContractResult<()> {
    if storer.state == StorerState::Active {
        count_operator(storage, &storer.operator, false)?;
    }
    storer.state = StorerState::Out;
    Ok(())
}

/// Counts active nodes of an operator, and operators.
fn count_operator(storage: &mut dyn Storage, operator: &Addr, joins: bool) -> ContractResult<()> {
    let nodes = OPERATORS.may_load(storage, operator)?.unwrap_or_default();
    let all = OPERATOR_COUNT.load(storage)?;
    let (now, all) = match (joins, nodes) {
        (true, 0) => (1, all.saturating_add(1)),
        (true, nodes) => (nodes.saturating_add(1), all),
        (false, 0..=1) => (0, all.saturating_sub(1)),
        (false, nodes) => (nodes.saturating_sub(1), all),
    };
    match now {
        0 => OPERATORS.remove(storage, operator),
        now => OPERATORS.save(storage, operator, &now)?,
    }
    Ok(OPERATOR_COUNT.save(storage, &all)?)
}
