use cosmwasm_std::{coin, Uint128};
use openledger_merkle::BLOB_CHUNK;
use openledger_referee::ContractError;
use openledger_types::msg::escrow::{ExecuteMsg as EscrowMsg, RootStatus};
use openledger_types::msg::referee::{BlobKind, DemandStatus, ExecuteMsg};

use crate::common::{chunk, params, refused, Suite, ANSWER, DEMAND_BOND, JUNK, NODE, OPEN};

#[test]
fn rule_l6_a_demanded_chunk_is_shown_and_the_bond_is_the_answerers() {
    let mut suite = Suite::new();
    let (alice, bob) = (suite.alice.clone(), suite.bob.clone());
    let all = [
        (BlobKind::Leaves, 0),
        (BlobKind::Leaves, 1),
        (BlobKind::Leaves, 2),
        (BlobKind::Receipts, 0),
        (BlobKind::Receipts, 1),
    ];
    for (blob, index) in all {
        let demand_id = suite.demand(&alice, 1, blob, index).unwrap();
        assert_eq!((suite.root(1).holds, suite.totals()[0]), (1, DEMAND_BOND));
        suite.advance(ANSWER);
        suite.answer(&bob, demand_id).unwrap();
        assert_eq!(suite.demand_state(demand_id).status, DemandStatus::Answered);
        assert_eq!(suite.root(1).holds, 0);
    }
    assert_eq!(suite.balance(&bob), 5 * DEMAND_BOND);
    assert_eq!(suite.root(1).status, RootStatus::Pending);
    suite.assert_conserved();
}

#[test]
fn rule_l6_a_chunk_that_is_not_shown_voids_the_root_and_cuts_the_node() {
    let mut suite = Suite::new();
    let (alice, bob) = (suite.alice.clone(), suite.bob.clone());
    let demand_id = suite.demand(&alice, 1, BlobKind::Receipts, 1).unwrap();
    let until = suite.height() + ANSWER;
    suite.advance(ANSWER);
    refused(suite.expire(&bob, demand_id), &ContractError::DemandRuns { demand_id, until });
    suite.advance(1);
    refused(suite.answer(&bob, demand_id), &ContractError::DemandOver { demand_id, until });
    suite.expire(&bob, demand_id).unwrap();
    assert_eq!(suite.root(1).status, RootStatus::Void);
    assert_eq!(suite.root(1).void_reason.unwrap(), "chunk 1 of the receipts was not shown");
    assert_eq!(suite.slashes(), [(NODE, 1_000, alice.to_string())]);
    assert_eq!((suite.balance(&alice), suite.balance(&bob)), (DEMAND_BOND, 0));
    let status = DemandStatus::Expired;
    assert_eq!(suite.demand_state(demand_id).status, status);
    refused(suite.expire(&bob, demand_id), &ContractError::DemandEnded { demand_id, status });
    refused(suite.answer(&bob, demand_id), &ContractError::DemandEnded { demand_id, status });
    suite.assert_conserved();
}

#[test]
fn rule_l6_a_demand_at_the_last_moment_holds_the_root_until_its_end() {
    let mut suite = Suite::new();
    let alice = suite.alice.clone();
    let last = suite.root(1).final_at - 1;
    suite.advance_to(last);
    let demand_id = suite.demand(&alice, 1, BlobKind::Leaves, 0).unwrap();
    suite.advance(ANSWER);
    assert_eq!(suite.root(1).holds, 1);
    assert!(suite.height() > suite.root(1).final_at);
    suite.answer(&alice, demand_id).unwrap();
    assert_eq!(suite.root(1).holds, 0);
}

#[test]
fn a_demand_of_a_root_that_is_void_is_moot_and_its_bond_returns() {
    let mut suite = Suite::new();
    let (alice, bob) = (suite.alice.clone(), suite.bob.clone());
    let first = suite.demand(&alice, 1, BlobKind::Leaves, 0).unwrap();
    let second = suite.demand(&bob, 1, BlobKind::Leaves, 1).unwrap();
    suite.advance(ANSWER + 1);
    suite.expire(&alice, first).unwrap();
    // One guilt, one cut.
    suite.expire(&alice, second).unwrap();
    assert_eq!(suite.demand_state(second).status, DemandStatus::Moot);
    assert_eq!((suite.balance(&bob), suite.slashes().len()), (DEMAND_BOND, 1));
    let voids = suite.escrow_told().into_iter().filter(|msg| matches!(msg, EscrowMsg::VoidRoot { .. }));
    assert_eq!(voids.count(), 1);

    // The same at once, before its time, when something else voids the root.
    suite.post(2);
    let third = suite.demand(&bob, 2, BlobKind::Leaves, 1).unwrap();
    suite.set_root(2, RootStatus::Replaced);
    refused(suite.answer(&alice, third), &ContractError::NotPending { status: RootStatus::Replaced });
    suite.expire(&alice, third).unwrap();
    assert_eq!(suite.balance(&bob), 2 * DEMAND_BOND);
    suite.assert_conserved();
}

#[test]
fn demands_are_for_roots_that_wait() {
    let mut suite = Suite::new();
    let alice = suite.alice.clone();
    for status in [RootStatus::Final, RootStatus::Void, RootStatus::Replaced, RootStatus::Abandoned] {
        suite.set_root(1, status);
        let sent = suite.demand(&alice, 1, BlobKind::Leaves, 0);
        refused(sent, &ContractError::NotPending { status });
    }
}

#[test]
fn attack_a_demand_for_a_chunk_that_does_not_exist() {
    let mut suite = Suite::new();
    let alice = suite.alice.clone();
    for (blob, chunks) in [(BlobKind::Leaves, 3), (BlobKind::Receipts, 2)] {
        for index in [chunks, chunks + 1, u64::MAX] {
            refused(suite.demand(&alice, 1, blob, index), &ContractError::NoChunk { index, chunks });
        }
    }
    assert_eq!(suite.totals(), [0; 4]);
}

#[test]
fn attack_an_answer_of_a_wrong_length_or_path() {
    let mut suite = Suite::new();
    let (alice, bob) = (suite.alice.clone(), suite.bob.clone());
    let last = suite.demand(&alice, 1, BlobKind::Leaves, 2).unwrap();
    let (bytes, path) = chunk(BlobKind::Leaves, 2);
    let mut answer = |chunk: Vec<u8>, path: Vec<[u8; 32]>| {
        suite.act(&bob, &ExecuteMsg::AnswerDemand { demand_id: last, chunk: chunk.into(), path: path.into() })
    };
    let wrong = |actual| ContractError::ChunkLength { index: 2, expected: 777, actual };
    refused(answer(vec![], path.clone()), &wrong(0));
    refused(answer(bytes[..776].to_vec(), path.clone()), &wrong(776));
    refused(answer([bytes.as_slice(), &[0]].concat(), path.clone()), &wrong(778));
    refused(answer(vec![0; BLOB_CHUNK], path.clone()), &wrong(BLOB_CHUNK as u64));
    let bad = ContractError::BadPath { what: "chunk" };
    refused(answer(vec![7; 777], path.clone()), &bad);
    refused(answer(bytes.to_vec(), vec![]), &bad);
    refused(answer(bytes.to_vec(), [path.clone(), path.clone()].concat()), &bad);
    answer(bytes.to_vec(), path).unwrap();
}

#[test]
fn attack_an_answer_for_another_demand() {
    let mut suite = Suite::new();
    let (alice, bob) = (suite.alice.clone(), suite.bob.clone());
    let first = suite.demand(&alice, 1, BlobKind::Leaves, 0).unwrap();
    suite.demand(&alice, 1, BlobKind::Leaves, 1).unwrap();
    let bad = ContractError::BadPath { what: "chunk" };
    for (blob, index) in [(BlobKind::Leaves, 1), (BlobKind::Receipts, 0)] {
        let (chunk, path) = chunk(blob, index);
        let sent = suite.act(&bob, &ExecuteMsg::AnswerDemand { demand_id: first, chunk, path: path.into() });
        refused(sent, &bad);
    }
    let (chunk, path) = chunk(BlobKind::Leaves, 0);
    let sent = suite.act(&bob, &ExecuteMsg::AnswerDemand { demand_id: 99, chunk, path: path.into() });
    refused(sent, &ContractError::DemandNotFound { demand_id: 99 });
}

#[test]
fn attack_griefing_a_root_with_demands_is_bounded_and_pays_who_answers() {
    let mut suite = Suite::new();
    let (alice, node) = (suite.alice.clone(), suite.operator(NODE));
    for index in 0..3 {
        suite.demand(&alice, 1, BlobKind::Leaves, index).unwrap();
    }
    let sent = suite.demand(&alice, 1, BlobKind::Receipts, 0);
    refused(sent, &ContractError::TooManyDemands { max: 3 });
    for demand_id in 1..=3 {
        suite.answer(&node, demand_id).unwrap();
    }
    // No chunk twice: five chunks, five demands, and no more for ever.
    for index in 0..3 {
        let sent = suite.demand(&alice, 1, BlobKind::Leaves, index);
        refused(sent, &ContractError::AlreadyDemanded { demand_id: index + 1 });
    }
    for index in 0..2 {
        let demand_id = suite.demand(&alice, 1, BlobKind::Receipts, index).unwrap();
        suite.answer(&node, demand_id).unwrap();
    }
    assert_eq!((suite.balance(&node), suite.balance(&alice)), (5 * DEMAND_BOND, 0));
    assert_eq!(suite.root(1).holds, 0);
    // Another root is another matter.
    suite.post(2);
    suite.demand(&alice, 2, BlobKind::Leaves, 0).unwrap();
}

#[test]
fn the_bond_of_a_demand_is_exact() {
    let mut suite = Suite::new();
    let alice = suite.alice.clone();
    let msg = ExecuteMsg::DemandChunk {
        node_id: NODE,
        denom: OPEN.into(),
        epoch: 1,
        blob: BlobKind::Leaves,
        index: 0,
    };
    for amount in [1, DEMAND_BOND - 1, DEMAND_BOND + 1] {
        let wrong =
            ContractError::WrongBond { expected: Uint128::new(DEMAND_BOND), sent: Uint128::new(amount) };
        refused(suite.send(&alice, &msg, &[coin(amount, OPEN)]), &wrong);
    }
    assert!(suite.send(&alice, &msg, &[coin(DEMAND_BOND, JUNK)]).is_err());
    suite.send(&alice, &msg, &[coin(DEMAND_BOND, OPEN)]).unwrap();
}

#[test]
fn a_demand_keeps_its_bond_and_height_whatever_the_owner_changes() {
    let mut suite = Suite::new();
    let (alice, owner) = (suite.alice.clone(), suite.owner.clone());
    let demand_id = suite.demand(&alice, 1, BlobKind::Leaves, 0).unwrap();
    let mut changed = params();
    changed.demand_blocks = 1;
    changed.demand_bond = Uint128::new(7);
    suite.act(&owner, &ExecuteMsg::UpdateParams { params: changed }).unwrap();
    suite.advance(ANSWER);
    assert!(suite.expire(&alice, demand_id).is_err());
    suite.answer(&alice, demand_id).unwrap();
    assert_eq!(suite.balance(&alice), DEMAND_BOND);
    suite.assert_conserved();
}
