//! A whole OpenLedger in memory, for tests of contracts and of whatever talks to them.
//!
//! [`World`] runs all contracts on cw-multi-test with real secp256k1 signatures, real Merkle paths
//! and real transaction indexes; nothing in it is stubbed but the chain, and that can be a real one:
//! see [`Chain`]. The modules beside it play
//! the other parts: [`Batch`] a contributor, [`Client`] a user's page, [`NodeModel`] a node with its
//! ledger.
//!
//! The job from data to payout:
//!
//! ```
//! use openledger_testing::{Answer, Document, NodeModel, World};
//!
//! let mut world = World::new();
//! let (alice, user) = (world.account("alice"), world.account("user"));
//!
//! // Data: a datanet, ten contributions by Alice, a sealed version.
//! let datanet = world.create_datanet(&alice)?;
//! let given = world.contribute(&alice, datanet, Document::generate(1, 10))?;
//! let version = world.seal(&alice, datanet)?;
//!
//! // A model that rests on it, a node that serves it, a session that pays.
//! let model = world.register_model("developer", &[(datanet, version.version)])?;
//! let mut node = NodeModel::register(&mut world, "node")?;
//! let mut client = world.open_session(&user, model, &[(node.node_id, 1_000_000)])?;
//!
//! // Two answers, both tracing half of themselves to Alice's first document.
//! for question in ["who?", "why?"] {
//!     let voucher = client.ask(node.node_id, question, 100_000);
//!     let receipt = node.answer(&world, &voucher, Answer::citing(&[(given[0], 5_000)]));
//!     client.acknowledge(&receipt);
//! }
//! node.receive(&client.acknowledgement(node.node_id));
//!
//! // Settlement, the challenge window, a claim, a payout.
//! let posting = node.post_epoch(&mut world, &[client.session_id])?;
//! world.finalize(node.node_id)?;
//! world.claim(&alice, posting.claims())?;
//! let before = world.balance(&alice);
//! world.withdraw(&alice)?;
//! assert!(world.balance(&alice) > before);
//! world.assert_invariants();
//! # Ok::<(), openledger_testing::Refused>(())
//! ```

mod arbiter;
mod chain;
mod client;
pub mod conformity;
mod data;
mod datanets;
mod escrow;
mod forge;
mod gateway;
mod ibc;
mod indexed;
mod keys;
mod models;
mod node_model;
mod nodes;
mod referee;
mod refused;
mod storage;
mod validators;
mod world;

pub use chain::Chain;
pub use client::Client;
pub use data::{match_text, Batch, Document};
pub use datanets::{datanet_msg, IDENTITY, RECIPIENT};
pub use forge::{verify, Auditor};
pub use gateway::{CHANNEL, PREFIX, ROUTE};
pub use ibc::{Ack, Callback, CallbackMsg, Incoming, Packet, TransferModule};
pub use keys::{age_recipient, Key};
pub use models::{new_version, parents, training_root_of, ModelRef, TrainingTree};
pub use node_model::{Answer, NodeModel, Posting};
pub use nodes::{key_proof, register_as, register_msg};
pub use openledger_types::profile::Profile;
pub use referee::Ballot;
pub use refused::Refused;
pub use validators::SELF_DELEGATION;
pub use world::{attribute, attributes, SimulatedChain, World, WorldBuilder};

/// A result whose error is what a contract said.
pub type Result<T> = std::result::Result<T, Refused>;
