//! The exact class as a node serves it: `batch` lets requests join and leave a running step of
//! `openledger_exact`'s network; `masks` finds what may follow in bound answers; `prefix` keeps what texts have in
//! common, `adapters` what is added to a base's weights.

pub(crate) mod adapters;
pub(crate) mod batch;
mod masks;
pub(crate) mod prefix;
