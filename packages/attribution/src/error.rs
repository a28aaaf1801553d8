//! Why an index could not be built or read.

/// Refusals of indexes and signatures. Every one is a property of the input: trying again with the
/// same input gives the same answer.
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
    /// Bytes of a signature or an influence index that no honest program writes.
    #[error("E-ATTR-006 the file is damaged: {0}; a retry does not help: fetch it again from another node")]
    Damaged(&'static str),
    /// The influence index holds a contribution that the texts do not: unknown, or a duplicate.
    #[error("E-ATTR-007 the influence index holds contribution {0}, which is not indexed; a retry does not help: do not serve this model")]
    ForeignDocument(u64),
    /// The influence index leaves an indexed contribution out, which could then earn nothing by influence.
    #[error("E-ATTR-009 the influence index leaves contribution {0} out; a retry does not help: train the model again with this release")]
    MissingDocument(u64),
    /// Weights of layers that mean nothing.
    #[error("E-ATTR-008 layers cannot be weighted {0:?}; a retry does not help: use weights of 0 to 10,000, not all 0")]
    Weights([u32; 3]),
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
            Error::Damaged(_) => "E-ATTR-006",
            Error::ForeignDocument(_) => "E-ATTR-007",
            Error::Weights(_) => "E-ATTR-008",
            Error::MissingDocument(_) => "E-ATTR-009",
        }
    }
}
