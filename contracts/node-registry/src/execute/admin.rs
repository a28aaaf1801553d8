//! What the owner may change.

use cosmwasm_std::{Addr, DepsMut, MessageInfo, Response, Storage, Uint128};
use openledger_contract::{ownership, params, pause, payment, text, CommonError};
use openledger_types::msg::common::OwnershipAction;
use openledger_types::msg::node_registry::Params;

use crate::state::{Connections, Totals, CONNECTIONS, CUT_COUNT, PARAMS, TOTALS};
use crate::ContractError;

/// Refuses parameters that would disable a rule.
pub fn validate(new: &Params) -> Result<(), ContractError> {
    let Params {
        denom,
        min_bond,
        unbonding_blocks,
        key_blocks,
        jail_blocks,
        finder_bps,
        burn_bps,
        voted_cut_bps,
        epoch_blocks,
        veto_blocks,
    } = new;
    text::denom("params.denom", denom)?;
    params::positive("min_bond", *min_bond)?;
    params::blocks("unbonding_blocks", *unbonding_blocks)?;
    params::blocks("key_blocks", *key_blocks)?;
    params::blocks("jail_blocks", *jail_blocks)?;
    params::blocks("epoch_blocks", *epoch_blocks)?;
    params::blocks("veto_blocks", *veto_blocks)?;
    params::basis_points("finder_bps", *finder_bps)?;
    params::basis_points("burn_bps", *burn_bps)?;
    params::basis_points("voted_cut_bps", *voted_cut_bps)?;
    // F5: each is at least 1, so neither is the whole, and accusing oneself loses.
    if u32::from(*finder_bps) + u32::from(*burn_bps) > 10_000 {
        let rule = "with burn_bps at most 10,000 basis points";
        return Err(CommonError::BadParam { name: "finder_bps", rule }.into());
    }
    // F5: both windows are bounded above, so the sum cannot overflow.
    if *unbonding_blocks <= epoch_blocks.saturating_add(*veto_blocks) {
        let rule = "longer than epoch_blocks and veto_blocks together";
        return Err(CommonError::BadParam { name: "unbonding_blocks", rule }.into());
    }
    Ok(())
}

/// Puts the counters in their places; all of them but the bonds begin at nothing.
pub fn open_counters(storage: &mut dyn Storage, bonds: Uint128) -> Result<(), ContractError> {
    TOTALS.save(storage, &Totals { bonds, ..Totals::default() })?;
    Ok(CUT_COUNT.save(storage, &0)?)
}

/// Changes bonds and delays. What has begun keeps its heights: a node that is unbonding, a jail, a key,
/// a planned cut.
pub fn update_params(deps: DepsMut, info: MessageInfo, new: Params) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    ownership::assert_owner(deps.storage, &info.sender)?;
    validate(&new)?;
    // Bonds at stake are counted in one denom: another one would leave them without a counter.
    if PARAMS.load(deps.storage)?.denom != new.denom {
        return Err(CommonError::BadParam { name: "denom", rule: "that of the instantiation" }.into());
    }
    PARAMS.save(deps.storage, &new)?;
    Ok(Response::new().add_attribute("action", "update_params"))
}

/// Names the contracts that are believed. Cases that a former referee opened can still be closed by it.
pub fn connect(
    deps: DepsMut,
    info: MessageInfo,
    model_registry: &str,
    escrow: &str,
    referee: &str,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    ownership::assert_owner(deps.storage, &info.sender)?;
    let connections = believe(deps, model_registry, escrow, referee)?;
    Ok(Response::new()
        .add_attribute("action", "connect")
        .add_attribute("model_registry", connections.model_registry)
        .add_attribute("escrow", connections.escrow)
        .add_attribute("referee", connections.referee))
}

/// Writes down which contracts are believed; also at instantiation.
pub(crate) fn believe(
    deps: DepsMut,
    model_registry: &str,
    escrow: &str,
    referee: &str,
) -> Result<Connections, ContractError> {
    let connections = Connections {
        model_registry: deps.api.addr_validate(model_registry)?,
        escrow: deps.api.addr_validate(escrow)?,
        referee: deps.api.addr_validate(referee)?,
        storage: CONNECTIONS.may_load(deps.storage)?.and_then(|known| known.storage),
    };
    CONNECTIONS.save(deps.storage, &connections)?;
    Ok(connections)
}

/// Names the storage contract; the others must be known.
pub fn connect_storage(deps: DepsMut, info: MessageInfo, storage: &str) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    ownership::assert_owner(deps.storage, &info.sender)?;
    let known = believe_storage(deps, storage)?;
    Ok(Response::new().add_attribute("action", "connect_storage").add_attribute("storage", known))
}

/// Writes down which storage contract is believed; also at instantiation.
pub(crate) fn believe_storage(deps: DepsMut, storage: &str) -> Result<Addr, ContractError> {
    let storage = deps.api.addr_validate(storage)?;
    let mut connections = CONNECTIONS.load(deps.storage)?;
    connections.storage = Some(storage.clone());
    CONNECTIONS.save(deps.storage, &connections)?;
    Ok(storage)
}

/// Stops or allows registrations.
pub fn set_paused(deps: DepsMut, info: MessageInfo, paused: bool) -> Result<Response, ContractError> {
    Ok(pause::execute(deps.storage, &info, paused)?)
}

/// Takes one step of a change of owner.
pub fn update_ownership(
    deps: DepsMut,
    info: MessageInfo,
    action: OwnershipAction,
) -> Result<Response, ContractError> {
    let response = ownership::execute(deps.storage, deps.api, &info, action)?;
    Ok(response.add_attribute("sender", info.sender))
}
