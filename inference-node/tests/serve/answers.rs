//! Answers whole and as streams, the queue, clients that leave, the other paths.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::StreamExt;
use openledger_types::api::{AnswerBundle, NodeInfo, ReplayResponse};
use openledger_types::formats::{seed, Outcome, SignedReceipt};
use serde_json::Value;

use crate::support::*;

/// The data lines of a stream.
fn events(text: &str) -> Vec<String> {
    text.lines().filter_map(|line| line.strip_prefix("data: ")).map(str::to_string).collect()
}

fn check(signed: &SignedReceipt) {
    signed.receipt.validate().unwrap();
    let key = node_key().public_key();
    assert!(openledger_client::verify_digest(&key, &signed.receipt.digest(), &signed.signature));
}

#[tokio::test]
async fn rule_s2_the_receipt_says_everything_of_the_answer() {
    let home = tempfile::tempdir().unwrap();
    let chain = new_chain();
    let world = World::start(home.path(), chain.clone(), Rote::default()).await;
    let mut user = User::open(&chain, 7);
    let bundle = world.ask(&mut user, "one two three").await;
    check(&bundle.receipt);
    let receipt = &bundle.receipt.receipt;
    assert_eq!(bundle.answer, "w0 w1 w2 w3 w4 ");
    assert_eq!((receipt.tokens_in, receipt.tokens_out, receipt.fee.u128()), (4, 5, 4 * 10 + 5 * 37));
    assert_eq!((receipt.height, receipt.outcome), (100, Outcome::Length));
    let request: [u8; 32] = receipt.request_hash.as_slice().try_into().unwrap();
    assert_eq!(receipt.seed.as_slice(), seed(&request, 7, NODE, 1));
    assert_eq!(receipt.datanets, model_info().datanets);

    let id = hex::encode(receipt.digest());
    let stored: AnswerBundle = world.get(&format!("/v1/receipts/{id}")).await.json().await.unwrap();
    assert_eq!(stored, bundle);
    assert_eq!(world.get(&format!("/v1/receipts/{}", "00".repeat(32))).await.status(), 404);
    assert_eq!(world.get("/v1/receipts/xyz").await.status(), 400);
    let state = world.session(7).await;
    assert_eq!(state.receipts, [bundle.receipt]);
    assert_eq!(state.log, user.acknowledged());
    assert_eq!(world.get("/v1/sessions/99").await.status(), 404);
    assert!(world.get("/v1/sessions/7?from=2").await.text().await.unwrap().contains("\"receipts\":[]"));
}

#[tokio::test]
async fn anyone_may_have_an_answer_replayed_one_at_a_time() {
    let home = tempfile::tempdir().unwrap();
    let chain = new_chain();
    let world = World::start(home.path(), chain.clone(), Rote::default()).await;
    let mut user = User::open(&chain, 7);
    let bundle = world.ask(&mut user, "one two three").await;
    let url = format!("{}/v1/replay", world.url);
    let replay = |bundle: &AnswerBundle| world.http.post(&url).json(bundle).send();
    let said: ReplayResponse = replay(&bundle).await.unwrap().json().await.unwrap();
    assert_eq!(said, ReplayResponse { holds: true, failures: Vec::new() });

    let mut wrong = bundle.clone();
    wrong.receipt.receipt.no_evidence += 1;
    let said: ReplayResponse = replay(&wrong).await.unwrap().json().await.unwrap();
    assert!(!said.holds && said.failures.len() == 1);

    wrong.receipt.receipt.model_version = 99;
    assert!(!replay(&wrong).await.unwrap().status().is_success());
    let turn = world.node.replays.acquire().await.unwrap();
    assert_eq!(code(replay(&bundle).await.unwrap()).await, (429, "E-NODE-026".into()));
    drop(turn);
    assert_eq!(replay(&bundle).await.unwrap().status(), 200);
    assert_eq!(world.http.post(&url).body("{").send().await.unwrap().status().as_u16() / 100, 4);
}

#[tokio::test]
async fn rule_d4_a_withdrawn_contribution_is_not_cited_after_the_grace() {
    let home = tempfile::tempdir().unwrap();
    let chain = new_chain();
    let world = World::start(home.path(), chain.clone(), Rote::default()).await;
    let mut user = User::open(&chain, 7);
    let cited = |bundle: &AnswerBundle| -> Vec<u64> {
        bundle.receipt.receipt.shares.iter().map(|share| share.contribution_id).collect()
    };
    let withdraw = |id: u64, height: u64| {
        chain.state().contributions.get_mut(&id).unwrap().withdrawn_at = Some(height);
    };
    // At height 100 the grace of 50 blocks of one is over, that of the other is not.
    withdraw(11, 49);
    withdraw(12, 50);
    let bundle = world.ask(&mut user, "one").await;
    assert_eq!(cited(&bundle), [12, 13]);
    check(&bundle.receipt);
    user.take(&bundle);
    // What never allowed paid answers, and what the chain does not know, are not cited either.
    chain.state().height = 101;
    chain.state().contributions.get_mut(&13).unwrap().facts.uses.answer = false;
    chain.state().contributions.remove(&12);
    let other = tempfile::tempdir().unwrap();
    let world = World::start(other.path(), chain.clone(), Rote::default()).await;
    let mut user = User::open(&chain, 8);
    let bundle = world.ask(&mut user, "one").await;
    assert_eq!((cited(&bundle), bundle.receipt.receipt.no_evidence), (vec![], 10_000));
}

#[tokio::test]
async fn a_stream_ends_with_usage_receipt_and_done() {
    let home = tempfile::tempdir().unwrap();
    let chain = new_chain();
    let world = World::start(home.path(), chain.clone(), Rote::default()).await;
    let mut user = User::open(&chain, 7);
    user.sequence = 1;
    let body = r#"{"model":"1","messages":[{"role":"user","content":"hi"}],"max_tokens":3,"stream":true}"#;
    let (body, payment) = user.body(body);
    let response = world.send("/v1/chat/completions", &body, Some(&payment)).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let events = events(&response.text().await.unwrap());
    assert_eq!(events.last().unwrap(), "[DONE]");
    let parts: Vec<Value> = events.iter().filter_map(|e| serde_json::from_str(e).ok()).collect();
    let text: String = parts.iter().filter_map(|p| p["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(text, "w0 w1 w2 ");
    let last = &parts[parts.len() - 2];
    assert_eq!(
        (last["choices"][0]["finish_reason"].as_str(), last["usage"]["completion_tokens"].as_u64()),
        (Some("length"), Some(3))
    );
    let receipt = &parts[parts.len() - 1];
    assert_eq!(receipt["object"], "openledger.receipt");
    let bundle: AnswerBundle = serde_json::from_value(receipt["bundle"].clone()).unwrap();
    check(&bundle.receipt);
    assert_eq!(bundle.endpoint, "/v1/chat/completions");
    // The same voucher again: the same receipt, as a stream.
    let again = world.send("/v1/chat/completions", &body, Some(&payment)).await.text().await.unwrap();
    assert!(again.contains(&bundle.receipt.signature.to_hex()), "{again}");
}

#[tokio::test]
async fn a_client_that_leaves_pays_for_what_was_written() {
    let home = tempfile::tempdir().unwrap();
    let chain = new_chain();
    let rote = Rote { pause: Duration::from_millis(20), ..Rote::default() };
    let written = rote.written.clone();
    let world = World::start(home.path(), chain.clone(), rote).await;
    let mut user = User::open(&chain, 7);
    user.sequence = 1;
    let (body, payment) = user.body(r#"{"model":"1:2","prompt":"a","max_tokens":200,"stream":true}"#);
    let response = world.send("/v1/completions", &body, Some(&payment)).await;
    let mut stream = response.bytes_stream();
    stream.next().await.unwrap().unwrap();
    drop(stream);
    let mut state = world.session(7).await;
    for _ in 0..200 {
        if state.log.count == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        state = world.session(7).await;
    }
    let receipt = &state.receipts[0].receipt;
    assert_eq!(receipt.outcome, Outcome::Cancelled);
    assert!(receipt.tokens_out < 100, "{}", receipt.tokens_out);
    assert_eq!(u64::from(receipt.tokens_out), written.load(Ordering::SeqCst));
    check(&state.receipts[0]);
}

/// A client that opens a stream and never reads it: its answer is made and kept, its place is free again, and others
/// are answered meanwhile.
#[tokio::test]
async fn node_attack_a_client_that_never_reads_holds_no_place() {
    use tokio::io::AsyncWriteExt;
    let home = tempfile::tempdir().unwrap();
    let chain = new_chain();
    let settings = openledger_node::serve::Settings { batch: 1, queue: 1, ..settings() };
    let world = World::start_with(home.path(), chain.clone(), Rote::default(), settings).await;
    let mut silent = Vec::new();
    for session in 0..6 {
        let mut user = User::open(&chain, 20 + session);
        user.sequence = 1;
        let (body, payment) = user.body(r#"{"model":"1:2","prompt":"a","max_tokens":200,"stream":true}"#);
        use base64::prelude::{Engine as _, BASE64_STANDARD};
        let header = BASE64_STANDARD.encode(serde_json::to_vec(&payment).unwrap());
        let host = world.url.trim_start_matches("http://").to_string();
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(1_024).unwrap();
        let mut socket = socket.connect(host.parse().unwrap()).await.unwrap();
        let head = format!(
            "POST /v1/completions HTTP/1.1\r\nhost: {host}\r\ncontent-length: {}\r\npayment-signature: {header}\r\n\r\n",
            body.len()
        );
        socket.write_all(head.as_bytes()).await.unwrap();
        socket.write_all(body.as_bytes()).await.unwrap();
        // Open to the end of the test, and never read.
        silent.push(socket);
        let mut state = world.session(user.session_id).await;
        for _ in 0..500 {
            if state.log.count == 1 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
            state = world.session(user.session_id).await;
        }
        let receipt = &state.receipts[0].receipt;
        assert_eq!((receipt.outcome, receipt.tokens_out), (Outcome::Length, 200));
    }
    // More of them than there are places.
    let bundle = world.ask(&mut User::open(&chain, 7), "one").await;
    check(&bundle.receipt);
    assert_eq!(world.node.metrics.queue.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_full_queue_says_429_before_anything_is_paid() {
    let home = tempfile::tempdir().unwrap();
    let chain = new_chain();
    let rote = Rote { pause: Duration::from_millis(300), ..Rote::default() };
    let settings = openledger_node::serve::Settings { batch: 1, queue: 0, ..settings() };
    let world = World::start_with(home.path(), chain.clone(), rote, settings).await;
    let mut ann = User::open(&chain, 7);
    let mut bob = User::open(&chain, 8);
    let (slow, payment) = ann.request("a", 2);
    let (url, http) = (world.url.clone(), world.http.clone());
    let first = tokio::spawn(async move {
        use base64::prelude::{Engine as _, BASE64_STANDARD};
        let header = BASE64_STANDARD.encode(serde_json::to_vec(&payment).unwrap());
        http.post(format!("{url}/v1/completions")).header("payment-signature", header).body(slow).send().await
    });
    tokio::time::sleep(Duration::from_millis(150)).await;
    let (body, payment) = bob.request("b", 1);
    let response = world.send("/v1/completions", &body, Some(&payment)).await;
    assert!(response.headers().contains_key("retry-after"));
    assert_eq!(code(response).await, (429, "E-NODE-003".into()));
    assert_eq!(world.session(8).await.taken, 0);
    assert_eq!(first.await.unwrap().unwrap().status(), 200);
    assert_eq!(world.send("/v1/completions", &body, Some(&payment)).await.status(), 200);
    world.node.drain();
    let (body, payment) = bob.request("c", 1);
    assert_eq!(
        code(world.send("/v1/completions", &body, Some(&payment)).await).await,
        (503, "E-NODE-002".into())
    );
    assert_eq!(world.get("/ready").await.status(), 503);
}

#[tokio::test]
async fn a_request_that_no_attempt_can_answer_frees_its_sequence() {
    let home = tempfile::tempdir().unwrap();
    let chain = new_chain();
    let world = World::start(home.path(), chain.clone(), Rote { fails: true, ..Rote::default() }).await;
    let mut user = User::open(&chain, 7);
    let (body, payment) = user.request("a", 2);
    assert_eq!(
        code(world.send("/v1/completions", &body, Some(&payment)).await).await,
        (500, "E-GEN-004".into())
    );
    let state = world.session(7).await;
    assert_eq!((state.taken, state.log.count), (0, 0));
}

#[tokio::test]
async fn the_node_tells_who_it_is_and_how_it_fares() {
    let home = tempfile::tempdir().unwrap();
    let chain = new_chain();
    let world = World::start(home.path(), chain.clone(), Rote::default()).await;
    assert_eq!(world.get("/health").await.text().await.unwrap(), "ok\n");
    assert_eq!(world.get("/ready").await.status(), 200);
    let info: NodeInfo = world.get("/v1/node").await.json().await.unwrap();
    assert_eq!((info.node_id, info.models), (NODE, vec![(1, 2)]));
    let models: Value = world.get("/v1/models").await.json().await.unwrap();
    assert_eq!(
        (models["data"][0]["id"].as_str(), models["data"][0]["price_out"].as_str()),
        (Some("1:2"), Some("37"))
    );
    let mut user = User::open(&chain, 7);
    world.ask(&mut user, "a").await;
    let metrics = world.get("/metrics").await.text().await.unwrap();
    for line in [
        "openledger_node_receipts_total 1",
        "openledger_node_tokens_out_total 5",
        "openledger_node_vouchers_total 1",
    ] {
        assert!(metrics.contains(line), "{metrics}");
    }
    chain.state().mishaps = vec![Mishap::Down];
    assert_eq!(world.get("/ready").await.status(), 503);
    let (body, payment) = user.request("a", 2);
    assert_eq!(
        code(world.send("/v1/completions", &body, Some(&payment)).await).await,
        (503, "E-CLIENT-010".into())
    );
    assert_eq!(world.session(7).await.taken, 1);
}

#[tokio::test]
async fn the_openapi_document_names_every_path() {
    let home = tempfile::tempdir().unwrap();
    let world = World::start(home.path(), new_chain(), Rote::default()).await;
    let document: Value = world.get("/openapi.json").await.json().await.unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    let source = include_str!("../../src/serve/mod.rs");
    let routes: Vec<String> = source
        .lines()
        .filter_map(|line| line.trim().strip_prefix(".route(\"")?.split('"').next())
        .map(|path| path.replace("/v1/sessions/{id}", "/v1/sessions/{number}"))
        .collect();
    assert!(routes.len() > 10);
    let named = document["paths"].as_object().unwrap();
    assert_eq!(named.keys().filter(|path| !routes.contains(path)).count(), 0);
    assert_eq!(routes.iter().filter(|path| !named.contains_key(*path)).count(), 0, "{routes:?}");
    // Every path without parameters answers, and none of them with what it does not name.
    for (path, of) in named.iter().filter(|(path, of)| !path.contains('{') && of.get("get").is_some()) {
        let status = world.get(path).await.status().as_u16().to_string();
        assert!(of["get"]["responses"].get(&status).is_some(), "{path} {status}");
    }
}

/// Names of this node's metrics in a file.
fn names(text: &str) -> Vec<String> {
    let mut names: Vec<String> = text
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|word| word.starts_with("openledger_node_"))
        .map(str::to_string)
        .collect();
    names.sort();
    names.dedup();
    names
}

#[tokio::test]
async fn boards_and_alerts_name_metrics_that_a_node_gives() {
    let home = tempfile::tempdir().unwrap();
    let chain = new_chain();
    let world = World::start(home.path(), chain.clone(), Rote::default()).await;
    world.ask(&mut User::open(&chain, 7), "a").await;
    let given = names(&world.get("/metrics").await.text().await.unwrap());
    for file in ["grafana.json", "alerts.yml"] {
        let text = std::fs::read_to_string(format!("../testnet/deploy/{file}")).unwrap();
        let asked = names(&text);
        assert!(asked.len() >= 3, "{file}");
        let unknown: Vec<_> = asked.iter().filter(|name| !given.contains(name)).collect();
        assert!(unknown.is_empty(), "{file} asks for {unknown:?}");
    }
}
