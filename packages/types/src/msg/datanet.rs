//! Messages of the datanet contract.

use cosmwasm_schema::{cw_serde, QueryResponses};
use cosmwasm_std::{HexBinary, Uint128};

use super::common::{Amount, InvariantsResponse, OwnershipAction, OwnershipResponse};
pub use super::documents::{Documents, RevealItem};
use crate::formats::{ContributionFacts, Priority, SumRoot, Uses, VersionRef};
use crate::packed::SumPath;

/// Most leaves of one commit (D1).
pub const MAX_COMMIT: u32 = 1024;
/// Most curators of a datanet.
pub const MAX_CURATORS: usize = 16;
/// Most contributions named by one message.
pub const MAX_NAMED: usize = 64;

/// Windows and bonds.
#[cw_serde]
pub struct Params {
    /// Denom of bonds.
    pub denom: String,
    /// Bond for every leaf of a commit, in base units; back at its reveal.
    pub commit_bond: Uint128,
    /// Blocks within which a reveal keeps the commit's priority (R).
    pub reveal_blocks: u64,
    /// Blocks after a reveal during which a contribution can be challenged before a version takes it,
    /// and until which its bond stays at stake.
    pub acceptance_blocks: u64,
    /// Blocks within which a datanet's owner must hand over the key that a developer paid for, and
    /// after which a developer's bond returns (D6).
    pub access_blocks: u64,
    /// Bond of a developer who is given a datanet's key, in base units (D6).
    pub developer_bond: Uint128,
    /// Part of a slashed bond that goes to its finder, in basis points below 10,000 (F5).
    pub finder_bps: u16,
    /// Part of a slashed bond that is burned, in basis points (F5).
    pub burn_bps: u16,
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
    /// The contracts that are believed from the first block on, as `Connect` names them; their
    /// addresses are known before they exist (instantiate2).
    #[serde(default)]
    pub connect: Option<Connections>,
}

/// The contracts that are believed, see `Connect`.
#[cw_serde]
pub struct Connections {
    /// The model registry.
    pub model_registry: String,
    /// The referee.
    pub referee: String,
    /// The storage contract, see `ConnectStorage`.
    #[serde(default)]
    pub storage: Option<String>,
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

/// Who decides what a version takes.
#[cw_serde]
pub enum Policy {
    /// Everything that is not challenged within the acceptance window.
    Open {},
    /// What a quorum of curators approves.
    Curated {
        /// Curators, 1 to 16, sorted, without repeats.
        curators: Vec<String>,
        /// Votes of one kind that decide.
        quorum: u8,
    },
}

/// A contribution's leaf in the training receipt of a model version, with its path.
#[cw_serde]
pub struct TrainingItem {
    /// Contribution.
    pub contribution_id: u64,
    /// How often training saw it.
    pub times_seen: u64,
    /// Position of the leaf.
    pub index: u64,
    /// Its path.
    pub path: SumPath,
}

/// What can be done.
#[cw_serde]
pub enum ExecuteMsg {
    /// Makes a datanet; the sender owns it.
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
        /// Who decides what a version takes; open when absent.
        policy: Option<Policy>,
        /// What may be done with contributions that say nothing themselves; everything when absent.
        uses: Option<Uses>,
        /// What a model version that trains on it pays at its registration, in base units of the
        /// bonds' denom; nothing when absent.
        training_price: Option<Uint128>,
    },
    /// Changes what is said of a datanet; never its data. Only by the datanet's owner.
    EditDatanet {
        /// Datanet.
        datanet_id: u64,
        /// New name.
        name: Option<String>,
        /// New description.
        description: Option<String>,
    },
    /// Changes what models pay; holds for versions sealed from now on. Only by the datanet's owner.
    UpdateTerms {
        /// Datanet.
        datanet_id: u64,
        /// Least part of every fee for the data, in basis points.
        min_data_bps: u16,
        /// Least fee for each token of an answer, in base units.
        floor_per_token: Uint128,
        /// Price of training, in base units.
        training_price: Uint128,
    },
    /// Changes the curators of a curated datanet; votes that were cast stand. Only by the datanet's
    /// owner.
    UpdateCurators {
        /// Datanet.
        datanet_id: u64,
        /// Curators, 1 to 16, sorted, without repeats.
        curators: Vec<String>,
        /// Votes of one kind that decide.
        quorum: u8,
    },
    /// Changes the owner of a datanet in two steps (`Renounce` is refused: a datanet needs an owner).
    UpdateDatanetOwner {
        /// Datanet.
        datanet_id: u64,
        /// Step.
        action: OwnershipAction,
    },
    /// Changes the title of a contribution; never its data. Only by its contributor.
    EditContribution {
        /// Contribution.
        contribution_id: u64,
        /// New name, at most 128 bytes.
        title: String,
    },
    /// Takes contributions back (D4): those that no version holds leave at once, the others are
    /// written to the log of withdrawals and may not be cited `withdrawal_grace` blocks later. Only
    /// by their contributor; at most 64.
    Withdraw {
        /// Contributions, rising, without repeats.
        contribution_ids: Vec<u64>,
    },
    /// Casts a curator's vote on contributions that wait. At most 64.
    Curate {
        /// Contributions, rising, without repeats.
        contribution_ids: Vec<u64>,
        /// Whether to take them.
        approve: bool,
        /// Why, at most 256 bytes; needed for a rejection.
        reason: String,
        /// Whether a rejection takes the bond (spam, theft, poison); counts when the whole quorum
        /// says so.
        slash: bool,
    },
    /// Returns the bonds of a commit whose opened leaves are past their acceptance window. By anyone.
    ReleaseBonds {
        /// Commit.
        commit_id: u64,
    },
    /// Buys the right to train on a datanet and asks for its key. Funds: the training price and the
    /// developer bond in one coin.
    BuyAccess {
        /// Datanet.
        datanet_id: u64,
        /// age recipient that the key is to be wrapped for.
        recipient: String,
    },
    /// Hands the datanet's key to a developer who paid (D6). Only by the datanet's owner.
    GrantAccess {
        /// Datanet.
        datanet_id: u64,
        /// Developer.
        developer: String,
        /// age ciphertext of the identity, at most 1,024 bytes.
        wrapped: HexBinary,
    },
    /// Gives price and bond back to a developer whose key did not come within `access_blocks`, or the
    /// bond alone `access_blocks` after the key came. By the developer.
    LeaveAccess {
        /// Datanet.
        datanet_id: u64,
    },
    /// Takes a developer's bond for misuse of a key, shown off chain. Only by the owner, before it was
    /// returned.
    SlashAccess {
        /// Datanet.
        datanet_id: u64,
        /// Developer.
        developer: String,
        /// Why, at most 256 bytes.
        reason: String,
    },
    /// Turns a developer's paid access into a pot that the training receipt shares. Only by the model
    /// registry, at a registration. Refused when a price is asked and no unused access is there.
    UseAccess {
        /// Datanet.
        datanet_id: u64,
        /// Sealed version that was trained on.
        version: u32,
        /// Developer.
        developer: String,
        /// Model.
        model_id: u64,
        /// Version of the model.
        model_version: u32,
        /// Training receipt of this datanet.
        training: SumRoot,
    },
    /// Credits contributors with their part of a training pot: floor(pot x times seen / all times).
    /// By anyone; at most 32 leaves.
    ClaimTraining {
        /// Datanet.
        datanet_id: u64,
        /// Model.
        model_id: u64,
        /// Version of the model.
        model_version: u32,
        /// Leaves.
        items: Vec<TrainingItem>,
    },
    /// Promises coins for data on a topic. Funds: one coin of the bonds' denom.
    FundBounty {
        /// Datanet.
        datanet_id: u64,
        /// What is missing, at most 256 bytes.
        topic: String,
        /// Blocks until funders may take back what was not awarded.
        blocks: u64,
    },
    /// Adds to a bounty. Funds: one coin of the bonds' denom.
    AddToBounty {
        /// Bounty.
        bounty_id: u64,
    },
    /// Gives a part of a bounty to the contributor of an accepted contribution that was committed
    /// after the bounty was promised. Only by the datanet's owner; a bounty that they funded alone is
    /// theirs to give as well.
    AwardBounty {
        /// Bounty.
        bounty_id: u64,
        /// Contribution.
        contribution_id: u64,
        /// Base units.
        amount: Uint128,
    },
    /// Credits the sender's part of what an expired bounty did not award, pro rata, rounded down.
    LeaveBounty {
        /// Bounty.
        bounty_id: u64,
    },
    /// Adds to the deposits that pay for storing datanets, one coin for each entry's amount together.
    /// By anyone, for good: a deposit that can be taken back is made in the storage contract. Once that is
    /// known, coins of the bonds' denom are forwarded to it at once.
    FundStorage {
        /// (datanet, amount), rising by datanet, at most 16; the sum is the coin sent.
        parts: Vec<(u64, Uint128)>,
    },
    /// Names the storage contract, to which deposits in the denom of the bonds are forwarded. Only by the
    /// owner.
    ConnectStorage {
        /// The storage contract.
        storage: String,
    },
    /// Forwards a datanet's deposit in the denom of the bonds to the storage contract. By anyone.
    ForwardDeposit {
        /// Datanet.
        datanet_id: u64,
    },
    /// Marks a contribution as challenged, so that no version takes it. Only by the referee.
    HoldContribution {
        /// Contribution.
        contribution_id: u64,
        /// Whether a challenge is open.
        open: bool,
    },
    /// Carries out a verdict on a contribution: it is rejected, or becomes a duplicate of `copied_of`,
    /// and its bond, where it is still at stake, is slashed. Only by the referee.
    ConvictContribution {
        /// Contribution.
        contribution_id: u64,
        /// The original, when it is a copy or near-duplicate.
        copied_of: Option<u64>,
        /// Why, at most 256 bytes.
        reason: String,
        /// Who receives the finder's part.
        finder: String,
    },
    /// Names the contracts that are believed. Only by the owner.
    Connect {
        /// The model registry.
        model_registry: String,
        /// The referee.
        referee: String,
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
    /// Opens leaves of a commit; each becomes a contribution, whose bond stays at stake until
    /// `ReleaseBonds`. Only by who committed.
    Reveal {
        /// Commit.
        commit_id: u64,
        /// Leaves, at most 64.
        items: Documents,
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
    /// Pays out what the sender is owed: returned bonds, training pots, bounties, finder's parts.
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

/// Answer to `Connections {}`.
#[cw_serde]
pub struct ConnectionsResponse {
    /// The model registry; none before `Connect`.
    pub model_registry: Option<String>,
    /// The referee.
    pub referee: Option<String>,
    /// The storage contract.
    pub storage: Option<String>,
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
