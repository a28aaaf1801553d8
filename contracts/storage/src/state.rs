//! Everything the contract keeps: each key, what it is made of and what stands under it.

use cosmwasm_schema::cw_serde;
use cosmwasm_std::{Addr, HexBinary, Storage, Uint128};
use cw_storage_plus::{Item, Map};
use openledger_types::formats::Coding;
use openledger_types::msg::storage::{Params, StorerState};

use crate::error::{ContractError, ContractResult};

/// The contracts that are asked and told.
#[cw_serde]
pub struct Contracts {
    /// The datanet contract.
    pub datanet: Addr,
    /// The node registry.
    pub node_registry: Addr,
}

/// A datanet's deposit. An *atom* is a `PRICE_UNIT`th of a base unit: what one leaf costs in one block at
/// a price of 1.
#[cw_serde]
#[derive(Default)]
pub struct Account {
    /// Base units in it.
    pub deposit: Uint128,
    /// Atoms that kept fragments have used up and that are not settled.
    pub reserved: Uint128,
    /// Atoms a block at what is kept now.
    pub rate: Uint128,
    /// Blocks so far in which the deposit paid for all that was kept.
    pub funded_blocks: u64,
    /// Height up to which the above is brought.
    pub mark: u64,
    /// Height up to which it paid, at most `mark`.
    pub funded_to: u64,
    /// Parts of what is not reserved, funders' and nobody's together.
    pub shares: Uint128,
    /// Shares of other generations are void.
    pub generation: u32,
    /// Price that the datanet's owner set.
    pub price: Option<Uint128>,
}

/// A funder's part of a deposit.
#[cw_serde]
pub struct Funder {
    /// Shares.
    pub shares: Uint128,
    /// Generation that they are of.
    pub generation: u32,
    /// First height at which it can leave, once announced.
    pub exit_from: Option<u64>,
}

/// A fragment's place.
#[cw_serde]
#[derive(Default)]
pub struct Slot {
    /// (node, its position).
    pub holder: Option<(u64, u64)>,
    /// (node, height of its nomination).
    pub nominee: Option<(u64, u64)>,
}

/// An object.
#[cw_serde]
pub struct Object {
    /// Datanet that pays.
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
    /// Roots of the fragments.
    pub roots: Vec<HexBinary>,
    /// Price.
    pub price: Uint128,
    /// Height of its placement.
    pub placed_at: u64,
    /// What decides who keeps it (32 bytes).
    pub seed: HexBinary,
    /// Places.
    pub slots: Vec<Slot>,
    /// Height at which it ended.
    pub retired_at: Option<u64>,
}

/// A node that offers space.
#[cw_serde]
pub struct Storer {
    /// Who is paid.
    pub operator: Addr,
    /// Where it stands.
    pub state: StorerState,
    /// Leaves that it keeps at most.
    pub capacity: u64,
    /// Leaves that it keeps.
    pub kept: u64,
    /// Leaves that it is nominated for.
    pub pending: u64,
    /// Leaves that draws choose from: those kept, and those given up and not swept.
    pub drawn_from: u64,
    /// Positions given so far.
    pub positions: u64,
    /// Blocks that its proofs cover.
    pub proven_blocks: u64,
    /// Height up to which blocks are proven or lost.
    pub mark: u64,
    /// Newest draw that is settled.
    pub settled_draw: u64,
    /// Draws missed in a row.
    pub misses: u32,
    /// Atoms a block at what it keeps now.
    pub rate: Uint128,
}

/// A fragment that a node keeps, or kept.
#[cw_serde]
pub struct Holding {
    /// Object.
    pub object_id: u64,
    /// Datanet that pays.
    pub datanet_id: u64,
    /// Slot.
    pub slot: u8,
    /// Leaves.
    pub leaves: u64,
    /// Bytes.
    pub len: u64,
    /// Root over them (32 bytes).
    pub root: HexBinary,
    /// Price.
    pub price: Uint128,
    /// Whether it is kept.
    pub live: bool,
    /// The holder's proven blocks up to which it is paid.
    pub paid_proven: u64,
    /// The account's funded blocks up to which it is settled.
    pub paid_funded: u64,
}

/// A draw.
#[cw_serde]
pub struct Draw {
    /// Height.
    pub height: u64,
    /// Beacon (32 bytes).
    pub beacon: HexBinary,
}

/// The contracts that are asked and told.
pub const CONTRACTS: Item<Contracts> = Item::new("contracts");

/// Windows, samples and cuts.
pub const PARAMS: Item<Params> = Item::new("params");

/// Sum of all deposits, in base units.
pub const DEPOSITS: Item<Uint128> = Item::new("deposits");

/// Sum of all balances, in base units.
pub const WITHDRAWABLE: Item<Uint128> = Item::new("withdrawable");

/// Objects so far.
pub const OBJECT_COUNT: Item<u64> = Item::new("object_count");

/// Draws so far.
pub const DRAW_COUNT: Item<u64> = Item::new("draw_count");

/// Different operators of active nodes.
pub const OPERATOR_COUNT: Item<u64> = Item::new("operator_count");

/// Deposits. Key: datanet.
pub const ACCOUNTS: Map<u64, Account> = Map::new("accounts");

/// Parts of deposits. Key: (datanet, funder).
pub const FUNDERS: Map<(u64, &Addr), Funder> = Map::new("funders");

/// Key: object.
pub const OBJECTS: Map<u64, Object> = Map::new("objects");

/// The newest object that holds a contribution. Key: contribution.
pub const OBJECT_OF: Map<u64, u64> = Map::new("object_of");

/// Key: node.
pub const STORERS: Map<u64, Storer> = Map::new("storers");

/// Active nodes of an operator; absent rather than zero. Key: operator.
pub const OPERATORS: Map<&Addr, u32> = Map::new("operators");

/// Key: (node, position).
pub const HOLDINGS: Map<(u64, u64), Holding> = Map::new("holdings");

/// Sums of leaves over ranges of positions, see `fenwick`. Key: (node, position).
pub const SUMS: Map<(u64, u64), u64> = Map::new("sums");

/// Key: draw.
pub const DRAWS: Map<u64, Draw> = Map::new("draws");

/// All that operators were credited, in base units; tells, owes nothing. Key: operator.
pub const EARNED: Map<&Addr, Uint128> = Map::new("earned");

/// What operators can withdraw, in base units; absent rather than zero. Key: operator.
pub const BALANCES: Map<&Addr, Uint128> = Map::new("balances");

/// Loads an object.
pub fn object(storage: &dyn Storage, object_id: u64) -> ContractResult<Object> {
    OBJECTS.may_load(storage, object_id)?.ok_or(ContractError::NotFound { what: "object", id: object_id })
}

/// Loads an object that has not ended.
pub fn live_object(storage: &dyn Storage, object_id: u64) -> ContractResult<Object> {
    let object = object(storage, object_id)?;
    match object.retired_at {
        None => Ok(object),
        Some(_) => Err(ContractError::Ended { object_id }),
    }
}

/// Loads a node that offered space.
pub fn storer(storage: &dyn Storage, node_id: u64) -> ContractResult<Storer> {
    STORERS.may_load(storage, node_id)?.ok_or(ContractError::NotFound { what: "storing node", id: node_id })
}

/// Loads a position of a node.
pub fn holding(storage: &dyn Storage, node_id: u64, position: u64) -> ContractResult<Holding> {
    let found = HOLDINGS.may_load(storage, (node_id, position))?;
    found.ok_or(ContractError::NotFound { what: "position", id: position })
}

/// A slot of an object.
pub fn slot(object: &mut Object, number: u8) -> ContractResult<&mut Slot> {
    let found = object.slots.get_mut(usize::from(number));
    found.ok_or(ContractError::NotFound { what: "slot", id: u64::from(number) })
}

impl Object {
    /// The root that slot `number` must prove; none when there is no such slot.
    pub fn root(&self, number: u8) -> Option<&HexBinary> {
        match self.roots.len() {
            1 => self.roots.first(),
            _ => self.roots.get(usize::from(number)),
        }
    }
}

impl Storer {
    /// Leaves that it can still be nominated for.
    pub fn room(&self) -> u64 {
        self.capacity.saturating_sub(self.kept).saturating_sub(self.pending)
    }
}
