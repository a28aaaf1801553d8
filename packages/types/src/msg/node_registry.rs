//! Messages of the node registry.

use cosmwasm_schema::{cw_serde, QueryResponses};
use cosmwasm_std::{HexBinary, Uint128};

use super::common::{InvariantsResponse, OwnershipAction, OwnershipResponse};

/// Bonds and delays.
#[cw_serde]
pub struct Params {
    /// Denom of bonds.
    pub denom: String,
    /// Least bond of a node, in base units.
    pub min_bond: Uint128,
    /// Blocks between `Unbond` and `WithdrawBond` (F5).
    pub unbonding_blocks: u64,
}

/// Sets the contract up.
#[cw_serde]
pub struct InstantiateMsg {
    /// Owner: the governance account.
    pub owner: String,
    /// Bonds and delays.
    pub params: Params,
}

/// What a node does.
#[cw_serde]
#[derive(Copy, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Answers questions.
    Inference,
    /// Keeps blobs.
    Storage,
    /// Checks others.
    Audit,
}

/// What can be done.
#[cw_serde]
pub enum ExecuteMsg {
    /// Registers a node; the sender is its operator. Funds: the bond, at least the least one.
    Register {
        /// Name, at most 64 bytes.
        moniker: String,
        /// Base URL, `http://` or `https://`, at most 256 bytes.
        endpoint: String,
        /// Compressed secp256k1 key that signs receipts (33 bytes).
        node_key: HexBinary,
        /// Address that may post epochs besides the operator: that of the node's hot key.
        hot_addr: Option<String>,
        /// age recipient for datanet keys.
        age_recipient: String,
        /// What it does; sorted, without repeats, at least one.
        roles: Vec<Role>,
    },
    /// Changes how the node is reached. Only by the operator.
    UpdateNode {
        /// Node.
        node_id: u64,
        /// New base URL.
        endpoint: Option<String>,
        /// New name.
        moniker: Option<String>,
        /// New hot address.
        hot_addr: Option<String>,
    },
    /// Replaces the signing key from the next block on; the old one stays on record for the heights
    /// that it signed. Only by the operator.
    RotateKey {
        /// Node.
        node_id: u64,
        /// New compressed key (33 bytes).
        node_key: HexBinary,
    },
    /// Adds to the bond. Funds: what to add.
    AddBond {
        /// Node.
        node_id: u64,
    },
    /// Takes the node out of service and starts the delay. Only by the operator.
    Unbond {
        /// Node.
        node_id: u64,
    },
    /// Pays the bond out after the delay. Only by the operator.
    WithdrawBond {
        /// Node.
        node_id: u64,
    },
    /// Changes bonds and delays. Only by the owner.
    UpdateParams {
        /// All of them.
        params: Params,
    },
    /// Stops or allows registrations (A1). Only by the owner.
    SetPaused {
        /// Whether to stop.
        paused: bool,
    },
    /// Changes the owner in two steps.
    UpdateOwnership(OwnershipAction),
}

/// What can be asked.
#[cw_serde]
#[derive(QueryResponses)]
pub enum QueryMsg {
    /// Bonds, delays, pause.
    #[returns(ConfigResponse)]
    Config {},
    /// The owner.
    #[returns(OwnershipResponse)]
    Ownership {},
    /// One node.
    #[returns(NodeResponse)]
    Node {
        /// Its number.
        node_id: u64,
    },
    /// Nodes by number.
    #[returns(NodesResponse)]
    Nodes {
        /// Number after which to start.
        start_after: Option<u64>,
        /// Entries, 10 unless told, at most 30.
        limit: Option<u32>,
    },
    /// The key with which a node signed at a height.
    #[returns(NodeKeyResponse)]
    NodeKey {
        /// Node.
        node_id: u64,
        /// Height.
        height: u64,
    },
    /// The conservation equation, term by term.
    #[returns(InvariantsResponse)]
    Invariants {},
}

/// Answer to `Config {}`.
#[cw_serde]
pub struct ConfigResponse {
    /// Bonds and delays.
    pub params: Params,
    /// Whether registrations are stopped.
    pub paused: bool,
}

/// Where a node stands.
#[cw_serde]
#[derive(Copy, Eq)]
pub enum NodeStatus {
    /// In service.
    Bonded,
    /// Out of service; the bond is still at stake.
    Unbonding,
    /// The bond was paid out.
    Left,
}

/// A node.
#[cw_serde]
pub struct NodeResponse {
    /// Number; never changes.
    pub node_id: u64,
    /// Who registered it and owns its earnings.
    pub operator: String,
    /// Name.
    pub moniker: String,
    /// Base URL.
    pub endpoint: String,
    /// Key in force (33 bytes).
    pub node_key: HexBinary,
    /// Address of the hot key.
    pub hot_addr: Option<String>,
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

/// Answer to `Nodes {}`.
#[cw_serde]
pub struct NodesResponse {
    /// In order of their numbers.
    pub nodes: Vec<NodeResponse>,
}

/// Answer to `NodeKey {}`.
#[cw_serde]
pub struct NodeKeyResponse {
    /// Key in force at that height (33 bytes); none before the registration.
    pub node_key: Option<HexBinary>,
}

/// Carries the contract from one release to the next.
#[cw_serde]
pub struct MigrateMsg {}
