//! The payable escrow: users' coins between the opening of a session and the contributors' balances.
//!
//! A session's coins wait as *escrowed*. A settlement moves fees to *pending* while the node's root
//! can still be challenged. A final root splits them: developer and operator to *accrued* balances,
//! the protocol to the *treasury*, the data to the node's *ledger*, from where claims move them to
//! balances or to the *commons*. Withdrawals and the treasury are the only ways out. Every term is a
//! counter; INVARIANTS.md names the formulas and the tests that hold them.
//!
//! No message is sent that could call back: there are no submessages with replies, and state is
//! saved before a bank message is returned.

pub mod contract;
mod error;
mod execute;
mod money;
mod query;
mod registry;
mod settle;
pub mod state;

pub use error::ContractError;
