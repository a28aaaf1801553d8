//! `UpdateNode` and `RotateKey`.

use cosmwasm_std::{DepsMut, Env, Event, HexBinary, MessageInfo, Response, Uint64};
use openledger_contract::{payment, CommonError};
use openledger_types::msg::node_registry::NodeStatus;

use crate::execute::operated_by;
use crate::execute::register::{check_key, check_moniker};
use crate::state::{Node, KEYS, KEY_OWNERS, NODES};
use crate::{endpoint, ContractError};

/// What may be changed of a node; what is absent stays.
pub struct Changes {
    /// Base URL.
    pub endpoint: Option<String>,
    /// Name.
    pub moniker: Option<String>,
    /// Address of the hot key.
    pub hot_addr: Option<String>,
}

/// Changes how a node is reached.
pub fn update_node(
    deps: DepsMut,
    info: MessageInfo,
    node_id: u64,
    changes: Changes,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    let mut node = operated_by(deps.storage, &info, node_id)?;
    refuse_left(&node, node_id)?;
    let Changes { endpoint, moniker, hot_addr } = changes;
    if endpoint.is_none() && moniker.is_none() && hot_addr.is_none() {
        return Err(CommonError::BadField { field: "changes", rule: "at least one" }.into());
    }
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

    NODES.save(deps.storage, node_id, &node)?;
    Ok(Response::new().add_attribute("action", "update_node").add_event(
        Event::new("node_updated")
            .add_attribute("node_id", node_id.to_string())
            .add_attribute("endpoint", node.endpoint),
    ))
}

/// Puts another key into force from the next block on; the old ones stay on record by height.
pub fn rotate_key(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    node_id: u64,
    node_key: HexBinary,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    let node = operated_by(deps.storage, &info, node_id)?;
    refuse_left(&node, node_id)?;
    check_key(deps.storage, &node_key)?;
    let from = Uint64::new(env.block.height).checked_add(Uint64::one())?.u64();

    KEYS.save(deps.storage, (node_id, from), &node_key)?;
    KEY_OWNERS.save(deps.storage, &node_key, &node_id)?;
    Ok(Response::new().add_attribute("action", "rotate_key").add_event(
        Event::new("node_key_rotated")
            .add_attribute("node_id", node_id.to_string())
            .add_attribute("node_key", node_key.to_hex())
            .add_attribute("from_height", from.to_string()),
    ))
}

fn refuse_left(node: &Node, node_id: u64) -> Result<(), ContractError> {
    match node.status {
        NodeStatus::Left => Err(ContractError::HasLeft { node_id }),
        NodeStatus::Bonded | NodeStatus::Unbonding => Ok(()),
    }
}
