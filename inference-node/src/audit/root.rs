//! One root of another node: fetched, checked, kept and attested; what is withheld is demanded, what is wrong is
//! said. [`Auditor`](super::Auditor) says which roots, and when.
//!
//! Each step is written before the next one begins. What is attested was checked in full and is kept in
//! this node's store; after a kill the chain is asked what it has taken, so that nothing is said twice.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};

use futures::stream::{self, StreamExt, TryStreamExt};
use openledger_types::faults::{FiledFault, SessionFacts};
use openledger_types::formats::{BlobRef, LedgerBlob, ReceiptsBlob, SignedReceipt};
use openledger_types::msg::datanet::ContributionResponse;
use openledger_types::msg::escrow::{EpochResponse, RootStatus};
use openledger_types::msg::node_registry::NodeResponse;
use openledger_types::msg::referee::{BlobKind, DemandStatus, ExecuteMsg};
use tokio::sync::Semaphore;

use super::challenge::accuse;
use super::check::{check, Books, Finding};
use super::prove::{proofs, Evidence, Sealed};
use super::respond::open_demands;
use super::round::AuditSettings;
use super::sample::Seeds;
use super::view::RefereeView;
use crate::corpus::{self, HttpBlobs};
use crate::fault::{Fault, Result};
use crate::journal::{AuditRow, AuditState};
use crate::ledger::{parse_ledger, parse_receipts};
use crate::serve::{blocking, lock, root_of, Node, Posting};

/// Questions to the chain under way at once.
const PARALLEL: usize = 8;
/// Most bytes of the logs that are read for one root.
const MAX_LOGS: u64 = 256 << 20;
/// Most proofs that are filed against one root; the first that is taken voids it.
const MAX_PROOFS: usize = 8;
/// Blocks between two lines in the log about one root.
const SAY_EVERY: u64 = 50;

/// What is remembered of a root between rounds; lost with a restart, which costs nothing.
#[derive(Debug, Clone, Copy, Default)]
struct Trouble {
    since: u64,
    said: Option<u64>,
}

/// Audits one root at a time, as often as it is called.
pub(super) struct Roots {
    pub(super) node: Arc<Node>,
    pub(super) referee: Arc<dyn RefereeView>,
    pub(super) settings: AuditSettings,
    pub(super) seeds: Seeds,
    /// What keeps roots from being attested, by hash.
    troubles: Mutex<HashMap<Vec<u8>, Trouble>>,
    /// Answers are computed again one after the other, however many roots are looked at.
    computing: Semaphore,
}

/// A root under audit.
pub(super) struct Target {
    pub(super) node: NodeResponse,
    pub(super) epoch: EpochResponse,
}

/// What became of a root that was looked at.
pub(super) enum Seen {
    /// It is dealt with, for now; whether an attestation was sent.
    Done(bool),
    /// A blob of it cannot be had, and why.
    Withheld(BlobKind, Fault),
}

/// Both documents of an epoch, as fetched.
struct Documents {
    leaves: Vec<u8>,
    receipts: Vec<u8>,
}

/// Why a root was not attested.
enum Obstacle {
    /// The chain or the disk; another try may help.
    Fault(Fault),
    /// A blob cannot be had.
    Unavailable(BlobKind, Fault),
    /// The root is wrong.
    Wrong(Finding),
}

impl From<Fault> for Obstacle {
    fn from(fault: Fault) -> Self {
        Obstacle::Fault(fault)
    }
}

impl Roots {
    pub(super) fn new(node: Arc<Node>, referee: Arc<dyn RefereeView>, settings: AuditSettings) -> Self {
        let seeds = Seeds::new(node.clone(), referee.clone());
        Roots { node, referee, settings, seeds, troubles: Mutex::default(), computing: Semaphore::new(1) }
    }

    /// Audits one root and proves what is wrong with it. What else keeps it from being attested is logged.
    pub(super) async fn look(&self, target: &Target, height: u64) -> Seen {
        let wrong = match self.audit(target).await {
            Ok(said) => return Seen::Done(said),
            Err(Obstacle::Unavailable(blob, fault)) => return Seen::Withheld(blob, fault),
            Err(Obstacle::Fault(fault)) => Err(fault),
            Err(Obstacle::Wrong(finding)) => self.convict(target, finding).await,
        };
        if let Err(fault) = wrong {
            self.say(&target.epoch, height, fault.code, &fault.what);
        }
        Seen::Done(false)
    }

    /// Audits one root, unless that was done. Says whether an attestation was sent.
    async fn audit(&self, target: &Target) -> std::result::Result<bool, Obstacle> {
        let epoch = &target.epoch;
        let commit = &epoch.commit;
        match self.row(epoch).await?.state {
            AuditState::Attested { .. } | AuditState::Faulty { .. } | AuditState::Closed => return Ok(false),
            AuditState::Checked => {}
            AuditState::Watched => {
                let documents = self.fetch(target).await?;
                self.examine(target, &documents).await?;
                for bytes in [documents.leaves, documents.receipts] {
                    self.node.keep(bytes).await?;
                }
                self.set(epoch, AuditState::Checked).await?;
            }
        }
        // An attestation of an earlier run may have landed unseen.
        let said = self.referee.attestation(commit.node_id, &commit.denom, commit.epoch).await?;
        let auditor = self.node.payee.node_id;
        if said.auditors.iter().any(|(id, _)| *id == auditor) {
            self.set(epoch, AuditState::Attested { tx: None }).await?;
            return Ok(false);
        }
        let msg = ExecuteMsg::Attest {
            auditor,
            node_id: commit.node_id,
            denom: commit.denom.clone(),
            epoch: commit.epoch,
        };
        match self.referee.tell(&msg, None).await? {
            Posting::Done { tx } => {
                self.node.metrics.audit_attestations.fetch_add(1, Relaxed);
                tracing::info!(node = commit.node_id, epoch = commit.epoch, tx, "root attested");
                self.set(epoch, AuditState::Attested { tx: Some(tx) }).await?;
                Ok(true)
            }
            Posting::Refused { reason } | Posting::Open { reason } => Err(Fault::unavailable(
                "E-AUDIT-003",
                format!("the attestation of {} was not taken: {reason}", named(epoch)),
                "It is sent again in the next round; see whether this node has audit weight and gas.",
            )
            .into()),
        }
    }

    /// Both blobs, from this store or from the node that posted them.
    async fn fetch(&self, target: &Target) -> std::result::Result<Documents, Obstacle> {
        let commit = &target.epoch.commit;
        let leaves = self.blob(&target.node, &commit.leaves_blob).await;
        let leaves = leaves.map_err(|fault| Obstacle::Unavailable(BlobKind::Leaves, fault))?;
        let receipts = self.blob(&target.node, &commit.receipts_blob).await;
        let receipts = receipts.map_err(|fault| Obstacle::Unavailable(BlobKind::Receipts, fault))?;
        Ok(Documents { leaves, receipts })
    }

    async fn blob(&self, node: &NodeResponse, blob: &BlobRef) -> Result<Vec<u8>> {
        match self.node.stored(&root_of(blob)?).await? {
            Some(bytes) if BlobRef::of(&bytes) == *blob => Ok(bytes),
            _ => HttpBlobs::new(&node.endpoint)?.attempts(2).get(blob).await,
        }
    }

    /// Everything that the documents must be.
    async fn examine(&self, target: &Target, documents: &Documents) -> std::result::Result<(), Obstacle> {
        let epoch = &target.epoch;
        let commit = epoch.commit.clone();
        let before = self.before(target).await?;
        let (leaves, receipts) = (documents.leaves.clone(), documents.receipts.clone());
        let parsed = blocking(move || {
            let leaves = parse_ledger(&leaves, &commit.leaves_blob, &commit.ledger)?;
            let receipts = parse_receipts(&receipts, &commit.receipts_blob, &commit.receipts)?;
            Ok((leaves, receipts))
        })
        .await;
        // The bytes are those that the node committed to: what cannot be read is the node's doing.
        let (leaves, receipts) =
            parsed.map_err(|fault| Obstacle::Wrong(Finding { code: "E-AUDIT-009", what: fault.what }))?;
        let known = self.known(target, &receipts).await?;
        let (commit, posted_at) = (epoch.commit.clone(), epoch.posted_at);
        let answers = receipts.clone();
        // The ledger grows by exactly the data part: the escrow saw to it when the root was posted.
        let data = commit.ledger.sum.u128().saturating_sub(commit.previous.sum.u128());
        let found = blocking(move || {
            Ok(check(&Books {
                commit: &commit,
                posted_at,
                data,
                before: &before,
                leaves: &leaves,
                receipts: &receipts,
                facts: &known.facts,
                logs: &known.logs,
                sessions: &known.sessions,
                datanets: &known.datanets,
                sources: &known.sources,
                withdrawal_grace: known.withdrawal_grace,
            }))
        })
        .await?;
        found.map_err(Obstacle::Wrong)?;
        self.replay(target, &answers).await
    }

    /// Computes the answers again that this auditor's seed draws, as far as this node has their models.
    async fn replay(&self, target: &Target, receipts: &[SignedReceipt]) -> std::result::Result<(), Obstacle> {
        let base_bps = self.settings.replay_percent.min(100) as u16 * 100;
        if base_bps == 0 {
            return Ok(());
        }
        let source = HttpBlobs::new(&target.node.endpoint)?.attempts(2);
        let sample = self.seeds.sample(&target.node, &target.epoch, base_bps).await?;
        // A word given before the models are loaded, right after a start, would be one on answers that nobody looked at.
        let coming =
            receipts.iter().find(|r| self.node.models.is_coming(r.receipt.model_id, r.receipt.model_version));
        if let Some(SignedReceipt { receipt, .. }) = coming {
            let what =
                format!("version {} of model {} is being loaded", receipt.model_version, receipt.model_id);
            let advice = "The root is looked at again in the next round.";
            return Err(Fault::unavailable("E-AUDIT-015", what, advice).into());
        }
        let here =
            |r: &SignedReceipt| self.node.models.ready(r.receipt.model_id, r.receipt.model_version).is_ok();
        let due = receipts.iter().enumerate().filter(|(_, r)| here(r) && sample.has(&r.receipt.digest()));
        for (index, signed) in due {
            let receipt = &signed.receipt;
            let loaded = self.node.models.ready(receipt.model_id, receipt.model_version)?;
            let bundle = source.bundle(&receipt.digest()).await?;
            let named = format!("answer {} of session {}", receipt.sequence, receipt.session_id);
            if bundle.receipt != *signed {
                let what = format!("{named}: the node shows another receipt than it settled");
                return Err(Obstacle::Wrong(Finding { code: "E-AUDIT-014", what }));
            }
            let bundle = Arc::new(bundle);
            let barred = self.node.barred_in(&loaded, &bundle).await?;
            let again = bundle.clone();
            let turn = self.computing.acquire().await;
            let failures = blocking(move || Ok(loaded.answerer.replay(&again, &barred))).await?;
            drop(turn);
            self.node.metrics.audit_replays.fetch_add(1, Relaxed);
            if !failures.is_empty() {
                accuse(&self.node, &target.epoch, receipts, index, &bundle).await?;
                let what = format!("{named}: {}", failures.join("; "));
                return Err(Obstacle::Wrong(Finding { code: "E-AUDIT-014", what }));
            }
            tracing::debug!(session = receipt.session_id, sequence = receipt.sequence, "answer replayed");
        }
        Ok(())
    }

    /// The leaves of the ledger that the root grew from.
    async fn before(&self, target: &Target) -> Result<LedgerBlob> {
        let commit = &target.epoch.commit;
        let ledger = self.referee.ledger_of(commit.node_id, &commit.denom).await?;
        let Some(blob) = ledger.leaves_blob else { return Ok(LedgerBlob { leaves: Vec::new() }) };
        if ledger.ledger != commit.previous {
            let what = "the root was replaced while it was looked at";
            return Err(Fault::unavailable("E-AUDIT-001", what, "It is looked at again in the next round."));
        }
        // Of a final root: it cannot be demanded any more, and without it the new one cannot be judged.
        let bytes = self.blob(&target.node, &blob).await?;
        let root = ledger.ledger;
        blocking(move || parse_ledger(&bytes, &blob, &root)).await
    }

    /// What the chain knows of everything that the receipts name.
    async fn known(&self, target: &Target, receipts: &[SignedReceipt]) -> Result<Known> {
        let chain = &self.node.chain;
        let node_id = target.epoch.commit.node_id;
        let source = HttpBlobs::new(&target.node.endpoint)?.attempts(2);
        let sessions: BTreeSet<u64> = receipts.iter().map(|r| r.receipt.session_id).collect();
        let models: BTreeSet<(u64, u32)> =
            receipts.iter().map(|r| (r.receipt.model_id, r.receipt.model_version)).collect();
        let cited: BTreeSet<u64> =
            receipts.iter().flat_map(|r| &r.receipt.shares).map(|s| s.contribution_id).collect();
        let mut room = MAX_LOGS;
        let mut known =
            Known { withdrawal_grace: self.referee.withdrawal_grace().await?, ..Known::default() };
        for id in sessions {
            let Some(session) = chain.session(id).await? else { continue };
            known.sessions.insert(id, session);
            if let Some(facts) = self.referee.facts(id, node_id).await? {
                let log = source.receipts(id, facts.log.count, &mut room).await?;
                known.facts.insert(id, facts);
                known.logs.insert(id, log);
            }
        }
        for (model_id, version) in models {
            if let Some(info) = chain.model_version(model_id, version).await? {
                known.datanets.insert((model_id, version), info.datanets);
            }
        }
        let sources: Vec<(u64, Option<ContributionResponse>)> = stream::iter(cited)
            .map(|id| async move { Ok::<_, Fault>((id, chain.contribution(id).await?)) })
            .buffer_unordered(PARALLEL)
            .try_collect()
            .await?;
        known.sources = sources.into_iter().filter_map(|(id, found)| Some((id, found?))).collect();
        Ok(known)
    }

    /// Says and proves that a root is wrong; it is never attested. A proof that was filed before is
    /// refused, which changes nothing.
    async fn convict(&self, target: &Target, finding: Finding) -> Result<()> {
        let epoch = &target.epoch;
        let (node_id, number) = (epoch.commit.node_id, epoch.commit.epoch);
        let what = &finding.what;
        self.node.metrics.audit_findings.fetch_add(1, Relaxed);
        tracing::error!(
            code = finding.code,
            node_id,
            epoch = number,
            "the root is wrong, not attested: {what}"
        );
        let found = self.proofs(target).await?;
        if found.is_empty() {
            tracing::warn!(code = "E-AUDIT-006", epoch = number, "no proof in one step is at hand");
        }
        for filed in found.into_iter().take(MAX_PROOFS) {
            let name = filed.fault.name();
            match self.referee.tell(&ExecuteMsg::ProveFault { proof: filed.into() }, None).await? {
                Posting::Done { tx } => {
                    tracing::error!(node_id, epoch = number, name, tx, "fault proved");
                    // The root is void by it; what else is wrong falls with it.
                    break;
                }
                Posting::Refused { reason } => {
                    tracing::warn!(code = "E-AUDIT-007", name, reason, "proof refused");
                }
                // Written as faulty only once the chain has said yes or no.
                Posting::Open { reason } => {
                    let advice = "The proof is filed again in the next round.";
                    return Err(Fault::unavailable("E-AUDIT-007", reason, advice));
                }
            }
        }
        self.set(epoch, AuditState::Faulty { code: finding.code.into(), what: finding.what }).await
    }

    /// The proofs of what is wrong with a root.
    async fn proofs(&self, target: &Target) -> Result<Vec<FiledFault>> {
        let Ok(documents) = self.fetch(target).await else { return Ok(Vec::new()) };
        let read: Option<ReceiptsBlob> = serde_json::from_slice(&documents.receipts).ok();
        let receipts = read.map(|blob| blob.receipts).unwrap_or_default();
        let before = self.before(target).await?;
        let known = self.known(target, &receipts).await?;
        let commit = target.epoch.commit.clone();
        let mut commitments = BTreeMap::new();
        for number in known.facts.values().map(|facts| facts.settled_epoch).collect::<BTreeSet<u64>>() {
            if let Some(other) = self.referee.epoch_of(commit.node_id, &commit.denom, number).await? {
                commitments.insert(number, other.commit);
            }
        }
        let mut versions: Vec<Sealed> = Vec::new();
        for version in receipts.iter().flat_map(|r| &r.receipt.datanets) {
            if versions.iter().any(|sealed| sealed.version == *version) {
                continue;
            }
            // A version that the chain does not know proves nothing.
            if let Ok(leaves) = corpus::leaves(self.node.chain.as_ref(), version).await {
                versions.push(Sealed::new(version.clone(), leaves));
            }
        }
        let evidence = Evidence { facts: known.facts, logs: known.logs, commitments, versions };
        blocking(move || Ok(proofs(&commit, &documents.leaves, &documents.receipts, &before, &evidence)))
            .await
    }

    /// Demands a chunk of a blob that could not be had for half of the window, if there is a budget: on
    /// chain it is shown, or the root falls.
    pub(super) async fn demand(&self, epoch: &EpochResponse, blob: BlobKind, height: u64) -> Result<()> {
        let commit = &epoch.commit;
        let params = self.referee.referee_params().await?;
        let mut row = self.row(epoch).await?;
        let since = lock(&self.troubles).get(epoch.hash.as_slice()).map_or(height, |t| t.since);
        let patient = height < since.saturating_add(params.availability_blocks.div_ceil(2));
        let open = self.node.with_journal(|journal| journal.open_audits()).await?;
        let bound: u128 = open.iter().filter_map(|(_, row)| Some(row.demand?.1)).sum();
        let bond = params.demand_bond.u128();
        if patient || row.demand.is_some() || bound.saturating_add(bond) > self.settings.demand_budget {
            return Ok(());
        }
        let kept = match blob {
            BlobKind::Leaves => &commit.leaves_blob,
            BlobKind::Receipts => &commit.receipts_blob,
        };
        // The last chunk: who keeps only the beginning is caught too.
        let index = kept.len.saturating_sub(1) / openledger_types::merkle::BLOB_CHUNK as u64;
        let (node_id, denom) = (commit.node_id, commit.denom.clone());
        let msg = ExecuteMsg::DemandChunk { node_id, denom, epoch: commit.epoch, blob, index };
        let posting = self.referee.tell(&msg, Some((bond, &params.denom))).await?;
        if let Posting::Refused { reason } = &posting {
            tracing::warn!(code = "E-AUDIT-004", node = node_id, reason, "the demand was refused");
        }
        // Whatever became of the message: a demand of ours is on chain, or it is not.
        let ours = open_demands(&self.node, self.referee.as_ref()).await?.into_iter().find(|d| {
            d.demander == self.referee.hot_addr()
                && (d.node_id, &d.denom, d.epoch) == (node_id, &commit.denom, commit.epoch)
        });
        if let Some(demand) = ours {
            tracing::warn!(node = node_id, epoch = commit.epoch, demand = demand.demand_id, "chunk demanded");
            row.demand = Some((demand.demand_id, demand.bond.u128()));
            let hash = epoch.hash.to_vec();
            self.node.with_journal(move |journal| journal.keep_audit(&hash, &row)).await?;
        }
        Ok(())
    }

    /// Ends demands whose time is over, takes bonds back, and claims pay for roots that became final.
    pub(super) async fn follow(&self, height: u64) -> Result<()> {
        for (hash, row) in self.node.with_journal(|journal| journal.open_audits()).await? {
            let mut next = row.clone();
            if let Some((demand_id, _)) = row.demand {
                if self.demand_over(demand_id, height).await? {
                    next.demand = None;
                }
            }
            let epoch = self.referee.epoch_of(row.node_id, &row.denom, row.epoch).await?;
            match epoch {
                Some(epoch) if epoch.status == RootStatus::Pending => {}
                Some(epoch) => {
                    let attested = matches!(row.state, AuditState::Attested { .. });
                    if !(attested && epoch.status == RootStatus::Final) || self.claim(&epoch).await? {
                        next.state = AuditState::Closed;
                    }
                    lock(&self.troubles).remove(hash.as_slice());
                }
                None => next.state = AuditState::Closed,
            }
            if next != row {
                self.node.with_journal(move |journal| journal.keep_audit(&hash, &next)).await?;
            }
        }
        Ok(())
    }

    /// Whether a demand of this node is over; ends it and takes the bond back when its time has come.
    async fn demand_over(&self, demand_id: u64, height: u64) -> Result<bool> {
        let page = self.referee.demands(Some(demand_id.saturating_sub(1))).await?;
        let Some(demand) = page.into_iter().find(|d| d.demand_id == demand_id) else { return Ok(true) };
        match demand.status {
            DemandStatus::Open if height <= demand.until => Ok(false),
            DemandStatus::Open => {
                // The next round takes the bond back.
                self.referee.tell(&ExecuteMsg::ExpireDemand { demand_id }, None).await?;
                Ok(false)
            }
            DemandStatus::Answered => {
                tracing::info!(demand = demand_id, "the chunk was shown; its bond is the node's");
                Ok(true)
            }
            DemandStatus::Expired | DemandStatus::Moot => {
                let posting = self.referee.tell(&ExecuteMsg::Withdraw {}, None).await?;
                tracing::warn!(demand = demand_id, "the chunk was not shown: the root is void");
                // Refused: an earlier run took it.
                Ok(!matches!(posting, Posting::Open { .. }))
            }
        }
    }

    /// Claims this auditor's part of a final epoch's audit pay. Says whether nothing is left to do.
    async fn claim(&self, epoch: &EpochResponse) -> Result<bool> {
        let left = epoch.audit.checked_sub(epoch.audit_paid).unwrap_or_default();
        let least = self.settings.least_claim.max(1);
        if !epoch.attested || left.u128() < least {
            return Ok(true);
        }
        let commit = &epoch.commit;
        // By weight, as the referee shares it: the last of several auditors claims as the first does.
        let words = self.referee.attestation(commit.node_id, &commit.denom, commit.epoch).await?;
        let auditor = self.node.payee.node_id;
        let own = words.auditors.iter().find(|(found, _)| *found == auditor).map(|(_, weight)| *weight);
        let pay =
            epoch.audit.checked_multiply_ratio(own.unwrap_or_default(), words.attested).unwrap_or_default();
        if pay.u128() < least {
            return Ok(true);
        }
        let msg = ExecuteMsg::ClaimAudit {
            auditor,
            node_id: commit.node_id,
            denom: commit.denom.clone(),
            epoch: commit.epoch,
        };
        match self.referee.tell(&msg, None).await? {
            Posting::Done { tx } => {
                tracing::info!(node = commit.node_id, epoch = commit.epoch, tx, "audit pay claimed");
                Ok(true)
            }
            Posting::Refused { reason } => {
                tracing::warn!(code = "E-AUDIT-005", epoch = commit.epoch, reason, "no audit pay");
                Ok(true)
            }
            Posting::Open { .. } => Ok(false),
        }
    }

    async fn row(&self, epoch: &EpochResponse) -> Result<AuditRow> {
        let hash = epoch.hash.to_vec();
        let found = self.node.with_journal(move |journal| journal.audit(&hash)).await?;
        Ok(found.unwrap_or_else(|| AuditRow {
            node_id: epoch.commit.node_id,
            denom: epoch.commit.denom.clone(),
            epoch: epoch.commit.epoch,
            state: AuditState::Watched,
            demand: None,
        }))
    }

    async fn set(&self, epoch: &EpochResponse, state: AuditState) -> Result<()> {
        let row = AuditRow { state, ..self.row(epoch).await? };
        let hash = epoch.hash.to_vec();
        self.node.with_journal(move |journal| journal.keep_audit(&hash, &row)).await
    }

    /// Logs what keeps a root from being attested, now and then.
    pub(super) fn say(&self, epoch: &EpochResponse, height: u64, code: &'static str, what: &str) {
        let mut troubles = lock(&self.troubles);
        let trouble = troubles.entry(epoch.hash.to_vec()).or_insert(Trouble { since: height, said: None });
        if trouble.said.is_none_or(|at| height >= at.saturating_add(SAY_EVERY)) {
            trouble.said = Some(height);
            tracing::warn!(code, "{} is not attested: {what}", named(epoch));
        }
    }
}

/// What the chain knows of an epoch's receipts.
#[derive(Default)]
struct Known {
    facts: BTreeMap<u64, SessionFacts>,
    logs: BTreeMap<u64, Vec<SignedReceipt>>,
    sessions: BTreeMap<u64, openledger_types::msg::escrow::SessionResponse>,
    datanets: BTreeMap<(u64, u32), Vec<openledger_types::formats::VersionRef>>,
    sources: BTreeMap<u64, ContributionResponse>,
    withdrawal_grace: u64,
}

fn named(epoch: &EpochResponse) -> String {
    format!("epoch {} of node {}", epoch.commit.epoch, epoch.commit.node_id)
}
