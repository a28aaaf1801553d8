//! One module a message.

mod abandoned;
mod admin;
mod cases;
mod claim;
mod close;
mod commons;
mod connect;
mod finalize;
mod funds;
mod gateway;
mod migrate;
mod open_session;
pub mod permissions;
mod post_epoch;
mod queries;
mod roots;
mod top_up;
mod unsettled;
mod uses;
mod withdraw;
