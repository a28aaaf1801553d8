//! What can go wrong with a model's files or with a request.

use std::fmt;

/// A refusal: a stable code, what happened and one sentence of advice. The same call never succeeds later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// Stable code, for example `E-MODEL-004`.
    pub code: &'static str,
    /// What happened, with the figures of the case.
    pub what: String,
    /// One sentence of advice.
    pub advice: &'static str,
}

/// Result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A refusal.
    pub fn new(code: &'static str, what: impl Into<String>, advice: &'static str) -> Self {
        Error { code, what: what.into(), advice }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}. {}", self.code, self.what, self.advice)
    }
}

impl std::error::Error for Error {}
