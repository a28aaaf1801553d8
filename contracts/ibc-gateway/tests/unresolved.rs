//! Payouts whose callback was lost, and coins that came past the messages.

use cosmwasm_std::{coin, Uint128};
use openledger_contract::CommonError;
use openledger_ibc_gateway::ContractError;
use openledger_testing::{Ack, Callback};
use openledger_types::msg::gateway::{ExecuteMsg, PayoutState, Resolution};

use crate::common::{attribute, Fixture, OPEN};

fn resolve(payout_id: u64, outcome: Resolution) -> ExecuteMsg {
    ExecuteMsg::ResolvePayout { payout_id, outcome }
}

#[test]
fn rule_a2_a_lost_refund_is_given_back_by_the_owner_and_covered_by_coins() {
    let mut f = Fixture::new();
    let (bob, relayer, owner) = (f.contributor("bob", 100_000), f.relayer.clone(), f.world.owner.clone());
    let packet = f.send(&bob);
    f.world.time_out(&packet, &relayer, Callback::Lost).unwrap();
    // Not before timeout and grace are over, and not by anybody.
    let early = f.world.tell_gateway(&owner, &resolve(1, Resolution::Refunded)).unwrap_err();
    assert!(early.is(&ContractError::NotUnresolved { payout_id: 1, state: PayoutState::InFlight }));
    assert!(f.world.tell_gateway(&bob, &ExecuteMsg::MarkUnresolved { payout_id: 1 }).is_err());
    f.wait_overdue();
    assert!(f.world.payout(1).unwrap().overdue);
    let done = f.world.tell_gateway(&bob, &ExecuteMsg::MarkUnresolved { payout_id: 1 }).unwrap();
    assert_eq!(attribute(&done, "payout_unresolved", "payout_id").as_deref(), Some("1"));
    let outsider = f.world.tell_gateway(&bob, &resolve(1, Resolution::Refunded)).unwrap_err();
    assert!(outsider.is(&CommonError::Unauthorized { role: "the owner" }));
    let done = f.world.tell_gateway(&owner, &resolve(1, Resolution::Refunded)).unwrap();
    assert_eq!(attribute(&done, "payout_refunded", "reason").as_deref(), Some("resolved"));
    assert_eq!((f.accrued(&bob), f.state(1)), (100_000, PayoutState::Refunded));
    assert_eq!(f.world.gateway_account(&bob).unwrap().failures, 0);
    let twice = f.world.tell_gateway(&owner, &resolve(1, Resolution::Settled)).unwrap_err();
    assert!(twice.is(&ContractError::NotUnresolved { payout_id: 1, state: PayoutState::Refunded }));
    f.world.assert_invariants();
}

#[test]
fn rule_a2_a_refund_that_no_coins_cover_is_refused() {
    let mut f = Fixture::new();
    let (bob, relayer, owner) = (f.contributor("bob", 100_000), f.relayer.clone(), f.world.owner.clone());
    let carol = f.contributor("carol", 100_000);
    let packet = f.send(&bob);
    f.world.acknowledge(&packet, &Ack::Success, &relayer, Callback::Lost).unwrap();
    // Carol's coins are here and are hers.
    let hers = f.send(&carol);
    f.time_out(&hers);
    f.wait_overdue();
    let refused = f.world.tell_gateway(&owner, &resolve(1, Resolution::Refunded)).unwrap_err();
    assert!(refused.is(&ContractError::AboveSurplus { surplus: Uint128::zero() }), "{refused}");
    f.world.tell_gateway(&owner, &resolve(1, Resolution::Settled)).unwrap();
    // No relayer is known: the bounty is Bob's again.
    assert_eq!((f.state(1), f.accrued(&bob)), (PayoutState::Settled, 500));
    f.world.assert_invariants();
}

#[test]
fn a_late_callback_still_decides_an_unresolved_payout_but_no_resolved_one() {
    let mut f = Fixture::new();
    let (bob, owner) = (f.contributor("bob", 100_000), f.world.owner.clone());
    // The other chain halts; weeks later the packet times out after all.
    let packet = f.send(&bob);
    f.wait_overdue();
    f.world.tell_gateway(&bob, &ExecuteMsg::MarkUnresolved { payout_id: 1 }).unwrap();
    f.earn(&bob, 100_000);
    let done = f.world.flush(&[&bob]).unwrap();
    assert_eq!(attribute(&done, "payout_skipped", "reason").as_deref(), Some("a payout is open"));
    f.time_out(&packet);
    assert_eq!((f.state(1), f.accrued(&bob)), (PayoutState::Refunded, 100_000));
    // Resolved first, the late refund is nobody's until the owner books it.
    f.wait_holdoff(&bob);
    let packet = f.send(&bob);
    f.wait_overdue();
    f.world.tell_gateway(&owner, &resolve(2, Resolution::Settled)).unwrap();
    f.time_out(&packet);
    assert_eq!((f.state(2), f.accrued(&bob)), (PayoutState::Settled, 500));
    let book = |amount: u128, account: &str| ExecuteMsg::BookSurplus {
        denom: OPEN.into(),
        amount: amount.into(),
        account: account.into(),
    };
    let more = packet.amount.amount.to_string().parse::<u128>().unwrap() + 1;
    assert!(f.world.tell_gateway(&owner, &book(more, bob.as_str())).is_err());
    f.world.tell_gateway(&owner, &book(more - 1, bob.as_str())).unwrap();
    assert_eq!(f.accrued(&bob), 500 + more - 1);
    f.world.assert_invariants();
}

#[test]
fn rule_p1_surplus_that_may_be_a_lost_refund_is_booked_to_nobody_else() {
    let mut f = Fixture::new();
    let (bob, relayer, owner) = (f.contributor("bob", 100_000), f.relayer.clone(), f.world.owner.clone());
    let packet = f.send(&bob);
    f.world.time_out(&packet, &relayer, Callback::Lost).unwrap();
    f.wait_overdue();
    f.world.tell_gateway(&bob, &ExecuteMsg::MarkUnresolved { payout_id: 1 }).unwrap();
    let gateway = f.world.gateway.clone();
    f.world.mint(&gateway, coin(7, OPEN));
    let book = |amount: u128| ExecuteMsg::BookSurplus {
        denom: OPEN.into(),
        amount: amount.into(),
        account: relayer.to_string(),
    };
    let refused = f.world.tell_gateway(&owner, &book(8)).unwrap_err();
    assert!(refused.is(&ContractError::AboveSurplus { surplus: Uint128::new(7) }), "{refused}");
    assert!(f.world.tell_gateway(&owner, &book(0)).is_err());
    let outsider = f.world.tell_gateway(&bob, &book(7)).unwrap_err();
    assert!(outsider.is(&CommonError::Unauthorized { role: "the owner" }));
    f.world.tell_gateway(&owner, &book(7)).unwrap();
    f.world.tell_gateway(&owner, &resolve(1, Resolution::Refunded)).unwrap();
    f.world.assert_invariants();
}
