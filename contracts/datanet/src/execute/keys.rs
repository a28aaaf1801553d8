//! `GrantKey`.

use cosmwasm_std::{DepsMut, Event, HexBinary, MessageInfo, Response};
use openledger_contract::{payment, CommonError};

use crate::state::{self, KEY_GRANTS};
use crate::ContractError;

/// Most bytes of a wrapped identity.
const MAX_WRAPPED: usize = 1024;

/// Stores the datanet's identity wrapped for a node; a later grant replaces an earlier one.
pub fn grant_key(
    deps: DepsMut,
    info: MessageInfo,
    datanet_id: u64,
    node_id: u64,
    wrapped: HexBinary,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    state::owned_datanet(deps.storage, datanet_id, &info.sender)?;
    check_wrapped(&wrapped)?;

    KEY_GRANTS.save(deps.storage, (datanet_id, node_id), &wrapped)?;
    Ok(Response::new().add_attribute("action", "grant_key").add_event(
        Event::new("key_granted")
            .add_attribute("datanet_id", datanet_id.to_string())
            .add_attribute("node_id", node_id.to_string()),
    ))
}

/// Refuses what cannot be a wrapped identity.
pub(crate) fn check_wrapped(wrapped: &HexBinary) -> Result<(), CommonError> {
    match (1..=MAX_WRAPPED).contains(&wrapped.len()) {
        true => Ok(()),
        false => Err(CommonError::BadField { field: "wrapped", rule: "an age file of at most 1,024 bytes" }),
    }
}
