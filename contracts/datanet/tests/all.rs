//! One module a message, and what holds for all of them.

mod admin;
mod bonds;
mod commit;
mod common;
mod conservation;
mod create_datanet;
mod expire_commit;
mod grant_key;
mod migrate;
mod permissions;
mod queries;
mod reveal;
mod seal;
mod state;
