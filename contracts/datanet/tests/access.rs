//! `BuyAccess`, `GrantAccess`, `LeaveAccess`, `SlashAccess` (PROTOCOL D6).

use cosmwasm_std::{coin, Addr, HexBinary, Uint128};
use openledger_contract::CommonError;
use openledger_datanet::ContractError;
use openledger_testing::RECIPIENT;
use openledger_types::msg::datanet::{Access, AccessResponse, ExecuteMsg, QueryMsg};

use crate::common::{fixture, Fixture};

/// Price of training.
const PRICE: u128 = 600;

/// Bond of a developer.
const BOND: u128 = 10_000_000;

/// A datanet that asks a price, and a developer.
fn priced() -> (Fixture, Addr) {
    let mut f = fixture();
    let (alice, developer) = (f.alice.clone(), f.world.account("developer"));
    set_price(&mut f, &alice, PRICE);
    (f, developer)
}

fn set_price(f: &mut Fixture, alice: &Addr, price: u128) {
    let msg = ExecuteMsg::UpdateTerms {
        datanet_id: f.datanet_id,
        min_data_bps: 3_000,
        floor_per_token: Uint128::new(50),
        training_price: Uint128::new(price),
    };
    f.send(alice, &msg).unwrap();
}

fn grant(f: &mut Fixture, developer: &Addr) {
    let (alice, datanet_id) = (f.alice.clone(), f.datanet_id);
    let wrapped = HexBinary::from(vec![1; 200]);
    f.send(&alice, &ExecuteMsg::GrantAccess { datanet_id, developer: developer.to_string(), wrapped })
        .unwrap();
}

fn access(f: &Fixture, developer: &Addr) -> Option<Access> {
    let msg = QueryMsg::Access { datanet_id: f.datanet_id, developer: developer.to_string() };
    f.ask::<AccessResponse>(&msg).unwrap().access
}

fn leave(f: &mut Fixture, developer: &Addr) -> Result<(), openledger_testing::Refused> {
    let datanet_id = f.datanet_id;
    f.send(developer, &ExecuteMsg::LeaveAccess { datanet_id }).map(drop)
}

fn window(f: &Fixture) -> u64 {
    f.world.profile.datanet.access_blocks
}

#[test]
fn rule_d6_access_costs_exactly_price_and_bond_in_one_coin() {
    let (mut f, developer) = priced();
    let datanet = f.world.datanet.clone();
    f.world.mint(&developer, coin(1_000_000_000, "uother"));
    let msg = ExecuteMsg::BuyAccess { datanet_id: f.datanet_id, recipient: RECIPIENT.into() };
    for funds in [vec![], vec![coin(PRICE + BOND, "uother")], vec![coin(BOND, "uopen"), coin(1, "uother")]] {
        let refused = f.world.execute(&developer, &datanet, &msg, &funds).unwrap_err();
        assert!(refused.is(&CommonError::WrongFunds { expected: "uopen".into() }));
    }
    for sent in [1, PRICE, BOND, PRICE + BOND - 1, PRICE + BOND + 1] {
        let refused = f.pay(&developer, &msg, sent).unwrap_err();
        assert!(refused.is(&ContractError::WrongPrice { expected: PRICE + BOND, sent }));
    }
    f.pay(&developer, &msg, PRICE + BOND).unwrap();
    assert_eq!((f.term("access_paid"), f.term("developer_bonds")), (PRICE, BOND));
    let bought = access(&f, &developer).unwrap();
    assert_eq!((bought.paid.u128(), bought.bond.u128(), bought.wrapped), (PRICE, BOND, None));
    f.world.assert_invariants();
}

#[test]
fn rule_d6_a_key_is_handed_over_only_against_paid_access() {
    let (mut f, developer) = priced();
    let (alice, datanet_id) = (f.alice.clone(), f.datanet_id);
    let msg = |bytes: usize| ExecuteMsg::GrantAccess {
        datanet_id,
        developer: developer.to_string(),
        wrapped: HexBinary::from(vec![1; bytes]),
    };
    let refused = f.send(&alice, &msg(10)).unwrap_err();
    let developer_name = developer.to_string();
    assert!(refused.is(&ContractError::AccessNotFound { datanet_id, developer: developer_name }));
    f.world.buy_access(&developer, datanet_id).unwrap();
    for bytes in [0, 1_025] {
        assert!(f.send(&alice, &msg(bytes)).unwrap_err().0.starts_with("wrapped"));
    }
    f.send(&alice, &msg(10)).unwrap();
    assert_eq!(access(&f, &developer).unwrap().wrapped, Some(HexBinary::from(vec![1; 10])));
}

#[test]
fn rule_d6_without_a_key_everything_returns() {
    let (mut f, developer) = priced();
    f.world.buy_access(&developer, f.datanet_id).unwrap();
    let from = f.world.height() + window(&f) + 1;
    assert_eq!(access(&f, &developer).unwrap().leaves_at, from);
    f.world.advance_to(from - 1);
    let refused = leave(&mut f, &developer).unwrap_err();
    assert!(refused.is(&ContractError::AccessAtStake { from }));
    f.world.advance(1);
    leave(&mut f, &developer).unwrap();
    assert_eq!(f.withdrawable(&developer), PRICE + BOND);
    assert_eq!((f.term("access_paid"), f.term("developer_bonds")), (0, 0));
    assert_eq!(access(&f, &developer), None);
    assert!(leave(&mut f, &developer).is_err(), "once");
    f.world.assert_invariants();
}

#[test]
fn rule_d6_after_the_key_the_bond_returns_alone_and_the_price_waits_to_be_used() {
    let (mut f, developer) = priced();
    f.world.buy_access(&developer, f.datanet_id).unwrap();
    f.world.advance(3);
    grant(&mut f, &developer);
    let from = f.world.height() + window(&f) + 1;
    f.world.advance(1);
    grant(&mut f, &developer);
    assert_eq!(access(&f, &developer).unwrap().leaves_at, from, "a second key lengthens nothing");
    f.world.advance_to(from);
    leave(&mut f, &developer).unwrap();
    assert_eq!((f.withdrawable(&developer), f.term("access_paid")), (BOND, PRICE));
    assert!(leave(&mut f, &developer).unwrap_err().is(&ContractError::NothingToLeave {}));
    assert_eq!(access(&f, &developer).unwrap().bond.u128(), 0);
    f.world.assert_invariants();
}

#[test]
fn a_second_purchase_costs_its_price_because_the_bond_is_there() {
    let (mut f, developer) = priced();
    let alice = f.alice.clone();
    f.world.buy_access(&developer, f.datanet_id).unwrap();
    grant(&mut f, &developer);
    set_price(&mut f, &alice, 100);
    let msg = ExecuteMsg::BuyAccess { datanet_id: f.datanet_id, recipient: RECIPIENT.into() };
    assert!(f.pay(&developer, &msg, 100 + BOND).is_err());
    f.world.advance(window(&f));
    f.pay(&developer, &msg, 100).unwrap();
    let bought = access(&f, &developer).unwrap();
    assert_eq!((bought.paid.u128(), bought.bond.u128()), (PRICE + 100, BOND));
    assert!(bought.wrapped.is_some(), "the key of the same recipient is still there");
    f.world.advance(1);
    assert!(leave(&mut f, &developer).is_err(), "the bond's time began anew");
}

#[test]
fn rule_f5_misuse_costs_the_bond_before_it_returned() {
    let (mut f, developer) = priced();
    let owner = f.world.owner.clone();
    f.world.buy_access(&developer, f.datanet_id).unwrap();
    grant(&mut f, &developer);
    let slash = |reason: &str| ExecuteMsg::SlashAccess {
        datanet_id: 1,
        developer: developer.to_string(),
        reason: reason.into(),
    };
    assert!(f.send(&owner, &slash("")).unwrap_err().0.starts_with("reason"));
    let held = f.world.balance(&f.world.datanet.clone());
    f.send(&owner, &slash("the key was published")).unwrap();
    assert_eq!((f.term("developer_bonds"), f.term("treasury")), (0, BOND * 7 / 10));
    assert_eq!(f.world.balance(&f.world.datanet.clone()), held - BOND * 3 / 10, "burned");
    assert!(f.send(&owner, &slash("again")).unwrap_err().is(&ContractError::NothingToSlash {}));
    f.world.advance(window(&f) + 1);
    assert!(leave(&mut f, &developer).unwrap_err().is(&ContractError::NothingToLeave {}));
    f.world.assert_invariants();
}

#[test]
fn an_access_keeps_the_window_of_its_purchase() {
    let (mut f, developer) = priced();
    let owner = f.world.owner.clone();
    f.world.buy_access(&developer, f.datanet_id).unwrap();
    let mut params = f.world.profile.datanet.clone();
    params.access_blocks = 1_000_000;
    f.send(&owner, &ExecuteMsg::UpdateParams { params }).unwrap();
    f.world.advance(window(&f) + 1);
    assert!(leave(&mut f, &developer).is_ok());
}

#[test]
fn rule_a1_pause_stops_purchases_and_nothing_else_of_an_access() {
    let (mut f, developer) = priced();
    let owner = f.world.owner.clone();
    f.world.buy_access(&developer, f.datanet_id).unwrap();
    f.send(&owner, &ExecuteMsg::SetPaused { paused: true }).unwrap();
    let other = f.world.account("other");
    assert!(f.world.buy_access(&other, f.datanet_id).unwrap_err().is(&CommonError::Paused {}));
    grant(&mut f, &developer);
    f.world.advance(window(&f) + 1);
    leave(&mut f, &developer).unwrap();
    f.world.withdraw_bonds(&developer).unwrap();
}
