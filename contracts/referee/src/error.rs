//! Why the referee refuses.

use cosmwasm_std::{OverflowError, StdError};
use openledger_contract::CommonError;
use openledger_types::formats::FormatError;
use thiserror::Error;

/// Refusals. Each says what to do where something can be done.
#[derive(Error, Debug)]
pub enum ContractError {
    /// From the standard library.
    #[error(transparent)]
    Std(#[from] StdError),
    /// That do not depend on the contract.
    #[error(transparent)]
    Common(#[from] CommonError),
    /// A field that has not its form.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// Checked maths.
    #[error(transparent)]
    Overflow(#[from] OverflowError),
}
