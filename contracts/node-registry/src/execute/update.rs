//! `UpdateNode`, `RotateKey` and `RenewKey`.

use cosmwasm_std::{DepsMut, Env, Event, HexBinary, MessageInfo, Response, Uint64};
use openledger_contract::{payment, text, CommonError};
use openledger_types::msg::node_registry::{NodeStatus, Role};

use crate::execute::register::{check_key, check_moniker, check_proof, check_roles, key_end};
use crate::execute::{operated_by, refuse_left};
use crate::state::{KEYS, KEY_OWNERS, NODES, PARAMS};
use crate::{audit, endpoint, ContractError};

/// What may be changed of a node; what is absent stays.
#[derive(PartialEq, Default)]
pub struct Changes {
    /// Base URL.
    pub endpoint: Option<String>,
    /// Name.
    pub moniker: Option<String>,
    /// Address of the hot key.
    pub hot_addr: Option<String>,
    /// age recipient.
    pub age_recipient: Option<String>,
    /// What it does.
    pub roles: Option<Vec<Role>>,
}

/// Changes how a node is reached and what it does.
pub fn update_node(
    mut deps: DepsMut,
    info: MessageInfo,
    node_id: u64,
    changes: Changes,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    let mut node = operated_by(deps.storage, &info, node_id)?;
    refuse_left(&node, node_id)?;
    if changes == Changes::default() {
        return Err(CommonError::BadField { field: "changes", rule: "at least one" }.into());
    }
    let Changes { endpoint, moniker, hot_addr, age_recipient, roles } = changes;
    if let Some(url) = endpoint {
        endpoint::validate(&url)?;
        node.endpoint = url;
    }
    if let Some(moniker) = moniker {
        check_moniker(&moniker)?;
        node.moniker = moniker;
    }
    if let Some(hot) = hot_addr {
        node.hot_addr = Some(deps.api.addr_validate(&hot)?);
    }
    if let Some(recipient) = age_recipient {
        text::age_recipient("age_recipient", &recipient)?;
        node.age_recipient = recipient;
    }
    if let Some(roles) = roles {
        check_roles(&roles)?;
        match roles.contains(&Role::Audit) {
            true if audit::is_auditor(deps.storage, node_id) => {}
            true if node.status != NodeStatus::Bonded => return Err(ContractError::NotBonded { node_id }),
            true => audit::enter(deps.branch(), node_id, &info.sender)?,
            false => audit::leave(deps.storage, node_id, &node),
        }
        node.roles = roles;
    }

    NODES.save(deps.storage, node_id, &node)?;
    Ok(Response::new().add_attribute("action", "update_node").add_event(
        Event::new("node_updated")
            .add_attribute("node_id", node_id.to_string())
            .add_attribute("endpoint", node.endpoint),
    ))
}

/// Puts another key into force from the next block on; the old ones stay on record by height. For the
/// rest of this block the outgoing key counts as renewed, as its operator could have done anyway.
pub fn rotate_key(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    node_id: u64,
    node_key: HexBinary,
    key_proof: HexBinary,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    let mut node = operated_by(deps.storage, &info, node_id)?;
    refuse_left(&node, node_id)?;
    check_key(deps.storage, &node_key)?;
    check_proof(deps.api, &env, &info.sender, &node_key, &key_proof)?;
    let from = Uint64::new(env.block.height).checked_add(Uint64::one())?.u64();
    let expires = key_end(from, PARAMS.load(deps.storage)?.key_blocks)?;
    node.key_expires = Some(expires);

    KEYS.save(deps.storage, (node_id, from), &node_key)?;
    KEY_OWNERS.save(deps.storage, &node_key, &node_id)?;
    NODES.save(deps.storage, node_id, &node)?;
    Ok(Response::new().add_attribute("action", "rotate_key").add_event(
        Event::new("node_key_rotated")
            .add_attribute("node_id", node_id.to_string())
            .add_attribute("node_key", node_key.to_hex())
            .add_attribute("from_height", from.to_string())
            .add_attribute("key_expires", expires.to_string()),
    ))
}

/// Lets the newest key live `key_blocks` from now.
pub fn renew_key(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    node_id: u64,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    let mut node = operated_by(deps.storage, &info, node_id)?;
    refuse_left(&node, node_id)?;
    let expires = key_end(env.block.height, PARAMS.load(deps.storage)?.key_blocks)?;
    node.key_expires = Some(expires);

    NODES.save(deps.storage, node_id, &node)?;
    Ok(Response::new().add_attribute("action", "renew_key").add_event(
        Event::new("node_key_renewed")
            .add_attribute("node_id", node_id.to_string())
            .add_attribute("key_expires", expires.to_string()),
    ))
}
