//! Merkle trees of OpenLedger, shared by contracts, node, command line and verifiers.
//!
//! One shape serves everything: the tree of [RFC 6962 §2.1]. Its root over `n` leaves equals the
//! peaks of a Merkle mountain range of size `n` bagged from right to left, so an append-only log
//! ([`Frontier`]) and a tree built at once ([`Tree`]) agree, and one proof format serves both.
//!
//! Two kinds of node use that shape:
//! - [`Hash`]: leaf `SHA-256(0x00 ‖ data)`, inner `SHA-256(0x01 ‖ left ‖ right)`.
//! - [`SumNode`]: a hash with the sum below it; leaf as above with the amount inside `data`, inner
//!   `SHA-256(0x01 ‖ left hash ‖ left sum ‖ right hash ‖ right sum)`, sums as 16 bytes big-endian,
//!   additions checked (PROTOCOL L9).
//!
//! The prefixes keep a leaf from ever being taken for an inner node; the number of leaves is part
//! of every check, so that a path of the wrong length is refused.
//!
//! [RFC 6962 §2.1]: https://www.rfc-editor.org/rfc/rfc6962#section-2.1
#![no_std]

extern crate alloc;

mod chunks;
mod frontier;
mod node;
mod proof;
mod tree;
mod wire;

pub use chunks::{chunk_path, chunk_root, chunk_tree, BLOB_CHUNK, CONTENT_CHUNK};
pub use frontier::Frontier;
pub use node::{leaf_hash, Hash, Node, SumNode, ZERO_HASH};
pub use proof::{verify_consistency, verify_inclusion};
pub use tree::Tree;
pub use wire::{read_nodes, write_nodes, Wire, WireError, MAX_NODES};
