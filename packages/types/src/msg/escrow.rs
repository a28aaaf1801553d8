//! Messages of the payable escrow.

mod query;

use cosmwasm_schema::cw_serde;
use cosmwasm_std::{HexBinary, Uint128};

pub use self::query::*;
pub use super::claims::{ClaimItem, Claims};
use super::common::{Amount, OwnershipAction};
use crate::faults::Conviction;
use crate::formats::{Detail, EpochCommit, LedgerLeaf, SignedReceipt, SignedVoucher};
use crate::packed::SumPath;

/// Most nodes of one session (S1).
pub const MAX_NODES: usize = 4;
/// Most settlements of one `PostEpoch`.
pub const MAX_SETTLEMENTS: usize = 32;
/// Most claims of one message.
pub const MAX_CLAIMS: usize = 32;
/// Most denoms that sessions can be opened in.
pub const MAX_DENOMS: usize = 8;
/// Most receipts that one case holds.
pub const MAX_HELD: usize = 16;
/// Most datanets that one sweep of the commons pays.
pub const MAX_SWEPT: usize = 16;
/// Most accounts of one `DrawAccrued`.
pub const MAX_DRAWS: usize = 20;
/// Most details of one proof of uses.
pub const MAX_DETAILS: usize = 32;

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
    /// Blocks of an epoch: a node posts at most one root in it for long, and the commons are swept
    /// once in it (I1).
    pub epoch_blocks: u64,
    /// Epochs without a valid root in place of a void one until anyone closes the node's ledger (E of
    /// L8).
    pub abandoned_epochs: u32,
    /// Part of the protocol's part that pays audits, in basis points, at most 5,000 (F4, I2).
    pub audit_bps: u16,
    /// Part of the bond that an abandoned node, or one that left receipts unsettled, loses, in basis
    /// points.
    pub abandoned_cut_bps: u16,
    /// Part of a bond up to which value may wait under a root that is not final, in basis points, at
    /// most 5,000 (F5).
    pub exposure_bps: u16,
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
    /// The contracts that are believed from the first block on, as `Connect` names them; their
    /// addresses are known before they exist (instantiate2).
    #[serde(default)]
    pub connect: Option<Connections>,
}

/// The contracts that are believed, see `Connect`.
#[cw_serde]
pub struct Connections {
    /// The datanet contract.
    pub datanet: String,
    /// The referee.
    pub referee: String,
    /// The IBC gateway.
    #[serde(default)]
    pub gateway: Option<String>,
}

/// What an account gives to the gateway.
#[cw_serde]
pub struct Draw {
    /// Account.
    pub account: String,
    /// Base units, at most its balance, not zero.
    pub amount: Uint128,
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
    pub acknowledged_peaks: SumPath,
    /// Receipts after the acknowledged ones, in order of sequence without gaps, at most k.
    pub pending: Vec<PendingReceipt>,
    /// Proof that the log settled before is a prefix of the log settled now.
    pub consistency: SumPath,
}

/// A detail of a leaf with its place.
#[cw_serde]
pub struct DetailItem {
    /// The detail.
    pub detail: Detail,
    /// Its position in the leaf's detail tree.
    pub index: u64,
    /// Its path.
    pub path: SumPath,
}

/// A receipt that a case holds, with its place in the epoch's receipts tree.
#[cw_serde]
pub struct HeldReceipt {
    /// Receipt's id (32 bytes).
    pub receipt_id: HexBinary,
    /// Session.
    pub session_id: u64,
    /// Sequence.
    pub sequence: u64,
    /// Fee.
    pub fee: Uint128,
    /// Position.
    pub index: u64,
    /// Path.
    pub path: SumPath,
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
    /// Opens a session as `OpenSession` does, for another owner. The gateway may start its end, too.
    /// The answer's data is the session's number as 8 bytes, big-endian. Only by the gateway.
    OpenSessionFor {
        /// Who owns the session and gets the refund.
        owner: String,
        /// Model.
        model_id: u64,
        /// Version.
        model_version: u32,
        /// Compressed secp256k1 key that signs vouchers (33 bytes).
        session_key: HexBinary,
        /// As in `OpenSession`.
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
    /// Marks the root of a node as attested: two thirds of the audit weight hold its blobs (L6). Only
    /// by the referee.
    Attest {
        /// Node.
        node_id: u64,
        /// Denom.
        denom: String,
        /// Epoch.
        epoch: u64,
    },
    /// Counts an open demand for a chunk against a root that is not final, or one less; while any is
    /// open the root is not final (L6). Only by the referee.
    HoldRoot {
        /// Node.
        node_id: u64,
        /// Denom.
        denom: String,
        /// Epoch.
        epoch: u64,
        /// Whether a demand was opened; else one was answered.
        open: bool,
    },
    /// Voids a root that is not final (L6, L7). Only by the referee.
    VoidRoot {
        /// Node.
        node_id: u64,
        /// Denom.
        denom: String,
        /// Epoch.
        epoch: u64,
        /// Why, at most 128 bytes.
        reason: String,
    },
    /// Confirms what a one-step proof says of this contract's state and voids the root that it
    /// names, when that is not final yet; refuses when anything differs. Only by the referee.
    Convict {
        /// What to confirm.
        conviction: Conviction,
    },
    /// Takes the parts of receipts out of a root that is not final until a case is decided (F2). The
    /// contract checks that each receipt stands in the root. Only by the referee.
    HoldReceipts {
        /// Case.
        case_id: u64,
        /// Node.
        node_id: u64,
        /// Denom.
        denom: String,
        /// Epoch.
        epoch: u64,
        /// Receipts with their places in the receipts tree, at most 16, of one session each.
        receipts: Vec<HeldReceipt>,
    },
    /// Decides about held receipts. Not guilty: their parts go where they would have gone. Guilty
    /// while the root is not final: the fees return to the session, the root is void. Guilty after:
    /// the payer gets all parts but the data's back, which the final ledger has promised. Only by
    /// the referee.
    DecideReceipts {
        /// Case.
        case_id: u64,
        /// Verdict.
        guilty: bool,
    },
    /// Pays an auditor from the part of a final epoch's fees that is set aside for audits (F4). Only
    /// by the referee.
    PayAudit {
        /// Node whose epoch was audited.
        node_id: u64,
        /// Denom.
        denom: String,
        /// Epoch.
        epoch: u64,
        /// Who receives.
        to: String,
        /// Base units; with what was paid before at most the epoch's audit part.
        amount: Uint128,
    },
    /// Posts a root in place of a void one (L7): same receipts, fees and data part, less what verdicts
    /// took out. Only by who could post the void one.
    ReplaceEpoch {
        /// The commitment; its epoch is the next number, its previous ledger the newest final one.
        commit: EpochCommit,
    },
    /// Closes the ledger of a node whose void root was not replaced within E epochs (L8): the data
    /// part becomes a pot shared by the training receipts of the models, the node's part returns to
    /// the payers, the bond is cut. By anyone.
    CloseAbandoned {
        /// Node.
        node_id: u64,
    },
    /// Credits contributors from the pot of an abandoned epoch, by the training receipt of a model
    /// version: floor(pot x times seen / all times). By anyone; at most 32 leaves.
    ClaimAbandoned {
        /// Node.
        node_id: u64,
        /// Denom.
        denom: String,
        /// Epoch.
        epoch: u64,
        /// Model.
        model_id: u64,
        /// Version.
        model_version: u32,
        /// Datanet.
        datanet_id: u64,
        /// Leaves.
        items: Vec<super::datanet::TrainingItem>,
    },
    /// Returns the node's part of an abandoned epoch to the owner of a session that it settled. By
    /// anyone, once a session.
    RefundAbandoned {
        /// Session.
        session_id: u64,
        /// Node.
        node_id: u64,
    },
    /// Convicts a node that signed a receipt and let the session end without settling it (S4): its
    /// bond is cut. By anyone, once per session and node.
    ProveUnsettled {
        /// The receipt.
        receipt: SignedReceipt,
    },
    /// Empties the commons of a denom, once an epoch (I1): half is burned, half goes to the storage
    /// deposits of the datanets whose models were used since, pro rata; foreign denoms go wholly
    /// there. By anyone; pays at most 16 datanets, the rest waits for the next call.
    SweepCommons {
        /// Denom.
        denom: String,
    },
    /// Counts answer uses of a contribution that a final ledger proves (use counters move no money).
    /// All details of that contribution in the epoch belong into one message. By anyone.
    ProveUses {
        /// Node.
        node_id: u64,
        /// Denom.
        denom: String,
        /// A final epoch, later than any counted before for this contribution, node and denom.
        epoch: u64,
        /// Contribution.
        contribution_id: u64,
        /// The contributor's leaf.
        leaf: LedgerLeaf,
        /// Its position.
        index: u64,
        /// Its path.
        path: SumPath,
        /// Details of the contribution in rising order of positions, at most 32.
        details: Vec<DetailItem>,
    },
    /// Names the contracts that are believed. Only by the owner.
    Connect {
        /// The datanet contract.
        datanet: String,
        /// The referee.
        referee: String,
    },
    /// Names the IBC gateway, which may draw balances and open sessions for others; none to believe
    /// none. Only by the owner.
    ConnectGateway {
        /// The gateway.
        gateway: Option<String>,
    },
    /// Makes a root final whose windows are over. By anyone; claims do it too.
    Finalize {
        /// Node.
        node_id: u64,
    },
    /// Credits leaves of final ledgers to their accounts' balances (L10). By anyone, at most 32.
    Claim {
        /// The leaves.
        claims: Claims,
    },
    /// Pays the sender's balances out.
    Withdraw {
        /// Denoms, at most 8.
        denoms: Vec<String>,
    },
    /// Pays balances of accounts to the gateway, which sends them on as these accounts asked it to. Only
    /// by the gateway.
    DrawAccrued {
        /// Denom.
        denom: String,
        /// 1 to 20 accounts, none twice.
        draws: Vec<Draw>,
    },
    /// Starts the end of a session. By its owner, by the gateway that opened it for one, by anyone
    /// after its life.
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

/// Carries the contract from one release to the next.
#[cw_serde]
pub struct MigrateMsg {}
