//! Messages and queries of the contracts.

pub mod common;
pub mod datanet;
pub mod escrow;
pub mod gateway;
pub mod model_registry;
pub mod node_registry;
pub mod referee;
