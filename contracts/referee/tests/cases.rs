use cosmwasm_std::{Uint128, Uint256};
use openledger_contract::CommonError;
use openledger_referee::ContractError;
use openledger_types::msg::datanet::{ContributionStatus, ExecuteMsg as DatanetMsg};
use openledger_types::msg::escrow::{ExecuteMsg as EscrowMsg, RootStatus};
use openledger_types::msg::node_registry::NodeStatus;
use openledger_types::msg::referee::{ContributionClaim, ExecuteMsg, ReceiptFault, Subject, Verdict};

use crate::common::{
    about, about_copy, about_receipts, receipt, refused, Suite, CASE_BOND, COPY, DISPUTE, JUNK, NODE, OPEN,
    ORIGINAL,
};

const ALL: [u64; 3] = [11, 12, 13];

fn all(guilty: bool) -> Vec<(u64, bool)> {
    ALL.iter().map(|auditor| (*auditor, guilty)).collect()
}

fn decided(suite: &Suite) -> Vec<(u64, bool)> {
    suite
        .escrow_told()
        .into_iter()
        .filter_map(|msg| match msg {
            EscrowMsg::DecideReceipts { case_id, guilty } => Some((case_id, guilty)),
            _ => None,
        })
        .collect()
}

#[test]
fn rule_f2_only_the_cited_receipts_are_held_and_guilt_returns_the_bond() {
    let mut suite = Suite::new();
    let alice = suite.alice.clone();
    let case_id = suite.open(&alice, about_receipts(1, &[0, 2]), 2_000).unwrap();
    let Some(EscrowMsg::HoldReceipts { case_id: held, receipts, .. }) = suite.escrow_told().pop() else {
        panic!("receipts are held")
    };
    assert_eq!((held, receipts), (case_id, vec![receipt(1, 0), receipt(1, 2)]));
    assert_eq!((suite.open_cases(NODE), suite.totals()), (1, [0, 2_000, 0, 0]));
    let case = suite.case(case_id);
    assert_eq!((case.eligible.u128(), case.verdict), (100, None));
    assert_eq!(case.reveal_until, suite.height() + DISPUTE, "one total deadline");
    suite.vote(case_id, &[(11, true), (12, false), (13, true)]);
    let case = suite.case(case_id);
    assert_eq!((case.guilty.u128(), case.not_guilty.u128()), (70, 30));
    assert_eq!(case.verdict, Some(Verdict::Guilty));
    assert_eq!(decided(&suite), [(case_id, true)]);
    assert_eq!(suite.plans(), [(NODE, 900, alice.to_string())]);
    assert!(suite.slashes().is_empty(), "a voted cut waits for a veto");
    assert_eq!((suite.open_cases(NODE), suite.balance(&alice)), (0, 2_000));
    suite.assert_conserved();
}

#[test]
fn rule_f2_a_lost_bond_is_half_burned_and_half_the_accuseds() {
    let mut suite = Suite::new();
    let (alice, operator) = (suite.alice.clone(), suite.operator(NODE));
    let supply = suite.app.wrap().query_supply(OPEN).unwrap().amount;
    let case_id = suite.open(&alice, about_receipts(1, &[0]), 1_501).unwrap();
    suite.vote(case_id, &all(false));
    assert_eq!(suite.case(case_id).verdict, Some(Verdict::NotGuilty));
    assert_eq!(decided(&suite), [(case_id, false)]);
    assert_eq!((suite.balance(&alice), suite.balance(&operator)), (0, 751));
    let now = suite.app.wrap().query_supply(OPEN).unwrap().amount;
    assert_eq!(supply - now, Uint256::from(750u128), "the floor of the half is burned");
    assert!(suite.plans().is_empty());
    assert_eq!(suite.open_cases(NODE), 0);
    suite.assert_conserved();
}

#[test]
fn rule_f5_accusing_oneself_loses() {
    let mut suite = Suite::new();
    let (operator, owner) = (suite.operator(NODE), suite.owner.clone());
    let case_id = suite.open(&operator, about_receipts(1, &[0]), 1_501).unwrap();
    suite.vote(case_id, &all(false));
    assert_eq!(suite.balance(&operator), 0);
    assert_eq!(suite.totals(), [0, 0, 0, 751]);
    let before = suite.purse(&owner);
    let spend = |amount| ExecuteMsg::SpendTreasury { to: owner.to_string(), amount: Uint128::new(amount) };
    let too_small = ContractError::TreasuryTooSmall { available: Uint128::new(751) };
    refused(suite.act(&owner, &spend(752)), &too_small);
    suite.act(&owner, &spend(751)).unwrap();
    assert_eq!(suite.purse(&owner), before + 751);
    suite.assert_conserved();
}

#[test]
fn rule_f2_silence_releases() {
    let mut suite = Suite::new();
    let alice = suite.alice.clone();
    let case_id = suite.open(&alice, about_receipts(1, &[1]), CASE_BOND).unwrap();
    let until = suite.case(case_id).reveal_until;
    suite.advance_to(until);
    refused(suite.conclude(case_id), &ContractError::CaseRuns { case_id, until });
    suite.advance(1);
    suite.conclude(case_id).unwrap();
    assert_eq!(suite.case(case_id).verdict, Some(Verdict::Undecided));
    assert_eq!(decided(&suite), [(case_id, false)]);
    assert_eq!((suite.balance(&alice), suite.open_cases(NODE)), (CASE_BOND, 0));
    let verdict = Verdict::Undecided;
    refused(suite.conclude(case_id), &ContractError::CaseEnded { case_id, verdict });
    refused(suite.conclude(9), &ContractError::CaseNotFound { case_id: 9 });
    suite.assert_conserved();
}

#[test]
fn rule_f2_a_missing_quorum_releases() {
    let mut suite = Suite::new();
    let alice = suite.alice.clone();
    let case_id = suite.open(&alice, about_receipts(1, &[0]), 1_500).unwrap();
    suite.vote(case_id, &[(11, true), (12, false)]);
    assert_eq!(suite.case(case_id).verdict, Some(Verdict::Undecided), "50 of 100 decide nothing");
    assert_eq!(suite.balance(&alice), 1_500);
}

#[test]
fn rule_f2_the_bond_is_a_part_of_what_is_held_rounded_up() {
    let mut suite = Suite::new();
    let alice = suite.alice.clone();
    for (numbers, least) in [(vec![0], 1_500), (vec![0, 2], 1_751), (vec![2], CASE_BOND)] {
        let bond = least - 1;
        let small = ContractError::BondTooSmall { least: Uint128::new(least), sent: Uint128::new(bond) };
        refused(suite.open(&alice, about_receipts(1, &numbers), bond), &small);
    }
    suite.open(&alice, about_receipts(1, &[0, 2]), 1_751).unwrap();
    // Fees in another denom cannot be compared with the bond: the least one is asked.
    suite.post_in(NODE, JUNK, 2);
    let Subject::Receipts { node_id, epoch, kind, receipts, .. } = about_receipts(2, &[0]) else { panic!() };
    let foreign = Subject::Receipts { node_id, denom: JUNK.into(), epoch, kind, receipts };
    suite.open(&alice, foreign, CASE_BOND).unwrap();
}

#[test]
fn rule_f2_receipts_of_a_final_root_are_proved_and_cost_the_bond_only() {
    let mut suite = Suite::new();
    let alice = suite.alice.clone();
    suite.set_root(1, RootStatus::Final);
    let mut wrong = about_receipts(1, &[0, 1]);
    if let Subject::Receipts { receipts, .. } = &mut wrong {
        receipts[1].fee += Uint128::one();
    }
    refused(suite.open(&alice, wrong, 5_000), &ContractError::BadPath { what: "receipt" });
    let case_id = suite.open(&alice, about_receipts(1, &[0, 1]), 5_000).unwrap();
    assert_eq!(suite.open_cases(NODE), 1);
    suite.vote(case_id, &all(true));
    let holds =
        |msg: &EscrowMsg| matches!(msg, EscrowMsg::HoldReceipts { .. } | EscrowMsg::DecideReceipts { .. });
    assert!(!suite.escrow_told().iter().any(holds));
    assert_eq!(suite.plans(), [(NODE, 900, alice.to_string())]);
    assert_eq!(suite.balance(&alice), 5_000);
    for status in [RootStatus::Void, RootStatus::Replaced, RootStatus::Abandoned] {
        suite.set_root(1, status);
        let sent = suite.open(&alice, about_receipts(1, &[2]), 5_000);
        refused(sent, &ContractError::RootVoid { status });
    }
}

#[test]
fn a_case_names_1_to_16_receipts_in_order() {
    let mut suite = Suite::new();
    let alice = suite.alice.clone();
    let rule = "1 to 16, in the order of their positions, without repeats";
    let bad: ContractError = CommonError::BadField { field: "receipts", rule }.into();
    for numbers in [vec![], vec![1, 0], vec![1, 1]] {
        refused(suite.open(&alice, about_receipts(1, &numbers), 5_000), &bad);
    }
    let receipts = (0..17).map(|index| openledger_types::msg::escrow::HeldReceipt { index, ..receipt(1, 0) });
    let kind = ReceiptFault::Output;
    let many =
        Subject::Receipts { node_id: NODE, denom: OPEN.into(), epoch: 1, kind, receipts: receipts.collect() };
    refused(suite.open(&alice, many, 5_000), &bad);
    let long = ExecuteMsg::OpenCase { subject: about_copy(), reason: "x".repeat(1_025) };
    let sent = suite.send(&alice, &long, &[cosmwasm_std::coin(CASE_BOND, OPEN)]);
    let rule = "at most 1,024 bytes: where the evidence is";
    refused(sent, &CommonError::BadField { field: "reason", rule }.into());
}

#[test]
fn finding_p6_a_receipt_stands_in_one_open_case_and_is_found_guilty_once() {
    let mut suite = Suite::new();
    let (alice, bob) = (suite.alice.clone(), suite.bob.clone());
    let first = suite.open(&alice, about_receipts(1, &[0, 1]), 2_000).unwrap();
    refused(
        suite.open(&bob, about_receipts(1, &[1, 2]), 2_000),
        &ContractError::CaseExists { case_id: first },
    );
    suite.advance(DISPUTE + 1);
    suite.conclude(first).unwrap();
    // Undecided: it may be tried again. Guilty: never.
    let second = suite.open(&bob, about_receipts(1, &[1, 2]), 2_000).unwrap();
    suite.vote(second, &all(true));
    suite.set_root(1, RootStatus::Final);
    refused(
        suite.open(&alice, about_receipts(1, &[2]), 2_000),
        &ContractError::CaseExists { case_id: second },
    );
    suite.open(&alice, about_receipts(1, &[0]), 2_000).unwrap();
}

#[test]
fn rule_f2_attack_a_case_of_another_kind_shields_no_answer() {
    let mut suite = Suite::new();
    let (friend, alice) = (suite.bob.clone(), suite.alice.clone());
    let kinds = [ReceiptFault::MissingSource, ReceiptFault::Influence, ReceiptFault::NoEvidence];
    let mut shields = Vec::new();
    for kind in kinds {
        shields.push(suite.open(&friend, about(kind, 1, &[0, 1]), 2_000).unwrap());
        let again = suite.open(&friend, about(kind, 1, &[1]), 2_000);
        refused(again, &ContractError::CaseExists { case_id: *shields.last().unwrap() });
    }
    let case_id = suite.open(&alice, about(ReceiptFault::Output, 1, &[0]), 2_000).unwrap();
    assert_eq!(suite.open_cases(NODE), 4);
    // Guilty in this order: of the answer; of it and another one, for which there is a cut more; of nothing new. One
    // fault is punished once, by whatever kinds it is accused.
    suite.vote_in(&[case_id, shields[0], shields[1]], &all(true));
    let friends = friend.to_string();
    assert_eq!(suite.plans(), [(NODE, 900, alice.to_string()), (NODE, 900, friends)]);
    suite.conclude(shields[2]).unwrap();
    assert_eq!((suite.open_cases(NODE), suite.balance(&friend)), (0, 6_000));
    suite.set_root(1, RootStatus::Final);
    for kind in kinds {
        let again = suite.open(&alice, about(kind, 1, &[0]), 2_000);
        refused(again, &ContractError::CaseExists { case_id });
    }
    suite.assert_conserved();
}

#[test]
fn rule_f2_an_answer_is_judged_alone() {
    let mut suite = Suite::new();
    let alice = suite.alice.clone();
    let rule = "one: an answer is judged alone";
    let bad: ContractError = CommonError::BadField { field: "receipts", rule }.into();
    refused(suite.open(&alice, about(ReceiptFault::Output, 1, &[0, 1]), 2_000), &bad);
    suite.open(&alice, about(ReceiptFault::Output, 1, &[0]), 2_000).unwrap();
    suite.open(&alice, about(ReceiptFault::Output, 1, &[1]), 2_000).unwrap();
}

#[test]
fn rule_f5_attack_no_case_keeps_a_bond_whose_time_is_over() {
    let mut suite = Suite::new();
    let alice = suite.alice.clone();
    suite.set_root(1, RootStatus::Final);
    let unbonds_at = suite.height() + DISPUTE;
    suite.edit_node(NODE, |node| node.unbonds_at = Some(unbonds_at));
    let case_id = suite.open(&alice, about_receipts(1, &[0]), 2_000).unwrap();
    suite.advance(DISPUTE + 1);
    suite.conclude(case_id).unwrap();
    assert_eq!(suite.open_cases(NODE), 0);
    let free = ContractError::BondIsFree { node_id: NODE };
    refused(suite.open(&alice, about_receipts(1, &[0]), 2_000), &free);
    suite.edit_node(NODE, |node| {
        node.unbonds_at = None;
        node.status = NodeStatus::Left;
    });
    refused(suite.open(&alice, about_receipts(1, &[0]), 2_000), &free);
    // Fees that wait are at stake whatever became of the bond.
    suite.set_root(1, RootStatus::Pending);
    suite.open(&alice, about_receipts(1, &[0]), 2_000).unwrap();
}

#[test]
fn rule_d2_attack_another_claim_shields_no_copy() {
    let mut suite = Suite::new();
    let (friend, alice) = (suite.bob.clone(), suite.alice.clone());
    let subject = |claim| Subject::Contribution { contribution_id: COPY, claim };
    let shield = suite.open(&friend, subject(ContributionClaim::Unlicensed {}), CASE_BOND).unwrap();
    let other = suite.open(&friend, subject(ContributionClaim::Poisoned {}), CASE_BOND).unwrap();
    let case_id = suite.open(&alice, about_copy(), CASE_BOND).unwrap();
    for (case, guilty) in [(shield, true), (other, false), (case_id, true)] {
        for (auditor, _) in all(guilty) {
            suite.commit(case, auditor, guilty).unwrap();
        }
    }
    let until = suite.case(case_id).reveal_until;
    suite.advance(DISPUTE / 2 + 1);
    for (case, guilty) in [(shield, true), (other, false), (case_id, true)] {
        for (auditor, _) in all(guilty) {
            suite.reveal(case, auditor, guilty).unwrap();
        }
    }
    suite.advance_to(until + 1);
    suite.conclude(other).unwrap();
    assert_eq!(suite.contribution(COPY), ContributionStatus::Challenged, "the first case keeps it out");
    suite.conclude(case_id).unwrap();
    assert_eq!(suite.contribution(COPY), ContributionStatus::Rejected);
    let told = suite.datanet_told().len();
    suite.conclude(shield).unwrap();
    assert_eq!(suite.datanet_told().len(), told, "it is convicted once");
    assert_eq!(suite.balance(&friend), CASE_BOND, "one bond of two is lost");
    let again = suite.open(&friend, subject(ContributionClaim::Unlicensed {}), CASE_BOND);
    refused(again, &ContractError::CaseExists { case_id });
    suite.assert_conserved();
}

#[test]
fn rule_d2_attack_no_series_of_cases_keeps_a_contribution_out_for_ever() {
    let mut suite = Suite::new();
    let friend = suite.bob.clone();
    let subject = |claim| Subject::Contribution { contribution_id: COPY, claim };
    let first = suite.open(&friend, subject(ContributionClaim::Unlicensed {}), CASE_BOND).unwrap();
    suite.advance(DISPUTE);
    // Just before the first may end; then it ends while the second runs.
    let second = suite.open(&friend, subject(ContributionClaim::Poisoned {}), CASE_BOND).unwrap();
    suite.advance(1);
    suite.conclude(first).unwrap();
    assert_eq!(suite.contribution(COPY), ContributionStatus::Accepted, "a version may take it now");
    suite.vote(second, &all(true));
    assert_eq!(
        suite.contribution(COPY),
        ContributionStatus::Rejected,
        "and the second convicts all the same"
    );
}

#[test]
fn rule_d2_a_copy_is_convicted_for_its_original() {
    let mut suite = Suite::new();
    let alice = suite.alice.clone();
    let case_id = suite.open(&alice, about_copy(), CASE_BOND).unwrap();
    assert_eq!(suite.contribution(COPY), ContributionStatus::Challenged);
    refused(suite.open(&alice, about_copy(), CASE_BOND), &ContractError::CaseExists { case_id });
    suite.vote(case_id, &all(true));
    assert_eq!(suite.contribution(COPY), ContributionStatus::Rejected);
    let told: Vec<DatanetMsg> = suite.datanet_told();
    let Some(DatanetMsg::ConvictContribution { contribution_id, copied_of, finder, .. }) = told.last() else {
        panic!("convicted")
    };
    assert_eq!((*contribution_id, *copied_of, finder.as_str()), (COPY, Some(ORIGINAL), alice.as_str()));
    assert_eq!(suite.balance(&alice), CASE_BOND);
    refused(suite.open(&alice, about_copy(), CASE_BOND), &ContractError::CaseExists { case_id });
    assert_eq!(suite.open_cases(NODE), 0);
    suite.assert_conserved();
}

#[test]
fn a_contribution_that_is_not_guilty_is_released_and_its_contributor_compensated() {
    let mut suite = Suite::new();
    let (alice, contributor) = (suite.alice.clone(), suite.contributor());
    let subject = |claim| Subject::Contribution { contribution_id: COPY, claim };
    let case_id = suite.open(&alice, subject(ContributionClaim::Poisoned {}), CASE_BOND + 1).unwrap();
    suite.vote(case_id, &all(false));
    assert_eq!(suite.contribution(COPY), ContributionStatus::Accepted);
    assert_eq!((suite.balance(&contributor), suite.balance(&alice)), (501, 0));
    let again = suite.open(&alice, subject(ContributionClaim::Unlicensed {}), CASE_BOND).unwrap();
    suite.vote(again, &all(true));
    let Some(DatanetMsg::ConvictContribution { copied_of: None, .. }) = suite.datanet_told().pop() else {
        panic!("no original is named")
    };
    let missing = Subject::Contribution { contribution_id: 99, claim: ContributionClaim::Poisoned {} };
    let none = ContractError::ContributionNotFound { contribution_id: 99 };
    refused(suite.open(&alice, missing, CASE_BOND), &none);
    suite.assert_conserved();
}

#[test]
fn attack_a_copy_cannot_accuse_its_original() {
    let mut suite = Suite::new();
    let alice = suite.alice.clone();
    let subject = |contribution_id, of| Subject::Contribution {
        contribution_id,
        claim: ContributionClaim::Copied { of },
    };
    for (contribution_id, of) in [(ORIGINAL, COPY), (COPY, COPY)] {
        let sent = suite.open(&alice, subject(contribution_id, of), CASE_BOND);
        refused(sent, &ContractError::NotEarlier { contribution_id, of });
    }
    let none = ContractError::ContributionNotFound { contribution_id: 99 };
    refused(suite.open(&alice, subject(COPY, 99), CASE_BOND), &none);
}

#[test]
fn rule_f3_nobody_votes_in_its_own_matter() {
    let mut suite = Suite::new();
    // A challenger that audits, by operator or hot address.
    for challenger in [suite.operator(12), suite.hot(12)] {
        let case_id = suite.open(&challenger, about_receipts(1, &[1]), CASE_BOND).unwrap();
        assert_eq!(suite.case(case_id).eligible.u128(), 70);
        refused(suite.commit(case_id, 12, true), &ContractError::NoWeight { auditor: 12 });
        suite.advance(DISPUTE + 1);
        suite.conclude(case_id).unwrap();
    }
    // An auditor of the accused node's operator.
    let own = suite.operator(NODE).to_string();
    suite.edit_node(11, |node| node.operator = own);
    let alice = suite.alice.clone();
    let case_id = suite.open(&alice, about_receipts(1, &[1]), CASE_BOND).unwrap();
    assert_eq!(suite.case(case_id).eligible.u128(), 50);
    refused(suite.commit(case_id, 11, false), &ContractError::NoWeight { auditor: 11 });
}

#[test]
fn a_case_needs_somebody_who_can_decide() {
    let mut suite = Suite::new();
    let alice = suite.alice.clone();
    for auditor in ALL {
        suite.set_weight(auditor, 0);
    }
    refused(suite.open(&alice, about_receipts(1, &[1]), CASE_BOND), &ContractError::NoJury {});
    assert_eq!((suite.totals(), suite.open_cases(NODE)), ([0; 4], 0));
}
