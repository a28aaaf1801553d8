//! S2: a second settlement of a session proves that its log only grew.

use cosmwasm_std::Uint128;
use openledger_merkle::{Frontier, SumNode, Tree};
use openledger_payable_escrow::ContractError;
use openledger_types::formats::SumRoot;
use openledger_types::packed::SumPath;

use crate::common::node::Draft;
use crate::common::suite::{refused_in, FINAL};
use crate::common::{Answer, Client, Suite, OPEN};

/// Two answers settled, one more acknowledged.
fn scene() -> (Suite, Client, Draft) {
    let mut suite = Suite::new();
    let user = suite.user(0);
    let mut client = suite.open(&user, 1, &[(1, 90_000)]);
    for tokens in [50, 60, 70] {
        suite.answer(&mut client, 1, &Answer::plain(tokens, tokens));
    }
    suite.settle(1, OPEN);
    suite.answer(&mut client, 1, &Answer::plain(80, 80));
    let draft = suite.draft(1, OPEN, &[]).unwrap();
    (suite, client, draft)
}

/// The draft with another log, which the client (in league with the node) has signed.
fn forked(client: &Client, draft: &Draft, leaves: &[SumNode], consistency: &[SumNode]) -> Draft {
    let mut log = Frontier::new();
    for leaf in leaves {
        log.push(*leaf).unwrap();
    }
    let mut forked = draft.clone();
    let settlement = &mut forked.settlements[0];
    let mut voucher = settlement.voucher.voucher.clone();
    voucher.acknowledged = SumRoot::new(log.root().unwrap(), log.size());
    voucher.sequence = log.size();
    voucher.cumulative_max = Uint128::new(90_000);
    settlement.voucher = client.sign(voucher);
    settlement.acknowledged_peaks = log.peaks().to_vec().into();
    settlement.consistency = consistency.to_vec().into();
    forked
}

#[test]
fn rule_s2_a_log_that_grew_is_settled_again() {
    let (mut suite, _, draft) = scene();
    suite.post_draft(&draft).unwrap();
    let node = &suite.session(1).nodes[0];
    assert_eq!((node.settled.u128(), node.log.count), (2_600, 4));
    suite.assert_conserved();
}

#[test]
fn rule_s2_a_forked_log_is_refused() {
    let (mut suite, client, draft) = scene();
    let leaves: Vec<SumNode> =
        suite.nodes[&1].sessions[&1].log.iter().map(|(_, r)| r.receipt.leaf()).collect();
    let other = |n: u8, fee| SumNode::leaf(&[n], fee);
    let mut logs: Vec<Vec<SumNode>> = Vec::with_capacity(8);
    // A settled receipt replaced, dropped, swapped, or made dearer.
    logs.push(vec![other(1, 500), leaves[1], leaves[2], leaves[3]]);
    logs.push(vec![leaves[0], leaves[1], other(1, 9_000), leaves[3]]);
    logs.push(vec![leaves[1], leaves[0], leaves[2], leaves[3]]);
    logs.push(vec![leaves[0], leaves[1], leaves[3], other(2, 2_000)]);
    // As long as the settled one, or shorter, but worth more.
    logs.push(vec![leaves[0], leaves[1], other(1, 9_000)]);
    logs.push(vec![leaves[0], other(1, 9_000)]);
    logs.push(vec![other(1, 9_000)]);
    for log in &logs {
        let tree = Tree::new(log.clone()).unwrap();
        let proofs = [
            tree.prove_consistency(3).unwrap_or_default(),
            Tree::new(leaves.clone()).unwrap().prove_consistency(3).unwrap(),
            Vec::new(),
        ];
        for proof in proofs {
            let bad = forked(&client, &draft, log, &proof);
            refused_in(1, suite.post_draft(&bad), ContractError::NotAnExtension {});
        }
    }
    suite.post_draft(&draft).unwrap();
    suite.assert_conserved();
}

#[test]
fn rule_s2_a_consistency_proof_that_is_changed_is_refused() {
    let (mut suite, _, draft) = scene();
    let proof = draft.settlements[0].consistency.clone();
    assert!(!proof.is_empty());
    let twice = [proof.to_vec(), proof[..1].to_vec()].concat();
    let mut bad_proofs = vec![SumPath::default(), twice.into()];
    for i in 0..proof.len() {
        let mut sum = proof.clone();
        sum[i].sum += 1;
        let mut missing = proof.clone();
        missing.remove(i);
        bad_proofs.extend([sum, missing]);
    }
    for consistency in bad_proofs {
        let mut bad = draft.clone();
        bad.settlements[0].consistency = consistency;
        refused_in(1, suite.post_draft(&bad), ContractError::NotAnExtension {});
    }
    suite.post_draft(&draft).unwrap();
}

#[test]
fn receipts_under_the_least_fee_are_refused_even_when_acknowledged() {
    let mut suite = Suite::new();
    let user = suite.user(0);
    let mut client = suite.open(&user, 1, &[(1, 90_000)]);
    suite.answer(&mut client, 1, &Answer::plain(10, 10));
    let draft = suite.draft(1, OPEN, &[]).unwrap();
    // Payer and node agree on receipts of one unit to fill blocks.
    let cheap: Vec<SumNode> = (0..200u8).map(|n| SumNode::leaf(&[n], 1)).collect();
    let bad = forked(&client, &draft, &cheap, &[]);
    let refusal = ContractError::FeesTooSmall { receipts: 200, least: Uint128::new(20_000) };
    refused_in(1, suite.post_draft(&bad), refusal);
}

#[test]
fn rule_s1_sequence_and_maximum_run_per_session_and_node() {
    let mut suite = Suite::new();
    let user = suite.user(0);
    let mut client = suite.open(&user, 1, &[(1, 30_000), (2, 30_000)]);
    for (node, tokens) in [(1, 10), (2, 20), (1, 30), (2, 40), (2, 50)] {
        suite.answer(&mut client, node, &Answer::plain(tokens, tokens));
    }
    suite.post(1, OPEN);
    suite.post(2, OPEN);
    let session = suite.session(1);
    assert_eq!((session.nodes[0].log.count, session.nodes[1].log.count), (2, 3));
    assert_eq!((session.nodes[0].settled.u128(), session.nodes[1].settled.u128()), (400, 1_100));
    suite.advance(FINAL);
    suite.finalize(1).unwrap();
    suite.finalize(2).unwrap();
    suite.assert_conserved();
}
