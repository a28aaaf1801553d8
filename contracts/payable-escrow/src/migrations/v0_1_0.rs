//! From 0.1.0: parameters gained fields; everything else loads as it is.

use cosmwasm_schema::cw_serde;
use cosmwasm_std::Storage;
use cw_storage_plus::Item;
use openledger_contract::lean::Lean;
use openledger_types::msg::escrow::{DenomParams, Params};

use crate::error::ContractResult;
use crate::execute::admin;

/// Version on record.
pub const VERSION: &str = "0.1.0";

/// Parameters as 0.1.0 stored them.
#[cw_serde]
struct OldParams {
    denoms: Vec<DenomParams>,
    grace_blocks: u64,
    challenge_blocks: u64,
    unattested_windows: u32,
    max_session_blocks: u64,
    in_flight: u32,
}

/// Under the key of the present ones.
const OLD_PARAMS: Item<Lean<OldParams>> = Item::new("params");

/// Fills the new parameters in with the protocol's defaults; the owner changes them after.
pub fn convert(storage: &mut dyn Storage) -> ContractResult<()> {
    let Lean(old) = OLD_PARAMS.load(storage)?;
    let params = Params {
        denoms: old.denoms,
        grace_blocks: old.grace_blocks,
        challenge_blocks: old.challenge_blocks,
        unattested_windows: old.unattested_windows,
        max_session_blocks: old.max_session_blocks,
        in_flight: old.in_flight,
        // A twelfth of the challenge window, as in the protocol's table: it follows the speed of blocks.
        epoch_blocks: old.challenge_blocks.checked_div(12).unwrap_or_default().max(1),
        abandoned_epochs: 3,
        audit_bps: 4_000,
        abandoned_cut_bps: 1_000,
        exposure_bps: 5_000,
    };
    admin::save_params(storage, &params)
}
