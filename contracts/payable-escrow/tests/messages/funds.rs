//! Convention C6: every message with no coins, a wrong denom and two denoms.

use cosmwasm_std::{coin, Uint128};
use openledger_contract::CommonError;
use openledger_types::msg::common::{Amount, OwnershipAction};
use openledger_types::msg::escrow::ExecuteMsg;

use crate::common::suite::params;
use crate::common::{refused, Answer, Key, Suite, OPEN};
use crate::messages::permissions::{by_anyone, by_referee};

#[test]
fn convention_c6_messages_that_take_no_coins_refuse_every_coin() {
    let mut suite = Suite::new();
    let user = suite.user(0);
    let mut client = suite.open(&user, 1, &[(1, 50_000)]);
    suite.answer(&mut client, 1, &Answer::plain(100, 100));
    let owner = suite.owner.clone();
    let draft = suite.draft(1, OPEN, &[]).unwrap();
    let mut messages = vec![
        draft.msg(),
        ExecuteMsg::ReplaceEpoch { commit: draft.commit },
        ExecuteMsg::RequestClose { session_id: 1 },
        ExecuteMsg::SpendTreasury {
            to: owner.to_string(),
            amount: Amount { denom: OPEN.into(), amount: Uint128::one() },
        },
        ExecuteMsg::UpdateParams { params: params() },
        ExecuteMsg::SetPaused { paused: true },
        suite.connect(),
        ExecuteMsg::ConnectGateway { gateway: None },
        ExecuteMsg::DrawAccrued { denom: OPEN.into(), draws: vec![] },
        ExecuteMsg::UpdateOwnership(OwnershipAction::Cancel {}),
    ];
    messages.extend(by_anyone(&suite));
    messages.extend(by_referee());
    // With those that take coins: every message there is.
    assert_eq!(messages.len(), 28);
    let referee = suite.referee.clone();
    suite.app.init_modules(|router, _, storage| {
        router.bank.init_balance(storage, &referee, vec![coin(9, OPEN), coin(9, "ujunk")]).unwrap();
    });
    for msg in messages {
        for funds in [vec![coin(1, OPEN)], vec![coin(1, "ujunk")], vec![coin(1, "ujunk"), coin(1, OPEN)]] {
            let from_referee = by_referee().contains(&msg);
            let sender = if from_referee { referee.clone() } else { owner.clone() };
            refused(suite.send(&sender, &msg, &funds), &CommonError::NonPayable {}.into());
        }
    }
    suite.assert_conserved();
}

#[test]
fn convention_c6_messages_that_take_coins_want_exactly_one() {
    let mut suite = Suite::new();
    let user = suite.user(0);
    suite.open(&user, 1, &[(1, 50_000)]);
    let open = suite.opening(1, &Key::named("k"), &[(1, 50_000)]);
    let top_up = ExecuteMsg::TopUp { session_id: 1, node_id: 1 };
    // The user is the gateway here, so that its message gets that far.
    let owner = suite.owner.clone();
    suite.call(&owner, &ExecuteMsg::ConnectGateway { gateway: Some(user.to_string()) }).unwrap();
    let open_for = suite.opening_for(&owner, &Key::named("k"), &[(1, 50_000)]);
    for msg in [open, top_up, open_for] {
        for funds in [vec![], vec![coin(60_000, "ujunk"), coin(60_000, OPEN)]] {
            let text = suite.send(&user, &msg, &funds).unwrap_err().to_string();
            assert!(text.contains("send exactly one coin"), "{text}");
        }
        assert!(suite.send(&user, &msg, &[coin(60_000, "ujunk")]).is_err());
    }
    suite.assert_conserved();
}

#[test]
fn finding_p5_coins_sent_past_the_messages_are_surplus() {
    let mut suite = Suite::new();
    let user = suite.user(0);
    suite.open(&user, 1, &[(1, 50_000)]);
    let escrow = suite.escrow.clone();
    use cw_multi_test::Executor;
    suite.app.send_tokens(user, escrow, &[coin(77, OPEN)]).unwrap();
    let all = suite.invariants();
    assert!(all.holds);
    let of = all.denoms.iter().find(|d| d.denom == OPEN).unwrap();
    assert_eq!(of.surplus, cosmwasm_std::Uint256::from(77u128));
}
