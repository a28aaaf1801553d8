//! Tests of the gateway on the simulated chain with the real escrow, one module a subject.

mod admin;
mod bounties;
mod callbacks;
mod common;
mod funds;
mod histories;
mod pay_in;
mod payouts;
mod permissions;
mod queries;
mod state;
mod unresolved;
