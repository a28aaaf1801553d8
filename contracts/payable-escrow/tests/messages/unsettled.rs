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
    let kept = not("an unfinished root kept the node from settling throughout the grace");
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

#[test]
fn rule_s4_posting_within_the_grace_without_the_session_is_guilt() {
    let (mut suite, _, _, left) = scene();
    let user = suite.user(1);
    let mut other = suite.open(&user, 1, &[(1, 50_000)]);
    suite.answer(&mut other, 1, &Answer::plain(10, 100));
    request_close(&mut suite);
    suite.advance(1);
    let draft = suite.draft(1, OPEN, &[other.session_id]).unwrap();
    suite.post_draft(&draft).unwrap();
    suite.advance(GRACE + FINAL);
    suite.finalize(1).unwrap();
    prove(&mut suite, &left).unwrap();
}
