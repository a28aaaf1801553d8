//! `TopUp`.

use cosmwasm_std::coin;
use openledger_contract::CommonError;
use openledger_payable_escrow::ContractError;
use openledger_types::msg::escrow::ExecuteMsg;

use crate::common::suite::LIFE;
use crate::common::{refused, Suite, ATOM, OPEN};

fn top_up(session_id: u64, node_id: u64) -> ExecuteMsg {
    ExecuteMsg::TopUp { session_id, node_id }
}

#[test]
fn rule_s3_a_top_up_raises_one_cap_and_extends_nothing() {
    let mut suite = Suite::new();
    let (user, other) = (suite.user(0), suite.user(1));
    suite.open(&user, 1, &[(1, 10_000), (2, 10_000)]);
    let before = suite.session(1);
    suite.advance(10);
    let mut dearer = suite.model(1, OPEN);
    dearer.price_out = dearer.price_out + dearer.price_out;
    suite.set_model(dearer);
    // Anyone may add; the refund stays the owner's.
    suite.send(&other, &top_up(1, 2), &[coin(500, OPEN)]).unwrap();
    let mut expected = before;
    expected.deposit += cosmwasm_std::Uint128::new(500);
    expected.nodes[1].cap += cosmwasm_std::Uint128::new(500);
    assert_eq!(suite.session(1), expected);
    suite.assert_conserved();
}

#[test]
fn top_ups_that_do_not_fit_are_refused() {
    let mut suite = Suite::new();
    let (owner, user) = (suite.owner.clone(), suite.user(0));
    suite.open(&user, 1, &[(1, 10_000)]);
    suite.open(&user, 1, &[(1, 10_000)]);
    let pay = [coin(500, OPEN)];
    refused(suite.send(&user, &top_up(9, 1), &pay), &ContractError::SessionNotFound { session_id: 9 });
    refused(
        suite.send(&user, &top_up(1, 2), &pay),
        &ContractError::NodeNotInSession { session_id: 1, node_id: 2 },
    );
    refused(
        suite.send(&user, &top_up(1, 1), &[coin(500, ATOM)]),
        &CommonError::WrongFunds { expected: OPEN.into() }.into(),
    );
    suite.call(&owner, &ExecuteMsg::SetPaused { paused: true }).unwrap();
    refused(suite.send(&user, &top_up(1, 1), &pay), &CommonError::Paused {}.into());
    suite.call(&owner, &ExecuteMsg::SetPaused { paused: false }).unwrap();
    suite.call(&user, &ExecuteMsg::RequestClose { session_id: 1 }).unwrap();
    refused(suite.send(&user, &top_up(1, 1), &pay), &ContractError::SessionClosing {});
    suite.advance(LIFE);
    suite.send(&user, &top_up(2, 1), &pay).unwrap();
    suite.advance(1);
    refused(suite.send(&user, &top_up(2, 1), &pay), &ContractError::SessionClosing {});
    suite.assert_conserved();
}
