//! Requests, vouchers and receipts (PROTOCOL S1, S2, S5).

use cosmwasm_schema::cw_serde;
use cosmwasm_std::{HexBinary, Uint128};
use openledger_merkle::{leaf_hash, Hash, SumNode, ZERO_HASH};

use super::{hash32, FormatError, SumRoot, VersionRef};
use crate::encode::Preimage;

/// Most contributions that one receipt pays (S2).
pub const MAX_SHARES: usize = 64;

/// Basis points in a whole.
pub const BPS: u16 = 10_000;

/// Tokens in a window of the commitment.
pub const WINDOW: usize = 32;

/// `openledger/request/1`: the body's bytes as sent, the client's nonce (32 bytes). (S5)
pub fn request_hash(body: &[u8], nonce: &Hash) -> Hash {
    Preimage::new("openledger/request/1").bytes(body).bytes(nonce).hash()
}

/// `openledger/seed/1`: request hash, session u64, node u64, sequence u64. Fixed by what the client
/// signed, so a node cannot grind it. (S5)
pub fn seed(request_hash: &Hash, session_id: u64, node_id: u64, sequence: u64) -> Hash {
    Preimage::new("openledger/seed/1").bytes(request_hash).u64(session_id).u64(node_id).u64(sequence).hash()
}

/// The promise that pays for one request, signed by the session key before the answer (S1).
///
/// A voucher whose request hash is 32 zero bytes asks for nothing: it only acknowledges receipts.
#[cw_serde]
pub struct Voucher {
    /// Chain that the escrow lives on.
    pub chain_id: String,
    /// Address of the escrow.
    pub contract: String,
    /// Session.
    pub session_id: u64,
    /// Node that is asked.
    pub node_id: u64,
    /// Number of the request within (session, node), from 1.
    pub sequence: u64,
    /// Denom of the session.
    pub denom: String,
    /// See [`request_hash`] (32 bytes).
    pub request_hash: HexBinary,
    /// Most that all requests up to this one may cost, in base units.
    pub cumulative_max: Uint128,
    /// Log of the receipts that the client has received and checked: Merkle-sum over
    /// [`Receipt::leaf`] in order of sequence, from 1 without gaps.
    pub acknowledged: SumRoot,
}

impl Voucher {
    /// `openledger/voucher/1`: chain id text, contract text, session u64, node u64, sequence u64,
    /// denom text, request hash, cumulative maximum u128, acknowledged root, sum u128, count u64.
    pub fn digest(&self) -> Hash {
        Preimage::new("openledger/voucher/1")
            .text(&self.chain_id)
            .text(&self.contract)
            .u64(self.session_id)
            .u64(self.node_id)
            .u64(self.sequence)
            .text(&self.denom)
            .bytes(&self.request_hash)
            .u128(self.cumulative_max.u128())
            .bytes(&self.acknowledged.hash)
            .u128(self.acknowledged.sum.u128())
            .u64(self.acknowledged.count)
            .hash()
    }

    /// Whether it only acknowledges.
    pub fn is_acknowledgement(&self) -> bool {
        self.request_hash.as_slice() == ZERO_HASH
    }

    /// Refuses fields of a wrong length.
    pub fn validate(&self) -> Result<(), FormatError> {
        hash32("request_hash", &self.request_hash)?;
        hash32("acknowledged.hash", &self.acknowledged.hash)?;
        Ok(())
    }
}

/// How a token is chosen, as it stands in the receipt.
#[cw_serde]
#[derive(Copy, Eq)]
pub struct Decoding {
    /// Temperature in thousandths; 0 takes the likeliest token.
    pub temperature_milli: u32,
    /// Only the `top_k` likeliest tokens; 0 for all.
    pub top_k: u32,
    /// Only the likeliest tokens that together reach this probability, in thousandths; 1000 for all.
    pub top_p_milli: u32,
    /// Most tokens of the answer.
    pub max_tokens: u32,
}

/// How an answer ended.
#[cw_serde]
#[derive(Copy, Eq)]
pub enum Outcome {
    /// The model wrote its end-of-text token or a stop string.
    Stop,
    /// `max_tokens` or the context was reached.
    Length,
    /// The client left; what was delivered is paid.
    Cancelled,
}

impl Outcome {
    /// The byte in the receipt's hash.
    pub fn code(self) -> u8 {
        match self {
            Outcome::Stop => 1,
            Outcome::Length => 2,
            Outcome::Cancelled => 3,
        }
    }
}

/// What one contribution earns of an answer's data part.
#[cw_serde]
#[derive(Copy, Eq)]
pub struct Share {
    /// Contribution.
    pub contribution_id: u64,
    /// Basis points, 1 to 10,000.
    pub bps: u16,
}

/// Refuses shares that are not sorted, unique, at most 64 and, with `no_evidence`, exactly 10,000.
pub fn validate_shares(shares: &[Share], no_evidence: u16) -> Result<(), FormatError> {
    if shares.len() > MAX_SHARES {
        return Err(FormatError::Shares("more than 64"));
    }
    let mut total = u32::from(no_evidence);
    for (i, share) in shares.iter().enumerate() {
        if share.bps == 0 {
            return Err(FormatError::Shares("a share of nothing"));
        }
        if share.contribution_id == 0 {
            return Err(FormatError::Shares("contribution 0 does not exist"));
        }
        if i > 0 && shares[i - 1].contribution_id >= share.contribution_id {
            return Err(FormatError::Shares("not sorted by contribution, or one twice"));
        }
        total = total.saturating_add(u32::from(share.bps));
    }
    if total != u32::from(BPS) {
        return Err(FormatError::Shares("shares and no_evidence are not 10,000 together"));
    }
    Ok(())
}

/// What a node signs of every answer (S2).
#[cw_serde]
pub struct Receipt {
    /// Chain that the escrow lives on.
    pub chain_id: String,
    /// Address of the escrow.
    pub contract: String,
    /// Node that answered.
    pub node_id: u64,
    /// Session that pays.
    pub session_id: u64,
    /// Number of the request within (session, node).
    pub sequence: u64,
    /// Height at which the request was taken.
    pub height: u64,
    /// See [`request_hash`] (32 bytes).
    pub request_hash: HexBinary,
    /// Root over 1 KiB chunks of the answer's UTF-8 bytes (32 bytes).
    pub answer_root: HexBinary,
    /// Bytes of the answer.
    pub answer_len: u64,
    /// Model.
    pub model_id: u64,
    /// Its version.
    pub model_version: u32,
    /// Versions that the answer is traced in, as the manifest lists them.
    pub datanets: Vec<VersionRef>,
    /// Tokens of the prompt.
    pub tokens_in: u32,
    /// Tokens of the answer.
    pub tokens_out: u32,
    /// What the answer costs, in base units of the session's denom.
    pub fee: Uint128,
    /// How tokens were chosen.
    pub decoding: Decoding,
    /// See [`seed`] (32 bytes).
    pub seed: HexBinary,
    /// Scheme of the commitment, `none` with a root of zeros.
    pub commit_scheme: String,
    /// Root over the windows, see [`window_leaf`] (32 bytes).
    pub commit_root: HexBinary,
    /// Scheme of the influence signature, `none` with a root of zeros.
    pub signature_scheme: String,
    /// Root of the influence signature (32 bytes).
    pub signature_root: HexBinary,
    /// Root over the evidence of the shares (32 bytes), see the evidence formats.
    pub evidence_root: HexBinary,
    /// How it ended.
    pub outcome: Outcome,
    /// Who earns, sorted by contribution.
    pub shares: Vec<Share>,
    /// Basis points for which there is no evidence.
    pub no_evidence: u16,
}

impl Receipt {
    /// `openledger/receipt/1`: chain id text, contract text, node u64, session u64, sequence u64,
    /// height u64, request hash, answer root, answer length u64, model u64, version u32, datanets
    /// (one field: version hashes one after the other), tokens in u32, tokens out u32, fee u128,
    /// decoding (one field: four u32), seed, commit scheme text, commit root, signature scheme
    /// text, signature root, evidence root, outcome u8, shares (one field: u64 id ‖ u16 bps each),
    /// no_evidence u16. Its SHA-256 is what the node signs, and the receipt's id.
    pub fn digest(&self) -> Hash {
        let mut datanets = Vec::with_capacity(self.datanets.len() * 32);
        for version in &self.datanets {
            datanets.extend_from_slice(&version.hash());
        }
        let d = &self.decoding;
        let mut decoding = Vec::with_capacity(16);
        for value in [d.temperature_milli, d.top_k, d.top_p_milli, d.max_tokens] {
            decoding.extend_from_slice(&value.to_be_bytes());
        }
        let mut shares = Vec::with_capacity(self.shares.len() * 10);
        for share in &self.shares {
            shares.extend_from_slice(&share.contribution_id.to_be_bytes());
            shares.extend_from_slice(&share.bps.to_be_bytes());
        }
        Preimage::new("openledger/receipt/1")
            .text(&self.chain_id)
            .text(&self.contract)
            .u64(self.node_id)
            .u64(self.session_id)
            .u64(self.sequence)
            .u64(self.height)
            .bytes(&self.request_hash)
            .bytes(&self.answer_root)
            .u64(self.answer_len)
            .u64(self.model_id)
            .u32(self.model_version)
            .bytes(&datanets)
            .u32(self.tokens_in)
            .u32(self.tokens_out)
            .u128(self.fee.u128())
            .bytes(&decoding)
            .bytes(&self.seed)
            .text(&self.commit_scheme)
            .bytes(&self.commit_root)
            .text(&self.signature_scheme)
            .bytes(&self.signature_root)
            .bytes(&self.evidence_root)
            .u8(self.outcome.code())
            .bytes(&shares)
            .u16(self.no_evidence)
            .hash()
    }

    /// Leaf of a session's log and of an epoch's receipts tree.
    pub fn leaf(&self) -> SumNode {
        receipt_leaf(&self.digest(), self.session_id, self.sequence, self.fee.u128())
    }

    /// Refuses fields of a wrong length, shares of a wrong form and a root without its scheme.
    pub fn validate(&self) -> Result<(), FormatError> {
        hash32("request_hash", &self.request_hash)?;
        hash32("answer_root", &self.answer_root)?;
        hash32("seed", &self.seed)?;
        hash32("commit_root", &self.commit_root)?;
        hash32("signature_root", &self.signature_root)?;
        hash32("evidence_root", &self.evidence_root)?;
        for version in &self.datanets {
            hash32("datanets.root", &version.root)?;
        }
        for (scheme, root) in
            [(&self.commit_scheme, &self.commit_root), (&self.signature_scheme, &self.signature_root)]
        {
            if scheme == "none" && root.as_slice() != ZERO_HASH {
                return Err(FormatError::Shares("scheme none goes with 32 zero bytes"));
            }
        }
        validate_shares(&self.shares, self.no_evidence)
    }
}

/// `openledger/receipt-leaf/1`: receipt id, session u64, sequence u64, fee u128; worth the fee.
pub fn receipt_leaf(receipt_id: &Hash, session_id: u64, sequence: u64, fee: u128) -> SumNode {
    let data = Preimage::new("openledger/receipt-leaf/1")
        .bytes(receipt_id)
        .u64(session_id)
        .u64(sequence)
        .u128(fee)
        .finish();
    SumNode::leaf(&data, fee)
}

/// Leaf of the commitment: one window of at most 32 tokens.
///
/// `openledger/window/1`: request hash, window u32, token ids (one field: u32 each), the trace's
/// bytes as the scheme defines them.
pub fn window_leaf(request_hash: &Hash, window: u32, tokens: &[u32], trace: &[u8]) -> Hash {
    let mut ids = Vec::with_capacity(tokens.len() * 4);
    for token in tokens {
        ids.extend_from_slice(&token.to_be_bytes());
    }
    leaf_hash(
        &Preimage::new("openledger/window/1")
            .bytes(request_hash)
            .u32(window)
            .bytes(&ids)
            .bytes(trace)
            .finish(),
    )
}

/// Tokens as a dispute names them before they are shown.
///
/// `openledger/tokens/1`: token ids (one field: u32 each).
pub fn tokens_hash(tokens: &[u32]) -> Hash {
    let ids: Vec<u8> = tokens.iter().flat_map(|token| token.to_be_bytes()).collect();
    Preimage::new("openledger/tokens/1").bytes(&ids).hash()
}

/// A voucher with the session key's signature.
#[cw_serde]
pub struct SignedVoucher {
    /// The voucher.
    pub voucher: Voucher,
    /// Session key's signature over [`Voucher::digest`] (64 bytes).
    pub signature: HexBinary,
}

/// A receipt with the node key's signature.
#[cw_serde]
pub struct SignedReceipt {
    /// The receipt.
    pub receipt: Receipt,
    /// Node key's signature over [`Receipt::digest`] (64 bytes).
    pub signature: HexBinary,
}

/// What a node's signing key signs to be registered: it is held by this operator's node, on this chain.
///
/// `openledger/node-key/1`: chain id text, registry's address text, operator's address text, key.
pub fn node_key_digest(chain_id: &str, registry: &str, operator: &str, node_key: &[u8]) -> Hash {
    Preimage::new("openledger/node-key/1").text(chain_id).text(registry).text(operator).bytes(node_key).hash()
}
