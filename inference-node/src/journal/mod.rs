//! What must survive a kill at any moment: vouchers, receipts with their answers, acknowledgements,
//! epochs and audits, in one redb file whose every commit is durable before the call returns.
//!
//! The order that makes it safe: a voucher is on disk before its answer is begun; a receipt is on
//! disk before its last byte leaves the node; an epoch is on disk before it is posted. A receipt is
//! written once: a second one for the same sequence would cost the bond (PROTOCOL S2), so whoever
//! finishes second gets the first one's receipt back.

mod accusations;
mod audits;
mod epochs;
mod rows;
mod seeds;
mod sessions;
mod votes;

use std::path::Path;

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use serde::de::DeserializeOwned;
use serde::Serialize;

use crate::fault::{Class, Fault, Result};

pub use accusations::Accusation;
pub use audits::{AuditRow, AuditState};
pub use rows::{Accepted, EpochRow, EpochState, Limits, SessionLog, StoredRequest};
pub use seeds::{SeedRow, SeedState};
pub use votes::{VoteRow, VoteState};

/// Format of the file. Tables and fields that a release adds are absent in older files and empty when read;
/// the number grows when a release could not read an older file any more, or an older one not the newer.
const FORMAT: u32 = 1;

/// Version of the file, chain, escrow and node that it belongs to.
const META: TableDefinition<&str, &str> = TableDefinition::new("meta");
/// (session, sequence) to [`StoredRequest`].
const REQUESTS: TableDefinition<(u64, u64), &[u8]> = TableDefinition::new("requests");
/// (session, sequence) to the answer bundle.
const ANSWERS: TableDefinition<(u64, u64), &[u8]> = TableDefinition::new("answers");
/// (session, sequence) to the signed receipt alone, so that settling reads no bodies and traces.
const SIGNED: TableDefinition<(u64, u64), &[u8]> = TableDefinition::new("signed");
/// Receipt id to (session, sequence).
const RECEIPTS: TableDefinition<&[u8], (u64, u64)> = TableDefinition::new("receipts");
/// (session, sequence) to the log's root with that receipt.
const LOGS: TableDefinition<(u64, u64), &[u8]> = TableDefinition::new("logs");
/// Session to [`SessionLog`].
const SESSIONS: TableDefinition<u64, &[u8]> = TableDefinition::new("sessions");
/// Session to the voucher with the newest acknowledgement.
const ACKNOWLEDGED: TableDefinition<u64, &[u8]> = TableDefinition::new("acknowledged");
/// (session, sequence) accepted and not answered.
const UNFINISHED: TableDefinition<(u64, u64), ()> = TableDefinition::new("unfinished");
/// Hash of the commitment to [`EpochRow`].
const EPOCHS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("epochs");
/// Hash of another node's commitment to [`AuditRow`].
const AUDITS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("audits");
/// Hashes of commitments of which something is left to do.
const OPEN_AUDITS: TableDefinition<&[u8], ()> = TableDefinition::new("open_audits");

/// Receipt id to [`Accusation`].
const ACCUSATIONS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("accusations");

/// Case to [`VoteRow`].
const VOTES: TableDefinition<u64, &[u8]> = TableDefinition::new("votes");

/// Period to [`SeedRow`].
const SEEDS: TableDefinition<u64, &[u8]> = TableDefinition::new("seeds");

/// The key in [`META`] of the epoch whose posting is not resolved.
const CURRENT: &str = "current_epoch";

/// The file.
pub struct Journal {
    db: Database,
}

fn disk(error: impl std::fmt::Display) -> Fault {
    Fault::unavailable(
        "E-NODE-040",
        format!("the journal cannot be read or written: {error}"),
        "Check that the disk is not full and is writable, then restart the node; nothing that was acknowledged is lost.",
    )
}

fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(disk)
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|e| {
        Fault::new(
            Class::Internal,
            "E-NODE-041",
            format!("a row of the journal is damaged: {e}"),
            "Restore the node's home from a copy, and let no second node use the same home.",
        )
    })
}

/// The format that a file names before its chain, escrow and node.
fn format_of(owner: &str) -> Option<u32> {
    owner.split_once(' ').and_then(|(format, _)| format.parse().ok())
}

impl Journal {
    /// Opens or makes the file; it belongs to one node on one chain for ever.
    ///
    /// # Errors
    /// `E-NODE-040` disk, `-042` open in another process, `-043` of another chain, escrow or node, `-045` of a
    /// newer release.
    pub fn open(path: &Path, chain_id: &str, escrow: &str, node_id: u64) -> Result<Self> {
        let db = Database::create(path).map_err(|error| match error {
            redb::DatabaseError::DatabaseAlreadyOpen => Fault::unavailable(
                "E-NODE-042",
                format!("{} is open in another process", path.display()),
                "Stop the other node: two nodes on one home would sign twice and lose the bond.",
            ),
            other => disk(other),
        })?;
        Self::with_database(db, chain_id, escrow, node_id)
    }

    /// As [`Journal::open`], in a database that is open already.
    ///
    /// # Errors
    /// `E-NODE-040`, `-043`, `-045` as there.
    pub fn with_database(db: Database, chain_id: &str, escrow: &str, node_id: u64) -> Result<Self> {
        let journal = Journal { db };
        let owner = format!("{FORMAT} {chain_id} {escrow} {node_id}");
        let txn = journal.db.begin_write().map_err(disk)?;
        {
            let mut meta = txn.open_table(META).map_err(disk)?;
            let found = meta.get("owner").map_err(disk)?.map(|v| v.value().to_string());
            match found {
                None => {
                    meta.insert("owner", owner.as_str()).map_err(disk)?;
                }
                Some(found) if found == owner => {}
                Some(found) if format_of(&found).is_some_and(|format| format > FORMAT) => {
                    return Err(Fault::new(
                        Class::Invalid,
                        "E-NODE-045",
                        format!("the journal was written by a newer release: it begins with `{found}`, this one reads {FORMAT}"),
                        "Start the release that wrote it, or a newer one; nothing was changed.",
                    ))
                }
                Some(found) => {
                    return Err(Fault::new(
                        Class::Invalid,
                        "E-NODE-043",
                        format!("the journal belongs to `{found}`, the config says `{owner}`"),
                        "Use another home for another chain, escrow or node.",
                    ))
                }
            }
            // Tables exist from the first day on, so that no reader meets a missing one.
            txn.open_table(REQUESTS).map_err(disk)?;
            txn.open_table(ANSWERS).map_err(disk)?;
            txn.open_table(SIGNED).map_err(disk)?;
            txn.open_table(RECEIPTS).map_err(disk)?;
            txn.open_table(LOGS).map_err(disk)?;
            txn.open_table(SESSIONS).map_err(disk)?;
            txn.open_table(ACKNOWLEDGED).map_err(disk)?;
            txn.open_table(UNFINISHED).map_err(disk)?;
            txn.open_table(EPOCHS).map_err(disk)?;
            txn.open_table(AUDITS).map_err(disk)?;
            txn.open_table(OPEN_AUDITS).map_err(disk)?;
            txn.open_table(ACCUSATIONS).map_err(disk)?;
            txn.open_table(SEEDS).map_err(disk)?;
            txn.open_table(VOTES).map_err(disk)?;
        }
        txn.commit().map_err(disk)?;
        Ok(journal)
    }

    fn read<K: redb::Key + 'static, T: DeserializeOwned>(
        &self,
        table: TableDefinition<K, &'static [u8]>,
        key: K::SelfType<'_>,
    ) -> Result<Option<T>> {
        let txn = self.db.begin_read().map_err(disk)?;
        let table = txn.open_table(table).map_err(disk)?;
        let found = table.get(key).map_err(disk)?;
        found.map(|bytes| decode(bytes.value())).transpose()
    }
}
