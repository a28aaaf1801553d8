//! What cheats gain, measured on the contract.

use std::collections::BTreeSet;

use openledger_types::msg::node_registry;
use openledger_types::msg::storage::ExecuteMsg;

use crate::common::Suite;

/// Draws of a measurement.
fn draws() -> usize {
    match std::env::var("OPENLEDGER_LONG") {
        Ok(_) => 1_000,
        Err(_) => 60,
    }
}

/// Leaves that somebody dropped who dropped each tenth.
fn dropped(leaves: u64) -> BTreeSet<u64> {
    (0..leaves).filter(|leaf| leaf % 10 == 3).collect()
}

#[test]
fn storage_attack_dropping_a_tenth_is_found_as_often_as_the_samples_say() {
    let mut suite = Suite::new(3);
    let object_id = suite.kept();
    let node_id = suite.holders(object_id)[0];
    let leaves = suite.world.object(object_id).unwrap().leaves;
    let dropped = dropped(leaves);
    let (mut caught, total) = (0usize, draws());
    for _ in 0..total {
        suite.draw();
        let due = suite.world.challenge(node_id).unwrap();
        caught += usize::from(due.samples.iter().any(|sample| dropped.contains(&sample.leaf)));
        suite.prove(node_id).unwrap();
    }
    let share = dropped.len() as f64 / leaves as f64;
    let expected = 1.0 - (1.0 - share).powi(suite.params().samples as i32);
    let measured = caught as f64 / total as f64;
    println!("dropped {share:.3}: found in {measured:.3} of {total} draws, expected {expected:.3}");
    let deviation = (expected * (1.0 - expected) / total as f64).sqrt();
    assert!((measured - expected).abs() < 5.0 * deviation, "{measured} {expected}");
}

#[test]
fn rule_i3_storage_attack_one_miss_costs_more_than_dropping_a_tenth_saves() {
    let mut suite = Suite::with(3, |params| params.max_misses = 1_000);
    let object_id = suite.kept();
    let holders = suite.holders(object_id);
    let (honest, cheat) = (holders[0], holders[1]);
    let leaves = suite.world.object(object_id).unwrap().leaves;
    let dropped = dropped(leaves);
    let bond = |suite: &Suite| suite.world.node(cheat).unwrap().bond.u128();
    let start = bond(&suite);
    // Until the first miss: afterwards the fragment is somebody else's.
    let mut rounds = 0u128;
    loop {
        suite.draw();
        rounds += 1;
        suite.prove(honest).unwrap();
        let due = suite.world.challenge(cheat).unwrap();
        if due.samples.iter().any(|sample| dropped.contains(&sample.leaf)) {
            suite.miss(cheat).unwrap();
            break;
        }
        suite.prove(cheat).unwrap();
    }
    let honest_pay = suite.claim(honest).unwrap();
    let cheat_pay = suite.claim(cheat).unwrap_or(0);
    // Dropping a tenth saves at most a tenth of the pay: nobody keeps what costs more than it brings.
    let saved = honest_pay / 10;
    let cut = start - bond(&suite);
    let profit = (cheat_pay + saved) as i128 - cut as i128 - honest_pay as i128;
    println!("found in draw {rounds}: saved {saved}, cut {cut}, profit against honesty {profit} base units");
    assert!(cut > saved && profit < 0);
}

#[test]
fn storage_attack_late_answers_count_as_misses() {
    let mut suite = Suite::new(3);
    let object_id = suite.kept();
    let node_id = suite.holders(object_id)[0];
    suite.draw();
    let answers = suite.answers(node_id);
    suite.world.advance(suite.params().answer_blocks + 1);
    let operator = suite.operator(node_id);
    assert!(suite.tell(&operator, ExecuteMsg::Prove { node_id, answers: answers.clone() }).is_err());
    // A node cannot skip a draw by waiting for the next one.
    suite.draw();
    assert!(suite.prove(node_id).is_err());
    suite.miss(node_id).unwrap();
    assert!(suite.claim(node_id).is_err());
}

#[test]
fn storage_attack_old_answers_prove_no_new_draw() {
    let mut suite = Suite::new(3);
    let object_id = suite.kept();
    let node_id = suite.holders(object_id)[0];
    suite.draw();
    let old = suite.answers(node_id);
    suite.prove(node_id).unwrap();
    suite.draw();
    let operator = suite.operator(node_id);
    assert!(suite.tell(&operator, ExecuteMsg::Prove { node_id, answers: old }).is_err());
}

#[test]
fn storage_attack_a_flood_of_messages_bends_no_draw() {
    let mut suite = Suite::new(3);
    let object_id = suite.kept();
    let (node_id, bob) = (suite.holders(object_id)[0], suite.bob.clone());
    suite.draw();
    let due = suite.world.challenge(node_id).unwrap();
    for _ in 0..50 {
        assert!(suite.tell(&bob, ExecuteMsg::Draw {}).is_err());
        assert!(suite.tell(&bob, ExecuteMsg::ReportMiss { node_id }).is_err());
        assert!(suite.tell(&bob, ExecuteMsg::Prove { node_id, answers: vec![] }).is_err());
        assert!(suite.tell(&bob, ExecuteMsg::Delist { node_id }).is_err());
    }
    assert_eq!(suite.world.challenge(node_id).unwrap(), due);
    suite.prove(node_id).unwrap();
}

#[test]
fn storage_attack_reporting_oneself_does_not_pay() {
    let mut suite = Suite::new(3);
    let object_id = suite.kept();
    let node_id = suite.holders(object_id)[0];
    let operator = suite.operator(node_id);
    suite.draw();
    suite.world.advance(suite.params().answer_blocks + 1);
    suite.tell(&operator, ExecuteMsg::ReportMiss { node_id }).unwrap();
    let rewards: node_registry::RewardsResponse = suite
        .world
        .query(
            &suite.world.node_registry.clone(),
            &node_registry::QueryMsg::Rewards { address: operator.to_string() },
        )
        .unwrap();
    assert!(rewards.withdrawable.is_zero());
}

/// What is not prevented: the contract sees leaves, not disks. Whoever fetches a sampled leaf from another
/// holder of the same bytes within the window answers as well as one that keeps it. docs/storage.md says
/// what that costs and why Reed-Solomon fragments, which nobody else keeps, make it dearer.
#[test]
fn storage_attack_outsourcing_is_not_seen_by_the_contract() {
    let mut suite = Suite::new(3);
    let object_id = suite.kept();
    let node_id = suite.holders(object_id)[0];
    let (bob, answers) = (suite.bob.clone(), {
        suite.draw();
        suite.answers(node_id)
    });
    suite.tell(&bob, ExecuteMsg::Prove { node_id, answers }).unwrap();
}
