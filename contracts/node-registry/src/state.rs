//! Everything the contract keeps: each key, what it is made of and what stands under it.

use cosmwasm_schema::cw_serde;
use cosmwasm_std::{Addr, Empty, HexBinary, Order, Storage, Uint128};
use cw_storage_plus::{Bound, Item, Map};
use openledger_contract::packs::{Pack, Packs};
use openledger_types::msg::node_registry::{CutStatus, DeclaredWork, NodeStatus, Params, RecordedWork, Role};
use openledger_types::parts;

use crate::ContractError;

/// A node. Fields that release 0.1.0 did not know have defaults.
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
    /// Last height at which new sessions may pin the newest key; none in nodes of release 0.1.0, whose
    /// keys end at [`OLD_KEYS_EXPIRE`].
    #[serde(default)]
    pub key_expires: Option<u64>,
    /// Height from which it can leave jail; none when it is not in jail.
    #[serde(default)]
    pub jailed_until: Option<u64>,
    /// Open cases against it; the bond stays while there are any (F5).
    #[serde(default)]
    pub open_cases: u32,
    /// Planned cuts that wait; the bond stays while there are any (F5).
    #[serde(default)]
    pub planned_cuts: u32,
}

/// The contracts that are believed.
#[cw_serde]
pub struct Connections {
    /// Asked for prices of models.
    pub model_registry: Addr,
    /// Cuts bonds, records work.
    pub escrow: Addr,
    /// Cuts bonds, records work, opens cases, plans cuts.
    pub referee: Addr,
    /// Cuts bonds for storage that was not proved, records what was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<Addr>,
}

/// A node's own prices; the model's where absent.
#[cw_serde]
pub struct Prices {
    /// Of a prompt token, in base units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_in: Option<Uint128>,
    /// Of an answer token, in base units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_out: Option<Uint128>,
}

/// A planned cut.
#[cw_serde]
pub struct Cut {
    /// Node.
    pub node_id: u64,
    /// Base units that it takes, less when the bond is smaller by then.
    pub amount: Uint128,
    /// Who receives the finder's part.
    pub finder: Option<Addr>,
    /// Which fault.
    pub reason: String,
    /// First height at which it can be carried out.
    pub from: u64,
    /// Whether it waits, was carried out or was vetoed.
    pub status: CutStatus,
}

/// What voted cuts planned for a node in one epoch (F3).
#[cw_serde]
pub struct Window {
    /// Epoch: height / `epoch_blocks` at the first cut.
    pub epoch: u64,
    /// The bond at the first cut, by which the cap is measured.
    pub bond: Uint128,
    /// Sum of the cuts planned since, vetoed ones too.
    pub planned: Uint128,
}

/// Where the coins are that the contract holds, in base units of the bonds' denom.
#[cw_serde]
#[derive(Default)]
pub struct Totals {
    /// Sum of all bonds.
    pub bonds: Uint128,
    /// Sum of all finder's parts that were not withdrawn yet.
    pub rewards: Uint128,
    /// What cuts left to the owner's purse.
    pub treasury: Uint128,
    /// All that cuts have burned; tells, owes nothing.
    pub burned: Uint128,
}

parts! {
    struct Node {
        operator, moniker, endpoint, hot_addr, age_recipient, roles, bond, status, unbonds_at, key_expires,
        jailed_until, open_cases, planned_cuts,
    }
    struct Totals { bonds, rewards, treasury, burned }
}

/// Bonds and delays.
pub const PARAMS: Item<Params> = Item::new("params");

/// Nodes registered so far.
pub const NODE_COUNT: Item<u64> = Item::new("node_count");

/// Where the coins are.
pub const TOTALS: Pack<Totals> = Pack::new("totals");

/// Key: node.
pub const NODES: Packs<u64, Node> = Packs::new("nodes");

/// The key (33 bytes) in force from a height on. Key: (node, height).
pub const KEYS: Map<(u64, u64), HexBinary> = Map::new("keys");

/// The node that a key belongs to, for ever. Key: compressed public key.
pub const KEY_OWNERS: Map<&[u8], u64> = Map::new("key_owners");

/// Last height at which new sessions may pin a key of release 0.1.0 that was neither renewed nor
/// rotated since; set once, by the migration.
pub const OLD_KEYS_EXPIRE: Item<u64> = Item::new("old_keys_expire");

/// The contracts that are believed; absent before `Connect`.
pub const CONNECTIONS: Item<Connections> = Item::new("connections");

/// A node's own prices. Key: (node, model, version).
pub const OFFERS: Map<(u64, u64, u32), Prices> = Map::new("offers");

/// Offers of a node. Key: node.
pub const OFFER_COUNT: Map<u64, u32> = Map::new("offer_count");

/// Who offers a version. Key: (model, version, node).
pub const SERVERS: Map<(u64, u32, u64), Empty> = Map::new("servers");

/// What contracts have seen of a node's work. Key: node.
pub const RECORDED: Packs<u64, RecordedWork> = Packs::new("recorded");

/// What a node says of its own work. Key: node.
pub const DECLARED: Map<u64, DeclaredWork> = Map::new("declared");

/// Nodes in service that audit, with their operators: at most `MAX_AUDITORS`, one an operator. Key:
/// node.
pub const AUDITORS: Map<u64, Addr> = Map::new("auditors");

/// Finder's parts that an address can withdraw, in base units. Key: address.
pub const FINDERS: Map<&Addr, Uint128> = Map::new("finders");

/// Cases that a contract opened against a node and has not closed: it may close them even when
/// another referee is believed by then. Key: (node, contract).
pub const CASES: Map<(u64, &Addr), u32> = Map::new("cases");

/// Cuts planned so far.
pub const CUT_COUNT: Item<u64> = Item::new("cut_count");

/// Planned cuts. Key: cut.
pub const CUTS: Map<u64, Cut> = Map::new("cuts");

/// What voted cuts took of a node's bond in the newest epoch that had one. Key: node.
pub const WINDOWS: Map<u64, Window> = Map::new("cut_windows");

/// Loads a node.
pub fn node(storage: &dyn Storage, node_id: u64) -> Result<Node, ContractError> {
    NODES.may_load(storage, node_id)?.ok_or(ContractError::NodeNotFound { node_id })
}

/// Loads a planned cut.
pub fn cut(storage: &dyn Storage, cut_id: u64) -> Result<Cut, ContractError> {
    CUTS.may_load(storage, cut_id)?.ok_or(ContractError::CutNotFound { cut_id })
}

/// The key in force at a height; none before the registration.
pub fn key_at(storage: &dyn Storage, node_id: u64, height: u64) -> Result<Option<HexBinary>, ContractError> {
    let end = Some(Bound::inclusive(height));
    let newest = KEYS.prefix(node_id).range(storage, None, end, Order::Descending).take(1).next();
    Ok(newest.transpose()?.map(|(_, key)| key))
}

/// Last height at which new sessions may pin a node's newest key.
pub fn key_expires(storage: &dyn Storage, node: &Node) -> Result<u64, ContractError> {
    match node.key_expires {
        Some(height) => Ok(height),
        None => Ok(OLD_KEYS_EXPIRE.may_load(storage)?.unwrap_or_default()),
    }
}
