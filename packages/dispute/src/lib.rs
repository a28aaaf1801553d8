//! A dispute over an answer of the exact class, narrowed to at most sixteen values that a contract computes
//! again (PROTOCOL F2, docs/adr/0023).
//!
//! The trace of an answer is every value of its computation, in the order in which one follows from earlier
//! ones: for each position the operators of each layer, at last the tokens drawn and the digests that the
//! receipt committed to. The accused commits to its trace by one root and opens, move by move, the hashes
//! below the one that the challenger picked. The challenger picks the leftmost that is not its own: then all
//! before it is agreed, and what is left follows from agreed values or it does not.
//!
//! In the order of the data: [`layout`] where which value lies, [`tree`] the root and the descent, [`step`]
//! how a value follows from others, [`opened`] the same from opened values, [`trace`] both parties' side, [`play`] their messages.

pub mod layout;
pub mod opened;
pub mod play;
pub mod step;
pub mod trace;
pub mod tree;

mod attention;
mod error;

pub use error::DisputeError;
