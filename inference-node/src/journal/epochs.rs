//! Epochs: written before they are posted, kept whatever becomes of them.

use redb::{ReadableDatabase, ReadableTable};

use super::rows::{EpochRow, EpochState};
use super::{decode, disk, encode, Journal, CURRENT, EPOCHS, META};
use crate::fault::Result;

impl Journal {
    /// Writes an epoch that is about to be posted; it is the current one until [`Journal::resolve`].
    pub fn prepare(&self, row: &EpochRow) -> Result<()> {
        let hash = row.commit.hash();
        let txn = self.db.begin_write().map_err(disk)?;
        txn.open_table(EPOCHS)
            .map_err(disk)?
            .insert(hash.as_slice(), encode(row)?.as_slice())
            .map_err(disk)?;
        txn.open_table(META).map_err(disk)?.insert(CURRENT, hex::encode(hash).as_str()).map_err(disk)?;
        txn.commit().map_err(disk)
    }

    /// The epoch whose posting is not resolved.
    pub fn current_epoch(&self) -> Result<Option<EpochRow>> {
        let hash = {
            let txn = self.db.begin_read().map_err(disk)?;
            let meta = txn.open_table(META).map_err(disk)?;
            let row = meta.get(CURRENT).map_err(disk)?;
            row.map(|text| text.value().to_string())
        };
        match hash {
            Some(hash) => self.epoch(&hex::decode(hash).map_err(disk)?),
            None => Ok(None),
        }
    }

    /// The epoch with this hash.
    pub fn epoch(&self, hash: &[u8]) -> Result<Option<EpochRow>> {
        self.read(EPOCHS, hash)
    }

    /// Records what became of an epoch; once final, void or dropped it is no longer the current one.
    pub fn resolve(&self, hash: &[u8], state: EpochState, tx: Option<String>) -> Result<()> {
        let txn = self.db.begin_write().map_err(disk)?;
        {
            let mut epochs = txn.open_table(EPOCHS).map_err(disk)?;
            let row =
                epochs.get(hash).map_err(disk)?.map(|bytes| decode::<EpochRow>(bytes.value())).transpose()?;
            if let Some(mut row) = row {
                row.state = state.clone();
                row.tx = tx.or(row.tx);
                epochs.insert(hash, encode(&row)?.as_slice()).map_err(disk)?;
            }
            let mut meta = txn.open_table(META).map_err(disk)?;
            let current = meta.get(CURRENT).map_err(disk)?.map(|text| text.value().to_string());
            let over =
                matches!(state, EpochState::Final | EpochState::Void { .. } | EpochState::Dropped { .. });
            if over && current == Some(hex::encode(hash)) {
                meta.remove(CURRENT).map_err(disk)?;
            }
        }
        txn.commit().map_err(disk)
    }

    /// The newest epoch that covers a session, whatever its state but void or dropped.
    pub fn covering(&self, session_id: u64) -> Result<Option<EpochRow>> {
        let txn = self.db.begin_read().map_err(disk)?;
        let table = txn.open_table(EPOCHS).map_err(disk)?;
        let mut newest: Option<EpochRow> = None;
        for row in table.iter().map_err(disk)? {
            let row: EpochRow = decode(row.map_err(disk)?.1.value())?;
            let covers = row.covers.iter().any(|(id, _)| *id == session_id);
            let newer = newest.as_ref().is_none_or(|n| n.commit.epoch < row.commit.epoch);
            if covers && newer && !matches!(row.state, EpochState::Void { .. } | EpochState::Dropped { .. }) {
                newest = Some(row);
            }
        }
        Ok(newest)
    }
}
