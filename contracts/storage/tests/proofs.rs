use cosmwasm_std::Binary;
use openledger_storage::ContractError;
use openledger_types::msg::storage::{Answer, ExecuteMsg};
use proptest::prelude::*;

use crate::common::Suite;

#[test]
fn rule_i3_proven_blocks_times_leaves_times_price_are_paid_to_the_unit() {
    let mut suite = Suite::new(8);
    let object_id = suite.kept();
    let node_id = suite.holders(object_id)[5];
    let start = suite.world.height();
    assert!(suite.claim(node_id).is_err(), "nothing is proved");
    suite.draw();
    let drawn = suite.world.height();
    suite.prove(node_id).unwrap();
    let object = suite.world.object(object_id).unwrap();
    let blocks = u128::from(drawn - start);
    let expected = u128::from(object.leaves) * object.price.u128() * blocks / (1 << 20) / 1_000_000;
    assert!(expected > 0);
    let holding = &suite.world.holdings(node_id).unwrap()[0];
    assert_eq!(holding.earned.u128(), expected);
    assert_eq!(suite.claim(node_id).unwrap(), expected);
    assert!(suite.claim(node_id).is_err(), "once");
    let work: openledger_types::msg::node_registry::WorkResponse = suite
        .world
        .query(
            &suite.world.node_registry.clone(),
            &openledger_types::msg::node_registry::QueryMsg::Work { node_id },
        )
        .unwrap();
    assert_eq!(work.recorded.proven_bytes, suite.fragment(5).len() as u64);
    suite.world.assert_invariants();
}

#[test]
fn rule_i3_a_draw_is_answered_once_in_its_window() {
    let mut suite = Suite::new(3);
    let object_id = suite.kept();
    let holders = suite.holders(object_id);
    let bob = suite.bob.clone();
    let early = suite.prove(holders[0]).unwrap_err();
    assert!(early.is(&ContractError::NothingDue { node_id: holders[0] }));
    suite.draw();
    assert!(suite.tell(&bob, ExecuteMsg::Draw {}).is_err(), "the next is not due");
    suite.prove(holders[0]).unwrap();
    assert!(suite.prove(holders[0]).is_err(), "answered");
    assert!(suite.tell(&bob, ExecuteMsg::ReportMiss { node_id: holders[1] }).is_err(), "it has time");
    suite.world.advance(suite.params().answer_blocks);
    suite.prove(holders[1]).unwrap();
    suite.world.advance(1);
    let late = suite.prove(holders[2]).unwrap_err();
    assert!(late.0.contains("not at this height"), "{late}");
    assert!(suite.tell(&bob, ExecuteMsg::ReportMiss { node_id: holders[0] }).is_err());
    suite.tell(&bob, ExecuteMsg::ReportMiss { node_id: holders[2] }).unwrap();
}

#[test]
fn rule_i3_what_is_drawn_from_does_not_change_while_a_draw_waits() {
    let mut suite = Suite::new(3);
    let object_id = suite.kept();
    let node_id = suite.holders(object_id)[0];
    let operator = suite.operator(node_id);
    suite.draw();
    let before = suite.world.challenge(node_id).unwrap();
    let accept = suite.tell(&operator, ExecuteMsg::Accept { node_id, slots: vec![(object_id, 0)] });
    assert!(accept.unwrap_err().is(&ContractError::DrawDue { draw: 1, node_id }));
    let sweep = suite.tell(&operator, ExecuteMsg::Sweep { node_id, positions: vec![1] });
    assert!(sweep.unwrap_err().is(&ContractError::DrawDue { draw: 1, node_id }));
    // An object that ends leaves the samples where they are; they ask for nothing any more.
    let alice = suite.alice.clone();
    suite.tell(&alice, ExecuteMsg::Retire { object_id, contribution_id: None }).unwrap();
    let after = suite.world.challenge(node_id).unwrap();
    assert_eq!(before.draw, Some(1));
    assert_eq!(after.draw, None, "nothing is kept");
    suite.tell(&operator, ExecuteMsg::Sweep { node_id, positions: vec![1] }).unwrap();
    assert_eq!(suite.world.storer(node_id).unwrap().drawn_from, 0);
}

#[test]
fn rule_i3_a_miss_cuts_the_bond_frees_what_was_asked_for_and_pays_nothing() {
    let mut suite = Suite::new(4);
    let object_id = suite.kept();
    let node_id = suite.holders(object_id)[1];
    let (bond, bob) = (suite.world.node(node_id).unwrap().bond.u128(), suite.bob.clone());
    suite.draw();
    suite.miss(node_id).unwrap();
    let node = suite.world.node(node_id).unwrap();
    assert_eq!((node.bond.u128(), node.jailed_until), (bond - bond / 100, None), "it answers and audits on");
    let object = suite.world.object(object_id).unwrap();
    assert_eq!((object.slots[1].holder, suite.world.storer(node_id).unwrap().misses), (None, 1));
    assert!(suite.claim(node_id).is_err());
    assert!(suite.tell(&bob, ExecuteMsg::ReportMiss { node_id }).is_err(), "once");
    // Somebody else takes the slot over.
    let next = suite.world.ranking(&object).into_iter().find(|node| !suite.holders(object_id).contains(node));
    suite.tell(&bob, ExecuteMsg::Nominate { object_id, nominees: vec![(1, next.unwrap())] }).unwrap();
    suite.world.assert_invariants();
}

fn mangle(answers: &mut [Answer], at: usize, kind: u8, byte: usize) {
    let answer = &mut answers[at];
    let (mut chunk, mut path) = (answer.chunk.to_vec(), answer.path.to_vec());
    match kind {
        0 => {
            let byte = byte % chunk.len();
            chunk[byte] ^= 1;
        }
        1 => {
            chunk.pop();
        }
        2 => chunk.push(0),
        3 => {
            path.pop();
        }
        4 => path.extend([0; 32]),
        5 if !path.is_empty() => {
            let byte = byte % path.len();
            path[byte] ^= 0x80;
        }
        _ => chunk = vec![],
    }
    *answer = Answer { chunk: Binary::new(chunk), path: Binary::new(path) };
}

#[test]
fn attack_hostile_answers_prove_nothing() {
    let mut suite = Suite::new(8);
    let object_id = suite.kept();
    let node_id = suite.holders(object_id)[6];
    let bob = suite.bob.clone();
    suite.draw();
    let honest = suite.answers(node_id);
    let config = ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() };
    let suite = std::cell::RefCell::new(suite);
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let cases = (0..honest.len(), 0u8..7, 0usize..4_096);
    runner
        .run(&cases, |(at, kind, byte)| {
            let mut answers = honest.clone();
            mangle(&mut answers, at, kind, byte);
            let refused = suite.borrow_mut().tell(&bob, ExecuteMsg::Prove { node_id, answers });
            prop_assert!(refused.is_err());
            Ok(())
        })
        .unwrap();
    let mut suite = suite.into_inner();
    let mut swapped = honest.clone();
    swapped.reverse();
    if swapped != honest {
        assert!(suite.tell(&bob, ExecuteMsg::Prove { node_id, answers: swapped }).is_err());
    }
    for answers in [vec![], honest[1..].to_vec()] {
        assert!(suite.tell(&bob, ExecuteMsg::Prove { node_id, answers }).is_err());
    }
    suite.tell(&bob, ExecuteMsg::Prove { node_id, answers: honest }).unwrap();
}
