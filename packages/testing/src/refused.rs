//! What a contract, or the chain under it, said no with.

use std::fmt;

use cosmwasm_std::StdError;

/// A refusal, as its words: the simulated chain hands on no more than those, like a real one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused(
    /// The words.
    pub String,
);

impl Refused {
    /// Whether a contract's error stands in the words. Compare with the error value itself:
    /// `refused.is(&ContractError::NothingToWithdraw {})`.
    pub fn is(&self, error: &impl fmt::Display) -> bool {
        self.0.contains(&error.to_string())
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

impl From<StdError> for Refused {
    fn from(error: StdError) -> Self {
        let text = error.to_string();
        // The simulation repeats the message before the contract's words; a real chain does not.
        let words = match text.contains("Error executing WasmMsg:") {
            true => text.split_once("}\n").map_or(text.as_str(), |(_, rest)| rest),
            false => text.as_str(),
        };
        Refused(without_kind(words).to_string())
    }
}

/// Words without the kind that the standard library writes before them.
fn without_kind(words: &str) -> &str {
    match words.strip_prefix("kind: ").and_then(|rest| rest.split_once(", error: ")) {
        Some((_, inner)) => inner,
        None => words,
    }
}
