//! Answers of other nodes that this auditor computed differently, until a verdict about them: written before the
//! case is opened, with the answer, since the accused may show it to nobody afterwards.

use cosmwasm_std::{HexBinary, Uint128};
use openledger_types::api::AnswerBundle;
use openledger_types::msg::escrow::HeldReceipt;
use redb::{ReadableDatabase, ReadableTable};
use serde::{Deserialize, Serialize};

use super::{decode, disk, encode, Journal, ACCUSATIONS};
use crate::fault::Result;

/// An answer that is not what its model gives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Accusation {
    /// Node that signed it.
    pub node_id: u64,
    /// Denom of its epoch.
    pub denom: String,
    /// Epoch whose root holds it.
    pub epoch: u64,
    /// Where it stands under that root.
    pub held: HeldReceipt,
    /// The answer.
    pub bundle: AnswerBundle,
    /// The case about it, with this node's bond in it, in base units; none before it was opened.
    pub case: Option<(u64, Uint128)>,
}

impl Accusation {
    /// Id of the receipt (32 bytes).
    pub fn receipt_id(&self) -> &HexBinary {
        &self.held.receipt_id
    }
}

impl Journal {
    /// Writes an accusation, or where it stands.
    pub fn keep_accusation(&self, row: &Accusation) -> Result<()> {
        let txn = self.db.begin_write().map_err(disk)?;
        {
            let mut table = txn.open_table(ACCUSATIONS).map_err(disk)?;
            table.insert(row.receipt_id().as_slice(), encode(row)?.as_slice()).map_err(disk)?;
        }
        txn.commit().map_err(disk)
    }

    /// Forgets an accusation of which nothing is left to do; not one that was made anew meanwhile, of the same answer
    /// under another epoch's root.
    pub fn drop_accusation(&self, receipt_id: &[u8], epoch: u64) -> Result<()> {
        let txn = self.db.begin_write().map_err(disk)?;
        {
            let mut table = txn.open_table(ACCUSATIONS).map_err(disk)?;
            let found = match table.get(receipt_id).map_err(disk)? {
                Some(value) => Some(decode::<Accusation>(value.value())?.epoch),
                None => None,
            };
            if found == Some(epoch) {
                table.remove(receipt_id).map_err(disk)?;
            }
        }
        txn.commit().map_err(disk)
    }

    /// The accusation of a receipt.
    pub fn accusation(&self, receipt_id: &[u8]) -> Result<Option<Accusation>> {
        self.read(ACCUSATIONS, receipt_id)
    }

    /// Receipts' ids of all of which something is left to do; the answers are not read.
    pub fn accused(&self) -> Result<Vec<HexBinary>> {
        let txn = self.db.begin_read().map_err(disk)?;
        let table = txn.open_table(ACCUSATIONS).map_err(disk)?;
        let mut ids = Vec::new();
        for entry in table.iter().map_err(disk)? {
            ids.push(HexBinary::from(entry.map_err(disk)?.0.value()));
        }
        Ok(ids)
    }

    /// All of which something is left to do.
    pub fn accusations(&self) -> Result<Vec<Accusation>> {
        let txn = self.db.begin_read().map_err(disk)?;
        let table = txn.open_table(ACCUSATIONS).map_err(disk)?;
        let mut rows = Vec::new();
        for entry in table.iter().map_err(disk)? {
            rows.push(decode(entry.map_err(disk)?.1.value())?);
        }
        Ok(rows)
    }
}
