use openledger_storage::ContractError;
use openledger_types::msg::node_registry;
use openledger_types::msg::storage::{ConfigResponse, ExecuteMsg, QueryMsg, StorerState};

use crate::common::{Suite, CAPACITY};

fn operators(suite: &Suite) -> u64 {
    suite.world.query::<ConfigResponse>(&suite.world.storage, &QueryMsg::Config {}).unwrap().operators
}

#[test]
fn rule_i3_a_leaving_node_owes_its_fragments_until_successors_have_them_or_time_is_over() {
    let mut suite = Suite::new(3);
    let object_id = suite.kept();
    let node_id = suite.holders(object_id)[0];
    let (operator, bob) = (suite.operator(node_id), suite.bob.clone());
    suite.tell(&operator, ExecuteMsg::Leave { node_id }).unwrap();
    assert_eq!(operators(&suite), 2);
    assert!(suite.tell(&operator, ExecuteMsg::Leave { node_id }).is_err(), "once");
    let vacate = ExecuteMsg::Vacate { node_id, positions: vec![1] };
    let refused = suite.tell(&operator, vacate.clone()).unwrap_err();
    assert!(refused.is(&ContractError::PositionKept { node_id, position: 1 }));
    suite.draw();
    suite.prove(node_id).unwrap();
    suite.world.advance(suite.params().leave_blocks);
    let before = suite.world.balance(&operator);
    suite.tell(&bob, vacate.clone()).unwrap();
    assert!(suite.tell(&bob, vacate).is_err(), "once");
    assert!(!suite.holders(object_id).contains(&node_id));
    suite.tell(&operator, ExecuteMsg::Claim { node_id, positions: vec![] }).unwrap();
    assert!(suite.world.balance(&operator) > before, "what was proved is paid");
    suite.world.assert_invariants();
}

#[test]
fn a_node_that_unbonds_is_leaving_and_one_that_left_is_out() {
    let mut suite = Suite::new(3);
    let object_id = suite.kept();
    let node_id = suite.holders(object_id)[0];
    let (operator, bob, registry) =
        (suite.operator(node_id), suite.bob.clone(), suite.world.node_registry.clone());
    let delist = ExecuteMsg::Delist { node_id };
    assert!(suite.tell(&bob, delist.clone()).unwrap_err().is(&ContractError::InService { node_id }));
    suite.world.execute(&operator, &registry, &node_registry::ExecuteMsg::Unbond { node_id }, &[]).unwrap();
    suite.tell(&bob, delist.clone()).unwrap();
    assert!(matches!(suite.world.storer(node_id).unwrap().state, StorerState::Leaving { .. }));
    assert!(suite.tell(&bob, delist.clone()).is_err());
    let enroll = ExecuteMsg::Enroll { node_id, capacity: CAPACITY };
    assert!(suite.tell(&operator, enroll).is_err(), "it does not take part again while it unbonds");
    let unbonding = suite.world.profile.node_registry.unbonding_blocks;
    suite.world.advance(unbonding);
    let withdraw = node_registry::ExecuteMsg::WithdrawBond { node_id };
    suite.world.execute(&operator, &registry, &withdraw, &[]).unwrap();
    suite.tell(&bob, delist.clone()).unwrap();
    assert_eq!(suite.world.storer(node_id).unwrap().state, StorerState::Out);
    assert!(suite.tell(&bob, delist).is_err());
    suite.tell(&bob, ExecuteMsg::Vacate { node_id, positions: vec![1] }).unwrap();
    suite.world.assert_invariants();
}

#[test]
fn a_node_that_misses_too_often_is_out_and_may_come_back_with_nothing_owed() {
    let mut suite = Suite::with(3, |params| params.max_misses = 1);
    let object_id = suite.kept();
    let node_id = suite.holders(object_id)[0];
    suite.draw();
    suite.miss(node_id).unwrap();
    assert_eq!(suite.world.storer(node_id).unwrap().state, StorerState::Out);
    assert_eq!(operators(&suite), 2);
    let operator = suite.operator(node_id);
    suite.tell(&operator, ExecuteMsg::Enroll { node_id, capacity: CAPACITY }).unwrap();
    let storer = suite.world.storer(node_id).unwrap();
    assert_eq!((storer.state, storer.misses, operators(&suite)), (StorerState::Active, 0, 3));
    assert_eq!(suite.world.challenge(node_id).unwrap().draw, None);
}
