//! Models: loading, answering, committing and replaying.
//!
//! A model is a folder in Hugging Face's layout with a manifest, which names its numeric class.
//! [`Model::load`] checks it, [`Model::generate`] answers, [`Model::replay`] checks an answer by one pass
//! over it. Class `exact`: `exact` with canonical numerics, the same bits everywhere; [`Batcher`] serves many
//! requests at once. Class `tolerant-f32`: candle-transformers' Llama answers, `net` with `ops` replays (and
//! trains). Shape, sampler, stop strings and the exact network are `openledger_exact`, which pages replay with
//! as well. The files, in the order of the data: `files`, `prepared`, `tokenizer`, `model`; `trace`; `generate`,
//! `replay`.

mod beside;
mod chat;
mod device;
mod error;
pub(crate) mod exact;
pub(crate) mod files;
mod generate;
mod gguf;
pub(crate) mod import;
mod model;
pub(crate) mod net;
mod prepared;
mod replay;
mod template;
mod tokenizer;
mod trace;

pub(crate) use beside::same_base;
pub use chat::{ChatFormat, CHAT_FILE};
pub use device::Place;
pub use error::{Error, Result};
pub use exact::adapters::{AdapterCounters, Adapters, ADAPTER_BYTES};
pub(crate) use exact::batch::GAP_BOUNDS;
pub use exact::batch::{BatchSettings, Batcher, Counters};
pub use files::{joined, whole_name, CONFIG_FILE, MANIFEST_FILE, TOKENIZER_FILE, WEIGHTS_FILE};
pub use generate::{GenRequest, Generation, MAX_STOPS, MAX_STOP_BYTES};
pub use import::import;
pub(crate) use model::class_schemes;
pub use model::{Model, Position};
pub use openledger_exact::adapter::ADAPTER_FILE;
pub use openledger_exact::config::ModelConfig;
pub use openledger_exact::constraint::{Constraint, Mask, Vocabulary};
pub use openledger_exact::prepared::PREPARED_FILE;
pub use openledger_exact::sampler::{Check, Sampler, EXACT_SAMPLER, EXACT_SAMPLER_PLAIN, NEAR_TIE, SAMPLER};
pub use openledger_exact::schema::{Json, Schema};
pub use openledger_exact::trace::{
    commit_root, COMMIT_SCHEME, EXACT_COMMIT_SCHEME, PROJECTIONS, TRACE_BYTES,
};
pub(crate) use openledger_ops as ops;
pub use replay::{ReplayReport, ReplayRequest, MAX_REL_L2};
pub(crate) use tokenizer::byte_alphabet;
pub use tokenizer::Tokenizer;
