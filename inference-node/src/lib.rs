//! The inference node of OpenLedger as a library: models, training, serving, receipts, settlement.
//!
//! - [`engine`]: loads a model, generates, replays.
//! - [`attribution`]: whose data an answer rests on.
//! - [`train`]: makes a model from sealed datanet versions.
//! - [`corpus`]: reads a sealed version back from chain and blobs, checked against its root.
//! - [`ledger`]: from receipts to leaves, details, epochs and claims; pure.
//! - [`recompute`]: an answer computed again; shared by auditor and verifier, so that both judge alike.
//! - [`request`]: what a body asks for; shared by server and verifier, so that both read it alike.
//! - [`journal`]: vouchers, receipts and epochs on disk; survives a kill at any moment.
//! - [`fault`]: what goes wrong, with code and advice.
//! - [`config`]: the operator's file.
//! - [`audit`]: the loop that checks and attests the roots of other nodes.
//! - [`dispute`]: the whole computation of an answer, for a dispute; shared by accused and challenger.
//! - [`storage`]: keeps fragments of datanets, proves them, is paid; repairs what others lost.
//! - [`serve`]: the HTTP API and the loops behind it.
//! - [`stores`]: which store the blobs are in, and how they are moved to another.

pub mod attribution;
pub mod audit;
pub mod config;
pub mod corpus;
pub mod dispute;
pub mod engine;
pub mod fault;
pub mod journal;
pub mod ledger;
pub mod recompute;
pub mod request;
pub mod serve;
pub mod storage;
pub mod stores;
pub mod train;
