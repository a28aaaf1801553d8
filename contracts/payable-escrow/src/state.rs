//! Everything the escrow stores. What changes with every settlement is apart from what is pinned at
//! opening, so that a settlement rewrites little.

use cosmwasm_schema::cw_serde;
use cosmwasm_std::{Addr, HexBinary, Uint128};
use cw_storage_plus::{Item, Map};
use openledger_types::formats::{Account, BlobRef, EpochCommit, SumRoot};
use openledger_types::money::Split;
use openledger_types::msg::escrow::Params;

/// Contracts that are asked at the opening of a session.
#[cw_serde]
pub struct Registries {
    /// The model registry.
    pub model: Addr,
    /// The node registry.
    pub node: Addr,
}

/// Terms of a session, pinned at its opening and never rewritten (S3).
#[cw_serde]
pub struct Session {
    /// Who opened it and gets the refund.
    pub owner: Addr,
    /// Key that signs vouchers (33 bytes).
    pub session_key: HexBinary,
    /// Denom.
    pub denom: String,
    /// The opening fee, in base units.
    pub open_fee: Uint128,
    /// Model.
    pub model_id: u64,
    /// Version.
    pub model_version: u32,
    /// Who earns the developer's part.
    pub developer: Addr,
    /// Price of a prompt token, in base units.
    pub price_in: Uint128,
    /// Price of an answer token, in base units.
    pub price_out: Uint128,
    /// Least fee of an answer, in base units.
    pub min_fee: Uint128,
    /// How fees are divided.
    pub split: Split,
    /// Nodes, sorted.
    pub nodes: Vec<u64>,
    /// Height of the opening.
    pub opened_at: u64,
    /// Last height of its life.
    pub expires: u64,
    /// Blocks between `RequestClose` and the refund (G).
    pub grace_blocks: u64,
    /// Most receipts without acknowledgement (k).
    pub in_flight: u32,
}

/// Money and end of a session.
#[cw_serde]
pub struct Purse {
    /// Paid in without the opening fee, in base units.
    pub deposit: Uint128,
    /// Settled for the protocol.
    pub protocol: Uint128,
    /// Settled for the developer.
    pub developer: Uint128,
    /// Settled for the nodes.
    pub node: Uint128,
    /// Settled for the data.
    pub data: Uint128,
    /// Credited back.
    pub refunded: Uint128,
    /// Height of `RequestClose`.
    pub close_requested_at: Option<u64>,
    /// Whether the refund was credited.
    pub closed: bool,
}

/// A node as a session pins it.
#[cw_serde]
pub struct NodePin {
    /// Key that signs receipts (33 bytes).
    pub node_key: HexBinary,
    /// Operator, who earns the node's part.
    pub operator: Addr,
    /// Address that may post beside the operator.
    pub hot: Option<Addr>,
}

/// What a node has settled of a session.
#[cw_serde]
pub struct SessionLog {
    /// Most that the node may be paid, in base units.
    pub cap: Uint128,
    /// The receipts settled so far; its sum is the fees settled.
    pub log: SumRoot,
    /// Height of the last settlement; that of the opening before.
    pub settled_at: u64,
}

/// The ledger of a node in a denom.
#[cw_serde]
pub struct Ledger {
    /// Epochs posted so far.
    pub epoch: u64,
    /// The newest final ledger.
    pub ledger: SumRoot,
    /// Blob with its leaves.
    pub leaves_blob: Option<BlobRef>,
}

impl Ledger {
    /// Before the first epoch.
    pub fn new() -> Self {
        Ledger { epoch: 0, ledger: SumRoot::empty(), leaves_blob: None }
    }
}

impl Default for Ledger {
    fn default() -> Self {
        Self::new()
    }
}

/// What a ledger was paid and has paid, in base units (L1).
#[cw_serde]
#[derive(Default)]
pub struct Funds {
    /// Paid into it by final roots.
    pub funded: Uint128,
    /// Credited from it by claims.
    pub claimed: Uint128,
    /// Returned to payers from it.
    pub refunded: Uint128,
}

/// An epoch as it was posted.
#[cw_serde]
pub struct EpochRecord {
    /// The commitment.
    pub commit: EpochCommit,
    /// Height at which it was posted.
    pub posted_at: u64,
    /// Height from which it can be final.
    pub final_at: u64,
    /// Whether auditors attested its blobs.
    pub attested: bool,
    /// Fees that it settled.
    pub fees: Uint128,
    /// The data's part of them.
    pub data: Uint128,
}

/// What a root that is not final will credit (L5).
#[cw_serde]
pub struct Pending {
    /// Denom.
    pub denom: String,
    /// Epoch.
    pub epoch: u64,
    /// Height from which it can be final.
    pub final_at: u64,
    /// All parts together.
    pub fees: Uint128,
    /// For the ledger.
    pub data: Uint128,
    /// For the treasury.
    pub protocol: Uint128,
    /// For developers and the operator, one entry an address; at most one more than settlements.
    pub payees: Vec<(Addr, Uint128)>,
}

/// Where all coins of a denom are (DESIGN: conservation), in base units.
#[cw_serde]
#[derive(Default)]
pub struct Counters {
    /// Deposits not settled and not refunded.
    pub escrowed: Uint128,
    /// Settled under roots that are not final.
    pub pending: Uint128,
    /// Balances that can be withdrawn.
    pub accrued: Uint128,
    /// Paid into ledgers and not claimed.
    pub ledgers: Uint128,
    /// The commons'.
    pub commons: Uint128,
    /// The protocol's.
    pub treasury: Uint128,
    /// Ever taken by messages. Its checked growth bounds every other counter.
    pub paid_in: Uint128,
    /// Ever paid out.
    pub paid_out: Uint128,
}

/// Windows and bounds for new sessions and roots.
pub const PARAMS: Item<Params> = Item::new("params");
/// Contracts that are asked at the opening of a session.
pub const REGISTRIES: Item<Registries> = Item::new("registries");
/// Number of the newest session.
pub const LAST_SESSION: Item<u64> = Item::new("last_session");
/// Session → terms.
pub const SESSIONS: Map<u64, Session> = Map::new("sessions");
/// Session → money and end.
pub const PURSES: Map<u64, Purse> = Map::new("purses");
/// (session, node) → node as pinned.
pub const PINS: Map<(u64, u64), NodePin> = Map::new("pins");
/// (session, node) → cap and settled log.
pub const LOGS: Map<(u64, u64), SessionLog> = Map::new("logs");
/// (node, denom) → ledger.
pub const LEDGERS: Map<(u64, &str), Ledger> = Map::new("ledgers");
/// (node, denom) → what the ledger was paid and has paid.
pub const FUNDS: Map<(u64, &str), Funds> = Map::new("funds");
/// (node, denom, epoch) → epoch.
pub const EPOCHS: Map<(u64, &str, u64), EpochRecord> = Map::new("epochs");
/// Node → its one root that is not final (L2).
pub const PENDING: Map<u64, Pending> = Map::new("pending");
/// (node, denom, account by [`account_key`]) → credited from the ledger so far.
pub const CLAIMED: Map<(u64, &str, &str), Uint128> = Map::new("claimed");
/// (address, denom) → what can be withdrawn; no entry when nothing.
pub const BALANCES: Map<(&Addr, &str), Uint128> = Map::new("balances");
/// Denom → where its coins are; an entry for every denom ever allowed.
pub const COUNTERS: Map<&str, Counters> = Map::new("counters");

/// Key of an account in [`CLAIMED`]: its code, then its address.
pub fn account_key(account: &Account) -> String {
    format!("{}{}", account.code(), account.address())
}
