//! Accuses nodes of answers that are not what their models give, and leads each of them before the arbiter to the
//! value that is wrong (PROTOCOL F2). The accused answers by [`Defender`](super::Defender).
//!
//! The journal holds the answers, the chain says how far each case is: a call that was cut off goes on where the
//! case stands.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};

use cosmwasm_std::{HexBinary, Uint128};
use openledger_dispute::play;
use openledger_types::api::AnswerBundle;
use openledger_types::formats::SignedReceipt;
use openledger_types::merkle::{verify_inclusion, SumNode, Tree};
use openledger_types::money::bps_ceil;
use openledger_types::msg::arbiter::{DisputeResponse, ExecuteMsg as Move, Turn};
use openledger_types::msg::escrow::{EpochResponse, HeldReceipt, RootStatus};
use openledger_types::msg::node_registry::NodeStatus;
use openledger_types::msg::referee::{CaseResponse, ExecuteMsg, Params, ReceiptFault, Subject, Verdict};

use super::cases::Cases;
use super::defend::ArbiterView;
use super::view::RefereeView;
use crate::dispute::{Computation, NO_DISPUTE};
use crate::engine::CONFIG_FILE;
use crate::fault::{Class, Fault, Result};
use crate::journal::Accusation;
use crate::serve::{blocking, lock, root_of, Node, Posting};

/// Blocks between two lines in the log about one accusation.
const SAY_EVERY: u64 = 50;

/// The bond of a case about one receipt, in base units of the bonds' denom: `case_bond_bps` of its fee, rounded up,
/// and at least `case_bond`; of fees in another denom the least.
pub fn case_bond(params: &Params, denom: &str, fee: Uint128) -> Uint128 {
    let fee = if denom == params.denom { fee } else { Uint128::zero() };
    Uint128::new(bps_ceil(fee.u128(), params.case_bond_bps)).max(params.case_bond)
}

/// The receipt at a position, with its path to the root over all; none outside of them.
pub fn held(receipts: &[SignedReceipt], index: usize) -> Option<HeldReceipt> {
    let receipt = &receipts.get(index)?.receipt;
    let leaves: Vec<SumNode> = receipts.iter().map(|signed| signed.receipt.leaf()).collect();
    let index = u64::try_from(index).ok()?;
    let path = Tree::new(leaves)?.prove(index)?;
    Some(HeldReceipt {
        receipt_id: HexBinary::from(&receipt.digest()),
        session_id: receipt.session_id,
        sequence: receipt.sequence,
        fee: receipt.fee,
        index,
        path: path.into(),
    })
}

/// Keeps an answer that is not what its model gives, for [`Challenger`].
///
/// # Errors
/// Those of the journal.
pub(super) async fn accuse(
    node: &Arc<Node>,
    epoch: &EpochResponse,
    receipts: &[SignedReceipt],
    index: usize,
    bundle: &AnswerBundle,
) -> Result<()> {
    let commit = &epoch.commit;
    let Some(held) = held(receipts, index) else { return Ok(()) };
    let row = Accusation {
        node_id: commit.node_id,
        denom: commit.denom.clone(),
        epoch: commit.epoch,
        held,
        bundle: bundle.clone(),
        case: None,
    };
    node.with_journal(move |journal| match journal.accusation(row.receipt_id())? {
        // Its case goes on, wherever the answer stands now.
        Some(known) if known.case.is_some() => Ok(()),
        _ => journal.keep_accusation(&row),
    })
    .await
}

/// What is kept in memory of an accusation between rounds: neither its answer nor, before a case runs, its values.
#[derive(Clone)]
struct Head {
    id: HexBinary,
    node_id: u64,
    denom: String,
    epoch: u64,
    fee: Uint128,
    case: Option<(u64, Uint128)>,
    /// Whether the answer is the one that its model gives, once computed.
    right: Option<Option<bool>>,
    /// Whether no dispute before the arbiter can be about it.
    is_for_votes: bool,
    /// Height at which it was said what keeps it from going on.
    said: Option<u64>,
}

impl Head {
    fn of(row: &Accusation) -> Self {
        Head {
            id: row.receipt_id().clone(),
            node_id: row.node_id,
            denom: row.denom.clone(),
            epoch: row.epoch,
            fee: row.held.fee,
            case: row.case,
            right: None,
            is_for_votes: false,
            said: None,
        }
    }
}

/// What one round knows.
struct Round {
    height: u64,
    params: Params,
    /// Base units bound in this auditor's cases.
    bound: u128,
}

/// The loop of an auditor in cases that it opened.
pub struct Challenger {
    node: Arc<Node>,
    referee: Arc<dyn RefereeView>,
    arbiter: Arc<dyn ArbiterView>,
    budget: u128,
    cases: Cases,
    heads: Mutex<HashMap<HexBinary, Head>>,
    /// Answers in cases of this auditor that run, computed again, by receipt; lost with a restart, which costs
    /// computing. The budget bounds how many they are.
    computed: Mutex<HashMap<HexBinary, Arc<Computation>>>,
}

impl Challenger {
    /// Accuses in the name of `node`, with at most `budget` base units bound in cases at once.
    pub fn new(
        node: Arc<Node>,
        referee: Arc<dyn RefereeView>,
        arbiter: Arc<dyn ArbiterView>,
        budget: u128,
    ) -> Self {
        let (cases, heads, computed) = Default::default();
        Challenger { node, referee, arbiter, budget, cases, heads, computed }
    }

    /// Answers whose values are in memory now.
    pub fn held_in_memory(&self) -> usize {
        lock(&self.computed).len()
    }

    /// Makes every step that is due in the cases of this auditor. Says how many.
    ///
    /// # Errors
    /// Those of chain and journal. A step that cannot be made is logged and does not keep others from being made.
    pub async fn round(&self) -> Result<usize> {
        let ids = self.node.with_journal(|journal| journal.accused()).await?;
        let present: HashSet<&HexBinary> = ids.iter().collect();
        lock(&self.heads).retain(|id, _| present.contains(id));
        if ids.is_empty() {
            return Ok(0);
        }
        let height = self.node.fresh_height().await?;
        let cases = self.cases.read(self.referee.as_ref()).await?;
        let own = self.referee.hot_addr();
        let running = cases.iter().filter(|case| case.challenger == own && case.verdict.is_none());
        let bound = running.map(|case| case.bond.u128()).fold(0, u128::saturating_add);
        let mut round = Round { height, params: self.referee.referee_params().await?, bound };
        let mut made = 0;
        for id in &ids {
            let Some(head) = self.head(id).await? else { continue };
            match self.advance(&head, &cases, &mut round).await {
                Ok(step) => made += usize::from(step),
                Err(fault) => self.say(&head, height, &fault),
            }
        }
        Ok(made)
    }

    /// What is in memory of an accusation; from the journal the first time. None when it is gone.
    async fn head(&self, id: &HexBinary) -> Result<Option<Head>> {
        if let Some(known) = lock(&self.heads).get(id) {
            return Ok(Some(known.clone()));
        }
        let Some(row) = self.row(id).await? else { return Ok(None) };
        let head = Head::of(&row);
        lock(&self.heads).insert(id.clone(), head.clone());
        Ok(Some(head))
    }

    /// The accusation with its answer.
    async fn row(&self, id: &HexBinary) -> Result<Option<Accusation>> {
        let id = id.to_vec();
        self.node.with_journal(move |journal| journal.accusation(&id)).await
    }

    /// The same where it is needed to go on.
    async fn row_of(&self, head: &Head) -> Result<Accusation> {
        self.row(&head.id).await?.ok_or_else(|| lost("its answer is not in the journal any more".into()))
    }

    /// Logs what keeps an accusation from going on, now and then.
    fn say(&self, head: &Head, height: u64, fault: &Fault) {
        if head.said.is_none_or(|at| height >= at.saturating_add(SAY_EVERY)) {
            self.remember(&head.id, |head| head.said = Some(height));
            let Fault { code, what, advice, .. } = fault;
            tracing::error!(code, node_id = head.node_id, epoch = head.epoch, "{what}. {advice}");
        }
    }

    fn remember(&self, id: &HexBinary, change: impl FnOnce(&mut Head)) {
        if let Some(head) = lock(&self.heads).get_mut(id) {
            change(head);
        }
    }

    /// Whether the answer stands where the accusation says, under a root that is not void: another root may have
    /// replaced it, of which its own audit judges.
    async fn stands(&self, row: &Accusation) -> Result<bool> {
        let Some(epoch) = self.referee.epoch_of(row.node_id, &row.denom, row.epoch).await? else {
            return Ok(false);
        };
        let (tree, held) = (&epoch.commit.receipts, &row.held);
        let leaf = row.bundle.receipt.receipt.leaf();
        let under =
            tree.node().is_ok_and(|root| verify_inclusion(&leaf, held.index, tree.count, &held.path, &root));
        if epoch.status == RootStatus::Final {
            // Neither fee nor bond is at stake once the accused's notice is over: the chain takes no case then.
            let height = self.node.fresh_height().await?;
            let nodes = self.referee.nodes().await?;
            let is_free = nodes.iter().any(|node| {
                node.node_id == row.node_id
                    && (node.status == NodeStatus::Left || node.unbonds_at.is_some_and(|at| at <= height))
            });
            return Ok(under && !is_free);
        }
        Ok(under && epoch.status == RootStatus::Pending)
    }

    /// The next step in one accusation; whether a message was sent.
    async fn advance(&self, head: &Head, cases: &[CaseResponse], round: &mut Round) -> Result<bool> {
        match self.cases.about(self.referee.as_ref(), cases, &head.id).await? {
            None => self.open_case(head, round).await,
            Some(case) if case.challenger != self.referee.hot_addr() => match case.verdict {
                // Its jury may ask this node for the answer.
                None => self.note_case(head, case.case_id, Uint128::zero()).await,
                Some(Verdict::Guilty) => self.forget(head).await,
                // A friend of the accused may have lost on purpose.
                Some(_) => self.open_case(head, round).await,
            },
            Some(case) if case.verdict.is_some() => self.close(head, &case).await,
            Some(case) => {
                self.note_case(head, case.case_id, case.bond).await?;
                self.lead(head, &case, round.height).await
            }
        }
    }

    /// Opens a case, where the budget allows its bond and the values of the answer are wrong.
    async fn open_case(&self, head: &Head, round: &mut Round) -> Result<bool> {
        // First, so that what waits for its turn costs neither computing nor memory.
        let bond = case_bond(&round.params, &head.denom, head.fee).u128();
        if round.bound.saturating_add(bond) > self.budget {
            let what = format!("a case needs a bond of {bond}, {} of {} are bound", round.bound, self.budget);
            let advice = "Raise `[audit] dispute_budget`, or wait for the verdicts in other cases.";
            return Err(Fault::unavailable("E-AUDIT-041", what, advice));
        }
        let row = self.row_of(head).await?;
        if !self.stands(&row).await? {
            return self.forget(head).await;
        }
        let right = match head.right {
            Some(known) => known,
            None => self.is_right(&row).await?,
        };
        self.remember(&head.id, |head| head.right = Some(right));
        if right != Some(false) {
            // Jurors do not look at shares.
            tracing::warn!(
                code = "E-AUDIT-040",
                node_id = row.node_id,
                epoch = row.epoch,
                "the answer is the one that its model gives: no case is opened about what else is wrong"
            );
            return self.forget(head).await;
        }
        let msg = ExecuteMsg::OpenCase {
            subject: Subject::Receipts {
                node_id: row.node_id,
                denom: row.denom.clone(),
                epoch: row.epoch,
                kind: ReceiptFault::Output,
                receipts: vec![row.held.clone()],
            },
            reason: format!("receipt {}", row.receipt_id().to_hex()),
        };
        let told = self.referee.tell(&msg, Some((bond, &round.params.denom))).await;
        let tx = told.and_then(|posting| done("E-AUDIT-042", posting)).inspect_err(|_| {
            // Whether a case follows is not known: its values are computed again when it does.
            lock(&self.computed).remove(&head.id);
        })?;
        round.bound = round.bound.saturating_add(bond);
        self.node.metrics.audit_cases.fetch_add(1, Relaxed);
        tracing::warn!(node_id = row.node_id, epoch = row.epoch, tx, "case opened about an answer");
        Ok(true)
    }

    /// Whether an answer is the one that its model gives; none where that cannot be said here.
    async fn is_right(&self, row: &Accusation) -> Result<Option<bool>> {
        // Every value of an answer that ends early, or whose words are not its tokens', may be right: the jury looks by a
        // replay, and so does who accuses.
        if self.for_arbiter(row).await?.is_some() {
            return Ok(Some(false));
        }
        self.follows(row).await
    }

    /// The next message in a case that runs.
    async fn lead(&self, head: &Head, case: &CaseResponse, height: u64) -> Result<bool> {
        let before = case.case_id.saturating_sub(1);
        let page = self.arbiter.disputes(Some(before)).await?;
        let found = page.into_iter().find(|found| found.case_id == case.case_id);
        let is_over = found.as_ref().is_some_and(|found| found.turn == Turn::Over);
        if is_over {
            lock(&self.computed).remove(&head.id);
        }
        if height > case.reveal_until && (found.is_none() || is_over) {
            // Decided by the votes, or by nobody: either way the bond is free again.
            let msg = ExecuteMsg::Conclude { case_id: case.case_id };
            done("E-AUDIT-042", self.referee.tell(&msg, None).await?)?;
            return Ok(true);
        }
        let msg = match found {
            None if head.is_for_votes => return Ok(false),
            None => {
                let row = self.row_of(head).await?;
                match self.for_arbiter(&row).await? {
                    Some(computed) => self.opening(&row, &computed, case.case_id).await?,
                    None => {
                        self.remember(&head.id, |head| head.is_for_votes = true);
                        return Ok(false);
                    }
                }
            }
            Some(found) => match self.next(head, &found, height).await? {
                Some(msg) => msg,
                // Given back to the votes, or not this side's turn.
                None => return Ok(false),
            },
        };
        let tx = done("E-AUDIT-043", self.arbiter.play(&msg).await?)?;
        tracing::info!(case = case.case_id, tx, "move made against the accused");
        Ok(true)
    }

    /// The pick that is due, or the end of a dispute whose other side is silent.
    async fn next(&self, head: &Head, found: &DisputeResponse, height: u64) -> Result<Option<Move>> {
        let case_id = found.case_id;
        match found.turn {
            Turn::Over => Ok(None),
            _ if height > found.until => Ok(Some(Move::Expire { case_id })),
            Turn::Pick => {
                let known = lock(&self.computed).get(&head.id).cloned();
                let computed = match known {
                    Some(known) => known,
                    None => self.computed(&self.row_of(head).await?).await?,
                };
                if found.by_node && computed.holds() {
                    // No step is wrong; what is, the votes see.
                    return Ok(Some(Move::Contest { case_id }));
                }
                let pick =
                    play::challenger(found, &computed.trace).map_err(|error| lost(error.to_string()))?;
                if pick.is_none() {
                    // The receipt commits to other values than the accused now shows, or it would not be here.
                    return Err(lost("the accused shows the values that follow".into()));
                }
                Ok(pick)
            }
            Turn::Answer | Turn::Show | Turn::Step => Ok(None),
        }
    }

    /// Takes the case to the arbiter.
    async fn opening(&self, row: &Accusation, computed: &Computation, case_id: u64) -> Result<Move> {
        let receipt = &row.bundle.receipt.receipt;
        let loaded = self.node.models.ready(receipt.model_id, receipt.model_version)?;
        let config = loaded.manifest.files.iter().find(|file| file.name == CONFIG_FILE);
        let config = &config.ok_or_else(|| lost("the model has no configuration".into()))?.blob;
        let mut files = Vec::new();
        for blob in [&loaded.info.manifest, config] {
            let bytes = self.node.stored(&root_of(blob)?).await?;
            files.push(bytes.ok_or_else(|| lost("a file of the model is not in the store".into()))?);
        }
        let [manifest, config] = <[Vec<u8>; 2]>::try_from(files).unwrap_or_default();
        let statement = computed.trace.statement();
        Ok(Move::Open {
            case_id,
            receipt: receipt.clone(),
            manifest: manifest.into(),
            config: config.into(),
            prompt: statement.prompt.clone(),
            repetition_milli: statement.repetition_milli,
        })
    }

    /// After a verdict: takes the bond out, as far as it came back.
    async fn close(&self, head: &Head, case: &CaseResponse) -> Result<bool> {
        let guilty = case.verdict == Some(Verdict::Guilty);
        self.node.metrics.audit_convictions.fetch_add(u64::from(guilty), Relaxed);
        tracing::warn!(
            case = case.case_id,
            node_id = head.node_id,
            guilty,
            "a case of this auditor has ended"
        );
        // Refused: nothing came back, or an earlier run took it.
        if let Posting::Open { reason } = self.referee.tell(&ExecuteMsg::Withdraw {}, None).await? {
            return Err(refused("E-AUDIT-042", reason));
        }
        self.forget(head).await?;
        Ok(true)
    }

    /// Keeps which case is about an answer, and what this node has at stake in it.
    async fn note_case(&self, head: &Head, case_id: u64, bond: Uint128) -> Result<bool> {
        let case = Some((case_id, bond));
        if head.case != case {
            let row = Accusation { case, ..self.row_of(head).await? };
            self.node.with_journal(move |journal| journal.keep_accusation(&row)).await?;
            self.remember(&head.id, |head| head.case = case);
        }
        Ok(false)
    }

    async fn forget(&self, head: &Head) -> Result<bool> {
        lock(&self.computed).remove(&head.id);
        lock(&self.heads).remove(&head.id);
        let (id, epoch) = (head.id.to_vec(), head.epoch);
        self.node.with_journal(move |journal| journal.drop_accusation(&id, epoch)).await?;
        Ok(false)
    }

    /// Whether the answer is the one that its model gives, by one replay.
    async fn follows(&self, row: &Accusation) -> Result<Option<bool>> {
        let receipt = &row.bundle.receipt.receipt;
        let loaded = self.node.models.ready(receipt.model_id, receipt.model_version)?;
        let bundle = row.bundle.clone();
        blocking(move || Ok(loaded.answerer.follows(&bundle))).await
    }

    /// The answer by the weights on record, where a value of it is wrong; none where no dispute before the arbiter can be
    /// about it, and the votes decide.
    async fn for_arbiter(&self, row: &Accusation) -> Result<Option<Arc<Computation>>> {
        match self.computed(row).await {
            Ok(computed) => Ok(Some(computed).filter(|computed| !computed.holds())),
            Err(fault) if fault.code == NO_DISPUTE => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// The answer by the weights on record, computed once.
    async fn computed(&self, row: &Accusation) -> Result<Arc<Computation>> {
        if let Some(known) = lock(&self.computed).get(row.receipt_id()) {
            return Ok(known.clone());
        }
        let receipt = &row.bundle.receipt.receipt;
        let loaded = self.node.models.ready(receipt.model_id, receipt.model_version)?;
        let bundle = row.bundle.clone();
        let computed = Arc::new(blocking(move || loaded.answerer.computation(&bundle)).await?);
        lock(&self.computed).insert(row.receipt_id().clone(), computed.clone());
        Ok(computed)
    }
}

/// The hash of a transaction that took effect.
fn done(code: &'static str, posting: Posting) -> Result<String> {
    match posting {
        Posting::Done { tx } => Ok(tx),
        Posting::Refused { reason } | Posting::Open { reason } => Err(refused(code, reason)),
    }
}

fn refused(code: &'static str, reason: String) -> Fault {
    Fault::unavailable(
        code,
        format!("a message in a case about an answer was not taken: {reason}"),
        "It is sent again in the next round; give the hot address coins for bond and gas if it has none.",
    )
}

fn lost(what: String) -> Fault {
    Fault::new(
        Class::Internal,
        "E-AUDIT-044",
        format!("a case about an answer cannot be led: {what}"),
        "Restore the model in this node's store; without it the case is left to the votes.",
    )
}
