//! The settle loop: epochs are built from the journal, written, posted, followed until they are
//! final (PROTOCOL L2, S1-S3).
//!
//! One root of a node may be unfinished. So each round first asks the chain what it holds, then
//! resolves what was written before, and builds a new epoch only when nothing is open. The same
//! epoch is posted again until the chain has it or refuses it; its number lets it in once.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::Arc;

use openledger_types::formats::{EpochCommit, LedgerBlob, ReceiptsBlob, SignedVoucher, SumRoot};
use openledger_types::msg::escrow::{EpochResponse, RootStatus, SessionResponse, MAX_SETTLEMENTS};

use super::chain::Posting;
use super::node::{blocking, lock, root_of, Node};
use crate::fault::{Class, Fault, Result};
use crate::journal::{EpochRow, EpochState, SessionLog};
use crate::ledger::{self, SessionPart, SettlementInput};

/// What the loop remembers between rounds.
#[derive(Debug, Default)]
pub struct SettleState {
    /// Sessions that the chain refused to settle, with their receipts and acknowledgements then.
    refused: HashMap<u64, (u64, u64)>,
    /// Sessions that are settled up to this many receipts, as last seen, and when it was looked.
    seen: HashMap<u64, (u64, u64)>,
    /// After a refusal that names no session, sessions are posted one by one.
    alone: bool,
}

/// Most blocks after which a session with unsettled receipts is looked at again; with a short grace
/// oftener, so that a close is never missed.
const LOOK_EVERY: u64 = 5;

/// How urgent a settlement is; the smaller first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Urgency {
    Ending,
    Asked,
    Due,
}

struct Candidate {
    session: Arc<SessionResponse>,
    log: SessionLog,
    urgency: Urgency,
}

impl Node {
    /// One round. Says in words what was done.
    ///
    /// # Errors
    /// Those of chain, store and journal; `E-SETTLE-…` when they contradict each other.
    pub async fn settle_round(self: &Arc<Self>) -> Result<String> {
        // Held to the end: two rounds at once would build two epochs of one number.
        let mut state = self.settle.lock().await;
        let height = self.fresh_height().await?;
        if let Some(epoch) = self.chain.pending().await? {
            self.adopt(&epoch).await?;
            if epoch.status == RootStatus::Void {
                let row = match self.with_journal(|journal| journal.current_epoch()).await? {
                    Some(row) if row.commit.epoch > epoch.commit.epoch => row,
                    _ => self.prepare_replacement(&epoch).await?,
                };
                return self.post(&mut state, row).await;
            }
            if height < epoch.final_at {
                return Ok(format!(
                    "epoch {} is final from height {} on",
                    epoch.commit.epoch, epoch.final_at
                ));
            }
            match self.chain.finalize().await? {
                Posting::Done { tx } => {
                    self.metrics.epochs_final.fetch_add(1, Relaxed);
                    tracing::info!(epoch = epoch.commit.epoch, tx, "epoch final");
                    self.resolve(epoch.hash.as_slice(), EpochState::Final, None).await?;
                }
                Posting::Refused { reason } | Posting::Open { reason } => {
                    // Somebody else may have made it final; the next round sees.
                    return Ok(format!("epoch {} could not be made final yet: {reason}", epoch.commit.epoch));
                }
            }
        }
        if let Some(row) = self.with_journal(|journal| journal.current_epoch()).await? {
            let posted = self.chain.ledger(&row.commit.denom).await?.epoch;
            if posted < row.commit.epoch {
                return self.post(&mut state, row).await;
            }
            // The number is taken and final. By this very epoch?
            let found = self.chain.epoch(&row.commit.denom, row.commit.epoch).await?;
            let hash = row.commit.hash();
            let ours = found.is_some_and(|e| e.hash.as_slice() == hash);
            let end = if ours {
                EpochState::Final
            } else {
                EpochState::Dropped { reason: "another epoch took its number".into() }
            };
            self.resolve(&hash, end, None).await?;
        }
        match self.build(&mut state, height).await? {
            Some(row) => self.post(&mut state, row).await,
            None => Ok("nothing is due".into()),
        }
    }

    async fn resolve(self: &Arc<Self>, hash: &[u8], state: EpochState, tx: Option<String>) -> Result<()> {
        let hash = hash.to_vec();
        self.with_journal(move |journal| journal.resolve(&hash, state, tx)).await
    }

    /// Notes that the chain holds an epoch.
    async fn adopt(self: &Arc<Self>, epoch: &EpochResponse) -> Result<()> {
        let hash = epoch.hash.to_vec();
        let known = self.with_journal(move |journal| journal.epoch(&hash)).await?;
        match known {
            Some(row) if row.state == (EpochState::Posted { final_at: epoch.final_at }) => Ok(()),
            Some(_) => {
                self.resolve(epoch.hash.as_slice(), EpochState::Posted { final_at: epoch.final_at }, None)
                    .await
            }
            None => {
                tracing::warn!(
                    code = "E-SETTLE-001",
                    epoch = epoch.commit.epoch,
                    "the chain holds an epoch that is not in this journal; another copy of this node is or was at work"
                );
                Ok(())
            }
        }
    }

    async fn post(self: &Arc<Self>, state: &mut SettleState, row: EpochRow) -> Result<String> {
        let hash = row.commit.hash();
        let posting = match row.settlements.is_empty() {
            true => self.chain.replace_epoch(&row.commit).await?,
            false => self.chain.post_epoch(&row.commit, &row.settlements).await?,
        };
        match posting {
            Posting::Done { tx } => {
                self.metrics.epochs_posted.fetch_add(1, Relaxed);
                state.alone = false;
                for (session_id, _) in &row.covers {
                    state.seen.remove(session_id);
                    lock(&self.settle_asked).remove(session_id);
                }
                let found = self.chain.epoch(&row.commit.denom, row.commit.epoch).await?;
                let final_at = found.map_or(0, |e| e.final_at);
                self.resolve(&hash, EpochState::Posted { final_at }, Some(tx.clone())).await?;
                tracing::info!(
                    epoch = row.commit.epoch,
                    sessions = row.covers.len(),
                    tx,
                    final_at,
                    "epoch posted"
                );
                Ok(format!("posted epoch {}", row.commit.epoch))
            }
            Posting::Refused { reason } => {
                self.metrics.settle_failures.fetch_add(1, Relaxed);
                tracing::error!(code = "E-SETTLE-002", epoch = row.commit.epoch, reason, "epoch refused");
                self.resolve(&hash, EpochState::Dropped { reason: reason.clone() }, None).await?;
                self.set_aside(state, &row, &reason).await?;
                Ok(format!("epoch {} was refused: {reason}", row.commit.epoch))
            }
            Posting::Open { reason } => {
                self.metrics.settle_failures.fetch_add(1, Relaxed);
                tracing::warn!(
                    code = "E-SETTLE-003",
                    epoch = row.commit.epoch,
                    reason,
                    "epoch not confirmed"
                );
                Ok(format!("epoch {} is not confirmed: {reason}", row.commit.epoch))
            }
        }
    }

    /// Keeps a session that cannot be settled from blocking the others.
    async fn set_aside(
        self: &Arc<Self>,
        state: &mut SettleState,
        row: &EpochRow,
        reason: &str,
    ) -> Result<()> {
        let named = named_session(reason).filter(|id| row.covers.iter().any(|(covered, _)| covered == id));
        let only = match row.covers.as_slice() {
            [(only, _)] => Some(*only),
            _ => None,
        };
        let Some(session_id) = named.or(only) else {
            state.alone = true;
            return Ok(());
        };
        // What is wrong with the commitment itself is no fault of the session's.
        if named.is_none() && !reason.contains("session") {
            return Ok(());
        }
        if let Some(log) = self.with_journal(move |journal| journal.session(session_id)).await? {
            state.refused.insert(session_id, (log.log.count, log.acknowledged));
        }
        lock(&self.settle_asked).remove(&session_id);
        Ok(())
    }

    /// Sessions that should be settled now, the most urgent first.
    async fn candidates(self: &Arc<Self>, state: &mut SettleState, height: u64) -> Result<Vec<Candidate>> {
        let logs = self.with_journal(|journal| journal.sessions()).await?;
        let grace = self.escrow_config().await?.params.grace_blocks;
        let look_every = (grace / 8).clamp(1, LOOK_EVERY);
        let asked: BTreeSet<u64> = lock(&self.settle_asked).iter().copied().collect();
        let mut candidates = Vec::new();
        for (session_id, log) in logs {
            if state.refused.get(&session_id) == Some(&(log.log.count, log.acknowledged)) {
                continue;
            }
            let asked = asked.contains(&session_id);
            if let Some((settled, at)) = state.seen.get(&session_id) {
                let unsettled = log.log.count > *settled;
                if !unsettled || (!asked && height < at.saturating_add(look_every)) {
                    continue;
                }
            }
            let session = match self.fresh_session(session_id).await {
                Ok(session) => session,
                Err(fault) if fault.class == Class::NotFound => continue,
                Err(fault) => return Err(fault),
            };
            let Some(entry) = session.nodes.iter().find(|n| n.node_id == self.payee.node_id) else {
                continue;
            };
            state.seen.insert(session_id, (entry.log.count, height));
            if log.log.count <= entry.log.count || session.closed {
                lock(&self.settle_asked).remove(&session_id);
                continue;
            }
            let margin = self.settings.expiry_margin_blocks;
            let urgency =
                if session.close_requested_at.is_some() || height.saturating_add(margin) >= session.expires {
                    Urgency::Ending
                } else if asked {
                    Urgency::Asked
                } else if height >= entry.settled_at.saturating_add(self.settings.settle_after_blocks) {
                    Urgency::Due
                } else {
                    continue;
                };
            candidates.push(Candidate { session, log, urgency });
        }
        candidates.sort_by_key(|c| (c.urgency, c.session.session_id));
        Ok(candidates)
    }

    /// The next epoch, written to the journal; none when nothing is due.
    async fn build(self: &Arc<Self>, state: &mut SettleState, height: u64) -> Result<Option<EpochRow>> {
        let mut candidates = self.candidates(state, height).await?;
        let Some(denom) = candidates.first().map(|c| c.session.denom.clone()) else { return Ok(None) };
        candidates.retain(|c| c.session.denom == denom);
        candidates.truncate(if state.alone { 1 } else { MAX_SETTLEMENTS });
        candidates.sort_by_key(|c| c.session.session_id);

        let ledger = self.chain.ledger(&denom).await?;
        let previous = self.previous_ledger(&ledger.ledger, ledger.leaves_blob.as_ref()).await?;
        let in_flight = self.escrow_config().await?.params.in_flight;
        let (mut parts, mut settlements, mut covers) = (Vec::new(), Vec::new(), Vec::new());
        for candidate in &candidates {
            match self.settle_session(candidate, in_flight).await {
                Ok((part, settlement, count)) => {
                    parts.push(part);
                    settlements.push(settlement);
                    covers.push((candidate.session.session_id, count));
                }
                Err(fault) if fault.retry => return Err(fault),
                Err(fault) => {
                    tracing::error!(
                        session = candidate.session.session_id,
                        code = fault.code,
                        "{}",
                        fault.what
                    );
                    let mark = (candidate.log.log.count, candidate.log.acknowledged);
                    state.refused.insert(candidate.session.session_id, mark);
                }
            }
        }
        if parts.is_empty() {
            return Ok(None);
        }
        let owners = self.owners(&parts).await?;
        let (leaves, leaves_root, receipts, receipts_root) = blocking(move || {
            let blob = ledger::grow(&previous, &parts, &|id| owners.get(&id).cloned())?;
            let root = ledger::ledger_root(&blob)?;
            let mut receipts: Vec<_> = parts.into_iter().flat_map(|p| p.receipts).collect();
            ledger::sort_receipts(&mut receipts);
            let receipts_root = ledger::receipts_root(&receipts)?;
            Ok((json(&blob)?, root, json(&ReceiptsBlob { receipts })?, receipts_root))
        })
        .await?;
        let commit = EpochCommit {
            chain_id: self.payee.chain_id.clone(),
            contract: self.payee.escrow.clone(),
            node_id: self.payee.node_id,
            denom,
            epoch: ledger.epoch.saturating_add(1),
            previous: ledger.ledger,
            receipts: receipts_root,
            ledger: leaves_root,
            // In the public store before they are committed to.
            leaves_blob: self.keep(leaves).await?,
            receipts_blob: self.keep(receipts).await?,
        };
        let row = EpochRow { commit, settlements, covers, state: EpochState::Prepared, tx: None };
        let kept = row.clone();
        self.with_journal(move |journal| journal.prepare(&kept)).await?;
        Ok(Some(row))
    }

    /// The leaves of the newest final ledger.
    pub(super) async fn previous_ledger(
        self: &Arc<Self>,
        root: &SumRoot,
        blob: Option<&openledger_types::formats::BlobRef>,
    ) -> Result<LedgerBlob> {
        let Some(blob) = blob else { return Ok(LedgerBlob { leaves: Vec::new() }) };
        let bytes = self.stored(&root_of(blob)?).await?.ok_or_else(|| {
            Fault::unavailable(
                "E-SETTLE-004",
                format!("the leaves of the newest final ledger (blob {}) are not stored here", blob.root),
                "Restore the node's store from a copy; nothing can be posted without them.",
            )
        })?;
        let (blob, root) = (blob.clone(), root.clone());
        blocking(move || ledger::parse_ledger(&bytes, &blob, &root)).await
    }

    /// What one session adds, and its settlement.
    async fn settle_session(
        self: &Arc<Self>,
        candidate: &Candidate,
        in_flight: u32,
    ) -> Result<(SessionPart, openledger_types::msg::escrow::Settlement, u64)> {
        let Candidate { session, log, .. } = candidate;
        let session_id = session.session_id;
        let entry = session.nodes.iter().find(|n| n.node_id == self.payee.node_id);
        let on_chain = entry.map_or_else(SumRoot::empty, |n| n.log.clone());
        let (count, split) = (log.log.count, session.split);
        self.with_journal(move |journal| {
            let lost = |what: &str| {
                Fault::new(
                    Class::Internal,
                    "E-SETTLE-005",
                    format!("session {session_id}: {what}"),
                    "Restore the journal from a copy; do not sign for this session until then.",
                )
            };
            let voucher: SignedVoucher =
                journal.acknowledgement(session_id)?.ok_or_else(|| lost("no voucher is in the journal"))?;
            let acknowledged = voucher.voucher.acknowledged.count;
            // At most k receipts without acknowledgement in one settlement.
            let count = count.min(acknowledged.saturating_add(in_flight.into()));
            let receipts = journal.receipts(session_id, 1, count)?;
            if receipts.len() as u64 != count || on_chain.count > count {
                return Err(lost("receipts are missing in the journal"));
            }
            let settled = usize::try_from(on_chain.count).unwrap_or(usize::MAX);
            let before = receipts.get(..settled).unwrap_or_default();
            if ledger::receipts_root(before)? != on_chain {
                return Err(lost("the log settled on chain is not the journal's"));
            }
            let mut pending = Vec::new();
            for sequence in acknowledged.saturating_add(1)..=count {
                let request = journal.request(session_id, sequence)?;
                pending.push(request.ok_or_else(|| lost("a voucher is missing in the journal"))?.voucher);
            }
            let settlement = ledger::settlement(&SettlementInput {
                session_id,
                voucher: &voucher,
                log: &receipts,
                pending: &pending,
                settled: on_chain.count,
            })?;
            let part = SessionPart {
                session_id,
                split,
                receipts: receipts.get(settled..).unwrap_or_default().to_vec(),
            };
            Ok((part, settlement, count))
        })
        .await
    }

    /// Contributors of everything that the receipts cite.
    pub(super) async fn owners(&self, parts: &[SessionPart]) -> Result<BTreeMap<u64, String>> {
        let cited: BTreeSet<u64> = parts
            .iter()
            .flat_map(|p| &p.receipts)
            .flat_map(|r| r.receipt.shares.iter().map(|s| s.contribution_id))
            .collect();
        let mut owners = BTreeMap::new();
        for id in cited {
            let owner = match self.models.owner(id) {
                Some(owner) => owner,
                None => {
                    let found = self.chain.contribution(id).await?.ok_or_else(|| {
                        Fault::new(
                            Class::Internal,
                            "E-SETTLE-006",
                            format!("contribution {id}, which a receipt cites, does not exist on chain"),
                            "Check that the config names the right contracts.",
                        )
                    })?;
                    self.models.remember_owner(id, found.facts.contributor.clone());
                    found.facts.contributor
                }
            };
            owners.insert(id, owner);
        }
        Ok(owners)
    }
}

pub(super) fn json<T: serde::Serialize>(value: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|e| {
        Fault::new(Class::Internal, "E-SETTLE-007", format!("a blob cannot be written: {e}"), "Report this.")
    })
}

/// The session that the escrow names in a refusal: `session N: …`.
fn named_session(reason: &str) -> Option<u64> {
    let (_, rest) = reason.split_once("session ")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    rest.get(digits.len()..)?.starts_with(':').then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::named_session;

    #[test]
    fn the_session_is_read_from_a_refusal() {
        assert_eq!(named_session("session 12: the signature is not valid"), Some(12));
        assert_eq!(named_session("x: session 3: y"), Some(3));
        assert_eq!(named_session("session 12 does not exist"), None);
        assert_eq!(named_session("the commitment's epoch is wrong"), None);
    }
}
