//! Why a message is refused.

use cosmwasm_std::{OverflowError, StdError};
use openledger_contract::CommonError;
use thiserror::Error;

/// Refusals of the node registry.
#[derive(Error, Debug)]
pub enum ContractError {
    /// Refusals that all contracts share.
    #[error(transparent)]
    Common(#[from] CommonError),
    /// From the standard library.
    #[error(transparent)]
    Std(#[from] StdError),
    /// A number above its range.
    #[error(transparent)]
    Overflow(#[from] OverflowError),
    /// No such node.
    #[error("there is no node {node_id}")]
    NodeNotFound {
        /// What was asked for.
        node_id: u64,
    },
    /// The bond is below the least one.
    #[error("a node's bond is at least {least} base units, not {sent}")]
    BondTooSmall {
        /// Least bond.
        least: u128,
        /// What was sent.
        sent: u128,
    },
    /// The key belongs or belonged to a node.
    #[error("this key belongs to node {node_id} for ever: make a new one")]
    KeyTaken {
        /// The node.
        node_id: u64,
    },
    /// The node is not in service.
    #[error("node {node_id} is not in service")]
    NotBonded {
        /// Node.
        node_id: u64,
    },
    /// The node's bond was paid out.
    #[error("node {node_id} has left")]
    HasLeft {
        /// Node.
        node_id: u64,
    },
    /// The node has not asked to leave.
    #[error("node {node_id} is in service: send Unbond first")]
    NotUnbonding {
        /// Node.
        node_id: u64,
    },
    /// The delay is not over.
    #[error("the bond of node {node_id} is at stake until height {unbonds_at}")]
    StillUnbonding {
        /// Node.
        node_id: u64,
        /// First height at which it can be withdrawn.
        unbonds_at: u64,
    },
}
