//! Conversions of stored state, one for each release that changed it.
//!
//! From 0.1: parameters gain windows and parts. Everything else of 0.1 loads as it is: new fields are
//! absent, contributions stay under their old key, single entries of the queue are runs of one, and
//! the version tree goes on with leaves of the new form.

use cosmwasm_schema::cw_serde;
use cosmwasm_std::{Storage, Uint128, Uint256, Uint64};
use cw_storage_plus::Item;
use openledger_types::msg::datanet::Params;
use openledger_types::profile::Profile;

use crate::state::PARAMS;
use crate::ContractError;

/// Parameters of 0.1.
#[cw_serde]
struct FirstParams {
    denom: String,
    commit_bond: Uint128,
    reveal_blocks: u64,
    withdrawal_grace: u64,
}

/// Parameters of 0.1 under the key that they share with those of today.
const FIRST_PARAMS: Item<FirstParams> = Item::new("params");

/// Whether a stored version is of the first release.
pub fn is_first_release(version: &str) -> bool {
    version.starts_with("0.0.") || version.starts_with("0.1.")
}

/// Fills the parameters that 0.1 did not have from the protocol's defaults; windows in the proportion
/// in which the stored grace of withdrawals stands to the protocol's, at least 2 blocks.
pub fn from_first_release(storage: &mut dyn Storage) -> Result<(), ContractError> {
    let FirstParams { denom, commit_bond, reveal_blocks, withdrawal_grace } = FIRST_PARAMS.load(storage)?;
    let protocol = Profile::protocol(&denom).datanet;
    let scaled = |window: u64| {
        let whole = Uint256::from(window).multiply_ratio(withdrawal_grace, protocol.withdrawal_grace);
        Uint64::try_from(whole).map_or(window, |window| window.u64().max(2))
    };
    let params = Params {
        acceptance_blocks: scaled(protocol.acceptance_blocks),
        access_blocks: scaled(protocol.access_blocks),
        developer_bond: protocol.developer_bond,
        finder_bps: protocol.finder_bps,
        burn_bps: protocol.burn_bps,
        denom,
        commit_bond,
        reveal_blocks,
        withdrawal_grace,
    };
    Ok(PARAMS.save(storage, &params)?)
}
