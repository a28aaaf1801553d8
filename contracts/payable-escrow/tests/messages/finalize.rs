//! `Finalize`.

use openledger_payable_escrow::ContractError;
use openledger_types::msg::escrow::ExecuteMsg;

use crate::common::suite::{FINAL, OPEN_FEE};
use crate::common::{refused, Answer, Suite, ATOM, OPEN};

fn posted() -> Suite {
    let mut suite = Suite::new();
    let user = suite.user(0);
    let mut client = suite.open(&user, 1, &[(1, 100_000)]);
    suite.answer(&mut client, 1, &Answer::plain(500, 500));
    suite.post(1, OPEN);
    suite
}

#[test]
fn rule_l5_all_parts_wait_until_the_root_is_final() {
    let mut suite = posted();
    let operator = suite.nodes[&1].operator.clone();
    let developer = suite.developer.clone();
    let nothing_yet = |suite: &Suite| {
        assert_eq!(suite.balance(&operator, OPEN), 0);
        assert_eq!(suite.balance(&developer, OPEN), 0);
        assert_eq!(suite.term(OPEN, "treasury"), OPEN_FEE);
        assert_eq!(suite.term(OPEN, "pending"), 5_000);
        assert_eq!(suite.ledger(1, OPEN).funded.u128(), 0);
        assert_eq!(suite.ledger(1, OPEN).ledger.count, 0);
        assert!(!suite.epoch(1, OPEN, 1).finalized);
    };
    nothing_yet(&suite);
    let waiting = suite.nodes[&1].waiting.clone().unwrap().1.claims(1, OPEN);
    suite.advance(FINAL - 1);
    refused(suite.claim(waiting), &ContractError::NotInLedger { position: 0, node_id: 1 });
    nothing_yet(&suite);
    suite.advance(1);
    suite.finalize(1).unwrap();
    assert_eq!(suite.balance(&operator, OPEN), 1_750);
    assert_eq!(suite.balance(&developer, OPEN), 750);
    assert_eq!(suite.term(OPEN, "treasury"), OPEN_FEE + 300);
    assert_eq!(suite.term(OPEN, "audits"), 200);
    assert_eq!(suite.term(OPEN, "pending"), 0);
    assert_eq!(suite.ledger(1, OPEN).funded.u128(), 2_000);
    assert_eq!(suite.ledger(1, OPEN).ledger, suite.nodes[&1].books[OPEN].root);
    assert!(suite.epoch(1, OPEN, 1).finalized);
    assert!(suite.pending(1).is_none());
    suite.assert_conserved();
}

#[test]
fn rule_l6_without_audit_weight_a_root_waits_four_windows() {
    let mut suite = posted();
    let epoch = suite.pending(1).unwrap();
    assert_eq!(epoch.final_at, epoch.posted_at + FINAL);
    assert!(!epoch.attested);
    let waits = ContractError::RootPending { final_at: epoch.final_at };
    refused(suite.finalize(1), &waits);
    suite.advance(FINAL - 1);
    refused(suite.finalize(1), &waits);
    suite.advance(1);
    suite.finalize(1).unwrap();
    assert!(!suite.epoch(1, OPEN, 1).attested);
}

#[test]
fn rule_l2_one_unfinished_root_per_node_whatever_the_denom() {
    let mut suite = posted();
    let user = suite.user(1);
    let mut atoms = suite.open(&user, 2, &[(1, 20_000), (2, 20_000)]);
    suite.answer(&mut atoms, 1, &Answer::plain(20, 20));
    suite.answer(&mut atoms, 2, &Answer::plain(20, 20));
    let draft = suite.draft(1, ATOM, &[]).unwrap();
    let final_at = suite.pending(1).unwrap().final_at;
    refused(suite.post_draft(&draft), &ContractError::RootPending { final_at });
    // Another node is free.
    suite.post(2, ATOM);
    // A due root is made final by the next post itself.
    suite.advance(FINAL);
    suite.post_draft(&draft).unwrap();
    assert!(suite.epoch(1, OPEN, 1).finalized);
    assert_eq!(suite.pending(1).unwrap().commit.denom, ATOM);
    suite.assert_conserved();
}

#[test]
fn a_root_is_made_final_once() {
    let mut suite = posted();
    suite.advance(FINAL);
    suite.finalize(1).unwrap();
    let funded = suite.ledger(1, OPEN).funded;
    let anyone = suite.user(2);
    for node_id in [1, 2, 99] {
        let result = suite.call(&anyone, &ExecuteMsg::Finalize { node_id });
        refused(result, &ContractError::NoPendingRoot { node_id });
    }
    assert_eq!(suite.ledger(1, OPEN).funded, funded);
    suite.assert_conserved();
}

#[test]
fn new_windows_hold_for_new_roots_only() {
    let mut suite = posted();
    let final_at = suite.pending(1).unwrap().final_at;
    let mut params = crate::common::suite::params();
    params.challenge_blocks = 1_000;
    let owner = suite.owner.clone();
    suite.call(&owner, &ExecuteMsg::UpdateParams { params }).unwrap();
    assert_eq!(suite.pending(1).unwrap().final_at, final_at);
    suite.advance(FINAL);
    suite.finalize(1).unwrap();
}
