//! Everything the referee stores.

use cosmwasm_schema::cw_serde;
use cosmwasm_std::Addr;
use cw_storage_plus::Item;
use openledger_types::msg::referee::Params;

/// The contracts that are asked and told.
#[cw_serde]
pub struct Contracts {
    /// The datanet contract.
    pub datanet: Addr,
    /// The node registry.
    pub node_registry: Addr,
    /// The escrow.
    pub escrow: Addr,
}

/// Windows, bonds and cuts.
pub const PARAMS: Item<Params> = Item::new("params");
/// The contracts that are asked and told.
pub const CONTRACTS: Item<Contracts> = Item::new("contracts");
