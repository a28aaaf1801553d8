//! What a user's client keeps: per node the number of requests, the money promised and the log of
//! receipts it has checked.

use std::collections::BTreeMap;

use cosmwasm_std::{HexBinary, Uint128};
use openledger_merkle::{Frontier, SumNode, ZERO_HASH};
use openledger_types::formats::{request_hash, SignedReceipt, SignedVoucher, SumRoot, Voucher};

use super::Key;

/// One session's client.
#[derive(Clone, Debug)]
pub struct Client {
    pub chain_id: String,
    pub contract: String,
    pub session_id: u64,
    pub denom: String,
    pub key: Key,
    pub lanes: BTreeMap<u64, Lane>,
}

/// What runs per node.
#[derive(Clone, Debug, Default)]
pub struct Lane {
    pub sequence: u64,
    pub promised: u128,
    pub log: Frontier<SumNode>,
}

impl Client {
    /// A voucher for the next request, which may cost `allowance`.
    pub fn ask(&mut self, node_id: u64, allowance: u128) -> SignedVoucher {
        let lane = self.lanes.entry(node_id).or_default();
        lane.sequence += 1;
        lane.promised += allowance;
        let nonce = [lane.sequence as u8; 32];
        let hash = request_hash(b"{\"prompt\":\"why\"}", &nonce);
        self.sign(self.voucher(node_id, HexBinary::from(&hash)))
    }

    /// Takes a receipt into the log.
    pub fn receive(&mut self, node_id: u64, receipt: &SignedReceipt) {
        let lane = self.lanes.entry(node_id).or_default();
        assert_eq!(receipt.receipt.sequence, lane.log.size() + 1);
        lane.log.push(receipt.receipt.leaf()).unwrap();
    }

    /// A voucher that only acknowledges.
    pub fn acknowledge(&self, node_id: u64) -> SignedVoucher {
        self.sign(self.voucher(node_id, HexBinary::from(&ZERO_HASH)))
    }

    /// A voucher of the state that the lane is in, not signed.
    pub fn voucher(&self, node_id: u64, request_hash: HexBinary) -> Voucher {
        let lane = self.lanes.get(&node_id).cloned().unwrap_or_default();
        Voucher {
            chain_id: self.chain_id.clone(),
            contract: self.contract.clone(),
            session_id: self.session_id,
            node_id,
            sequence: lane.sequence,
            denom: self.denom.clone(),
            request_hash,
            cumulative_max: Uint128::new(lane.promised),
            acknowledged: SumRoot::new(lane.log.root().unwrap(), lane.log.size()),
        }
    }

    /// Signs with the session key.
    pub fn sign(&self, voucher: Voucher) -> SignedVoucher {
        SignedVoucher { signature: self.key.sign(&voucher.digest()), voucher }
    }
}
