use openledger_types::msg::common::{OwnershipAction, OwnershipResponse};
use openledger_types::msg::storage::{ExecuteMsg, Params, QueryMsg};

use crate::common::{Suite, CAPACITY};

#[test]
fn rule_a1_a_pause_stops_placements_and_enrolments_and_nothing_else() {
    let mut suite = Suite::new(3);
    let object_id = suite.kept();
    let (owner, alice) = (suite.world.owner.clone(), suite.alice.clone());
    let holders = suite.holders(object_id);
    let more = suite.world.contribute(&alice, 1, openledger_testing::Document::generate(8, 2)).unwrap();
    suite.tell(&owner, ExecuteMsg::SetPaused { paused: true }).unwrap();
    let roots = suite.roots();
    let refused = suite.world.place(&alice, 1, more.clone(), &roots).unwrap_err();
    assert!(refused.0.contains("paused"));
    let operator = suite.operator(holders[0]);
    let enroll = ExecuteMsg::Enroll { node_id: holders[0], capacity: CAPACITY };
    assert!(suite.tell(&operator, enroll).unwrap_err().0.contains("paused"));
    suite.draw();
    suite.prove(holders[0]).unwrap();
    assert!(suite.claim(holders[0]).unwrap() > 0);
    suite.miss(holders[1]).unwrap();
    suite.tell(&alice, ExecuteMsg::AnnounceExit { datanet_id: 1 }).unwrap();
    suite.tell(&operator, ExecuteMsg::Leave { node_id: holders[0] }).unwrap();
    suite.tell(&alice, ExecuteMsg::Retire { object_id, contribution_id: None }).unwrap();
    suite.tell(&owner, ExecuteMsg::SetPaused { paused: false }).unwrap();
    suite.world.place(&alice, 1, more, &roots).unwrap();
}

#[test]
fn no_parameter_may_disable_its_rule() {
    let mut suite = Suite::new(0);
    let owner = suite.world.owner.clone();
    let bend: Vec<fn(&mut Params)> = vec![
        |p| p.denom = "uother".into(),
        |p| p.default_price = 0u128.into(),
        |p| p.epoch_blocks = 0,
        |p| p.answer_blocks = 0,
        |p| p.answer_blocks = p.epoch_blocks,
        |p| p.samples = 0,
        |p| p.samples += 1,
        |p| p.assign_blocks = 0,
        |p| p.accept_blocks = 0,
        |p| p.notice_blocks = 0,
        |p| p.leave_blocks = 0,
        |p| p.miss_cut_bps = 0,
        |p| p.miss_cut_bps = 10_001,
        |p| p.max_misses = 0,
        |p| p.cover_blocks = 0,
        |p| p.cover_blocks = p.epoch_blocks - 1,
    ];
    for (number, bend) in bend.into_iter().enumerate() {
        let mut params = suite.params();
        bend(&mut params);
        assert!(suite.tell(&owner, ExecuteMsg::UpdateParams { params }).is_err(), "{number}");
    }
    let mut params = suite.params();
    params.miss_cut_bps = 200;
    suite.tell(&owner, ExecuteMsg::UpdateParams { params }).unwrap();
}

#[test]
fn finding_p12_ownership_changes_in_two_steps() {
    let mut suite = Suite::new(0);
    let (owner, alice, bob) = (suite.world.owner.clone(), suite.alice.clone(), suite.bob.clone());
    let propose = OwnershipAction::Propose { new_owner: alice.to_string() };
    suite.tell(&owner, ExecuteMsg::UpdateOwnership(propose)).unwrap();
    let accept = ExecuteMsg::UpdateOwnership(OwnershipAction::Accept {});
    assert!(suite.tell(&bob, accept.clone()).is_err());
    suite.tell(&alice, accept).unwrap();
    let known: OwnershipResponse =
        suite.world.query(&suite.world.storage.clone(), &QueryMsg::Ownership {}).unwrap();
    assert_eq!(known.owner, Some(alice.to_string()));
}
