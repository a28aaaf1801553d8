//! The user's side of a session: vouchers and what was acknowledged.

use std::collections::BTreeMap;

use cosmwasm_std::{Addr, HexBinary, Uint128};
use openledger_merkle::{Frontier, SumNode, ZERO_HASH};
use openledger_types::formats::{request_hash, SignedReceipt, SignedVoucher, SumRoot, Voucher};

use crate::Key;

/// A session's owner with its key.
pub struct Client {
    /// Session.
    pub session_id: u64,
    /// Who opened it.
    pub owner: Addr,
    /// Key that signs vouchers.
    pub key: Key,
    pub(crate) chain_id: String,
    pub(crate) contract: String,
    pub(crate) denom: String,
    pub(crate) lines: BTreeMap<u64, Line>,
}

/// What passed between the client and one node.
#[derive(Default)]
pub(crate) struct Line {
    sequence: u64,
    cumulative_max: u128,
    log: Frontier<SumNode>,
}

impl Client {
    /// A voucher for a question that may cost `max_fee`.
    pub fn ask(&mut self, node_id: u64, question: &str, max_fee: u128) -> SignedVoucher {
        let line = self.lines.entry(node_id).or_default();
        line.sequence += 1;
        line.cumulative_max += max_fee;
        let hash = request_hash(question.as_bytes(), &ZERO_HASH);
        self.voucher(node_id, HexBinary::from(&hash))
    }

    /// A voucher that asks for nothing and acknowledges what was received.
    pub fn acknowledgement(&self, node_id: u64) -> SignedVoucher {
        self.voucher(node_id, HexBinary::from(&ZERO_HASH))
    }

    /// Takes a receipt into the log that the next vouchers acknowledge. Receipts come in order.
    pub fn acknowledge(&mut self, receipt: &SignedReceipt) {
        let line = self.lines.entry(receipt.receipt.node_id).or_default();
        assert_eq!(receipt.receipt.sequence, line.log.size() + 1, "receipts are acknowledged in order");
        line.log.push(receipt.receipt.leaf()).expect("sums stay below 2^128");
    }

    /// Signs a voucher, whatever it says: tests forge with it.
    pub fn sign(&self, voucher: Voucher) -> SignedVoucher {
        let signature = self.key.sign(&voucher.digest());
        SignedVoucher { voucher, signature }
    }

    fn voucher(&self, node_id: u64, request_hash: HexBinary) -> SignedVoucher {
        let empty = Line::default();
        let line = self.lines.get(&node_id).unwrap_or(&empty);
        let root = line.log.root().expect("sums stay below 2^128");
        self.sign(Voucher {
            chain_id: self.chain_id.clone(),
            contract: self.contract.clone(),
            session_id: self.session_id,
            node_id,
            sequence: line.sequence,
            denom: self.denom.clone(),
            request_hash,
            cumulative_max: Uint128::new(line.cumulative_max),
            acknowledged: SumRoot::new(root, line.log.size()),
        })
    }
}
