//! The job from data to payout over all contracts, to the last unit.

use openledger_testing::{Answer, Client, Document, Key, NodeModel, Result, World};
use openledger_types::formats::Account;
use openledger_types::signature::is_canonical;

/// A world with three contributors' data, a model on it, a node and a session.
fn job() -> Result<(World, Vec<u64>, NodeModel, Client)> {
    let mut world = World::new();
    let owner = world.account("owner");
    let datanet = world.create_datanet(&owner)?;
    let mut given = vec![];
    for (number, name) in ["alice", "bob", "carol"].into_iter().enumerate() {
        let contributor = world.account(name);
        given.extend(world.contribute(&contributor, datanet, Document::generate(number as u64, 2))?);
    }
    let version = world.seal(&owner, datanet)?;
    let model = world.register_model("developer", &[(datanet, version.version)])?;
    let node = NodeModel::register(&mut world, "node")?;
    let user = world.account("user");
    let client = world.open_session(&user, model, &[(node.node_id, 1_000_000)])?;
    Ok((world, given, node, client))
}

/// Asks `count` questions and acknowledges all answers but the last `open`.
fn talk(
    world: &World,
    node: &mut NodeModel,
    client: &mut Client,
    given: &[u64],
    (count, open): (usize, usize),
) {
    for number in 0..count {
        let voucher = client.ask(node.node_id, &format!("question {number}?"), 20_000);
        // Odd shares, so that rounding leaves dust.
        let shares = [(given[number % given.len()], 3_333), (given[(number + 2) % given.len()], 1_667)];
        let mut answer = Answer::citing(&shares);
        answer.tokens_out = 100 + number as u32;
        let receipt = node.answer(world, &voucher, answer);
        if number + open < count {
            client.acknowledge(&receipt);
        }
    }
    node.receive(&client.acknowledgement(node.node_id));
}

#[test]
fn rule_a2_every_unit_of_a_session_is_accounted_for() {
    let (mut world, given, mut node, mut client) = job().unwrap();
    let user = client.owner.clone();
    let mut paid = 0;
    for (count, open) in [(5, 0), (4, 3)] {
        talk(&world, &mut node, &mut client, &given, (count, open));
        let posting = node.post_epoch(&mut world, &[client.session_id]).unwrap();
        world.assert_invariants();
        world.finalize(node.node_id).unwrap();
        world.claim(&user, posting.grown_claims()).unwrap();
        world.assert_invariants();
        paid += posting.receipts.receipts.iter().map(|r| r.receipt.fee.u128()).sum::<u128>();
    }
    let mut payouts = 0;
    for name in ["alice", "bob", "carol"] {
        let contributor = world.account(name);
        let before = world.balance(&contributor);
        world.withdraw(&contributor).unwrap();
        payouts += world.balance(&contributor) - before;
    }
    let ledger = world.ledger(node.node_id).unwrap();
    assert_eq!(ledger.funded, ledger.claimed);
    let session = world.session(client.session_id).unwrap();
    let parts = [session.protocol, session.developer_part, session.node_part, session.data_part];
    assert_eq!(parts.iter().map(|part| part.u128()).sum::<u128>(), paid);
    assert_eq!(session.data_part, ledger.funded);

    let commons: u128 = node
        .epoch(&world, &[])
        .ledger
        .leaves
        .iter()
        .filter(|entry| !matches!(entry.leaf.account, Account::Contributor(_)))
        .map(|entry| entry.leaf.cumulative.u128())
        .sum();
    assert_eq!(payouts + commons, session.data_part.u128());

    world.request_close(&user, client.session_id).unwrap();
    world.advance(world.profile.escrow.grace_blocks);
    world.refund(&user, client.session_id).unwrap();
    assert_eq!(world.withdrawable(&user).unwrap(), session.deposit.u128() - paid);
    world.assert_invariants();
}

#[test]
fn several_sessions_settle_in_one_epoch() {
    let (mut world, given, mut node, mut first) = job().unwrap();
    let other = world.account("other");
    world.advance(1);
    let mut second = world.open_session(&other, (1, 1), &[(node.node_id, 500_000)]).unwrap();
    talk(&world, &mut node, &mut first, &given, (3, 1));
    talk(&world, &mut node, &mut second, &given, (2, 2));
    let posting = node.post_epoch(&mut world, &[second.session_id, first.session_id]).unwrap();
    assert_eq!((posting.commit.receipts.count, posting.settlements.len()), (5, 2));
    world.finalize(node.node_id).unwrap();
    world.claim(&other, posting.claims()).unwrap();
    world.assert_invariants();
}

#[test]
fn the_node_model_orders_leaves_and_details() {
    let (world, given, mut node, mut client) = job().unwrap();
    talk(&world, &mut node, &mut client, &given, (4, 0));
    let posting = node.epoch(&world, &[client.session_id]);
    let leaves = &posting.ledger.leaves;
    assert!(leaves.windows(2).all(|pair| pair[0].leaf.account < pair[1].leaf.account));
    for entry in leaves {
        let order = |d: &openledger_types::formats::Detail| (d.receipt_id.to_vec(), d.contribution_id);
        assert!(entry.details.windows(2).all(|pair| order(&pair[0]) < order(&pair[1])));
        let sum: u128 = entry.details.iter().map(|detail| detail.amount.u128()).sum();
        assert_eq!((entry.leaf.detail.sum.u128(), entry.leaf.cumulative.u128()), (sum, sum));
    }
}

#[test]
fn signatures_are_real() {
    let (key, digest) = (Key::named("anyone"), [7u8; 32]);
    let signature = key.sign(&digest);
    assert!(is_canonical(&signature));
    let api = cosmwasm_std::testing::MockApi::default();
    let verify = |digest: &[u8], key: &Key| {
        use cosmwasm_std::Api;
        api.secp256k1_verify(digest, &signature, &key.public()).unwrap()
    };
    assert!(verify(&digest, &key));
    assert!(!verify(&[8u8; 32], &key));
    assert!(!verify(&digest, &Key::named("another")));
}

#[test]
fn generated_documents_differ_and_repeat_by_seed() {
    let texts: std::collections::BTreeSet<String> =
        (0..8).flat_map(|seed| Document::generate(seed, 64)).map(|document| document.text).collect();
    assert_eq!(texts.len(), 8 * 64);
    assert_eq!(Document::generate(3, 5), Document::generate(3, 5));
}

#[test]
fn transactions_of_a_block_are_numbered() {
    let mut world = World::new();
    let alice = world.account("alice");
    let datanet = world.create_datanet(&alice).unwrap();
    world.advance(1);
    for expected in 0..3 {
        let batch = openledger_testing::Batch::new(&alice, Document::generate(expected, 1));
        let commit = world.commit(&alice, datanet, &batch).unwrap();
        assert_eq!(u64::from(world.commit_of(commit).unwrap().priority.tx_index), expected);
    }
}
