//! Checks of an answer that need no model and no data: signatures, hashes, prices, form. Pure; made
//! before a client acknowledges an answer, and again by every verifier.

use cosmwasm_std::{HexBinary, Uint128};
use openledger_attribution::influence::Signature;
use openledger_attribution::Evidence;
use openledger_client::verify_digest;
use openledger_merkle::ZERO_HASH;
use openledger_node::recompute::check_answer;
pub use openledger_node::recompute::{Check, Checks};
use openledger_types::api::AnswerBundle;
use openledger_types::formats::{Piece, VersionRef};
use openledger_types::money::answer_fee;
use openledger_types::signature::is_canonical;

/// What chain and client know of the session, against which a bundle is checked.
#[derive(Clone, Debug)]
pub struct Pins {
    /// Chain id.
    pub chain_id: String,
    /// Escrow.
    pub contract: String,
    /// Session.
    pub session_id: u64,
    /// Denom.
    pub denom: String,
    /// Key that signs vouchers.
    pub session_key: HexBinary,
    /// Node.
    pub node_id: u64,
    /// Key that signs its receipts.
    pub node_key: HexBinary,
    /// Model.
    pub model_id: u64,
    /// Version.
    pub model_version: u32,
    /// Versions that the model rests on.
    pub datanets: Vec<VersionRef>,
    /// Price of a prompt token.
    pub price_in: u128,
    /// Price of an answer token.
    pub price_out: u128,
    /// Least fee.
    pub min_fee: u128,
}

impl Pins {
    /// Puts together what the contracts say of a session, one of its nodes and its model version.
    pub fn new(
        chain_id: &str,
        contract: &str,
        session: &openledger_types::msg::escrow::SessionResponse,
        node: &openledger_types::msg::escrow::SessionNodeResponse,
        version: &openledger_types::msg::model_registry::ModelVersionResponse,
    ) -> Self {
        Pins {
            chain_id: chain_id.into(),
            contract: contract.into(),
            session_id: session.session_id,
            denom: session.denom.clone(),
            session_key: session.session_key.clone(),
            node_id: node.node_id,
            node_key: node.node_key.clone(),
            model_id: session.model_id,
            model_version: session.model_version,
            datanets: version.datanets.clone(),
            price_in: node.price_in.u128(),
            price_out: node.price_out.u128(),
            min_fee: session.min_fee.u128(),
        }
    }
}

/// All checks of a bundle against the session's pins.
pub fn check_bundle(pins: &Pins, bundle: &AnswerBundle) -> Vec<Check> {
    let mut checks = Checks::default();
    let (receipt, voucher) = (&bundle.receipt.receipt, &bundle.voucher.voucher);
    let form = receipt.validate().and_then(|()| voucher.validate());
    checks.add("form of receipt and voucher", form.is_ok(), || {
        form.map_err(|e| e.to_string()).err().unwrap_or_default()
    });
    checks.add(
        "voucher signed by the session key",
        is_canonical(&bundle.voucher.signature)
            && verify_digest(&pins.session_key, &voucher.digest(), &bundle.voucher.signature),
        || "the signature does not belong to this voucher and key".into(),
    );
    checks.add(
        "receipt signed by the node key",
        is_canonical(&bundle.receipt.signature)
            && verify_digest(&pins.node_key, &receipt.digest(), &bundle.receipt.signature),
        || "the signature does not belong to this receipt and key".into(),
    );
    checks.add(
        "chain, escrow, session and node",
        receipt.chain_id == pins.chain_id
            && receipt.contract == pins.contract
            && receipt.session_id == pins.session_id
            && receipt.node_id == pins.node_id
            && voucher.chain_id == pins.chain_id
            && voucher.contract == pins.contract
            && voucher.session_id == pins.session_id
            && voucher.node_id == pins.node_id
            && voucher.denom == pins.denom
            && voucher.sequence == receipt.sequence,
        || "receipt or voucher name others than the chain".into(),
    );
    checks.add(
        "model version and data versions",
        receipt.model_id == pins.model_id
            && receipt.model_version == pins.model_version
            && receipt.datanets == pins.datanets,
        || format!("the receipt names {}:{}", receipt.model_id, receipt.model_version),
    );
    check_answer(&mut checks, bundle);
    let pieces: Vec<Piece> = bundle
        .evidence
        .iter()
        .map(|p| Piece {
            answer_start: p.answer_start,
            len: p.len,
            contribution_id: p.contribution_id,
            source_start: p.source_start,
        })
        .collect();
    let evidence = Evidence::from_parts(&openledger_ingest::match_text(&bundle.answer), &pieces);
    checks.add("evidence root", receipt.evidence_root.as_slice() == evidence.root(), || {
        "the evidence is not the one that was signed".into()
    });
    let signature = Signature::parse(&bundle.signature);
    checks.add(
        "signature root",
        match receipt.signature_scheme.as_str() {
            "none" => bundle.signature.is_empty() && receipt.signature_root.as_slice() == ZERO_HASH,
            scheme => signature.is_ok_and(|s| receipt.signature_root.as_slice() == s.root(scheme)),
        },
        || "the influence signature is not the one that was signed".into(),
    );
    let fee = answer_fee(receipt.tokens_in, receipt.tokens_out, pins.price_in, pins.price_out, pins.min_fee);
    checks.add("fee by the pinned prices", fee == Some(receipt.fee.u128()), || {
        format!("{} instead of {}", receipt.fee, fee.map(Uint128::new).unwrap_or_default())
    });
    let room = voucher.cumulative_max.checked_sub(voucher.acknowledged.sum);
    checks.add("fee within the voucher (S1)", room.is_ok_and(|room| receipt.fee <= room), || {
        format!("{} is more than was promised", receipt.fee)
    });
    checks.0
}
