//! Why the arbiter refuses.

use cosmwasm_std::{OverflowError, StdError};
use openledger_contract::CommonError;
use openledger_dispute::DisputeError;
use openledger_types::formats::FormatError;
use openledger_types::msg::arbiter::Turn;
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
    /// A move that the game does not allow.
    #[error(transparent)]
    Dispute(#[from] DisputeError),
    /// No dispute about this case.
    #[error("there is no dispute about case {case_id}")]
    NotFound {
        /// Case.
        case_id: u64,
    },
    /// There was one already.
    #[error("case {case_id} has had its dispute; the votes decide what it left open")]
    Exists {
        /// Case.
        case_id: u64,
    },
    /// A case that arithmetic cannot decide.
    #[error("case {case_id} is left to the votes: {why}")]
    NotArithmetic {
        /// Case.
        case_id: u64,
        /// Why.
        why: &'static str,
    },
    /// Not enough blocks are left.
    #[error("up to {moves} moves last until height {needed}, and case {case_id} ends at {until}: let it be voted on")]
    TooLate {
        /// Case.
        case_id: u64,
        /// Most moves, with one for the expiry of the last.
        moves: u64,
        /// When they would be over.
        needed: u64,
        /// When the case is.
        until: u64,
    },
    /// A document that is not the one committed to.
    #[error("{what} is not the one that was committed to")]
    OtherDocument {
        /// Which.
        what: &'static str,
    },
    /// Another move is due.
    #[error("case {case_id} waits for another move: {turn:?}")]
    NotThisMove {
        /// Case.
        case_id: u64,
        /// Which.
        turn: Turn,
    },
    /// The time for a move is over.
    #[error("the time for this move of case {case_id} was over at height {until}")]
    Late {
        /// Case.
        case_id: u64,
        /// Last height.
        until: u64,
    },
    /// The time for a move is not over.
    #[error("case {case_id} waits for a move until height {until}; expire it after that")]
    NotExpired {
        /// Case.
        case_id: u64,
        /// Last height.
        until: u64,
    },
}
