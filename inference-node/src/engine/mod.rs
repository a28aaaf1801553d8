//! Models: loading, answering, committing and replaying (numeric class `tolerant-f32`).
//!
//! A model is a folder in Hugging Face's layout with a manifest. [`Model::load`] checks it,
//! [`Model::generate`] answers with candle-transformers' Llama, [`Model::replay`] checks an answer
//! with the forward pass of its own in `net`. The files, in the order of the data: `files`, `config`,
//! `tokenizer`, `model`; `net` with `ops`; `sampler`, `stream`, `trace`; `generate`, `replay`.

mod config;
mod error;
pub(crate) mod files;
mod generate;
mod model;
pub(crate) mod net;
pub(crate) mod ops;
mod replay;
mod sampler;
mod stream;
mod tokenizer;
mod trace;

pub use config::ModelConfig;
pub use error::{Error, Result};
pub use files::{CONFIG_FILE, MANIFEST_FILE, TOKENIZER_FILE, WEIGHTS_FILE};
pub use generate::{GenRequest, Generation, MAX_STOPS, MAX_STOP_BYTES};
pub use model::Model;
pub use replay::{ReplayReport, ReplayRequest, MAX_REL_L2};
pub use sampler::{Check, Sampler, NEAR_TIE, SAMPLER};
pub(crate) use tokenizer::byte_alphabet;
pub use tokenizer::Tokenizer;
pub use trace::{commit_root, COMMIT_SCHEME, PROJECTIONS, TRACE_BYTES};
