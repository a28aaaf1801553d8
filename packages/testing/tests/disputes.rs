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

/// Kinds of steps that a contract computes from values of a trace.
const STEPS: [Place; 13] = [
    Place::Logits,
    Place::Layer(0, Op::Gate),
    Place::Layer(1, Op::Down),
    Place::Layer(1, Op::Gated),
    Place::Hidden,
    Place::Layer(0, Op::Norm2),
    Place::Layer(1, Op::TurnedQuery),
    Place::Layer(0, Op::Scores),
    Place::Layer(1, Op::Weights),
    Place::Layer(0, Op::Sums),
    Place::Layer(1, Op::Partial),
    Place::Layer(0, Op::Mixed),
    Place::Layer(1, Op::After),
];

/// Values around 0, and one in forty that breaks careless arithmetic; NaN and infinities, which spread over whole
/// vectors, where it is `wild`.
fn value(random: &mut u64, wild: bool) -> f32 {
    const ODD: [f32; 14] = [
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        0.0,
        -0.0,
        1e-42,
        -1e-45,
        f32::MIN_POSITIVE,
        3e38,
        -3e38,
        7.9e-31,
        65_520.0,
        -6e-8,
        0.5,
    ];
    *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    let word = (*random >> 32) as u32;
    let odd = if wild { &ODD[..] } else { &ODD[3..] };
    match word % 40 {
        0 => odd[word as usize / 40 % odd.len()],
        _ => ((word >> 8) as f32 / 8_388_608.0 - 1.0) * 4.0,
    }
}

/// One step of each kind, then more by `PROPTEST_CASES`, over values that are not those of any model: the contract
/// has the bits of the node whatever it reads. Widths of 40 and 50 leave blocks and units unfinished.
#[test]
fn node_attack_16_the_contract_has_the_bits_of_the_node_for_any_values() {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(STEPS.len());
    // On a real chain, where each case deploys everything and waits for blocks, one of plain values and one of wild
    // ones; the other tests of this name are about its arithmetic kind by kind.
    let cases = match std::env::var_os("OPENLEDGER_SUITE_RPC") {
        Some(_) => 1..3,
        None => 0..cases.min(400),
    };
    let mut random = 0x0016;
    for (case, place) in cases.map(|case| (case, STEPS[case % STEPS.len()])) {
        let mut suite = town(RIGHT);
        let layout = suite.honest.layout().clone();
        // From the last token of the prompt to the last that is read.
        let position = 3 + case * 5 % 20;
        let slot = layout.slot(position, place);
        let mut values = suite.honest.values().to_vec();
        // Tokens are those of the statement: another is misstated, and picked before anything else.
        let before =
            (0..slot).zip(&mut values).filter(|(slot, _)| layout.place(*slot).unwrap().1 != Place::Token);
        for (_, values) in before {
            values.iter_mut().for_each(|x| *x = value(&mut random, case % 3 == 2));
        }
        let statement = suite.honest.statement().clone();
        let before = Trace::from_values(layout.clone(), statement.clone(), values.clone());
        values[slot as usize] = before.follows(&suite.used, slot).unwrap();
        let node = Trace::from_values(layout, statement, values);
        let at = case * 7 % node.values()[slot as usize].len();
        // The least change that shows: every NaN is one value.
        let shown = node.values()[slot as usize][at];
        let liar = altered(&node, slot, at, if shown.is_nan() { shown.to_bits() } else { 1 });
        let case_id = suite.case(ReceiptFault::Output);
        let (challenger, msg) = (suite.challenger.clone(), suite.opening(case_id));
        suite.tell(&challenger, &msg).unwrap();
        suite.play(case_id, &node, &liar);
        let found = suite.dispute(case_id);
        assert_eq!((found.outcome, found.slot), (Some(Outcome::NotGuilty), Some(slot)), "{place:?} {at}");
        // Who shows the other bits is convicted by the same step.
        if case.is_multiple_of(4) {
            let mut suite = town(RIGHT);
            let case_id = suite.case(ReceiptFault::Output);
            let (challenger, msg) = (suite.challenger.clone(), suite.opening(case_id));
            suite.tell(&challenger, &msg).unwrap();
            suite.play(case_id, &liar, &node);
            assert_eq!(suite.dispute(case_id).outcome, Some(Outcome::Guilty), "{place:?} {at}");
        }
    }
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
