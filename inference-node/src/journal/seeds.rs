//! This auditor's secret seeds: on disk before they are committed, since a seed that is committed and cannot
//! be revealed costs part of the bond (PROTOCOL F4).

use cosmwasm_std::HexBinary;
use redb::ReadableDatabase;
use serde::{Deserialize, Serialize};

use super::{decode, disk, encode, Journal, SEEDS};
use crate::fault::Result;

/// Where a seed stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeedState {
    /// Drawn; the chain may know its commitment or not.
    Drawn,
    /// Its commitment is on chain; it must be revealed.
    Committed,
    /// It is on chain.
    Revealed,
    /// Its period came before its commitment, or its time went by before it was revealed.
    Late,
}

/// A seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeedRow {
    /// The seed (32 bytes), secret until it is revealed.
    pub seed: HexBinary,
    /// Where it stands.
    pub state: SeedState,
}

impl Journal {
    /// The seed of a period.
    pub fn seed(&self, period: u64) -> Result<Option<SeedRow>> {
        self.read(SEEDS, period)
    }

    /// Writes where a seed stands.
    pub fn keep_seed(&self, period: u64, row: &SeedRow) -> Result<()> {
        let txn = self.db.begin_write().map_err(disk)?;
        txn.open_table(SEEDS).map_err(disk)?.insert(period, encode(row)?.as_slice()).map_err(disk)?;
        txn.commit().map_err(disk)
    }

    /// Seeds of the periods from one to another, both with.
    pub fn seeds(&self, from: u64, to: u64) -> Result<Vec<(u64, SeedRow)>> {
        let txn = self.db.begin_read().map_err(disk)?;
        let seeds = txn.open_table(SEEDS).map_err(disk)?;
        let mut rows = Vec::new();
        for entry in seeds.range(from..=to).map_err(disk)? {
            let (period, row) = entry.map_err(disk)?;
            rows.push((period.value(), decode(row.value())?));
        }
        Ok(rows)
    }
}
