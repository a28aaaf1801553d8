//! What can go wrong in a node, said to its operator and to whoever asked.

use std::fmt;

/// Whose turn it is, and how an HTTP answer says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The request cannot be understood or is not allowed: 400.
    Invalid,
    /// A signature is missing or wrong: 401.
    Unauthorized,
    /// Payment is missing or too little: 402.
    Payment,
    /// There is no such thing: 404.
    NotFound,
    /// It contradicts what was already done: 409.
    Conflict,
    /// It is too large: 413.
    TooLarge,
    /// The queue is full: 429.
    Busy,
    /// The node cannot do it now: 503.
    Unavailable,
    /// A fault of the node: 500.
    Internal,
}

/// A refusal or failure: a stable code, what happened, whether the same call may succeed later, and
/// one sentence of advice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Stable code, for example `E-NODE-012`.
    pub code: &'static str,
    /// Whose turn it is.
    pub class: Class,
    /// What happened, with the figures of the case.
    pub what: String,
    /// One sentence of advice.
    pub advice: &'static str,
    /// Whether the same call may succeed later without a change.
    pub retry: bool,
}

/// Result of everything in the node but the engine.
pub type Result<T> = std::result::Result<T, Fault>;

impl Fault {
    /// A fault that stays until something is changed.
    pub fn new(class: Class, code: &'static str, what: impl Into<String>, advice: &'static str) -> Self {
        Fault { code, class, what: what.into(), advice, retry: false }
    }

    /// A request that is not allowed.
    pub fn invalid(code: &'static str, what: impl Into<String>, advice: &'static str) -> Self {
        Self::new(Class::Invalid, code, what, advice)
    }

    /// Something that the node cannot do now.
    pub fn unavailable(code: &'static str, what: impl Into<String>, advice: &'static str) -> Self {
        Self::new(Class::Unavailable, code, what, advice).retryable()
    }

    /// The same fault, marked as worth another try.
    pub fn retryable(mut self) -> Self {
        self.retry = true;
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}. {}", self.code, self.what.trim_end_matches('.'), self.advice)
    }
}

impl std::error::Error for Fault {}

impl From<crate::engine::Error> for Fault {
    fn from(error: crate::engine::Error) -> Self {
        // What the asker can change; everything else is the model's or the node's fault.
        let class = match error.code {
            "E-GEN-001" | "E-GEN-002" | "E-GEN-003" | "E-GEN-005" | "E-GEN-009" => Class::Invalid,
            _ => Class::Internal,
        };
        Fault { code: error.code, class, what: error.what, advice: error.advice, retry: error.retry }
    }
}
