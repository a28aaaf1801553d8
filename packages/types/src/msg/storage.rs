//! Messages of the storage contract: who keeps which fragments of a datanet's blobs, proves it and is
//! paid from the datanet's deposit (PROTOCOL I3, docs/storage.md).
//!
//! A *pack* is the bytes of some neighbouring contributions' blobs; placed, it is an *object* of one or
//! more *fragments*. Each fragment fills a *slot* and is kept by one node, its *holder*, at a *position*
//! of that node's own list. Sizes are counted in leaves of 1 KiB.

use cosmwasm_schema::{cw_serde, QueryResponses};
use cosmwasm_std::{Binary, HexBinary, Uint128};

use super::common::{InvariantsResponse, OwnershipAction, OwnershipResponse};
use crate::formats::Coding;

/// Most contributions of an object.
pub const MAX_PACK: usize = 30;
/// Most bytes of an object: that of a blob.
pub const MAX_PACK_BYTES: u64 = 64 << 20;
/// Most slots or positions that one message names.
pub const MAX_SLOTS: usize = 32;
/// Most datanets that one message funds.
pub const MAX_PARTS: usize = 16;

/// Windows, samples and cuts.
#[cw_serde]
pub struct Params {
    /// Denom of deposits and rewards: that of the bonds.
    pub denom: String,
    /// Price where a datanet's owner set none, in base units for a GiB and a million blocks.
    pub default_price: Uint128,
    /// Blocks between two draws.
    pub epoch_blocks: u64,
    /// Blocks after a draw in which its samples are answered; less than `epoch_blocks`.
    pub answer_blocks: u64,
    /// Leaves that a draw asks of each node.
    pub samples: u32,
    /// Blocks in which a node with a higher score may take a nomination over.
    pub assign_blocks: u64,
    /// Blocks after them in which the nominee accepts.
    pub accept_blocks: u64,
    /// Blocks that a deposit must last for when something is placed, and that a funder waits for its
    /// exit.
    pub notice_blocks: u64,
    /// Blocks that a leaving node waits for successors before it may let go.
    pub leave_blocks: u64,
    /// Part of the bond that a missed draw costs, in basis points.
    pub miss_cut_bps: u16,
    /// Draws missed in a row after which a node is out.
    pub max_misses: u32,
    /// A node takes a fragment only while one cut costs more than a tenth of its pay for so many blocks
    /// (I3).
    pub cover_blocks: u64,
}

/// Sets the contract up.
#[cw_serde]
pub struct InstantiateMsg {
    /// Owner: the governance account.
    pub owner: String,
    /// The datanet contract, asked for contributions.
    pub datanet: String,
    /// The node registry, asked for nodes and told of misses.
    pub node_registry: String,
    /// Windows, samples and cuts.
    pub params: Params,
}

/// One sampled leaf with its place in the fragment.
#[cw_serde]
pub struct Answer {
    /// The leaf (at most 1 KiB).
    pub chunk: Binary,
    /// Its path, packed hashes of 32 bytes from the leaf upwards.
    pub path: Binary,
}

/// What can be done.
#[cw_serde]
pub enum ExecuteMsg {
    /// Adds to deposits. Funds: one coin, the sum of the parts. Only what is left of a deposit can be
    /// taken back, by its funder, after notice; what the datanet contract forwards belongs to nobody.
    Fund {
        /// (datanet, base units), rising by datanet, at most 16.
        parts: Vec<(u64, Uint128)>,
    },
    /// Announces that the sender takes back what is left of its deposit.
    AnnounceExit {
        /// Datanet.
        datanet_id: u64,
    },
    /// Takes it back, `notice_blocks` after the announcement and within as many more.
    Exit {
        /// Datanet.
        datanet_id: u64,
    },
    /// Sets the price for objects placed from now on. Only by the datanet's owner.
    SetPrice {
        /// Datanet.
        datanet_id: u64,
        /// Base units for a GiB and a million blocks; the default when absent.
        price: Option<Uint128>,
    },
    /// Offers space. Only by the node's operator or hot address; the node must be bonded and have the
    /// role of storage.
    Enroll {
        /// Node.
        node_id: u64,
        /// Leaves of 1 KiB that it keeps at most, those that it keeps already among them.
        capacity: u64,
    },
    /// Takes no more fragments and waits for successors. Only by the operator or hot address.
    Leave {
        /// Node.
        node_id: u64,
    },
    /// Puts a node out whose registration ended or that gave the role up. By anyone.
    Delist {
        /// Node.
        node_id: u64,
    },
    /// Places the blobs of neighbouring contributions as one object. Only by the datanet's owner or by
    /// the contributor of all of them.
    Place {
        /// Datanet.
        datanet_id: u64,
        /// Contributions, rising, at most 30, found among 30 neighbours of the datanet.
        contributions: Vec<u64>,
        /// Roots over the 1 KiB leaves of the fragments (32 bytes each): one when fragments are whole
        /// copies, else one a slot.
        roots: Vec<HexBinary>,
    },
    /// Names nodes for vacant slots, or better ones for slots just nominated: a node of a higher score
    /// takes the nomination of a lower one. By anyone.
    Nominate {
        /// Object.
        object_id: u64,
        /// (slot, node).
        nominees: Vec<(u8, u64)>,
    },
    /// Takes fragments that the node was nominated for and has. Only by the operator or hot address.
    Accept {
        /// Node.
        node_id: u64,
        /// (object, slot), at most 32.
        slots: Vec<(u64, u8)>,
    },
    /// Draws the next beacon. By anyone.
    Draw {},
    /// Answers the newest draw. By anyone who has the leaves.
    Prove {
        /// Node.
        node_id: u64,
        /// One answer a sample, in order; empty ones for samples that fell on what is no longer kept.
        answers: Vec<Answer>,
    },
    /// Shows that a node did not answer a draw in time: its bond is cut and the sampled fragments become
    /// vacant. By anyone, who receives the finder's part.
    ReportMiss {
        /// Node.
        node_id: u64,
    },
    /// Makes slots of a node vacant that is out or whose time to leave is over. By anyone.
    Vacate {
        /// Node.
        node_id: u64,
        /// Its positions, at most 32.
        positions: Vec<u64>,
    },
    /// Takes positions that hold nothing out of what is drawn from. By anyone.
    Sweep {
        /// Node.
        node_id: u64,
        /// Its positions, at most 32.
        positions: Vec<u64>,
    },
    /// Credits what positions have earned and pays the operator its balance. By anyone.
    Claim {
        /// Node.
        node_id: u64,
        /// Its positions, at most 32; none to be paid the balance only.
        positions: Vec<u64>,
    },
    /// Ends an object: by the datanet's owner; by anyone when one of its contributions was withdrawn or
    /// refused, when the deposit is used up, or when too few accepted it in time.
    Retire {
        /// Object.
        object_id: u64,
        /// The contribution that is no longer to be kept.
        contribution_id: Option<u64>,
    },
    /// Changes windows, samples and cuts. Only by the owner.
    UpdateParams {
        /// All of them.
        params: Params,
    },
    /// Stops or allows placements and enrolments (A1). Only by the owner.
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
    /// Contracts, windows, pause.
    #[returns(ConfigResponse)]
    Config {},
    /// The owner.
    #[returns(OwnershipResponse)]
    Ownership {},
    /// A datanet's deposit.
    #[returns(AccountResponse)]
    Account {
        /// Datanet.
        datanet_id: u64,
    },
    /// What a funder could take back.
    #[returns(FunderResponse)]
    Funder {
        /// Datanet.
        datanet_id: u64,
        /// Funder.
        address: String,
    },
    /// One object.
    #[returns(ObjectResponse)]
    Object {
        /// Its number.
        object_id: u64,
    },
    /// Objects by number.
    #[returns(ObjectsResponse)]
    Objects {
        /// Number after which to start.
        start_after: Option<u64>,
        /// Entries, 10 unless told, at most 30.
        limit: Option<u32>,
    },
    /// The newest object that a contribution was placed in.
    #[returns(ObjectOfResponse)]
    ObjectOf {
        /// Contribution.
        contribution_id: u64,
    },
    /// One node that offers space.
    #[returns(StorerResponse)]
    Storer {
        /// Node.
        node_id: u64,
    },
    /// Nodes that offered space, by number.
    #[returns(StorersResponse)]
    Storers {
        /// Number after which to start.
        start_after: Option<u64>,
        /// Entries, 10 unless told, at most 30.
        limit: Option<u32>,
    },
    /// What a node keeps, by position.
    #[returns(HoldingsResponse)]
    Holdings {
        /// Node.
        node_id: u64,
        /// Position after which to start.
        start_after: Option<u64>,
        /// Entries, 10 unless told, at most 30.
        limit: Option<u32>,
    },
    /// The newest draw.
    #[returns(DrawResponse)]
    Draw {},
    /// What the newest draw asks of a node.
    #[returns(ChallengeResponse)]
    Challenge {
        /// Node.
        node_id: u64,
    },
    /// Base units that an operator is owed by claims.
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
    /// Windows, samples and cuts.
    pub params: Params,
    /// Whether placements and enrolments are stopped.
    pub paused: bool,
    /// Different operators of active nodes, which decide the coding.
    pub operators: u64,
    /// Coding of objects placed now; none without nodes.
    pub coding: Option<Coding>,
}

/// Answer to `Account {}`.
#[cw_serde]
pub struct AccountResponse {
    /// Base units in it.
    pub deposit: Uint128,
    /// Part of them that kept fragments have used up and nobody has claimed, rounded up.
    pub reserved: Uint128,
    /// Price of objects placed now.
    pub price: Uint128,
    /// Base units a million blocks at what is kept now, rounded up.
    pub per_million_blocks: Uint128,
    /// Height at which the deposit is used up; none while nothing is kept.
    pub dry_at: Option<u64>,
}

/// Answer to `Funder {}`.
#[cw_serde]
pub struct FunderResponse {
    /// Base units that its part of the deposit is worth now.
    pub value: Uint128,
    /// First height at which it can take them, when it announced that.
    pub exit_from: Option<u64>,
}

/// One fragment's place.
#[cw_serde]
pub struct Slot {
    /// Node that keeps it.
    pub holder: Option<u64>,
    /// Its position in the holder's list.
    pub position: Option<u64>,
    /// Node that may accept it.
    pub nominee: Option<u64>,
    /// Height of the nomination.
    pub nominated_at: Option<u64>,
}

/// An object.
#[cw_serde]
pub struct ObjectResponse {
    /// Number.
    pub object_id: u64,
    /// Datanet that pays for it.
    pub datanet_id: u64,
    /// Whose blobs it holds.
    pub contributions: Vec<u64>,
    /// Name of the pack (32 bytes).
    pub pack: HexBinary,
    /// Bytes of the pack.
    pub len: u64,
    /// How it is cut.
    pub coding: Coding,
    /// Leaves of each fragment.
    pub leaves: u64,
    /// Roots of the fragments: one when they are whole copies.
    pub roots: Vec<HexBinary>,
    /// Price that it was placed at.
    pub price: Uint128,
    /// Height of its placement.
    pub placed_at: u64,
    /// What decides who keeps it (32 bytes).
    pub seed: HexBinary,
    /// Its fragments' places.
    pub slots: Vec<Slot>,
    /// Height at which it ended.
    pub retired_at: Option<u64>,
}

/// Answer to `Objects {}`.
#[cw_serde]
pub struct ObjectsResponse {
    /// In order of their numbers.
    pub objects: Vec<ObjectResponse>,
}

/// Answer to `ObjectOf {}`.
#[cw_serde]
pub struct ObjectOfResponse {
    /// The object; none when the contribution was never placed.
    pub object_id: Option<u64>,
}

/// Where a node that offers space stands.
#[cw_serde]
#[derive(Copy, Eq)]
pub enum StorerState {
    /// Takes fragments.
    Active,
    /// Waits for successors.
    Leaving {
        /// First height at which it may let go.
        until: u64,
    },
    /// Missed too many draws, or left the registry.
    Out,
}

/// A node that offers space.
#[cw_serde]
pub struct StorerResponse {
    /// Number in the registry.
    pub node_id: u64,
    /// Who is paid.
    pub operator: String,
    /// Where it stands.
    pub state: StorerState,
    /// Leaves that it keeps at most.
    pub capacity: u64,
    /// Leaves that it keeps.
    pub kept: u64,
    /// Leaves that it is nominated for.
    pub pending: u64,
    /// Leaves that draws choose from: those kept, and what was given up and not swept.
    pub drawn_from: u64,
    /// Positions given so far.
    pub positions: u64,
    /// Blocks that its proofs cover.
    pub proven_blocks: u64,
    /// Newest draw that is settled, by a proof or as a miss.
    pub settled_draw: u64,
    /// Draws missed in a row.
    pub misses: u32,
    /// Base units a million blocks at what it keeps now, rounded down.
    pub per_million_blocks: Uint128,
    /// Base units that its operator was credited so far, for all of its nodes.
    pub earned: Uint128,
}

/// Answer to `Storers {}`.
#[cw_serde]
pub struct StorersResponse {
    /// In order of their numbers.
    pub storers: Vec<StorerResponse>,
}

/// A fragment that a node keeps.
#[cw_serde]
pub struct HoldingResponse {
    /// Position in the node's list, from 1.
    pub position: u64,
    /// Object.
    pub object_id: u64,
    /// Slot.
    pub slot: u8,
    /// Leaves.
    pub leaves: u64,
    /// Root over them (32 bytes).
    pub root: HexBinary,
    /// Whether it is kept; else it waits to be swept.
    pub live: bool,
    /// Base units that a claim would credit now.
    pub earned: Uint128,
}

/// Answer to `Holdings {}`.
#[cw_serde]
pub struct HoldingsResponse {
    /// In order of positions.
    pub holdings: Vec<HoldingResponse>,
}

/// Answer to `Draw {}`.
#[cw_serde]
pub struct DrawResponse {
    /// Number; 0 before the first.
    pub number: u64,
    /// Height.
    pub height: u64,
    /// Beacon (32 bytes).
    pub beacon: HexBinary,
    /// First height at which the next can be drawn.
    pub next_from: u64,
}

/// A leaf that a draw asks for.
#[cw_serde]
pub struct Sample {
    /// Position in the node's list.
    pub position: u64,
    /// Object.
    pub object_id: u64,
    /// Slot.
    pub slot: u8,
    /// Leaf of the fragment.
    pub leaf: u64,
    /// Whether it is still kept; an empty answer is right when it is not.
    pub live: bool,
}

/// Answer to `Challenge {}`.
#[cw_serde]
pub struct ChallengeResponse {
    /// Draw that is due; none when nothing is.
    pub draw: Option<u64>,
    /// Last height of an answer in time.
    pub until: Option<u64>,
    /// What is asked for, in order.
    pub samples: Vec<Sample>,
}

/// Answer to `Balance {}`.
#[cw_serde]
pub struct BalanceResponse {
    /// Base units.
    pub withdrawable: Uint128,
}

/// Carries the contract to this release.
#[cw_serde]
pub struct MigrateMsg {}
