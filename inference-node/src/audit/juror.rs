//! Votes in cases about answers by computing them again (PROTOCOL F2, F3): committed in the first half of a case,
//! revealed in the second.
//!
//! The arbiter decides most cases of the class exact. A side that contests what the prompt's tokens are gives the case
//! to the votes, and silence would release the accused.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cosmwasm_std::HexBinary;
use openledger_types::api::AnswerBundle;
use openledger_types::formats::{hash32, vote_commitment};
use openledger_types::merkle::Hash;
use openledger_types::msg::node_registry::{NodeResponse, Role};
use openledger_types::msg::referee::{CaseResponse, ExecuteMsg, ReceiptFault, Subject};

use super::cases::Cases;
use super::view::RefereeView;
use crate::corpus::HttpBlobs;
use crate::fault::Result;
use crate::journal::{VoteRow, VoteState};
use crate::recompute::{check_answer, Checks};
use crate::serve::{blocking, lock, Node, Posting};

/// How long one node may take to hand an answer out; the next is asked then.
const PATIENCE: Duration = Duration::from_secs(60);

/// Blocks after the time of a case after which every auditor ends it: who voted in it, or opened it, has had its turn.
const OVERDUE: u64 = 20;

/// Why no vote is cast in a case.
#[derive(Clone, Copy)]
enum Abstention {
    /// This auditor is of a side.
    Party,
    /// The answer or its model could not be had, or not computed here; tried again from a height on, after a pause in
    /// blocks that doubles each time.
    Until { height: u64, pause: u64 },
}

/// The loop of an auditor in cases of others.
pub struct Juror {
    node: Arc<Node>,
    referee: Arc<dyn RefereeView>,
    cases: Cases,
    /// Cases that run and in which no vote is cast; lost with a restart, which tries and says it again.
    abstained: Mutex<HashMap<u64, Abstention>>,
}

impl Juror {
    /// Votes in the name of `node`.
    pub fn new(node: Arc<Node>, referee: Arc<dyn RefereeView>) -> Self {
        Juror { node, referee, cases: Cases::default(), abstained: Mutex::default() }
    }

    /// Commits and reveals what is due in all cases that run. Says how many messages were sent.
    ///
    /// # Errors
    /// Those of chain and journal.
    pub async fn round(&self) -> Result<usize> {
        let mut running = self.cases.read(self.referee.as_ref()).await?;
        running.retain(|case| case.verdict.is_none());
        lock(&self.abstained).retain(|case_id, _| running.iter().any(|case| case.case_id == *case_id));
        if running.is_empty() {
            return Ok(0);
        }
        let height = self.node.fresh_height().await?;
        // Read when a case is judged, not in every round.
        let mut nodes = None;
        let mut sent = 0;
        for case in &running {
            // Cases of all kinds: what a case about receipts holds, and the bond that it freezes, wait for its end.
            if height > case.reveal_until.saturating_add(OVERDUE) {
                match self.conclude(case.case_id, height).await {
                    Ok(step) => sent += usize::from(step),
                    Err(fault) => tracing::warn!(code = fault.code, case = case.case_id, "{}", fault.what),
                }
                continue;
            }
            if !matches!(&case.subject, Subject::Receipts { kind: ReceiptFault::Output, .. }) {
                continue;
            }
            match self.vote(case, &mut nodes, height).await {
                Ok(step) => sent += usize::from(step),
                // The votes in other cases do not wait for this one.
                Err(fault) => {
                    tracing::warn!(code = fault.code, case = case.case_id, "{}", fault.what);
                }
            }
        }
        Ok(sent)
    }

    /// Ends a case that everybody else has left; whether a message was sent.
    async fn conclude(&self, case_id: u64, height: u64) -> Result<bool> {
        let known = lock(&self.abstained).get(&case_id).copied();
        if matches!(known, Some(Abstention::Until { height: until, .. }) if height < until) {
            return Ok(false);
        }
        // Refused, it may be sent again: another auditor was first, or the arbiter has it.
        let later = Abstention::Until { height: height.saturating_add(OVERDUE), pause: OVERDUE };
        lock(&self.abstained).insert(case_id, later);
        match self.referee.tell(&ExecuteMsg::Conclude { case_id }, None).await? {
            Posting::Done { tx } => {
                tracing::info!(case = case_id, tx, "a case that nobody ended");
                Ok(true)
            }
            Posting::Refused { .. } | Posting::Open { .. } => Ok(false),
        }
    }

    /// Whether this auditor is of a side of a case: neither is of its jury.
    fn is_party(&self, case: &CaseResponse, nodes: &[NodeResponse]) -> bool {
        let find = |node_id: u64| nodes.iter().find(|node| node.node_id == node_id);
        let accused = match &case.subject {
            Subject::Receipts { node_id, .. } => find(*node_id),
            _ => None,
        };
        case.challenger == self.referee.hot_addr()
            || find(self.node.payee.node_id).is_some_and(|own| {
                own.operator == case.challenger
                    || accused.is_some_and(|accused| accused.operator == own.operator)
            })
    }

    /// Judges a case once; again later where it could not be judged. None when no vote is cast now.
    async fn decide(
        &self,
        case: &CaseResponse,
        nodes: &mut Option<Vec<NodeResponse>>,
        height: u64,
    ) -> Result<Option<bool>> {
        let known = lock(&self.abstained).get(&case.case_id).copied();
        let pause = match known {
            Some(Abstention::Party) => return Ok(None),
            Some(Abstention::Until { height: until, .. }) if height < until => return Ok(None),
            Some(Abstention::Until { pause, .. }) => pause.saturating_mul(2),
            None => 1,
        };
        let nodes = match nodes {
            Some(nodes) => nodes,
            None => nodes.insert(self.referee.nodes().await?),
        };
        if self.is_party(case, nodes) {
            lock(&self.abstained).insert(case.case_id, Abstention::Party);
            return Ok(None);
        }
        let judged = self.judge(case, nodes).await;
        if !matches!(judged, Ok(Some(_))) {
            let until = Abstention::Until { height: height.saturating_add(pause), pause };
            lock(&self.abstained).insert(case.case_id, until);
            if known.is_none() {
                tracing::warn!(
                    code = "E-AUDIT-050",
                    case = case.case_id,
                    "no vote yet: the answer or its model cannot be had, or is of another class"
                );
            }
        }
        judged
    }

    /// The message that is due in a case; whether one was sent.
    async fn vote(
        &self,
        case: &CaseResponse,
        nodes: &mut Option<Vec<NodeResponse>>,
        height: u64,
    ) -> Result<bool> {
        let case_id = case.case_id;
        let row = match self.node.with_journal(move |journal| journal.vote(case_id)).await? {
            Some(row) => row,
            None if height > case.commit_until => return Ok(false),
            None => match self.decide(case, nodes, height).await? {
                Some(guilty) => {
                    let salt = HexBinary::from(rand::random::<Hash>().as_slice());
                    let row = VoteRow { guilty, salt, state: VoteState::Decided };
                    self.keep(case_id, &row).await?;
                    row
                }
                None => return Ok(false),
            },
        };
        let auditor = self.node.payee.node_id;
        let (msg, next) = match row.state {
            VoteState::Decided if height <= case.commit_until => {
                let Ok(salt) = hash32("salt", &row.salt) else { return Ok(false) };
                let (chain_id, referee) = (self.node.chain.chain_id(), self.referee.referee());
                let commitment = vote_commitment(chain_id, referee, case_id, auditor, row.guilty, &salt);
                let commitment = HexBinary::from(&commitment);
                (ExecuteMsg::CommitVote { case_id, auditor, commitment }, VoteState::Committed)
            }
            VoteState::Decided | VoteState::Committed
                if height > case.commit_until && height <= case.reveal_until =>
            {
                let VoteRow { guilty, salt, .. } = row.clone();
                (ExecuteMsg::RevealVote { case_id, auditor, guilty, salt }, VoteState::Over)
            }
            // Anyone may end a case; whoever voted does, in case that its challenger is no program.
            VoteState::Over if height > case.reveal_until => {
                (ExecuteMsg::Conclude { case_id }, VoteState::Concluded)
            }
            _ => return Ok(false),
        };
        match self.referee.tell(&msg, None).await? {
            Posting::Done { tx } => {
                tracing::info!(case = case_id, guilty = row.guilty, state = ?next, tx, "vote");
            }
            // An earlier message landed unseen, or this auditor has no weight in the case.
            Posting::Refused { reason } => {
                tracing::warn!(code = "E-AUDIT-051", case = case_id, reason, "the vote was not taken");
            }
            Posting::Open { .. } => return Ok(false),
        }
        self.keep(case_id, &VoteRow { state: next, ..row }).await?;
        Ok(true)
    }

    /// Whether no cited answer is the one that its model gives: a verdict of guilty convicts all of them. None when
    /// an answer or its model cannot be had here.
    async fn judge(&self, case: &CaseResponse, nodes: &[NodeResponse]) -> Result<Option<bool>> {
        let Subject::Receipts { node_id, receipts, .. } = &case.subject else { return Ok(None) };
        for receipt in receipts {
            let Ok(id) = hash32("receipt_id", &receipt.receipt_id) else { return Ok(None) };
            let Some(bundle) = self.answer(*node_id, nodes, &id).await else { return Ok(None) };
            let named = &bundle.receipt.receipt;
            let Ok(loaded) = self.node.models.ready(named.model_id, named.model_version) else {
                return Ok(None);
            };
            let given = blocking(move || Ok(loaded.answerer.follows(&bundle)));
            match given.await? {
                Some(false) => {}
                right => return Ok(right.map(|_| false)),
            }
        }
        Ok(Some(true))
    }

    /// An answer with everything that its receipt commits to: one that was computed again here, or from the accused or
    /// an auditor that has accused it.
    async fn answer(&self, accused: u64, nodes: &[NodeResponse], id: &Hash) -> Option<AnswerBundle> {
        let key = id.to_vec();
        if let Ok(Some(accused)) = self.node.with_journal(move |journal| journal.accusation(&key)).await {
            return Some(accused.bundle);
        }
        let from = |node: &&NodeResponse| node.node_id == accused || node.roles.contains(&Role::Audit);
        let mut sources: Vec<&NodeResponse> = nodes.iter().filter(from).collect();
        // The accused may answer slowly on purpose.
        sources.sort_by_key(|node| node.node_id == accused);
        for node in sources {
            let Ok(source) = HttpBlobs::new(&node.endpoint) else { continue };
            let source = source.attempts(1);
            let Ok(Ok(bundle)) = tokio::time::timeout(PATIENCE, source.bundle(id)).await else { continue };
            let mut checks = Checks::default();
            check_answer(&mut checks, &bundle);
            // Whoever shows another body, tokens or trace than was signed for shows nothing.
            if bundle.receipt.receipt.digest() == *id && checks.failures().is_empty() {
                return Some(bundle);
            }
        }
        None
    }

    async fn keep(&self, case_id: u64, row: &VoteRow) -> Result<()> {
        let row = row.clone();
        self.node.with_journal(move |journal| journal.keep_vote(case_id, &row)).await
    }
}
