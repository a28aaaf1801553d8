//! Why the referee refuses.

use cosmwasm_std::{CheckedMultiplyRatioError, OverflowError, StdError, Uint128};
use openledger_contract::CommonError;
use openledger_types::faults::FaultError;
use openledger_types::formats::FormatError;
use openledger_types::msg::escrow::RootStatus;
use openledger_types::msg::referee::{DemandStatus, Verdict};
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
    /// Checked maths of parts.
    #[error(transparent)]
    Ratio(#[from] CheckedMultiplyRatioError),
    /// The arbiter has the case.
    #[error("the arbiter decides case {case_id}; conclude it after height {until} if it has not")]
    Arbitrated {
        /// Case.
        case_id: u64,
        /// Height at which the case ends.
        until: u64,
    },
    /// A proof that proves nothing.
    #[error(transparent)]
    Fault(#[from] FaultError),
    /// The escrow knows no such root.
    #[error("the escrow knows no epoch {epoch} of node {node_id} in {denom}")]
    RootNotFound {
        /// Node.
        node_id: u64,
        /// Denom.
        denom: String,
        /// Epoch.
        epoch: u64,
    },
    /// The node registry knows no such node.
    #[error("the node registry knows no node {node_id}")]
    NodeNotFound {
        /// Node.
        node_id: u64,
    },
    /// The datanet contract knows no such contribution.
    #[error("the datanet contract knows no contribution {contribution_id}")]
    ContributionNotFound {
        /// Contribution.
        contribution_id: u64,
    },
    /// No such demand.
    #[error("there is no demand {demand_id}")]
    DemandNotFound {
        /// Demand.
        demand_id: u64,
    },
    /// No such case.
    #[error("there is no case {case_id}")]
    CaseNotFound {
        /// Case.
        case_id: u64,
    },
    /// The root does not wait for its windows any more.
    #[error("the root is {status:?}: this is for roots that are not final")]
    NotPending {
        /// Where it stands.
        status: RootStatus,
    },
    /// The root is void.
    #[error("the root is {status:?}: nothing of it counts any more")]
    RootVoid {
        /// Where it stands.
        status: RootStatus,
    },
    /// A final root of a node whose notice is over: neither fee nor bond is at stake.
    #[error("the notice of node {node_id} is over, its bond is free: receipts of its final roots can be accused no more")]
    BondIsFree {
        /// Node.
        node_id: u64,
    },
    /// An operator's own root.
    #[error("node {node_id} is of the same operator: another auditor must attest its roots")]
    OwnRoot {
        /// Node whose root it is.
        node_id: u64,
    },
    /// No weight in the snapshot or now.
    #[error("auditor {auditor} has no weight here: it needs a bond, a bonded validator, and weight at the beginning")]
    NoWeight {
        /// The auditor's node.
        auditor: u64,
    },
    /// Attested before.
    #[error("auditor {auditor} has attested this root")]
    AlreadyAttested {
        /// The auditor's node.
        auditor: u64,
    },
    /// The window is open.
    #[error("the window is open until height {until}: report misses after it")]
    WindowOpen {
        /// Last height of the window.
        until: u64,
    },
    /// Nobody ever attested a root that is final.
    #[error("no window was begun for this root while it waited: nobody can have missed it")]
    NoWindow {},
    /// A demand is open.
    #[error("a demand against this root is open: wait for its answer or its end")]
    DemandOpen {},
    /// There is nothing to report.
    #[error("name at least one auditor that has missed this window")]
    NothingToReport {},
    /// No miss.
    #[error("auditor {auditor} has no miss of this window that was not counted")]
    NotMissed {
        /// The auditor's node.
        auditor: u64,
    },
    /// Has its weight.
    #[error("auditor {auditor} is not suspended")]
    NotSuspended {
        /// The auditor's node.
        auditor: u64,
    },
    /// Another bond than the one asked for.
    #[error("send a bond of {expected} base units, not {sent}")]
    WrongBond {
        /// The bond.
        expected: Uint128,
        /// What was sent.
        sent: Uint128,
    },
    /// No such chunk.
    #[error("the blob has {chunks} chunks: there is none with number {index}")]
    NoChunk {
        /// Number asked for.
        index: u64,
        /// Chunks of the blob.
        chunks: u64,
    },
    /// Demanded before.
    #[error("this chunk was demanded by demand {demand_id}")]
    AlreadyDemanded {
        /// That demand.
        demand_id: u64,
    },
    /// Too many at once.
    #[error("{max} demands against this root are open: wait for one to end")]
    TooManyDemands {
        /// Most at once.
        max: u32,
    },
    /// Ended.
    #[error("demand {demand_id} is {status:?}")]
    DemandEnded {
        /// Demand.
        demand_id: u64,
        /// What has become of it.
        status: DemandStatus,
    },
    /// Too late.
    #[error("demand {demand_id} had to be answered until height {until}")]
    DemandOver {
        /// Demand.
        demand_id: u64,
        /// Last height for the answer.
        until: u64,
    },
    /// Too early.
    #[error("demand {demand_id} can be answered until height {until}")]
    DemandRuns {
        /// Demand.
        demand_id: u64,
        /// Last height for the answer.
        until: u64,
    },
    /// A chunk of a wrong length.
    #[error("chunk {index} has {expected} bytes, not {actual}")]
    ChunkLength {
        /// Number of the chunk.
        index: u64,
        /// Its length.
        expected: u64,
        /// Bytes shown.
        actual: u64,
    },
    /// A path that does not lead to its root.
    #[error("the path of the {what} does not lead to its root")]
    BadPath {
        /// Of what.
        what: &'static str,
    },
    /// Punished before.
    #[error("this guilt was punished at height {height}")]
    AlreadyPunished {
        /// When.
        height: u64,
    },
    /// The cited contribution is in order.
    #[error("contribution {contribution_id} could be cited at height {height}: no fault")]
    CitationInOrder {
        /// Contribution.
        contribution_id: u64,
        /// Height of the receipt.
        height: u64,
    },
    /// A bond below the least one.
    #[error("the bond of this case is at least {least} base units, not {sent}")]
    BondTooSmall {
        /// Least bond.
        least: Uint128,
        /// What was sent.
        sent: Uint128,
    },
    /// Nobody could vote.
    #[error("no auditor without interest has weight now: nobody could decide this case")]
    NoJury {},
    /// Tried already.
    #[error("case {case_id} is about the same: vote there, or wait for its end")]
    CaseExists {
        /// That case.
        case_id: u64,
    },
    /// The copy is older than the original.
    #[error("contribution {of} was committed later than {contribution_id}: it is no original of it")]
    NotEarlier {
        /// The accused one.
        contribution_id: u64,
        /// The alleged original.
        of: u64,
    },
    /// The case is over.
    #[error("case {case_id} ended: {verdict:?}")]
    CaseEnded {
        /// Case.
        case_id: u64,
        /// How.
        verdict: Verdict,
    },
    /// Too late to commit.
    #[error("votes of case {case_id} were committed until height {until}")]
    CommitOver {
        /// Case.
        case_id: u64,
        /// Last height.
        until: u64,
    },
    /// Not the time to reveal.
    #[error("votes of case {case_id} are revealed from height {from} until {until}")]
    NotRevealTime {
        /// Case.
        case_id: u64,
        /// First height.
        from: u64,
        /// Last height.
        until: u64,
    },
    /// Committed before.
    #[error("auditor {auditor} has committed its vote: it cannot be changed")]
    AlreadyVoted {
        /// The auditor's node.
        auditor: u64,
    },
    /// Nothing committed.
    #[error("auditor {auditor} has committed no vote in this case")]
    NoVote {
        /// The auditor's node.
        auditor: u64,
    },
    /// Revealed before.
    #[error("auditor {auditor} has revealed")]
    AlreadyRevealed {
        /// The auditor's node.
        auditor: u64,
    },
    /// Another content than committed.
    #[error("this does not open the commitment: send the vote or seed with the salt that was committed")]
    WrongOpening {},
    /// Still running.
    #[error("case {case_id} runs until height {until}, or until all weight has revealed")]
    CaseRuns {
        /// Case.
        case_id: u64,
        /// Last height for reveals.
        until: u64,
    },
    /// A seed for another period than the next.
    #[error("commit a seed for period {next}: the one after the present one")]
    WrongPeriod {
        /// The next period.
        next: u64,
    },
    /// Committed before.
    #[error("auditor {auditor} has committed a seed for period {period}")]
    SeedCommitted {
        /// The auditor's node.
        auditor: u64,
        /// Period.
        period: u64,
    },
    /// Nothing committed.
    #[error("auditor {auditor} has committed no seed for period {period}")]
    NoSeed {
        /// The auditor's node.
        auditor: u64,
        /// Period.
        period: u64,
    },
    /// Not the time to reveal.
    #[error("this seed is revealed from height {from} until {until}")]
    NotSeedTime {
        /// First height.
        from: u64,
        /// Last height.
        until: u64,
    },
    /// There is no silence to report.
    #[error("the seed was revealed or reported, or can be revealed until height {until}")]
    NotSilent {
        /// Last height for its reveal.
        until: u64,
    },
    /// The epoch pays no audits.
    #[error("the epoch is not final or was not attested: no audit is paid")]
    NotPayable {},
    /// No part of the audit pay.
    #[error("auditor {auditor} has no part of this epoch's audit pay, or took it")]
    NoAuditPay {
        /// The auditor's node.
        auditor: u64,
    },
    /// Nothing to pay out.
    #[error("nothing to withdraw")]
    NothingToWithdraw {},
    /// More than there is.
    #[error("the treasury holds {available} base units")]
    TreasuryTooSmall {
        /// What it holds.
        available: Uint128,
    },
}
