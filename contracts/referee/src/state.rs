//! Everything the referee stores: each key, what it is made of and what stands under it.

use cosmwasm_schema::cw_serde;
use cosmwasm_std::{Addr, HexBinary, OverflowError, Storage, Uint128, Uint64};
use cw_storage_plus::{Item, Map};
use openledger_types::msg::referee::{
    BlobKind, ContributionClaim, DemandStatus, Params, ReceiptFault, Subject, Verdict,
};

use crate::ContractError;

/// The contracts that are asked and told.
#[cw_serde]
pub struct Contracts {
    /// The datanet contract.
    pub datanet: Addr,
    /// The node registry.
    pub node_registry: Addr,
    /// The escrow.
    pub escrow: Addr,
}

/// What the contract owes, by counter; all in the denom of the bonds.
#[cw_serde]
#[derive(Default)]
pub struct Totals {
    /// Bonds of open demands.
    pub demand_bonds: Uint128,
    /// Bonds of open cases.
    pub case_bonds: Uint128,
    /// Returned bonds and parts of forfeited ones that wait for `Withdraw`.
    pub withdrawable: Uint128,
    /// Forfeited bonds that are nobody's.
    pub treasury: Uint128,
}

/// A window for the attestation of a root.
#[cw_serde]
pub struct Round {
    /// Number, from 1.
    pub number: u32,
    /// Last height of the window.
    pub until: u64,
    /// All weight at its beginning.
    pub eligible: Uint128,
    /// Weight that attested.
    pub attested: Uint128,
    /// Auditors that neither attested within the window nor were reported.
    pub missing: u32,
}

/// What the referee knows of a root.
#[cw_serde]
pub struct Root {
    /// Number by which other keys name it.
    pub id: u64,
    /// Open demands.
    pub demands: u32,
    /// Whether the escrow was told that it is attested.
    pub attested: bool,
    /// The newest window.
    pub round: Option<Round>,
}

/// An auditor's attestation of a root.
#[cw_serde]
pub struct Attested {
    /// Weight with which it counts.
    pub weight: Uint128,
    /// Height.
    pub at: u64,
    /// Whether its audit pay was taken.
    pub paid: bool,
}

/// Where an auditor stands.
#[cw_serde]
#[derive(Default)]
pub struct Standing {
    /// Roots missed in a row.
    pub missed: u32,
    /// Whether it lost its weight.
    pub suspended: bool,
}

/// A demand.
#[cw_serde]
pub struct Demand {
    /// Who demands.
    pub demander: Addr,
    /// Node.
    pub node_id: u64,
    /// Denom.
    pub denom: String,
    /// Epoch.
    pub epoch: u64,
    /// Blob.
    pub blob: BlobKind,
    /// Number of the chunk.
    pub index: u64,
    /// Bond.
    pub bond: Uint128,
    /// Last height for the answer.
    pub until: u64,
    /// What has become of it.
    pub status: DemandStatus,
}

/// What of a case never changes.
#[cw_serde]
pub struct Case {
    /// Who opened it.
    pub challenger: Addr,
    /// About what; receipts without their paths, which were checked at the opening.
    pub subject: Subject,
    /// Why.
    pub reason: String,
    /// Bond.
    pub bond: Uint128,
    /// Whom a bond compensates that was lost: the node's operator, or the contributor.
    pub accused: Addr,
    /// Whether the escrow holds the receipts.
    pub held: bool,
    /// Cut of a guilty node, pinned.
    pub cut_bps: u16,
}

/// What of a case the votes change.
#[cw_serde]
pub struct Docket {
    /// Height of the opening.
    pub opened_at: u64,
    /// Last height for commitments.
    pub commit_until: u64,
    /// Last height for reveals.
    pub reveal_until: u64,
    /// Part of the weight that decides, pinned.
    pub quorum_bps: u16,
    /// Weight at the opening.
    pub eligible: Uint128,
    /// Weight at the opening of those who have not revealed.
    pub silent: Uint128,
    /// Weight that said guilty.
    pub guilty: Uint128,
    /// Weight that said not guilty.
    pub not_guilty: Uint128,
    /// How it ended.
    pub verdict: Option<Verdict>,
}

/// A vote.
#[cw_serde]
pub struct Vote {
    /// Commitment (32 bytes).
    pub commitment: HexBinary,
    /// Whether it was revealed.
    pub revealed: bool,
}

/// A committed seed.
#[cw_serde]
pub struct Seed {
    /// Commitment (32 bytes).
    pub commitment: HexBinary,
    /// First height for its reveal.
    pub from: u64,
    /// Last height for its reveal.
    pub until: u64,
    /// The seed, once revealed (32 bytes).
    pub seed: Option<HexBinary>,
    /// Whether its silence was reported.
    pub reported: bool,
}

/// Windows, bonds and cuts.
pub const PARAMS: Item<Params> = Item::new("params");

/// The contracts that are asked and told.
pub const CONTRACTS: Item<Contracts> = Item::new("contracts");

/// What the contract owes.
pub const TOTALS: Item<Totals> = Item::new("totals");

/// Roots known so far.
pub const ROOT_COUNT: Item<u64> = Item::new("root_count");

/// Key: (node, denom, epoch).
pub const ROOTS: Map<(u64, &str, u64), Root> = Map::new("roots");

/// (auditor, weight) at the beginning of the newest window, at most 128, rising. Key: root's number.
pub const SNAPSHOTS: Map<u64, Vec<(u64, Uint128)>> = Map::new("snapshots");

/// Key: (root's number, auditor).
pub const ATTESTED: Map<(u64, u64), Attested> = Map::new("attested");

/// The newest window in which an auditor's miss was counted. Key: (root's number, auditor).
pub const REPORTED: Map<(u64, u64), u32> = Map::new("reported");

/// Key: auditor.
pub const STANDINGS: Map<u64, Standing> = Map::new("standings");

/// Demands so far.
pub const DEMAND_COUNT: Item<u64> = Item::new("demand_count");

/// Key: demand.
pub const DEMANDS: Map<u64, Demand> = Map::new("demands");

/// The demand of a chunk. Key: (root's number, 0 for leaves or 1 for receipts, chunk).
pub const DEMANDED: Map<(u64, u8, u64), u64> = Map::new("demanded");

/// Height at which a guilt was punished. Key: its name (32 bytes).
pub const GUILTS: Map<&[u8], u64> = Map::new("guilts");

/// Cases so far.
pub const CASE_COUNT: Item<u64> = Item::new("case_count");

/// Key: case.
pub const CASES: Map<u64, Case> = Map::new("cases");

/// Key: case.
pub const DOCKETS: Map<u64, Docket> = Map::new("dockets");

/// The contract that decides cases by arithmetic; absent until the owner has named one.
pub const ARBITER: Item<Addr> = Item::new("arbiter");

/// The arbiter that has a case. Key: case.
pub const ARBITRATED: Map<u64, Addr> = Map::new("arbitrated");

/// Whether a case's challenger has lost by arithmetic. Key: case.
pub const REFUTED: Map<u64, bool> = Map::new("refuted");

/// (auditor, weight) at the opening, at most 128, rising. Key: case.
pub const JURIES: Map<u64, Vec<(u64, Uint128)>> = Map::new("juries");

/// Key: (case, auditor).
pub const VOTES: Map<(u64, u64), Vote> = Map::new("votes");

/// The case that found a receipt guilty; of an earlier release, also one that is open about it. Key: receipt's id
/// (32 bytes).
pub const RECEIPT_CASES: Map<&[u8], u64> = Map::new("receipt_cases");

/// The case that is open about a receipt. Key: (receipt's id, number of the kind of fault): a case of one kind keeps
/// nobody from accusing of another.
pub const OPEN_RECEIPTS: Map<(&[u8], u8), u64> = Map::new("open_receipts");

/// The case that found a contribution guilty; of an earlier release, also one that is open about it. Key: contribution.
pub const CONTRIBUTION_CASES: Map<u64, u64> = Map::new("contribution_cases");

/// The case that is open about a contribution. Key: (contribution, number of the claim, original or 0).
pub const OPEN_CLAIMS: Map<(u64, u8, u64), u64> = Map::new("open_claims");

/// The case that keeps a contribution out of versions: the first, until it ends. Those opened meanwhile do not follow it:
/// one after the other could keep it out for ever. Key: contribution.
pub const CLAIM_HOLDERS: Map<u64, u64> = Map::new("claim_holders");

/// Key: (auditor, period).
pub const SEEDS: Map<(u64, u64), Seed> = Map::new("seeds");

/// What an address can withdraw. Key: address.
pub const BALANCES: Map<&Addr, Uint128> = Map::new("balances");

/// The root of an epoch; a new number for one that is met for the first time, to be saved by the
/// caller.
pub fn root(storage: &mut dyn Storage, node_id: u64, denom: &str, epoch: u64) -> Result<Root, ContractError> {
    if let Some(root) = ROOTS.may_load(storage, (node_id, denom, epoch))? {
        return Ok(root);
    }
    let id = next(storage, &ROOT_COUNT)?;
    Ok(Root { id, demands: 0, attested: false, round: None })
}

/// The next number of a counter.
pub fn next(storage: &mut dyn Storage, counter: &Item<u64>) -> Result<u64, ContractError> {
    let number = Uint64::new(counter.load(storage)?).checked_add(Uint64::one())?.u64();
    counter.save(storage, &number)?;
    Ok(number)
}

/// Loads a demand.
pub fn demand(storage: &dyn Storage, demand_id: u64) -> Result<Demand, ContractError> {
    DEMANDS.may_load(storage, demand_id)?.ok_or(ContractError::DemandNotFound { demand_id })
}

/// Loads the votes' side of a case.
pub fn docket(storage: &dyn Storage, case_id: u64) -> Result<Docket, ContractError> {
    DOCKETS.may_load(storage, case_id)?.ok_or(ContractError::CaseNotFound { case_id })
}

/// The number of a kind of fault, as keys name it.
pub fn kind_number(kind: ReceiptFault) -> u8 {
    match kind {
        ReceiptFault::Output => 0,
        ReceiptFault::MissingSource => 1,
        ReceiptFault::Influence => 2,
        ReceiptFault::NoEvidence => 3,
    }
}

/// The key of what is said against a contribution.
pub fn claim_key(contribution_id: u64, claim: &ContributionClaim) -> (u64, u8, u64) {
    let (number, of) = match claim {
        ContributionClaim::Copied { of } => (0, *of),
        ContributionClaim::WrongCluster {} => (1, 0),
        ContributionClaim::FalseMatchRoot {} => (2, 0),
        ContributionClaim::Unlicensed {} => (3, 0),
        ContributionClaim::Poisoned {} => (4, 0),
    };
    (contribution_id, number, of)
}

/// The height `blocks` after another one.
pub fn after(height: u64, blocks: u64) -> Result<u64, OverflowError> {
    Ok(Uint64::new(height).checked_add(Uint64::new(blocks))?.u64())
}

/// Adds to what an address can withdraw; the caller counts it in the totals.
pub fn credit(storage: &mut dyn Storage, to: &Addr, amount: Uint128) -> Result<(), ContractError> {
    let balance = BALANCES.may_load(storage, to)?.unwrap_or_default().checked_add(amount)?;
    BALANCES.save(storage, to, &balance)?;
    Ok(())
}
