//! What can be asked, page by page.

use openledger_testing::{Ack, ROUTE};
use openledger_types::msg::common::InvariantsResponse;
use openledger_types::msg::gateway::{
    AccountsResponse, ConfigResponse, PayoutFilter, PayoutState, PayoutsResponse, QueryMsg, RoutesResponse,
};

use crate::common::{Fixture, OPEN};

#[test]
fn an_account_sees_what_a_payout_would_send_and_cost() {
    let mut f = Fixture::new();
    let bob = f.contributor("bob", 100_000);
    let found = f.world.gateway_account(&bob).unwrap();
    let money = &found.denoms[0];
    assert_eq!((money.denom.as_str(), money.in_escrow.u128(), money.accrued.u128()), (OPEN, 100_000, 0));
    assert_eq!((money.min_payout.u128(), money.bounty.u128(), money.open_payout), (1_000, 500, None));
    f.send(&bob);
    let found = f.world.gateway_account(&bob).unwrap();
    assert_eq!((found.denoms[0].open_payout, found.denoms[0].in_escrow.u128()), (Some(1), 0));
    assert_eq!((found.failures, found.next_attempt), (0, Some(0)));
    let stranger = f.world.account("stranger");
    let found = f.world.gateway_account(&stranger).unwrap();
    assert!(found.preference.is_none() && found.denoms.is_empty());
}

#[test]
fn payouts_are_listed_by_account_and_by_state() {
    let mut f = Fixture::new();
    let accounts: Vec<_> = (0..3).map(|n| f.contributor(&format!("c{n}"), 100_000)).collect();
    for account in &accounts {
        f.send(account);
    }
    let packets = f.world.packets(openledger_testing::CHANNEL);
    f.acknowledge(&packets[0], Ack::Success);
    f.acknowledge(&packets[1], Ack::Error);
    let ids = |f: &Fixture, filter, start_after, limit| -> Vec<u64> {
        let found: PayoutsResponse = f.ask(&QueryMsg::Payouts { filter, start_after, limit }).unwrap();
        found.payouts.iter().map(|payout| payout.payout_id).collect()
    };
    let state = |state| Some(PayoutFilter::State(state));
    assert_eq!(ids(&f, state(PayoutState::Settled), None, None), [1]);
    assert_eq!(ids(&f, state(PayoutState::Refunded), None, None), [2]);
    assert_eq!(ids(&f, state(PayoutState::InFlight), None, None), [3]);
    assert!(ids(&f, state(PayoutState::Unresolved), None, None).is_empty());
    f.wait_holdoff(&accounts[1]);
    f.send(&accounts[1]);
    let own = || Some(PayoutFilter::Account(accounts[1].to_string()));
    assert_eq!(ids(&f, own(), None, None), [2, 4]);
    assert_eq!(ids(&f, own(), Some(2), None), [4]);
    assert_eq!(ids(&f, None, Some(1), Some(2)), [2, 3]);
    assert!(ids(&f, None, None, Some(0)).is_empty());
}

#[test]
fn accounts_and_routes_are_listed() {
    let mut f = Fixture::new();
    let mut accounts: Vec<_> = (0..3).map(|n| f.contributor(&format!("c{n}"), 100_000).to_string()).collect();
    accounts.sort();
    let list = |f: &Fixture, start_after: Option<String>, limit| -> Vec<String> {
        let msg = QueryMsg::Accounts { route: ROUTE.into(), start_after, limit };
        let found: AccountsResponse = f.ask(&msg).unwrap();
        found.accounts.into_iter().map(|(address, _)| address).collect()
    };
    assert_eq!(list(&f, None, Some(2)), accounts[..2]);
    assert_eq!(list(&f, Some(accounts[1].clone()), None), accounts[2..]);
    let found: RoutesResponse = f.ask(&QueryMsg::Routes { start_after: None, limit: None }).unwrap();
    assert_eq!(found.routes, [f.world.route()]);
    let found: ConfigResponse = f.ask(&QueryMsg::Config {}).unwrap();
    assert_eq!((found.escrow, found.paused), (f.world.escrow.to_string(), false));
    let found: InvariantsResponse = f.ask(&QueryMsg::Invariants {}).unwrap();
    assert!(found.holds && found.broken.is_empty());
}
