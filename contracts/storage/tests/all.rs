//! The contract, message by message, on a chain with all contracts.

mod admin;
mod assign;
mod attacks;
mod common;
mod deposits;
mod histories;
mod leave;
mod migrate;
mod permissions;
mod place;
mod proofs;
mod retire;
mod state;
