//! What can be asked of the payable escrow.

use cosmwasm_schema::{cw_serde, QueryResponses};
use cosmwasm_std::{HexBinary, Uint128};

use super::Params;
use crate::faults::SessionFacts;
use crate::formats::{Account, BlobRef, EpochCommit, SumRoot};
use crate::money::{Royalty, Split};
use crate::msg::common::{Amount, InvariantsResponse, OwnershipResponse};

/// What can be asked.
#[cw_serde]
#[derive(QueryResponses)]
pub enum QueryMsg {
    /// Windows, bounds, pause.
    #[returns(ConfigResponse)]
    Config {},
    /// The owner.
    #[returns(OwnershipResponse)]
    Ownership {},
    /// One session.
    #[returns(SessionResponse)]
    Session {
        /// Its number.
        session_id: u64,
    },
    /// Sessions by number.
    #[returns(SessionsResponse)]
    Sessions {
        /// Number after which to start.
        start_after: Option<u64>,
        /// Entries, 10 unless told, at most 30.
        limit: Option<u32>,
    },
    /// The ledger of a node in a denom.
    #[returns(LedgerResponse)]
    Ledger {
        /// Node.
        node_id: u64,
        /// Denom.
        denom: String,
    },
    /// One epoch of a node in a denom.
    #[returns(EpochResponse)]
    Epoch {
        /// Node.
        node_id: u64,
        /// Denom.
        denom: String,
        /// Epoch.
        epoch: u64,
    },
    /// The root of a node that is not final, in whatever denom.
    #[returns(PendingResponse)]
    Pending {
        /// Node.
        node_id: u64,
    },
    /// The contracts that are believed.
    #[returns(ConnectionsResponse)]
    Connections {},
    /// What a one-step proof must state of a session and a node.
    #[returns(SessionFacts)]
    Facts {
        /// Session.
        session_id: u64,
        /// Node.
        node_id: u64,
    },
    /// Receipts that a case holds.
    #[returns(HeldResponse)]
    Held {
        /// Case.
        case_id: u64,
    },
    /// Answer uses of a contribution that final ledgers proved, and of a contributor that claims
    /// brought.
    #[returns(UsageResponse)]
    Usage {
        /// Contribution; 0 to ask for a contributor.
        contribution_id: u64,
        /// Contributor.
        contributor: Option<String>,
    },
    /// What an account has been credited from one ledger.
    #[returns(ClaimedResponse)]
    Claimed {
        /// Node.
        node_id: u64,
        /// Denom.
        denom: String,
        /// Account.
        account: Account,
    },
    /// What an address can withdraw.
    #[returns(BalanceResponse)]
    Balance {
        /// Address.
        address: String,
    },
    /// The conservation equation, term by term.
    #[returns(InvariantsResponse)]
    Invariants {},
}

/// Answer to `Config {}`.
#[cw_serde]
pub struct ConfigResponse {
    /// The model registry.
    pub model_registry: String,
    /// The node registry.
    pub node_registry: String,
    /// Windows and bounds.
    pub params: Params,
    /// Whether new sessions are stopped.
    pub paused: bool,
}

/// A node within a session.
#[cw_serde]
pub struct SessionNodeResponse {
    /// Node.
    pub node_id: u64,
    /// Most that it may be paid.
    pub cap: Uint128,
    /// Fees settled so far.
    pub settled: Uint128,
    /// Log of the receipts settled so far.
    pub log: SumRoot,
    /// Height of its last settlement; that of the opening before.
    pub settled_at: u64,
    /// Key that signs its receipts (33 bytes), pinned.
    pub node_key: HexBinary,
    /// Price of a prompt token, pinned: the node's offer, else the model's.
    pub price_in: Uint128,
    /// Price of an answer token, pinned.
    pub price_out: Uint128,
    /// Operator, pinned.
    pub operator: String,
    /// Hot address, pinned.
    pub hot_addr: Option<String>,
}

/// A session.
#[cw_serde]
pub struct SessionResponse {
    /// Number.
    pub session_id: u64,
    /// Who opened it and gets the refund.
    pub owner: String,
    /// Key that signs vouchers (33 bytes).
    pub session_key: HexBinary,
    /// Denom.
    pub denom: String,
    /// Paid in at opening and by top-ups, without the opening fee.
    pub deposit: Uint128,
    /// The opening fee.
    pub open_fee: Uint128,
    /// Parts of the fees settled so far.
    pub protocol: Uint128,
    /// The developer's.
    pub developer_part: Uint128,
    /// The nodes'.
    pub node_part: Uint128,
    /// The data's, commons and dust included.
    pub data_part: Uint128,
    /// Credited back.
    pub refunded: Uint128,
    /// Nodes.
    pub nodes: Vec<SessionNodeResponse>,
    /// Model.
    pub model_id: u64,
    /// Version.
    pub model_version: u32,
    /// Developer, pinned.
    pub developer: String,
    /// Price of a prompt token, pinned.
    pub price_in: Uint128,
    /// Price of an answer token, pinned.
    pub price_out: Uint128,
    /// Least fee of an answer, pinned.
    pub min_fee: Uint128,
    /// Split, pinned.
    pub split: Split,
    /// Royalties out of the developer's part, pinned (L11).
    pub royalties: Vec<Royalty>,
    /// Height of its opening.
    pub opened_at: u64,
    /// Last height of its life.
    pub expires: u64,
    /// Height of `RequestClose`.
    pub close_requested_at: Option<u64>,
    /// Whether the refund was credited.
    pub closed: bool,
}

/// Answer to `Sessions {}`.
#[cw_serde]
pub struct SessionsResponse {
    /// In order of their numbers.
    pub sessions: Vec<SessionResponse>,
}

/// Answer to `Ledger {}`.
#[cw_serde]
pub struct LedgerResponse {
    /// Epochs posted so far.
    pub epoch: u64,
    /// The newest final ledger.
    pub ledger: SumRoot,
    /// Blob with its leaves; none before the first final root.
    pub leaves_blob: Option<BlobRef>,
    /// Paid into it.
    pub funded: Uint128,
    /// Credited from it.
    pub claimed: Uint128,
    /// Returned to payers from it.
    pub refunded: Uint128,
    /// Whether an abandoned root closed it (L8).
    pub closed: bool,
}

/// What has become of a root.
#[cw_serde]
#[derive(Copy, Eq)]
pub enum RootStatus {
    /// Waits for its windows.
    Pending,
    /// Final.
    Final,
    /// Void; another one is to replace it.
    Void,
    /// Void and replaced.
    Replaced,
    /// Void, never replaced, closed (L8).
    Abandoned,
}

/// An epoch.
#[cw_serde]
pub struct EpochResponse {
    /// The commitment.
    pub commit: EpochCommit,
    /// Its hash (32 bytes).
    pub hash: HexBinary,
    /// Height at which it was posted.
    pub posted_at: u64,
    /// Height from which it can be final.
    pub final_at: u64,
    /// Whether it is final.
    pub finalized: bool,
    /// What has become of it.
    pub status: RootStatus,
    /// Open demands for its chunks.
    pub holds: u32,
    /// Why it is void.
    pub void_reason: Option<String>,
    /// Part of its fees that pays audits.
    pub audit: Uint128,
    /// Paid to auditors from it.
    pub audit_paid: Uint128,
    /// Whether auditors attested its blobs.
    pub attested: bool,
    /// Fees that it settled.
    pub fees: Uint128,
    /// The data's part of them.
    pub data: Uint128,
}

/// Answer to `Pending {}`.
#[cw_serde]
pub struct PendingResponse {
    /// The root; none when all are final.
    pub epoch: Option<EpochResponse>,
}

/// Answer to `Claimed {}`.
#[cw_serde]
pub struct ClaimedResponse {
    /// Base units.
    pub amount: Uint128,
}

/// Answer to `Balance {}`.
#[cw_serde]
pub struct BalanceResponse {
    /// One entry a denom, at most 8.
    pub amounts: Vec<Amount>,
}

/// Answer to `Connections {}`.
#[cw_serde]
pub struct ConnectionsResponse {
    /// The datanet contract; none before `Connect`.
    pub datanet: Option<String>,
    /// The referee.
    pub referee: Option<String>,
    /// The IBC gateway.
    pub gateway: Option<String>,
}

/// Answer to `Held {}`.
#[cw_serde]
pub struct HeldResponse {
    /// Fees held; zero when nothing is held.
    pub fees: Uint128,
    /// The data's part of them.
    pub data: Uint128,
    /// Whether the case was decided.
    pub decided: bool,
}

/// Answer to `Usage {}`.
#[cw_serde]
pub struct UsageResponse {
    /// Answers proved to rest on it.
    pub answers: u64,
    /// What they paid for it, in base units by denom; at most 8.
    pub earned: Vec<Amount>,
}
