//! What can be asked of the datanet contract.

use cosmwasm_schema::{cw_serde, QueryResponses};
use cosmwasm_std::{HexBinary, Uint128};

use super::{ConnectionsResponse, Params, Policy, Visibility};
use crate::formats::{ContributionFacts, Priority, SumRoot, Uses, VersionRef};
use crate::msg::common::{Amount, InvariantsResponse, OwnershipResponse};

/// What can be asked.
#[cw_serde]
#[derive(QueryResponses)]
pub enum QueryMsg {
    /// Windows, bonds, pause.
    #[returns(ConfigResponse)]
    Config {},
    /// The owner.
    #[returns(OwnershipResponse)]
    Ownership {},
    /// One datanet.
    #[returns(DatanetResponse)]
    Datanet {
        /// Its number.
        datanet_id: u64,
    },
    /// Datanets by number.
    #[returns(DatanetsResponse)]
    Datanets {
        /// Number after which to start.
        start_after: Option<u64>,
        /// Entries, 10 unless told, at most 30.
        limit: Option<u32>,
    },
    /// One commit.
    #[returns(CommitResponse)]
    Commit {
        /// Its number.
        commit_id: u64,
    },
    /// One contribution.
    #[returns(ContributionResponse)]
    Contribution {
        /// Its number.
        contribution_id: u64,
    },
    /// Contributions of a datanet by number.
    #[returns(ContributionsResponse)]
    Contributions {
        /// Datanet.
        datanet_id: u64,
        /// Number after which to start.
        start_after: Option<u64>,
        /// Entries, 10 unless told, at most 30.
        limit: Option<u32>,
    },
    /// The contribution that holds a match text, on any datanet.
    #[returns(MatchResponse)]
    ByMatchHash {
        /// SHA-256 of the match text (32 bytes).
        match_hash: HexBinary,
    },
    /// One sealed version.
    #[returns(VersionResponse)]
    Version {
        /// Datanet.
        datanet_id: u64,
        /// Version.
        version: u32,
    },
    /// The contracts that are believed.
    #[returns(ConnectionsResponse)]
    Connections {},
    /// The log of withdrawals of a datanet, in its order.
    #[returns(WithdrawalsResponse)]
    Withdrawals {
        /// Datanet.
        datanet_id: u64,
        /// First position.
        start: u64,
        /// Entries, 10 unless told, at most 100.
        limit: Option<u32>,
    },
    /// How many of a version's contributions are gone.
    #[returns(VersionHealthResponse)]
    VersionHealth {
        /// Datanet.
        datanet_id: u64,
        /// Version.
        version: u32,
    },
    /// Curators' votes on a contribution that waits.
    #[returns(CurationResponse)]
    Curation {
        /// Contribution.
        contribution_id: u64,
    },
    /// A developer's access.
    #[returns(AccessResponse)]
    Access {
        /// Datanet.
        datanet_id: u64,
        /// Developer.
        developer: String,
    },
    /// What a model version paid for training on a datanet.
    #[returns(TrainingResponse)]
    Training {
        /// Datanet.
        datanet_id: u64,
        /// Model.
        model_id: u64,
        /// Version of the model.
        model_version: u32,
    },
    /// One bounty.
    #[returns(BountyResponse)]
    Bounty {
        /// Its number.
        bounty_id: u64,
    },
    /// Bounties of a datanet by number.
    #[returns(BountiesResponse)]
    Bounties {
        /// Datanet.
        datanet_id: u64,
        /// Number after which to start.
        start_after: Option<u64>,
        /// Entries, 10 unless told, at most 30.
        limit: Option<u32>,
    },
    /// What is deposited for storing a datanet.
    #[returns(StorageResponse)]
    Storage {
        /// Datanet.
        datanet_id: u64,
    },
    /// Leaves of the version tree in order, whatever version sealed them.
    #[returns(LeavesResponse)]
    Leaves {
        /// Datanet.
        datanet_id: u64,
        /// First position.
        start: u64,
        /// Entries, 10 unless told, at most 100.
        limit: Option<u32>,
    },
    /// The key wrapped for a node.
    #[returns(KeyGrantResponse)]
    KeyGrant {
        /// Datanet.
        datanet_id: u64,
        /// Node.
        node_id: u64,
    },
    /// Nodes that were given a key of a datanet, by number.
    #[returns(KeyGrantsResponse)]
    KeyGrants {
        /// Datanet.
        datanet_id: u64,
        /// Node after which to start.
        start_after: Option<u64>,
        /// Entries, 10 unless told, at most 30.
        limit: Option<u32>,
    },
    /// Developers with access to a datanet, by address.
    #[returns(AccessesResponse)]
    Accesses {
        /// Datanet.
        datanet_id: u64,
        /// Address after which to start.
        start_after: Option<String>,
        /// Entries, 10 unless told, at most 30.
        limit: Option<u32>,
    },
    /// Keys of a datanet that are not in force any more, by number.
    #[returns(PastKeysResponse)]
    PastKeys {
        /// Datanet.
        datanet_id: u64,
        /// Number after which to start.
        start_after: Option<u32>,
        /// Entries, 10 unless told, at most 30.
        limit: Option<u32>,
    },
    /// Bonds that an address can withdraw.
    #[returns(BondsResponse)]
    Bonds {
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
    /// Windows and bonds.
    pub params: Params,
    /// Whether new work is stopped.
    pub paused: bool,
}

/// A datanet.
#[cw_serde]
pub struct DatanetResponse {
    /// Number.
    pub datanet_id: u64,
    /// Who may seal and grant keys.
    pub owner: String,
    /// Name.
    pub name: String,
    /// What it is about.
    pub description: String,
    /// Who sees the text.
    pub visibility: Visibility,
    /// SPDX expression for contributions that name none.
    pub license: String,
    /// age recipient of the key in force, for which blobs are sealed.
    pub recipient: String,
    /// Number of that key: how often it was rotated.
    #[serde(default)]
    pub key: u32,
    /// age identity, when public.
    pub public_identity: Option<String>,
    /// Least part of every fee for the data, in basis points.
    pub min_data_bps: u16,
    /// Least fee for each token of an answer, in base units.
    pub floor_per_token: Uint128,
    /// Who decides what a version takes.
    pub policy: Policy,
    /// What may be done with contributions that say nothing themselves.
    pub uses: Uses,
    /// Price of training, in base units.
    pub training_price: Uint128,
    /// A successor of the owner who has not accepted.
    pub pending_owner: Option<String>,
    /// Withdrawals so far.
    pub withdrawals: u64,
    /// Contributions so far.
    pub contributions: u64,
    /// Bytes of their content texts.
    pub bytes: u64,
    /// Newest sealed version; 0 before the first.
    pub latest_version: u32,
    /// Leaves taken into the tree so far.
    pub leaves: u64,
    /// How many of them, the first ones, have the form of the first release, see
    /// `ContributionFacts::legacy_leaf`.
    #[serde(default)]
    pub legacy_leaves: u64,
}

/// Answer to `Datanets {}`.
#[cw_serde]
pub struct DatanetsResponse {
    /// In order of their numbers.
    pub datanets: Vec<DatanetResponse>,
}

/// A commit.
#[cw_serde]
pub struct CommitResponse {
    /// Number.
    pub commit_id: u64,
    /// Datanet.
    pub datanet_id: u64,
    /// Who committed.
    pub owner: String,
    /// Root (32 bytes).
    pub root: HexBinary,
    /// Leaves.
    pub count: u32,
    /// Leaves that were opened.
    pub revealed: u32,
    /// Its place in the order.
    pub priority: Priority,
    /// Last height at which a reveal keeps the priority.
    pub expires: u64,
    /// Whether it was ended.
    pub ended: bool,
    /// Height from which `ReleaseBonds` returns the bonds of its opened leaves.
    pub bonds_from: Option<u64>,
    /// Whether those bonds were returned.
    pub released: bool,
    /// Bonds of its leaves that were slashed.
    pub slashed: u32,
}

/// What has become of a contribution.
#[cw_serde]
#[derive(Copy, Eq)]
pub enum ContributionStatus {
    /// Waits for curators.
    Proposed,
    /// A challenge of it is open: no version takes it.
    Challenged,
    /// Curators or a verdict refused it.
    Rejected,
    /// Its contributor took it back.
    Withdrawn,
    /// Waits for the next version.
    Accepted,
    /// Stands in a version.
    Sealed,
    /// An earlier commit of the same match text was revealed after it (D2).
    Duplicate,
}

/// A contribution.
#[cw_serde]
pub struct ContributionResponse {
    /// What versions commit.
    pub facts: ContributionFacts,
    /// Name shown to people.
    pub title: String,
    /// What has become of it.
    pub status: ContributionStatus,
    /// The original, when it is a duplicate.
    pub duplicate_of: Option<u64>,
    /// First version that holds it.
    pub version: Option<u32>,
    /// Its position in the version tree.
    pub position: Option<u64>,
    /// Height from which a version may take it.
    pub accepted_at: u64,
    /// The first of those that nearly repeat each other; itself when it is an original.
    pub cluster: u64,
    /// Height of its withdrawal.
    pub withdrawn_at: Option<u64>,
    /// Why it was rejected.
    pub reason: Option<String>,
}

/// Answer to `Contributions {}`.
#[cw_serde]
pub struct ContributionsResponse {
    /// In order of their numbers.
    pub contributions: Vec<ContributionResponse>,
}

/// Answer to `ByMatchHash {}`.
#[cw_serde]
pub struct MatchResponse {
    /// The contribution that holds this text; none when it is new.
    pub contribution_id: Option<u64>,
}

/// A sealed version.
#[cw_serde]
pub struct VersionResponse {
    /// As models and receipts name it.
    pub version: VersionRef,
    /// Height of its seal.
    pub sealed_at: u64,
    /// Least part of every fee for the data, in basis points, pinned at the seal.
    pub min_data_bps: u16,
    /// Least fee for each token of an answer, pinned at the seal.
    pub floor_per_token: Uint128,
    /// Price of training, pinned at the seal.
    #[serde(default)]
    pub training_price: Uint128,
    /// Log of withdrawals at the seal: size and root (32 bytes; zeros for versions sealed before
    /// withdrawals existed, whose size is 0).
    #[serde(default)]
    pub withdrawals: LogRoot,
}

/// A log's root with its size.
#[cw_serde]
pub struct LogRoot {
    /// Leaves.
    pub size: u64,
    /// Root (32 bytes).
    pub root: HexBinary,
}

impl Default for LogRoot {
    fn default() -> Self {
        LogRoot { size: 0, root: HexBinary::from(&[0u8; 32]) }
    }
}

/// An entry of the log of withdrawals, see `formats::withdrawal_leaf`.
#[cw_serde]
pub struct Withdrawal {
    /// Contribution.
    pub contribution_id: u64,
    /// Height.
    pub height: u64,
}

/// Answer to `Withdrawals {}`.
#[cw_serde]
pub struct WithdrawalsResponse {
    /// In their order.
    pub withdrawals: Vec<Withdrawal>,
}

/// Answer to `VersionHealth {}`.
#[cw_serde]
pub struct VersionHealthResponse {
    /// Contributions that the version holds.
    pub size: u64,
    /// Withdrawn or convicted since their seal.
    pub lost: u64,
}

/// Answer to `Curation {}`.
#[cw_serde]
pub struct CurationResponse {
    /// Curators who approve.
    pub approvals: Vec<String>,
    /// Curators who reject.
    pub rejections: Vec<String>,
}

/// Answer to `Access {}`.
#[cw_serde]
pub struct AccessResponse {
    /// The access; none when nothing was bought or all was left.
    pub access: Option<Access>,
}

/// A developer's access to a datanet.
#[cw_serde]
pub struct Access {
    /// age recipient that the key is wrapped for.
    pub recipient: String,
    /// Price paid and not used by a registration, in base units.
    pub paid: Uint128,
    /// Bond at stake.
    pub bond: Uint128,
    /// Height of the purchase.
    pub bought_at: u64,
    /// age ciphertext; none until the owner hands it over.
    pub wrapped: Option<HexBinary>,
    /// Number of the key that it wraps.
    #[serde(default)]
    pub key: u32,
    /// Height from which `LeaveAccess` returns what is left.
    pub leaves_at: u64,
}

/// Answer to `Training {}`.
#[cw_serde]
pub struct TrainingResponse {
    /// The pot; none when nothing was registered.
    pub training: Option<TrainingPot>,
}

/// What a model version paid for training on a datanet.
#[cw_serde]
pub struct TrainingPot {
    /// Base units.
    pub paid: Uint128,
    /// Claimed so far.
    pub claimed: Uint128,
    /// Training receipt: (contribution, times seen), worth the times.
    pub training: SumRoot,
}

/// A bounty.
#[cw_serde]
pub struct BountyResponse {
    /// Number.
    pub bounty_id: u64,
    /// Datanet.
    pub datanet_id: u64,
    /// What is missing.
    pub topic: String,
    /// Who promised it first.
    pub founder: String,
    /// Promised so far, in base units.
    pub funded: Uint128,
    /// Awarded so far.
    pub awarded: Uint128,
    /// Taken back so far.
    pub returned: Uint128,
    /// Height of the promise.
    pub created_at: u64,
    /// First height at which funders may leave.
    pub expires: u64,
}

/// Answer to `Bounties {}`.
#[cw_serde]
pub struct BountiesResponse {
    /// In order of their numbers.
    pub bounties: Vec<BountyResponse>,
}

/// Answer to `Storage {}`.
#[cw_serde]
pub struct StorageResponse {
    /// One entry a denom, at most 30.
    pub deposits: Vec<Amount>,
}

/// Answer to `Leaves {}`.
#[cw_serde]
pub struct LeavesResponse {
    /// In order of their positions.
    pub leaves: Vec<ContributionFacts>,
}

/// Answer to `KeyGrant {}`.
#[cw_serde]
pub struct KeyGrantResponse {
    /// age ciphertext of the identity; none when the node has no grant.
    pub wrapped: Option<HexBinary>,
    /// Number of the key that it wraps.
    #[serde(default)]
    pub key: u32,
}

/// Answer to `KeyGrants {}`.
#[cw_serde]
pub struct KeyGrantsResponse {
    /// In order of the nodes' numbers.
    pub grants: Vec<KeyGrant>,
}

/// A node that was given a key.
#[cw_serde]
#[derive(Copy, Eq)]
pub struct KeyGrant {
    /// Node.
    pub node_id: u64,
    /// Number of the key.
    pub key: u32,
}

/// Answer to `Accesses {}`.
#[cw_serde]
pub struct AccessesResponse {
    /// In order of the addresses.
    pub accesses: Vec<DeveloperAccess>,
}

/// A developer with access.
#[cw_serde]
pub struct DeveloperAccess {
    /// Developer.
    pub developer: String,
    /// The access.
    pub access: Access,
}

/// Answer to `PastKeys {}`.
#[cw_serde]
pub struct PastKeysResponse {
    /// In order of their numbers.
    pub keys: Vec<PastKey>,
}

/// A key that is not in force any more.
#[cw_serde]
pub struct PastKey {
    /// Number, from 0.
    pub key: u32,
    /// Its age recipient.
    pub recipient: String,
    /// Height at which the next one came into force.
    pub until: u64,
    /// Its identity, wrapped for the recipient of the next key.
    pub wrapped: HexBinary,
}

/// Answer to `Bonds {}`.
#[cw_serde]
pub struct BondsResponse {
    /// Base units that can be withdrawn.
    pub withdrawable: Uint128,
}
