//! Messages of the datanet contract.

use cosmwasm_schema::{cw_serde, QueryResponses};
use cosmwasm_std::{HexBinary, Uint128};

use super::common::{InvariantsResponse, OwnershipAction, OwnershipResponse};
use crate::formats::{ContributionFacts, Priority, VersionRef};

/// Most leaves of one commit (D1).
pub const MAX_COMMIT: u32 = 1024;

/// Windows and bonds.
#[cw_serde]
pub struct Params {
    /// Denom of bonds.
    pub denom: String,
    /// Bond for every leaf of a commit, in base units; back at its reveal.
    pub commit_bond: Uint128,
    /// Blocks within which a reveal keeps the commit's priority (R).
    pub reveal_blocks: u64,
    /// Blocks after which a withdrawn contribution may not be cited (D4).
    pub withdrawal_grace: u64,
}

/// Sets the contract up.
#[cw_serde]
pub struct InstantiateMsg {
    /// Owner: the governance account.
    pub owner: String,
    /// Windows and bonds.
    pub params: Params,
}

/// What a reader of answers may see of the data.
#[cw_serde]
#[derive(Copy, Eq)]
pub enum Visibility {
    /// All text; the datanet's key is published.
    Public,
    /// At most 200 characters beside an answer.
    Excerpt,
    /// Share and contributor only.
    Sealed,
}

/// One leaf of a commit, opened.
#[cw_serde]
pub struct RevealItem {
    /// Position of the leaf in the commit.
    pub index: u32,
    /// Path to the commit's root.
    pub path: Vec<HexBinary>,
    /// Salt of the leaf (32 bytes).
    pub salt: HexBinary,
    /// SHA-256 of the raw bytes (32 bytes).
    pub raw_hash: HexBinary,
    /// Root over 1 KiB chunks of the content text (32 bytes).
    pub content_root: HexBinary,
    /// Bytes of content text, at least 1.
    pub content_len: u64,
    /// Root over 1 KiB chunks of the match text (32 bytes).
    pub match_root: HexBinary,
    /// Bytes of match text, at least 1.
    pub match_len: u64,
    /// SHA-256 of the match text (32 bytes).
    pub match_hash: HexBinary,
    /// The ciphertext.
    pub blob: crate::formats::BlobRef,
    /// Media type.
    pub media: String,
    /// SPDX expression; that of the datanet when absent.
    pub license: Option<String>,
    /// Name shown to people, at most 128 bytes.
    pub title: String,
}

/// What can be done.
#[cw_serde]
pub enum ExecuteMsg {
    /// Makes a datanet with the open policy; the sender owns it.
    CreateDatanet {
        /// Name, at most 64 bytes.
        name: String,
        /// What it is about, at most 1,024 bytes.
        description: String,
        /// Who sees the text.
        visibility: Visibility,
        /// SPDX expression for contributions that name none.
        license: String,
        /// age recipient (X25519) that contributions are encrypted to.
        recipient: String,
        /// The matching age identity; given exactly when the datanet is public.
        public_identity: Option<String>,
        /// Least part of every fee for the data, in basis points (D5).
        min_data_bps: u16,
        /// Least fee for each token of an answer, in base units (D5).
        floor_per_token: Uint128,
    },
    /// Claims a place in the chain-wide order for up to 1,024 documents, before anyone sees them
    /// (D1). Funds: `commit_bond × count`.
    Commit {
        /// Datanet.
        datanet_id: u64,
        /// Root over [`crate::formats::commit_leaf`] (32 bytes).
        root: HexBinary,
        /// Number of leaves.
        count: u32,
    },
    /// Opens leaves of a commit; each becomes a contribution and its bond returns to the sender's
    /// balance of bonds. Only by who committed.
    Reveal {
        /// Commit.
        commit_id: u64,
        /// Leaves, at most 64.
        items: Vec<RevealItem>,
    },
    /// Ends a commit whose time is over; bonds of leaves that were not opened go to the treasury.
    ExpireCommit {
        /// Commit.
        commit_id: u64,
    },
    /// Freezes the next version from accepted contributions with a priority of at most `up_to`
    /// (default: now). At most `limit` (default and most 256) contributions are taken in one
    /// message; repeat until the version appears. Only by the datanet's owner.
    Seal {
        /// Datanet.
        datanet_id: u64,
        /// Last height of commits to include.
        up_to: Option<u64>,
        /// Contributions to take in this message.
        limit: Option<u32>,
    },
    /// Stores the datanet's identity wrapped for a node's age recipient. Only by the datanet's owner.
    GrantKey {
        /// Datanet.
        datanet_id: u64,
        /// Node.
        node_id: u64,
        /// age ciphertext, at most 1,024 bytes.
        wrapped: HexBinary,
    },
    /// Pays the sender's returned bonds out.
    WithdrawBonds {},
    /// Pays forfeited bonds from the treasury. Only by the owner.
    SpendTreasury {
        /// Who receives.
        to: String,
        /// Base units.
        amount: Uint128,
    },
    /// Changes windows and bonds for new commits. Only by the owner.
    UpdateParams {
        /// All of them.
        params: Params,
    },
    /// Stops or allows new datanets and commits; never reveals, seals or withdrawals (A1). Only by
    /// the owner.
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
    /// age recipient of its blobs.
    pub recipient: String,
    /// age identity, when public.
    pub public_identity: Option<String>,
    /// Least part of every fee for the data, in basis points.
    pub min_data_bps: u16,
    /// Least fee for each token of an answer, in base units.
    pub floor_per_token: Uint128,
    /// Contributions so far.
    pub contributions: u64,
    /// Bytes of their content texts.
    pub bytes: u64,
    /// Newest sealed version; 0 before the first.
    pub latest_version: u32,
    /// Leaves taken into the tree so far.
    pub leaves: u64,
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
}

/// What has become of a contribution.
#[cw_serde]
#[derive(Copy, Eq)]
pub enum ContributionStatus {
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
}

/// Answer to `Bonds {}`.
#[cw_serde]
pub struct BondsResponse {
    /// Base units that can be withdrawn.
    pub withdrawable: Uint128,
}

/// Carries the contract from one release to the next.
#[cw_serde]
pub struct MigrateMsg {}
