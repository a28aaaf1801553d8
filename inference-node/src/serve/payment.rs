//! Payment of a request: the headers, and everything about a voucher that can be checked without
//! the journal (PROTOCOL S1).

use axum::http::{HeaderMap, HeaderValue};
use base64::prelude::{Engine as _, BASE64_STANDARD};
use cosmwasm_std::{HexBinary, Uint128};
use openledger_client::verify_digest;
use openledger_types::api::{
    PaymentOption, PaymentRequired, PaymentResponse, PaymentSignature, HEADER_SIGNATURE,
};
use openledger_types::formats::{request_hash, SignedReceipt, SignedVoucher};
use openledger_types::merkle::Hash;
use openledger_types::msg::escrow::{SessionNodeResponse, SessionResponse};
use openledger_types::signature::is_canonical;
use serde::Serialize;

use super::keys::SigningKeys;
use crate::fault::{Class, Fault, Result};

/// Most bytes of a payment header.
const MAX_HEADER: usize = 16 << 10;

const VOUCHER_ADVICE: &str = "Sign a new voucher for this session and node; nothing was charged.";

/// Who is paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payee {
    /// Chain id.
    pub chain_id: String,
    /// Address of the escrow.
    pub escrow: String,
    /// Node.
    pub node_id: u64,
    /// Key in force, as new sessions pin it.
    pub node_key: [u8; 33],
}

/// The voucher of a request; none when it carries no payment.
///
/// # Errors
/// `E-PAY-002` when the header cannot be read.
pub fn signature_header(headers: &HeaderMap) -> Result<Option<PaymentSignature>> {
    let Some(value) = headers.get(HEADER_SIGNATURE) else { return Ok(None) };
    let bad = |why: String| {
        Fault::invalid(
            "E-PAY-002",
            format!("the header {HEADER_SIGNATURE} cannot be read: {why}"),
            "Send base64 of the JSON of the voucher and its nonce.",
        )
    };
    if value.len() > MAX_HEADER {
        return Err(bad(format!("{} bytes, allowed are {MAX_HEADER}", value.len())));
    }
    let json = BASE64_STANDARD.decode(value.as_bytes()).map_err(|e| bad(e.to_string()))?;
    serde_json::from_slice(&json).map(Some).map_err(|e| bad(e.to_string()))
}

/// A document as the value of a header; none if it has not the form of one, which base64 always has.
pub fn header_value<T: Serialize>(document: &T) -> Option<HeaderValue> {
    HeaderValue::from_str(&BASE64_STANDARD.encode(serde_json::to_vec(document).ok()?)).ok()
}

/// The header of a paid answer.
pub fn response(receipt: &SignedReceipt) -> PaymentResponse {
    PaymentResponse { receipt_id: HexBinary::from(&receipt.receipt.digest()), receipt: receipt.clone() }
}

/// What an unpaid request is told.
pub fn required(payee: &Payee, error: String, prices: Option<Prices>) -> PaymentRequired {
    let accepts = prices
        .map(|p| PaymentOption {
            scheme: "batch-settlement".into(),
            network: format!("cosmos:{}", payee.chain_id),
            escrow: payee.escrow.clone(),
            node_id: payee.node_id,
            denom: p.denom,
            model_id: p.model_id,
            model_version: p.model_version,
            price_in: p.price_in,
            price_out: p.price_out,
            min_fee: p.min_fee,
            max_fee: p.max_fee,
        })
        .into_iter()
        .collect();
    PaymentRequired { x402_version: 2, error, accepts }
}

/// What a model version costs here.
#[derive(Debug, Clone, PartialEq)]
pub struct Prices {
    /// Denom.
    pub denom: String,
    /// Model.
    pub model_id: u64,
    /// Version.
    pub model_version: u32,
    /// Price of a prompt token, in base units.
    pub price_in: Uint128,
    /// Price of an answer token.
    pub price_out: Uint128,
    /// Least fee of an answer.
    pub min_fee: Uint128,
    /// Most that the request can cost, once it was read.
    pub max_fee: Option<Uint128>,
}

/// What a session pins of a node: cap, prices, key.
///
/// # Errors
/// `E-PAY-005` when the session does not name the node.
pub fn entry_of(session: &SessionResponse, node_id: u64) -> Result<&SessionNodeResponse> {
    session.nodes.iter().find(|n| n.node_id == node_id).ok_or_else(|| {
        Fault::invalid(
            "E-PAY-005",
            format!("session {} does not name node {node_id}", session.session_id),
            "Open a session that names this node.",
        )
    })
}

/// Checks a voucher against its session: domain, node, key, signature. Returns the node's entry.
///
/// # Errors
/// `E-PAY-003` other chain, escrow, node, session or denom; `-005` a session without this node or
/// with a key of it that is not held here; `-006` signature.
pub fn check_voucher<'a>(
    signed: &SignedVoucher,
    session: &'a SessionResponse,
    payee: &Payee,
    keys: &SigningKeys,
) -> Result<&'a SessionNodeResponse> {
    let voucher = &signed.voucher;
    let other = |field: &str, expected: &dyn std::fmt::Display| {
        Fault::invalid(
            "E-PAY-003",
            format!("the voucher is for another {field}; expected is {expected}"),
            VOUCHER_ADVICE,
        )
    };
    voucher.validate().map_err(|e| Fault::invalid("E-PAY-003", e.to_string(), VOUCHER_ADVICE))?;
    if voucher.chain_id != payee.chain_id {
        return Err(other("chain", &payee.chain_id));
    }
    if voucher.contract != payee.escrow {
        return Err(other("escrow", &payee.escrow));
    }
    if voucher.node_id != payee.node_id {
        return Err(other("node", &payee.node_id));
    }
    if voucher.session_id != session.session_id {
        return Err(other("session", &session.session_id));
    }
    if voucher.denom != session.denom {
        return Err(other("denom", &session.denom));
    }
    let entry = entry_of(session, payee.node_id)?;
    if keys.find(&entry.node_key).is_none() {
        return Err(Fault::invalid(
            "E-PAY-005",
            format!("session {} pinned a key of this node that is not held here", session.session_id),
            "Close the session and open a new one.",
        ));
    }
    let valid = is_canonical(&signed.signature)
        && verify_digest(&session.session_key, &voucher.digest(), &signed.signature);
    if !valid {
        return Err(Fault::new(
            Class::Unauthorized,
            "E-PAY-006",
            "the voucher's signature is not the session key's, or not in its one form (64 bytes, low s)",
            VOUCHER_ADVICE,
        ));
    }
    Ok(entry)
}

/// Checks that a voucher pays for these very bytes.
///
/// # Errors
/// `E-PAY-007` nonce or hash, `-009` a voucher that only acknowledges.
pub fn check_request(payment: &PaymentSignature, body: &[u8]) -> Result<Hash> {
    let nonce: Hash = payment.nonce.as_slice().try_into().map_err(|_| {
        Fault::invalid("E-PAY-007", "the nonce must have 32 bytes", "Draw 32 random bytes for each request.")
    })?;
    let voucher = &payment.voucher.voucher;
    if voucher.is_acknowledgement() {
        return Err(Fault::invalid(
            "E-PAY-009",
            "this voucher only acknowledges and pays for no request",
            "Send it to POST /v1/sessions/{id}/acknowledge.",
        ));
    }
    let hash = request_hash(body, &nonce);
    if voucher.request_hash.as_slice() != hash {
        return Err(Fault::invalid(
            "E-PAY-007",
            "the voucher pays for another body: its request hash is not that of the bytes sent and the nonce",
            "Hash the body exactly as it is sent.",
        ));
    }
    Ok(hash)
}

/// Refuses sessions whose end has begun.
///
/// # Errors
/// `E-PAY-008`.
pub fn check_open(session: &SessionResponse, height: u64, margin: u64) -> Result<()> {
    let over = if session.closed {
        "is closed"
    } else if session.close_requested_at.is_some() {
        "is closing"
    } else if height.saturating_add(margin) >= session.expires {
        "is at the end of its life"
    } else {
        return Ok(());
    };
    Err(Fault::new(
        Class::Payment,
        "E-PAY-008",
        format!("session {} {over}", session.session_id),
        "Open another session; what is unused of this one is refunded after its close.",
    ))
}
