//! Epochs, ledgers and their details (PROTOCOL L1-L4, L9).

use cosmwasm_schema::cw_serde;
use cosmwasm_std::{HexBinary, Uint128};
use openledger_merkle::{Hash, SumNode};

use super::{BlobRef, SignedReceipt, SumRoot};
use crate::encode::Preimage;

/// Whose leaf it is. The order of leaves is the order of kinds, then of addresses as bytes.
#[cw_serde]
#[derive(Eq, PartialOrd, Ord, Hash)]
pub enum Account {
    /// Shares without evidence.
    Commons,
    /// What rounding leaves of the data part; the commons' too.
    Dust,
    /// A contributor.
    Contributor(
        /// Address.
        String,
    ),
}

impl Account {
    /// The byte in the hash, and the first key of the order.
    pub fn code(&self) -> u8 {
        match self {
            Account::Commons => 0,
            Account::Dust => 1,
            Account::Contributor(_) => 2,
        }
    }

    /// The address; empty for the commons' leaves.
    pub fn address(&self) -> &str {
        match self {
            Account::Contributor(address) => address,
            _ => "",
        }
    }
}

/// What an account has earned with one node in one denom since the beginning.
#[cw_serde]
pub struct LedgerLeaf {
    /// Whose leaf.
    pub account: Account,
    /// Everything earned so far, in base units; never shrinks.
    pub cumulative: Uint128,
    /// Answers that paid it so far.
    pub uses: u64,
    /// Merkle-sum over [`detail_leaf`] of this epoch; its sum is the growth in this epoch (L3).
    pub detail: SumRoot,
}

impl LedgerLeaf {
    /// `openledger/ledger/1`: account code u8, address text, cumulative u128, uses u64, detail
    /// root, detail sum u128, detail count u64; worth the cumulative amount.
    pub fn leaf(&self) -> SumNode {
        let data = Preimage::new("openledger/ledger/1")
            .u8(self.account.code())
            .text(self.account.address())
            .u128(self.cumulative.u128())
            .u64(self.uses)
            .bytes(&self.detail.hash)
            .u128(self.detail.sum.u128())
            .u64(self.detail.count)
            .finish();
        SumNode::leaf(&data, self.cumulative.u128())
    }
}

/// One entry of a leaf's detail, sorted by (receipt id, contribution). The commons' entries have
/// contribution 0; the dust leaf has one entry with a receipt id of zeros.
#[cw_serde]
#[derive(Eq)]
pub struct Detail {
    /// Receipt (32 bytes).
    pub receipt_id: HexBinary,
    /// Contribution that earned it.
    pub contribution_id: u64,
    /// Amount in base units.
    pub amount: Uint128,
}

impl Detail {
    /// `openledger/detail/1`: receipt id, contribution u64, amount u128; worth the amount.
    pub fn leaf(&self) -> SumNode {
        let data = Preimage::new("openledger/detail/1")
            .bytes(&self.receipt_id)
            .u64(self.contribution_id)
            .u128(self.amount.u128())
            .finish();
        SumNode::leaf(&data, self.amount.u128())
    }
}

/// What `PostEpoch` commits (L2).
#[cw_serde]
pub struct EpochCommit {
    /// Chain id.
    pub chain_id: String,
    /// Address of the escrow.
    pub contract: String,
    /// Node.
    pub node_id: u64,
    /// Denom.
    pub denom: String,
    /// Number of the epoch within (node, denom), from 1.
    pub epoch: u64,
    /// Ledger of the previous final epoch; the empty tree before the first.
    pub previous: SumRoot,
    /// Receipts settled in this epoch, sorted by receipt id so that two neighbours prove an absence;
    /// worth their fees.
    pub receipts: SumRoot,
    /// The cumulative ledger after it.
    pub ledger: SumRoot,
    /// Bytes of the [`LedgerBlob`].
    pub leaves_blob: BlobRef,
    /// Bytes of the [`ReceiptsBlob`].
    pub receipts_blob: BlobRef,
}

impl EpochCommit {
    /// `openledger/epoch/1`: chain id text, contract text, node u64, denom text, epoch u64, then
    /// root, sum u128 and count u64 of previous, receipts and ledger, then root and length u64 of
    /// leaves blob and receipts blob.
    pub fn hash(&self) -> Hash {
        let mut p = Preimage::new("openledger/epoch/1")
            .text(&self.chain_id)
            .text(&self.contract)
            .u64(self.node_id)
            .text(&self.denom)
            .u64(self.epoch);
        for root in [&self.previous, &self.receipts, &self.ledger] {
            p = p.bytes(&root.hash).u128(root.sum.u128()).u64(root.count);
        }
        for blob in [&self.leaves_blob, &self.receipts_blob] {
            p = p.bytes(&blob.root).u64(blob.len);
        }
        p.hash()
    }
}

/// The document behind `leaves_blob`: every leaf in order, each with this epoch's details in order.
/// JSON; hashed as the bytes given.
#[cw_serde]
pub struct LedgerBlob {
    /// Leaves in the order of their accounts.
    pub leaves: Vec<LedgerEntry>,
}

/// A leaf with its details.
#[cw_serde]
pub struct LedgerEntry {
    /// The leaf.
    pub leaf: LedgerLeaf,
    /// Its details of this epoch.
    pub details: Vec<Detail>,
}

/// The document behind `receipts_blob`: the receipts in the order of their ids.
#[cw_serde]
pub struct ReceiptsBlob {
    /// Receipts with their signatures.
    pub receipts: Vec<SignedReceipt>,
}
