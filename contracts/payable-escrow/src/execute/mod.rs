//! Handlers, by what they are about.

pub mod admin;
pub mod claim;
pub mod epoch;
pub mod session;
