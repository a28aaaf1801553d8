//! This auditor's votes in cases: on disk before they are committed, since a vote is opened by its salt
//! (PROTOCOL F3).

use cosmwasm_std::HexBinary;
use serde::{Deserialize, Serialize};

use super::{disk, encode, Journal, VOTES};
use crate::fault::Result;

/// Where a vote stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VoteState {
    /// Decided; the chain may know its commitment or not.
    Decided,
    /// Its commitment was sent and answered.
    Committed,
    /// It is revealed, or was refused.
    Over,
    /// The case was ended after its time.
    Concluded,
}

/// A vote.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VoteRow {
    /// What is voted.
    pub guilty: bool,
    /// Its salt (32 bytes), secret until it is revealed.
    pub salt: HexBinary,
    /// Where it stands.
    pub state: VoteState,
}

impl Journal {
    /// The vote in a case.
    pub fn vote(&self, case_id: u64) -> Result<Option<VoteRow>> {
        self.read(VOTES, case_id)
    }

    /// Writes where a vote stands.
    pub fn keep_vote(&self, case_id: u64, row: &VoteRow) -> Result<()> {
        let txn = self.db.begin_write().map_err(disk)?;
        txn.open_table(VOTES).map_err(disk)?.insert(case_id, encode(row)?.as_slice()).map_err(disk)?;
        txn.commit().map_err(disk)
    }
}
