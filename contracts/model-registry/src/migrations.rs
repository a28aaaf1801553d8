//! Conversions of stored state, by the release that wrote it.

use cosmwasm_schema::cw_serde;
use cosmwasm_std::Storage;
use cw_storage_plus::Item;
use openledger_types::msg::model_registry::Params;
use openledger_types::profile::Profile;

use crate::state::PARAMS;
use crate::ContractError;

/// Bounds as release 0.1 kept them, under the same key.
const PARAMS_0_1: Item<Params0_1> = Item::new("params");

/// Bounds before royalties and notices.
#[cw_serde]
struct Params0_1 {
    min_data_bps: u16,
    protocol_bps: u16,
}

/// Carries what release `from` stored over to this one. Models and versions are not touched: what
/// they lack reads as empty.
pub fn run(storage: &mut dyn Storage, from: &str) -> Result<(), ContractError> {
    if from.starts_with("0.1.") {
        bounds_from_0_1(storage)?;
    }
    Ok(())
}

/// Gives the bounds that release 0.1 lacked the protocol's values; governance may change them later.
fn bounds_from_0_1(storage: &mut dyn Storage) -> Result<(), ContractError> {
    let Params0_1 { min_data_bps, protocol_bps } = PARAMS_0_1.load(storage)?;
    let Params { max_royalty_bps, price_notice, .. } = Profile::protocol("").model_registry;
    Ok(PARAMS.save(storage, &Params { min_data_bps, protocol_bps, max_royalty_bps, price_notice })?)
}
