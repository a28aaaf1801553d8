//! Messages of the node registry.

use cosmwasm_schema::{cw_serde, QueryResponses};
use cosmwasm_std::{HexBinary, Uint128};

use super::common::{InvariantsResponse, OwnershipAction, OwnershipResponse};

/// Most models that one node offers.
pub const MAX_OFFERS: u32 = 64;
/// Most auditors; bounds the snapshot of audit weight.
pub const MAX_AUDITORS: usize = 128;
/// Most validators that are looked through for the bonded set.
pub const MAX_VALIDATORS: usize = 512;

/// Bonds and delays.
#[cw_serde]
pub struct Params {
    /// Denom of bonds.
    pub denom: String,
    /// Least bond of a node, in base units.
    pub min_bond: Uint128,
    /// Blocks between `Unbond` and `WithdrawBond` (F5).
    pub unbonding_blocks: u64,
    /// Blocks after which a signing key expires unless it is renewed or rotated.
    pub key_blocks: u64,
    /// Blocks that a node stays in jail before it can leave it.
    pub jail_blocks: u64,
    /// Part of every cut that goes to the finder, in basis points below 10,000 (F5).
    pub finder_bps: u16,
    /// Part of every cut that is burned, in basis points (F5); what both leave is the treasury's.
    pub burn_bps: u16,
    /// Most of a bond that voted cuts may take in one epoch, in basis points (F3).
    pub voted_cut_bps: u16,
    /// Blocks of that epoch.
    pub epoch_blocks: u64,
    /// Blocks between a verdict and its cut, in which the owner may veto it (F3).
    pub veto_blocks: u64,
}

/// Sets the contract up.
#[cw_serde]
pub struct InstantiateMsg {
    /// Owner: the governance account.
    pub owner: String,
    /// Bonds and delays.
    pub params: Params,
    /// The contracts that are believed from the first block on, as `Connect` names them; their
    /// addresses are known before they exist (instantiate2).
    #[serde(default)]
    pub connect: Option<Connections>,
}

/// The contracts that are believed, see `Connect`.
#[cw_serde]
pub struct Connections {
    /// The model registry, asked for prices of offers.
    pub model_registry: String,
    /// The escrow.
    pub escrow: String,
    /// The referee.
    pub referee: String,
    /// The storage contract, see `ConnectStorage`.
    #[serde(default)]
    pub storage: Option<String>,
}

/// What a node does.
#[cw_serde]
#[derive(Copy, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Answers questions.
    Inference,
    /// Keeps blobs.
    Storage,
    /// Checks others.
    Audit,
}

/// What can be done.
#[cw_serde]
pub enum ExecuteMsg {
    /// Registers a node; the sender is its operator. Funds: the bond, at least the least one.
    Register {
        /// Name, at most 64 bytes.
        moniker: String,
        /// Base URL, `http://` or `https://`, at most 256 bytes.
        endpoint: String,
        /// Compressed secp256k1 key that signs receipts (33 bytes).
        node_key: HexBinary,
        /// The key's signature over `formats::node_key_digest` (64 bytes): nobody registers a key
        /// that is not theirs.
        key_proof: HexBinary,
        /// Address that may post epochs besides the operator: that of the node's hot key.
        hot_addr: Option<String>,
        /// age recipient for datanet keys.
        age_recipient: String,
        /// What it does; sorted, without repeats, at least one.
        roles: Vec<Role>,
    },
    /// Changes how the node is reached. Only by the operator.
    UpdateNode {
        /// Node.
        node_id: u64,
        /// New base URL.
        endpoint: Option<String>,
        /// New name.
        moniker: Option<String>,
        /// New hot address.
        hot_addr: Option<String>,
        /// New age recipient.
        age_recipient: Option<String>,
        /// New roles; sorted, without repeats, at least one. Auditors must be operators of a
        /// validator of the bonded set.
        roles: Option<Vec<Role>>,
    },
    /// Replaces the signing key from the next block on; the old one stays on record for the heights
    /// that it signed. Only by the operator.
    RotateKey {
        /// Node.
        node_id: u64,
        /// New compressed key (33 bytes).
        node_key: HexBinary,
        /// The new key's signature over `formats::node_key_digest` (64 bytes).
        key_proof: HexBinary,
    },
    /// Lets the signing key in force live `key_blocks` from now. Only by the operator.
    RenewKey {
        /// Node.
        node_id: u64,
    },
    /// Offers a model version at the node's own price, or changes that price for sessions opened from
    /// now on. Only by the operator or the hot address.
    Offer {
        /// Node.
        node_id: u64,
        /// Model.
        model_id: u64,
        /// Version.
        version: u32,
        /// Price of a prompt token, in base units; the model's when absent. Never below the model's.
        price_in: Option<Uint128>,
        /// Price of an answer token, in base units; the model's when absent. Never below the model's.
        price_out: Option<Uint128>,
    },
    /// Stops offering a model version; sessions already open go on. Only by the operator or the hot
    /// address.
    StopOffer {
        /// Node.
        node_id: u64,
        /// Model.
        model_id: u64,
        /// Version.
        version: u32,
    },
    /// Adds to what the node says of its own work. Only by the operator or the hot address.
    ReportWork {
        /// Node.
        node_id: u64,
        /// What to add.
        work: DeclaredWork,
    },
    /// Leaves jail after `jail_blocks`. Only by the operator.
    Unjail {
        /// Node.
        node_id: u64,
    },
    /// Adds to what contracts have seen of a node's work. Only by the escrow, the referee and the storage
    /// contract.
    RecordWork {
        /// Node.
        node_id: u64,
        /// What to add.
        work: RecordedWork,
    },
    /// Cuts a bond at once for a fault that was proved and counts the fault in the record of its work;
    /// jails the node unless the storage contract asks. Only by the referee, the escrow and the storage
    /// contract. A bond that is gone is cut by nothing: the message does not fail.
    Slash {
        /// Node.
        node_id: u64,
        /// Part of the bond, in basis points.
        bps: u16,
        /// Who receives the finder's part; the treasury when absent or when it is the operator.
        finder: Option<String>,
        /// Which fault, at most 128 bytes.
        reason: String,
    },
    /// Plans a cut that auditors voted; capped per epoch, carried out after `veto_blocks` (F3). Only
    /// by the referee.
    PlanCut {
        /// Node.
        node_id: u64,
        /// Part of the bond, in basis points.
        bps: u16,
        /// Who receives the finder's part.
        finder: Option<String>,
        /// Which fault, at most 128 bytes.
        reason: String,
    },
    /// Carries out a planned cut whose time has come. By anyone.
    ExecuteCut {
        /// Cut.
        cut_id: u64,
    },
    /// Drops a planned cut. Only by the owner.
    VetoCut {
        /// Cut.
        cut_id: u64,
    },
    /// Counts an open case against a node, or one less; while any is open the bond stays (F5). Only
    /// by the referee.
    Freeze {
        /// Node.
        node_id: u64,
        /// Whether a case was opened; else one was closed.
        open: bool,
    },
    /// Pays the sender's finder's parts out.
    WithdrawRewards {},
    /// Pays from the treasury. Only by the owner.
    SpendTreasury {
        /// Who receives.
        to: String,
        /// Base units.
        amount: Uint128,
    },
    /// Names the contracts that are believed. Only by the owner.
    Connect {
        /// The model registry, asked for prices of offers.
        model_registry: String,
        /// The escrow.
        escrow: String,
        /// The referee.
        referee: String,
    },
    /// Names the storage contract, which is believed of storage that was proved or missed. Only by the
    /// owner.
    ConnectStorage {
        /// The storage contract.
        storage: String,
    },
    /// Adds to the bond. Funds: what to add.
    AddBond {
        /// Node.
        node_id: u64,
    },
    /// Takes the node out of service and starts the delay. Only by the operator.
    Unbond {
        /// Node.
        node_id: u64,
    },
    /// Pays the bond out after the delay. Only by the operator.
    WithdrawBond {
        /// Node.
        node_id: u64,
    },
    /// Changes bonds and delays. Only by the owner.
    UpdateParams {
        /// All of them.
        params: Params,
    },
    /// Stops or allows registrations (A1). Only by the owner.
    SetPaused {
        /// Whether to stop.
        paused: bool,
    },
    /// Changes the owner in two steps.
    UpdateOwnership(OwnershipAction),
}

/// What can be asked.
#[cw_serde]
#[derive(QueryResponses)]
pub enum QueryMsg {
    /// Bonds, delays, pause.
    #[returns(ConfigResponse)]
    Config {},
    /// The owner.
    #[returns(OwnershipResponse)]
    Ownership {},
    /// One node.
    #[returns(NodeResponse)]
    Node {
        /// Its number.
        node_id: u64,
    },
    /// Nodes by number.
    #[returns(NodesResponse)]
    Nodes {
        /// Number after which to start.
        start_after: Option<u64>,
        /// Entries, 10 unless told, at most 30.
        limit: Option<u32>,
    },
    /// The contracts that are believed.
    #[returns(ConnectionsResponse)]
    Connections {},
    /// What is known of a node's work.
    #[returns(WorkResponse)]
    Work {
        /// Node.
        node_id: u64,
    },
    /// What a node offers.
    #[returns(OffersResponse)]
    Offers {
        /// Node.
        node_id: u64,
        /// (model, version) after which to start.
        start_after: Option<(u64, u32)>,
        /// Entries, 10 unless told, at most 30.
        limit: Option<u32>,
    },
    /// One offer.
    #[returns(OfferResponse)]
    Offer {
        /// Node.
        node_id: u64,
        /// Model.
        model_id: u64,
        /// Version.
        version: u32,
    },
    /// Nodes that offer a model version, in order of their numbers.
    #[returns(ServersResponse)]
    Servers {
        /// Model.
        model_id: u64,
        /// Version.
        version: u32,
        /// Number after which to start.
        start_after: Option<u64>,
        /// Entries, 10 unless told, at most 30.
        limit: Option<u32>,
    },
    /// Everyone with audit weight now (F3): in service, out of jail, operator of a validator of the
    /// bonded set. At most 128.
    #[returns(AuditorsResponse)]
    Auditors {},
    /// Audit weight of one node now; zero when it has none.
    #[returns(AuditWeightResponse)]
    AuditWeight {
        /// Node.
        node_id: u64,
    },
    /// A planned cut.
    #[returns(CutResponse)]
    Cut {
        /// Cut.
        cut_id: u64,
    },
    /// Planned cuts by number.
    #[returns(CutsResponse)]
    Cuts {
        /// Number after which to start.
        start_after: Option<u64>,
        /// Entries, 10 unless told, at most 30.
        limit: Option<u32>,
    },
    /// Finder's parts that an address can withdraw.
    #[returns(RewardsResponse)]
    Rewards {
        /// Address.
        address: String,
    },
    /// The key with which a node signed at a height.
    #[returns(NodeKeyResponse)]
    NodeKey {
        /// Node.
        node_id: u64,
        /// Height.
        height: u64,
    },
    /// The conservation equation, term by term.
    #[returns(InvariantsResponse)]
    Invariants {},
}

/// Answer to `Config {}`.
#[cw_serde]
pub struct ConfigResponse {
    /// Bonds and delays.
    pub params: Params,
    /// Whether registrations are stopped.
    pub paused: bool,
}

crate::parts! {
    enum Role { 0 = Inference, 1 = Storage, 2 = Audit }
    enum NodeStatus { 0 = Bonded, 1 = Unbonding, 2 = Left }
    struct RecordedWork { answers, fees, epochs, audits, misses, proven_bytes, faults }
}

/// Where a node stands.
#[cw_serde]
#[derive(Copy, Eq)]
pub enum NodeStatus {
    /// In service.
    Bonded,
    /// Out of service; the bond is still at stake.
    Unbonding,
    /// The bond was paid out.
    Left,
}

/// A node.
#[cw_serde]
pub struct NodeResponse {
    /// Number; never changes.
    pub node_id: u64,
    /// Who registered it and owns its earnings.
    pub operator: String,
    /// Name.
    pub moniker: String,
    /// Base URL.
    pub endpoint: String,
    /// Key in force (33 bytes).
    pub node_key: HexBinary,
    /// Last height at which new sessions may pin it.
    pub key_expires: u64,
    /// Height at which it can leave jail; none when it is not in jail.
    pub jailed_until: Option<u64>,
    /// Open cases against it.
    pub open_cases: u32,
    /// Address of the hot key.
    pub hot_addr: Option<String>,
    /// age recipient.
    pub age_recipient: String,
    /// What it does.
    pub roles: Vec<Role>,
    /// Bond in base units.
    pub bond: Uint128,
    /// Where it stands.
    pub status: NodeStatus,
    /// Height from which the bond can be withdrawn, while unbonding.
    pub unbonds_at: Option<u64>,
}

/// Answer to `Nodes {}`.
#[cw_serde]
pub struct NodesResponse {
    /// In order of their numbers.
    pub nodes: Vec<NodeResponse>,
}

/// What contracts have seen of a node's work.
#[cw_serde]
#[derive(Default)]
pub struct RecordedWork {
    /// Answers under final roots.
    pub answers: u64,
    /// Their fees, in base units of the bonds' denom; other denoms are not counted.
    pub fees: Uint128,
    /// Roots that became final.
    pub epochs: u64,
    /// Audits done: availability attested, verdicts revealed.
    pub audits: u64,
    /// Audits missed.
    pub misses: u64,
    /// Bytes whose storage was proved.
    pub proven_bytes: u64,
    /// Faults proved or voted.
    pub faults: u64,
}

/// What a node says of its own work; shown as such, believed by no contract.
#[cw_serde]
#[derive(Default)]
pub struct DeclaredWork {
    /// Seconds ready without a request.
    pub idle: u64,
    /// Requests answered.
    pub served: u64,
    /// Requests refused because it was full or draining.
    pub refused: u64,
    /// Requests that failed.
    pub failed: u64,
    /// Tokens read and written.
    pub tokens: u64,
}

/// Answer to `Work {}`.
#[cw_serde]
pub struct WorkResponse {
    /// Seen by contracts.
    pub recorded: RecordedWork,
    /// Said by the node.
    pub declared: DeclaredWork,
}

/// What a node asks for a model version.
#[cw_serde]
pub struct Offer {
    /// Model.
    pub model_id: u64,
    /// Version.
    pub version: u32,
    /// Price of a prompt token, in base units; the model's when absent.
    pub price_in: Option<Uint128>,
    /// Price of an answer token, in base units; the model's when absent.
    pub price_out: Option<Uint128>,
}

/// Answer to `Offers {}`.
#[cw_serde]
pub struct OffersResponse {
    /// In order of (model, version).
    pub offers: Vec<Offer>,
}

/// Answer to `Offer {}`.
#[cw_serde]
pub struct OfferResponse {
    /// The offer; none when the node does not offer it.
    pub offer: Option<Offer>,
}

/// Answer to `Servers {}`.
#[cw_serde]
pub struct ServersResponse {
    /// (node, its offer), in order of nodes.
    pub servers: Vec<(u64, Offer)>,
}

/// An auditor with its weight.
#[cw_serde]
pub struct Auditor {
    /// Node.
    pub node_id: u64,
    /// Operator: account of a validator's operator.
    pub operator: String,
    /// Hot address.
    pub hot_addr: Option<String>,
    /// The lesser of bond and self-delegation, in base units (F3).
    pub weight: Uint128,
}

/// Answer to `Auditors {}`.
#[cw_serde]
pub struct AuditorsResponse {
    /// In order of their numbers.
    pub auditors: Vec<Auditor>,
}

/// Answer to `AuditWeight {}`.
#[cw_serde]
pub struct AuditWeightResponse {
    /// Base units.
    pub weight: Uint128,
}

/// A planned cut.
#[cw_serde]
pub struct CutResponse {
    /// Number.
    pub cut_id: u64,
    /// Node.
    pub node_id: u64,
    /// Base units that it takes, less when the bond is smaller by then.
    pub amount: Uint128,
    /// Who receives the finder's part.
    pub finder: Option<String>,
    /// Which fault.
    pub reason: String,
    /// First height at which it can be carried out.
    pub from: u64,
    /// Whether it waits, was carried out or was vetoed.
    pub status: CutStatus,
}

/// What has become of a planned cut.
#[cw_serde]
#[derive(Copy, Eq)]
pub enum CutStatus {
    /// Waits.
    Planned,
    /// Carried out.
    Done,
    /// Dropped by the owner.
    Vetoed,
}

/// Answer to `Cuts {}`.
#[cw_serde]
pub struct CutsResponse {
    /// In order of their numbers.
    pub cuts: Vec<CutResponse>,
}

/// Answer to `Rewards {}`.
#[cw_serde]
pub struct RewardsResponse {
    /// Base units.
    pub withdrawable: Uint128,
}

/// Answer to `Connections {}`.
#[cw_serde]
pub struct ConnectionsResponse {
    /// The model registry; none before `Connect`.
    pub model_registry: Option<String>,
    /// The escrow.
    pub escrow: Option<String>,
    /// The referee.
    pub referee: Option<String>,
    /// The storage contract.
    pub storage: Option<String>,
}

/// Answer to `NodeKey {}`.
#[cw_serde]
pub struct NodeKeyResponse {
    /// Key in force at that height (33 bytes); none before the registration.
    pub node_key: Option<HexBinary>,
}

/// Carries the contract from one release to the next.
#[cw_serde]
pub struct MigrateMsg {}
