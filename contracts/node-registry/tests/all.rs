//! One module a message, and what holds for all of them.

mod admin;
mod auditors;
mod bond;
mod cases;
mod common;
mod conservation;
mod cuts;
mod migrate;
mod offers;
mod permissions;
mod purse;
mod queries;
mod register;
mod renew_key;
mod rotate_key;
mod slash;
mod state;
mod update_node;
mod work;
