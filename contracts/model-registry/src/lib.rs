//! Models: who made them, which sealed data they rest on, what an answer costs and how the fee is
//! divided (PROTOCOL D5, S3), and what a version owes its ancestors' developers (L11).
//!
//! Of a registered version only the prices change, with notice, and two warnings, `deprecated` and
//! `stale`, which are never taken back; sessions pin what they need from it. The contract holds no
//! coins and refuses any that are sent with a message.

pub mod contract;
mod datanets;
pub mod error;
pub mod execute;
mod migrations;
pub mod query;
pub mod state;

pub use error::ContractError;

openledger_contract::entry_points!(
    contract,
    openledger_types::msg::model_registry::ExecuteMsg,
    openledger_types::msg::model_registry::QueryMsg,
    crate::ContractError
);
