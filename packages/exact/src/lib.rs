//! The exact class without candle (docs/numerics.md): what a node computes with, and what a page replays with.
//!
//! In the order of the data: [`config`] the network's shape, [`file`] the published weights, [`weights`] their
//! int8 rows and root, [`adapter`] what is added to them, [`prepared`] those rows in a file, [`bpe`] a tokenizer
//! without a library, [`cache`] and [`net`] the network, [`schema`] and [`constraint`] what may follow in a bound
//! answer, [`sampler`] the choice of tokens, [`stream`] text from tokens, [`trace`] the commitment, [`replay`] all of
//! it over one answer.

pub mod adapter;
pub mod bpe;
pub mod cache;
pub mod config;
pub mod constraint;
pub mod error;
pub mod file;
pub mod net;
pub mod prepared;
pub mod replay;
pub mod sampler;
pub mod schema;
pub mod stream;
pub mod trace;
pub mod weights;

pub use error::{Error, Result};
