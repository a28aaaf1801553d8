//! Keys expire for new sessions; what they signed stays provable (PROTOCOL S2).

use openledger_node_registry::ContractError;
use openledger_testing::Key;
use openledger_types::msg::node_registry::ExecuteMsg;

use crate::common::fixture;

#[test]
fn a_key_lives_from_its_registration_renewal_or_rotation_on() {
    let mut f = fixture();
    let (alice, node_id) = (f.alice.clone(), f.node_id);
    let blocks = f.params().key_blocks;
    assert_eq!(f.node().key_expires, f.world.height() + blocks);
    f.world.advance(10);
    f.send(&alice, &ExecuteMsg::RenewKey { node_id }).unwrap();
    assert_eq!(f.node().key_expires, f.world.height() + blocks);
    f.world.advance(10);
    let rotate = f.rotate(&alice, "second");
    f.send(&alice, &rotate).unwrap();
    assert_eq!(f.node().key_expires, f.world.height() + 1 + blocks);
}

#[test]
fn rule_s2_expiry_erases_no_guilt() {
    let mut f = fixture();
    let (alice, node_id) = (f.alice.clone(), f.node_id);
    let expires = f.node().key_expires;
    f.world.advance_to(expires + 1_000);
    let key = Key::named("first").public();
    assert!(f.world.height() > f.node().key_expires);
    for height in [1_000, expires, expires + 1, f.world.height()] {
        assert_eq!(f.key_at(height), Some(key.clone()), "{height}");
    }
    // Renewing an expired key gives no second life to what is gone: it is in force again from now.
    f.send(&alice, &ExecuteMsg::RenewKey { node_id }).unwrap();
    assert_eq!(f.node().key_expires, f.world.height() + f.params().key_blocks);
    assert_eq!(f.node().node_key, key);
}

#[test]
fn a_node_that_has_left_renews_nothing() {
    let mut f = fixture();
    let (alice, node_id) = (f.alice.clone(), f.node_id);
    f.send(&alice, &ExecuteMsg::Unbond { node_id }).unwrap();
    f.send(&alice, &ExecuteMsg::RenewKey { node_id }).unwrap();
    f.world.advance(f.params().unbonding_blocks);
    f.send(&alice, &ExecuteMsg::WithdrawBond { node_id }).unwrap();
    let refused = f.send(&alice, &ExecuteMsg::RenewKey { node_id }).unwrap_err();
    assert!(refused.is(&ContractError::HasLeft { node_id }));
}
