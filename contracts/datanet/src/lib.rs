//! Datanets: who gave which data when, in an order nobody can rewrite, and the versions that models
//! are trained on (PROTOCOL D1, D2, D4, D5, D6).
//!
//! - A contributor commits to salted hashes before anybody sees the bytes ([`execute::commit`]).
//! - Leaves of a commit are opened ([`execute::reveal`]); the earliest commit of a match text holds
//!   it, on all datanets. Their bonds stay at stake until nobody can challenge them any more.
//! - Curators or the lapse of time accept them ([`execute::curate`]); the referee takes out what was
//!   challenged rightly ([`execute::verdict`]), a contributor what is one's own ([`execute::withdraw`]).
//! - The datanet's owner freezes versions ([`execute::seal`]); a version is a prefix of every later
//!   one and commits the log of withdrawals.
//! - Developers pay for training ([`execute::access`]), which the training receipt shares
//!   ([`execute::training`]); anyone promises bounties ([`execute::bounty`]).
//! - Coins are pulled, never pushed ([`execute::bonds`]); INVARIANTS.md gives the equation.
//!
//! Do not send coins to the contract directly: they are counted as surplus and belong to nobody.

pub mod contract;
pub mod error;
pub mod execute;
pub mod migrations;
pub mod query;
pub mod queue;
pub mod records;
pub mod state;

pub use error::ContractError;

openledger_contract::entry_points!(
    contract,
    openledger_types::msg::datanet::ExecuteMsg,
    openledger_types::msg::datanet::QueryMsg,
    crate::ContractError
);
