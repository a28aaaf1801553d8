//! What relayers earn (I4).

use openledger_ibc_gateway::ContractError;
use openledger_testing::{Ack, Callback};
use openledger_types::msg::gateway::{BountiesResponse, ExecuteMsg, QueryMsg};

use crate::common::{Fixture, OPEN};

fn bounty_of(f: &Fixture, relayer: &str) -> u128 {
    let found: BountiesResponse = f.ask(&QueryMsg::Bounties { relayer: relayer.into() }).unwrap();
    found.amounts.first().map_or(0, |amount| amount.amount.u128())
}

fn claim() -> ExecuteMsg {
    ExecuteMsg::ClaimBounties { denoms: vec![OPEN.into()] }
}

#[test]
fn rule_i4_the_bounty_is_taken_from_the_payout_that_was_delivered_and_claimed_later() {
    let mut f = Fixture::new();
    let relayer = f.relayer.clone();
    // 1 % below the route's most, and the most.
    for (name, amount, expected) in [("a", 20_000, 200), ("b", 40_000, 400), ("c", 900_000, 500)] {
        let account = f.world.account(name);
        f.earn(&account, 100_000);
        f.world.withdraw(&account).unwrap();
        f.prefer(&account).unwrap();
        let (owner, gateway) = (f.world.owner.clone(), f.world.gateway.clone());
        f.world.mint(&gateway, cosmwasm_std::coin(amount, OPEN));
        let account_addr = account.to_string();
        let book =
            ExecuteMsg::BookSurplus { denom: OPEN.into(), amount: amount.into(), account: account_addr };
        f.world.tell_gateway(&owner, &book).unwrap();
        let before = bounty_of(&f, relayer.as_str());
        let packet = f.send(&account);
        assert_eq!(packet.amount, cosmwasm_std::coin(amount - expected, OPEN));
        assert_eq!(bounty_of(&f, relayer.as_str()), before, "nothing before it is settled");
        f.acknowledge(&packet, Ack::Success);
        assert_eq!(bounty_of(&f, relayer.as_str()), before + expected);
    }
    let before = f.world.balance(&relayer);
    f.world.tell_gateway(&relayer, &claim()).unwrap();
    assert_eq!(f.world.balance(&relayer) - before, 1_100);
    let twice = f.world.tell_gateway(&relayer, &claim()).unwrap_err();
    assert!(twice.is(&ContractError::NothingToWithdraw {}));
    f.world.assert_invariants();
}

#[test]
fn rule_i4_failures_pay_no_bounty_however_often_they_are_delivered() {
    let mut f = Fixture::new();
    let (bob, relayer) = (f.contributor("bob", 100_000), f.relayer.clone());
    for round in 0..3 {
        let packet = f.send(&bob);
        match round {
            0 => drop(f.time_out(&packet)),
            _ => drop(f.acknowledge(&packet, Ack::Error)),
        }
        assert_eq!((bounty_of(&f, relayer.as_str()), f.accrued(&bob)), (0, 100_000));
        f.wait_holdoff(&bob);
    }
}

#[test]
fn rule_i4_bounties_are_limited_in_a_window_and_the_rest_is_the_contributors() {
    let mut f = Fixture::new();
    let (owner, relayer) = (f.world.owner.clone(), f.relayer.clone());
    let mut params = f.world.profile.gateway.clone();
    params.bounties_per_window = 2;
    params.bounty_window_blocks = 1_000;
    f.world.tell_gateway(&owner, &ExecuteMsg::UpdateParams { params }).unwrap();
    let accounts: Vec<_> = (0..4).map(|n| f.contributor(&format!("c{n}"), 100_000)).collect();
    for account in &accounts[..3] {
        let packet = f.send(account);
        f.acknowledge(&packet, Ack::Success);
    }
    assert_eq!(bounty_of(&f, relayer.as_str()), 1_000);
    assert_eq!([f.accrued(&accounts[0]), f.accrued(&accounts[2])], [0, 500]);
    f.world.advance(1_000);
    let packet = f.send(&accounts[3]);
    f.acknowledge(&packet, Ack::Success);
    assert_eq!(bounty_of(&f, relayer.as_str()), 1_500);
    f.world.assert_invariants();
}

#[test]
fn rule_i4_who_brings_the_word_earns_and_a_lost_callback_pays_nobody() {
    let mut f = Fixture::new();
    let (bob, other) = (f.contributor("bob", 100_000), f.world.account("other"));
    let packet = f.send(&bob);
    f.world.acknowledge(&packet, &Ack::Success, &other, Callback::Delivered).unwrap();
    assert_eq!((bounty_of(&f, other.as_str()), bounty_of(&f, f.relayer.as_str())), (500, 0));
    let carol = f.contributor("carol", 100_000);
    let packet = f.send(&carol);
    f.world.acknowledge(&packet, &Ack::Success, &other, Callback::Lost).unwrap();
    assert_eq!(bounty_of(&f, other.as_str()), 500);
    f.world.assert_invariants();
}
