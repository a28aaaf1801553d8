use openledger_storage::ContractError;
use openledger_types::formats::{pack_id, BlobRef};
use openledger_types::msg::storage::ExecuteMsg;

use crate::common::Suite;

#[test]
fn rule_i3_an_object_is_what_the_datanet_says_of_its_contributions() {
    let mut suite = Suite::new(8);
    let object_id = suite.place().unwrap();
    let object = suite.world.object(object_id).unwrap();
    assert_eq!((object.len, object.coding.data, object.coding.total), (suite.pack.len() as u64, 4, 8));
    assert_eq!(object.slots.len(), 8);
    let blobs: Vec<(u64, BlobRef)> =
        suite.ids.iter().map(|id| (*id, suite.world.contribution(*id).unwrap().facts.blob)).collect();
    let named = pack_id(suite.datanet_id, blobs.iter().map(|(id, blob)| (*id, blob)));
    assert_eq!(object.pack.as_slice(), named);
    let again = suite.place().unwrap_err();
    assert!(again.is(&ContractError::AlreadyPlaced { contribution_id: suite.ids[0], object_id }));
}

#[test]
fn attack_junk_is_not_placed_at_a_datanets_expense() {
    let mut suite = Suite::new(3);
    let (alice, bob, datanet_id) = (suite.alice.clone(), suite.bob.clone(), suite.datanet_id);
    let (ids, roots) = (suite.ids.clone(), suite.roots());
    let stranger = suite.world.place(&bob, datanet_id, ids.clone(), &roots).unwrap_err();
    assert!(stranger.0.contains("unauthorized"));
    for wrong in
        [vec![], vec![0], vec![ids[1], ids[0]], vec![ids[0], ids[0]], vec![9_999], (1..=31).collect()]
    {
        assert!(suite.world.place(&alice, datanet_id, wrong.clone(), &roots).is_err(), "{wrong:?}");
    }
    let two = [roots[0], roots[0]];
    assert!(
        suite.world.place(&alice, datanet_id, ids.clone(), &two).is_err(),
        "as many roots as the coding has"
    );
    let short = ExecuteMsg::Place { datanet_id, contributions: ids.clone(), roots: vec![vec![1; 31].into()] };
    assert!(suite.tell(&alice, short).is_err());
    suite.world.withdraw_contributions(&alice, &[ids[3]]).unwrap();
    let refused = suite.world.place(&alice, datanet_id, ids.clone(), &roots).unwrap_err();
    assert!(refused.is(&ContractError::NotKept { contribution_id: ids[3], count: 30 }));
}

#[test]
fn rule_i3_nothing_is_placed_that_the_deposit_does_not_pay_for_through_notice() {
    let mut suite = Suite::with(3, |params| params.default_price = u128::from(u64::MAX).into());
    let refused = suite.place().unwrap_err();
    assert!(refused.0.contains("fund it"), "{refused}");
    let alice = suite.alice.clone();
    let price = Some(1_000_000_000u128.into());
    suite.tell(&alice, ExecuteMsg::SetPrice { datanet_id: suite.datanet_id, price }).unwrap();
    suite.place().unwrap();
}

#[test]
fn nothing_is_placed_where_nobody_keeps() {
    let mut suite = Suite::new(0);
    let (alice, datanet_id, ids) = (suite.alice.clone(), suite.datanet_id, suite.ids.clone());
    let refused = suite.world.place(&alice, datanet_id, ids, &[[1; 32]]).unwrap_err();
    assert!(refused.is(&ContractError::NoStorers {}));
}
