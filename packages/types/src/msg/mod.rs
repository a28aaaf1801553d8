//! Messages and queries of the contracts.

pub mod arbiter;
mod claims;
pub mod common;
pub mod datanet;
mod documents;
pub mod escrow;
pub mod gateway;
pub mod model_registry;
pub mod node_registry;
pub mod referee;
pub mod storage;
