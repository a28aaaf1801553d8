//! Messages, one file a topic.

pub mod admin;
pub mod bond;
pub mod register;
pub mod update;

use cosmwasm_std::{MessageInfo, Storage};
use openledger_contract::CommonError;

use crate::state::{self, Node};
use crate::ContractError;

/// Loads a node, refusing everyone but its operator.
pub(crate) fn operated_by(
    storage: &dyn Storage,
    info: &MessageInfo,
    node_id: u64,
) -> Result<Node, ContractError> {
    let node = state::node(storage, node_id)?;
    match node.operator == info.sender {
        true => Ok(node),
        false => Err(CommonError::Unauthorized { role: "the node's operator" }.into()),
    }
}
