//! `Attest`, `HoldRoot`, `VoidRoot`, `Convict`, `ReplaceEpoch`.

use cosmwasm_std::{HexBinary, Uint128};
use openledger_contract::CommonError;
use openledger_payable_escrow::ContractError;
use openledger_types::faults::Conviction;
use openledger_types::msg::escrow::{ExecuteMsg, RootStatus};

use crate::common::registry::Set;
use crate::common::suite::{BOND, FINAL, WINDOW};
use crate::common::{refused, Answer, Client, Suite, ATOM, OPEN};

fn posted() -> (Suite, Client) {
    let mut suite = Suite::new();
    let user = suite.user(0);
    let mut client = suite.open(&user, 1, &[(1, 100_000)]);
    for tokens in [50, 60, 70] {
        suite.answer(&mut client, 1, &Answer::plain(tokens, tokens));
    }
    suite.post(1, OPEN);
    (suite, client)
}

fn attest(epoch: u64) -> ExecuteMsg {
    ExecuteMsg::Attest { node_id: 1, denom: OPEN.into(), epoch }
}

fn demand(epoch: u64, open: bool) -> ExecuteMsg {
    ExecuteMsg::HoldRoot { node_id: 1, denom: OPEN.into(), epoch, open }
}

fn void(epoch: u64) -> ExecuteMsg {
    ExecuteMsg::VoidRoot { node_id: 1, denom: OPEN.into(), epoch, reason: "chunk 3 withheld".into() }
}

#[test]
fn rule_l6_an_attested_root_is_final_after_one_window() {
    let (mut suite, _) = posted();
    suite.set_weight(7);
    let posted_at = suite.pending(1).unwrap().posted_at;
    suite.judge(&attest(1)).unwrap();
    let root = suite.pending(1).unwrap();
    assert!(root.attested);
    assert_eq!(root.final_at, posted_at + WINDOW);
    suite.advance(WINDOW - 1);
    refused(suite.finalize(1), &ContractError::RootPending { final_at: posted_at + WINDOW });
    suite.advance(1);
    suite.finalize(1).unwrap();
    let epoch = suite.epoch(1, OPEN, 1);
    assert!(epoch.attested && epoch.finalized);
    assert_eq!(epoch.audit.u128(), 72, "two fifths of the protocol's tenth of 1,800");
    suite.assert_conserved();
}

#[test]
fn rule_l6_while_auditors_have_weight_a_root_waits_for_them() {
    let (mut suite, _) = posted();
    suite.set_weight(1);
    suite.advance(10 * FINAL);
    refused(suite.finalize(1), &ContractError::NotAttested {});
    // Those who stay silent lose their weight; without any the root is final and says so.
    suite.set_weight(0);
    suite.finalize(1).unwrap();
    assert!(!suite.epoch(1, OPEN, 1).attested);
}

#[test]
fn rule_l6_open_demands_stop_finality_and_answers_free_it() {
    let (mut suite, _) = posted();
    suite.judge(&demand(1, true)).unwrap();
    suite.judge(&demand(1, true)).unwrap();
    suite.judge(&demand(1, false)).unwrap();
    assert_eq!(suite.pending(1).unwrap().holds, 1);
    suite.advance(FINAL);
    refused(suite.finalize(1), &ContractError::RootDemanded { open: 1 });
    suite.judge(&demand(1, false)).unwrap();
    suite.finalize(1).unwrap();
    // A demand that ends late changes nothing and still ends; a new one finds no root.
    suite.judge(&demand(1, false)).unwrap();
    refused(suite.judge(&demand(1, true)), &ContractError::RootNotWaiting { node_id: 1, epoch: 1 });
    refused(suite.judge(&attest(1)), &ContractError::RootNotWaiting { node_id: 1, epoch: 1 });
}

#[test]
fn rule_l6_a_referee_that_does_not_answer_bricks_no_claim() {
    let (mut suite, mut client) = posted();
    suite.advance(FINAL);
    suite.finalize(1).unwrap();
    let claims = suite.claims(1, OPEN);
    suite.answer(&mut client, 1, &Answer::plain(50, 50));
    suite.post(1, OPEN);
    suite.advance(FINAL);
    let referee = suite.referee.clone();
    suite.set(&referee, &Set::Broken(true));
    assert!(suite.finalize(1).is_err());
    // The final ledger pays; the root that waits goes on waiting.
    suite.claim(claims).unwrap();
    assert!(suite.pending(1).is_some());
    suite.assert_conserved();
    suite.set(&referee, &Set::Broken(false));
    suite.finalize(1).unwrap();
}

#[test]
fn rule_f5_what_exceeds_the_bond_waits_all_windows() {
    let (mut suite, _) = posted();
    let mut entry = suite.node_entry(1);
    // 1,800 wait; a bond of 3,598 covers 1,799.
    entry.bond = Uint128::new(3_598);
    suite.set_node(entry.clone());
    suite.attest(1);
    suite.advance(WINDOW);
    let final_at = suite.pending(1).unwrap().posted_at + FINAL;
    refused(suite.finalize(1), &ContractError::Exposed { final_at });
    // More may have settled, it only waits; raising the bond ends the wait.
    entry.bond = Uint128::new(3_600);
    suite.set_node(entry);
    suite.finalize(1).unwrap();
    suite.assert_conserved();
}

#[test]
fn rule_f5_the_long_wait_ends_whatever_the_bond() {
    let (mut suite, _) = posted();
    suite.attest(1);
    let registry = suite.registry.clone();
    suite.set(&registry, &Set::Broken(true));
    suite.advance(WINDOW);
    let final_at = suite.pending(1).unwrap().posted_at + FINAL;
    refused(suite.finalize(1), &ContractError::Exposed { final_at });
    suite.advance(FINAL - WINDOW);
    suite.finalize(1).unwrap();
    assert!(suite.epoch(1, OPEN, 1).attested);
}

#[test]
fn rule_f5_a_denom_other_than_the_bonds_cannot_be_compared_and_waits() {
    let mut suite = Suite::new();
    let user = suite.user(0);
    let mut client = suite.open(&user, 2, &[(1, 20_000)]);
    suite.answer(&mut client, 1, &Answer::plain(20, 20));
    suite.post(1, ATOM);
    suite.attest(1);
    // A bond of a thousand millions of the other denom says nothing about 200 of this one.
    assert_eq!(suite.node_entry(1).bond.u128(), BOND);
    suite.advance(WINDOW);
    let final_at = suite.pending(1).unwrap().posted_at + FINAL;
    refused(suite.finalize(1), &ContractError::Exposed { final_at });
    suite.advance(FINAL - WINDOW);
    suite.finalize(1).unwrap();
}

#[test]
fn rule_l7_a_void_root_pays_nobody_until_it_is_replaced_from_the_final_ledger() {
    let (mut suite, mut client) = posted();
    suite.judge(&void(1)).unwrap();
    let root = suite.pending(1).unwrap();
    assert_eq!((root.status, root.void_reason.as_deref()), (RootStatus::Void, Some("chunk 3 withheld")));
    suite.judge(&void(1)).unwrap();
    suite.advance(FINAL);
    refused(suite.finalize(1), &ContractError::RootVoid { epoch: 1 });
    suite.answer(&mut client, 1, &Answer::plain(9, 9));
    let more = suite.draft(1, OPEN, &[]).unwrap();
    refused(suite.post_draft(&more), &ContractError::RootVoid { epoch: 1 });
    suite.assert_conserved();

    let good = suite.replacement(1, &[]);
    let mut wrong = good.clone();
    wrong.commit.ledger.sum += Uint128::one();
    let refusal =
        ContractError::WrongCommit { field: "ledger.sum", rule: "the previous sum and the data's part" };
    refused(suite.post_replacement(&wrong), &refusal);
    let mut wrong = good.clone();
    wrong.commit.receipts.sum -= Uint128::one();
    let refusal = ContractError::WrongCommit { field: "receipts.sum", rule: "the fees settled" };
    refused(suite.post_replacement(&wrong), &refusal);
    let mut wrong = good.clone();
    wrong.commit.epoch = 1;
    let refusal = ContractError::WrongCommit { field: "epoch", rule: "the number after the last one posted" };
    refused(suite.post_replacement(&wrong), &refusal);
    let mut wrong = good.clone();
    wrong.commit.denom = ATOM.into();
    let refusal = ContractError::WrongCommit { field: "denom", rule: "that of the void root" };
    refused(suite.post_replacement(&wrong), &refusal);
    for outsider in [suite.stranger.clone(), suite.nodes[&2].operator.clone(), suite.user(0)] {
        let msg = ExecuteMsg::ReplaceEpoch { commit: good.commit.clone() };
        let role = CommonError::Unauthorized { role: "the node's operator or hot address" };
        refused(suite.call(&outsider, &msg), &role.into());
    }

    suite.post_replacement(&good).unwrap();
    assert_eq!(suite.epoch(1, OPEN, 1).status, RootStatus::Replaced);
    let root = suite.pending(1).unwrap();
    assert_eq!((root.status, root.commit.epoch, root.attested), (RootStatus::Pending, 2, false));
    assert_eq!(root.posted_at, suite.height());
    assert_eq!(suite.facts(1, 1).settled_epoch, 2, "proofs follow the root");
    refused(suite.finalize(1), &ContractError::RootPending { final_at: root.final_at });
    suite.advance(FINAL);
    suite.finalize(1).unwrap();
    let claims = suite.claims(1, OPEN);
    suite.claim(claims).unwrap();
    suite.settle(1, OPEN);
    suite.assert_conserved();
}

#[test]
fn rule_l7_after_finality_a_fault_touches_the_bond_only() {
    let (mut suite, _) = posted();
    let hash = suite.pending(1).unwrap().hash;
    suite.advance(FINAL);
    suite.finalize(1).unwrap();
    refused(suite.judge(&void(1)), &ContractError::RootNotWaiting { node_id: 1, epoch: 1 });
    // A conviction is confirmed, so that the bond is cut, and voids nothing.
    let conviction = Conviction {
        node_id: 1,
        denom: OPEN.into(),
        root: Some((1, hash)),
        session: None,
        fault: "leaf shrank".into(),
    };
    suite.judge(&ExecuteMsg::Convict { conviction }).unwrap();
    let epoch = suite.epoch(1, OPEN, 1);
    assert_eq!((epoch.status, epoch.finalized), (RootStatus::Final, true));
    let claims = suite.claims(1, OPEN);
    suite.claim(claims).unwrap();
    suite.assert_conserved();
}

#[test]
fn rule_f1_a_conviction_must_state_the_contracts_own_state_to_the_bit() {
    let (mut suite, _) = posted();
    let hash = suite.pending(1).unwrap().hash;
    let facts = HexBinary::from(&suite.facts(1, 1).hash());
    let good = Conviction {
        node_id: 1,
        denom: OPEN.into(),
        root: Some((1, hash.clone())),
        session: Some((1, facts.clone())),
        fault: "arithmetic".into(),
    };
    let zero = HexBinary::from(&[0; 32]);
    type Change = Box<dyn Fn(&mut Conviction)>;
    let changes: [(&str, Change); 7] = [
        ("differs from the commitment", Box::new(|c| c.root = Some((1, HexBinary::from(&[0; 32]))))),
        ("has posted no epoch 2", Box::new(|c| c.root.as_mut().unwrap().0 = 2)),
        ("differs from the session's facts", Box::new(move |c| c.session = Some((1, zero.clone())))),
        ("session 9 does not exist", Box::new(|c| c.session.as_mut().unwrap().0 = 9)),
        ("does not name node 2", Box::new(|c| c.node_id = 2)),
        ("differs from the session's facts", Box::new(|c| c.denom = ATOM.into())),
        (
            "it states nothing",
            Box::new(|c| {
                c.root = None;
                c.session = None;
            }),
        ),
    ];
    for (text, change) in changes {
        let mut conviction = good.clone();
        change(&mut conviction);
        let error = suite.judge(&ExecuteMsg::Convict { conviction }).unwrap_err().to_string();
        assert!(error.contains(text), "{text}: {error}");
        assert_eq!(suite.pending(1).unwrap().status, RootStatus::Pending);
    }
    // Without a root only the facts are confirmed.
    let receipt_only = Conviction { root: None, ..good.clone() };
    suite.judge(&ExecuteMsg::Convict { conviction: receipt_only }).unwrap();
    assert_eq!(suite.pending(1).unwrap().status, RootStatus::Pending);
    suite.judge(&ExecuteMsg::Convict { conviction: good.clone() }).unwrap();
    assert_eq!(suite.pending(1).unwrap().void_reason.as_deref(), Some("arithmetic"));
    // Void already: confirmed again, for another finder's other proof.
    suite.judge(&ExecuteMsg::Convict { conviction: good }).unwrap();
    suite.assert_conserved();
}

#[test]
fn reasons_are_short() {
    let (mut suite, _) = posted();
    let reason = "x".repeat(129);
    let msg = ExecuteMsg::VoidRoot { node_id: 1, denom: OPEN.into(), epoch: 1, reason };
    let rule = CommonError::BadField { field: "reason", rule: "at most 128 bytes" };
    refused(suite.judge(&msg), &rule.into());
}
