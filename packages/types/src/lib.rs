//! What the contracts, the node, the command line and the web app of OpenLedger say to each other:
//! messages and queries of the contracts, every format that is hashed or signed, and the money
//! maths. Pure: no storage, no network, no clock.
//!
//! - [`formats`]: bytes that are hashed or signed (docs/formats.md, with JSON vectors).
//! - [`faults`]: one-step proofs that a node cheated.
//! - [`money`]: how a fee is divided, to the last unit.
//! - [`msg`]: the contracts' messages, one module a contract.
//! - [`packed`]: what bulk messages carry as bytes.
//! - [`api`]: the HTTP interface between node and client.

// In wasm the schema derives vanish, and with them the only use of some answers' types.
#![cfg_attr(target_arch = "wasm32", allow(unused_imports))]

pub mod api;
pub mod encode;
pub mod faults;
pub mod formats;
pub mod money;
pub mod msg;
pub mod packed;
pub mod profile;
pub mod signature;

pub use openledger_merkle as merkle;
