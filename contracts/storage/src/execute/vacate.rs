//! `Vacate` and `Sweep`: what nodes give up.

use cosmwasm_std::{DepsMut, Env, Event, MessageInfo, Response};
use openledger_contract::payment;
use openledger_types::msg::storage::StorerState;

use crate::error::{ContractError, ContractResult};
use crate::execute::check_list;
use crate::state::{self, DRAW_COUNT, HOLDINGS, STORERS};
use crate::{fenwick, samples, settle};

/// Frees slots of a node that is out or whose time to leave is over.
pub fn vacate(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    node_id: u64,
    positions: Vec<u64>,
) -> ContractResult<Response> {
    payment::nonpayable(&info)?;
    check_list("positions", positions.len())?;
    let mut storer = state::storer(deps.storage, node_id)?;
    let may = match storer.state {
        StorerState::Active => false,
        StorerState::Leaving { until } => env.block.height >= until,
        StorerState::Out => true,
    };
    let mut response = Response::new().add_attribute("action", "vacate");
    for position in positions {
        let holding = state::holding(deps.storage, node_id, position)?;
        if !may || !holding.live {
            return Err(ContractError::PositionKept { node_id, position });
        }
        let place = (node_id, position);
        let ended = settle::vacate(deps.storage, place, holding, &mut storer, env.block.height)?;
        response = response.add_event(
            Event::new("fragment_vacated")
                .add_attribute("object_id", ended.object_id.to_string())
                .add_attribute("slot", ended.slot.to_string())
                .add_attribute("node_id", node_id.to_string()),
        );
    }
    STORERS.save(deps.storage, node_id, &storer)?;
    Ok(response)
}

/// Takes positions that hold nothing out of the sums that draws choose from.
pub fn sweep(
    deps: DepsMut,
    info: MessageInfo,
    node_id: u64,
    positions: Vec<u64>,
) -> ContractResult<Response> {
    payment::nonpayable(&info)?;
    check_list("positions", positions.len())?;
    let mut storer = state::storer(deps.storage, node_id)?;
    let newest = DRAW_COUNT.load(deps.storage)?;
    // What a draw chooses from must not change between its beacon and its answer.
    if let Some(draw) = samples::waiting(&storer, newest) {
        return Err(ContractError::DrawDue { draw, node_id });
    }
    for position in positions {
        let holding = state::holding(deps.storage, node_id, position)?;
        if holding.live {
            return Err(ContractError::PositionKept { node_id, position });
        }
        fenwick::remove(deps.storage, node_id, storer.positions, position, holding.leaves)?;
        storer.drawn_from = storer.drawn_from.saturating_sub(holding.leaves);
        HOLDINGS.remove(deps.storage, (node_id, position));
    }
    STORERS.save(deps.storage, node_id, &storer)?;
    Ok(Response::new().add_attribute("action", "sweep").add_attribute("node_id", node_id.to_string()))
}
