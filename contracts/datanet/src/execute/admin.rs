//! What the owner may change.

use cosmwasm_std::{DepsMut, MessageInfo, Response};
use openledger_contract::{ownership, params, pause, payment, text, CommonError};
use openledger_types::msg::common::OwnershipAction;
use openledger_types::msg::datanet::Params;

use crate::state::PARAMS;
use crate::ContractError;

/// Refuses parameters that would disable a rule.
pub fn validate(new: &Params) -> Result<(), ContractError> {
    let Params { denom, commit_bond, reveal_blocks, withdrawal_grace, .. } = new;
    text::denom("params.denom", denom)?;
    params::positive("commit_bond", *commit_bond)?;
    params::blocks("reveal_blocks", *reveal_blocks)?;
    params::blocks("withdrawal_grace", *withdrawal_grace)?;
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

/// Stops or allows new datanets and commits.
pub fn set_paused(deps: DepsMut, info: MessageInfo, paused: bool) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    ownership::assert_owner(deps.storage, &info.sender)?;
    pause::set(deps.storage, paused)?;
    Ok(Response::new().add_attribute("action", "set_paused").add_attribute("paused", paused.to_string()))
}

/// Takes one step of a change of owner.
pub fn update_ownership(
    deps: DepsMut,
    info: MessageInfo,
    action: OwnershipAction,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    ownership::update(deps.storage, deps.api, &info.sender, action)?;
    Ok(Response::new().add_attribute("action", "update_ownership").add_attribute("sender", info.sender))
}
