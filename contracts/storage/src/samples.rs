//! Which leaves a draw asks of a node.

use cosmwasm_std::Storage;
use openledger_types::formats::{hash32, storage_sample};
use openledger_types::msg::storage::StorerState;

use crate::error::{ContractError, ContractResult};
use crate::fenwick;
use crate::state::{self, Draw, Holding, Storer, DRAWS};

/// A sampled leaf.
pub struct Sampled {
    /// Position of its fragment in the node's list.
    pub position: u64,
    /// The fragment.
    pub holding: Holding,
    /// Leaf of the fragment.
    pub leaf: u64,
}

/// Loads a draw.
pub fn draw(storage: &dyn Storage, number: u64) -> ContractResult<Draw> {
    DRAWS.may_load(storage, number)?.ok_or(ContractError::NotFound { what: "draw", id: number })
}

/// The draw that waits for the node's answer: the oldest that is not settled; none when all are, and for
/// a node that keeps nothing or is out.
pub fn waiting(storer: &Storer, newest: u64) -> Option<u64> {
    let owes = storer.kept > 0 && storer.state != StorerState::Out;
    match owes && storer.settled_draw < newest {
        true => storer.settled_draw.checked_add(1),
        false => None,
    }
}

/// What a draw asks of a node. Positions do not change while a draw waits (`Accept`, `Sweep`), so the
/// samples stay what they were when the beacon was drawn.
pub fn samples(
    storage: &dyn Storage,
    node_id: u64,
    storer: &Storer,
    draw: &Draw,
    count: u32,
) -> ContractResult<Vec<Sampled>> {
    let beacon = hash32("beacon", &draw.beacon)?;
    (0..count)
        .map(|number| {
            let leaf = storage_sample(&beacon, node_id, number, storer.drawn_from);
            let leaf = leaf.ok_or(ContractError::NothingDue { node_id })?;
            let (position, leaf) = fenwick::find(storage, node_id, storer.positions, leaf)?;
            Ok(Sampled { position, holding: state::holding(storage, node_id, position)?, leaf })
        })
        .collect()
}
