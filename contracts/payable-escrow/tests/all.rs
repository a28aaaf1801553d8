//! Tests of the escrow: one module a message, one for the protocol rules that cut across messages,
//! and random histories.

mod common;
mod histories;
mod messages;
mod rules;
