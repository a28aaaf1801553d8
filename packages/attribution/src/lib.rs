//! Proof of attribution, layer A: the exact span trace. Which contributions an answer repeats, word
//! by word, reduced to integers that anyone recomputes from the same texts.
//!
//! - [`Index::build`] sorts the suffixes of all match texts (PROTOCOL D2, D3) once per version.
//! - [`Index::trace`] finds an answer's words in it, credits contributions and states [`shares()`] in
//!   basis points that are 10,000 together with `no_evidence` (PROTOCOL S2).
//! - [`Evidence`] commits to the bytes behind the shares; [`verify_piece`] is what a contract checks.
//! - [`Trace::original_ranges`] leads back to the answer as it was written, for display.
//!
//! Pure and deterministic: no network, clock, file or floating point.

mod error;
mod evidence;
mod highlight;
mod index;
mod owners;
mod proof;
mod rmq;
mod shares;
mod spans;
mod suffix;
mod surprisal;
mod trace;
mod words;

pub use error::Error;
pub use evidence::Evidence;
pub use index::{Document, Duplicate, Index, COPY_WORDS};
pub use owners::MAX_OWNERS;
pub use proof::{verify_piece, Opened, TextProof};
pub use shares::{shares, Shares};
pub use spans::ECHO_WORDS;
pub use trace::{Payee, Run, RunKind, Token, Trace, CREDIT_FRACTION, MAX_ANSWER_WORDS};
