use openledger_storage::ContractError;
use openledger_types::msg::storage::ExecuteMsg;

use crate::common::Suite;

#[test]
fn rule_d4_a_withdrawal_ends_the_object_that_holds_it() {
    let mut suite = Suite::new(3);
    let object_id = suite.kept();
    let (alice, bob, id) = (suite.alice.clone(), suite.bob.clone(), suite.ids[4]);
    let node_id = suite.holders(object_id)[0];
    suite.draw();
    suite.prove(node_id).unwrap();
    let retire = |contribution_id| ExecuteMsg::Retire { object_id, contribution_id };
    for kept in [None, Some(id), Some(999)] {
        let refused = suite.tell(&bob, retire(kept)).unwrap_err();
        assert!(refused.is(&ContractError::StillKept { object_id }));
    }
    suite.world.withdraw_contributions(&alice, &[id]).unwrap();
    suite.tell(&bob, retire(Some(id))).unwrap();
    let object = suite.world.object(object_id).unwrap();
    assert!(object.retired_at.is_some() && suite.holders(object_id).is_empty());
    assert!(suite.tell(&bob, retire(Some(id))).unwrap_err().is(&ContractError::Ended { object_id }));
    assert!(suite.claim(node_id).unwrap() > 0, "what was proved before is paid");
    let account = suite.world.storage_account(suite.datanet_id).unwrap();
    assert_eq!((account.reserved.u128(), account.dry_at), (0, None));
    // The others are placed anew.
    let rest: Vec<u64> = suite.ids.iter().copied().filter(|other| *other != id).collect();
    let roots = suite.roots();
    suite.world.place(&alice, suite.datanet_id, rest, &roots).unwrap();
    suite.world.assert_invariants();
}

#[test]
fn the_owner_of_a_datanet_ends_its_objects_and_an_object_that_nobody_accepts_ends() {
    let mut suite = Suite::new(3);
    let (alice, bob) = (suite.alice.clone(), suite.bob.clone());
    let object_id = suite.place().unwrap();
    let retire = |object_id| ExecuteMsg::Retire { object_id, contribution_id: None };
    assert!(suite.tell(&bob, retire(object_id)).is_err());
    let params = suite.params();
    suite.world.advance(2 * (params.assign_blocks + params.accept_blocks) + 1);
    suite.tell(&bob, retire(object_id)).unwrap();
    let object_id = suite.kept();
    suite.world.advance(2 * (params.assign_blocks + params.accept_blocks) + 1);
    assert!(suite.tell(&bob, retire(object_id)).is_err(), "accepted");
    suite.tell(&alice, retire(object_id)).unwrap();
}
