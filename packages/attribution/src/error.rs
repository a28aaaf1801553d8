//! Why an index could not be built.

/// Refusals of [`crate::Index::build`]. Every one is a property of the input: trying again with the
/// same documents gives the same answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Contribution ids start at 1.
    #[error("E-ATTR-001 contribution 0 does not exist; a retry does not help: take the ids from the chain")]
    ZeroId,
    /// Two documents carry one id.
    #[error(
        "E-ATTR-002 contribution {0} is given twice; a retry does not help: pass each contribution once"
    )]
    RepeatedId(u64),
    /// A document's match text passes 4 GiB.
    #[error("E-ATTR-003 contribution {0} is longer than 4 GiB; a retry does not help: split it before it is committed")]
    DocumentTooLong(u64),
    /// More tokens than a 32-bit suffix array can address.
    #[error("E-ATTR-004 {0} tokens are more than one index holds; a retry does not help: trace fewer datanet versions")]
    TooManyTokens(u64),
    /// The suffix array could not be built, most likely for want of memory.
    #[error(
        "E-ATTR-005 no suffix array ({0}); a retry helps once memory is free: 32 bytes a token are needed"
    )]
    SuffixArray(String),
}

impl Error {
    /// The stable code at the start of the message.
    pub fn code(&self) -> &'static str {
        match self {
            Error::ZeroId => "E-ATTR-001",
            Error::RepeatedId(_) => "E-ATTR-002",
            Error::DocumentTooLong(_) => "E-ATTR-003",
            Error::TooManyTokens(_) => "E-ATTR-004",
            Error::SuffixArray(_) => "E-ATTR-005",
        }
    }
}
