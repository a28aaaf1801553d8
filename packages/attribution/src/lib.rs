//! Proof of attribution: which contributions an answer rests on, reduced to integers that anyone
//! recomputes from the same texts. Layer A is wording, the exact span trace; layer B is [`influence`],
//! what the documents did to the model; [`Layers`] pays by both, [`Index`] alone by wording.
//!
//! - [`Method`] is what all ways of attribution have in common: index, evidence, shares.
//! - [`Index::build`] sorts the suffixes of all match texts (PROTOCOL D2, D3) once per version.
//! - [`Index::trace`] finds an answer's words in it, credits contributions and states [`shares()`] in
//!   basis points that are 10,000 together with `no_evidence` (PROTOCOL S2).
//! - [`Evidence`] commits to the bytes behind the shares; [`verify_piece`] is what a contract checks.
//! - [`Trace::original_ranges`] leads back to the answer as it was written, for display.
//!
//! Pure and deterministic: no network, clock or file. Floating point only where rows of signatures are
//! made from what a model computes; from the rows to the shares everything is integers.

pub mod calibration;
mod chance;
mod error;
mod evidence;
mod highlight;
mod index;
pub mod influence;
mod layers;
mod lexical;
mod near;
mod owners;
mod packed;
mod proof;
mod shares;
mod spans;
mod suffix;
mod surprisal;
mod trace;
mod words;

pub use error::Error;
pub use evidence::Evidence;
pub use highlight::echoes;
pub use index::{Document, Duplicate, Index, COPY_WORDS};
pub use layers::{
    combine, grounded, heard, Answer, Credits, Layer, Layers, Method, Weights, SPAN_ONLY, THREE_LAYERS,
    THREE_LAYERS_FLOORED, TWO_LAYERS,
};
pub use near::{borrowed_run, MinHash, LEAST_WORDS};
pub use owners::MAX_OWNERS;
pub use proof::{verify_piece, Opened, TextProof};
pub use shares::{shares, Shares};
pub use spans::ECHO_WORDS;
pub use trace::{
    Grounding, Payee, Run, RunKind, Token, Trace, CREDIT_FRACTION, GROUNDED_WORDS, MAX_ANSWER_WORDS,
};
