//! A chain with an escrow, users and nodes that do what real ones do.

pub mod book;
pub mod client;
pub mod keys;
pub mod node;
mod recount;
mod referee;
pub mod registry;
pub mod suite;

pub use client::Client;
pub use keys::Key;
pub use node::{Answer, TestNode};
pub use suite::{refused, Suite, ATOM, OPEN};
