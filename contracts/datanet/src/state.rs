//! Everything the contract keeps: each key, what it is made of and what stands under it.

use cosmwasm_schema::cw_serde;
use cosmwasm_std::{Addr, Binary, HexBinary, Storage, Uint128};
use cw_storage_plus::{Item, Map};
use openledger_contract::packs::{Pack, Packs};
use openledger_contract::CommonError;
use openledger_types::formats::{ContributionFacts, Priority, SumRoot, Uses};
use openledger_types::msg::datanet::{
    ContributionStatus, Params, Policy, VersionResponse, Visibility, Withdrawal,
};

use crate::ContractError;

/// A place in an order of priorities: (height, (transaction index, number)).
pub type Slot = (u64, (u32, u64));

/// The slot of entry `id` with this priority.
pub fn slot(priority: Priority, id: u64) -> Slot {
    (priority.height, (priority.tx_index, id))
}

/// Whether a field need not be written, because its absence says the same.
fn absent<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What the contract owes for contributions, in base units of the bonds' denom.
#[cw_serde]
#[derive(Default)]
pub struct Totals {
    /// Bonds of leaves that were not opened.
    pub held: Uint128,
    /// Bonds of opened leaves that can still be slashed.
    #[serde(default)]
    pub staked: Uint128,
    /// What addresses can withdraw.
    pub withdrawable: Uint128,
    /// Forfeited bonds.
    pub treasury: Uint128,
}

/// What the contract owes for training and bounties, in base units of the bonds' denom; kept apart
/// so that a commit does not rewrite it.
#[cw_serde]
#[derive(Default)]
pub struct Pots {
    /// Prices paid by developers and not used by a registration.
    pub access_paid: Uint128,
    /// Bonds of developers.
    pub developer_bonds: Uint128,
    /// Training pots, not claimed.
    pub training: Uint128,
    /// Bounties, neither awarded nor taken back.
    pub bounties: Uint128,
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
    /// age recipient of the key in force.
    pub recipient: String,
    /// Number of that key: how often it was rotated.
    #[serde(default, skip_serializing_if = "absent")]
    pub key: u32,
    /// age identity, when public.
    pub public_identity: Option<String>,
    /// Least part of every fee for the data, in basis points.
    pub min_data_bps: u16,
    /// Least fee for each token of an answer, in base units.
    pub floor_per_token: Uint128,
    /// Who decides what a version takes.
    #[serde(default = "open_policy")]
    pub policy: Policy,
    /// What may be done with contributions that say nothing themselves; never changes.
    #[serde(default)]
    pub uses: Uses,
    /// Price of training, in base units.
    #[serde(default)]
    pub training_price: Uint128,
    /// A successor of the owner who has not accepted.
    #[serde(default)]
    pub pending_owner: Option<Addr>,
}

/// The policy of datanets of the first release.
fn open_policy() -> Policy {
    Policy::Open {}
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
    /// Blocks after a reveal during which it can be challenged; zero in commits of the first release,
    /// whose next reveal takes the parameter.
    #[serde(default)]
    pub acceptance_blocks: u64,
    /// Height of the newest reveal in time.
    #[serde(default)]
    pub last_reveal: u64,
    /// Opened leaves whose bond is at stake.
    #[serde(default)]
    pub staked: u32,
    /// Those of them that are challenged: their bond stays until the challenge is over.
    #[serde(default)]
    pub challenged: u32,
    /// Leaves whose bond was slashed.
    #[serde(default)]
    pub slashed: u32,
    /// Whether the bonds of its opened leaves were returned, but for those that are challenged.
    #[serde(default)]
    pub released: bool,
}

/// A contribution of the first release, as it was stored.
#[cw_serde]
pub struct LegacyContribution {
    /// What versions commit.
    pub facts: ContributionFacts,
    /// Name shown to people.
    pub title: String,
}

/// What has become of a contribution, kept apart so that a seal does not rewrite its facts.
#[cw_serde]
pub struct Fate {
    /// Where it stands; a challenge is kept beside it.
    pub status: ContributionStatus,
    /// The original, when it is a duplicate.
    pub duplicate_of: Option<u64>,
    /// First version that holds it.
    pub version: Option<u32>,
    /// Its position in the version tree.
    pub position: Option<u64>,
    /// Whether a challenge is open.
    #[serde(default, skip_serializing_if = "absent")]
    pub challenged: bool,
    /// Whether the open challenge keeps its bond from being returned.
    #[serde(default, skip_serializing_if = "absent")]
    pub bond_kept: bool,
    /// Whether its bond was slashed.
    #[serde(default, skip_serializing_if = "absent")]
    pub slashed: bool,
    /// Whether a verdict found it guilty.
    #[serde(default, skip_serializing_if = "absent")]
    pub convicted: bool,
    /// Height at which it was withdrawn, by its contributor or by a verdict.
    #[serde(default, skip_serializing_if = "absent")]
    pub withdrawn_at: Option<u64>,
    /// Why it was rejected.
    #[serde(default, skip_serializing_if = "absent")]
    pub reason: Option<String>,
}

impl Fate {
    /// That of a contribution of which nothing was said since its reveal.
    pub fn new(status: ContributionStatus) -> Self {
        Fate {
            status,
            duplicate_of: None,
            version: None,
            position: None,
            challenged: false,
            bond_kept: false,
            slashed: false,
            convicted: false,
            withdrawn_at: None,
            reason: None,
        }
    }
}

/// An append-only log: the version tree of a datanet, or its withdrawals.
#[cw_serde]
#[derive(Default)]
pub struct Log {
    /// Leaves taken so far.
    pub size: u64,
    /// Peaks, the tallest first (32 bytes each).
    pub peaks: Vec<HexBinary>,
    /// Leaves, the first ones, that have the form of the first release; all of them when absent.
    #[serde(default, skip_serializing_if = "absent")]
    pub legacy: Option<u64>,
}

/// Curators' votes on a contribution.
#[cw_serde]
#[derive(Default)]
pub struct Votes {
    /// Who approves.
    pub approvals: Vec<Addr>,
    /// Who rejects, and whether the bond is to be slashed.
    pub rejections: Vec<(Addr, bool)>,
}

/// A developer's access.
#[cw_serde]
pub struct Access {
    /// age recipient that the key is wrapped for.
    pub recipient: String,
    /// Price paid and not used by a registration.
    pub paid: Uint128,
    /// Bond at stake.
    pub bond: Uint128,
    /// Height of the purchase.
    pub bought_at: u64,
    /// Blocks that the owner has for the key, and that the bond stays after it.
    pub blocks: u64,
    /// age ciphertext; none until the owner hands it over.
    pub wrapped: Option<HexBinary>,
    /// Number of the key that it wraps.
    #[serde(default, skip_serializing_if = "absent")]
    pub key: u32,
    /// Height at which the first key came.
    pub granted_at: Option<u64>,
    /// Whether a registration used it: what is left of the price is a rest.
    pub used: bool,
}

/// A key that is not in force any more.
#[cw_serde]
pub struct PastKey {
    /// Its age recipient.
    pub recipient: String,
    /// Height at which the next one came into force.
    pub until: u64,
    /// Its identity, wrapped for the recipient of the next key.
    pub wrapped: HexBinary,
}

/// What a model version paid for training on a datanet.
#[cw_serde]
pub struct Pot {
    /// Base units.
    pub paid: Uint128,
    /// Claimed so far.
    pub claimed: Uint128,
    /// Leaves claimed so far.
    pub claims: u64,
    /// Training receipt.
    pub training: SumRoot,
    /// Leaves of the version that was trained on.
    pub size: u64,
}

/// A bounty.
#[cw_serde]
pub struct Bounty {
    /// Datanet.
    pub datanet_id: u64,
    /// What is missing.
    pub topic: String,
    /// Who promised it first.
    pub founder: Addr,
    /// Whether others added to it.
    pub shared: bool,
    /// Promised so far.
    pub funded: Uint128,
    /// Awarded so far.
    pub awarded: Uint128,
    /// Taken back so far, with the remainder that went to the treasury.
    pub returned: Uint128,
    /// Promises of funders who left.
    pub left: Uint128,
    /// Its place in the order of commits.
    pub created: Priority,
    /// First height at which funders may leave.
    pub expires: u64,
}

/// The contracts that are believed.
#[cw_serde]
pub struct Connections {
    /// The model registry.
    pub model_registry: Addr,
    /// The referee.
    pub referee: Addr,
}

openledger_types::parts! {
    struct Totals { held, staked, withdrawable, treasury }
    struct Stats { contributions, bytes, latest_version }
    struct Commit {
        datanet_id, owner, root, count, revealed, opened, priority, expires, bond, ended, acceptance_blocks,
        last_reveal, staked, challenged, slashed, released,
    }
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
pub const TOTALS: Pack<Totals> = Pack::new("totals");

/// Key: datanet.
pub const DATANETS: Map<u64, Datanet> = Map::new("datanets");

/// What grows with a datanet; absent before the first contribution. Key: datanet.
pub const STATS: Packs<u64, Stats> = Packs::new("stats");

/// Key: commit.
pub const COMMITS: Packs<u64, Commit> = Packs::new("commits");

/// Commits with leaves that may still be opened, by datanet in the order of priorities, with the
/// last height of their time. Key: (datanet, slot of the commit).
pub const OPEN_COMMITS: Map<(u64, Slot), u64> = Map::new("open_commits");

/// Contributions of the first release; written no more, but for titles. Key: contribution.
pub const LEGACY_CONTRIBUTIONS: Map<u64, LegacyContribution> = Map::new("contributions");

/// Contributions in groups of at most 8, in the form of `records`. Key: last contribution of the
/// group.
pub const RECORDS: Map<u64, ()> = Map::new("records");

/// What has become of contributions; absent while nothing was said of them. Key: contribution.
pub const FATES: Map<u64, Fate> = Map::new("fates");

/// Contributions of a datanet in the first release. Key: (datanet, contribution).
pub const LEGACY_BY_DATANET: Map<(u64, u64), ()> = Map::new("by_datanet");

/// Contributions of a datanet: the first of each run that one message revealed. Key: (datanet, last
/// contribution of the run).
pub const RUNS: Map<(u64, u64), u64> = Map::new("runs");

/// The contribution that holds a match text, on any datanet. Key: SHA-256 of the match text.
pub const BY_MATCH: Map<&[u8], u64> = Map::new("by_match");

/// Accepted contributions that no seal has taken, in the order of priorities: runs of neighbouring
/// numbers with one priority and one time of acceptance, with their last numbers. Key: (datanet, slot
/// of the run's first contribution).
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

/// Which key a grant wraps; absent for the first. Key: (datanet, node).
pub const GRANTED: Map<(u64, u64), u32> = Map::new("granted");

/// Keys that are not in force any more. Key: (datanet, number of the key).
pub const PAST_KEYS: Map<(u64, u32), PastKey> = Map::new("past_keys");

/// What an address can withdraw, in base units; absent rather than zero. Key: address.
pub const BONDS: Map<&Addr, Uint128> = Map::new("bonds");

/// What the contract owes for training and bounties; absent before the first of them.
pub const POTS: Item<Pots> = Item::new("pots");

/// The contracts that are believed; absent before `Connect`.
pub const CONNECTIONS: Item<Connections> = Item::new("connections");

/// Votes on contributions that wait for curators. Key: contribution.
pub const VOTES: Map<u64, Votes> = Map::new("votes");

/// What a verdict said of a contribution's cluster, instead of its own claim: the contribution that
/// it nearly repeats, itself when it repeats none. Key: contribution.
pub const CLUSTERS: Map<u64, u64> = Map::new("clusters");

/// The logs of withdrawals. Key: datanet.
pub const WITHDRAWAL_LOGS: Map<u64, Log> = Map::new("withdrawal_logs");

/// Entries of the logs of withdrawals. Key: (datanet, position).
pub const WITHDRAWALS: Map<(u64, u64), Withdrawal> = Map::new("withdrawals");

/// Contributions that versions lost, as a binary indexed tree over the versions that first held
/// them. Key: (datanet, version).
pub const LOST: Map<(u64, u32), u64> = Map::new("lost");

/// Developers' accesses. Key: (datanet, developer).
pub const ACCESSES: Map<(u64, &Addr), Access> = Map::new("accesses");

/// Training pots. Key: (datanet, (model, version of the model)).
pub const TRAINING: Map<(u64, (u64, u32)), Pot> = Map::new("training");

/// (datanet, ((model, version of the model), contribution)).
pub type Claim = (u64, ((u64, u32), u64));

/// Contributions whose part of a training pot was claimed. Key: [`Claim`].
pub const CLAIMED: Map<Claim, ()> = Map::new("claimed");

/// Bounties so far; absent before the first.
pub const BOUNTY_COUNT: Item<u64> = Item::new("bounty_count");

/// Key: bounty.
pub const BOUNTIES: Map<u64, Bounty> = Map::new("bounties");

/// Bounties of a datanet. Key: (datanet, bounty).
pub const BOUNTIES_OF: Map<(u64, u64), ()> = Map::new("bounties_of");

/// What a funder promised and has not taken back. Key: (bounty, funder).
pub const FUNDERS: Map<(u64, &Addr), Uint128> = Map::new("funders");

/// Deposits that pay for storing datanets. Key: (datanet, denom).
pub const DEPOSITS: Map<(u64, &str), Uint128> = Map::new("deposits");

/// Denoms of a datanet's deposits. Key: datanet.
pub const DEPOSIT_DENOMS: Map<u64, u32> = Map::new("deposit_denoms");

/// All deposits. Key: denom.
pub const STORAGE_TOTALS: Map<&str, Uint128> = Map::new("storage_totals");

/// The storage contract, to which deposits are forwarded; absent before `ConnectStorage`.
pub const STORAGE: Item<Addr> = Item::new("storage_contract");

/// Denoms of all deposits; absent before the first.
pub const STORAGE_DENOMS: Item<u32> = Item::new("storage_denoms");

/// Loads a datanet.
pub fn datanet(storage: &dyn Storage, datanet_id: u64) -> Result<Datanet, ContractError> {
    DATANETS.may_load(storage, datanet_id)?.ok_or(ContractError::DatanetNotFound { datanet_id })
}

/// Refuses a datanet that does not exist; they are numbered without gaps.
pub fn assert_datanet(storage: &dyn Storage, datanet_id: u64) -> Result<(), ContractError> {
    match (1..=DATANET_COUNT.load(storage)?).contains(&datanet_id) {
        true => Ok(()),
        false => Err(ContractError::DatanetNotFound { datanet_id }),
    }
}

/// Loads a commit.
pub fn commit(storage: &dyn Storage, commit_id: u64) -> Result<Commit, ContractError> {
    COMMITS.may_load(storage, commit_id)?.ok_or(ContractError::CommitNotFound { commit_id })
}

/// What has grown with a datanet.
pub fn stats(storage: &dyn Storage, datanet_id: u64) -> Result<Stats, ContractError> {
    Ok(STATS.may_load(storage, datanet_id)?.unwrap_or_default())
}

/// Loads a datanet for its owner.
pub fn owned_datanet(
    storage: &dyn Storage,
    datanet_id: u64,
    sender: &Addr,
) -> Result<Datanet, ContractError> {
    let datanet = datanet(storage, datanet_id)?;
    match datanet.owner == *sender {
        true => Ok(datanet),
        false => Err(CommonError::Unauthorized { role: "the datanet's owner" }.into()),
    }
}

/// Loads a sealed version.
pub fn version(
    storage: &dyn Storage,
    datanet_id: u64,
    version: u32,
) -> Result<VersionResponse, ContractError> {
    VERSIONS
        .may_load(storage, (datanet_id, version))?
        .ok_or(ContractError::VersionNotFound { datanet_id, version })
}

/// Loads a bounty.
pub fn bounty(storage: &dyn Storage, bounty_id: u64) -> Result<Bounty, ContractError> {
    BOUNTIES.may_load(storage, bounty_id)?.ok_or(ContractError::BountyNotFound { bounty_id })
}

/// What is owed for training and bounties.
pub fn pots(storage: &dyn Storage) -> Result<Pots, ContractError> {
    Ok(POTS.may_load(storage)?.unwrap_or_default())
}

/// Lets an address withdraw more; the caller saves `totals`.
pub fn credit(
    storage: &mut dyn Storage,
    totals: &mut Totals,
    to: &Addr,
    amount: Uint128,
) -> Result<(), ContractError> {
    if amount.is_zero() {
        return Ok(());
    }
    totals.withdrawable = totals.withdrawable.checked_add(amount)?;
    let free = BONDS.may_load(storage, to)?.unwrap_or_default();
    Ok(BONDS.save(storage, to, &free.checked_add(amount)?)?)
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
