//! Disputes with all contracts, and what holds for all messages.

mod disputes;
mod migrate;
mod permissions;
mod state;
mod suite;
