//! `Freeze`.

use openledger_node_registry::ContractError;
use openledger_types::msg::node_registry::ExecuteMsg;

use crate::common::{fixture, BOND};

#[test]
fn rule_f5_an_open_case_holds_the_bond() {
    let mut f = fixture();
    let (alice, node_id) = (f.alice.clone(), f.node_id);
    let case = |open| ExecuteMsg::Freeze { node_id, open };
    f.referee(&case(true)).unwrap();
    f.referee(&case(true)).unwrap();
    assert_eq!(f.node().open_cases, 2);
    // It may leave service, but the coins stay.
    f.send(&alice, &ExecuteMsg::Unbond { node_id }).unwrap();
    f.world.advance(f.params().unbonding_blocks);
    let withdraw = ExecuteMsg::WithdrawBond { node_id };
    for open_cases in [2, 1] {
        let refused = f.send(&alice, &withdraw).unwrap_err();
        assert!(refused.is(&ContractError::BondFrozen { node_id, open_cases }), "{refused}");
        f.referee(&case(false)).unwrap();
    }
    let refused = f.referee(&case(false)).unwrap_err();
    assert!(refused.is(&ContractError::NoOpenCase { node_id }));
    let before = f.world.balance(&alice);
    f.send(&alice, &withdraw).unwrap();
    assert_eq!(f.world.balance(&alice), before + BOND);
    f.world.assert_invariants();
}

#[test]
fn rule_a2_a_change_of_referees_holds_no_bond_for_ever() {
    let mut f = fixture();
    let (owner, bob, node_id) = (f.world.owner.clone(), f.bob.clone(), f.node_id);
    let case = |open| ExecuteMsg::Freeze { node_id, open };
    f.referee(&case(true)).unwrap();
    let connect = ExecuteMsg::Connect {
        model_registry: f.world.model_registry.to_string(),
        escrow: f.world.escrow.to_string(),
        referee: bob.to_string(),
    };
    f.send(&owner, &connect).unwrap();
    // The new one opens and closes its own cases only; the former closes what it has opened.
    assert!(f.send(&bob, &case(false)).unwrap_err().is(&ContractError::NoOpenCase { node_id }));
    f.send(&bob, &case(true)).unwrap();
    assert!(f.referee(&case(true)).unwrap_err().0.starts_with("unauthorized"));
    f.referee(&case(false)).unwrap();
    assert!(f.referee(&case(false)).unwrap_err().0.starts_with("unauthorized"));
    assert_eq!(f.node().open_cases, 1);
    f.send(&bob, &case(false)).unwrap();
    assert_eq!(f.node().open_cases, 0);
}
