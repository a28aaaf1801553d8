//! Why the storage contract refuses.

use cosmwasm_std::{DivideByZeroError, OverflowError, StdError};
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
    /// A field of another length.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// Checked maths; unreachable while the invariants hold, except for absurd amounts on entry.
    #[error(transparent)]
    Overflow(#[from] OverflowError),
    /// Unreachable: every divisor is a constant or checked.
    #[error(transparent)]
    DivideByZero(#[from] DivideByZeroError),

    /// No such thing.
    #[error("{what} {id} does not exist")]
    NotFound {
        /// `object`, `node`, `position of the node`, …
        what: &'static str,
        /// Its number.
        id: u64,
    },
    /// A list that is empty, too long or out of order.
    #[error("{list} refused: {rule}")]
    BadList {
        /// List.
        list: &'static str,
        /// What it must be.
        rule: &'static str,
    },
    /// The sum of the parts is not the coin sent.
    #[error("the parts are {expected} base units together, but {sent} were sent")]
    WrongSum {
        /// Sum of the parts.
        expected: u128,
        /// Coin sent.
        sent: u128,
    },
    /// Too early or too late.
    #[error("not at this height: {what} from {from} to {to}")]
    NotNow {
        /// What is asked for.
        what: &'static str,
        /// First height.
        from: u64,
        /// Last height.
        to: u64,
    },
    /// The sender has nothing in the deposit.
    #[error("the sender has nothing in this deposit: only funders that sent to this contract have")]
    NoFunder {},
    /// The deposit does not last as long as notice asks.
    #[error("the deposit pays for {lasts} blocks more, {needed} are needed: fund it")]
    RunsOut {
        /// Blocks that it pays for.
        lasts: u128,
        /// Blocks that it must pay for.
        needed: u64,
    },
    /// Nobody can keep anything.
    #[error("no active node offers space: enroll one first")]
    NoStorers {},
    /// The contribution stands in an object that has not ended.
    #[error("contribution {contribution_id} is kept as part of object {object_id}: retire that first")]
    AlreadyPlaced {
        /// Contribution.
        contribution_id: u64,
        /// Object.
        object_id: u64,
    },
    /// The contribution is not to be kept.
    #[error(
        "contribution {contribution_id} is not among {count} neighbours, or not accepted by its datanet"
    )]
    NotKept {
        /// Contribution.
        contribution_id: u64,
        /// Neighbours looked at.
        count: u32,
    },
    /// More bytes than an object may have, or none.
    #[error("the blobs have {bytes} bytes together: an object has 1 to {most}")]
    BadSize {
        /// Bytes.
        bytes: u64,
        /// Most.
        most: u64,
    },
    /// The object has ended.
    #[error("object {object_id} has ended")]
    Ended {
        /// Object.
        object_id: u64,
    },
    /// The object must be kept.
    #[error("object {object_id} is to be kept: it is accepted, paid for and none of its contributions was withdrawn")]
    StillKept {
        /// Object.
        object_id: u64,
    },
    /// The slot has a holder that keeps it, or a nominee that is as good.
    #[error("slot {slot} of object {object_id} is taken: {why}")]
    SlotTaken {
        /// Object.
        object_id: u64,
        /// Slot.
        slot: u8,
        /// By whom.
        why: &'static str,
    },
    /// The node cannot be nominated, or cannot accept.
    #[error("node {node_id} cannot take the fragment: {why}")]
    Ineligible {
        /// Node.
        node_id: u64,
        /// Why.
        why: &'static str,
    },
    /// A draw waits for the node's answer.
    #[error("draw {draw} waits for node {node_id}: prove it, or report the miss, first")]
    DrawDue {
        /// Draw.
        draw: u64,
        /// Node.
        node_id: u64,
    },
    /// Nothing waits for the node's answer.
    #[error("no draw waits for node {node_id}")]
    NothingDue {
        /// Node.
        node_id: u64,
    },
    /// An answer that proves nothing.
    #[error("answer {number} is not the sampled leaf: see the query challenge")]
    BadAnswer {
        /// Sample.
        number: u32,
    },
    /// The position cannot be given up, or not yet be swept.
    #[error(
        "position {position} of node {node_id} is kept: it becomes vacant when the node is out or has left"
    )]
    PositionKept {
        /// Node.
        node_id: u64,
        /// Position.
        position: u64,
    },
    /// The node still takes part.
    #[error("node {node_id} is in service")]
    InService {
        /// Node.
        node_id: u64,
    },
    /// Nothing to pay.
    #[error("nothing to pay out")]
    NothingToPay {},
}

/// Result of a handler.
pub type ContractResult<T> = Result<T, ContractError>;
