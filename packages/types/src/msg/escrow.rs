//! Messages of the payable escrow.

use cosmwasm_schema::{cw_serde, QueryResponses};
use cosmwasm_std::{HexBinary, Uint128};

use super::common::{Amount, InvariantsResponse, OwnershipAction, OwnershipResponse};
use crate::formats::{
    Account, BlobRef, EpochCommit, LedgerLeaf, SignedReceipt, SignedVoucher, SumRoot, SumStep,
};
use crate::money::Split;

/// Most nodes of one session (S1).
pub const MAX_NODES: usize = 4;
/// Most settlements of one `PostEpoch`.
pub const MAX_SETTLEMENTS: usize = 32;
/// Most claims of one message.
pub const MAX_CLAIMS: usize = 32;
/// Most denoms that sessions can be opened in.
pub const MAX_DENOMS: usize = 8;

/// What a session in one denom needs.
#[cw_serde]
pub struct DenomParams {
    /// Denom.
    pub denom: String,
    /// Least deposit after the opening fee, in base units.
    pub min_deposit: Uint128,
    /// Fee for opening, not refunded: at least the settlement's gas.
    pub open_fee: Uint128,
    /// Least fee of an answer.
    pub min_fee: Uint128,
}

/// Windows and bounds; every number is at least 1.
#[cw_serde]
pub struct Params {
    /// Denoms, at most 8, sorted, without repeats.
    pub denoms: Vec<DenomParams>,
    /// Blocks between `RequestClose` and the refund (G).
    pub grace_blocks: u64,
    /// Blocks of the challenge window.
    pub challenge_blocks: u64,
    /// Windows until a root without attestations is final (L6): 4.
    pub unattested_windows: u32,
    /// Longest life of a session, in blocks.
    pub max_session_blocks: u64,
    /// Most requests without acknowledgement (k).
    pub in_flight: u32,
}

/// Sets the contract up.
#[cw_serde]
pub struct InstantiateMsg {
    /// Owner: the governance account.
    pub owner: String,
    /// The model registry.
    pub model_registry: String,
    /// The node registry.
    pub node_registry: String,
    /// Windows and bounds.
    pub params: Params,
}

/// A node of a session and the most that it may be paid.
#[cw_serde]
pub struct NodeCap {
    /// Node.
    pub node_id: u64,
    /// Cap in base units.
    pub cap: Uint128,
}

/// A request that the client has not acknowledged: its voucher and the node's receipt.
#[cw_serde]
pub struct PendingReceipt {
    /// The request's voucher.
    pub voucher: SignedVoucher,
    /// The receipt for it.
    pub receipt: SignedReceipt,
}

/// One session of an epoch.
#[cw_serde]
pub struct Settlement {
    /// Session.
    pub session_id: u64,
    /// The voucher with the newest acknowledgement.
    pub voucher: SignedVoucher,
    /// Peaks of the acknowledged log, the tallest first; they bag to its root.
    pub acknowledged_peaks: Vec<SumStep>,
    /// Receipts after the acknowledged ones, in order of sequence without gaps, at most k.
    pub pending: Vec<PendingReceipt>,
    /// Proof that the log settled before is a prefix of the log settled now.
    pub consistency: Vec<SumStep>,
}

/// A leaf of a final ledger with its path.
#[cw_serde]
pub struct ClaimItem {
    /// Node.
    pub node_id: u64,
    /// Denom.
    pub denom: String,
    /// The leaf.
    pub leaf: LedgerLeaf,
    /// Its position.
    pub index: u64,
    /// Its path.
    pub path: Vec<SumStep>,
}

/// What can be done.
// A message lives once, in one call: the size of its largest form costs nothing.
#[allow(clippy::large_enum_variant)]
#[cw_serde]
pub enum ExecuteMsg {
    /// Opens a session. Funds: one allowed denom, the opening fee and the deposit. Model version,
    /// price, split, developer, node keys and operators are pinned (S3).
    OpenSession {
        /// Model.
        model_id: u64,
        /// Version.
        model_version: u32,
        /// Compressed secp256k1 key that signs vouchers (33 bytes).
        session_key: HexBinary,
        /// 1 to 4 nodes; caps together at most the deposit; sorted by node, without repeats.
        nodes: Vec<NodeCap>,
        /// Life in blocks; the longest when absent.
        blocks: Option<u64>,
    },
    /// Adds the funds to a session's deposit and to the cap of one of its nodes; extends nothing.
    TopUp {
        /// Session.
        session_id: u64,
        /// Node whose cap rises.
        node_id: u64,
    },
    /// Settles sessions and commits receipts and ledger (L2). Only by the node's operator or hot
    /// address as pinned by each session.
    PostEpoch {
        /// The commitment; its epoch, previous ledger, chain id and contract must be the next ones.
        commit: EpochCommit,
        /// Sessions in rising order, without repeats, at most 32.
        settlements: Vec<Settlement>,
    },
    /// Makes a root final whose windows are over. By anyone; claims do it too.
    Finalize {
        /// Node.
        node_id: u64,
    },
    /// Credits leaves of final ledgers to their accounts' balances (L10). By anyone, at most 32.
    Claim {
        /// The leaves.
        claims: Vec<ClaimItem>,
    },
    /// Pays the sender's balances out.
    Withdraw {
        /// Denoms, at most 8.
        denoms: Vec<String>,
    },
    /// Starts the end of a session. By its owner, by anyone after its life.
    RequestClose {
        /// Session.
        session_id: u64,
    },
    /// Credits the unused deposit to the session's owner, after the grace. By anyone.
    Refund {
        /// Session.
        session_id: u64,
    },
    /// Pays from the treasury. Only by the owner.
    SpendTreasury {
        /// Who receives.
        to: String,
        /// What.
        amount: Amount,
    },
    /// Changes windows and bounds for new sessions and roots. Only by the owner.
    UpdateParams {
        /// All of them.
        params: Params,
    },
    /// Stops or allows new sessions and top-ups, nothing else (A1). Only by the owner.
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

/// Carries the contract from one release to the next.
#[cw_serde]
pub struct MigrateMsg {}
