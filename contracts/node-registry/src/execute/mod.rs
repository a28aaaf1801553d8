//! Messages, one file a topic.

pub mod admin;
pub mod bond;
pub mod cases;
pub mod cut;
pub mod offer;
pub mod purse;
pub mod register;
pub mod slash;
pub mod update;
pub mod work;

use cosmwasm_std::{Addr, Event, MessageInfo, Storage};
use openledger_contract::{params, text, CommonError};
use openledger_types::msg::node_registry::NodeStatus;

use crate::cuts::Taken;
use crate::state::{self, Connections, Node, CONNECTIONS};
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

/// Loads a node, refusing everyone but its operator and its hot address.
pub(crate) fn run_by(storage: &dyn Storage, info: &MessageInfo, node_id: u64) -> Result<Node, ContractError> {
    let node = state::node(storage, node_id)?;
    match node.operator == info.sender || node.hot_addr.as_ref() == Some(&info.sender) {
        true => Ok(node),
        false => Err(CommonError::Unauthorized { role: "the node's operator or hot address" }.into()),
    }
}

/// Refuses what a node that has left cannot do.
pub(crate) fn refuse_left(node: &Node, node_id: u64) -> Result<(), ContractError> {
    match node.status {
        NodeStatus::Left => Err(ContractError::HasLeft { node_id }),
        NodeStatus::Bonded | NodeStatus::Unbonding => Ok(()),
    }
}

/// Refuses every sender but the contracts that `role` names.
pub(crate) fn assert_believed(
    storage: &dyn Storage,
    sender: &Addr,
    role: &'static str,
    is: impl Fn(&Connections, &Addr) -> bool,
) -> Result<(), CommonError> {
    match CONNECTIONS.may_load(storage)? {
        Some(connections) if is(&connections, sender) => Ok(()),
        _ => Err(CommonError::Unauthorized { role }),
    }
}

/// Refuses every sender but the referee.
pub(crate) fn assert_referee(storage: &dyn Storage, sender: &Addr) -> Result<(), CommonError> {
    assert_believed(storage, sender, "the referee", |known, sender| known.referee == *sender)
}

/// Refuses every sender but the escrow, the referee and the storage contract.
pub(crate) fn assert_court(storage: &dyn Storage, sender: &Addr) -> Result<(), CommonError> {
    let role = "the escrow, the referee and the storage contract";
    assert_believed(storage, sender, role, |known, sender| {
        known.escrow == *sender || known.referee == *sender || known.storage.as_ref() == Some(sender)
    })
}

/// Refuses a cut of no size and a reason that is not a short line.
pub(crate) fn check_sentence(bps: u16, reason: &str) -> Result<(), CommonError> {
    params::basis_points("bps", bps)?;
    text::line("reason", reason, 1, 128, "a line of 1 to 128 bytes")
}

/// Adds to an event what was taken and who has it.
pub(crate) fn with_parts(
    event: Event,
    denom: &str,
    taken: &Taken,
    bond_left: cosmwasm_std::Uint128,
) -> Event {
    let event = event
        .add_attribute("amount", taken.amount)
        .add_attribute("denom", denom)
        .add_attribute("finder_part", taken.division.finder)
        .add_attribute("burned", taken.division.burned)
        .add_attribute("treasury_part", taken.division.treasury)
        .add_attribute("bond", bond_left);
    match &taken.finder {
        Some(finder) => event.add_attribute("finder", finder),
        None => event,
    }
}
