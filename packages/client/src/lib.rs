//! Client of an OpenLedger chain: keys and key files, queries, and transactions that are simulated,
//! signed, broadcast and confirmed.
//!
//! - [`Key`]: secp256k1 keys of accounts, sessions and nodes; [`keyfile`] keeps them on disk.
//! - [`Chain`]: one endpoint of one chain; queries of modules and contracts.
//! - [`Signer`]: one account that sends transactions, whose sequence it keeps in order.
//! - [`contracts`]: the contracts with typed answers.
//!
//! Every error has a stable code, says whether a retry helps and what to do ([`Error`]).

mod blocks;
mod chain;
mod config;
pub mod contracts;
mod error;
mod key;
pub mod keyfile;
mod known_key;
mod message;
mod result;
mod signer;

pub use blocks::{Block, BlockEvents, Mined, TxEvents};
pub use chain::{Account, Chain, Status};
pub use config::{ChainConfig, Coin};
pub use error::{Error, Result};
pub use key::{address_of, verify_digest, Key};
pub use known_key::KnownKey;
pub use result::{Attribute, Event, TxResult};
pub use signer::Signer;

pub use cosmrs::{proto, Any};
