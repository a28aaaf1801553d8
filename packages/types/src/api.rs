//! What node and client say to each other over HTTP (docs/api.md). JSON; bytes in hexadecimal unless
//! a field says base64.
//!
//! Payment follows the shape of x402 v2: an unpaid request is answered by 402 with the header
//! [`HEADER_REQUIRED`]; it is repeated with [`HEADER_SIGNATURE`]; the answer carries
//! [`HEADER_RESPONSE`] or, in a stream, a last event of object `openledger.receipt`. Every header is
//! base64 of the JSON below.

use cosmwasm_schema::cw_serde;
use cosmwasm_std::{Binary, HexBinary, Uint128};

use crate::formats::{SignedReceipt, SignedVoucher, SumRoot};

/// What a request costs and how to pay: [`PaymentRequired`].
pub const HEADER_REQUIRED: &str = "payment-required";
/// The voucher: [`PaymentSignature`].
pub const HEADER_SIGNATURE: &str = "payment-signature";
/// The receipt: [`PaymentResponse`].
pub const HEADER_RESPONSE: &str = "payment-response";

/// Number of the session that an unpaid request asks for: the prices in the 402 answer are then those
/// that the session pinned, not those of a new session.
pub const HEADER_SESSION: &str = "openledger-session";

/// Number of tokens after which a streamed answer ends as cancelled, when it did not end before. A client
/// that has received that many before a connection broke, and has gone on with another node, fetches and pays
/// no more than them. Counts for an answer that is not made yet; never raises `max_tokens`.
pub const HEADER_LEAVE_AFTER: &str = "openledger-leave-after";

/// Milliseconds after which a stream that has nothing else to say gives a sign of life. A node that does not send it
/// is of a release that gives one every second, and is waited for longer.
pub const HEADER_ALIVE: &str = "openledger-alive";

/// Header of a 402 answer.
#[cw_serde]
pub struct PaymentRequired {
    /// Version of x402 whose shape this follows: 2.
    pub x402_version: u32,
    /// What to do, in a sentence.
    pub error: String,
    /// Ways to pay.
    pub accepts: Vec<PaymentOption>,
}

/// One way to pay.
#[cw_serde]
pub struct PaymentOption {
    /// `batch-settlement`.
    pub scheme: String,
    /// `cosmos:<chain-id>`.
    pub network: String,
    /// Address of the escrow.
    pub escrow: String,
    /// Node to name in the session.
    pub node_id: u64,
    /// Denom of the prices.
    pub denom: String,
    /// Model.
    pub model_id: u64,
    /// Version.
    pub model_version: u32,
    /// Price of a prompt token, in base units.
    pub price_in: Uint128,
    /// Price of an answer token, in base units.
    pub price_out: Uint128,
    /// Least fee of an answer, in base units.
    pub min_fee: Uint128,
    /// Most that this very request can cost, when the body could be read.
    pub max_fee: Option<Uint128>,
}

/// Header of a paid request.
#[cw_serde]
pub struct PaymentSignature {
    /// The voucher; its request hash covers the body and the nonce.
    pub voucher: SignedVoucher,
    /// 32 bytes drawn by the client for this request.
    pub nonce: HexBinary,
}

/// Header of a paid answer.
#[cw_serde]
pub struct PaymentResponse {
    /// Receipt's id (32 bytes).
    pub receipt_id: HexBinary,
    /// The receipt.
    pub receipt: SignedReceipt,
}

/// Everything from which a third party verifies an answer, given chain and public blobs. Answer to
/// `GET /v1/receipts/{id}`.
#[cw_serde]
pub struct AnswerBundle {
    /// The receipt.
    pub receipt: SignedReceipt,
    /// The voucher that paid for it.
    pub voucher: SignedVoucher,
    /// Path of the endpoint: `/v1/completions` or `/v1/chat/completions`.
    pub endpoint: String,
    /// The request's body as sent (base64).
    pub body: Binary,
    /// The client's nonce (32 bytes).
    pub nonce: HexBinary,
    /// The answer.
    pub answer: String,
    /// Token ids of the answer.
    pub tokens: Vec<u32>,
    /// The commitment's trace, one record a token, as the scheme defines it (base64).
    pub trace: Binary,
    /// The evidence of the shares.
    pub evidence: Vec<EvidencePiece>,
    /// The influence signature, as its format says (base64); empty with signature scheme `none`.
    #[serde(default)]
    pub signature: Binary,
}

/// A piece of evidence, see `formats::Piece`.
#[cw_serde]
pub struct EvidencePiece {
    /// First byte in the answer's match text.
    pub answer_start: u64,
    /// Bytes.
    pub len: u32,
    /// Contribution.
    pub contribution_id: u64,
    /// First byte in the contribution's match text.
    pub source_start: u64,
}

/// Answer to `GET /v1/sessions/{id}`: where a session stands with this node.
#[cw_serde]
pub struct SessionState {
    /// Session.
    pub session_id: u64,
    /// Node.
    pub node_id: u64,
    /// Requests taken so far.
    pub taken: u64,
    /// Log of the receipts signed so far.
    pub log: SumRoot,
    /// Newest acknowledged voucher that the node holds: receipts acknowledged.
    pub acknowledged: u64,
    /// Receipts by sequence, from the query's `from` on, at most 100.
    pub receipts: Vec<SignedReceipt>,
}

/// Answer to `POST /v1/replay`, whose body is an [`AnswerBundle`].
#[cw_serde]
pub struct ReplayResponse {
    /// Whether everything that was computed again is as the receipt says.
    pub holds: bool,
    /// A line for each thing that is not.
    pub failures: Vec<String>,
}

/// Answer to `POST /v1/sessions/{id}/settle`.
#[cw_serde]
pub struct SettleResponse {
    /// Whether this call posted an epoch; if not, why in `note`.
    pub posted: bool,
    /// The epoch that covers the session's receipts, when there is one.
    pub epoch: Option<u64>,
    /// Transaction, when this call posted it.
    pub tx: Option<String>,
    /// Height from which the epoch can be final.
    pub final_at: Option<u64>,
    /// What to know.
    pub note: String,
}

/// Answer to `GET /v1/node`: who answers here.
#[cw_serde]
pub struct NodeInfo {
    /// Number in the registry.
    pub node_id: u64,
    /// Chain.
    pub chain_id: String,
    /// Escrow.
    pub escrow: String,
    /// Key that signs receipts (33 bytes).
    pub node_key: HexBinary,
    /// Release.
    pub version: String,
    /// Models that are ready: (model, version).
    pub models: Vec<(u64, u32)>,
    /// How busy it is now; none from nodes of older releases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<Capacity>,
    /// Newest height of its chain that it has seen; none from nodes of older releases, and before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u64>,
}

/// How busy a node is at one moment. What a node says; a client that is refused all the same goes elsewhere.
#[cw_serde]
pub struct Capacity {
    /// Answers made at once.
    pub together: u32,
    /// Requests that may wait beside them.
    pub queue: u32,
    /// Further requests that would be taken now; 0 while the node stops.
    pub free: u32,
}

/// Body of every error, in OpenAI's form.
#[cw_serde]
pub struct ErrorBody {
    /// The error.
    pub error: ErrorDetail,
}

/// An error that says what to do.
#[cw_serde]
pub struct ErrorDetail {
    /// What happened and what to do.
    pub message: String,
    /// Class, as OpenAI names it: `invalid_request_error`, `payment_required`, …
    pub r#type: String,
    /// Stable code: `E-NODE-…`.
    pub code: String,
    /// Whether the same request may succeed later.
    pub retryable: bool,
}
