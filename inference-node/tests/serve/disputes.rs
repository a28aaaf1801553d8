//! A node in disputes about its answers: it makes its moves by itself.

use std::sync::{Arc, Mutex};

use openledger_dispute::layout::{Layout, Place};
use openledger_dispute::opened::Opened;
use openledger_dispute::play;
use openledger_dispute::step::holds;
use openledger_dispute::trace::{Rows, Trace};
use openledger_dispute::tree::Descent;
use openledger_merkle::{Hash, ZERO_HASH};
use openledger_node::audit::{ArbiterView, Defender};
use openledger_node::corpus::Answer;
use openledger_node::dispute::Computation;
use openledger_node::serve::Posting;
use openledger_types::formats::tokens_hash;
use openledger_types::msg::arbiter::{DisputeResponse, ExecuteMsg, Outcome, Turn};
use openledger_types::packed::HashPath;

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

fn with_other_weights() -> Computation {
    computed(OTHER)
}

/// The arbiter with a challenger, who picks as soon as there is something to pick.
struct FakeArbiter {
    layout: Layout,
    challenger: Trace,
    weights_root: Hash,
    state: Mutex<DisputeResponse>,
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
        Arc::new(FakeArbiter { layout, challenger, weights_root, state: Mutex::new(state) })
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
                if !descent.shown.is_empty() {
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
            other => return Err(format!("not expected of a node: {other:?}")),
        }
        state.turn = match (state.outcome, descent.target()) {
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
        let page = match start_after {
            None => vec![self.state.lock().unwrap().clone()],
            Some(_) => vec![],
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
