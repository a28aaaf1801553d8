//! Messages and queries of the contracts.

mod claims;
pub mod arbiter;
pub mod common;
pub mod datanet;
mod documents;
pub mod escrow;
pub mod gateway;
pub mod model_registry;
pub mod node_registry;
pub mod referee;
pub mod storage;
