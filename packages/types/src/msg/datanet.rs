//! Messages of the datanet contract.

mod query;

use cosmwasm_schema::cw_serde;
use cosmwasm_std::{HexBinary, Uint128};

pub use self::query::*;
use super::common::OwnershipAction;
pub use super::documents::{Documents, RevealItem};
use crate::formats::{SumRoot, Uses};
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
    /// Puts a new key of a datanet that is not public in force, because a reader left: the blobs that
    /// contributors seal from now on open with it alone. Only by the datanet's owner. Readers keep the key that
    /// they were given until `GrantKey` or `GrantAccess`, best in the same transaction, hands them the new one.
    RotateKey {
        /// Datanet.
        datanet_id: u64,
        /// age recipient of the new key.
        recipient: String,
        /// The identity in force so far, wrapped for the new recipient: who has the new key opens
        /// everything older with it. At most 1,024 bytes.
        previous: HexBinary,
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

/// Carries the contract from one release to the next.
#[cw_serde]
pub struct MigrateMsg {}
