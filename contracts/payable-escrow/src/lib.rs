//! The payable escrow: users' coins between the opening of a session and the contributors' balances.
//!
//! A session's coins wait as *escrowed*. A settlement moves fees to *pending* while the node's root
//! can still be challenged. A final root splits them: developer, royalties and operator to *accrued*
//! balances, the protocol to *audits* and *treasury*, the data to the node's *ledger*, from where claims move them to
//! balances or to the *commons*. A case takes the receipts that it is about out of the root as *held*.
//! Withdrawals, the treasury and the sweep of the commons are the only ways out. Every term is a
//! counter; INVARIANTS.md names the formulas and the tests that hold them.
//!
//! State is saved before a message is returned, and nothing depends on an answer: the one reply only
//! swallows the failure of a message to the node registry, so that no coin waits for it.

mod book;
pub mod contract;
mod credits;
mod error;
mod execute;
mod migrations;
mod money;
mod query;
mod registry;
pub mod roots;
mod settle;
pub mod state;

pub use error::ContractError;

openledger_contract::entry_points!(
    contract,
    openledger_types::msg::escrow::ExecuteMsg,
    openledger_types::msg::escrow::QueryMsg,
    crate::ContractError
);
