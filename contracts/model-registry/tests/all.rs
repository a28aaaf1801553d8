//! One module a message, and what holds for all of them.

mod admin;
mod common;
mod deprecate;
mod histories;
mod lineage;
mod mark_stale;
mod migrate;
mod permissions;
mod prove_training;
mod queries;
mod register_model;
mod register_version;
mod set_price;
mod stand_in;
mod state;
mod update_developer;
mod use_access;
