//! The binary's own part: what is parsed, what is called, what is printed.

pub mod args;
mod audits;
mod data;
mod models;
mod money;
mod operate;
mod proofs;
mod run;
mod sessions;

pub use run::run;
