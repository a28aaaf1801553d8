//! The referee: who checks, what is found, who decides (PROTOCOL F1-F4, L6).
//!
//! It holds the bonds of those who demand chunks and open cases, never users' money: what it finds it
//! tells the escrow, the node registry and the datanet contract, each of which believes its address.
//! There is no pause: challenging never stops (A1). INVARIANTS.md gives the equation of the bonds.
//!
//! Do not send coins to the contract directly: they are counted as surplus and belong to nobody.

pub mod contract;
pub mod error;
pub mod execute;
pub mod peers;
pub mod query;
pub mod state;
pub mod weight;

pub use error::ContractError;

openledger_contract::entry_points!(
    contract,
    openledger_types::msg::referee::ExecuteMsg,
    openledger_types::msg::referee::QueryMsg,
    crate::ContractError
);
