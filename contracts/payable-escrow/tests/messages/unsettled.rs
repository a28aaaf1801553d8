//! `ProveUnsettled`.

use cosmwasm_std::StdResult;
use cw_multi_test::AppResponse;
use openledger_payable_escrow::ContractError;
use openledger_types::formats::SignedReceipt;
use openledger_types::msg::escrow::ExecuteMsg;

use crate::common::suite::{FINAL, GRACE};
use crate::common::{refused, Answer, Client, Suite, OPEN};

/// One receipt settled, one not.
fn scene() -> (Suite, Client, SignedReceipt, SignedReceipt) {
    let mut suite = Suite::new();
    let user = suite.user(0);
    let mut client = suite.open(&user, 1, &[(1, 50_000)]);
    let settled = suite.answer(&mut client, 1, &Answer::plain(100, 100));
    suite.settle(1, OPEN);
    let left = suite.answer(&mut client, 1, &Answer::plain(100, 100));
    (suite, client, settled, left)
}

fn prove(suite: &mut Suite, receipt: &SignedReceipt) -> StdResult<AppResponse> {
    let anyone = suite.stranger.clone();
    suite.call(&anyone, &ExecuteMsg::ProveUnsettled { receipt: receipt.clone() })
}

fn request_close(suite: &mut Suite) {
    let user = suite.user(0);
    suite.call(&user, &ExecuteMsg::RequestClose { session_id: 1 }).unwrap();
}

fn not(reason: &'static str) -> ContractError {
    ContractError::NotUnsettled { reason }
}

#[test]
fn rule_s4_a_receipt_left_unsettled_costs_the_node_once() {
    let (mut suite, _, settled, left) = scene();
    refused(prove(&mut suite, &left), &not("the session goes on"));
    request_close(&mut suite);
    suite.advance(GRACE - 1);
    refused(prove(&mut suite, &left), &not("the grace runs: the node may still settle"));
    suite.advance(1);
    refused(prove(&mut suite, &settled), &not("it was settled"));
    prove(&mut suite, &left).unwrap();
    let finder = suite.stranger.to_string();
    assert_eq!(suite.told().slashes, vec![(1, 1_000, Some(finder), "left receipts unsettled".to_string())]);
    refused(prove(&mut suite, &left), &not("the node was convicted of it already"));
    suite.assert_conserved();
}

#[test]
fn rule_s4_after_the_refund_it_is_still_proved() {
    let (mut suite, _, _, left) = scene();
    request_close(&mut suite);
    suite.advance(GRACE);
    let user = suite.user(0);
    suite.call(&user, &ExecuteMsg::Refund { session_id: 1 }).unwrap();
    prove(&mut suite, &left).unwrap();
}

#[test]
fn rule_s4_a_receipt_that_the_node_did_not_sign_proves_nothing() {
    let (mut suite, _, _, left) = scene();
    request_close(&mut suite);
    suite.advance(GRACE);
    let mut forged = left.clone();
    forged.receipt.sequence += 1;
    refused(prove(&mut suite, &forged), &ContractError::BadSignature { document: "receipt" });
    let mut malleable = left.clone();
    malleable.signature = crate::common::keys::high_s(&left.signature);
    refused(prove(&mut suite, &malleable), &ContractError::BadSignature { document: "receipt" });
    type Change = fn(&mut openledger_types::formats::Receipt);
    let elsewhere: [Change; 2] = [|r| r.chain_id = "other-1".into(), |r| r.contract = "other".into()];
    for change in elsewhere {
        let mut other = left.receipt.clone();
        change(&mut other);
        let signed = suite.nodes[&1].sign(other);
        refused(prove(&mut suite, &signed), &not("the receipt is for another chain or contract"));
    }
    let mut stranger = left;
    stranger.receipt.node_id = 2;
    let refusal = ContractError::NodeNotInSession { session_id: 1, node_id: 2 };
    refused(prove(&mut suite, &stranger), &refusal);
    assert!(suite.told().slashes.is_empty());
}

/// A client that asks under an unfinished root and leaves at once cannot have an honest node cut: its
/// windows are longer than the grace.
#[test]
fn attack_a_session_that_ends_under_an_unfinished_root_convicts_nobody() {
    let (mut suite, mut client, _, _) = scene();
    suite.set_weight(1);
    suite.post(1, OPEN);
    let left = suite.answer(&mut client, 1, &Answer::plain(10, 100));
    request_close(&mut suite);
    suite.advance(GRACE + FINAL);
    let kept = not("the node was not free to settle it for a quarter of the grace");
    refused(prove(&mut suite, &left), &kept);
    // Nor after the root is final: it is remembered.
    suite.set_weight(0);
    suite.finalize(1).unwrap();
    refused(prove(&mut suite, &left), &kept);
}

#[test]
fn rule_s4_a_root_that_became_final_within_the_grace_left_time_to_settle() {
    let (mut suite, mut client, _, _) = scene();
    suite.post(1, OPEN);
    let left = suite.answer(&mut client, 1, &Answer::plain(10, 100));
    request_close(&mut suite);
    suite.advance(FINAL);
    suite.finalize(1).unwrap();
    suite.advance(GRACE - FINAL);
    prove(&mut suite, &left).unwrap();
}

/// Another session of the node, which it settles in a root of its own after some blocks.
fn post_another(suite: &mut Suite, after: u64) {
    let user = suite.user(1);
    let mut other = suite.open(&user, 1, &[(1, 50_000)]);
    suite.answer(&mut other, 1, &Answer::plain(10, 100));
    request_close(suite);
    suite.advance(after);
    let draft = suite.draft(1, OPEN, &[other.session_id]).unwrap();
    suite.post_draft(&draft).unwrap();
}

#[test]
fn rule_s4_posting_without_the_session_after_a_quarter_of_the_grace_is_guilt() {
    let (mut suite, _, _, left) = scene();
    suite.set_weight(1);
    post_another(&mut suite, GRACE / 4);
    suite.advance(GRACE);
    prove(&mut suite, &left).unwrap();
}

/// A root holds a bounded number of sessions, and one may be on its way when a session is closed: the others wait for
/// the next root, which the grace may not see.
#[test]
fn attack_more_sessions_at_once_than_a_root_holds_convict_nobody() {
    for after in [1, GRACE / 4 - 1] {
        let (mut suite, _, _, left) = scene();
        suite.set_weight(1);
        post_another(&mut suite, after);
        suite.advance(GRACE);
        refused(
            prove(&mut suite, &left),
            &not("the node was not free to settle it for a quarter of the grace"),
        );
    }
}

/// The graces of many sessions are timed to end with the first block in which the node is free again.
#[test]
fn attack_a_grace_that_ends_as_the_node_becomes_free_convicts_nobody() {
    for (free, guilty) in [(1, false), (GRACE / 4 - 1, false), (GRACE / 4, true)] {
        let (mut suite, mut client, _, _) = scene();
        suite.post(1, OPEN);
        let left = suite.answer(&mut client, 1, &Answer::plain(10, 100));
        suite.advance(FINAL + free - GRACE.min(FINAL + free));
        request_close(&mut suite);
        suite.advance(GRACE - free);
        suite.finalize(1).unwrap();
        suite.advance(free);
        match guilty {
            true => drop(prove(&mut suite, &left).unwrap()),
            false => refused(
                prove(&mut suite, &left),
                &not("the node was not free to settle it for a quarter of the grace"),
            ),
        }
    }
}
