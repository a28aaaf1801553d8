//! The binary's own part: what is parsed, what is called, what is printed.

pub mod args;
mod operate;
mod run;

pub use run::run;
