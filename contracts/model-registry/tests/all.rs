//! One module a message, and what holds for all of them.

mod admin;
mod common;
mod deprecate;
mod migrate;
mod permissions;
mod queries;
mod register_model;
mod register_version;
mod state;
