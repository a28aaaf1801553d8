//! `GrantKey`, `RotateKey`: who is given a datanet's key, and a new one when a reader leaves.

use cosmwasm_std::{DepsMut, Env, Event, HexBinary, MessageInfo, Response, Storage};
use openledger_contract::{payment, text, CommonError};
use openledger_types::msg::datanet::{DeveloperKey, NodeKey, Visibility, MAX_NAMED};

use crate::execute::access;
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
    grant(deps.storage, datanet_id, node_id, datanet.key, &wrapped)?;
    Ok(Response::new().add_attribute("action", "grant_key").add_event(
        Event::new("key_granted")
            .add_attribute("datanet_id", datanet_id.to_string())
            .add_attribute("node_id", node_id.to_string()),
    ))
}

/// Puts the next key in force and hands it to the readers who are named. The key before stays reachable
/// from the new one, because blobs that were sealed for it keep their ids and are not sealed anew.
#[allow(clippy::too_many_arguments)]
pub fn rotate_key(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    datanet_id: u64,
    recipient: String,
    previous: HexBinary,
    nodes: Vec<NodeKey>,
    developers: Vec<DeveloperKey>,
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
    if nodes.len() > MAX_NAMED || !nodes.is_sorted_by(|a, b| a.node_id < b.node_id) {
        let rule = "at most 64, rising, without repeats";
        return Err(CommonError::BadField { field: "nodes", rule }.into());
    }
    if developers.len() > MAX_NAMED || !developers.is_sorted_by(|a, b| a.developer < b.developer) {
        let rule = "at most 64, rising, without repeats";
        return Err(CommonError::BadField { field: "developers", rule }.into());
    }
    let past = PastKey { recipient: datanet.recipient, until: env.block.height, wrapped: previous };
    let past_key = datanet.key;
    datanet.key = datanet.key.checked_add(1).ok_or(CommonError::BadField {
        field: "datanet_id",
        rule: "a datanet whose key was rotated fewer than 4,294,967,295 times",
    })?;
    datanet.recipient = recipient;

    PAST_KEYS.save(deps.storage, (datanet_id, past_key), &past)?;
    DATANETS.save(deps.storage, datanet_id, &datanet)?;
    for NodeKey { node_id, wrapped } in &nodes {
        grant(deps.storage, datanet_id, *node_id, datanet.key, wrapped)?;
    }
    for DeveloperKey { developer, wrapped } in developers {
        let developer_addr = deps.api.addr_validate(&developer)?;
        access::hand_over(deps.storage, &env, datanet_id, &developer_addr, datanet.key, wrapped)?;
    }
    Ok(Response::new().add_attribute("action", "rotate_key").add_event(
        Event::new("key_rotated")
            .add_attribute("datanet_id", datanet_id.to_string())
            .add_attribute("key", datanet.key.to_string())
            .add_attribute("recipient", datanet.recipient),
    ))
}

/// Notes the key of this number as given to a node.
fn grant(
    storage: &mut dyn Storage,
    datanet_id: u64,
    node_id: u64,
    key: u32,
    wrapped: &HexBinary,
) -> Result<(), ContractError> {
    check_wrapped(wrapped)?;
    if key > 0 {
        GRANTED.save(storage, (datanet_id, node_id), &key)?;
    }
    Ok(KEY_GRANTS.save(storage, (datanet_id, node_id), wrapped)?)
}

/// Refuses what cannot be a wrapped identity.
pub(crate) fn check_wrapped(wrapped: &HexBinary) -> Result<(), CommonError> {
    match (1..=MAX_WRAPPED).contains(&wrapped.len()) {
        true => Ok(()),
        false => Err(CommonError::BadField { field: "wrapped", rule: "an age file of at most 1,024 bytes" }),
    }
}
