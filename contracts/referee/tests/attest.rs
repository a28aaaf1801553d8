use cosmwasm_std::Uint128;
use openledger_contract::CommonError;
use openledger_referee::ContractError;
use openledger_types::msg::escrow::{ExecuteMsg as EscrowMsg, RootStatus};
use openledger_types::msg::node_registry::ExecuteMsg as NodeMsg;
use openledger_types::msg::referee::{EligibleWeightResponse, ExecuteMsg, QueryMsg};

use crate::common::{refused, Suite, NODE, OPEN, WINDOW};

fn told(suite: &Suite) -> usize {
    suite.escrow_told().iter().filter(|msg| matches!(msg, EscrowMsg::Attest { .. })).count()
}

#[test]
fn rule_l6_a_root_is_attested_at_the_quorum_of_all_weight_and_told_once() {
    let mut suite = Suite::new();
    assert_eq!(suite.attestation(1).eligible, None);
    suite.attest(11, 1).unwrap();
    let now = suite.attestation(1);
    assert_eq!((now.eligible.unwrap().u128(), now.attested.u128()), (100, 50));
    assert_eq!(now.until, Some(suite.height() + WINDOW));
    assert!(!suite.root(1).attested, "half of the weight is no quorum");
    suite.attest(13, 1).unwrap();
    assert!(suite.root(1).attested, "70 of 100 are");
    suite.attest(12, 1).unwrap();
    assert_eq!(told(&suite), 1);
    let auditors = vec![(11, Uint128::new(50)), (12, Uint128::new(30)), (13, Uint128::new(20))];
    assert_eq!(suite.attestation(1).auditors, auditors);
    let audits = suite
        .nodes_told()
        .into_iter()
        .filter(|msg| matches!(msg, NodeMsg::RecordWork { work, .. } if work.audits == 1))
        .count();
    assert_eq!(audits, 3);
}

#[test]
fn an_auditor_attests_a_root_once_and_only_while_it_waits() {
    let mut suite = Suite::new();
    suite.attest(11, 1).unwrap();
    refused(suite.attest(11, 1), &ContractError::AlreadyAttested { auditor: 11 });
    for status in [RootStatus::Final, RootStatus::Void, RootStatus::Replaced, RootStatus::Abandoned] {
        suite.set_root(1, status);
        refused(suite.attest(12, 1), &ContractError::NotPending { status });
    }
    let missing = ContractError::RootNotFound { node_id: NODE, denom: OPEN.into(), epoch: 9 };
    refused(suite.attest(12, 9), &missing);
}

#[test]
fn rule_l6_only_operator_or_hot_key_attest_for_an_auditor() {
    let mut suite = Suite::new();
    let msg = |auditor| ExecuteMsg::Attest { auditor, node_id: NODE, denom: OPEN.into(), epoch: 1 };
    let role: ContractError =
        CommonError::Unauthorized { role: "the auditor's operator or hot address" }.into();
    for stranger in [suite.alice.clone(), suite.operator(12), suite.hot(12), suite.owner.clone()] {
        refused(suite.act(&stranger, &msg(11)), &role);
    }
    suite.act(&suite.operator(11), &msg(11)).unwrap();
    refused(suite.act(&suite.alice.clone(), &msg(99)), &ContractError::NodeNotFound { node_id: 99 });
}

#[test]
fn rule_l6_nobody_attests_roots_of_its_own_operator() {
    let mut suite = Suite::new();
    let eligible = |suite: &Suite| -> u128 {
        let all: EligibleWeightResponse = suite.ask(&QueryMsg::EligibleWeightFor { node_id: NODE }).unwrap();
        all.weight.u128()
    };
    assert_eq!(eligible(&suite), 100);
    let own = suite.operator(NODE).to_string();
    suite.edit_node(11, |node| node.operator = own);
    refused(suite.attest(11, 1), &ContractError::OwnRoot { node_id: NODE });
    suite.attest(12, 1).unwrap();
    let now = suite.attestation(1);
    assert_eq!(now.eligible.unwrap().u128(), 50, "its weight does not count either");
    assert_eq!(eligible(&suite), 50);
}

#[test]
fn rule_l6_a_node_cannot_keep_auditors_out_by_naming_their_addresses_as_its_hot_key() {
    let mut suite = Suite::new();
    let victim = suite.operator(11).to_string();
    suite.edit_node(NODE, |node| node.hot_addr = Some(victim));
    suite.attest(11, 1).unwrap();
    assert_eq!(suite.attestation(1).eligible.unwrap().u128(), 100);
}

#[test]
fn rule_f3_weight_counts_as_the_lesser_of_the_beginning_and_now() {
    let mut suite = Suite::new();
    suite.attest(12, 1).unwrap();
    // Bought after the beginning: counts for nothing.
    suite.set_weight(13, 5_000);
    suite.set_node(14, 5_000);
    refused(suite.attest(14, 1), &ContractError::NoWeight { auditor: 14 });
    suite.attest(13, 1).unwrap();
    assert_eq!(suite.attestation(1).attested.u128(), 50);
    // Lost since: counts less, or not at all.
    suite.set_weight(11, 10);
    suite.attest(11, 1).unwrap();
    assert_eq!(suite.attestation(1).attested.u128(), 60);
    assert!(!suite.root(1).attested);
    suite.post(2);
    suite.attest(12, 2).unwrap();
    suite.set_weight(13, 0);
    refused(suite.attest(13, 2), &ContractError::NoWeight { auditor: 13 });
}

#[test]
fn rule_l6_late_attestations_count_until_the_root_is_final() {
    let mut suite = Suite::new();
    suite.attest(12, 1).unwrap();
    suite.advance(WINDOW + 50);
    suite.attest(11, 1).unwrap();
    assert!(suite.root(1).attested);
}

#[test]
fn rule_l6_without_audit_weight_nothing_is_eligible() {
    let mut suite = Suite::new();
    for auditor in [11, 12, 13] {
        suite.set_weight(auditor, 0);
        refused(suite.attest(auditor, 1), &ContractError::NoWeight { auditor });
    }
    let all: EligibleWeightResponse = suite.ask(&QueryMsg::EligibleWeightFor { node_id: NODE }).unwrap();
    assert!(all.weight.is_zero());
    assert!(!suite.root(1).attested, "nothing is no quorum of nothing");
}
