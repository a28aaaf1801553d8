//! Why the escrow refuses.

use cosmwasm_std::{OverflowError, StdError, Uint128};
use openledger_contract::CommonError;
use openledger_types::formats::FormatError;
use thiserror::Error;

/// Refusals. Each says what to do where something can be done.
#[derive(Error, Debug)]
pub enum ContractError {
    /// From the standard library.
    #[error(transparent)]
    Std(#[from] StdError),
    /// That do not depend on the contract.
    #[error(transparent)]
    Common(#[from] CommonError),
    /// A field that has not its form.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// Checked maths; unreachable while the invariants hold, except for absurd amounts on entry.
    #[error(transparent)]
    Overflow(#[from] OverflowError),

    /// No such session.
    #[error("session {session_id} does not exist")]
    SessionNotFound {
        /// Session.
        session_id: u64,
    },
    /// The session does not name the node.
    #[error("session {session_id} does not name node {node_id}")]
    NodeNotInSession {
        /// Session.
        session_id: u64,
        /// Node.
        node_id: u64,
    },
    /// No such epoch.
    #[error("node {node_id} has posted no epoch {epoch} in {denom}")]
    EpochNotFound {
        /// Node.
        node_id: u64,
        /// Denom.
        denom: String,
        /// Epoch.
        epoch: u64,
    },

    /// New sessions cannot be opened in it.
    #[error("sessions cannot be opened in {denom}: see the config for the denoms allowed")]
    DenomNotAllowed {
        /// Denom.
        denom: String,
    },
    /// Not enough for opening fee and least deposit.
    #[error("send at least {least} base units: the opening fee and the least deposit")]
    DepositTooSmall {
        /// Opening fee and least deposit together.
        least: Uint128,
    },
    /// Nodes of a session.
    #[error("nodes refused: {reason}")]
    BadNodes {
        /// Rule that is broken.
        reason: &'static str,
    },
    /// Session key.
    #[error("the session key must be a compressed secp256k1 key of 33 bytes")]
    BadSessionKey {},
    /// Life of a session.
    #[error("a session lives 1 to {longest} blocks")]
    BadLife {
        /// Longest life.
        longest: u64,
    },
    /// A model version that sessions cannot use.
    #[error("model version refused: {reason}")]
    ModelUnsuitable {
        /// Why.
        reason: &'static str,
    },
    /// A node that sessions cannot use.
    #[error("node {node_id} refused: {reason}")]
    NodeUnsuitable {
        /// Node.
        node_id: u64,
        /// Why.
        reason: &'static str,
    },
    /// The end of the session has begun.
    #[error("the session is closing or over: open another one")]
    SessionClosing {},
    /// A refund before `RequestClose`.
    #[error("request the close first; the refund follows after the grace")]
    CloseNotRequested {},
    /// A refund before the grace is over.
    #[error("the grace runs: refund from height {from} on")]
    GraceRunning {
        /// First height of the refund.
        from: u64,
    },
    /// The refund was credited.
    #[error("the session is closed and refunded")]
    SessionClosed {},

    /// An empty, too long or unordered list.
    #[error("{list} refused: {reason}")]
    BadBatch {
        /// List.
        list: &'static str,
        /// Rule that is broken.
        reason: &'static str,
    },
    /// One settlement of a batch.
    #[error("session {session_id}: {source}")]
    InSession {
        /// Session.
        session_id: u64,
        /// Why.
        source: Box<ContractError>,
    },
    /// A document for something else.
    #[error("the {document} is for another {field}")]
    WrongDomain {
        /// Document.
        document: &'static str,
        /// Field that differs.
        field: &'static str,
    },
    /// A signature that is not the key's, or not in its one form.
    #[error("the signature of the {document} is not valid: 64 bytes, low s, by the key pinned at opening")]
    BadSignature {
        /// Document.
        document: &'static str,
    },
    /// Peaks that do not bag to what the client signed.
    #[error("acknowledged_peaks do not bag to the root that the voucher acknowledges")]
    WrongPeaks {},
    /// An acknowledgement of more than was asked.
    #[error("the voucher acknowledges more receipts than its sequence asked for")]
    WrongAcknowledgement {},
    /// More than k receipts without acknowledgement.
    #[error("at most {most} receipts may be pending: settle with a newer acknowledgement")]
    TooManyPending {
        /// k.
        most: u32,
    },
    /// A gap, a repeat or another order.
    #[error("expected the receipt of request {expected}, found {found}")]
    WrongSequence {
        /// Expected.
        expected: u64,
        /// Found.
        found: u64,
    },
    /// A receipt that does not answer its voucher's request.
    #[error("the receipt answers another request than its voucher asks")]
    RequestMismatch {},
    /// A seed that was not derived from the request.
    #[error("the receipt's seed does not follow from its request")]
    WrongSeed {},
    /// A receipt of another time.
    #[error("the receipt's height must lie between the opening and now")]
    WrongHeight {},
    /// A fee that does not follow from the tokens.
    #[error("the fee of the receipt must be {expected}")]
    WrongFee {
        /// Fee by tokens and pinned prices.
        expected: Uint128,
    },
    /// More than the client allowed.
    #[error("fees of {total} exceed the voucher's cumulative maximum")]
    AboveVoucher {
        /// Fees up to that voucher.
        total: Uint128,
    },
    /// More than the node's cap.
    #[error("fees of {total} exceed the node's cap in this session")]
    AboveCap {
        /// Fees of the whole log.
        total: Uint128,
    },
    /// The log adds nothing to what is settled.
    #[error("nothing new: {settled} is settled already")]
    NothingNew {
        /// Settled so far.
        settled: Uint128,
    },
    /// The log settled before is not a prefix.
    #[error("the log settled before is not a prefix of this one")]
    NotAnExtension {},
    /// Receipts under the least fee.
    #[error("{receipts} new receipts must be worth at least {least} base units")]
    FeesTooSmall {
        /// New receipts.
        receipts: u64,
        /// Least sum.
        least: Uint128,
    },
    /// The node came too late.
    #[error("the grace after RequestClose is over: the session cannot be settled any more")]
    GraceOver {},
    /// The commitment is not the one that follows.
    #[error("the commitment's {field} is not what it must be: {rule}")]
    WrongCommit {
        /// Field.
        field: &'static str,
        /// What it must be.
        rule: &'static str,
    },
    /// One unfinished root a node.
    #[error("the node's root is not final before height {final_at}: post the next one then")]
    RootPending {
        /// Height from which it can be final.
        final_at: u64,
    },
    /// A root that was voided.
    #[error("the root of epoch {epoch} is void: replace it with ReplaceEpoch")]
    RootVoid {
        /// Epoch.
        epoch: u64,
    },
    /// Somebody waits for chunks.
    #[error("{open} demands for chunks are open: answer them at the referee first")]
    RootDemanded {
        /// Open demands.
        open: u32,
    },
    /// Auditors have weight and did not attest.
    #[error("auditors have weight and have not attested the root: they attest it, or lose their weight")]
    NotAttested {},
    /// More waits than the bond covers.
    #[error("more waits than the bond covers: the root is final from height {final_at}, or once the bond is raised")]
    Exposed {
        /// Height from which the bond does not matter.
        final_at: u64,
    },
    /// A root that is final, void or another one.
    #[error("epoch {epoch} of node {node_id} is not the root that waits")]
    RootNotWaiting {
        /// Node.
        node_id: u64,
        /// Epoch.
        epoch: u64,
    },
    /// A root that is not final.
    #[error("epoch {epoch} of node {node_id} is not final")]
    RootNotFinal {
        /// Node.
        node_id: u64,
        /// Epoch.
        epoch: u64,
    },
    /// An abandoned root closed it.
    #[error("the ledger of node {node_id} in this denom is closed: it abandoned a root")]
    LedgerClosed {
        /// Node.
        node_id: u64,
    },
    /// The node may still replace its root.
    #[error("the node may replace its root until height {from}")]
    NotAbandoned {
        /// First height at which it counts as abandoned.
        from: u64,
    },
    /// Receipts of the root are held.
    #[error("{open} cases hold receipts of the root: wait until they are decided")]
    CasesOpen {
        /// Open cases.
        open: u32,
    },
    /// No contracts are connected.
    #[error("no datanet contract and referee are connected: the owner connects them")]
    NotConnected {},
    /// A statement that is not true.
    #[error("the conviction differs from the {what}")]
    ConvictionDiffers {
        /// What differs.
        what: &'static str,
    },
    /// A case's number is used.
    #[error("case {case_id} holds receipts already")]
    CaseExists {
        /// Case.
        case_id: u64,
    },
    /// No such case.
    #[error("case {case_id} holds no receipts")]
    CaseNotFound {
        /// Case.
        case_id: u64,
    },
    /// A case is decided once.
    #[error("case {case_id} was decided")]
    CaseDecided {
        /// Case.
        case_id: u64,
    },
    /// A receipt that cannot be held.
    #[error("receipt {position} cannot be held: {reason}")]
    ReceiptNotHeld {
        /// Position in the message, from 0.
        position: usize,
        /// Why.
        reason: &'static str,
    },
    /// More than is set aside for audits.
    #[error("{left} base units are left for audits of this epoch")]
    AuditSpent {
        /// What is left.
        left: Uint128,
    },
    /// A training receipt that does not hold it.
    #[error("item {position} is not in the training receipt")]
    NotTrained {
        /// Position in the message, from 0.
        position: usize,
    },
    /// No abandoned epoch settled the session, or the part went back.
    #[error("nothing to return to session {session_id}")]
    NothingToReturn {
        /// Session.
        session_id: u64,
    },
    /// A receipt that proves nothing.
    #[error("the receipt does not prove that it was left unsettled: {reason}")]
    NotUnsettled {
        /// Why.
        reason: &'static str,
    },
    /// One sweep an epoch.
    #[error("the commons were swept: again from height {from}")]
    SweptAlready {
        /// First height of the next sweep.
        from: u64,
    },
    /// Empty commons, or nobody to pay.
    #[error("nothing to sweep in {denom}: the commons are empty, or no answers became final since")]
    NothingToSweep {
        /// Denom.
        denom: String,
    },
    /// Uses are counted in order of epochs.
    #[error("uses are counted up to epoch {until}: prove a later one")]
    UsesCounted {
        /// Newest epoch counted.
        until: u64,
    },
    /// A reply to a message that was not sent so.
    #[error("reply {id} is unknown")]
    UnknownReply {
        /// Its number.
        id: u64,
    },
    /// Nothing to make final.
    #[error("node {node_id} has no root that waits")]
    NoPendingRoot {
        /// Node.
        node_id: u64,
    },

    /// A leaf that is not in the newest final ledger.
    #[error("claim {position}: the leaf is not in the newest final ledger of node {node_id}")]
    NotInLedger {
        /// Position in the message, from 0.
        position: usize,
        /// Node.
        node_id: u64,
    },
    /// More than was paid into the ledger.
    #[error("claim {position}: node {node_id}'s ledger was not funded for it")]
    AboveFunded {
        /// Position in the message, from 0.
        position: usize,
        /// Node.
        node_id: u64,
    },
    /// Nothing of the message was new.
    #[error("nothing to claim: every leaf has been credited already")]
    NothingToClaim {},
    /// Empty balances.
    #[error("nothing to withdraw in these denoms")]
    NothingToWithdraw {},
    /// More than the treasury has.
    #[error("the treasury holds {held} {denom} only")]
    TreasuryTooSmall {
        /// What it holds.
        held: Uint128,
        /// Denom.
        denom: String,
    },
}

/// What handlers return.
pub type ContractResult<T> = Result<T, ContractError>;
