//! `RequestClose` and `Refund`.

use openledger_contract::CommonError;
use openledger_payable_escrow::ContractError;
use openledger_types::msg::escrow::ExecuteMsg;

use crate::common::suite::{refused_in, GRACE, LIFE, OPEN_FEE, PURSE};
use crate::common::{refused, Answer, Suite, OPEN};

const CLOSE: ExecuteMsg = ExecuteMsg::RequestClose { session_id: 1 };
const REFUND: ExecuteMsg = ExecuteMsg::Refund { session_id: 1 };

#[test]
fn rule_s3_the_node_settles_before_the_refund_and_never_after() {
    let mut suite = Suite::new();
    let user = suite.user(0);
    let mut client = suite.open(&user, 1, &[(1, 50_000)]);
    suite.answer(&mut client, 1, &Answer::plain(100, 100));
    suite.call(&user, &CLOSE).unwrap();
    let from = suite.height() + GRACE;
    suite.advance(GRACE - 1);
    refused(suite.call(&user, &REFUND), &ContractError::GraceRunning { from });
    // The last block of the grace is the node's.
    let draft = suite.draft(1, OPEN, &[]).unwrap();
    suite.post_draft(&draft).unwrap();
    suite.advance(1);
    suite.call(&user, &REFUND).unwrap();
    let session = suite.session(1);
    assert_eq!((session.refunded.u128(), session.closed), (49_000, true));
    assert_eq!(suite.balance(&user, OPEN), 49_000);
    suite.assert_conserved();
}

#[test]
fn rule_s3_at_the_end_of_the_grace_only_the_refund_is_left() {
    let mut suite = Suite::new();
    let user = suite.user(0);
    let mut client = suite.open(&user, 1, &[(1, 50_000)]);
    suite.answer(&mut client, 1, &Answer::plain(100, 100));
    suite.call(&user, &CLOSE).unwrap();
    suite.advance(GRACE);
    let draft = suite.draft(1, OPEN, &[]).unwrap();
    refused_in(1, suite.post_draft(&draft), ContractError::GraceOver {});
    // By anyone: it is the owner who is credited.
    let stranger = suite.stranger.clone();
    suite.call(&stranger, &REFUND).unwrap();
    assert_eq!(suite.balance(&user, OPEN), 50_000);
    refused_in(1, suite.post_draft(&draft), ContractError::SessionClosed {});
    refused(suite.call(&user, &REFUND), &ContractError::SessionClosed {});
    refused(suite.call(&user, &CLOSE), &ContractError::SessionClosing {});
    suite.assert_conserved();
}

#[test]
fn rule_a2_refunds_are_pulled() {
    let mut suite = Suite::new();
    let user = suite.user(0);
    suite.open(&user, 1, &[(1, 50_000)]);
    refused(suite.call(&user, &REFUND), &ContractError::CloseNotRequested {});
    suite.call(&user, &CLOSE).unwrap();
    suite.advance(GRACE);
    suite.call(&user, &REFUND).unwrap();
    assert_eq!(suite.wallet(&user, OPEN), PURSE - 50_000 - OPEN_FEE, "nothing is pushed");
    suite.call(&user, &ExecuteMsg::Withdraw { denoms: vec![OPEN.into()] }).unwrap();
    assert_eq!(suite.wallet(&user, OPEN), PURSE - OPEN_FEE, "the opening fee stays");
    suite.assert_conserved();
}

#[test]
fn rule_s3_the_owner_closes_at_any_moment_others_after_its_life() {
    let mut suite = Suite::new();
    let (user, stranger) = (suite.user(0), suite.stranger.clone());
    suite.open(&user, 1, &[(1, 50_000)]);
    let role = "the session's owner, until the session is over,";
    suite.advance(LIFE);
    refused(suite.call(&stranger, &CLOSE), &CommonError::Unauthorized { role }.into());
    suite.advance(1);
    suite.call(&stranger, &CLOSE).unwrap();
    refused(suite.call(&user, &CLOSE), &ContractError::SessionClosing {});
    for msg in [ExecuteMsg::RequestClose { session_id: 9 }, ExecuteMsg::Refund { session_id: 9 }] {
        refused(suite.call(&user, &msg), &ContractError::SessionNotFound { session_id: 9 });
    }
}

#[test]
fn a_session_without_anything_left_closes_with_a_refund_of_nothing() {
    let mut suite = Suite::new();
    let user = suite.user(0);
    let mut client = suite.open(&user, 1, &[(1, 10_000)]);
    suite.answer(&mut client, 1, &Answer::plain(1_000, 1_000));
    suite.settle(1, OPEN);
    suite.call(&user, &CLOSE).unwrap();
    suite.advance(GRACE);
    suite.call(&user, &REFUND).unwrap();
    let session = suite.session(1);
    assert_eq!((session.refunded.u128(), session.closed), (0, true));
    refused(suite.call(&user, &REFUND), &ContractError::SessionClosed {});
    suite.assert_conserved();
}

#[test]
fn a_root_that_waits_is_not_touched_by_the_refund() {
    let mut suite = Suite::new();
    let user = suite.user(0);
    let mut client = suite.open(&user, 1, &[(1, 50_000)]);
    suite.answer(&mut client, 1, &Answer::plain(100, 100));
    suite.call(&user, &CLOSE).unwrap();
    suite.advance(GRACE - 1);
    suite.post(1, OPEN);
    suite.advance(1);
    suite.call(&user, &REFUND).unwrap();
    assert_eq!(suite.term(OPEN, "pending"), 1_000);
    suite.advance(crate::common::suite::FINAL);
    suite.finalize(1).unwrap();
    let claims = suite.claims(1, OPEN);
    suite.claim(claims).unwrap();
    suite.assert_conserved();
    assert_eq!(suite.term(OPEN, "escrowed"), 0);
}
