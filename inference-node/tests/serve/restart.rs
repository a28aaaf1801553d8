//! Kills at any moment: nothing that was taken or signed is lost, nothing is signed twice.

use std::time::Duration;

use openledger_node::journal::Journal;
use openledger_types::formats::Outcome;

use crate::support::*;

#[tokio::test]
async fn what_was_taken_before_a_kill_is_answered_after_it() {
    let home = tempfile::tempdir().unwrap();
    let chain = new_chain();
    // It writes for a second and is killed in the middle: the task is dropped with its runtime.
    let mut user = User::open(&chain, 7);
    let (body, payment) = user.request("a b", 5);
    {
        let (home, chain) = (home.path().to_path_buf(), chain.clone());
        let (body, payment) = (body.clone(), payment.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async {
                let rote = Rote { pause: Duration::from_millis(200), ..Rote::default() };
                let world = World::start(&home, chain, rote).await;
                let asked = world.send("/v1/completions", &body, Some(&payment));
                assert!(tokio::time::timeout(Duration::from_millis(400), asked).await.is_err());
                assert_eq!(world.session(7).await.taken, 1);
                // What the task would still write after the kill must not reach the disk.
                world.node.workers.close();
            });
            runtime.shutdown_timeout(Duration::from_secs(5));
        })
        .join()
        .unwrap();
    }
    chain.state().height += 20;
    let world = World::start(home.path(), chain.clone(), Rote::default()).await;
    world.node.resume().await.unwrap();
    let response = world.send("/v1/completions", &body, Some(&payment)).await;
    assert_eq!(response.status(), 200);
    let state = world.session(7).await;
    let receipt = &state.receipts[0].receipt;
    // The height at which it was taken, not at which it was answered.
    assert_eq!((state.taken, receipt.height, receipt.outcome), (1, 100, Outcome::Length));
    user.take(&world.node.journal.answer(7, 1).unwrap().unwrap());
    world.ask(&mut user, "next").await;
}

#[tokio::test]
async fn receipts_and_acknowledgements_survive() {
    let home = tempfile::tempdir().unwrap();
    let chain = new_chain();
    let mut user = User::open(&chain, 7);
    let world = World::start(home.path(), chain.clone(), Rote::default()).await;
    let first = world.ask(&mut user, "one").await;
    world.ask(&mut user, "two").await;
    let before = world.session(7).await;
    world.kill().await;
    let world = World::start(home.path(), chain.clone(), Rote::default()).await;
    assert_eq!(world.session(7).await, before);
    let kept = world.node.journal.answer(7, 1).unwrap().unwrap();
    assert_eq!(kept, first);
    // A second answer to the same request is never signed into the journal.
    let mut other = first.clone();
    other.answer = "something else".into();
    other.receipt.receipt.answer_len = 14;
    assert_eq!(world.node.journal.finish(&other).unwrap(), first);
    world.ask(&mut user, "three").await;
    world.kill().await;
    // The file belongs to this node on this chain.
    for (chain_id, escrow, node) in
        [("other-1", ESCROW, NODE), (CHAIN, "openledger1x", NODE), (CHAIN, ESCROW, 4)]
    {
        let error = Journal::open(&home.path().join("journal"), chain_id, escrow, node).err().unwrap();
        assert_eq!(error.code, "E-NODE-043");
    }
    let open = Journal::open(&home.path().join("journal"), CHAIN, ESCROW, NODE).unwrap();
    let error = Journal::open(&home.path().join("journal"), CHAIN, ESCROW, NODE).err().unwrap();
    assert_eq!(error.code, "E-NODE-042");
    assert_eq!(open.session(7).unwrap().unwrap().taken, 3);
}
