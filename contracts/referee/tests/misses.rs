use openledger_contract::CommonError;
use openledger_referee::ContractError;
use openledger_types::msg::escrow::RootStatus;
use openledger_types::msg::node_registry::ExecuteMsg as NodeMsg;
use openledger_types::msg::referee::{BlobKind, EligibleWeightResponse, ExecuteMsg, QueryMsg};

use crate::common::{refused, Suite, NODE, OPEN, WINDOW};

/// A root attested by 11 alone within its window.
fn missed_by_others(suite: &mut Suite, epoch: u64) {
    suite.post(epoch);
    suite.attest(11, epoch).unwrap();
    suite.advance(WINDOW + 1);
}

#[test]
fn rule_l6_three_roots_missed_in_a_row_cost_weight_and_bond() {
    let mut suite = Suite::new();
    for epoch in 1..=3u64 {
        missed_by_others(&mut suite, epoch);
        assert!(suite.slashes().is_empty());
        suite.report(epoch, &[12]).unwrap();
        assert_eq!(suite.standing(12), (epoch as u32, epoch == 3));
    }
    assert_eq!(suite.slashes(), [(12, 10, suite.alice.to_string())]);
    let all: EligibleWeightResponse = suite.ask(&QueryMsg::EligibleWeightFor { node_id: NODE }).unwrap();
    assert_eq!(all.weight.u128(), 70);
    let misses = suite
        .nodes_told()
        .into_iter()
        .filter(|msg| matches!(msg, NodeMsg::RecordWork { node_id: 12, work } if work.misses == 1))
        .count();
    assert_eq!(misses, 3);

    // Without its weight it attests nothing, and the others are a quorum of the rest.
    suite.post(4);
    suite.attest(11, 4).unwrap();
    refused(suite.attest(12, 4), &ContractError::NoWeight { auditor: 12 });
    assert!(suite.root(4).attested, "50 of 70 are a quorum");

    // Resuming is its operator's.
    refused(
        suite.act(&suite.hot(12), &ExecuteMsg::Resume { auditor: 12 }),
        &CommonError::Unauthorized { role: "the auditor's operator" }.into(),
    );
    suite.act(&suite.operator(12), &ExecuteMsg::Resume { auditor: 12 }).unwrap();
    assert_eq!(suite.standing(12), (0, false));
    suite.post(5);
    suite.attest(12, 5).unwrap();
    assert_eq!(suite.attestation(5).eligible.unwrap().u128(), 100);
    refused(
        suite.act(&suite.operator(12), &ExecuteMsg::Resume { auditor: 12 }),
        &ContractError::NotSuspended { auditor: 12 },
    );
}

#[test]
fn rule_l6_an_attestation_ends_the_row_of_misses() {
    let mut suite = Suite::new();
    for epoch in 1..=2 {
        missed_by_others(&mut suite, epoch);
        suite.report(epoch, &[12]).unwrap();
    }
    suite.post(3);
    suite.attest(12, 3).unwrap();
    assert_eq!(suite.standing(12), (0, false));
}

#[test]
fn finding_p6_a_miss_is_counted_once_per_root_window_and_auditor() {
    let mut suite = Suite::new();
    missed_by_others(&mut suite, 1);
    suite.report(1, &[12]).unwrap();
    refused(suite.report(1, &[12]), &ContractError::NotMissed { auditor: 12 });
    let rule = "at most 32, rising, without repeats";
    let bad = ContractError::Common(CommonError::BadField { field: "auditors", rule });
    refused(suite.report(1, &[13, 13]), &bad);
    refused(suite.report(1, &[13, 12]), &bad);
    refused(suite.report(1, &(100..133).collect::<Vec<_>>()), &bad);
    for innocent in [11, 14, NODE] {
        refused(suite.report(1, &[innocent]), &ContractError::NotMissed { auditor: innocent });
    }
}

#[test]
fn misses_are_reported_after_the_window_only() {
    let mut suite = Suite::new();
    suite.attest(11, 1).unwrap();
    let until = suite.height() + WINDOW;
    suite.advance(WINDOW);
    refused(suite.report(1, &[12]), &ContractError::WindowOpen { until });
    suite.attest(12, 1).unwrap();
    suite.advance(1);
    refused(suite.report(1, &[12]), &ContractError::NotMissed { auditor: 12 });
    refused(suite.report(1, &[]), &ContractError::NothingToReport {});
    suite.report(1, &[13]).unwrap();
}

#[test]
fn rule_l6_a_late_attestation_counts_for_the_root_and_as_a_miss() {
    let mut suite = Suite::new();
    missed_by_others(&mut suite, 1);
    suite.attest(12, 1).unwrap();
    assert!(suite.root(1).attested);
    suite.report(1, &[12, 13]).unwrap();
    assert_eq!((suite.standing(12), suite.standing(13)), ((1, false), (1, false)));
}

#[test]
fn nobody_misses_a_window_that_began_before_its_weight() {
    let mut suite = Suite::new();
    suite.attest(11, 1).unwrap();
    suite.set_node(14, 40);
    suite.advance(WINDOW + 1);
    refused(suite.report(1, &[14]), &ContractError::NotMissed { auditor: 14 });
    // Old roots that nobody attested are no trap for a new auditor: a report only begins their window.
    for epoch in 2..=4 {
        suite.post(epoch);
    }
    suite.advance(10 * WINDOW);
    for epoch in 2..=4 {
        suite.report(epoch, &[14]).unwrap();
        refused(suite.report(epoch, &[14]), &ContractError::WindowOpen { until: suite.height() + WINDOW });
    }
    assert_eq!(suite.standing(14), (0, false));
    suite.post(5);
    suite.set_root(5, RootStatus::Final);
    refused(suite.report(5, &[14]), &ContractError::NoWindow {});
}

#[test]
fn attack_a_node_that_withholds_its_blobs_cannot_have_honest_auditors_counted_as_missing() {
    let mut suite = Suite::new();
    let alice = suite.alice.clone();
    suite.report(1, &[]).unwrap();
    suite.advance(WINDOW);
    let demand_id = suite.demand(&alice, 1, BlobKind::Leaves, 0).unwrap();
    suite.advance(1);
    refused(suite.report(1, &[11, 12, 13]), &ContractError::DemandOpen {});
    suite.advance(WINDOW);
    suite.expire(&alice, demand_id).unwrap();
    refused(suite.report(1, &[11, 12, 13]), &ContractError::RootVoid { status: RootStatus::Void });
    assert_eq!(suite.standing(11), (0, false));
}

#[test]
fn rule_l6_silent_auditors_cannot_keep_the_only_root_waiting_for_ever() {
    let mut suite = Suite::new();
    suite.report(1, &[]).unwrap();
    for window in 1..=3u32 {
        suite.advance(WINDOW + 1);
        suite.report(1, &[11, 12, 13]).unwrap();
        assert_eq!(suite.standing(11), (window, window == 3));
    }
    let all: EligibleWeightResponse = suite.ask(&QueryMsg::EligibleWeightFor { node_id: NODE }).unwrap();
    assert!(all.weight.is_zero(), "the escrow's long wait applies now");
    assert_eq!(suite.attestation(1).eligible.unwrap().u128(), 0);
    assert_eq!(suite.slashes().len(), 3);
}

#[test]
fn rule_l6_departed_weight_does_not_stand_in_the_way_of_the_others() {
    let mut suite = Suite::new();
    suite.attest(12, 1).unwrap();
    suite.attest(13, 1).unwrap();
    suite.set_weight(11, 0);
    suite.advance(WINDOW + 1);
    assert!(!suite.root(1).attested, "50 of 100");
    // The last miss of the window is counted; the next one begins with the weight of now.
    suite.report(1, &[11]).unwrap();
    let now = suite.attestation(1);
    assert_eq!((now.eligible.unwrap().u128(), now.attested.u128()), (50, 50));
    assert!(suite.root(1).attested);
    // It was attested: no further window, and whoever attested has missed nothing.
    suite.advance(WINDOW + 1);
    refused(suite.report(1, &[]), &ContractError::NothingToReport {});
    refused(suite.report(1, &[12]), &ContractError::NotMissed { auditor: 12 });
}

#[test]
fn attack_a_silent_auditor_cannot_wipe_its_miss_by_beginning_a_window() {
    let mut suite = Suite::new();
    missed_by_others(&mut suite, 1);
    let msg = ExecuteMsg::ReportMisses { node_id: NODE, denom: OPEN.into(), epoch: 1, auditors: vec![] };
    refused(suite.act(&suite.operator(12), &msg), &ContractError::NothingToReport {});
    suite.report(1, &[12]).unwrap();
    suite.report(1, &[13]).unwrap();
    assert_eq!(suite.attestation(1).until, Some(suite.height() + WINDOW), "now the next one began");
    assert_eq!((suite.standing(12), suite.standing(13)), ((1, false), (1, false)));
}

#[test]
fn weight_that_leaves_and_returns_attests_again() {
    let mut suite = Suite::new();
    suite.attest(12, 1).unwrap();
    suite.set_weight(12, 0);
    suite.advance(WINDOW + 1);
    suite.report(1, &[11, 13]).unwrap();
    assert!(suite.attestation(1).auditors.is_empty());
    suite.set_weight(12, 30);
    suite.advance(WINDOW + 1);
    suite.report(1, &[11, 13]).unwrap();
    assert_eq!(suite.attestation(1).eligible.unwrap().u128(), 100);
    suite.attest(12, 1).unwrap();
    suite.attest(11, 1).unwrap();
    assert!(suite.root(1).attested);
}
