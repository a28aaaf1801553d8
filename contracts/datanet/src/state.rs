//! Everything the contract keeps: each key, what it is made of and what stands under it.

use cosmwasm_schema::cw_serde;
use cosmwasm_std::{Addr, Binary, HexBinary, Storage, Uint128};
use cw_storage_plus::{Item, Map};
use openledger_types::formats::{ContributionFacts, Priority};
use openledger_types::msg::datanet::{ContributionStatus, Params, VersionResponse, Visibility};

use crate::ContractError;

/// A place in an order of priorities: (height, (transaction index, number)).
pub type Slot = (u64, (u32, u64));

/// The slot of entry `id` with this priority.
pub fn slot(priority: Priority, id: u64) -> Slot {
    (priority.height, (priority.tx_index, id))
}

/// What the contract owes, in base units of the bonds' denom.
#[cw_serde]
#[derive(Default)]
pub struct Totals {
    /// Bonds of leaves that were not opened.
    pub held: Uint128,
    /// Bonds that can be withdrawn.
    pub withdrawable: Uint128,
    /// Forfeited bonds.
    pub treasury: Uint128,
}

/// A datanet.
#[cw_serde]
pub struct Datanet {
    /// Who may seal and grant keys.
    pub owner: Addr,
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
}

/// What grows with a datanet, kept apart so that a reveal does not rewrite its texts.
#[cw_serde]
#[derive(Default)]
pub struct Stats {
    /// Contributions so far.
    pub contributions: u64,
    /// Bytes of their content texts.
    pub bytes: u64,
    /// Newest complete version; 0 before the first.
    pub latest_version: u32,
}

/// A commit.
#[cw_serde]
pub struct Commit {
    /// Datanet.
    pub datanet_id: u64,
    /// Who committed.
    pub owner: Addr,
    /// Root over the leaves (32 bytes).
    pub root: HexBinary,
    /// Leaves.
    pub count: u32,
    /// Leaves that were opened.
    pub revealed: u32,
    /// One bit a leaf, set once it is opened; the lowest bit of the first byte is leaf 0.
    pub opened: Binary,
    /// Its place in the order.
    pub priority: Priority,
    /// Last height at which a reveal keeps the priority.
    pub expires: u64,
    /// Bond for one leaf, in base units.
    pub bond: Uint128,
    /// Whether it was ended.
    pub ended: bool,
}

/// A contribution; never changes.
#[cw_serde]
pub struct Contribution {
    /// What versions commit.
    pub facts: ContributionFacts,
    /// Name shown to people.
    pub title: String,
}

/// What has become of a contribution, kept apart so that a seal does not rewrite its facts.
#[cw_serde]
pub struct Fate {
    /// Where it stands.
    pub status: ContributionStatus,
    /// The original, when it is a duplicate.
    pub duplicate_of: Option<u64>,
    /// First version that holds it.
    pub version: Option<u32>,
    /// Its position in the version tree.
    pub position: Option<u64>,
}

impl Default for Fate {
    fn default() -> Self {
        Fate { status: ContributionStatus::Accepted, duplicate_of: None, version: None, position: None }
    }
}

/// The version tree of a datanet as an append-only log.
#[cw_serde]
#[derive(Default)]
pub struct Log {
    /// Leaves taken so far.
    pub size: u64,
    /// Peaks, the tallest first (32 bytes each).
    pub peaks: Vec<HexBinary>,
}

/// Windows and bonds.
pub const PARAMS: Item<Params> = Item::new("params");

/// Datanets so far.
pub const DATANET_COUNT: Item<u64> = Item::new("datanet_count");

/// Commits so far.
pub const COMMIT_COUNT: Item<u64> = Item::new("commit_count");

/// Contributions so far.
pub const CONTRIBUTION_COUNT: Item<u64> = Item::new("contribution_count");

/// What the contract owes.
pub const TOTALS: Item<Totals> = Item::new("totals");

/// Key: datanet.
pub const DATANETS: Map<u64, Datanet> = Map::new("datanets");

/// What grows with a datanet; absent before the first contribution. Key: datanet.
pub const STATS: Map<u64, Stats> = Map::new("stats");

/// Key: commit.
pub const COMMITS: Map<u64, Commit> = Map::new("commits");

/// Commits with leaves that may still be opened, by datanet in the order of priorities, with the
/// last height of their time. Key: (datanet, slot of the commit).
pub const OPEN_COMMITS: Map<(u64, Slot), u64> = Map::new("open_commits");

/// Key: contribution.
pub const CONTRIBUTIONS: Map<u64, Contribution> = Map::new("contributions");

/// What has become of contributions; absent while they wait for a version. Key: contribution.
pub const FATES: Map<u64, Fate> = Map::new("fates");

/// Contributions of a datanet. Key: (datanet, contribution).
pub const BY_DATANET: Map<(u64, u64), ()> = Map::new("by_datanet");

/// The contribution that holds a match text, on any datanet. Key: SHA-256 of the match text.
pub const BY_MATCH: Map<&[u8], u64> = Map::new("by_match");

/// Accepted contributions that no seal has taken, in the order of priorities, with their numbers.
/// Key: (datanet, slot of the contribution).
pub const PENDING: Map<(u64, Slot), u64> = Map::new("pending");

/// The version tree. Key: datanet.
pub const LOGS: Map<u64, Log> = Map::new("logs");

/// Contributions by position in the version tree. Key: (datanet, position).
pub const LEAVES: Map<(u64, u64), u64> = Map::new("leaves");

/// The last priority that a seal in progress takes. Key: datanet.
pub const SEALS: Map<u64, Priority> = Map::new("seals");

/// Complete versions. Key: (datanet, version).
pub const VERSIONS: Map<(u64, u32), VersionResponse> = Map::new("versions");

/// age ciphertexts of a datanet's identity. Key: (datanet, node).
pub const KEY_GRANTS: Map<(u64, u64), HexBinary> = Map::new("key_grants");

/// Bonds that an address can withdraw, in base units; absent rather than zero. Key: address.
pub const BONDS: Map<&Addr, Uint128> = Map::new("bonds");

/// Loads a datanet.
pub fn datanet(storage: &dyn Storage, datanet_id: u64) -> Result<Datanet, ContractError> {
    DATANETS.may_load(storage, datanet_id)?.ok_or(ContractError::DatanetNotFound { datanet_id })
}

/// Loads a commit.
pub fn commit(storage: &dyn Storage, commit_id: u64) -> Result<Commit, ContractError> {
    COMMITS.may_load(storage, commit_id)?.ok_or(ContractError::CommitNotFound { commit_id })
}

/// Loads a contribution.
pub fn contribution(storage: &dyn Storage, contribution_id: u64) -> Result<Contribution, ContractError> {
    CONTRIBUTIONS
        .may_load(storage, contribution_id)?
        .ok_or(ContractError::ContributionNotFound { contribution_id })
}

/// What has grown with a datanet.
pub fn stats(storage: &dyn Storage, datanet_id: u64) -> Result<Stats, ContractError> {
    Ok(STATS.may_load(storage, datanet_id)?.unwrap_or_default())
}

/// What has become of a contribution.
pub fn fate(storage: &dyn Storage, contribution_id: u64) -> Result<Fate, ContractError> {
    Ok(FATES.may_load(storage, contribution_id)?.unwrap_or_default())
}

impl Commit {
    /// Whether leaf `index` was opened.
    pub fn is_opened(&self, index: u32) -> bool {
        self.opened.get(index as usize / 8).is_some_and(|byte| byte >> (index % 8) & 1 == 1)
    }

    /// Marks leaf `index` as opened.
    pub fn open(&mut self, index: u32) {
        let mut bits = self.opened.to_vec();
        if let Some(byte) = bits.get_mut(index as usize / 8) {
            *byte |= 1 << (index % 8);
        }
        self.opened = Binary::new(bits);
    }

    /// Leaves that were not opened.
    pub fn unopened(&self) -> u32 {
        self.count.saturating_sub(self.revealed)
    }
}
