//! One module a message, and what holds for all of them.

mod admin;
mod bond;
mod common;
mod conservation;
mod migrate;
mod permissions;
mod queries;
mod register;
mod rotate_key;
mod state;
mod update_node;
