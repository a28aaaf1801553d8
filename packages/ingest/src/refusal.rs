//! Why a document is not taken, in words that its contributor can act on.

use crate::secrets::SecretKind;

/// A refusal. Trying again with the same bytes and options never helps; [`Refusal::advice`] does.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nothing is left: no bytes, or only white space and invisible characters.
    #[error("the document is empty")]
    Empty,
    /// More raw bytes than the limit.
    #[error("the document has {bytes} bytes, more than the limit of {limit}")]
    TooLarge {
        /// Bytes given.
        bytes: usize,
        /// Limit in force.
        limit: usize,
    },
    /// Neither UTF-8 nor UTF-16 with a byte order mark.
    #[error("the document is not text in UTF-8 or UTF-16 (first bad byte at {at})")]
    Encoding {
        /// Offset in bytes.
        at: usize,
    },
    /// NUL, or too many control characters.
    #[error("the document is binary (line {line})")]
    Binary {
        /// Line of the first such character, from 1.
        line: u32,
    },
    /// Fewer characters than asked for.
    #[error("the text has {chars} characters, fewer than {limit}")]
    TooShort {
        /// Characters of content text.
        chars: usize,
        /// Limit in force.
        limit: usize,
    },
    /// Content or match text longer than the limit.
    #[error("the text has {bytes} bytes after cleaning, more than {limit}")]
    TooLong {
        /// Bytes of content or match text.
        bytes: usize,
        /// Limit in force.
        limit: usize,
    },
    /// Something that grants access to somebody's account or machine.
    #[error("line {line} holds a secret: {kind}")]
    Secret {
        /// What it looks like. The secret itself is never repeated.
        kind: SecretKind,
        /// Line in the content text, from 1.
        line: u32,
    },
    /// A language that the datanet does not take.
    #[error("the language is {found}, which this datanet does not take")]
    Language {
        /// ISO 639-3 code, `code` or `und`.
        found: String,
    },
    /// Quality below the asked-for score.
    #[error("the quality score is {score} of 1000, below {limit}")]
    Quality {
        /// Score of the document.
        score: u16,
        /// Limit in force.
        limit: u16,
    },
}

impl Refusal {
    /// Stable code for scripts and support.
    pub fn code(&self) -> &'static str {
        match self {
            Refusal::Empty => "E-INGEST-001",
            Refusal::TooLarge { .. } => "E-INGEST-002",
            Refusal::Encoding { .. } => "E-INGEST-003",
            Refusal::Binary { .. } => "E-INGEST-004",
            Refusal::TooShort { .. } => "E-INGEST-005",
            Refusal::TooLong { .. } => "E-INGEST-006",
            Refusal::Secret { .. } => "E-INGEST-007",
            Refusal::Language { .. } => "E-INGEST-008",
            Refusal::Quality { .. } => "E-INGEST-009",
        }
    }

    /// One sentence: what to do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Refusal::Empty => "Leave the file out.",
            Refusal::TooLarge { .. } | Refusal::TooLong { .. } => {
                "Split the document into parts that stand on their own, such as chapters."
            }
            Refusal::Encoding { .. } => "Convert the file to UTF-8, or leave it out if it is not text.",
            Refusal::Binary { .. } => "Extract the text from the file first; only text is taken here.",
            Refusal::TooShort { .. } => "Join it with the text that it belongs to.",
            Refusal::Secret { .. } => {
                "Revoke the secret where it is used, replace it by a placeholder such as EXAMPLE, and try again."
            }
            Refusal::Language { .. } => {
                "Contribute it to a datanet that takes this language, or widen the list of languages."
            }
            Refusal::Quality { .. } => "Remove repeated and boilerplate lines; the report names the reasons.",
        }
    }

    /// Line in question, from 1, where there is one.
    pub fn line(&self) -> Option<u32> {
        match self {
            Refusal::Binary { line } | Refusal::Secret { line, .. } => Some(*line),
            _ => None,
        }
    }
}

/// Number of the line, from 1, in which byte `at` of `bytes` stands.
pub(crate) fn line_of(bytes: &[u8], at: usize) -> u32 {
    let before = bytes.get(..at).unwrap_or(bytes);
    let newlines = before.iter().filter(|byte| **byte == b'\n').count();
    u32::try_from(newlines).unwrap_or(u32::MAX - 1) + 1
}
