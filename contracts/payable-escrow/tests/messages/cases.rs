//! `HoldReceipts`, `DecideReceipts`, `PayAudit`.

use cosmwasm_std::{HexBinary, Uint128};
use openledger_merkle::Tree;
use openledger_payable_escrow::ContractError;
use openledger_types::formats::SumRoot;
use openledger_types::money::{split_fees, Royalty};
use openledger_types::msg::escrow::{ExecuteMsg, HeldReceipt, RootStatus};

use crate::common::node::Draft;
use crate::common::suite::{FINAL, GRACE};
use crate::common::{refused, Answer, Client, Suite, OPEN};

/// Two sessions of two users, five answers, posted. Fees 500, 613, 700, 1,000 and 1,107.
fn posted() -> (Suite, Client, Draft) {
    let mut suite = Suite::new();
    let mut model = suite.model(1, OPEN);
    let (parent, other) = (suite.address("parent"), suite.address("grandparent"));
    model.royalties = vec![
        Royalty { recipient: other.to_string(), bps: 333 },
        Royalty { recipient: parent.to_string(), bps: 777 },
    ];
    suite.set_model(model);
    let (a, b) = (suite.user(0), suite.user(1));
    let mut first = suite.open(&a, 1, &[(1, 100_000)]);
    let mut second = suite.open(&b, 1, &[(1, 100_000)]);
    for (tokens_in, tokens_out) in [(50, 50), (30, 75), (70, 70)] {
        suite.answer(&mut first, 1, &Answer::plain(tokens_in, tokens_out));
    }
    for (tokens_in, tokens_out) in [(100, 100), (110, 111)] {
        suite.answer(&mut second, 1, &Answer::plain(tokens_in, tokens_out));
    }
    let draft = suite.draft(1, OPEN, &[]).unwrap();
    suite.post_draft(&draft).unwrap();
    (suite, first, draft)
}

/// Everything that anybody holds in the contract or was credited.
fn picture(suite: &Suite) -> Vec<u128> {
    let mut all: Vec<u128> =
        ["escrowed", "pending", "held", "ledgers", "treasury", "audits", "commons", "accrued"]
            .iter()
            .map(|term| suite.term(OPEN, term))
            .collect();
    all.extend(suite.everyone().iter().map(|who| suite.balance(who, OPEN)));
    all
}

#[test]
fn rule_f2_only_the_cited_receipts_are_held_and_what_remains_is_the_split_of_what_remains() {
    let (mut suite, _, draft) = posted();
    let all: u128 = draft.receipts.iter().map(|r| r.receipt.fee.u128()).sum();
    let fee = draft.receipts[2].receipt.fee.u128();
    let held_session = draft.receipts[2].receipt.session_id;
    suite.hold(7, &draft, &[2]).unwrap();
    assert_eq!(suite.held(7).fees.u128(), fee);
    assert_eq!((suite.term(OPEN, "pending"), suite.term(OPEN, "held")), (all - fee, fee));
    suite.assert_conserved();
    suite.advance(FINAL);
    suite.finalize(1).unwrap();
    // The ledger got exactly the data's parts of what remains.
    let mut data = 0;
    for session in [1, 2] {
        let of: u128 = draft
            .receipts
            .iter()
            .filter(|r| r.receipt.session_id == session)
            .map(|r| r.receipt.fee.u128())
            .sum();
        let left = if session == held_session { of - fee } else { of };
        data += split_fees(left, &suite.session(session).split).unwrap().data;
    }
    assert_eq!(suite.ledger(1, OPEN).funded.u128(), data);
    suite.assert_conserved();
}

#[test]
fn rule_f2_a_release_before_finality_changes_nothing_to_the_unit() {
    let (mut suite, _, draft) = posted();
    let mut plain = posted().0;
    suite.hold(1, &draft, &[0, 3]).unwrap();
    suite.hold(2, &draft, &[1]).unwrap();
    suite.assert_conserved();
    // In another order than they were held.
    suite.decide(1, false);
    suite.decide(2, false);
    suite.assert_conserved();
    for suite in [&mut suite, &mut plain] {
        suite.advance(FINAL);
        suite.finalize(1).unwrap();
        let claims = suite.claims(1, OPEN);
        suite.claim(claims).unwrap();
    }
    assert_eq!(picture(&suite), picture(&plain));
}

#[test]
fn rule_f2_a_release_after_finality_pays_the_same_people() {
    let (mut suite, _, draft) = posted();
    let mut plain = posted().0;
    suite.hold(1, &draft, &[0, 3]).unwrap();
    suite.advance(FINAL);
    suite.finalize(1).unwrap();
    suite.assert_conserved();
    suite.decide(1, false);
    plain.advance(FINAL);
    plain.finalize(1).unwrap();
    for suite in [&mut suite, &mut plain] {
        let claims = suite.claims(1, OPEN);
        suite.claim(claims).unwrap();
        suite.assert_conserved();
    }
    // Of everybody's sums only roundings of a unit differ, the ledger's not at all.
    assert_eq!(suite.ledger(1, OPEN).funded, plain.ledger(1, OPEN).funded);
    assert_eq!(suite.term(OPEN, "ledgers"), 0);
    for (ours, theirs) in picture(&suite).into_iter().zip(picture(&plain)) {
        // The audits' part of a late release goes to the treasury.
        assert!(ours.abs_diff(theirs) <= 80, "{ours} {theirs}");
    }
    for who in suite.everyone() {
        assert!(suite.balance(&who, OPEN).abs_diff(plain.balance(&who, OPEN)) <= 1, "{who}");
    }
}

#[test]
fn rule_f2_guilty_before_finality_returns_the_fee_to_the_session_and_voids_the_root() {
    let (mut suite, first, draft) = posted();
    let index = draft.receipts.iter().position(|r| r.receipt.session_id == first.session_id).unwrap();
    let fee = draft.receipts[index].receipt.fee.u128();
    let escrowed = suite.term(OPEN, "escrowed");
    suite.hold(1, &draft, &[index]).unwrap();
    suite.decide(1, true);
    suite.returned.insert(first.session_id, fee);
    assert_eq!(suite.term(OPEN, "escrowed"), escrowed + fee);
    assert_eq!(suite.pending(1).unwrap().status, RootStatus::Void);
    assert_eq!(suite.held(1).fees.u128(), 0);
    assert!(suite.held(1).decided);
    suite.assert_conserved();
    // The replacement is without it, to the unit; with it, it is refused.
    let bad = suite.replacement(1, &[]);
    let refusal = ContractError::WrongCommit { field: "receipts.sum", rule: "the fees settled" };
    refused(suite.post_replacement(&bad), &refusal);
    suite.replace(1, &[draft.receipts[index].clone()]);
    suite.advance(FINAL);
    suite.finalize(1).unwrap();
    let claims = suite.claims(1, OPEN);
    suite.claim(claims).unwrap();
    assert_eq!(suite.term(OPEN, "ledgers"), 0);
    // The payer gets it with the refund.
    let owner = suite.user(0);
    suite.call(&owner, &ExecuteMsg::RequestClose { session_id: first.session_id }).unwrap();
    suite.advance(GRACE);
    suite.call(&owner, &ExecuteMsg::Refund { session_id: first.session_id }).unwrap();
    let settled = suite.session(first.session_id).nodes[0].settled.u128();
    assert_eq!(suite.balance(&owner, OPEN), 100_000 - settled + fee);
    suite.assert_conserved();
}

#[test]
fn rule_f2_guilty_before_finality_of_a_closed_session_credits_the_owner() {
    let (mut suite, first, draft) = posted();
    let index = draft.receipts.iter().position(|r| r.receipt.session_id == first.session_id).unwrap();
    let fee = draft.receipts[index].receipt.fee.u128();
    let owner = suite.user(0);
    suite.set_weight(1);
    suite.call(&owner, &ExecuteMsg::RequestClose { session_id: first.session_id }).unwrap();
    suite.advance(GRACE);
    suite.call(&owner, &ExecuteMsg::Refund { session_id: first.session_id }).unwrap();
    let before = suite.balance(&owner, OPEN);
    suite.hold(1, &draft, &[index]).unwrap();
    suite.decide(1, true);
    suite.returned.insert(first.session_id, fee);
    assert_eq!(suite.balance(&owner, OPEN), before + fee);
    suite.assert_conserved();
}

#[test]
fn rule_l7_guilty_after_finality_returns_all_but_the_datas_part_which_is_promised() {
    let (mut suite, first, draft) = posted();
    let index = draft.receipts.iter().position(|r| r.receipt.session_id == first.session_id).unwrap();
    let fee = draft.receipts[index].receipt.fee.u128();
    suite.hold(1, &draft, &[index]).unwrap();
    suite.advance(FINAL);
    suite.finalize(1).unwrap();
    let funded = suite.ledger(1, OPEN).funded.u128();
    suite.decide(1, true);
    let data = suite.ledger(1, OPEN).funded.u128() - funded;
    assert_eq!(suite.balance(&suite.user(0), OPEN), fee - data);
    assert_eq!(suite.epoch(1, OPEN, 1).status, RootStatus::Final);
    // The ledger can pay every leaf.
    assert_eq!(suite.ledger(1, OPEN).funded, suite.ledger(1, OPEN).ledger.sum);
    let claims = suite.claims(1, OPEN);
    suite.claim(claims).unwrap();
    suite.assert_conserved();
}

#[test]
fn rule_l7_an_undecided_case_outlives_a_replacement_and_then_voids_it() {
    let (mut suite, _, draft) = posted();
    suite.hold(1, &draft, &[0]).unwrap();
    suite.hold(2, &draft, &[1]).unwrap();
    let of = |index: usize| draft.receipts[index].receipt.clone();
    suite.decide(1, true);
    *suite.returned.entry(of(0).session_id).or_default() += of(0).fee.u128();
    // What is undecided stays covered.
    suite.replace(1, &[draft.receipts[0].clone()]);
    suite.assert_conserved();
    suite.decide(2, true);
    *suite.returned.entry(of(1).session_id).or_default() += of(1).fee.u128();
    assert_eq!(suite.pending(1).unwrap().status, RootStatus::Void);
    suite.replace(1, &[draft.receipts[1].clone()]);
    suite.assert_conserved();
    suite.advance(FINAL);
    suite.finalize(1).unwrap();
    let claims = suite.claims(1, OPEN);
    suite.claim(claims).unwrap();
    assert_eq!(suite.term(OPEN, "ledgers"), 0);
    suite.assert_conserved();
}

#[test]
fn rule_f2_a_receipt_is_held_once_and_must_stand_in_the_root() {
    let (mut suite, _, draft) = posted();
    let fee = draft.receipts[0].receipt.fee.u128();
    suite.hold(1, &draft, &[0]).unwrap();
    let held = |position, reason| ContractError::ReceiptNotHeld { position, reason };
    refused(suite.hold(2, &draft, &[1, 1]), &held(1, "the case names it twice"));
    refused(suite.hold(1, &draft, &[1]), &ContractError::CaseExists { case_id: 1 });
    // A second case about it holds nothing more.
    suite.hold(3, &draft, &[0]).unwrap();
    assert_eq!((suite.term(OPEN, "held"), suite.held(3).fees.u128()), (fee, 0));
    suite.decide(3, false);
    assert_eq!(suite.term(OPEN, "held"), fee, "the first case holds it still");
    suite.decide(1, false);
    assert_eq!(suite.term(OPEN, "held"), 0);
    // What was released can be accused again.
    suite.hold(4, &draft, &[0]).unwrap();
    suite.decide(4, false);
    suite.assert_conserved();
    refused(
        suite.judge(&ExecuteMsg::DecideReceipts { case_id: 1, guilty: true }),
        &ContractError::CaseDecided { case_id: 1 },
    );
    refused(
        suite.judge(&ExecuteMsg::DecideReceipts { case_id: 9, guilty: true }),
        &ContractError::CaseNotFound { case_id: 9 },
    );
    for which in [vec![], vec![1; 17]] {
        let refusal = ContractError::BadBatch { list: "receipts", reason: "give 1 to 16" };
        refused(suite.hold(2, &draft, &which), &refusal);
    }
    type Change = fn(&mut openledger_types::msg::escrow::HeldReceipt);
    let changes: [Change; 5] = [
        |r| r.fee += Uint128::one(),
        |r| r.index += 1,
        |r| r.sequence += 1,
        |r| r.session_id += 1,
        |r| {
            r.path.pop();
        },
    ];
    for change in changes {
        let mut msg = suite.holding(2, &draft, &[1]);
        if let ExecuteMsg::HoldReceipts { receipts, .. } = &mut msg {
            change(&mut receipts[0]);
        }
        refused(suite.judge(&msg), &held(0, "it is not in the receipts tree"));
    }
    suite.void(1);
    refused(suite.hold(2, &draft, &[1]), &ContractError::RootNotWaiting { node_id: 1, epoch: 1 });
    suite.assert_conserved();
}

/// Two cases about one answer, and one of them about another as well; decided in any order, before and after
/// finality.
#[test]
fn rule_f2_what_several_cases_hold_moves_once_and_with_the_first_verdict_of_guilt() {
    for (order, guilty, late) in [
        ([1, 2], [false, true], false),
        ([1, 2], [false, true], true),
        ([2, 1], [true, false], false),
        ([2, 1], [true, false], true),
        ([2, 1], [true, true], false),
        ([1, 2], [true, true], true),
        ([1, 2], [false, false], false),
        ([2, 1], [false, false], true),
    ] {
        let (mut suite, _, draft) = posted();
        let fee = |index: usize| draft.receipts[index].receipt.fee.u128();
        // A shield: about the wrong answer, and one beside it.
        suite.hold(1, &draft, &[0, 1]).unwrap();
        suite.hold(2, &draft, &[0]).unwrap();
        assert_eq!(suite.term(OPEN, "held"), fee(0) + fee(1));
        suite.assert_conserved();
        if late {
            suite.advance(FINAL);
            suite.finalize(1).unwrap();
            suite.assert_conserved();
        }
        let mut taken = [false; 2];
        for case_id in order {
            let is_guilty = guilty[order.iter().position(|id| *id == case_id).unwrap()];
            let about: &[usize] = if case_id == 1 { &[0, 1] } else { &[0] };
            suite.decide(case_id, is_guilty);
            for index in about {
                if is_guilty && !taken[*index] {
                    taken[*index] = true;
                    let session_id = draft.receipts[*index].receipt.session_id;
                    if !late {
                        *suite.returned.entry(session_id).or_default() += fee(*index);
                    }
                }
            }
            suite.assert_conserved();
        }
        assert_eq!(suite.term(OPEN, "held"), 0, "{order:?} {guilty:?} {late}");
        assert_eq!((suite.held(1).fees.u128(), suite.held(2).fees.u128()), (0, 0));
        let void = !late && guilty.contains(&true);
        assert_eq!(suite.epoch(1, OPEN, 1).status == RootStatus::Void, void);
        // What a verdict took cannot be held again.
        if void {
            let without: Vec<_> =
                (0..2).filter(|index| taken[*index]).map(|index| draft.receipts[index].clone()).collect();
            suite.replace(1, &without);
            suite.advance(FINAL);
            suite.finalize(1).unwrap();
        } else if !late {
            suite.advance(FINAL);
            suite.finalize(1).unwrap();
        }
        let claims = suite.claims(1, OPEN);
        suite.claim(claims).unwrap();
        assert_eq!(suite.term(OPEN, "ledgers"), 0, "the ledger pays every leaf");
        suite.assert_conserved();
    }
}

/// A node lists a receipt's id again in the leaf of another session.
#[test]
fn rule_f2_attack_an_id_listed_twice_moves_no_coins_of_others() {
    let (mut suite, mut first, _) = posted();
    suite.advance(FINAL);
    suite.finalize(1).unwrap();
    let user = suite.user(1);
    let mut second = suite.open(&user, 1, &[(1, 100_000)]);
    suite.answer(&mut first, 1, &Answer::plain(90, 90));
    suite.answer(&mut second, 1, &Answer::plain(20, 20));
    let mut draft = suite.draft(1, OPEN, &[]).unwrap();
    let honest = draft.receipts.clone();
    let leaf = |index: usize, session_id: u64| {
        let (id, of) = (honest[0].receipt.digest(), &honest[index].receipt);
        openledger_types::formats::receipt_leaf(&id, session_id, of.sequence, of.fee.u128())
    };
    let of = |index: usize| honest[index].receipt.session_id;
    let tree = Tree::new(vec![leaf(0, of(0)), leaf(1, of(1))]).unwrap();
    draft.commit.receipts = SumRoot::new(tree.root(), 2);
    suite.post_draft(&draft).unwrap();
    let held = |index: usize| HeldReceipt {
        receipt_id: HexBinary::from(&honest[0].receipt.digest()),
        session_id: of(index),
        sequence: honest[index].receipt.sequence,
        fee: honest[index].receipt.fee,
        index: index as u64,
        path: tree.prove(index as u64).unwrap().into(),
    };
    let holding = |case_id: u64, index: usize| ExecuteMsg::HoldReceipts {
        case_id,
        node_id: 1,
        denom: OPEN.into(),
        epoch: draft.commit.epoch,
        receipts: vec![held(index)],
    };
    for (case_id, index) in [(1, 0), (2, 1)] {
        suite.judge(&holding(case_id, index)).unwrap();
        suite.cases.insert(case_id, (1, OPEN.into(), draft.commit.epoch));
        assert_eq!(suite.held(case_id).fees, honest[index].receipt.fee, "each leaf is held for itself");
        suite.assert_conserved();
    }
    suite.decide(1, false);
    assert_eq!(suite.held(2).fees, honest[1].receipt.fee);
    suite.decide(2, true);
    *suite.returned.entry(of(1)).or_default() += honest[1].receipt.fee.u128();
    assert_eq!(suite.term(OPEN, "held"), 0);
    suite.assert_conserved();
}

#[test]
fn rule_f2_what_a_verdict_took_is_held_no_more() {
    let (mut suite, _, draft) = posted();
    suite.hold(1, &draft, &[0]).unwrap();
    suite.decide(1, true);
    *suite.returned.entry(draft.receipts[0].receipt.session_id).or_default() +=
        draft.receipts[0].receipt.fee.u128();
    // A replacement that still lists it is refused; of the void root nothing is held.
    let refusal = ContractError::RootNotWaiting { node_id: 1, epoch: 1 };
    refused(suite.hold(2, &draft, &[0]), &refusal);
    suite.assert_conserved();
}

#[test]
fn rule_f2_a_receipt_that_its_session_did_not_settle_in_the_epoch_holds_nothing() {
    let (mut suite, mut first, _) = posted();
    suite.advance(FINAL);
    suite.finalize(1).unwrap();
    suite.answer(&mut first, 1, &Answer::plain(90, 90));
    // The node puts an old receipt of another session into the tree, in place of the new one.
    let mut draft = suite.draft(1, OPEN, &[]).unwrap();
    let new = draft.receipts[0].clone();
    let mut old = suite.nodes[&1].sessions[&2].log[0].1.clone();
    old.receipt.fee = new.receipt.fee;
    draft.receipts = vec![old];
    draft.commit.receipts = openledger_types::formats::SumRoot::new(draft.receipts[0].receipt.leaf(), 1);
    suite.post_draft(&draft).unwrap();
    let reason = "its session did not settle it in this epoch";
    refused(suite.hold(3, &draft, &[0]), &ContractError::ReceiptNotHeld { position: 0, reason });
}

#[test]
fn rule_f4_audits_are_paid_from_a_fixed_part_of_every_fee_and_never_more() {
    let (mut suite, _, draft) = posted();
    let protocol: u128 = [1, 2].iter().map(|id| suite.session(*id).protocol.u128()).sum();
    let auditor = suite.user(2);
    let pay = |amount: u128, to: &cosmwasm_std::Addr| ExecuteMsg::PayAudit {
        node_id: 1,
        denom: OPEN.into(),
        epoch: 1,
        to: to.to_string(),
        amount: Uint128::new(amount),
    };
    let early = pay(1, &auditor);
    refused(suite.judge(&early), &ContractError::RootNotFinal { node_id: 1, epoch: 1 });
    assert_eq!(draft.commit.epoch, 1);
    suite.advance(FINAL);
    suite.finalize(1).unwrap();
    let audit = suite.epoch(1, OPEN, 1).audit.u128();
    // I2: at most half of the protocol's part.
    assert_eq!(audit, protocol * 2 / 5);
    refused(suite.judge(&pay(audit + 1, &auditor)), &ContractError::AuditSpent { left: audit.into() });
    suite.judge(&pay(audit - 1, &auditor)).unwrap();
    suite.judge(&pay(1, &auditor)).unwrap();
    refused(suite.judge(&pay(1, &auditor)), &ContractError::AuditSpent { left: Uint128::zero() });
    assert!(suite.judge(&pay(0, &auditor)).is_err());
    assert_eq!(suite.balance(&auditor, OPEN), audit);
    assert_eq!(suite.term(OPEN, "audits"), 0);
    suite.assert_conserved();
}
