//! Datanets: who gave which data when, in an order nobody can rewrite, and the versions that models
//! are trained on (PROTOCOL D1, D2, D5).
//!
//! - A contributor commits to salted hashes before anybody sees the bytes ([`execute::commit`]).
//! - Leaves of a commit are opened ([`execute::reveal`]); the earliest commit of a match text holds
//!   it, on all datanets.
//! - The datanet's owner freezes versions ([`execute::seal`]); a version is a prefix of every later
//!   one.
//! - Bonds are pulled, never pushed ([`execute::bonds`]); INVARIANTS.md gives the equation.
//!
//! Do not send coins to the contract directly: they are counted as surplus and belong to nobody.

pub mod contract;
pub mod error;
pub mod execute;
pub mod query;
pub mod state;

pub use error::ContractError;
