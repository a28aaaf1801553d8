//! The program is replaced while sessions are open.

use std::path::Path;
use std::time::Duration;

use openledger_node::journal::{EpochRow, Journal};
use openledger_types::formats::Outcome;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use serde_json::{json, Value};

use crate::support::*;

const META: TableDefinition<&str, &str> = TableDefinition::new("meta");
const EPOCHS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("epochs");
const ANSWERS: TableDefinition<(u64, u64), &[u8]> = TableDefinition::new("answers");

#[tokio::test]
async fn a_node_that_is_replaced_finishes_what_it_began_and_its_successor_goes_on() {
    let home = tempfile::tempdir().unwrap();
    let chain = new_chain();
    let mut user = User::open(&chain, 7);
    let rote = Rote { pause: Duration::from_millis(100), ..Rote::default() };
    let (world, stop) = World::serve(home.path(), chain.clone(), rote).await;
    world.ask(&mut user, "one").await;

    // An answer is under way when the node is told to stop.
    let (body, payment) = user.request("two", 5);
    let asked = world.send("/v1/completions", &body, Some(&payment));
    let told = async {
        while world.node.journal.session(7).unwrap().unwrap().taken < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stop.send(()).unwrap();
        while !world.node.draining() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(world.node.journal.answer(7, 2).unwrap().is_none(), "it was complete before");
    };
    let (answered, ()) = tokio::join!(asked, told);
    assert_eq!(answered.status(), 200, "what was begun is finished");
    let json: Value = answered.json().await.unwrap();
    let bundle: openledger_types::api::AnswerBundle =
        serde_json::from_value(json["openledger"].clone()).unwrap();
    assert_eq!((bundle.receipt.receipt.outcome, bundle.receipt.receipt.tokens_out), (Outcome::Length, 5));
    user.take(&bundle);
    world.gone().await;

    // The successor on the same home: the same session, the same log, one settlement for all of it.
    let world = World::start(home.path(), chain.clone(), Rote::default()).await;
    assert_eq!(world.session(7).await.log, user.acknowledged());
    world.ask(&mut user, "three").await;
    let state = world.session(7).await;
    let fees: u128 = state.receipts.iter().map(|signed| signed.receipt.fee.u128()).sum();
    settle(&world).await;
    let settled = chain.state().sessions[&7].nodes[0].settled.u128();
    assert_eq!((state.receipts.len(), settled), (3, fees), "each answer is paid once");
    settle(&world).await;
    assert_eq!(chain.state().sessions[&7].nodes[0].settled.u128(), fees);
}

async fn settle(world: &World) {
    world.http.post(format!("{}/v1/sessions/7/settle", world.url)).send().await.unwrap();
}

/// Rewrites a journal as release 0.1 wrote it: no tables that came later, settlements' paths as lists of
/// JSON, answers without influence signatures.
fn as_release_0_1(path: &Path) {
    let db = Database::open(path).unwrap();
    let txn = db.begin_write().unwrap();
    for table in ["audits", "open_audits"] {
        let gone = txn.delete_table(TableDefinition::<&[u8], &[u8]>::new(table));
        // Another type of value, another definition.
        let gone = gone.or_else(|_| txn.delete_table(TableDefinition::<&[u8], ()>::new(table)));
        assert!(gone.unwrap(), "{table}");
    }
    assert!(txn.delete_table(TableDefinition::<u64, &[u8]>::new("seeds")).unwrap());
    {
        let mut epochs = txn.open_table(EPOCHS).unwrap();
        let rows: Vec<(Vec<u8>, Vec<u8>)> = epochs
            .iter()
            .unwrap()
            .map(|row| row.map(|(key, value)| (key.value().to_vec(), value.value().to_vec())).unwrap())
            .collect();
        assert!(!rows.is_empty(), "no epoch was written");
        for (key, bytes) in rows {
            let row: EpochRow = serde_json::from_slice(&bytes).unwrap();
            let mut old: Value = serde_json::from_slice(&bytes).unwrap();
            for (written, settlement) in
                old["settlements"].as_array_mut().unwrap().iter_mut().zip(&row.settlements)
            {
                let steps = |path: &openledger_types::packed::SumPath| -> Value {
                    path.iter()
                        .map(|node| json!({"hash": hex::encode(node.hash), "sum": node.sum.to_string()}))
                        .collect()
                };
                written["acknowledged_peaks"] = steps(&settlement.acknowledged_peaks);
                written["consistency"] = steps(&settlement.consistency);
            }
            epochs.insert(key.as_slice(), serde_json::to_vec(&old).unwrap().as_slice()).unwrap();
        }
        let mut answers = txn.open_table(ANSWERS).unwrap();
        let rows: Vec<((u64, u64), Vec<u8>)> = answers
            .iter()
            .unwrap()
            .map(|row| row.map(|(key, value)| (key.value(), value.value().to_vec())).unwrap())
            .collect();
        for (key, bytes) in rows {
            let mut old: Value = serde_json::from_slice(&bytes).unwrap();
            assert!(old.as_object_mut().unwrap().remove("signature").is_some());
            answers.insert(key, serde_json::to_vec(&old).unwrap().as_slice()).unwrap();
        }
    }
    txn.commit().unwrap();
}

#[tokio::test]
async fn finding_p11_a_journal_of_release_0_1_is_read_and_its_sessions_go_on() {
    let home = tempfile::tempdir().unwrap();
    let chain = new_chain();
    let world = World::start(home.path(), chain.clone(), Rote::default()).await;
    let mut user = User::open(&chain, 7);
    for prompt in ["one", "two", "three"] {
        world.ask(&mut user, prompt).await;
    }
    settle(&world).await;
    world.ask(&mut user, "four").await;
    let (before, epoch) = (world.session(7).await, world.node.journal.covering(7).unwrap().unwrap());
    assert!(!epoch.settlements[0].acknowledged_peaks.is_empty());
    world.kill().await;
    as_release_0_1(&home.path().join("journal"));

    let world = World::start(home.path(), chain.clone(), Rote::default()).await;
    assert_eq!(world.session(7).await, before);
    assert_eq!(world.node.journal.covering(7).unwrap().unwrap(), epoch);
    world.ask(&mut user, "five").await;
    world.kill().await;
    let world = World::start(home.path(), chain, Rote::default()).await;
    assert_eq!(world.session(7).await.receipts.len(), 5);
}

#[tokio::test]
async fn finding_p11_a_journal_of_a_newer_release_is_left_as_it_is() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("journal");
    drop(Journal::open(&path, CHAIN, ESCROW, NODE).unwrap());
    let newer = format!("2 {CHAIN} {ESCROW} {NODE}");
    {
        let db = Database::open(&path).unwrap();
        let txn = db.begin_write().unwrap();
        txn.open_table(META).unwrap().insert("owner", newer.as_str()).unwrap();
        txn.commit().unwrap();
    }
    let refused = Journal::open(&path, CHAIN, ESCROW, NODE).err().unwrap();
    assert_eq!((refused.code, refused.retry), ("E-NODE-045", false), "{refused}");
    let db = Database::open(&path).unwrap();
    let txn = db.begin_read().unwrap();
    assert_eq!(txn.open_table(META).unwrap().get("owner").unwrap().unwrap().value(), newer);
}
