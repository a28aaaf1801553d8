//! `CloseAbandoned`, `ClaimAbandoned`, `RefundAbandoned`.

use cosmwasm_std::HexBinary;
use openledger_merkle::{SumNode, Tree};
use openledger_payable_escrow::ContractError;
use openledger_types::formats::{training_leaf, SumRoot, VersionRef};
use openledger_types::msg::datanet::TrainingItem;
use openledger_types::msg::escrow::{ExecuteMsg, RootStatus};

use crate::common::registry::Set;
use crate::common::suite::{ABANDONED, FINAL};
use crate::common::{refused, Answer, Suite, OPEN};

/// Contribution and how often training saw it.
const SEEN: [(u64, u64); 3] = [(11, 5), (12, 3), (13, 2)];

fn tree() -> Tree<SumNode> {
    Tree::new(SEEN.iter().map(|(id, times)| training_leaf(*id, *times)).collect()).unwrap()
}

fn items() -> Vec<TrainingItem> {
    let tree = tree();
    let item = |(index, (contribution_id, times_seen)): (usize, &(u64, u64))| TrainingItem {
        contribution_id: *contribution_id,
        times_seen: *times_seen,
        index: index as u64,
        path: tree.prove(index as u64).unwrap().into(),
    };
    SEEN.iter().enumerate().map(item).collect()
}

/// A node with a final ledger and a void root of two sessions.
fn scene() -> Suite {
    let mut suite = Suite::new();
    let mut model = suite.model(1, OPEN);
    let version = VersionRef { datanet_id: 7, version: 1, root: HexBinary::from(&[1; 32]), size: 3 };
    model.datanets = vec![version.clone()];
    model.training = vec![SumRoot::new(tree().root(), 3)];
    suite.set_model(model);
    suite.nodes.get_mut(&1).unwrap().datanets = vec![version];
    let datanet = suite.datanet.clone();
    for (contribution_id, _) in SEEN {
        let contributor = suite.contributor(contribution_id).to_string();
        suite.set(&datanet, &Set::Source { contribution_id, datanet_id: 7, contributor });
    }
    let (a, b) = (suite.user(0), suite.user(1));
    let mut first = suite.open(&a, 1, &[(1, 100_000)]);
    let mut second = suite.open(&b, 1, &[(1, 100_000)]);
    suite.answer(&mut first, 1, &Answer::plain(40, 40));
    suite.settle(1, OPEN);
    suite.answer(&mut first, 1, &Answer::plain(100, 101));
    suite.answer(&mut second, 1, &Answer::plain(300, 301));
    suite.post(1, OPEN);
    suite.void(1);
    suite
}

fn close(suite: &mut Suite) -> cosmwasm_std::StdResult<cw_multi_test::AppResponse> {
    let anyone = suite.stranger.clone();
    suite.call(&anyone, &ExecuteMsg::CloseAbandoned { node_id: 1 })
}

fn claim(suite: &mut Suite, items: Vec<TrainingItem>) -> cosmwasm_std::StdResult<cw_multi_test::AppResponse> {
    let anyone = suite.stranger.clone();
    let msg = ExecuteMsg::ClaimAbandoned {
        node_id: 1,
        denom: OPEN.into(),
        epoch: 2,
        model_id: 1,
        model_version: 1,
        datanet_id: 7,
        items,
    };
    suite.call(&anyone, &msg)
}

fn refund(suite: &mut Suite, session_id: u64) -> cosmwasm_std::StdResult<cw_multi_test::AppResponse> {
    let anyone = suite.stranger.clone();
    suite.call(&anyone, &ExecuteMsg::RefundAbandoned { session_id, node_id: 1 })
}

#[test]
fn rule_l8_an_abandoned_node_is_closed_after_e_epochs_by_anyone() {
    let mut suite = scene();
    let from = suite.height() + ABANDONED;
    refused(close(&mut suite), &ContractError::NotAbandoned { from });
    suite.advance(ABANDONED - 1);
    refused(close(&mut suite), &ContractError::NotAbandoned { from });
    suite.advance(1);
    let (treasury, developer) = (suite.term(OPEN, "treasury"), suite.balance(&suite.developer, OPEN));
    let operator = suite.nodes[&1].operator.clone();
    let earned = suite.balance(&operator, OPEN);
    close(&mut suite).unwrap();
    suite.assert_conserved();
    assert_eq!(suite.epoch(1, OPEN, 2).status, RootStatus::Abandoned);
    assert!(suite.ledger(1, OPEN).closed);
    // Fees of 1,007 and 3,007: the developer and the protocol did nothing wrong.
    assert_eq!(suite.balance(&suite.developer, OPEN) - developer, 151 + 451);
    assert_eq!(suite.term(OPEN, "treasury") - treasury, 100 + 300);
    assert_eq!(suite.balance(&operator, OPEN), earned, "nothing for the node");
    let stranger = suite.stranger.to_string();
    assert_eq!(suite.told().slashes, vec![(1, 1_000, Some(stranger), "abandoned its ledger".to_string())]);
    refused(close(&mut suite), &ContractError::NoPendingRoot { node_id: 1 });
    // Closed: nothing can be posted there any more.
    let draft = suite.replacement(1, &[]);
    let msg = ExecuteMsg::PostEpoch {
        commit: draft.commit,
        settlements: suite.nodes[&1].draft.as_ref().unwrap().settlements.clone(),
    };
    let hot = suite.nodes[&1].hot.clone();
    refused(suite.call(&hot, &msg), &ContractError::LedgerClosed { node_id: 1 });
}

#[test]
fn rule_l8_the_datas_part_is_shared_by_training_and_the_nodes_part_returns_to_the_payers() {
    let mut suite = scene();
    suite.advance(ABANDONED);
    close(&mut suite).unwrap();
    let parts = |fees: u128| openledger_types::money::split_fees(fees, &suite.model(1, OPEN).split).unwrap();
    let (first, second) = (parts(1_007), parts(3_007));
    let pot = first.data + second.data;
    claim(&mut suite, items()).unwrap();
    suite.assert_conserved();
    for (contribution, times) in SEEN {
        let who = suite.contributor(contribution);
        assert_eq!(suite.balance(&who, OPEN), pot * u128::from(times) / 10);
    }
    refused(claim(&mut suite, items()), &ContractError::NothingToClaim {});
    refund(&mut suite, 1).unwrap();
    refund(&mut suite, 2).unwrap();
    assert_eq!(suite.balance(&suite.user(0), OPEN), first.node);
    assert_eq!(suite.balance(&suite.user(1), OPEN), second.node);
    for session_id in [1, 2] {
        refused(refund(&mut suite, session_id), &ContractError::NothingToReturn { session_id });
    }
    // The final ledger pays as before, and nothing is left but what floors leave.
    let claims = suite.claims(1, OPEN);
    suite.claim(claims).unwrap();
    assert!(suite.term(OPEN, "ledgers") <= 3);
    suite.assert_conserved();
}

#[test]
fn rule_l8_false_training_leaves_earn_nothing() {
    let mut suite = scene();
    suite.advance(ABANDONED);
    let missing = ContractError::EpochNotFound { node_id: 1, denom: OPEN.into(), epoch: 2 };
    refused(claim(&mut suite, items()), &missing);
    close(&mut suite).unwrap();
    type Change = fn(&mut TrainingItem);
    let changes: [Change; 4] = [
        |i| i.times_seen += 1,
        |i| i.contribution_id += 1,
        |i| i.index += 1,
        |i| {
            i.path.pop();
        },
    ];
    for change in changes {
        let mut wrong = items();
        change(&mut wrong[1]);
        refused(claim(&mut suite, wrong), &ContractError::NotTrained { position: 1 });
    }
    // A leaf twice in one message pays once.
    let twice = vec![items()[0].clone(), items()[0].clone()];
    claim(&mut suite, twice).unwrap();
    let pot = suite.epoch(1, OPEN, 2).data.u128();
    assert_eq!(suite.balance(&suite.contributor(11), OPEN), pot / 2);
    // The contribution is of another datanet than the receipt says.
    let datanet = suite.datanet.clone();
    let contributor = suite.contributor(12).to_string();
    suite.set(&datanet, &Set::Source { contribution_id: 12, datanet_id: 8, contributor });
    refused(claim(&mut suite, vec![items()[1].clone()]), &ContractError::NotTrained { position: 0 });
    let refusal = ContractError::BadBatch { list: "items", reason: "give at most 32" };
    refused(claim(&mut suite, vec![items()[0].clone(); 33]), &refusal);
    suite.assert_conserved();
}

#[test]
fn rule_l8_a_model_without_training_gives_its_part_to_the_commons() {
    let mut suite = scene();
    let mut model = suite.model(1, OPEN);
    model.training = vec![SumRoot::empty()];
    suite.set_model(model);
    suite.advance(ABANDONED);
    close(&mut suite).unwrap();
    claim(&mut suite, vec![]).unwrap();
    assert_eq!(suite.term(OPEN, "commons"), suite.epoch(1, OPEN, 2).data.u128());
    refused(claim(&mut suite, vec![]), &ContractError::NothingToClaim {});
    suite.assert_conserved();
}

#[test]
fn rule_l8_replacing_in_time_saves_the_node_and_replacing_for_ever_does_not() {
    let mut suite = scene();
    suite.advance(ABANDONED);
    suite.replace(1, &[]);
    let final_at = suite.pending(1).unwrap().final_at;
    refused(close(&mut suite), &ContractError::RootPending { final_at });
    // Three more roots that are void: it is not given another E epochs.
    for _ in 0..2 {
        suite.void(1);
        assert!(close(&mut suite).is_err());
        suite.replace(1, &[]);
    }
    suite.void(1);
    close(&mut suite).unwrap();
    assert_eq!(suite.epoch(1, OPEN, 5).status, RootStatus::Abandoned);
    refund(&mut suite, 1).unwrap();
    suite.assert_conserved();
}

#[test]
fn rule_l8_a_node_registry_that_does_not_answer_stops_no_exit() {
    let mut suite = scene();
    suite.advance(ABANDONED);
    let registry = suite.registry.clone();
    suite.set(&registry, &Set::Broken(true));
    close(&mut suite).unwrap();
    claim(&mut suite, items()).unwrap();
    refund(&mut suite, 1).unwrap();
    suite.assert_conserved();
}

#[test]
fn rule_l8_open_cases_are_decided_before_a_ledger_is_closed() {
    let mut suite = Suite::new();
    let user = suite.user(0);
    let mut client = suite.open(&user, 1, &[(1, 100_000)]);
    for _ in 0..3 {
        suite.answer(&mut client, 1, &Answer::plain(100, 100));
    }
    let draft = suite.draft(1, OPEN, &[]).unwrap();
    suite.post_draft(&draft).unwrap();
    suite.hold(1, &draft, &[0]).unwrap();
    suite.hold(2, &draft, &[1]).unwrap();
    suite.void(1);
    suite.advance(ABANDONED);
    refused(close(&mut suite), &ContractError::CasesOpen { open: 2 });
    suite.decide(1, true);
    suite.returned.insert(1, 1_000);
    suite.decide(2, false);
    close(&mut suite).unwrap();
    suite.assert_conserved();
    refund(&mut suite, 1).unwrap();
    assert_eq!(suite.balance(&user, OPEN), 700, "the node's part of what remains");
    suite.assert_conserved();
}

/// What a final ledger promised and what an abandoned root left are paid beside each other.
#[test]
fn rule_l8_a_final_ledger_and_the_pot_of_an_abandoned_root_are_paid_beside_each_other() {
    let mut suite = scene();
    suite.advance(ABANDONED);
    close(&mut suite).unwrap();
    let claims = suite.claims(1, OPEN);
    let promised: u128 = claims.iter().map(|c| c.leaf.cumulative.u128()).sum();
    suite.claim(claims).unwrap();
    assert_eq!(suite.ledger(1, OPEN).claimed.u128(), promised);
    let left = suite.ledger(1, OPEN).funded.u128() - promised;
    assert!(left > 0);
    claim(&mut suite, items()).unwrap();
    refund(&mut suite, 1).unwrap();
    refund(&mut suite, 2).unwrap();
    let after = suite.ledger(1, OPEN);
    assert!(after.claimed + after.refunded <= after.funded);
    suite.advance(FINAL);
    suite.assert_conserved();
}
