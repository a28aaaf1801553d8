//! Which answers an auditor computes again, and its secret seeds (PROTOCOL F4).
//!
//! A seed is committed on chain before the period that it is for and revealed after it: a node that posts a
//! root cannot know which of its answers will be looked at, and an auditor cannot choose afterwards.

use std::sync::{Arc, Mutex};

use cosmwasm_std::{HexBinary, Uint128};
use openledger_types::formats::{audit_due, hash32, seed_commitment};
use openledger_types::merkle::Hash;
use openledger_types::msg::escrow::EpochResponse;
use openledger_types::msg::node_registry::NodeResponse;
use openledger_types::msg::referee::ExecuteMsg;

use super::view::RefereeView;
use crate::fault::Result;
use crate::journal::{SeedRow, SeedState};
use crate::serve::{lock, Node, Posting};

/// Roots of a node that are checked in full, whatever it earned.
const TRIAL_EPOCHS: u64 = 3;
/// What a node's final ledger must have paid to contributors, in base units, before its answers are only
/// sampled: value over several epochs, since replies can be bought cheaply.
const TRIAL_VALUE: u128 = 1_000_000;
/// The rate of a node whose unfinished value is all that its bond allows, over that of one that risks nothing.
const EXPOSED: u128 = 4;

/// Part of a root's answers that is computed again by all auditors together, in basis points.
///
/// All of them in a node's first three roots and until its final ledger paid [`TRIAL_VALUE`]; from then on `base_bps`,
/// rising in proportion to the root's fees to four times that at half of the node's bond (F5), rounded down.
pub fn rate_bps(base_bps: u16, epoch: u64, paid: Uint128, fees: Uint128, bond: Uint128) -> u16 {
    if base_bps == 0 {
        return 0;
    }
    if epoch <= TRIAL_EPOCHS || paid.u128() < TRIAL_VALUE {
        return 10_000;
    }
    let limit = bond.u128() / 2;
    let base = u128::from(base_bps);
    let fees = fees.u128().min(limit);
    // fees / limit, without leaving 128 bits: both are cut to 64 bits together.
    let shift = (128 - limit.leading_zeros()).saturating_sub(64);
    let (fees, limit) = (fees >> shift, limit >> shift);
    let extra = match limit {
        0 => base * (EXPOSED - 1),
        limit => base * (EXPOSED - 1) * fees / limit,
    };
    u16::try_from((base + extra).min(10_000)).unwrap_or(10_000)
}

/// Who computes what again.
pub struct Sample {
    seed: Hash,
    rate_bps: u16,
    weight: Uint128,
    total: Uint128,
}

impl Sample {
    /// Whether the answer with this receipt is computed again. At the full rate each auditor computes all: shared by weight,
    /// three answers of ten would be drawn by none of four auditors, and by nobody learned.
    pub fn has(&self, receipt: &Hash) -> bool {
        let all = self.rate_bps >= 10_000 && !self.weight.is_zero();
        all || audit_due(&self.seed, receipt, self.rate_bps, self.weight, self.total)
    }
}

/// This auditor's seeds on the chain.
pub(super) struct Seeds {
    node: Arc<Node>,
    referee: Arc<dyn RefereeView>,
    /// The last period whose silent auditors were reported.
    reported: Mutex<Option<u64>>,
}

impl Seeds {
    pub(super) fn new(node: Arc<Node>, referee: Arc<dyn RefereeView>) -> Self {
        Seeds { node, referee, reported: Mutex::default() }
    }

    /// What this auditor computes again of a root. Where it had committed no seed for the period in which
    /// the root was posted, a seed of now draws: as secret before, not to be shown after.
    pub(super) async fn sample(
        &self,
        node: &NodeResponse,
        epoch: &EpochResponse,
        base_bps: u16,
    ) -> Result<Sample> {
        let blocks = self.blocks().await?;
        let period = epoch.posted_at / blocks;
        let row = self.node.with_journal(move |journal| journal.seed(period)).await?;
        let committed = row.filter(|row| matches!(row.state, SeedState::Committed | SeedState::Revealed));
        let seed = committed.and_then(|row| hash32("seed", &row.seed).ok()).unwrap_or_else(rand::random);
        let commit = &epoch.commit;
        let rate_bps = rate_bps(base_bps, commit.epoch, commit.previous.sum, commit.receipts.sum, node.bond);
        let weight = self.weight().await?;
        let total = Uint128::new(self.referee.eligible_for(node.node_id).await?);
        Ok(Sample { seed, rate_bps, weight, total })
    }

    /// Commits the seed of the next period, reveals that of the last one, and reports others that stayed
    /// silent. What does not work is said and tried again in the next round.
    pub(super) async fn round(&self, height: u64) -> Result<()> {
        let present = height / self.blocks().await?;
        self.reveal(present).await?;
        self.commit(present.saturating_add(1)).await?;
        self.report(present).await
    }

    async fn commit(&self, period: u64) -> Result<()> {
        let row = match self.node.with_journal(move |journal| journal.seed(period)).await? {
            Some(row) if row.state != SeedState::Drawn => return Ok(()),
            found if self.weight().await?.is_zero() => {
                tracing::debug!(period, drawn = found.is_some(), "no audit weight, no seed");
                return Ok(());
            }
            Some(row) => row,
            None => {
                let seed = HexBinary::from(rand::random::<Hash>().as_slice());
                let row = SeedRow { seed, state: SeedState::Drawn };
                self.keep(period, &row).await?;
                row
            }
        };
        let auditor = self.node.payee.node_id;
        let (chain_id, referee) = (self.node.chain.chain_id(), self.referee.referee());
        let Ok(seed) = hash32("seed", &row.seed) else { return Ok(()) };
        let commitment = HexBinary::from(&seed_commitment(chain_id, referee, auditor, period, &seed));
        // A commitment of an earlier run may have landed unseen.
        let known = self.referee.seed_of(auditor, period).await?.commitment;
        let taken = match known {
            Some(known) => known == commitment,
            None => {
                let msg = ExecuteMsg::CommitSeed { auditor, period, commitment };
                match self.referee.tell(&msg, None).await? {
                    Posting::Done { .. } => true,
                    Posting::Refused { reason } | Posting::Open { reason } => {
                        tracing::warn!(code = "E-AUDIT-030", period, reason, "the seed was not committed");
                        return Ok(());
                    }
                }
            }
        };
        let state = if taken { SeedState::Committed } else { SeedState::Late };
        if !taken {
            tracing::error!(
                code = "E-AUDIT-031",
                period,
                "another seed is committed for this auditor: run one auditor on one home, and restore its journal"
            );
        }
        self.keep(period, &SeedRow { state, ..row }).await
    }

    /// Reveals the seed of the period before `present`; gives up those before it.
    async fn reveal(&self, present: u64) -> Result<()> {
        let Some(last) = present.checked_sub(1) else { return Ok(()) };
        let from = last.saturating_sub(2);
        let auditor = self.node.payee.node_id;
        for (period, row) in self.node.with_journal(move |journal| journal.seeds(from, last)).await? {
            if matches!(row.state, SeedState::Revealed | SeedState::Late) {
                continue;
            }
            let known = self.referee.seed_of(auditor, period).await?;
            let state = if known.seed.is_some() {
                SeedState::Revealed
            } else if known.commitment.is_none() {
                SeedState::Late
            } else if period < last {
                tracing::error!(
                    code = "E-AUDIT-032",
                    period,
                    "a seed was not revealed in time; part of the bond may be cut. Keep the auditor running"
                );
                SeedState::Late
            } else {
                let msg = ExecuteMsg::RevealSeed { auditor, period, seed: row.seed.clone() };
                match self.referee.tell(&msg, None).await? {
                    Posting::Done { .. } => SeedState::Revealed,
                    Posting::Refused { reason } | Posting::Open { reason } => {
                        tracing::warn!(code = "E-AUDIT-033", period, reason, "the seed was not revealed");
                        continue;
                    }
                }
            };
            self.keep(period, &SeedRow { state, ..row }).await?;
        }
        Ok(())
    }

    /// Reports, once a period, who committed a seed for the period before the last one and kept it.
    async fn report(&self, present: u64) -> Result<()> {
        let Some(over) = present.checked_sub(2) else { return Ok(()) };
        if lock(&self.reported).is_some_and(|done| done >= over) {
            return Ok(());
        }
        let own = self.node.payee.node_id;
        for auditor in self.referee.auditors().await?.into_iter().filter(|a| a.node_id != own) {
            let auditor = auditor.node_id;
            let seed = self.referee.seed_of(auditor, over).await?;
            if seed.commitment.is_none() || seed.seed.is_some() || seed.reported {
                continue;
            }
            match self.referee.tell(&ExecuteMsg::ReportSeed { auditor, period: over }, None).await? {
                Posting::Done { tx } => {
                    tracing::warn!(auditor, period = over, tx, "a seed kept back, reported")
                }
                // Somebody else was faster, or the next round tries again.
                Posting::Refused { reason } => tracing::debug!(auditor, reason, "report of a seed refused"),
                Posting::Open { .. } => return Ok(()),
            }
        }
        *lock(&self.reported) = Some(over);
        Ok(())
    }

    async fn keep(&self, period: u64, row: &SeedRow) -> Result<()> {
        let row = row.clone();
        self.node.with_journal(move |journal| journal.keep_seed(period, &row)).await
    }

    async fn blocks(&self) -> Result<u64> {
        Ok(self.referee.referee_params().await?.seed_blocks.max(1))
    }

    async fn weight(&self) -> Result<Uint128> {
        let own = self.node.payee.node_id;
        let auditors = self.referee.auditors().await?;
        Ok(auditors.into_iter().find(|a| a.node_id == own).map(|a| a.weight).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_f4_at_the_full_rate_every_auditor_computes_every_answer() {
        let sample = |rate_bps, weight: u128| {
            let (weight, total) = (Uint128::new(weight), Uint128::new(4));
            let sample = Sample { seed: [7; 32], rate_bps, weight, total };
            (0..1_000u32)
                .filter(|n| sample.has(&openledger_types::merkle::leaf_hash(&n.to_be_bytes())))
                .count()
        };
        assert_eq!((sample(10_000, 1), sample(10_000, 0)), (1_000, 0));
        assert!((1..100).contains(&sample(500, 1)), "{}", sample(500, 1));
    }

    #[test]
    fn rule_f4_the_rate_falls_after_the_trial_and_rises_with_unfinished_value() {
        let rate = |epoch, paid, fees, bond| {
            rate_bps(500, epoch, Uint128::new(paid), Uint128::new(fees), Uint128::new(bond))
        };
        assert_eq!(rate(3, u128::MAX, 0, 1_000), 10_000, "the first epochs");
        assert_eq!(rate(100, TRIAL_VALUE - 1, 0, 1_000), 10_000, "too little value");
        assert_eq!(rate(4, TRIAL_VALUE, 0, 1_000), 500);
        assert_eq!(rate(4, TRIAL_VALUE, 250, 1_000), 1_250);
        assert_eq!(rate(4, TRIAL_VALUE, 500, 1_000), 2_000);
        assert_eq!(rate(4, TRIAL_VALUE, u128::MAX, 1_000), 2_000);
        assert_eq!(rate(4, TRIAL_VALUE, u128::MAX, u128::MAX), 2_000);
        assert_eq!(rate(4, TRIAL_VALUE, 1, 0), 2_000, "no bond at all");
        assert_eq!(rate_bps(9_000, 4, Uint128::MAX, Uint128::new(500), Uint128::new(1_000)), 10_000);
        assert_eq!(rate_bps(0, 1, Uint128::zero(), Uint128::zero(), Uint128::zero()), 0);
    }
}
