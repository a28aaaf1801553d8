//! Messages of the arbiter: it computes one step of an answer of the exact class again (PROTOCOL F2).

use cosmwasm_schema::{cw_serde, QueryResponses};
use cosmwasm_std::{Binary, HexBinary};

use super::common::{InvariantsResponse, OwnershipAction, OwnershipResponse};
use crate::formats::Receipt;
use crate::packed::HashPath;

/// Most bytes of a manifest that is shown.
pub const MAX_MANIFEST: usize = 256 * 1024;

/// Most bytes of a configuration: it is kept, and a stored value has at most 128 KiB.
pub const MAX_CONFIG: usize = 64 * 1024;

/// Most bytes of the message that shows a step: half of what a transaction has on a chain of stock settings.
pub const MAX_STEP: u64 = 512 * 1024;

/// Sets the contract up.
#[cw_serde]
pub struct InstantiateMsg {
    /// Owner: the governance account.
    pub owner: String,
    /// The referee, whose cases are decided.
    pub referee: String,
    /// The model registry.
    pub model_registry: String,
    /// Windows.
    pub params: Params,
}

/// Windows.
#[cw_serde]
#[derive(Copy, Eq)]
pub struct Params {
    /// Blocks for each move, at least 1.
    pub move_blocks: u64,
}

/// A whole slot of a trace, opened.
#[cw_serde]
pub struct OpenedSlot {
    /// Its number.
    pub slot: u64,
    /// Its values as little-endian f32.
    pub values: Binary,
    /// Path of its leaf to the trace's root.
    pub path: HashPath,
}

/// One unit of a slot, opened.
#[cw_serde]
pub struct OpenedUnit {
    /// Number of the slot.
    pub slot: u64,
    /// Its number in the slot.
    pub unit: u64,
    /// Its values as little-endian f32.
    pub values: Binary,
    /// Root of the slot's units (32 bytes).
    pub units_root: HexBinary,
    /// Path of its leaf to that root.
    pub unit_path: HashPath,
    /// Path of the slot's leaf to the trace's root.
    pub path: HashPath,
}

/// One row of a model's weights, opened.
#[cw_serde]
pub struct OpenedRow {
    /// Its leaf in the tree of weights.
    pub leaf: u64,
    /// Of a norm its values as little-endian f32; of a matrix the scales so, then the int8 values.
    pub values: Binary,
    /// Path of its leaf to the weights' root.
    pub path: HashPath,
}

/// Everything that one step reads.
#[cw_serde]
#[derive(Default)]
pub struct Openings {
    /// Whole slots.
    pub slots: Vec<OpenedSlot>,
    /// Units.
    pub units: Vec<OpenedUnit>,
    /// Rows of weights.
    pub rows: Vec<OpenedRow>,
}

/// What can be done.
#[allow(clippy::large_enum_variant)]
#[cw_serde]
pub enum ExecuteMsg {
    /// Takes a case from the votes: of one receipt, of the kind `output`, while all moves fit before the
    /// case's end and every step fits a transaction. Only by the case's challenger or the node's operator or hot address. What is said of the
    /// prompt is the sender's word, which the other side may contest.
    Open {
        /// The referee's case.
        case_id: u64,
        /// The receipt.
        receipt: Receipt,
        /// The model's manifest, its bytes as registered.
        manifest: Binary,
        /// Its `config.json`.
        config: Binary,
        /// Tokens of the prompt, with the one that starts a text.
        prompt: Vec<u32>,
        /// Repetition penalty of the request in thousandths.
        repetition_milli: u32,
    },
    /// Gives the case back to the votes: prompt or penalty is not as stated. Only by the side that did not
    /// open the dispute, before its first move.
    Contest {
        /// Case.
        case_id: u64,
    },
    /// The node's first move: what the receipt's commitment holds, and the root of the trace.
    Answer {
        /// Case.
        case_id: u64,
        /// Tokens of the answer.
        tokens: Vec<u32>,
        /// Digests of its windows, one after the other.
        digests: Binary,
        /// Root of the trace (32 bytes).
        trace_root: HexBinary,
    },
    /// The node shows the hashes below the one that was picked.
    Show {
        /// Case.
        case_id: u64,
        /// At most 16 hashes.
        hashes: HashPath,
    },
    /// The challenger picks one of them.
    Pick {
        /// Case.
        case_id: u64,
        /// Its place, from 0.
        index: u8,
    },
    /// The node opens what the step that is left reads; the contract computes it and decides the case.
    Step {
        /// Case.
        case_id: u64,
        /// Tokens of the prompt, as stated.
        prompt: Vec<u32>,
        /// Tokens of the answer, as shown.
        tokens: Vec<u32>,
        /// Digests of its windows, as shown.
        digests: Binary,
        /// What it reads.
        openings: Openings,
    },
    /// Decides against the side that let its time for a move pass; without a decision where the case has ended
    /// before. By anyone.
    Expire {
        /// Case.
        case_id: u64,
    },
    /// Changes windows for new disputes. Only by the owner.
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
    /// Windows and contracts.
    #[returns(ConfigResponse)]
    Config {},
    /// The owner.
    #[returns(OwnershipResponse)]
    Ownership {},
    /// The dispute about a case.
    #[returns(DisputeResponse)]
    Dispute {
        /// Case.
        case_id: u64,
    },
    /// Disputes by case, those that ended too.
    #[returns(DisputesResponse)]
    Disputes {
        /// Case after which to start.
        start_after: Option<u64>,
        /// Entries, 10 unless told, at most 30.
        limit: Option<u32>,
    },
    /// How many disputes were opened and how each ended.
    #[returns(TotalsResponse)]
    Totals {},
    /// That no coins are owed, and that every dispute runs or has ended.
    #[returns(InvariantsResponse)]
    Invariants {},
}

/// Answer to `Config {}`.
#[cw_serde]
pub struct ConfigResponse {
    /// The referee.
    pub referee: String,
    /// The model registry.
    pub model_registry: String,
    /// Windows.
    pub params: Params,
}

/// Whose move it is.
#[cw_serde]
#[derive(Copy, Eq)]
pub enum Turn {
    /// The node answers with the root of its trace.
    Answer,
    /// The node shows hashes.
    Show,
    /// The challenger picks.
    Pick,
    /// The node opens the step that is left.
    Step,
    /// It has ended: nobody's.
    Over,
}

/// How a dispute ended.
#[cw_serde]
#[derive(Copy, Eq)]
pub enum Outcome {
    /// The node could not show that the step holds.
    Guilty,
    /// The step holds, or the challenger did not pick one.
    NotGuilty,
    /// The statement was contested: the votes decide.
    Contested,
    /// The case ended before the dispute did.
    Lapsed,
}

/// A dispute.
#[cw_serde]
pub struct DisputeResponse {
    /// The referee's case.
    pub case_id: u64,
    /// Node.
    pub node_id: u64,
    /// The case's challenger.
    pub challenger: String,
    /// Whether the node opened the dispute.
    pub by_node: bool,
    /// Whose move it is.
    pub turn: Turn,
    /// Last height for it.
    pub until: u64,
    /// The receipt's id (32 bytes).
    pub receipt_id: HexBinary,
    /// Hash of the prompt's tokens, see `formats::tokens_hash` (32 bytes).
    pub prompt_hash: HexBinary,
    /// Repetition penalty in thousandths.
    pub repetition_milli: u32,
    /// Root of the trace (32 bytes), once answered.
    pub trace_root: Option<HexBinary>,
    /// The slot whose units are descended into; none while slots are.
    pub slot: Option<u64>,
    /// First leaf of the subtree that was picked.
    pub offset: u64,
    /// Its leaves.
    pub size: u64,
    /// Its hash (32 bytes).
    pub hash: HexBinary,
    /// Hashes below it that were shown.
    pub shown: HashPath,
    /// How it ended.
    pub outcome: Option<Outcome>,
}

/// Answer to `Totals {}`; `opened` is the sum of the others.
#[cw_serde]
#[derive(Default, Copy, Eq)]
pub struct TotalsResponse {
    /// Disputes ever opened.
    pub opened: u64,
    /// That have no outcome yet.
    pub running: u64,
    /// Nodes found guilty.
    pub guilty: u64,
    /// Challengers that lost.
    pub not_guilty: u64,
    /// Given back to the votes by the other side.
    pub contested: u64,
    /// Whose case ended first.
    pub lapsed: u64,
}

/// Answer to `Disputes {}`.
#[cw_serde]
pub struct DisputesResponse {
    /// In order of their cases.
    pub disputes: Vec<DisputeResponse>,
}

/// Carries the contract from one release to the next.
#[cw_serde]
pub struct MigrateMsg {}
