//! What the relayer decides. Pure: no network, clock or file.
//!
//! [`state`] is what a chain says at one height, without words of any particular chain; [`plan`] turns
//! two such states and a time into the messages that are due; [`handshake`] does the same for clients,
//! connections and channels; [`ledger`] moves a state on by a block's events; [`batch`] packs messages into transactions; [`filter`] says which packets
//! this relayer serves; [`gateway`] what is due for the contract that pays contributors.

pub mod batch;
pub mod filter;
pub mod gateway;
pub mod handshake;
pub mod ledger;
pub mod plan;
pub mod state;

#[cfg(test)]
mod tests;
