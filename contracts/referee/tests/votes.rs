use cosmwasm_std::HexBinary;
use openledger_contract::CommonError;
use openledger_referee::ContractError;
use openledger_types::msg::referee::{ExecuteMsg, Verdict};

use crate::common::{about_receipts, params, refused, salt, Suite, CASE_BOND, DISPUTE};

fn opened() -> (Suite, u64) {
    let mut suite = Suite::new();
    let alice = suite.alice.clone();
    let case_id = suite.open(&alice, about_receipts(1, &[1]), CASE_BOND).unwrap();
    (suite, case_id)
}

#[test]
fn rule_f3_votes_are_committed_in_the_first_half_and_revealed_in_the_second() {
    let (mut suite, case_id) = opened();
    let case = suite.case(case_id);
    assert_eq!(case.commit_until, suite.height() + DISPUTE / 2);
    suite.commit(case_id, 11, true).unwrap();
    let early =
        ContractError::NotRevealTime { case_id, from: case.commit_until + 1, until: case.reveal_until };
    suite.advance_to(case.commit_until);
    refused(suite.reveal(case_id, 11, true), &early);
    suite.commit(case_id, 12, true).unwrap();
    suite.advance(1);
    let over = ContractError::CommitOver { case_id, until: case.commit_until };
    refused(suite.commit(case_id, 13, true), &over);
    suite.reveal(case_id, 11, true).unwrap();
    refused(suite.reveal(case_id, 11, true), &ContractError::AlreadyRevealed { auditor: 11 });
    refused(suite.reveal(case_id, 13, true), &ContractError::NoVote { auditor: 13 });
    suite.advance_to(case.reveal_until + 1);
    refused(suite.reveal(case_id, 12, true), &early);
}

#[test]
fn a_committed_vote_cannot_be_changed() {
    let (mut suite, case_id) = opened();
    suite.commit(case_id, 11, true).unwrap();
    refused(suite.commit(case_id, 11, false), &ContractError::AlreadyVoted { auditor: 11 });
    let until = suite.case(case_id).commit_until;
    suite.advance_to(until + 1);
    refused(suite.reveal(case_id, 11, false), &ContractError::WrongOpening {});
    let salt = HexBinary::from(&salt(99));
    let msg = ExecuteMsg::RevealVote { case_id, auditor: 11, guilty: true, salt };
    refused(suite.act(&suite.hot(11), &msg), &ContractError::WrongOpening {});
    suite.reveal(case_id, 11, true).unwrap();
}

#[test]
fn attack_a_copied_vote_commitment_opens_nothing() {
    let (mut suite, case_id) = opened();
    suite.commit(case_id, 11, true).unwrap();
    let commitment = suite.commitment(case_id, 11, true);
    let copy = ExecuteMsg::CommitVote { case_id, auditor: 12, commitment };
    suite.act(&suite.hot(12), &copy).unwrap();
    let until = suite.case(case_id).commit_until;
    suite.advance_to(until + 1);
    suite.reveal(case_id, 11, true).unwrap();
    // The copier knows vote and salt now; both are bound to the other's number.
    let salt = HexBinary::from(&salt(11));
    let msg = ExecuteMsg::RevealVote { case_id, auditor: 12, guilty: true, salt };
    refused(suite.act(&suite.hot(12), &msg), &ContractError::WrongOpening {});
}

#[test]
fn attack_a_vote_committed_in_one_case_opens_nothing_in_another() {
    let (mut suite, case_id) = opened();
    let alice = suite.alice.clone();
    let other = suite.open(&alice, about_receipts(1, &[2]), CASE_BOND).unwrap();
    let commitment = suite.commitment(case_id, 11, true);
    suite.act(&suite.hot(11), &ExecuteMsg::CommitVote { case_id: other, auditor: 11, commitment }).unwrap();
    let until = suite.case(other).commit_until;
    suite.advance_to(until + 1);
    refused(suite.reveal(other, 11, true), &ContractError::WrongOpening {});
}

#[test]
fn rule_f3_attack_a_vote_of_weight_that_left_between_snapshot_and_reveal() {
    let (mut suite, case_id) = opened();
    for auditor in [11, 12, 13] {
        suite.commit(case_id, auditor, true).unwrap();
    }
    let until = suite.case(case_id).commit_until;
    suite.advance_to(until + 1);
    suite.set_weight(11, 0);
    refused(suite.reveal(case_id, 11, true), &ContractError::NoWeight { auditor: 11 });
    suite.set_weight(12, 10);
    suite.reveal(case_id, 12, true).unwrap();
    // Bought since: no more than at the snapshot.
    suite.set_weight(13, 1_000);
    suite.reveal(case_id, 13, true).unwrap();
    assert_eq!(suite.case(case_id).guilty.u128(), 30);
    suite.advance(DISPUTE);
    suite.conclude(case_id).unwrap();
    assert_eq!(suite.case(case_id).verdict, Some(Verdict::Undecided));
}

#[test]
fn rule_f3_attack_weight_bought_after_the_opening_has_no_vote() {
    let (mut suite, case_id) = opened();
    suite.set_node(14, 1_000_000);
    refused(suite.commit(case_id, 14, true), &ContractError::NoWeight { auditor: 14 });
}

#[test]
fn rule_l6_a_suspended_auditor_has_no_vote() {
    let (mut suite, case_id) = opened();
    suite.commit(case_id, 12, true).unwrap();
    let until = suite.case(case_id).commit_until;
    for epoch in 2..=4 {
        suite.post(epoch);
        suite.attest(11, epoch).unwrap();
    }
    suite.advance_to(until + 1);
    for epoch in 2..=4 {
        suite.report(epoch, &[12]).unwrap();
    }
    refused(suite.reveal(case_id, 12, true), &ContractError::NoWeight { auditor: 12 });
    suite.advance(DISPUTE);
    suite.conclude(case_id).unwrap();
    let alice = suite.alice.clone();
    let next = suite.open(&alice, about_receipts(1, &[1]), CASE_BOND).unwrap();
    assert_eq!(suite.case(next).eligible.u128(), 70);
}

#[test]
fn a_case_ends_early_when_the_whole_jury_has_revealed() {
    let (mut suite, case_id) = opened();
    for auditor in [11, 12, 13] {
        suite.commit(case_id, auditor, auditor != 12).unwrap();
    }
    let case = suite.case(case_id);
    suite.advance_to(case.commit_until + 1);
    let runs = ContractError::CaseRuns { case_id, until: case.reveal_until };
    for auditor in [11, 12] {
        suite.reveal(case_id, auditor, auditor != 12).unwrap();
        refused(suite.conclude(case_id), &runs);
    }
    suite.reveal(case_id, 13, true).unwrap();
    suite.conclude(case_id).unwrap();
    assert_eq!(suite.case(case_id).verdict, Some(Verdict::Guilty));
    let ended = ContractError::CaseEnded { case_id, verdict: Verdict::Guilty };
    refused(suite.commit(case_id, 13, true), &ended);
    refused(suite.reveal(case_id, 13, true), &ended);
}

#[test]
fn only_operator_or_hot_key_vote_and_a_commitment_has_its_length() {
    let (mut suite, case_id) = opened();
    let commitment = suite.commitment(case_id, 11, true);
    let msg = ExecuteMsg::CommitVote { case_id, auditor: 11, commitment };
    let role = CommonError::Unauthorized { role: "the auditor's operator or hot address" }.into();
    for stranger in [suite.alice.clone(), suite.operator(12)] {
        refused(suite.act(&stranger, &msg), &role);
    }
    let short = ExecuteMsg::CommitVote { case_id, auditor: 11, commitment: HexBinary::from(&[1; 31]) };
    assert!(suite.act(&suite.operator(11), &short).unwrap_err().to_string().contains("32 bytes"));
    suite.act(&suite.operator(11), &msg).unwrap();
    let missing = ExecuteMsg::CommitVote { case_id: 9, auditor: 11, commitment: HexBinary::from(&[1; 32]) };
    refused(suite.act(&suite.operator(11), &missing), &ContractError::CaseNotFound { case_id: 9 });
}

#[test]
fn a_case_keeps_its_quorum_windows_and_cut_whatever_the_owner_changes() {
    let (mut suite, case_id) = opened();
    let owner = suite.owner.clone();
    let mut changed = params();
    changed.quorum_bps = 10_000;
    changed.dispute_blocks = 2;
    changed.voted_cut_bps = 10_000;
    suite.act(&owner, &ExecuteMsg::UpdateParams { params: changed }).unwrap();
    suite.vote(case_id, &[(11, true), (13, true)]);
    assert_eq!(suite.case(case_id).verdict, Some(Verdict::Guilty));
    assert_eq!(suite.plans()[0].1, 900);
}
