//! Everything the arbiter stores.

use cosmwasm_schema::cw_serde;
use cosmwasm_std::{Addr, Binary, HexBinary, Storage, Uint64};
use cw_storage_plus::{Item, Map};
use openledger_dispute::layout::Layout;
use openledger_dispute::tree::Descent;
use openledger_dispute::DisputeError;
use openledger_exact::config::ModelConfig;
use openledger_merkle::Hash;
use openledger_types::formats::{hash32, Decoding};
use openledger_types::msg::arbiter::{Outcome, Params, TotalsResponse, Turn};
use openledger_types::packed::HashPath;

use crate::ContractError;

/// The contracts that are asked and told.
#[cw_serde]
pub struct Contracts {
    /// The referee.
    pub referee: Addr,
    /// The referee's node registry.
    pub node_registry: Addr,
    /// The model registry.
    pub model_registry: Addr,
}

/// What of a dispute never changes.
#[cw_serde]
pub struct Matter {
    /// Node.
    pub node_id: u64,
    /// The case's challenger.
    pub challenger: Addr,
    /// Whether the node opened it.
    pub by_node: bool,
    /// Blocks for each move, pinned.
    pub move_blocks: u64,
    /// The receipt's id (32 bytes).
    pub receipt_id: HexBinary,
    /// What the receipt says: request hash, seed, root of the commitment (32 bytes each).
    pub request_hash: HexBinary,
    /// Seed.
    pub seed: HexBinary,
    /// Root of the commitment.
    pub commit_root: HexBinary,
    /// How tokens are chosen.
    pub decoding: Decoding,
    /// Tokens of the answer.
    pub tokens_out: u32,
    /// Tokens of the prompt.
    pub tokens_in: u32,
    /// Hash of them (32 bytes).
    pub prompt_hash: HexBinary,
    /// Repetition penalty in thousandths.
    pub repetition_milli: u32,
    /// Root of the weights (32 bytes).
    pub weights_root: HexBinary,
    /// The model's `config.json`.
    pub config: Binary,
}

/// What the moves change.
#[cw_serde]
pub struct Board {
    /// Last height for the move that is due.
    pub until: u64,
    /// Root of the trace (32 bytes), once answered.
    pub trace_root: Option<HexBinary>,
    /// Whether the challenger has picked.
    pub picked: bool,
    /// The slot whose units are descended into.
    pub slot: Option<u64>,
    /// First leaf of the subtree.
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

/// Windows.
pub const PARAMS: Item<Params> = Item::new("params");

/// How many disputes were opened and how they ended.
pub const TOTALS: Item<TotalsResponse> = Item::new("totals");

/// The contracts that are asked and told.
pub const CONTRACTS: Item<Contracts> = Item::new("contracts");

/// Key: the referee's case.
pub const MATTERS: Map<u64, Matter> = Map::new("matters");

/// Key: the referee's case.
pub const BOARDS: Map<u64, Board> = Map::new("boards");

/// Counts a dispute that is opened.
pub fn count_opened(storage: &mut dyn Storage) -> Result<(), ContractError> {
    let mut totals = TOTALS.load(storage)?;
    for counter in [&mut totals.opened, &mut totals.running] {
        *counter = Uint64::new(*counter).checked_add(Uint64::one())?.u64();
    }
    Ok(TOTALS.save(storage, &totals)?)
}

/// Counts a dispute that has ended.
pub fn count_ended(storage: &mut dyn Storage, outcome: Outcome) -> Result<(), ContractError> {
    let mut totals = TOTALS.load(storage)?;
    totals.running = Uint64::new(totals.running).checked_sub(Uint64::one())?.u64();
    let counter = match outcome {
        Outcome::Guilty => &mut totals.guilty,
        Outcome::NotGuilty => &mut totals.not_guilty,
        Outcome::Contested => &mut totals.contested,
        Outcome::Lapsed => &mut totals.lapsed,
    };
    *counter = Uint64::new(*counter).checked_add(Uint64::one())?.u64();
    Ok(TOTALS.save(storage, &totals)?)
}

impl Matter {
    /// Shape of the network.
    pub fn config(&self) -> Result<ModelConfig, ContractError> {
        let unusable = DisputeError::Statement("config.json is of no supported shape");
        Ok(ModelConfig::parse(&self.config).map_err(|_| unusable)?)
    }

    /// Places of the answer's trace.
    pub fn layout(&self) -> Result<Layout, ContractError> {
        Ok(Layout::sized(&self.config()?, self.tokens_in as usize, self.tokens_out as usize)?)
    }
}

impl Board {
    /// Where the descent stands.
    pub fn descent(&self) -> Result<Descent, ContractError> {
        let hash: Hash = hash32("hash", &self.hash)?;
        let Board { slot, offset, size, shown, .. } = self;
        Ok(Descent { slot: *slot, offset: *offset, size: *size, hash, shown: shown.0.clone() })
    }

    /// Keeps where the descent stands.
    pub fn keep(&mut self, descent: Descent) {
        let Descent { slot, offset, size, hash, shown } = descent;
        (self.slot, self.offset, self.size) = (slot, offset, size);
        (self.hash, self.shown) = (hash.into(), HashPath(shown));
    }

    /// Whose move it is.
    pub fn turn(&self) -> Turn {
        match (self.outcome, &self.trace_root) {
            (Some(_), _) => Turn::Over,
            (None, None) => Turn::Answer,
            (None, Some(_)) if !self.shown.is_empty() => Turn::Pick,
            (None, Some(_)) if self.slot.is_some() && self.size == 1 => Turn::Step,
            (None, Some(_)) => Turn::Show,
        }
    }
}

/// Loads a dispute.
pub fn dispute(storage: &dyn Storage, case_id: u64) -> Result<(Matter, Board), ContractError> {
    let found = (MATTERS.may_load(storage, case_id)?, BOARDS.may_load(storage, case_id)?);
    match found {
        (Some(matter), Some(board)) => Ok((matter, board)),
        _ => Err(ContractError::NotFound { case_id }),
    }
}
