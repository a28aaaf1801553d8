//! Why a message is refused.

use cosmwasm_std::{OverflowError, StdError};
use openledger_contract::CommonError;
use openledger_types::formats::FormatError;
use thiserror::Error;

/// Refusals of the datanet contract.
#[derive(Error, Debug)]
pub enum ContractError {
    /// Refusals that all contracts share.
    #[error(transparent)]
    Common(#[from] CommonError),
    /// A field of a wrong form.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// From the standard library.
    #[error(transparent)]
    Std(#[from] StdError),
    /// A number above its range.
    #[error(transparent)]
    Overflow(#[from] OverflowError),
    /// No such datanet.
    #[error("there is no datanet {datanet_id}")]
    DatanetNotFound {
        /// What was asked for.
        datanet_id: u64,
    },
    /// No such commit.
    #[error("there is no commit {commit_id}")]
    CommitNotFound {
        /// What was asked for.
        commit_id: u64,
    },
    /// No such contribution.
    #[error("there is no contribution {contribution_id}")]
    ContributionNotFound {
        /// What was asked for.
        contribution_id: u64,
    },
    /// No such version, or its seal is not complete.
    #[error("datanet {datanet_id} has no version {version}")]
    VersionNotFound {
        /// Datanet.
        datanet_id: u64,
        /// What was asked for.
        version: u32,
    },
    /// The coins are not the bond.
    #[error("the bond of this commit is {expected} base units, not {sent}: send exactly that")]
    WrongBond {
        /// Bond for all leaves.
        expected: u128,
        /// What was sent.
        sent: u128,
    },
    /// The commit was ended; its leaves can be committed anew.
    #[error("commit {commit_id} was ended: commit anew what was not revealed")]
    CommitEnded {
        /// Commit.
        commit_id: u64,
    },
    /// All leaves were opened: there is nothing to end.
    #[error("commit {commit_id} is revealed completely")]
    CommitComplete {
        /// Commit.
        commit_id: u64,
    },
    /// The commit's time is not over.
    #[error("commit {commit_id} can be ended after height {expires}")]
    NotExpired {
        /// Commit.
        commit_id: u64,
        /// Last height of its time.
        expires: u64,
    },
    /// A leaf that is not in the commit at this position.
    #[error("leaf {index} is not in commit {commit_id}: check salt, raw hash, owner and path")]
    NotCommitted {
        /// Commit.
        commit_id: u64,
        /// Position given.
        index: u32,
    },
    /// A leaf that was opened before.
    #[error("leaf {index} of commit {commit_id} was revealed before")]
    AlreadyRevealed {
        /// Commit.
        commit_id: u64,
        /// Position given.
        index: u32,
    },
    /// The match text was committed earlier by another contribution (D2).
    #[error(
        "leaf {index} repeats contribution {contribution_id}, which was committed no later: leave it out"
    )]
    MatchTaken {
        /// Position of the leaf.
        index: u32,
        /// The contribution that holds the text.
        contribution_id: u64,
    },
    /// A commit that could still claim an earlier place is open (D1).
    #[error("commit {commit_id} is open until height {expires}: wait, or seal up to an earlier height")]
    OpenCommit {
        /// Commit.
        commit_id: u64,
        /// Last height of its time.
        expires: u64,
    },
    /// So many expired commits that the walk over them would not be bounded.
    #[error(
        "more than {bound} expired commits: send ExpireCommit for commit {commit_id} and its successors"
    )]
    TooManyExpired {
        /// Most that one seal passes over.
        bound: usize,
        /// The first of them.
        commit_id: u64,
    },
    /// A seal with another height has begun.
    #[error("a seal up to height {up_to} is in progress: finish it first (up_to null)")]
    SealInProgress {
        /// Its height.
        up_to: u64,
    },
    /// Nothing new to seal.
    #[error("datanet {datanet_id} has nothing new up to height {up_to}")]
    EmptyVersion {
        /// Datanet.
        datanet_id: u64,
        /// Last height asked for.
        up_to: u64,
    },
    /// The log of a version cannot be continued; never happens with state written by this contract.
    #[error("the log of datanet {datanet_id} is inconsistent")]
    BrokenLog {
        /// Datanet.
        datanet_id: u64,
    },
    /// Nothing to pay out.
    #[error("no bonds of this sender are free")]
    NothingToWithdraw {},
    /// More than the treasury holds.
    #[error("the treasury holds {available} base units")]
    TreasuryTooSmall {
        /// What it holds.
        available: u128,
    },
}
