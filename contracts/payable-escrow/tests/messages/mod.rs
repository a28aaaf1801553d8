//! One module a message.

mod admin;
mod claim;
mod close;
mod finalize;
mod funds;
mod migrate;
mod open_session;
mod permissions;
mod post_epoch;
mod queries;
mod top_up;
mod withdraw;
