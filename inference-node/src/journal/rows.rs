//! What the journal's rows hold.

use cosmwasm_std::{Binary, HexBinary, Uint128};
use openledger_types::api::AnswerBundle;
use openledger_types::formats::{EpochCommit, SignedVoucher, SumRoot, SumStep};
use openledger_types::msg::escrow::{PendingReceipt, Settlement};
use openledger_types::packed::SumPath;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

/// A request that was taken: everything from which its answer is made again after a kill.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredRequest {
    /// The voucher that pays for it.
    pub voucher: SignedVoucher,
    /// The client's nonce (32 bytes).
    pub nonce: HexBinary,
    /// The body as sent.
    pub body: Binary,
    /// Path that it came by.
    pub endpoint: String,
    /// Height at which it was taken.
    pub height: u64,
    /// Most that it can cost, in base units.
    pub max_fee: Uint128,
}

/// Where a session stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionLog {
    /// Denom.
    pub denom: String,
    /// Requests taken; their sequences are 1 to this.
    pub taken: u64,
    /// Most that the requests taken and not answered can cost, in base units.
    pub reserved: Uint128,
    /// Cumulative maximum of the newest voucher.
    pub cumulative_max: Uint128,
    /// Receipts in order without gaps.
    pub log: SumRoot,
    /// Peaks of that log, the tallest first.
    pub peaks: Vec<SumStep>,
    /// Receipts acknowledged by the newest acknowledgement.
    pub acknowledged: u64,
}

impl SessionLog {
    /// A session of which nothing is known yet.
    pub fn new(denom: &str) -> Self {
        SessionLog {
            denom: denom.to_string(),
            taken: 0,
            reserved: Uint128::zero(),
            cumulative_max: Uint128::zero(),
            log: SumRoot::empty(),
            peaks: Vec::new(),
            acknowledged: 0,
        }
    }

    /// Most that everything taken so far can cost.
    pub fn committed(&self) -> Uint128 {
        self.log.sum.saturating_add(self.reserved)
    }
}

/// Bounds that a voucher is held against.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The node's cap in the session.
    pub cap: Uint128,
    /// Most requests without acknowledgement (k).
    pub in_flight: u32,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Accepted {
    /// It is new and on disk: answer it.
    New,
    /// It was taken before and is not answered: answer it as it was taken, or wait.
    Unfinished(Box<StoredRequest>),
    /// It was answered before.
    Answered(Box<AnswerBundle>),
}

/// A settlement as release 0.1 wrote it: its paths are lists of JSON.
#[derive(Deserialize)]
struct FirstSettlement {
    session_id: u64,
    voucher: SignedVoucher,
    acknowledged_peaks: Vec<SumStep>,
    pending: Vec<PendingReceipt>,
    consistency: Vec<SumStep>,
}

/// Settlements in today's form or that of release 0.1.
fn settlements<'de, D: Deserializer<'de>>(reader: D) -> Result<Vec<Settlement>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Today(Settlement),
        First(FirstSettlement),
    }
    let path = |steps: &[SumStep]| -> Result<SumPath, D::Error> {
        steps.iter().map(|step| step.node().map_err(D::Error::custom)).collect()
    };
    Vec::<Written>::deserialize(reader)?
        .into_iter()
        .map(|written| match written {
            Written::Today(settlement) => Ok(settlement),
            Written::First(first) => Ok(Settlement {
                session_id: first.session_id,
                voucher: first.voucher,
                acknowledged_peaks: path(&first.acknowledged_peaks)?,
                pending: first.pending,
                consistency: path(&first.consistency)?,
            }),
        })
        .collect()
}

/// Where an epoch stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum EpochState {
    /// On disk; whether the chain has it is not known.
    Prepared,
    /// The chain has it.
    Posted {
        /// Height from which it can be final.
        final_at: u64,
    },
    /// It is final.
    Final,
    /// The chain has voided it; another one takes its place.
    Void {
        /// Why.
        reason: String,
    },
    /// The chain refused it.
    Dropped {
        /// Why.
        reason: String,
    },
}

/// An epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochRow {
    /// What is posted.
    pub commit: EpochCommit,
    /// The settlements posted with it; none when it replaces a void one.
    #[serde(deserialize_with = "settlements")]
    pub settlements: Vec<Settlement>,
    /// Sessions with the number of receipts settled after it.
    pub covers: Vec<(u64, u64)>,
    /// Where it stands.
    pub state: EpochState,
    /// Transaction, once known.
    pub tx: Option<String>,
}
