use cosmwasm_std::{coins, BankMsg, Uint128};
use cw_multi_test::Executor;
use openledger_datanet::ContractError;
use openledger_testing::{Batch, Document};
use openledger_types::msg::common::InvariantsResponse;
use openledger_types::msg::datanet::{ExecuteMsg, QueryMsg};

use crate::common::{fixture, BOND, REVEAL, WINDOW};

#[test]
fn rule_a2_returned_bonds_are_pulled_once() {
    let mut f = fixture();
    let (bob, datanet_id) = (f.bob.clone(), f.datanet_id);
    let before = f.world.balance(&bob);
    f.world.contribute(&bob, datanet_id, Document::generate(1, 3)).unwrap();
    assert_eq!(f.world.balance(&bob), before - 3 * BOND);
    assert!(f.world.withdraw_bonds(&bob).is_err(), "opened leaves are still at stake");
    f.world.advance(WINDOW + 1);
    f.world.release_bonds(&bob, 1).unwrap();
    f.world.withdraw_bonds(&bob).unwrap();
    assert_eq!(f.world.balance(&bob), before);
    let refused = f.world.withdraw_bonds(&bob).unwrap_err();
    assert!(refused.is(&ContractError::NothingToWithdraw {}));
    f.world.assert_invariants();
}

#[test]
fn the_treasury_pays_what_was_forfeited_and_no_more() {
    let mut f = fixture();
    let (owner, bob, datanet_id) = (f.world.owner.clone(), f.bob.clone(), f.datanet_id);
    let batch = Batch::new(&bob, Document::generate(1, 3));
    let commit_id = f.world.commit(&bob, datanet_id, &batch).unwrap();
    f.world.advance(REVEAL + 1);
    f.world.expire_commit(&bob, commit_id).unwrap();
    let spend =
        |amount: u128| ExecuteMsg::SpendTreasury { to: bob.to_string(), amount: Uint128::new(amount) };
    let refused = f.send(&owner, &spend(3 * BOND + 1)).unwrap_err();
    assert!(refused.is(&ContractError::TreasuryTooSmall { available: 3 * BOND }));
    assert!(f.send(&owner, &spend(0)).unwrap_err().0.contains("amount"));
    let before = f.world.balance(&bob);
    f.send(&owner, &spend(2 * BOND)).unwrap();
    assert_eq!(f.world.balance(&bob), before + 2 * BOND);
    assert_eq!(f.term("treasury"), BOND);
    f.world.assert_invariants();
}

#[test]
fn finding_p1_an_address_in_capitals_is_refused() {
    let mut f = fixture();
    let (owner, bob) = (f.world.owner.clone(), f.bob.clone());
    let to = bob.to_string().to_uppercase();
    let amount = Uint128::one();
    assert!(f.send(&owner, &ExecuteMsg::SpendTreasury { to, amount }).is_err());
    let foreign = "cosmos1x5nz6k0wn9p2m2vm2j9t8g2wlkv5dxj8m2n3d4".to_string();
    assert!(f.send(&owner, &ExecuteMsg::SpendTreasury { to: foreign, amount }).is_err());
}

#[test]
fn finding_p5_coins_sent_directly_are_surplus_and_nobodys() {
    let mut f = fixture();
    let (bob, datanet) = (f.bob.clone(), f.world.datanet.clone());
    let gift = BankMsg::Send { to_address: datanet.to_string(), amount: coins(77, "uopen") };
    f.world.app.execute(bob.clone(), gift.into()).unwrap();
    let answer: InvariantsResponse = f.ask(&QueryMsg::Invariants {}).unwrap();
    assert!(answer.holds);
    assert_eq!(answer.denoms[0].surplus, cosmwasm_std::Uint256::from(77u128));
    assert!(f.world.withdraw_bonds(&bob).is_err());
}
