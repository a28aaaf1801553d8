//! `ConnectGateway`, `OpenSessionFor`, `DrawAccrued`.

use cosmwasm_std::{coin, Addr};
use openledger_contract::CommonError;
use openledger_payable_escrow::ContractError;
use openledger_types::msg::escrow::{ConnectionsResponse, Draw, ExecuteMsg, QueryMsg};

use crate::common::suite::{GRACE, OPEN_FEE};
use crate::common::{refused, Key, Suite, OPEN};

/// A suite with a gateway, which has coins.
fn scene() -> (Suite, Addr) {
    let mut suite = Suite::new();
    let (owner, gateway) = (suite.owner.clone(), suite.address("gateway"));
    suite.call(&owner, &ExecuteMsg::ConnectGateway { gateway: Some(gateway.to_string()) }).unwrap();
    suite.app.init_modules(|router, _, storage| {
        router.bank.init_balance(storage, &gateway, vec![coin(1_000_000, OPEN)]).unwrap();
    });
    (suite, gateway)
}

/// A user with a balance of 50,000.
fn with_balance(suite: &mut Suite, number: u64) -> Addr {
    let user = suite.user(number);
    let session_id = suite.open(&user, 1, &[(1, 50_000)]).session_id;
    suite.call(&user, &ExecuteMsg::RequestClose { session_id }).unwrap();
    suite.advance(GRACE);
    suite.call(&user, &ExecuteMsg::Refund { session_id }).unwrap();
    user
}

fn draw(draws: &[(&Addr, u128)]) -> ExecuteMsg {
    let draws = draws
        .iter()
        .map(|(account, amount)| Draw { account: account.to_string(), amount: (*amount).into() })
        .collect();
    ExecuteMsg::DrawAccrued { denom: OPEN.into(), draws }
}

#[test]
fn the_gateway_is_named_and_taken_back_by_the_owner() {
    let (mut suite, gateway) = scene();
    let connections: ConnectionsResponse = suite.query(&QueryMsg::Connections {});
    assert_eq!(connections.gateway, Some(gateway.to_string()));
    assert!(connections.referee.is_some(), "the others stay");
    let user = with_balance(&mut suite, 0);
    let owner = suite.owner.clone();
    suite.call(&owner, &ExecuteMsg::ConnectGateway { gateway: None }).unwrap();
    let unauthorized = CommonError::Unauthorized { role: "the gateway" }.into();
    refused(suite.call(&gateway, &draw(&[(&user, 1)])), &unauthorized);
}

#[test]
fn rule_a2_the_gateway_draws_what_balances_hold_and_no_more() {
    let (mut suite, gateway) = scene();
    let (a, b) = (with_balance(&mut suite, 0), with_balance(&mut suite, 1));
    let before = suite.wallet(&gateway, OPEN);
    suite.call(&gateway, &draw(&[(&a, 50_000), (&b, 20_000)])).unwrap();
    assert_eq!(suite.wallet(&gateway, OPEN) - before, 70_000);
    assert_eq!((suite.balance(&a, OPEN), suite.balance(&b, OPEN)), (0, 30_000));
    let refuse = |reason| ContractError::BadBatch { list: "draws", reason };
    refused(suite.call(&gateway, &draw(&[(&a, 1)])), &refuse("more than the balance of an account"));
    refused(suite.call(&gateway, &draw(&[(&b, 30_001)])), &refuse("more than the balance of an account"));
    refused(suite.call(&gateway, &draw(&[(&b, 0)])), &refuse("an amount of nothing"));
    refused(suite.call(&gateway, &draw(&[(&b, 1), (&b, 1)])), &refuse("an account twice"));
    refused(suite.call(&gateway, &draw(&[])), &refuse("give 1 to 20"));
    refused(suite.call(&gateway, &draw(&[(&b, 1); 21])), &refuse("give 1 to 20"));
    suite.assert_conserved();
    // The pause does not hold it up (A1).
    let owner = suite.owner.clone();
    suite.call(&owner, &ExecuteMsg::SetPaused { paused: true }).unwrap();
    suite.call(&gateway, &draw(&[(&b, 30_000)])).unwrap();
    suite.assert_conserved();
}

#[test]
fn rule_p1_a_session_opened_for_a_payer_is_the_payers_and_ended_by_either() {
    let (mut suite, gateway) = scene();
    let payer = suite.address("payer");
    let open = suite.opening_for(&payer, &Key::named("page"), &[(1, 50_000)]);
    for _ in 0..2 {
        suite.send(&gateway, &open, &[coin(50_000 + OPEN_FEE, OPEN)]).unwrap();
    }
    assert_eq!(suite.session(1).owner, payer.as_str());
    let close = |session_id| ExecuteMsg::RequestClose { session_id };
    let stranger = suite.stranger.clone();
    assert!(suite.call(&stranger, &close(1)).is_err());
    suite.call(&gateway, &close(1)).unwrap();
    suite.call(&payer, &close(2)).unwrap();
    suite.advance(GRACE);
    for session_id in [1, 2] {
        suite.call(&stranger, &ExecuteMsg::Refund { session_id }).unwrap();
    }
    assert_eq!((suite.balance(&payer, OPEN), suite.balance(&gateway, OPEN)), (100_000, 0));
    // Other people's sessions are none of the gateway's.
    let user = suite.user(0);
    let other = suite.open(&user, 1, &[(1, 50_000)]).session_id;
    assert!(suite.call(&gateway, &close(other)).is_err());
    suite.assert_conserved();
}
