//! Nodes: where they are reached, which key signed at which height, what they offer and have done, and
//! the bond at stake (PROTOCOL S2, F3, F5).
//!
//! A `node_id` never changes and a key belongs to one node for ever: rotation erases no guilt.
//! INVARIANTS.md gives the equation of the bonds.
//!
//! Do not send coins to the contract directly: they are counted as surplus and belong to nobody.

pub mod audit;
pub mod contract;
pub mod cuts;
pub mod endpoint;
pub mod error;
pub mod execute;
pub mod migrations;
pub mod query;
pub mod state;

pub use error::ContractError;

openledger_contract::entry_points!(
    contract,
    openledger_types::msg::node_registry::ExecuteMsg,
    openledger_types::msg::node_registry::QueryMsg,
    crate::ContractError
);
