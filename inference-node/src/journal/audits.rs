//! What this node has checked of others: written after a check and before and after its word on it, so
//! that nothing is attested twice or forgotten.

use redb::{ReadableDatabase, ReadableTable};
use serde::{Deserialize, Serialize};

use super::{decode, disk, encode, Journal, AUDITS, META, OPEN_AUDITS};
use crate::fault::Result;

/// The key in [`META`] of the last demand before the first open one.
const CURSOR: &str = "demand_cursor";

/// Where the audit of a root stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum AuditState {
    /// Its blobs could not be had yet.
    Watched,
    /// It is right, its blobs are kept here; the attestation is on its way.
    Checked,
    /// It is attested.
    Attested {
        /// Transaction; none when it was found on chain after a restart.
        tx: Option<String>,
    },
    /// It is wrong.
    Faulty {
        /// Code of the finding.
        code: String,
        /// What was found.
        what: String,
    },
    /// Nothing is left to do.
    Closed,
}

/// The audit of a root.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditRow {
    /// Node whose root it is.
    pub node_id: u64,
    /// Denom.
    pub denom: String,
    /// Epoch.
    pub epoch: u64,
    /// Where it stands.
    pub state: AuditState,
    /// The demand that this node made, with its bond in base units.
    pub demand: Option<(u64, u128)>,
}

impl Journal {
    /// The audit of the root whose commitment has this hash.
    pub fn audit(&self, hash: &[u8]) -> Result<Option<AuditRow>> {
        self.read(AUDITS, hash)
    }

    /// Writes where an audit stands.
    pub fn keep_audit(&self, hash: &[u8], row: &AuditRow) -> Result<()> {
        let over = matches!(row.state, AuditState::Faulty { .. } | AuditState::Closed);
        let txn = self.db.begin_write().map_err(disk)?;
        {
            txn.open_table(AUDITS).map_err(disk)?.insert(hash, encode(row)?.as_slice()).map_err(disk)?;
            let mut open = txn.open_table(OPEN_AUDITS).map_err(disk)?;
            if over && row.demand.is_none() {
                open.remove(hash).map_err(disk)?;
            } else {
                open.insert(hash, ()).map_err(disk)?;
            }
        }
        txn.commit().map_err(disk)
    }

    /// Audits of which something is left to do, with the hashes of their commitments.
    pub fn open_audits(&self) -> Result<Vec<(Vec<u8>, AuditRow)>> {
        let txn = self.db.begin_read().map_err(disk)?;
        let (open, audits) =
            (txn.open_table(OPEN_AUDITS).map_err(disk)?, txn.open_table(AUDITS).map_err(disk)?);
        let mut rows = Vec::new();
        for entry in open.iter().map_err(disk)? {
            let hash = entry.map_err(disk)?.0.value().to_vec();
            if let Some(row) = audits.get(hash.as_slice()).map_err(disk)? {
                rows.push((hash, decode(row.value())?));
            }
        }
        Ok(rows)
    }

    /// The last demand before the first open one, as far as it was looked.
    pub fn demand_cursor(&self) -> Result<Option<u64>> {
        let txn = self.db.begin_read().map_err(disk)?;
        let meta = txn.open_table(META).map_err(disk)?;
        let found = meta.get(CURSOR).map_err(disk)?;
        Ok(found.and_then(|text| text.value().parse().ok()))
    }

    /// Notes how far demands need not be asked for again.
    pub fn keep_demand_cursor(&self, demand_id: u64) -> Result<()> {
        let txn = self.db.begin_write().map_err(disk)?;
        let text = demand_id.to_string();
        txn.open_table(META).map_err(disk)?.insert(CURSOR, text.as_str()).map_err(disk)?;
        txn.commit().map_err(disk)
    }
}
