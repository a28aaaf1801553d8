//! One module a topic, and what holds for all messages.

mod admin;
mod attest;
mod audit_pay;
mod cases;
mod common;
mod demands;
mod funds;
mod histories;
mod migrate;
mod misses;
mod permissions;
mod queries;
mod seeds;
mod state;
mod votes;
