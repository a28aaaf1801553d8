//! Everything the contract keeps: each key, what it is made of and what stands under it.

use cosmwasm_schema::cw_serde;
use cosmwasm_std::{Addr, HexBinary, Order, Storage, Uint128};
use cw_storage_plus::{Bound, Item, Map};
use openledger_types::msg::node_registry::{NodeStatus, Params, Role};

use crate::ContractError;

/// A node.
#[cw_serde]
pub struct Node {
    /// Who registered it and owns its earnings.
    pub operator: Addr,
    /// Name.
    pub moniker: String,
    /// Base URL.
    pub endpoint: String,
    /// Address of the hot key.
    pub hot_addr: Option<Addr>,
    /// age recipient.
    pub age_recipient: String,
    /// What it does.
    pub roles: Vec<Role>,
    /// Bond in base units.
    pub bond: Uint128,
    /// Where it stands.
    pub status: NodeStatus,
    /// Height from which the bond can be withdrawn, while unbonding.
    pub unbonds_at: Option<u64>,
}

/// Bonds and delays.
pub const PARAMS: Item<Params> = Item::new("params");

/// Nodes registered so far.
pub const NODE_COUNT: Item<u64> = Item::new("node_count");

/// Sum of all bonds, in base units.
pub const BONDS: Item<Uint128> = Item::new("bonds");

/// Key: node.
pub const NODES: Map<u64, Node> = Map::new("nodes");

/// The key (33 bytes) in force from a height on. Key: (node, height).
pub const KEYS: Map<(u64, u64), HexBinary> = Map::new("keys");

/// The node that a key belongs to, for ever. Key: compressed public key.
pub const KEY_OWNERS: Map<&[u8], u64> = Map::new("key_owners");

/// Loads a node.
pub fn node(storage: &dyn Storage, node_id: u64) -> Result<Node, ContractError> {
    NODES.may_load(storage, node_id)?.ok_or(ContractError::NodeNotFound { node_id })
}

/// The key in force at a height; none before the registration.
pub fn key_at(storage: &dyn Storage, node_id: u64, height: u64) -> Result<Option<HexBinary>, ContractError> {
    let end = Some(Bound::inclusive(height));
    let newest = KEYS.prefix(node_id).range(storage, None, end, Order::Descending).take(1).next();
    Ok(newest.transpose()?.map(|(_, key)| key))
}
