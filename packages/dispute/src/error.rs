//! What is refused.

use core::fmt;

/// A refusal; it changes nothing, and the same data is refused again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DisputeError {
    /// The statement cannot belong to an answer of this model: what of it.
    Statement(&'static str),
    /// There is no such place in the trace.
    OutsideTrace,
    /// It is not this move's turn.
    NotYourTurn,
    /// The hashes shown do not hash to the one that was picked, or are not as many as stand below it.
    WrongHashes {
        /// How many stand below it.
        expected: usize,
    },
    /// A value that the step reads was not opened: in words which.
    Missing(String),
    /// An opened value does not stand under its root: in words which.
    BadOpening(String),
}

impl fmt::Display for DisputeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DisputeError::Statement(what) => {
                write!(f, "no answer of this model: {what}; leave it to the votes")
            }
            DisputeError::OutsideTrace => f.write_str("there is no such place in the trace"),
            DisputeError::NotYourTurn => {
                f.write_str("the other side is to move; wait for it or its deadline")
            }
            DisputeError::WrongHashes { expected } => {
                write!(f, "show the {expected} hashes below the one that was picked, in order")
            }
            DisputeError::Missing(what) => write!(f, "open {what} too: the step reads it"),
            DisputeError::BadOpening(what) => write!(f, "{what} is not what its root commits to"),
        }
    }
}

impl core::error::Error for DisputeError {}
