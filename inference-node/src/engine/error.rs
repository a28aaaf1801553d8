//! What can go wrong with a model, an answer or a training run, said to the operator.

use std::fmt;

/// A refusal or failure: a stable code, what happened, whether the same call may succeed later, and
/// one sentence of advice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// Stable code, for example `E-MODEL-003`.
    pub code: &'static str,
    /// What happened, with the figures of the case.
    pub what: String,
    /// One sentence of advice.
    pub advice: &'static str,
    /// Whether the same call may succeed later without a change.
    pub retry: bool,
}

/// Result of the engine and of the trainer.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error that stays until something is changed.
    pub(crate) fn new(code: &'static str, what: impl Into<String>, advice: &'static str) -> Self {
        Error { code, what: what.into(), advice, retry: false }
    }

    /// The same error, marked as worth another try.
    pub(crate) fn retryable(mut self) -> Self {
        self.retry = true;
        self
    }

    /// A file that cannot be read or written.
    pub(crate) fn file(path: &std::path::Path, error: &std::io::Error) -> Self {
        Error::new(
            "E-MODEL-001",
            format!("{}: {error}", path.display()),
            "Check that the folder exists, is readable and writable, and that the disk is not full.",
        )
        .retryable()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}. {}", self.code, self.what, self.advice)
    }
}

impl std::error::Error for Error {}

impl From<openledger_exact::Error> for Error {
    fn from(error: openledger_exact::Error) -> Self {
        Error::new(error.code, error.what, error.advice)
    }
}

impl From<candle_core::Error> for Error {
    fn from(error: candle_core::Error) -> Self {
        Error::new(
            "E-MODEL-900",
            format!("the numerics library failed: {error}"),
            "Report this with the model's manifest: checked inputs should never lead here.",
        )
    }
}
