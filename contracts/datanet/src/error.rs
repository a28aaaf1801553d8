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
    /// No such bounty.
    #[error("there is no bounty {bounty_id}")]
    BountyNotFound {
        /// What was asked for.
        bounty_id: u64,
    },
    /// A stored contribution that cannot be read; never happens with state written by this contract.
    #[error("the record of contribution {contribution_id} is inconsistent")]
    BrokenRecord {
        /// Contribution.
        contribution_id: u64,
    },
    /// A contribution that can still be challenged (acceptance window).
    #[error("contribution {contribution_id} can be challenged until height {accepted_at}: wait for that height, or seal up to a height below {before}")]
    NotAccepted {
        /// Contribution.
        contribution_id: u64,
        /// Height from which a version may take it.
        accepted_at: u64,
        /// Height of its commit.
        before: u64,
    },
    /// A claim to repeat a contribution that was not committed earlier (D2).
    #[error("leaf {index} claims to nearly repeat contribution {contribution_id}, which was not committed earlier: claim nothing, or name an earlier one")]
    NotEarlier {
        /// Position of the leaf.
        index: u32,
        /// What it names.
        contribution_id: u64,
    },
    /// An open datanet has no curators.
    #[error("datanet {datanet_id} is open: it has no curators")]
    NotCurated {
        /// Datanet.
        datanet_id: u64,
    },
    /// Curators decide what waits for them only.
    #[error("contribution {contribution_id} does not wait for curators: leave it out")]
    NotWaiting {
        /// Contribution.
        contribution_id: u64,
    },
    /// It is withdrawn, rejected or a duplicate that no version holds.
    #[error("contribution {contribution_id} is gone already: leave it out")]
    AlreadyGone {
        /// Contribution.
        contribution_id: u64,
    },
    /// A datanet without an owner could never be sealed.
    #[error("datanet {datanet_id} needs an owner: propose a successor")]
    NeedsOwner {
        /// Datanet.
        datanet_id: u64,
    },
    /// The bonds of the commit were returned.
    #[error("the bonds of commit {commit_id} were returned before")]
    AlreadyReleased {
        /// Commit.
        commit_id: u64,
    },
    /// A leaf of the commit can still be opened.
    #[error("commit {commit_id} has unopened leaves: reveal them, or end it after height {expires}")]
    StillOpen {
        /// Commit.
        commit_id: u64,
        /// Last height of its time.
        expires: u64,
    },
    /// The acceptance window of an opened leaf is not over.
    #[error("the bonds of commit {commit_id} stay at stake until height {from}")]
    BondsAtStake {
        /// Commit.
        commit_id: u64,
        /// Height from which they return.
        from: u64,
    },
    /// The coins are not price and bond.
    #[error(
        "price and bond of this access are {expected} base units together, not {sent}: send exactly that"
    )]
    WrongPrice {
        /// Price and bond.
        expected: u128,
        /// What was sent.
        sent: u128,
    },
    /// The developer has no access.
    #[error("{developer} has no access to datanet {datanet_id}: buy it")]
    AccessNotFound {
        /// Datanet.
        datanet_id: u64,
        /// Developer.
        developer: String,
    },
    /// Too early to leave.
    #[error("the access can be left from height {from} on")]
    AccessAtStake {
        /// Height.
        from: u64,
    },
    /// The bond is back and the key came: the price waits to be used.
    #[error("nothing to give back: register a version that was trained on the datanet")]
    NothingToLeave {},
    /// The bond is back, or was slashed.
    #[error("the developer has no bond at stake")]
    NothingToSlash {},
    /// No unused access covers the price that the version asks (D6).
    #[error("the developer has not paid the {price} base units that training on datanet {datanet_id} costs: buy access")]
    NotPaid {
        /// Datanet.
        datanet_id: u64,
        /// Price pinned by the version.
        price: u128,
    },
    /// A model version pays once.
    #[error("version {model_version} of model {model_id} has paid for datanet {datanet_id}")]
    AlreadyUsed {
        /// Datanet.
        datanet_id: u64,
        /// Model.
        model_id: u64,
        /// Version of the model.
        model_version: u32,
    },
    /// The model version paid nothing for the datanet.
    #[error("version {model_version} of model {model_id} has no training pot on datanet {datanet_id}")]
    PotNotFound {
        /// Datanet.
        datanet_id: u64,
        /// Model.
        model_id: u64,
        /// Version of the model.
        model_version: u32,
    },
    /// A leaf that is not in the training receipt at this position.
    #[error("the training receipt has no such leaf of contribution {contribution_id}: check times, position and path")]
    NotTrained {
        /// Contribution.
        contribution_id: u64,
    },
    /// A contribution that the version trained on does not hold.
    #[error("contribution {contribution_id} is not in the version that was trained on")]
    NotInVersion {
        /// Contribution.
        contribution_id: u64,
    },
    /// A part of a pot is claimed once.
    #[error("the part of contribution {contribution_id} was claimed before: leave it out")]
    AlreadyClaimed {
        /// Contribution.
        contribution_id: u64,
    },
    /// The time of the bounty is over.
    #[error("bounty {bounty_id} expired at height {expires}: its funders may leave")]
    BountyExpired {
        /// Bounty.
        bounty_id: u64,
        /// Height.
        expires: u64,
    },
    /// The bounty can still be awarded.
    #[error("bounty {bounty_id} can be left from height {expires} on")]
    BountyOpen {
        /// Bounty.
        bounty_id: u64,
        /// Height.
        expires: u64,
    },
    /// More than is left of the bounty.
    #[error("the bounty has {available} base units left")]
    BountyTooSmall {
        /// What is left.
        available: u128,
    },
    /// The sender promised nothing, or took it back.
    #[error("the sender has no part of bounty {bounty_id}")]
    NotAFunder {
        /// Bounty.
        bounty_id: u64,
    },
    /// A contribution that the bounty was not meant for.
    #[error("contribution {contribution_id} cannot be awarded: it must be {rule}")]
    NotAwardable {
        /// Contribution.
        contribution_id: u64,
        /// What it must be.
        rule: &'static str,
    },
    /// A deposit is one coin of any denom.
    #[error("send exactly one coin")]
    OneCoin {},
    /// The parts are not the coin.
    #[error("the parts are {expected} base units together, not {sent}: send exactly that")]
    WrongSum {
        /// Sum of the parts.
        expected: u128,
        /// What was sent.
        sent: u128,
    },
    /// The number of denoms is bounded.
    #[error("deposits are kept in at most {bound} denoms: use one that is there, or the denom of bonds")]
    TooManyDenoms {
        /// Most denoms.
        bound: u32,
    },
    /// No deposit to forward, or nowhere to.
    #[error("the datanet has no deposit in the denom of the bonds, or no storage contract is connected")]
    NothingToForward {},
    /// The key of a public datanet is published: nobody can be shut out of it.
    #[error("datanet {datanet_id} is public: its key is published and cannot be rotated")]
    PublicKey {
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
