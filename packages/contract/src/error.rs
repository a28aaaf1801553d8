//! Errors that all contracts share.

use cosmwasm_std::StdError;
use thiserror::Error;

/// Refusals that do not depend on the contract.
#[derive(Error, Debug)]
pub enum CommonError {
    /// From the standard library.
    #[error(transparent)]
    Std(#[from] StdError),
    /// The sender may not do this.
    #[error("unauthorized: only {role} may do this")]
    Unauthorized {
        /// Who may.
        role: &'static str,
    },
    /// Nobody is proposed, or somebody else.
    #[error("no change of owner is proposed to this sender")]
    NoPendingOwner {},
    /// New work is stopped.
    #[error("paused: new work is stopped; settling, claiming and leaving go on")]
    Paused {},
    /// Coins were sent where none are taken.
    #[error("this message takes no coins: send none")]
    NonPayable {},
    /// The coins do not fit.
    #[error("send exactly one coin, of denom {expected}")]
    WrongFunds {
        /// What is taken.
        expected: String,
    },
    /// The amount exceeds the protocol's 128 bits.
    #[error("amount above 2^128 - 1 base units")]
    AmountTooLarge {},
    /// Another contract's state, or a newer one.
    #[error("cannot migrate from {name} {version}")]
    CannotMigrate {
        /// Name on record.
        name: String,
        /// Version on record.
        version: String,
    },
    /// A parameter that would disable its rule.
    #[error("parameter {name} must be {rule}")]
    BadParam {
        /// Parameter.
        name: &'static str,
        /// What it must be.
        rule: &'static str,
    },
    /// A text or a number of a message that does not have its form.
    #[error("{field} must be {rule}")]
    BadField {
        /// Field of the message.
        field: &'static str,
        /// What it must be.
        rule: &'static str,
    },
}
