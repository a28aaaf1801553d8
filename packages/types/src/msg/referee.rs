//! Messages of the referee: who checks, what is found, who decides.

use cosmwasm_schema::{cw_serde, QueryResponses};
use cosmwasm_std::{Binary, HexBinary, Uint128};

use super::common::{InvariantsResponse, OwnershipAction, OwnershipResponse};
use super::escrow::HeldReceipt;
use crate::packed::{HashPath, Proof};

/// Most auditors named by one report.
pub const MAX_REPORTED: usize = 32;

/// Windows, bonds and cuts; every number is at least 1.
#[cw_serde]
pub struct Params {
    /// Denom of bonds.
    pub denom: String,
    /// Blocks after its posting within which auditors attest a root (L6).
    pub availability_blocks: u64,
    /// Blocks within which a demanded chunk must be on chain (D of L6).
    pub demand_blocks: u64,
    /// Bond of a demand, in base units.
    pub demand_bond: Uint128,
    /// Most open demands against one root.
    pub max_demands: u32,
    /// Blocks from the opening of a case to its end: one total deadline (F2).
    pub dispute_blocks: u64,
    /// Least bond of a case, in base units.
    pub case_bond: Uint128,
    /// Bond of a case, in basis points of the fees that it holds (x of F2).
    pub case_bond_bps: u16,
    /// Part of all eligible weight that decides, in basis points above 5,000 (F3); that attests a
    /// root (L6).
    pub quorum_bps: u16,
    /// Roots in a row that an auditor may leave unattested before it loses its weight (L6).
    pub missed_roots: u32,
    /// Cut of an auditor that loses its weight so, in basis points of its bond.
    pub missed_cut_bps: u16,
    /// Cut for a fault proved in one step.
    pub fault_cut_bps: u16,
    /// Cut for a chunk that was demanded and not shown.
    pub withheld_cut_bps: u16,
    /// Cut for a voted fault.
    pub voted_cut_bps: u16,
    /// Blocks of an auditor's seed period (F4).
    pub seed_blocks: u64,
    /// Cut for a seed that was committed and not revealed.
    pub seed_cut_bps: u16,
}

/// Sets the contract up.
#[cw_serde]
pub struct InstantiateMsg {
    /// Owner: the governance account.
    pub owner: String,
    /// The datanet contract.
    pub datanet: String,
    /// The node registry.
    pub node_registry: String,
    /// The escrow.
    pub escrow: String,
    /// The arbiter, as `SetArbiter` names it; its address may be known before it exists.
    pub arbiter: Option<String>,
    /// Windows, bonds and cuts.
    pub params: Params,
}

/// Which blob of an epoch.
#[cw_serde]
#[derive(Copy, Eq, PartialOrd, Ord)]
pub enum BlobKind {
    /// The ledger's leaves.
    Leaves,
    /// The receipts.
    Receipts,
}

/// What a case is about.
#[cw_serde]
pub enum Subject {
    /// Receipts of an epoch of a node.
    Receipts {
        /// Node.
        node_id: u64,
        /// Denom.
        denom: String,
        /// Epoch.
        epoch: u64,
        /// What is wrong with them.
        kind: ReceiptFault,
        /// The receipts, at most 16, of an answer (`output`) one; held while the root is not final.
        receipts: Vec<HeldReceipt>,
    },
    /// A contribution.
    Contribution {
        /// Contribution.
        contribution_id: u64,
        /// What is wrong with it.
        claim: ContributionClaim,
    },
}

/// What auditors find in receipts by re-execution.
#[cw_serde]
#[derive(Copy, Eq)]
pub enum ReceiptFault {
    /// The answer is not the model's.
    Output,
    /// A source that the answer repeats is missing.
    MissingSource,
    /// Shares of influence that do not follow from the signature, or a false match root.
    Influence,
    /// Too much without evidence (I1).
    NoEvidence,
}

/// What is said against a contribution.
#[cw_serde]
#[derive(Copy, Eq)]
pub enum ContributionClaim {
    /// It copies or nearly repeats this one, and claims originality.
    Copied {
        /// The original.
        of: u64,
    },
    /// It claims to nearly repeat another one and does not, or names the wrong one.
    WrongCluster {},
    /// Its match root is not that of its content.
    FalseMatchRoot {},
    /// Its contributor may not license it.
    Unlicensed {},
    /// It was made to harm models.
    Poisoned {},
}

/// What can be done.
#[allow(clippy::large_enum_variant)]
#[cw_serde]
pub enum ExecuteMsg {
    /// Attests that an auditor holds both blobs of a root that is not final, and that they hash to
    /// it. Only by the auditor's operator or hot address, not for its own roots.
    Attest {
        /// The auditor's node.
        auditor: u64,
        /// Node whose root it is.
        node_id: u64,
        /// Denom.
        denom: String,
        /// Epoch.
        epoch: u64,
    },
    /// Counts a miss for auditors that had weight and did not attest a root within its window, which
    /// the first attestation or report begins. By anyone, once per root, window and auditor; not of
    /// void roots, nor while a demand is open. When all misses of a window are counted and the root is
    /// not attested, the next window begins with the weight of then: silent or departed auditors keep
    /// no root from being attested.
    ReportMisses {
        /// Node whose root it is.
        node_id: u64,
        /// Denom.
        denom: String,
        /// Epoch.
        epoch: u64,
        /// Auditors, rising, at most 32; none to begin a window.
        auditors: Vec<u64>,
    },
    /// Gives an auditor its weight back. Only by its operator.
    Resume {
        /// The auditor's node.
        auditor: u64,
    },
    /// Demands a chunk of a blob of a root that is not final. Funds: `demand_bond`. By anyone.
    DemandChunk {
        /// Node.
        node_id: u64,
        /// Denom.
        denom: String,
        /// Epoch.
        epoch: u64,
        /// Blob.
        blob: BlobKind,
        /// Number of the chunk of 16 KiB.
        index: u64,
    },
    /// Shows the chunk; the demand's bond goes to who shows it. By anyone, until D is over.
    AnswerDemand {
        /// Demand.
        demand_id: u64,
        /// The chunk.
        chunk: Binary,
        /// Its path to the blob's root.
        path: HashPath,
    },
    /// Voids the root whose chunk was not shown, cuts the node and returns the bond. By anyone.
    ExpireDemand {
        /// Demand.
        demand_id: u64,
    },
    /// Proves a fault in one step (F1): the root is void, the bond is cut at once, the sender is its
    /// finder. Once per receipt or root.
    ProveFault {
        /// The proof, and what of the escrow's state it rests on.
        proof: Proof,
    },
    /// Opens a case for auditors to vote on (F2). Funds: the bond, at least `case_bond` and
    /// `case_bond_bps` of the fees cited. One case of each kind about a receipt at a time, and of each claim about
    /// a contribution; none about what was found guilty, nor about a final root of a node whose bond may leave.
    OpenCase {
        /// About what.
        subject: Subject,
        /// Why, at most 1,024 bytes: where the evidence is.
        reason: String,
    },
    /// Commits a vote: `formats::vote_commitment`. Until half of the dispute is over.
    CommitVote {
        /// Case.
        case_id: u64,
        /// The auditor's node.
        auditor: u64,
        /// Commitment (32 bytes).
        commitment: HexBinary,
    },
    /// Reveals a vote, in the second half of the dispute. Counts with the lesser of the weight at the
    /// opening and now (F3).
    RevealVote {
        /// Case.
        case_id: u64,
        /// The auditor's node.
        auditor: u64,
        /// The vote.
        guilty: bool,
        /// Its salt (32 bytes).
        salt: HexBinary,
    },
    /// Ends a case whose dispute is over. By anyone; not while the arbiter has it, unless the time of the
    /// whole dispute is over.
    Conclude {
        /// Case.
        case_id: u64,
    },
    /// Names the contract that decides cases of the class exact by arithmetic (F2). Only by the owner; the one
    /// before keeps the cases that it has.
    SetArbiter {
        /// The contract.
        arbiter: String,
    },
    /// Takes a running case about receipts from the votes. Only by the arbiter.
    Arbitrate {
        /// Case.
        case_id: u64,
    },
    /// Ends a case that the arbiter has as guilty, or gives it back to the votes. Only by the arbiter that has it.
    Award {
        /// Case.
        case_id: u64,
        /// Whether the node is guilty by arithmetic. False: the challenger lost, and its bond is forfeited unless
        /// a quorum says guilty. None: neither.
        guilty: Option<bool>,
    },
    /// Commits an auditor's seed for the next period: `formats::seed_commitment` (F4).
    CommitSeed {
        /// The auditor's node.
        auditor: u64,
        /// Period that it is for: the one after the present one.
        period: u64,
        /// Commitment (32 bytes).
        commitment: HexBinary,
    },
    /// Reveals a seed within the period after the one that it was for.
    RevealSeed {
        /// The auditor's node.
        auditor: u64,
        /// Period.
        period: u64,
        /// Seed (32 bytes).
        seed: HexBinary,
    },
    /// Cuts an auditor that committed a seed and did not reveal it. By anyone, once.
    ReportSeed {
        /// The auditor's node.
        auditor: u64,
        /// Period.
        period: u64,
    },
    /// Credits an auditor with its part of a final epoch's audit pay: by weight among those who
    /// attested. By anyone, once per auditor and epoch.
    ClaimAudit {
        /// The auditor's node.
        auditor: u64,
        /// Node.
        node_id: u64,
        /// Denom.
        denom: String,
        /// Epoch.
        epoch: u64,
    },
    /// Pays the sender's returned bonds out.
    Withdraw {},
    /// Pays forfeited bonds. Only by the owner.
    SpendTreasury {
        /// Who receives.
        to: String,
        /// Base units.
        amount: Uint128,
    },
    /// Changes windows, bonds and cuts for new work. Only by the owner.
    UpdateParams {
        /// All of them.
        params: Params,
    },
    /// Changes the owner in two steps. There is no pause: challenging never stops (A1).
    UpdateOwnership(OwnershipAction),
}

/// What can be asked.
#[cw_serde]
#[derive(QueryResponses)]
pub enum QueryMsg {
    /// Windows, bonds, cuts, contracts.
    #[returns(ConfigResponse)]
    Config {},
    /// The owner.
    #[returns(OwnershipResponse)]
    Ownership {},
    /// All audit weight that may attest a node's roots now: without that of the node's own operator. The
    /// escrow asks: without any a root waits four windows (L6).
    #[returns(EligibleWeightResponse)]
    EligibleWeightFor {
        /// The node.
        node_id: u64,
    },
    /// Attestations of a root.
    #[returns(AttestationResponse)]
    Attestation {
        /// Node.
        node_id: u64,
        /// Denom.
        denom: String,
        /// Epoch.
        epoch: u64,
    },
    /// Where an auditor stands.
    #[returns(AuditorResponse)]
    Auditor {
        /// The auditor's node.
        auditor: u64,
    },
    /// The arbiter, and which of them has a case.
    #[returns(ArbiterResponse)]
    Arbiter {
        /// Case; none to ask for the arbiter alone.
        case_id: Option<u64>,
    },
    /// One demand.
    #[returns(DemandResponse)]
    Demand {
        /// Its number.
        demand_id: u64,
    },
    /// Demands by number.
    #[returns(DemandsResponse)]
    Demands {
        /// Number after which to start.
        start_after: Option<u64>,
        /// Entries, 10 unless told, at most 30.
        limit: Option<u32>,
    },
    /// One case.
    #[returns(CaseResponse)]
    Case {
        /// Its number.
        case_id: u64,
    },
    /// Cases by number.
    #[returns(CasesResponse)]
    Cases {
        /// Number after which to start.
        start_after: Option<u64>,
        /// Entries, 10 unless told, at most 30.
        limit: Option<u32>,
    },
    /// A committed seed.
    #[returns(SeedResponse)]
    Seed {
        /// The auditor's node.
        auditor: u64,
        /// Period.
        period: u64,
    },
    /// What an address can withdraw.
    #[returns(BalanceResponse)]
    Balance {
        /// Address.
        address: String,
    },
    /// The conservation equation, term by term.
    #[returns(InvariantsResponse)]
    Invariants {},
}

/// Answer to `Config {}`.
#[cw_serde]
pub struct ConfigResponse {
    /// The datanet contract.
    pub datanet: String,
    /// The node registry.
    pub node_registry: String,
    /// The escrow.
    pub escrow: String,
    /// Windows, bonds and cuts.
    pub params: Params,
}

/// Answer to `EligibleWeightFor {}`.
#[cw_serde]
pub struct EligibleWeightResponse {
    /// Base units.
    pub weight: Uint128,
}

/// Answer to `Attestation {}`.
#[cw_serde]
pub struct AttestationResponse {
    /// Weight at the beginning of the present window; none before the first.
    pub eligible: Option<Uint128>,
    /// Weight that attested.
    pub attested: Uint128,
    /// Auditors that attested, with their weight, at most 128.
    pub auditors: Vec<(u64, Uint128)>,
    /// Last height of the present window.
    pub until: Option<u64>,
}

/// Answer to `Auditor {}`.
#[cw_serde]
pub struct AuditorResponse {
    /// Roots missed in a row.
    pub missed: u32,
    /// Whether it lost its weight.
    pub suspended: bool,
}

/// Answer to `Arbiter {}`.
#[cw_serde]
pub struct ArbiterResponse {
    /// The contract that may take cases; none until the owner has named one.
    pub arbiter: Option<String>,
    /// The contract that has the case; none while it is voted on.
    pub of_case: Option<String>,
}

/// What has become of a demand.
#[cw_serde]
#[derive(Copy, Eq)]
pub enum DemandStatus {
    /// Waits for the chunk.
    Open,
    /// The chunk was shown.
    Answered,
    /// It was not; the root is void.
    Expired,
    /// The root was void before.
    Moot,
}

/// A demand.
#[cw_serde]
pub struct DemandResponse {
    /// Number.
    pub demand_id: u64,
    /// Who demands.
    pub demander: String,
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
    /// Bond, in base units.
    pub bond: Uint128,
    /// Last height for the answer.
    pub until: u64,
    /// What has become of it.
    pub status: DemandStatus,
}

/// Answer to `Demands {}`.
#[cw_serde]
pub struct DemandsResponse {
    /// In order of their numbers.
    pub demands: Vec<DemandResponse>,
}

/// How a case ended.
#[cw_serde]
#[derive(Copy, Eq)]
pub enum Verdict {
    /// A quorum said guilty.
    Guilty,
    /// A quorum said not guilty.
    NotGuilty,
    /// No quorum either way: everything is released.
    Undecided,
}

/// A case.
#[cw_serde]
pub struct CaseResponse {
    /// Number.
    pub case_id: u64,
    /// Who opened it.
    pub challenger: String,
    /// About what.
    pub subject: Subject,
    /// Why.
    pub reason: String,
    /// Bond, in base units.
    pub bond: Uint128,
    /// Height of the opening.
    pub opened_at: u64,
    /// Last height for commitments.
    pub commit_until: u64,
    /// Last height for reveals; the case ends after it.
    pub reveal_until: u64,
    /// Weight at the opening.
    pub eligible: Uint128,
    /// Weight that said guilty.
    pub guilty: Uint128,
    /// Weight that said not guilty.
    pub not_guilty: Uint128,
    /// How it ended; none while it runs.
    pub verdict: Option<Verdict>,
}

/// Answer to `Cases {}`.
#[cw_serde]
pub struct CasesResponse {
    /// In order of their numbers.
    pub cases: Vec<CaseResponse>,
}

/// Answer to `Seed {}`.
#[cw_serde]
pub struct SeedResponse {
    /// Commitment (32 bytes); none when nothing was committed.
    pub commitment: Option<HexBinary>,
    /// Seed, once revealed (32 bytes).
    pub seed: Option<HexBinary>,
    /// Whether its silence was reported.
    pub reported: bool,
}

/// Answer to `Balance {}`.
#[cw_serde]
pub struct BalanceResponse {
    /// Base units.
    pub withdrawable: Uint128,
}

/// Carries the contract from one release to the next.
#[cw_serde]
pub struct MigrateMsg {}
