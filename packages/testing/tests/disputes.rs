//! Disputes before the arbiter: on a simulated chain, or with the compiled contracts on one that runs (see `live`).
//! There the step is computed in WebAssembly, and an honest node is acquitted only if it has the very bits that this
//! program computes.

mod live;
#[allow(dead_code)]
#[path = "../../../contracts/arbiter/tests/suite.rs"]
mod suite;

use openledger_dispute::layout::{Op, Place};
use openledger_dispute::trace::Trace;
use openledger_types::msg::arbiter::Outcome;
use openledger_types::msg::referee::{ReceiptFault, Verdict};

use suite::{config_of, Suite, OTHER, RIGHT};

fn town(seed: u64) -> Suite {
    Suite::in_world(live::world(suite::windows), seed, config_of(50))
}

/// A second copy of a trace with one value altered by `bits`.
fn altered(trace: &Trace, slot: u64, at: usize, bits: u32) -> Trace {
    let mut values = trace.values().to_vec();
    let value = &mut values[slot as usize][at];
    *value = f32::from_bits(value.to_bits() ^ bits);
    Trace::from_values(trace.layout().clone(), trace.statement().clone(), values)
}

/// An honest node is led to a value of this place and acquitted.
fn acquitted_at(position: usize, place: Place) {
    let mut suite = town(RIGHT);
    let case_id = suite.case(ReceiptFault::Output);
    let slot = suite.honest.layout().slot(position, place);
    let (liar, node) = (altered(&suite.honest, slot, 0, 1), altered(&suite.honest, slot, 0, 0));
    let (challenger, msg) = (suite.challenger.clone(), suite.opening(case_id));
    suite.tell(&challenger, &msg).unwrap();
    suite.play(case_id, &node, &liar);
    let found = suite.dispute(case_id);
    assert_eq!(found.outcome, Some(Outcome::NotGuilty), "{place:?}");
    assert_eq!(found.slot, Some(slot));
}

#[test]
fn node_attack_16_the_contract_rotates_with_the_bits_of_the_node() {
    acquitted_at(20, Place::Layer(1, Op::TurnedKey));
}

#[test]
fn node_attack_16_the_contract_scores_with_the_bits_of_the_node() {
    acquitted_at(20, Place::Layer(1, Op::Scores));
}

#[test]
fn node_attack_16_the_contract_weighs_with_the_bits_of_the_node() {
    acquitted_at(20, Place::Layer(0, Op::Weights));
}

#[test]
fn node_attack_16_the_contract_activates_with_the_bits_of_the_node() {
    acquitted_at(7, Place::Layer(1, Op::Gated));
}

#[test]
fn node_attack_16_the_contract_multiplies_with_the_bits_of_the_node() {
    acquitted_at(20, Place::Logits);
}

#[test]
fn node_attack_16_the_contract_draws_the_token_of_the_node() {
    acquitted_at(20, Place::Token);
}

#[test]
fn node_attack_16_a_value_that_is_no_number_loses() {
    let mut suite = town(RIGHT);
    let case_id = suite.case(ReceiptFault::Output);
    let slot = suite.honest.layout().slot(20, Place::Layer(1, Op::Up));
    let (cheat, honest) = (altered(&suite.honest, slot, 3, 0x7fc0_0000), altered(&suite.honest, slot, 3, 0));
    let (challenger, msg) = (suite.challenger.clone(), suite.opening(case_id));
    suite.tell(&challenger, &msg).unwrap();
    suite.play(case_id, &cheat, &honest);
    assert_eq!(suite.dispute(case_id).outcome, Some(Outcome::Guilty));
    assert_eq!(suite.verdict(case_id).verdict, Some(Verdict::Guilty));
}

#[test]
fn rule_f2_other_weights_lose_before_the_compiled_contract() {
    let mut suite = town(OTHER);
    let case_id = suite.case(ReceiptFault::Output);
    let (node, honest) = (altered(&suite.claimed, 0, 0, 0), altered(&suite.honest, 0, 0, 0));
    let (challenger, msg) = (suite.challenger.clone(), suite.opening(case_id));
    suite.tell(&challenger, &msg).unwrap();
    suite.play(case_id, &node, &honest);
    assert_eq!(suite.verdict(case_id).verdict, Some(Verdict::Guilty));
}
