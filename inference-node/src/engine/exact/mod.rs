//! The exact class: every answer has the same bits on every machine (docs/numerics.md).
//!
//! `weights` quantises a model, `cache` holds keys and values, `net` computes steps over any mixture of
//! sequences, `batch` lets requests join and leave a running step.

pub(crate) mod batch;
pub(crate) mod cache;
pub(crate) mod net;
pub(crate) mod weights;
