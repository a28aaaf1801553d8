//! What the escrow states of a session.

use cosmwasm_schema::cw_serde;
use cosmwasm_std::{HexBinary, Uint128};
use openledger_merkle::Hash;

use crate::encode::Preimage;
use crate::formats::SumRoot;

/// What the escrow knows of a session and one of its nodes, as far as faults need it. Answer to the
/// escrow's `Facts`.
#[cw_serde]
pub struct SessionFacts {
    /// Session.
    pub session_id: u64,
    /// Node.
    pub node_id: u64,
    /// Key that signs its receipts (33 bytes), pinned.
    pub node_key: HexBinary,
    /// Denom.
    pub denom: String,
    /// Model.
    pub model_id: u64,
    /// Version.
    pub model_version: u32,
    /// [`datanets_hash`] of the model's datanet versions, pinned (32 bytes; zeros for sessions of the
    /// first release, which pinned none).
    pub datanets_hash: HexBinary,
    /// Price of a prompt token, pinned.
    pub price_in: Uint128,
    /// Price of an answer token, pinned.
    pub price_out: Uint128,
    /// Least fee of an answer, pinned.
    pub min_fee: Uint128,
    /// Least fee for each token of an answer, pinned (D5).
    pub floor_per_token: Uint128,
    /// The data's part of a fee, in basis points, pinned.
    pub data_bps: u16,
    /// Height of the opening.
    pub opened_at: u64,
    /// Log of the receipts settled so far.
    pub log: SumRoot,
    /// Receipts that were settled before the newest settlement.
    pub settled_from: u64,
    /// Epoch whose root holds the newest settlement, of this node in the session's denom; 0 before the
    /// first. When that root was void and replaced, the one that replaced it.
    pub settled_epoch: u64,
}

impl SessionFacts {
    /// `openledger/session-facts/1`: session u64, node u64, key, denom text, model u64, version u32,
    /// datanets hash, price in u128, price out u128, least fee u128, floor u128, data u16, opened
    /// u64, log root, sum u128 and count u64, settled from u64, settled epoch u64.
    pub fn hash(&self) -> Hash {
        Preimage::new("openledger/session-facts/1")
            .u64(self.session_id)
            .u64(self.node_id)
            .bytes(&self.node_key)
            .text(&self.denom)
            .u64(self.model_id)
            .u32(self.model_version)
            .bytes(&self.datanets_hash)
            .u128(self.price_in.u128())
            .u128(self.price_out.u128())
            .u128(self.min_fee.u128())
            .u128(self.floor_per_token.u128())
            .u16(self.data_bps)
            .u64(self.opened_at)
            .bytes(&self.log.hash)
            .u128(self.log.sum.u128())
            .u64(self.log.count)
            .u64(self.settled_from)
            .u64(self.settled_epoch)
            .hash()
    }
}

/// Hash of the datanet versions that a session pins.
///
/// `openledger/datanets/1`: version hashes one after the other (one field).
pub fn datanets_hash(versions: &[crate::formats::VersionRef]) -> Hash {
    let mut field = Vec::with_capacity(versions.len() * 32);
    for version in versions {
        field.extend_from_slice(&version.hash());
    }
    Preimage::new("openledger/datanets/1").bytes(&field).hash()
}
