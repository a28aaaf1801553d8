//! What the owner may change.

use cosmwasm_std::{DepsMut, MessageInfo, Response};
use openledger_contract::{ownership, params, pause, CommonError};
use openledger_types::formats::BPS;
use openledger_types::msg::common::OwnershipAction;
use openledger_types::msg::model_registry::Params;

use crate::state::PARAMS;
use crate::ContractError;

/// Refuses bounds that would disable a rule or that no split can meet.
pub fn validate(new: &Params) -> Result<(), ContractError> {
    let Params { min_data_bps, protocol_bps, max_royalty_bps, price_notice } = new;
    params::basis_points("min_data_bps", *min_data_bps)?;
    params::basis_points("protocol_bps", *protocol_bps)?;
    params::basis_points("max_royalty_bps", *max_royalty_bps)?;
    params::blocks("price_notice", *price_notice)?;
    if u32::from(*min_data_bps).saturating_add(u32::from(*protocol_bps)) > u32::from(BPS) {
        let rule = "at most 10,000 basis points together with protocol_bps";
        return Err(CommonError::BadParam { name: "min_data_bps", rule }.into());
    }
    Ok(())
}

/// Changes the bounds for new versions and new announcements of prices; those that are there keep
/// theirs.
pub fn update_params(deps: DepsMut, info: MessageInfo, new: Params) -> Result<Response, ContractError> {
    ownership::assert_owner(deps.storage, &info.sender)?;
    validate(&new)?;
    PARAMS.save(deps.storage, &new)?;
    Ok(Response::new().add_attribute("action", "update_params"))
}

/// Stops or allows new models and versions.
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
