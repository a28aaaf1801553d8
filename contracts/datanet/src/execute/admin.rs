//! What the owner may change.

use cosmwasm_std::{Addr, DepsMut, MessageInfo, Response, Storage};
use openledger_contract::{ownership, params, pause, payment, text, CommonError};
use openledger_types::formats::BPS;
use openledger_types::msg::common::OwnershipAction;
use openledger_types::msg::datanet::Params;

use crate::state::{Connections, CONNECTIONS, PARAMS};
use crate::ContractError;

/// Refuses parameters that would disable a rule.
pub fn validate(new: &Params) -> Result<(), ContractError> {
    let Params {
        denom,
        commit_bond,
        reveal_blocks,
        acceptance_blocks,
        access_blocks,
        developer_bond,
        finder_bps,
        burn_bps,
        withdrawal_grace,
    } = new;
    text::denom("params.denom", denom)?;
    params::positive("commit_bond", *commit_bond)?;
    params::positive("developer_bond", *developer_bond)?;
    params::blocks("reveal_blocks", *reveal_blocks)?;
    params::blocks("acceptance_blocks", *acceptance_blocks)?;
    params::blocks("access_blocks", *access_blocks)?;
    params::blocks("withdrawal_grace", *withdrawal_grace)?;
    params::basis_points("finder_bps", *finder_bps)?;
    params::basis_points("burn_bps", *burn_bps)?;
    // Whoever accuses oneself must lose: the finder's part is below the whole (F5).
    if u32::from(*finder_bps) + u32::from(*burn_bps) > u32::from(BPS) {
        let rule = "with burn_bps at most 10,000 basis points";
        return Err(CommonError::BadParam { name: "finder_bps", rule }.into());
    }
    Ok(())
}

/// Changes windows and bonds for new commits; those that are open keep theirs.
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

/// Names the contracts that are believed.
pub fn connect(
    deps: DepsMut,
    info: MessageInfo,
    model_registry: String,
    referee: String,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    ownership::assert_owner(deps.storage, &info.sender)?;
    let connections = believe(deps, &model_registry, &referee)?;
    Ok(Response::new()
        .add_attribute("action", "connect")
        .add_attribute("model_registry", connections.model_registry)
        .add_attribute("referee", connections.referee))
}

/// Writes down which contracts are believed; also at instantiation.
pub(crate) fn believe(
    deps: DepsMut,
    model_registry: &str,
    referee: &str,
) -> Result<Connections, ContractError> {
    let connections = Connections {
        model_registry: deps.api.addr_validate(model_registry)?,
        referee: deps.api.addr_validate(referee)?,
    };
    CONNECTIONS.save(deps.storage, &connections)?;
    Ok(connections)
}

/// Refuses every sender but the referee.
pub(crate) fn assert_referee(storage: &dyn Storage, sender: &Addr) -> Result<(), ContractError> {
    match CONNECTIONS.may_load(storage)? {
        Some(connections) if connections.referee == *sender => Ok(()),
        _ => Err(CommonError::Unauthorized { role: "the referee" }.into()),
    }
}

/// Refuses every sender but the model registry.
pub(crate) fn assert_model_registry(storage: &dyn Storage, sender: &Addr) -> Result<(), ContractError> {
    match CONNECTIONS.may_load(storage)? {
        Some(connections) if connections.model_registry == *sender => Ok(()),
        _ => Err(CommonError::Unauthorized { role: "the model registry" }.into()),
    }
}

/// Stops or allows new datanets, commits, accesses and bounties.
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
