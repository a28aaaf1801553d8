//! Conversions of stored state, by the release on record.

use cosmwasm_schema::cw_serde;
use cosmwasm_std::{Storage, Uint128, Uint64};
use cw_storage_plus::Item;
use openledger_types::msg::node_registry::Params;
use openledger_types::profile::Profile;

use crate::execute::admin;
use crate::state::{OLD_KEYS_EXPIRE, PARAMS};
use crate::ContractError;

/// Parameters of release 0.1.0.
#[cw_serde]
struct OldParams {
    denom: String,
    min_bond: Uint128,
    unbonding_blocks: u64,
}

/// Where they stand.
const OLD_PARAMS: Item<OldParams> = Item::new("params");

/// Sum of all bonds.
const OLD_BONDS: Item<Uint128> = Item::new("bonds");

/// Carries the state of the release on record to this one, in a number of steps that does not depend on
/// how many nodes there are.
///
/// Nodes of 0.1.0 are read with defaults: their keys live `key_blocks` from the migration on. Anybody
/// could call its node an auditor then: such a node has no weight until its operator, being a
/// validator's, sends `UpdateNode` with its roles.
pub fn convert(storage: &mut dyn Storage, from: &str, height: u64) -> Result<(), ContractError> {
    match from.starts_with("0.1.") {
        true => from_0_1(storage, height),
        false => Ok(()),
    }
}

fn from_0_1(storage: &mut dyn Storage, height: u64) -> Result<(), ContractError> {
    let params = completed(OLD_PARAMS.load(storage)?);
    admin::validate(&params)?;
    let expires = Uint64::new(height).checked_add(Uint64::new(params.key_blocks))?;

    PARAMS.save(storage, &params)?;
    OLD_KEYS_EXPIRE.save(storage, &expires.u64())?;
    let bonds = OLD_BONDS.load(storage)?;
    OLD_BONDS.remove(storage);
    admin::open_counters(storage, bonds)
}

/// The default delay of 0.1.0, in blocks.
const DEFAULT_DELAY: u128 = 120_960;

/// The protocol's defaults, with windows in the proportion of the old delay to its default: a chain
/// with fast blocks keeps the order of its windows.
fn completed(old: OldParams) -> Params {
    let defaults = Profile::protocol(&old.denom).node_registry;
    let scaled = |blocks: u64| {
        let part = u128::from(blocks).saturating_mul(u128::from(old.unbonding_blocks)) / DEFAULT_DELAY;
        u64::try_from(part).unwrap_or(u64::MAX).max(1)
    };
    Params {
        denom: old.denom,
        min_bond: old.min_bond,
        // Two blocks of other windows must fit into it.
        unbonding_blocks: old.unbonding_blocks.max(3),
        key_blocks: defaults.key_blocks,
        jail_blocks: scaled(defaults.jail_blocks),
        finder_bps: defaults.finder_bps,
        burn_bps: defaults.burn_bps,
        voted_cut_bps: defaults.voted_cut_bps,
        epoch_blocks: scaled(defaults.epoch_blocks),
        veto_blocks: scaled(defaults.veto_blocks),
    }
}
