//! `GrantKey`, `RotateKey`: who is given a datanet's key, and a new one when a reader leaves.

use cosmwasm_std::{DepsMut, Env, Event, HexBinary, MessageInfo, Response};
use openledger_contract::{payment, text, CommonError};
use openledger_types::msg::datanet::Visibility;

use crate::state::{self, PastKey, DATANETS, GRANTED, KEY_GRANTS, PAST_KEYS};
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
    let datanet = state::owned_datanet(deps.storage, datanet_id, &info.sender)?;
    check_wrapped(&wrapped)?;
    if datanet.key > 0 {
        GRANTED.save(deps.storage, (datanet_id, node_id), &datanet.key)?;
    }
    KEY_GRANTS.save(deps.storage, (datanet_id, node_id), &wrapped)?;
    Ok(Response::new().add_attribute("action", "grant_key").add_event(
        Event::new("key_granted")
            .add_attribute("datanet_id", datanet_id.to_string())
            .add_attribute("node_id", node_id.to_string()),
    ))
}

/// Puts the next key in force; grants that follow hand it over. The key before stays reachable from the new
/// one, because blobs that were sealed for it keep their ids and are not sealed anew.
pub fn rotate_key(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    datanet_id: u64,
    recipient: String,
    previous: HexBinary,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    let mut datanet = state::owned_datanet(deps.storage, datanet_id, &info.sender)?;
    if datanet.visibility == Visibility::Public {
        return Err(ContractError::PublicKey { datanet_id });
    }
    text::age_recipient("recipient", &recipient)?;
    if recipient == datanet.recipient {
        return Err(
            CommonError::BadField { field: "recipient", rule: "another than the one in force" }.into()
        );
    }
    check_wrapped(&previous)?;
    let past = PastKey { recipient: datanet.recipient, until: env.block.height, wrapped: previous };
    let past_key = datanet.key;
    datanet.key = datanet.key.checked_add(1).ok_or(CommonError::BadField {
        field: "datanet_id",
        rule: "a datanet whose key was rotated fewer than 4,294,967,295 times",
    })?;
    datanet.recipient = recipient;

    PAST_KEYS.save(deps.storage, (datanet_id, past_key), &past)?;
    DATANETS.save(deps.storage, datanet_id, &datanet)?;
    Ok(Response::new().add_attribute("action", "rotate_key").add_event(
        Event::new("key_rotated")
            .add_attribute("datanet_id", datanet_id.to_string())
            .add_attribute("key", datanet.key.to_string())
            .add_attribute("recipient", datanet.recipient),
    ))
}

/// Refuses what cannot be a wrapped identity.
pub(crate) fn check_wrapped(wrapped: &HexBinary) -> Result<(), CommonError> {
    match (1..=MAX_WRAPPED).contains(&wrapped.len()) {
        true => Ok(()),
        false => Err(CommonError::BadField { field: "wrapped", rule: "an age file of at most 1,024 bytes" }),
    }
}
