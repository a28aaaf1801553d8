use cosmwasm_std::HexBinary;
use openledger_node_registry::ContractError;
use openledger_testing::Key;
use openledger_types::msg::node_registry::ExecuteMsg;

use crate::common::fixture;

#[test]
fn rule_s2_keys_are_remembered_by_height() {
    let mut f = fixture();
    let (alice, node_id) = (f.alice.clone(), f.node_id);
    let registered = f.world.height();
    let key = |name: &str| Key::named(name).public();
    f.world.advance(5);
    let rotated = f.world.height();
    let msg = f.rotate(&alice, "second");
    f.send(&alice, &msg).unwrap();
    assert_eq!(f.world.node(node_id).unwrap().node_key, key("first"), "in force from the next block on");
    f.world.advance(1);
    assert_eq!(f.world.node(node_id).unwrap().node_key, key("second"));
    f.world.advance(4);
    // Two in one block: the later one wins, the other never signed.
    let msg = f.rotate(&alice, "unused");
    f.send(&alice, &msg).unwrap();
    let msg = f.rotate(&alice, "third");
    f.send(&alice, &msg).unwrap();
    f.world.advance(100);

    assert_eq!(f.key_at(registered - 1), None);
    assert_eq!(f.key_at(0), None);
    for (height, name) in [
        (registered, "first"),
        (rotated, "first"),
        (rotated + 1, "second"),
        (rotated + 5, "second"),
        (rotated + 6, "third"),
        (u64::MAX, "third"),
    ] {
        assert_eq!(f.key_at(height), Some(key(name)), "{height}");
    }
}

#[test]
fn rule_s2_a_key_that_was_ever_used_is_refused() {
    let mut f = fixture();
    let (alice, node_id) = (f.alice.clone(), f.node_id);
    let msg = f.rotate(&alice, "second");
    f.send(&alice, &msg).unwrap();
    for name in ["first", "second"] {
        let msg = f.rotate(&alice, name);
        assert!(f.send(&alice, &msg).unwrap_err().is(&ContractError::KeyTaken { node_id }));
    }
    let msg = ExecuteMsg::RotateKey {
        node_id,
        node_key: HexBinary::from([5u8; 33]),
        key_proof: HexBinary::from([5u8; 64]),
    };
    assert!(f.send(&alice, &msg).unwrap_err().0.starts_with("node_key"));
}

#[test]
fn a_node_that_is_leaving_may_still_replace_a_stolen_key() {
    let mut f = fixture();
    let (alice, node_id) = (f.alice.clone(), f.node_id);
    f.send(&alice, &ExecuteMsg::Unbond { node_id }).unwrap();
    let msg = f.rotate(&alice, "second");
    f.send(&alice, &msg).unwrap();
    f.world.advance(f.world.profile.node_registry.unbonding_blocks);
    f.send(&alice, &ExecuteMsg::WithdrawBond { node_id }).unwrap();
    let msg = f.rotate(&alice, "third");
    assert!(f.send(&alice, &msg).unwrap_err().is(&ContractError::HasLeft { node_id }));
}
