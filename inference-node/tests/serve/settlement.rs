//! Epochs against a chain that checks them by the escrow's rules.

use openledger_node::ledger::{claims, parse_ledger, parse_receipts};
use openledger_types::api::SettleResponse;
use openledger_types::formats::{Account, BlobRef, SumRoot};
use openledger_types::merkle::verify_inclusion;

use crate::support::*;

async fn blob(world: &World, blob: &BlobRef) -> Vec<u8> {
    world.get(&format!("/v1/blobs/{}", blob.root.to_hex())).await.bytes().await.unwrap().to_vec()
}

async fn settle(world: &World, session: u64) -> SettleResponse {
    let response = world.send(&format!("/v1/sessions/{session}/settle"), "", None).await;
    assert_eq!(response.status(), 200);
    response.json().await.unwrap()
}

/// Lets what waits become final, and what becomes due thereby.
async fn finish(world: &World) {
    for _ in 0..4 {
        world.chain.state().height += 8;
        world.node.settle_round().await.unwrap();
        if world.chain.state().waiting.is_none() {
            return;
        }
    }
    panic!("a root waits for ever");
}

#[tokio::test]
async fn rule_l2_epochs_are_accepted_and_every_leaf_can_be_claimed() {
    let home = tempfile::tempdir().unwrap();
    let chain = new_chain();
    let world = World::start(home.path(), chain.clone(), Rote::default()).await;
    let mut users: Vec<User> = (7..10).map(|id| User::open(&chain, id)).collect();
    let mut fees = 0;
    for epoch in 1..=3u64 {
        for (i, user) in users.iter_mut().enumerate() {
            for n in 0..=i {
                // One acknowledges at once, one seldom, one only when it must.
                let open = user.sequence - world.session(user.session_id).await.acknowledged;
                user.acknowledges = i == 0 || open >= 4 || (i == 1 && epoch == 2);
                fees += world.ask(user, &"x ".repeat(n + 1)).await.receipt.receipt.fee.u128();
            }
        }
        // Asked for by one; the others are due by their age.
        chain.state().height += 60;
        let done = settle(&world, 7).await;
        assert!(done.posted, "{}", done.note);
        assert_eq!(done.tx, done.epoch.map(|number| format!("TX{number}")));
        // One root at a time.
        fees += world.ask(&mut users[0], "later").await.receipt.receipt.fee.u128();
        let later = settle(&world, 7).await;
        assert!(!later.posted && later.note.contains("final from height"), "{}", later.note);
        finish(&world).await;
    }
    let ledger = chain.state().ledger.clone().unwrap();
    let leaves = ledger.leaves_blob.clone().unwrap();
    let parsed = parse_ledger(&blob(&world, &leaves).await, &leaves, &ledger.ledger).unwrap();
    let accounts: Vec<Account> = parsed.leaves.iter().map(|e| e.leaf.account.clone()).collect();
    let items = claims(NODE, DENOM, &parsed, &accounts).unwrap();
    let mut sum = 0;
    for item in &items {
        let path = &item.path;
        let root = ledger.ledger.node().unwrap();
        assert!(verify_inclusion(&item.leaf.leaf(), item.index, ledger.ledger.count, path, &root));
        sum += item.leaf.cumulative.u128();
    }
    assert_eq!(sum, ledger.ledger.sum.u128());
    assert_eq!(ledger.funded.u128(), sum);
    let settled: u128 = chain.state().sessions.values().map(|s| s.nodes[0].settled.u128()).sum();
    assert_eq!(settled, fees);
    // The receipts are public too.
    let epochs: Vec<_> = chain.state().epochs.values().cloned().collect();
    for epoch in epochs {
        let bytes = blob(&world, &epoch.commit.receipts_blob).await;
        let receipts = parse_receipts(&bytes, &epoch.commit.receipts_blob, &epoch.commit.receipts).unwrap();
        assert_eq!(receipts.len() as u64, epoch.commit.receipts.count);
    }
}

#[tokio::test]
async fn an_epoch_of_unknown_fate_is_resolved_before_another_is_posted() {
    let home = tempfile::tempdir().unwrap();
    let chain = new_chain();
    let world = World::start(home.path(), chain.clone(), Rote::default()).await;
    let mut user = User::open(&chain, 7);
    world.ask(&mut user, "a").await;
    // It never arrives: the same epoch is posted again, although there is more to settle by now.
    chain.state().mishaps = vec![Mishap::Lost];
    assert!(!settle(&world, 7).await.posted);
    let prepared = world.node.journal.current_epoch().unwrap().unwrap();
    world.ask(&mut user, "b").await;
    world.kill().await;
    let world = World::start(home.path(), chain.clone(), Rote::default()).await;
    world.node.settle_round().await.unwrap();
    assert_eq!(chain.state().epochs[&1].commit, prepared.commit);
    finish(&world).await;
    // It takes effect unseen, and the node is killed.
    chain.state().mishaps = vec![Mishap::Silent];
    assert!(!settle(&world, 7).await.posted);
    world.kill().await;
    let world = World::start(home.path(), chain.clone(), Rote::default()).await;
    world.ask(&mut user, "c").await;
    finish(&world).await;
    assert!(world.node.journal.current_epoch().unwrap().is_none());
    let done = settle(&world, 7).await;
    assert_eq!((done.posted, done.epoch), (true, Some(3)), "{}", done.note);
    finish(&world).await;
    let log = world.session(7).await.log;
    assert_eq!(chain.state().sessions[&7].nodes[0].log, log);
    // Nothing left.
    assert!(!settle(&world, 7).await.posted);
}

#[tokio::test]
async fn a_session_that_cannot_be_settled_does_not_hold_up_the_others() {
    let home = tempfile::tempdir().unwrap();
    let chain = new_chain();
    let world = World::start(home.path(), chain.clone(), Rote::default()).await;
    let (mut ann, mut bob) = (User::open(&chain, 7), User::open(&chain, 8));
    world.ask(&mut ann, "a").await;
    world.ask(&mut bob, "b").await;
    // The chain says that more of session 7 was settled than the journal knows.
    let strange =
        SumRoot { hash: cosmwasm_std::HexBinary::from([5u8; 32].as_slice()), sum: 1u128.into(), count: 1 };
    world.ask(&mut ann, "aa").await;
    chain.state().sessions.get_mut(&7).unwrap().nodes[0].log = strange;
    chain.state().height += 60;
    world.node.settle_round().await.unwrap();
    assert_eq!(chain.state().sessions[&8].nodes[0].log.count, 1);
    finish(&world).await;
    // A session whose key the chain knows otherwise is refused there, named, and set aside.
    let mut eve = User::open(&chain, 9);
    world.ask(&mut eve, "e").await;
    world.ask(&mut bob, "bb").await;
    chain.state().sessions.get_mut(&9).unwrap().session_key =
        cosmwasm_std::HexBinary::from(node_key().public_key().as_slice());
    chain.state().height += 60;
    let said = world.node.settle_round().await.unwrap();
    assert!(said.contains("session 9"), "{said}");
    world.node.settle_round().await.unwrap();
    assert_eq!(chain.state().sessions[&8].nodes[0].log.count, 2);
}

#[tokio::test]
async fn rule_s3_a_closing_session_is_settled_in_its_grace() {
    let home = tempfile::tempdir().unwrap();
    let chain = new_chain();
    let world = World::start(home.path(), chain.clone(), Rote::default()).await;
    let mut user = User::open(&chain, 7);
    world.ask(&mut user, "a").await;
    assert_eq!(world.node.settle_round().await.unwrap(), "nothing is due");
    {
        let mut state = chain.state();
        state.height += 2;
        let height = state.height;
        state.sessions.get_mut(&7).unwrap().close_requested_at = Some(height);
    }
    assert_eq!(world.node.settle_round().await.unwrap(), "posted epoch 1");
}

#[tokio::test]
async fn rule_l7_a_void_root_is_replaced_from_the_last_final_one() {
    let home = tempfile::tempdir().unwrap();
    let chain = new_chain();
    let world = World::start(home.path(), chain.clone(), Rote::default()).await;
    let mut user = User::open(&chain, 7);
    let mut bundles = Vec::new();
    for prompt in ["a", "b b", "c c c"] {
        bundles.push(world.ask(&mut user, prompt).await);
    }
    assert!(settle(&world, 7).await.posted);
    // A chunk was not shown in time: everything is posted again, under the next number.
    let first = chain.state().epochs[&1].commit.clone();
    chain.void(&[]);
    assert_eq!(world.node.settle_round().await.unwrap(), "posted epoch 2");
    let second = chain.state().epochs[&2].commit.clone();
    assert_eq!(second, openledger_types::formats::EpochCommit { epoch: 2, ..first });
    // Then a verdict takes one receipt out; the rest is built anew, after a restart too.
    chain.void(&[&bundles[1].receipt]);
    world.kill().await;
    let world = World::start(home.path(), chain.clone(), Rote::default()).await;
    assert_eq!(world.node.settle_round().await.unwrap(), "posted epoch 3");
    let third = chain.state().epochs[&3].clone();
    let bytes = blob(&world, &third.commit.receipts_blob).await;
    let left = parse_receipts(&bytes, &third.commit.receipts_blob, &third.commit.receipts).unwrap();
    assert_eq!(left.len(), 2);
    assert!(left.iter().all(|r| r.receipt.digest() != bundles[1].receipt.receipt.digest()));
    let bytes = blob(&world, &third.commit.leaves_blob).await;
    parse_ledger(&bytes, &third.commit.leaves_blob, &third.commit.ledger).unwrap();
    finish(&world).await;
    assert_eq!(chain.state().epochs[&3].status, openledger_types::msg::escrow::RootStatus::Final);
    world.ask(&mut user, "d").await;
    assert_eq!(settle(&world, 7).await.epoch, Some(4));
}

#[tokio::test]
async fn a_session_is_answered_with_the_key_that_it_pinned() {
    let home = tempfile::tempdir().unwrap();
    let chain = new_chain();
    let world = World::start(home.path(), chain.clone(), Rote::default()).await;
    let (mut before, mut after) = (User::open(&chain, 7), User::open(&chain, 8));
    world.ask(&mut before, "a").await;
    // A rotation while the node runs: a key file, and sessions that pin the new key.
    let new = openledger_client::Key::from_bytes(&[43; 32]).unwrap();
    let pinned = cosmwasm_std::HexBinary::from(new.public_key().as_slice());
    chain.state().sessions.get_mut(&8).unwrap().nodes[0].node_key = pinned;
    let (body, payment) = after.request("b", 2);
    let refused = world.send("/v1/completions", &body, Some(&payment)).await;
    assert_eq!(code(refused).await, (400, "E-PAY-005".into()));
    std::fs::create_dir(home.path().join("signing")).unwrap();
    openledger_client::keyfile::save(&new, &home.path().join("signing/next.key"), None).unwrap();
    assert_eq!(world.send("/v1/completions", &body, Some(&payment)).await.status(), 200);
    let signed = world.session(8).await.receipts[0].clone();
    let (digest, signature) = (signed.receipt.digest(), &signed.signature);
    assert!(openledger_client::verify_digest(&new.public_key(), &digest, signature));
    let old = world.ask(&mut before, "c").await.receipt;
    let key = node_key().public_key();
    assert!(openledger_client::verify_digest(&key, &old.receipt.digest(), &old.signature));
    chain.state().height += 60;
    assert!(settle(&world, 8).await.posted);
}
