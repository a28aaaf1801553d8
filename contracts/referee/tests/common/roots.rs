//! What roots commit and cases are about: blobs, receipts, subjects.

use cosmwasm_std::{Binary, HexBinary, Uint128};
use openledger_merkle::{chunk_path, Hash, SumNode, Tree, BLOB_CHUNK};
use openledger_types::formats::receipt_leaf;
use openledger_types::msg::escrow::HeldReceipt;
use openledger_types::msg::referee::{BlobKind, ContributionClaim, ReceiptFault, Subject};

use super::suite::{COPY, NODE, OPEN, ORIGINAL};

/// The leaves blob: three chunks, the last one short.
pub fn leaves_blob() -> Vec<u8> {
    (0..2 * BLOB_CHUNK + 777).map(|i| (i % 251) as u8).collect()
}

/// The receipts blob: two whole chunks.
pub fn receipts_blob() -> Vec<u8> {
    (0..2 * BLOB_CHUNK).map(|i| (i % 239) as u8).collect()
}

/// A chunk of a blob with its path.
pub fn chunk(blob: BlobKind, index: u64) -> (Binary, Vec<Hash>) {
    let bytes = match blob {
        BlobKind::Leaves => leaves_blob(),
        BlobKind::Receipts => receipts_blob(),
    };
    let piece = bytes.chunks(BLOB_CHUNK).nth(index as usize).unwrap().to_vec();
    let path = chunk_path(&bytes, BLOB_CHUNK, index).unwrap();
    (piece.into(), path)
}

/// Fees of the receipts of every root.
pub const FEES: [u128; 4] = [30_000, 10_000, 5_001, 20_000];

fn receipt_id(epoch: u64, number: usize) -> Hash {
    let mut id = [number as u8; 32];
    id[31] = epoch as u8;
    id
}

/// The receipts tree of every root of that number.
pub fn receipts_tree(epoch: u64) -> Tree<SumNode> {
    let leaf = |(i, fee): (usize, &u128)| receipt_leaf(&receipt_id(epoch, i), 5, i as u64 + 1, *fee);
    Tree::new(FEES.iter().enumerate().map(leaf).collect()).unwrap()
}

/// Receipt `number` of a root of `NODE`, with its path.
pub fn receipt(epoch: u64, number: usize) -> HeldReceipt {
    HeldReceipt {
        receipt_id: HexBinary::from(&receipt_id(epoch, number)),
        session_id: 5,
        sequence: number as u64 + 1,
        fee: Uint128::new(FEES[number]),
        index: number as u64,
        path: receipts_tree(epoch).prove(number as u64).unwrap().into(),
    }
}

/// A subject about receipts of a root of `NODE`: one about its answer, several about their sources.
pub fn about_receipts(epoch: u64, numbers: &[usize]) -> Subject {
    let kind = if numbers.len() == 1 { ReceiptFault::Output } else { ReceiptFault::MissingSource };
    about(kind, epoch, numbers)
}

/// The same with a kind of fault.
pub fn about(kind: ReceiptFault, epoch: u64, numbers: &[usize]) -> Subject {
    Subject::Receipts {
        node_id: NODE,
        denom: OPEN.into(),
        epoch,
        kind,
        receipts: numbers.iter().map(|number| receipt(epoch, *number)).collect(),
    }
}

/// A subject about the accused contribution.
pub fn about_copy() -> Subject {
    Subject::Contribution { contribution_id: COPY, claim: ContributionClaim::Copied { of: ORIGINAL } }
}

/// A salt made from a number.
pub fn salt(number: u8) -> Hash {
    [number; 32]
}
