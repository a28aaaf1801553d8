//! `WithdrawRewards` and `SpendTreasury`.

use cosmwasm_std::Uint128;
use openledger_node_registry::ContractError;
use openledger_types::msg::node_registry::ExecuteMsg;

use crate::common::{fixture, slash, BOND};

#[test]
fn finding_p19_finders_pull_their_parts_each_once() {
    let mut f = fixture();
    let (bob, node_id) = (f.bob.clone(), f.node_id);
    let carol = f.world.account("carol");
    f.referee(&slash(node_id, 1_000, Some(&bob))).unwrap();
    f.referee(&slash(node_id, 1_000, Some(&carol))).unwrap();
    f.referee(&slash(node_id, 1_000, Some(&bob))).unwrap();
    let owed = f.rewards(&bob);
    assert_eq!(owed, (BOND / 10) * 3 / 10 + (BOND * 81 / 1_000) * 3 / 10);
    assert_eq!(f.term("rewards"), owed + f.rewards(&carol));
    let before = f.world.balance(&bob);
    f.send(&bob, &ExecuteMsg::WithdrawRewards {}).unwrap();
    assert_eq!(f.world.balance(&bob), before + owed);
    assert_eq!(f.term("rewards"), f.rewards(&carol));
    // Finding P6: what was paid is gone.
    let refused = f.send(&bob, &ExecuteMsg::WithdrawRewards {}).unwrap_err();
    assert!(refused.is(&ContractError::NoRewards { address: bob.to_string() }), "{refused}");
    f.world.assert_invariants();
}

#[test]
fn the_owner_spends_what_the_treasury_holds_and_no_more() {
    let mut f = fixture();
    let (owner, bob, node_id) = (f.world.owner.clone(), f.bob.clone(), f.node_id);
    f.referee(&slash(node_id, 1_000, None)).unwrap();
    let held = f.term("treasury");
    assert_eq!(held, BOND / 10 * 6 / 10);
    let spend =
        |amount: u128| ExecuteMsg::SpendTreasury { to: bob.to_string(), amount: Uint128::new(amount) };
    assert!(f.send(&owner, &spend(0)).is_err());
    let refused = f.send(&owner, &spend(held + 1)).unwrap_err();
    assert!(refused.is(&ContractError::TreasuryTooSmall { held, asked: held + 1 }));
    let nowhere = ExecuteMsg::SpendTreasury { to: "nowhere".into(), amount: Uint128::one() };
    assert!(f.send(&owner, &nowhere).is_err());
    let before = f.world.balance(&bob);
    f.send(&owner, &spend(held - 1)).unwrap();
    f.send(&owner, &spend(1)).unwrap();
    assert_eq!((f.world.balance(&bob), f.term("treasury")), (before + held, 0));
    f.world.assert_invariants();
}
