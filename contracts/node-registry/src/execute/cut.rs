//! `PlanCut`, `ExecuteCut` and `VetoCut`: cuts that auditors voted are capped and wait (PROTOCOL F3).

use cosmwasm_std::{DepsMut, Env, Event, MessageInfo, Response, Storage, Uint128, Uint64};
use openledger_contract::{ownership, payment};
use openledger_types::msg::node_registry::{CutStatus, Params};

use crate::execute::{assert_referee, check_sentence, with_parts};
use crate::state::{self, Cut, Window, CUTS, CUT_COUNT, NODES, PARAMS, WINDOWS};
use crate::{cuts, ContractError};

/// Plans a cut. What the cap of the epoch leaves is planned; when that is nothing, no cut is made and
/// the message does not fail.
pub fn plan_cut(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    node_id: u64,
    bps: u16,
    finder: Option<String>,
    reason: String,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    assert_referee(deps.storage, &info.sender)?;
    let mut node = state::node(deps.storage, node_id)?;
    check_sentence(bps, &reason)?;
    let finder = finder.map(|finder| deps.api.addr_validate(&finder)).transpose()?;
    let params = PARAMS.load(deps.storage)?;
    let mut window = window(deps.storage, &env, &params, node_id, node.bond)?;
    let room = cuts::part(window.bond, params.voted_cut_bps).saturating_sub(window.planned);
    let amount = cuts::part(node.bond, bps).min(room);
    let event = Event::new("cut_planned")
        .add_attribute("node_id", node_id.to_string())
        .add_attribute("reason", &reason)
        .add_attribute("amount", amount)
        .add_attribute("denom", &params.denom);
    let response = Response::new().add_attribute("action", "plan_cut");
    if amount.is_zero() {
        return Ok(response.add_event(event));
    }
    let from = Uint64::new(env.block.height).checked_add(Uint64::new(params.veto_blocks))?.u64();
    let cut_id = Uint64::new(CUT_COUNT.load(deps.storage)?).checked_add(Uint64::one())?.u64();
    window.planned = window.planned.checked_add(amount)?;
    node.planned_cuts = node.planned_cuts.saturating_add(1);
    let cut = Cut { node_id, amount, finder, reason, from, status: CutStatus::Planned };

    CUT_COUNT.save(deps.storage, &cut_id)?;
    CUTS.save(deps.storage, cut_id, &cut)?;
    WINDOWS.save(deps.storage, node_id, &window)?;
    NODES.save(deps.storage, node_id, &node)?;
    Ok(response
        .add_event(event.add_attribute("cut_id", cut_id.to_string()).add_attribute("from", from.to_string())))
}

/// The node's window in this epoch; a new one measures the bond now.
fn window(
    storage: &dyn Storage,
    env: &Env,
    params: &Params,
    node_id: u64,
    bond: Uint128,
) -> Result<Window, ContractError> {
    let epoch = env.block.height.checked_div(params.epoch_blocks).unwrap_or_default();
    let known = WINDOWS.may_load(storage, node_id)?.filter(|window| window.epoch == epoch);
    Ok(known.unwrap_or(Window { epoch, bond, planned: Uint128::zero() }))
}

/// Carries out a planned cut whose time has come: its amount, or what is left of the bond.
pub fn execute_cut(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    cut_id: u64,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    let cut = waiting(deps.storage, cut_id)?;
    if env.block.height < cut.from {
        return Err(ContractError::CutTooEarly { cut_id, from: cut.from });
    }
    let params = PARAMS.load(deps.storage)?;
    let mut node = state::node(deps.storage, cut.node_id)?;
    let taken = cuts::take(deps.storage, &params, &mut node, cut.amount, cut.finder.clone())?;
    node.planned_cuts = node.planned_cuts.saturating_sub(1);
    let event = Event::new("cut_executed")
        .add_attribute("cut_id", cut_id.to_string())
        .add_attribute("node_id", cut.node_id.to_string())
        .add_attribute("reason", &cut.reason);
    let event = with_parts(event, &params.denom, &taken, node.bond);

    NODES.save(deps.storage, cut.node_id, &node)?;
    CUTS.save(deps.storage, cut_id, &Cut { status: CutStatus::Done, ..cut })?;
    Ok(Response::new().add_attribute("action", "execute_cut").add_event(event).add_messages(taken.burn))
}

/// Drops a planned cut, also one whose time has come. The room that it took in its epoch stays taken.
pub fn veto_cut(deps: DepsMut, info: MessageInfo, cut_id: u64) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    ownership::assert_owner(deps.storage, &info.sender)?;
    let cut = waiting(deps.storage, cut_id)?;
    let mut node = state::node(deps.storage, cut.node_id)?;
    node.planned_cuts = node.planned_cuts.saturating_sub(1);
    let event = Event::new("cut_vetoed")
        .add_attribute("cut_id", cut_id.to_string())
        .add_attribute("node_id", cut.node_id.to_string());

    NODES.save(deps.storage, cut.node_id, &node)?;
    CUTS.save(deps.storage, cut_id, &Cut { status: CutStatus::Vetoed, ..cut })?;
    Ok(Response::new().add_attribute("action", "veto_cut").add_event(event))
}

/// Loads a cut that waits.
fn waiting(storage: &dyn Storage, cut_id: u64) -> Result<Cut, ContractError> {
    let cut = state::cut(storage, cut_id)?;
    match cut.status {
        CutStatus::Planned => Ok(cut),
        CutStatus::Done | CutStatus::Vetoed => Err(ContractError::CutSettled { cut_id }),
    }
}
