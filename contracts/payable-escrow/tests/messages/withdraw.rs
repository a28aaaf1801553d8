//! `Withdraw`.

use openledger_payable_escrow::ContractError;
use openledger_types::msg::escrow::ExecuteMsg;

use crate::common::{refused, Answer, Suite, ATOM, OPEN};

fn withdraw(denoms: &[&str]) -> ExecuteMsg {
    ExecuteMsg::Withdraw { denoms: denoms.iter().map(|d| d.to_string()).collect() }
}

/// Node 1's operator has balances in both denoms.
fn scene() -> Suite {
    let mut suite = Suite::new();
    let user = suite.user(0);
    for model in [1, 2] {
        let mut client = suite.open(&user, model, &[(1, 100_000)]);
        suite.answer(&mut client, 1, &Answer::plain(500, 500));
        suite.settle(1, &client.denom);
    }
    suite
}

#[test]
fn all_balances_are_paid_in_one_transfer_and_once() {
    let mut suite = scene();
    let operator = suite.nodes[&1].operator.clone();
    suite.call(&operator, &withdraw(&[OPEN, ATOM, "ujunk", OPEN])).unwrap();
    for denom in [OPEN, ATOM] {
        assert_eq!(suite.wallet(&operator, denom), 1_750);
        assert_eq!(suite.balance(&operator, denom), 0);
    }
    refused(suite.call(&operator, &withdraw(&[OPEN, ATOM])), &ContractError::NothingToWithdraw {});
    suite.assert_conserved();
}

#[test]
fn only_the_denoms_named_are_paid() {
    let mut suite = scene();
    let operator = suite.nodes[&1].operator.clone();
    suite.call(&operator, &withdraw(&[ATOM])).unwrap();
    assert_eq!((suite.wallet(&operator, ATOM), suite.wallet(&operator, OPEN)), (1_750, 0));
    assert_eq!(suite.balance(&operator, OPEN), 1_750);
    suite.assert_conserved();
}

#[test]
fn nothing_and_too_much_are_refused() {
    let mut suite = scene();
    let stranger = suite.stranger.clone();
    refused(suite.call(&stranger, &withdraw(&[OPEN])), &ContractError::NothingToWithdraw {});
    let refusal = ContractError::BadBatch { list: "denoms", reason: "give 1 to 8" };
    refused(suite.call(&stranger, &withdraw(&[])), &refusal);
    refused(suite.call(&stranger, &withdraw(&[OPEN; 9])), &refusal);
}
