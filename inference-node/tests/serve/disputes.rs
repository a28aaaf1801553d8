//! A node in disputes about its answers: it makes its moves by itself.

use std::sync::{Arc, Mutex};

use openledger_dispute::layout::{Layout, Place};
use openledger_dispute::opened::Opened;
use openledger_dispute::play;
use openledger_dispute::step::holds;
use openledger_dispute::trace::{Rows, Trace};
use openledger_dispute::tree::Descent;
use openledger_merkle::{Hash, ZERO_HASH};
use openledger_node::audit::{ArbiterView, AuditSettings, Challenger, Defender, Juror, RefereeView};
use openledger_node::corpus::Answer;
use openledger_node::dispute::Computation;
use openledger_node::serve::{Loaded, Posting};
use openledger_types::formats::tokens_hash;
use openledger_types::msg::arbiter::{DisputeResponse, ExecuteMsg, Outcome, Turn};
use openledger_types::msg::escrow::HeldReceipt;
use openledger_types::msg::referee::{self, Verdict};
use openledger_types::packed::HashPath;

use crate::audit::{auditor, auditor_node, FakeReferee};
use crate::support::*;

#[path = "../../../packages/dispute/tests/answers.rs"]
mod answers;

/// Seed of the weights on record.
const RIGHT: u64 = 5;
/// Seed of others.
const OTHER: u64 = 6;

fn rows(seed: u64) -> Rows {
    Rows::new(&answers::weights(&answers::config(false), seed))
}

fn computed(seed: u64) -> Computation {
    let rows = rows(seed);
    let trace = answers::answered_by(&answers::config(false), &rows, seed, (3, 9), [9; 32]);
    Computation { trace, rows }
}

fn honestly() -> Computation {
    computed(RIGHT)
}

pub fn with_other_weights() -> Computation {
    computed(OTHER)
}

/// The arbiter with a challenger, who picks as soon as there is something to pick.
pub struct FakeArbiter {
    layout: Layout,
    challenger: Trace,
    weights_root: Hash,
    state: Mutex<DisputeResponse>,
    /// Whether the challenger takes part by messages, beginning with its own opening.
    by_message: bool,
    opened: Mutex<bool>,
}

impl FakeArbiter {
    /// A dispute about `bundle`'s answer with a challenger who has computed `challenger`.
    fn new(receipt_id: Hash, challenger: Trace) -> Arc<Self> {
        let statement = challenger.statement();
        let state = DisputeResponse {
            case_id: 1,
            node_id: NODE,
            challenger: "openledger1challenger".into(),
            by_node: false,
            turn: Turn::Answer,
            until: 1_000,
            receipt_id: receipt_id.into(),
            prompt_hash: tokens_hash(&statement.prompt).into(),
            repetition_milli: statement.repetition_milli,
            trace_root: None,
            slot: None,
            offset: 0,
            size: challenger.layout().slots(),
            hash: ZERO_HASH.into(),
            shown: HashPath::default(),
            outcome: None,
        };
        let (layout, weights_root) = (challenger.layout().clone(), rows(RIGHT).root());
        let (by_message, opened) = (false, Mutex::new(true));
        Arc::new(FakeArbiter {
            layout,
            challenger,
            weights_root,
            state: Mutex::new(state),
            by_message,
            opened,
        })
    }

    /// The same before a challenger that sends its moves has opened it.
    fn unopened(receipt_id: Hash, challenger: Trace) -> Arc<Self> {
        let arbiter = Self::new(receipt_id, challenger);
        let mut own = Arc::into_inner(arbiter).expect("it was just made");
        (own.by_message, own.opened) = (true, Mutex::new(false));
        Arc::new(own)
    }

    fn take(&self, msg: &ExecuteMsg) -> Result<(), String> {
        let mut state = self.state.lock().unwrap();
        let said = |error: openledger_dispute::DisputeError| error.to_string();
        let mut descent = play::descent(&state).map_err(said)?;
        match msg {
            ExecuteMsg::Contest { .. } => state.outcome = Some(Outcome::Contested),
            ExecuteMsg::Answer { trace_root, .. } => {
                state.trace_root = Some(trace_root.clone());
                let root = trace_root.as_slice().try_into().map_err(|_| "no hash")?;
                descent = Descent::new(root, self.layout.slots());
            }
            ExecuteMsg::Show { hashes, .. } => {
                let units = descent.at_slot().map_or(0, |slot| self.layout.units(slot).unwrap());
                descent.open(units, hashes.0.clone()).map_err(said)?;
                if !descent.shown.is_empty() && !self.by_message {
                    descent.pick(self.challenger.pick(&descent).unwrap_or(0)).map_err(said)?;
                }
            }
            ExecuteMsg::Step { openings, .. } => {
                let target = descent.target().ok_or("no step is due")?;
                let root = state.trace_root.as_ref().unwrap().as_slice().try_into().unwrap();
                let opened = Opened::new(&self.layout, &root, &self.weights_root, openings);
                let right = opened.and_then(|mut opened| {
                    holds(&self.layout, self.challenger.statement(), &target, &mut opened)
                });
                // An opening under other weights is refused, and the node's time passes.
                let right = right.unwrap_or(false);
                state.outcome = Some(if right { Outcome::NotGuilty } else { Outcome::Guilty });
            }
            ExecuteMsg::Open { case_id, prompt, manifest, config, .. } if self.by_message => {
                let stated = tokens_hash(prompt) == state.prompt_hash.as_slice();
                if *case_id != 1 || !stated || **manifest != *manifest_bytes() || **config != *b"the config" {
                    return Err("another answer or model".into());
                }
                *self.opened.lock().unwrap() = true;
            }
            ExecuteMsg::Pick { index, .. } if self.by_message => {
                descent.pick(usize::from(*index)).map_err(said)?;
            }
            other => return Err(format!("not expected: {other:?}")),
        }
        state.turn = match (state.outcome, descent.target()) {
            (None, _) if state.trace_root.is_none() => Turn::Answer,
            (None, _) if !descent.shown.is_empty() => Turn::Pick,
            (Some(_), _) => Turn::Over,
            (None, Some(_)) => Turn::Step,
            (None, None) => Turn::Show,
        };
        (state.slot, state.offset, state.size) = (descent.slot, descent.offset, descent.size);
        (state.hash, state.shown) = (descent.hash.into(), HashPath(descent.shown));
        Ok(())
    }
}

impl ArbiterView for FakeArbiter {
    fn disputes(&self, start_after: Option<u64>) -> Answer<'_, Vec<DisputeResponse>> {
        let page = match start_after.unwrap_or_default() {
            0 if *self.opened.lock().unwrap() => vec![self.state.lock().unwrap().clone()],
            _ => vec![],
        };
        Box::pin(async move { Ok(page) })
    }
    fn play<'a>(&'a self, msg: &'a ExecuteMsg) -> Answer<'a, Posting> {
        let taken = self.take(msg);
        Box::pin(async move {
            Ok(match taken {
                Ok(()) => Posting::Done { tx: "AB".into() },
                Err(reason) => Posting::Refused { reason },
            })
        })
    }
}

/// A node that computes its answer by `compute`, and the dispute about it.
async fn played(
    compute: fn() -> Computation,
    challenger: fn(&Computation) -> Trace,
    edit: fn(&mut DisputeResponse),
) -> Option<Outcome> {
    played_over(false, compute, challenger, edit).await
}

/// The same over an answer that a schema bound, or none.
async fn played_over(
    bound: bool,
    compute: fn() -> Computation,
    challenger: fn(&Computation) -> Trace,
    edit: fn(&mut DisputeResponse),
) -> Option<Outcome> {
    let home = tempfile::tempdir().unwrap();
    let chain = new_chain();
    let rote = Rote { computation: Some(compute), ..Rote::default() };
    let world = World::start(home.path(), chain.clone(), rote).await;
    let mut user = User::open(&chain, 7);
    let bundle = match bound {
        false => world.ask(&mut user, "one two three").await,
        true => world.ask_bound(&mut user, "one two three").await,
    };
    let arbiter = FakeArbiter::new(bundle.receipt.receipt.digest(), challenger(&compute()));
    edit(&mut arbiter.state.lock().unwrap());
    let defender = Defender::new(world.node.clone(), arbiter.clone());
    for _ in 0..30 {
        if defender.round().await.unwrap() == 0 {
            break;
        }
    }
    let outcome = arbiter.state.lock().unwrap().outcome;
    outcome
}

/// What the weights on record give for the tokens of an answer.
fn by_the_record(own: &Computation) -> Trace {
    Trace::new(own.trace.layout().clone(), own.trace.statement().clone(), &rows(RIGHT)).unwrap()
}

/// The same with one value altered.
fn by_a_liar(own: &Computation) -> Trace {
    let mut values = own.trace.values().to_vec();
    let slot = own.trace.layout().slot(5, Place::Hidden);
    values[slot as usize][0] += 1.0;
    Trace::from_values(own.trace.layout().clone(), own.trace.statement().clone(), values)
}

#[tokio::test]
async fn rule_f2_an_honest_node_makes_every_move_and_is_acquitted() {
    assert_eq!(played(honestly, by_a_liar, |_| {}).await, Some(Outcome::NotGuilty));
}

#[tokio::test]
async fn rule_f2_a_node_with_other_weights_loses_by_its_own_moves() {
    assert_eq!(played(with_other_weights, by_the_record, |_| {}).await, Some(Outcome::Guilty));
}

#[tokio::test]
async fn rule_f2_a_node_contests_a_prompt_that_was_not_its() {
    let other = |found: &mut DisputeResponse| found.prompt_hash = tokens_hash(&[1]).into();
    assert_eq!(played(honestly, by_a_liar, other).await, Some(Outcome::Contested));
}

/// The arbiter draws without schemas and would find an honest answer wrong.
#[tokio::test]
async fn rule_f2_a_node_contests_where_a_schema_bound_its_answer() {
    assert_eq!(played_over(true, honestly, by_a_liar, |_| {}).await, Some(Outcome::Contested));
}

#[tokio::test]
async fn disputes_of_other_nodes_are_not_this_nodes() {
    assert_eq!(played(honestly, by_a_liar, |found| found.node_id = NODE + 1).await, None);
}

/// What the record gives for the answer of other weights, as an auditor computes it.
pub fn audited() -> Computation {
    Computation { trace: by_the_record(&with_other_weights()), rows: rows(RIGHT) }
}

/// An auditor whose replay differs, and the node whose answer it is, each by its own loops.
pub struct Accused {
    pub world: World,
    pub referee: Arc<FakeReferee>,
    arbiter: Arc<FakeArbiter>,
    pub home: tempfile::TempDir,
}

impl Accused {
    /// One answer of `compute` under a root that waits, which an auditor with `again` has looked at.
    pub async fn new(compute: fn() -> Computation, again: fn() -> Computation) -> Self {
        let home = tempfile::tempdir().unwrap();
        let chain = new_chain();
        let rote = Rote { computation: Some(compute), ..Rote::default() };
        let world = World::start(home.path(), chain.clone(), rote).await;
        let mut user = User::open(&chain, 7);
        let bundle = world.ask(&mut user, "one two three").await;
        chain.state().height += 60;
        assert_eq!(world.node.settle_round().await.unwrap(), "posted epoch 1");
        let referee = FakeReferee::new(&chain, &world.url);
        let arbiter = FakeArbiter::unopened(bundle.receipt.receipt.digest(), again().trace);
        let found = Accused { world, referee, arbiter, home };
        let node = found.auditor(again).await;
        assert_eq!(auditor(&node, &found.referee, 0).round().await.unwrap(), 0, "it is not attested");
        assert_eq!(node.journal.accusations().unwrap().len(), 1);
        found
    }

    /// The auditor's node, as after a start.
    pub async fn auditor(&self, again: fn() -> Computation) -> Arc<openledger_node::serve::Node> {
        let node = auditor_node(self.home.path(), &self.world.chain);
        for file in [manifest_bytes(), b"the config".to_vec()] {
            node.keep(file).await.unwrap();
        }
        let rote = Rote { fails: true, computation: Some(again), ..Rote::default() };
        node.models.insert(Loaded { info: model_info(), manifest: manifest(), answerer: Box::new(rote) });
        node
    }

    pub fn challenger(&self, node: &Arc<openledger_node::serve::Node>, budget: u128) -> Challenger {
        Challenger::new(node.clone(), self.referee.clone(), self.arbiter.clone(), budget)
    }
}

#[tokio::test]
async fn rule_f2_an_auditor_opens_a_case_and_leads_the_node_to_its_conviction() {
    let found = Accused::new(with_other_weights, audited).await;
    let defender = Defender::new(found.world.node.clone(), found.arbiter.clone());
    let mut picks = 0;
    for round in 0..60 {
        // Another process each time: chain and journal say how far it is.
        let node = found.auditor(audited).await;
        picks += found.challenger(&node, 1_000_000).round().await.unwrap();
        defender.round().await.unwrap();
        let outcome = found.arbiter.state.lock().unwrap().outcome;
        if let (Some(outcome), true) = (outcome, round > 0) {
            assert_eq!(outcome, Outcome::Guilty);
            found.referee.cases.lock().unwrap()[0].verdict = Some(Verdict::Guilty);
        }
        if node.journal.accusations().unwrap().is_empty() {
            break;
        }
    }
    let told = |wanted: fn(&referee::ExecuteMsg) -> bool| found.referee.told(wanted);
    assert!(picks > 4, "{picks}");
    assert_eq!(told(|msg| matches!(msg, referee::ExecuteMsg::OpenCase { .. })), 1);
    assert_eq!(told(|msg| matches!(msg, referee::ExecuteMsg::Withdraw {})), 1);
    assert_eq!(told(|msg| matches!(msg, referee::ExecuteMsg::Attest { .. })), 0);
    let node = found.auditor(audited).await;
    assert!(node.journal.accusations().unwrap().is_empty());
}

#[tokio::test]
async fn rule_f2_no_case_without_a_budget_or_about_values_that_are_right() {
    let found = Accused::new(with_other_weights, audited).await;
    let node = found.auditor(audited).await;
    assert_eq!(found.challenger(&node, 999_999).round().await.unwrap(), 0);
    assert_eq!(node.journal.accusations().unwrap().len(), 1, "it waits for a budget");
    assert!(AuditSettings::default().dispute_budget >= 1_000_000, "the default pays for a case");
    drop(node);
    // What else is wrong with an answer is not for the arbiter.
    let found = Accused::new(honestly, honestly).await;
    let node = found.auditor(honestly).await;
    assert_eq!(found.challenger(&node, 1_000_000).round().await.unwrap(), 0);
    assert!(node.journal.accusations().unwrap().is_empty());
    assert_eq!(found.referee.told(|msg| matches!(msg, referee::ExecuteMsg::OpenCase { .. })), 0);
}

#[tokio::test]
async fn rule_f2_what_another_auditor_has_accused_is_left_to_it() {
    let found = Accused::new(with_other_weights, audited).await;
    let node = found.auditor(audited).await;
    let challenger = found.challenger(&node, 2_000_000);
    assert_eq!(challenger.round().await.unwrap(), 1);
    let opened = || found.referee.told(|msg| matches!(msg, referee::ExecuteMsg::OpenCase { .. }));
    let edit = |change: fn(&mut referee::CaseResponse)| change(&mut found.referee.cases.lock().unwrap()[0]);
    edit(|case| case.challenger = "openledger1another".into());
    assert_eq!(challenger.round().await.unwrap(), 0);
    assert_eq!(opened(), 1);
    // Its jury can have the answer from here meanwhile.
    assert_eq!(node.journal.accusations().unwrap()[0].case, Some((1, 0u128.into())));
    // Who lost it may be the accused's friend.
    edit(|case| case.verdict = Some(Verdict::Undecided));
    assert_eq!(challenger.round().await.unwrap(), 1);
    assert_eq!(opened(), 2);
    found.referee.cases.lock().unwrap().pop();
    edit(|case| case.verdict = Some(Verdict::Guilty));
    assert_eq!(challenger.round().await.unwrap(), 0);
    assert!(node.journal.accusations().unwrap().is_empty());
}

/// Makes a case one that a friend of the accused has opened, of a kind of which programs do not judge.
fn as_a_friends(case: &mut referee::CaseResponse) {
    case.challenger = "openledger1friend".into();
    if let referee::Subject::Receipts { kind, .. } = &mut case.subject {
        *kind = referee::ReceiptFault::MissingSource;
    }
}

/// A friend of the accused opens cases of other kinds, of which programs do not judge.
#[tokio::test]
async fn rule_f2_attack_cases_of_other_kinds_keep_no_auditor_from_accusing() {
    let found = Accused::new(with_other_weights, audited).await;
    let node = found.auditor(audited).await;
    let challenger = found.challenger(&node, 2_000_000);
    assert_eq!(challenger.round().await.unwrap(), 1);
    let opened = || found.referee.told(|msg| matches!(msg, referee::ExecuteMsg::OpenCase { .. }));
    let edit = |change: fn(&mut referee::CaseResponse)| change(&mut found.referee.cases.lock().unwrap()[0]);
    // The one just opened, as if it were a friend's.
    edit(as_a_friends);
    assert_eq!(challenger.round().await.unwrap(), 1);
    assert_eq!(opened(), 2, "it accuses the answer all the same");
    // Guilt of any kind ends the accusation.
    found.referee.cases.lock().unwrap().pop();
    edit(|case| case.verdict = Some(Verdict::Guilty));
    assert_eq!(challenger.round().await.unwrap(), 0);
    assert!(node.journal.accusations().unwrap().is_empty());
}

/// A case in which nobody votes, and which its challenger leaves, is ended by auditors.
#[tokio::test]
async fn rule_f2_a_case_that_nobody_ends_is_ended_by_an_auditor() {
    let found = Accused::new(with_other_weights, audited).await;
    let node = found.auditor(audited).await;
    assert_eq!(found.challenger(&node, 2_000_000).round().await.unwrap(), 1);
    let end = {
        let case = &mut found.referee.cases.lock().unwrap()[0];
        as_a_friends(case);
        case.reveal_until
    };
    let juror = Juror::new(node, found.referee.clone());
    let mut sent = 0;
    for height in [end, end + 1, end + 20, end + 21, end + 22, end + 41] {
        found.world.chain.state().height = height;
        sent += juror.round().await.unwrap();
    }
    // The second is of a chain that shows the case as open still.
    assert_eq!(sent, 2);
    assert_eq!(found.referee.told(|msg| matches!(msg, referee::ExecuteMsg::Conclude { .. })), 2);
    found.referee.cases.lock().unwrap()[0].verdict = Some(Verdict::Undecided);
    assert_eq!(juror.round().await.unwrap(), 0);
}

/// What an auditor votes in somebody's case about an answer of `compute`, of which it computes `again`; the
/// commitment that it sent, and how its vote is opened.
async fn voted(
    compute: fn() -> Computation,
    again: fn() -> Computation,
    edit: fn(&mut referee::CaseResponse),
) -> Option<bool> {
    voted_by(compute, || Rote { computation: Some(again), ..Rote::default() }, edit).await
}

/// The same by an auditor whose model is `again`.
async fn voted_by(
    compute: fn() -> Computation,
    again: impl Fn() -> Rote,
    edit: fn(&mut referee::CaseResponse),
) -> Option<bool> {
    let home = tempfile::tempdir().unwrap();
    let chain = new_chain();
    let rote = Rote { computation: Some(compute), ..Rote::default() };
    let world = World::start(home.path(), chain.clone(), rote).await;
    let mut user = User::open(&chain, 7);
    let bundle = world.ask(&mut user, "one two three").await;
    let referee = FakeReferee::new(&chain, &world.url);
    let receipt = bundle.receipt.receipt;
    let held = HeldReceipt {
        receipt_id: receipt.digest().into(),
        session_id: 7,
        sequence: 1,
        fee: receipt.fee,
        index: 0,
        path: Default::default(),
    };
    let subject = referee::Subject::Receipts {
        node_id: NODE,
        denom: DENOM.into(),
        epoch: 1,
        kind: referee::ReceiptFault::Output,
        receipts: vec![held],
    };
    let open = referee::ExecuteMsg::OpenCase { subject, reason: "r".into() };
    referee.tell(&open, None).await.unwrap();
    let (commit_until, reveal_until) = {
        let case = &mut referee.cases.lock().unwrap()[0];
        case.challenger = "openledger1user".into();
        edit(case);
        (case.commit_until, case.reveal_until)
    };
    let with_model = || {
        let node = auditor_node(home.path(), &chain);
        let answerer = Box::new(again());
        node.models.insert(Loaded { info: model_info(), manifest: manifest(), answerer });
        node
    };
    // Another process each time: the vote stands in the journal, its salt too.
    let mut sent = 0;
    let opened_at = chain.state().height;
    for height in [opened_at, commit_until, commit_until + 1, reveal_until, reveal_until + 1] {
        chain.state().height = height;
        sent += Juror::new(with_model(), referee.clone()).round().await.unwrap();
    }
    let votes = referee.votes();
    // Committed, revealed, and the case ended.
    assert_eq!(sent, 3 * votes.len());
    assert!(votes.len() < 2);
    votes.first().copied()
}

#[tokio::test]
async fn rule_f3_an_auditor_commits_and_reveals_what_its_own_computation_gives() {
    assert_eq!(voted(with_other_weights, audited, |_| {}).await, Some(true));
    assert_eq!(voted(honestly, honestly, |_| {}).await, Some(false));
}

/// Under an adapter, bound by a schema, or in the tolerant class: one replay decides the vote.
#[tokio::test]
async fn rule_f3_of_an_answer_that_no_dispute_can_be_about_a_replay_decides() {
    let replayed = |fails| move || Rote { fails, ..Rote::default() };
    assert_eq!(voted_by(honestly, replayed(true), |_| {}).await, Some(true));
    assert_eq!(voted_by(honestly, replayed(false), |_| {}).await, Some(false));
}

#[tokio::test]
async fn rule_f2_an_answer_that_no_dispute_can_be_about_is_accused_and_left_to_the_votes() {
    let found = Accused::new(with_other_weights, audited).await;
    let node = found.auditor(audited).await;
    let rote = Rote { fails: true, ..Rote::default() };
    node.models.insert(Loaded { info: model_info(), manifest: manifest(), answerer: Box::new(rote) });
    let challenger = found.challenger(&node, 1_000_000);
    assert_eq!(challenger.round().await.unwrap(), 1);
    let told = |wanted: fn(&referee::ExecuteMsg) -> bool| found.referee.told(wanted);
    assert_eq!(told(|msg| matches!(msg, referee::ExecuteMsg::OpenCase { .. })), 1);
    assert_eq!(challenger.round().await.unwrap(), 0);
    assert!(!*found.arbiter.opened.lock().unwrap(), "the arbiter is not asked");
    let end = found.referee.cases.lock().unwrap()[0].reveal_until;
    found.world.chain.state().height = end + 1;
    assert_eq!(challenger.round().await.unwrap(), 1);
    assert_eq!(told(|msg| matches!(msg, referee::ExecuteMsg::Conclude { .. })), 1);
}

/// Every value of an answer that ends before its time is right: no step can be shown, and a replay finds it.
#[tokio::test]
async fn node_attack_08_an_answer_that_ends_early_is_accused_and_left_to_the_votes() {
    let found = Accused::new(honestly, honestly).await;
    let node = found.auditor(honestly).await;
    let rote = Rote { fails: true, computation: Some(honestly), ends_early: true, ..Rote::default() };
    node.models.insert(Loaded { info: model_info(), manifest: manifest(), answerer: Box::new(rote) });
    let challenger = found.challenger(&node, 1_000_000);
    assert_eq!(challenger.round().await.unwrap(), 1);
    assert_eq!(found.referee.told(|msg| matches!(msg, referee::ExecuteMsg::OpenCase { .. })), 1);
    assert_eq!(challenger.round().await.unwrap(), 0);
    assert!(!*found.arbiter.opened.lock().unwrap(), "the arbiter is not asked");
}

#[tokio::test]
async fn rule_f3_no_vote_of_a_party_or_without_the_answer() {
    let party = |case: &mut referee::CaseResponse| case.challenger = "openledger1val".into();
    assert_eq!(voted(with_other_weights, audited, party).await, None);
    let unknown = |case: &mut referee::CaseResponse| {
        if let referee::Subject::Receipts { receipts, .. } = &mut case.subject {
            receipts[0].receipt_id = [1; 32].into();
        }
    };
    assert_eq!(voted(with_other_weights, audited, unknown).await, None);
}
