//! Nodes that are lost, full or dishonest.

use openledger::payer::{Answer, Body, Failure};
use openledger_node::request::Endpoint;

use super::*;

pub const OTHER: u64 = 5;

pub fn question(max_tokens: u32) -> Body {
    let mut body = Body::new();
    body.insert("prompt".into(), "a".into());
    body.insert("max_tokens".into(), max_tokens.into());
    body.insert("temperature".into(), 0.into());
    body
}

pub async fn ask(payer: &Payer, max_tokens: u32) -> Result<Answer, Failure> {
    payer.ask(Endpoint::Completions, question(max_tokens), &mut |_| ControlFlow::Continue(())).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_goes_on_at_another_node_and_each_is_paid_for_its_part() {
    let (one, two, chain) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), new_chain());
    let slow = || Alphabet { pause: Duration::from_millis(20), ..Alphabet::default() };
    let first = Process::start(one.path(), &chain, NODE, slow());
    let second = node(two.path(), &chain, OTHER, Alphabet::default()).await;
    let client = Client::open(&chain, &[(NODE, &first.url), (OTHER, &second.url)], CAP);
    let payer = client.payer();
    let mut first = Some(first);
    let (mut seen, mut killer) = (0, None);
    let mut on_text = |_: &str| {
        seen += 1;
        if seen == 7 {
            // Killed in the middle of its answer.
            let process = first.take().unwrap();
            killer = Some(std::thread::spawn(move || process.kill()));
        }
        ControlFlow::Continue(())
    };
    let answer = payer.ask(Endpoint::Completions, question(60), &mut on_text).await.unwrap();
    killer.unwrap().join().unwrap();
    // The whole is what one node would have written.
    let whole: String = (1..=60u32).map(|i| char::from(b'a' + (i % 26) as u8)).collect();
    assert_eq!(answer.text(), whole);
    let before = &answer.before[0];
    assert_eq!(before.node_id, NODE);
    assert!((7..60).contains(&before.tokens), "{}", before.tokens);
    let receipt = &answer.bundle.receipt.receipt;
    assert_eq!((receipt.node_id, receipt.tokens_out), (OTHER, 60 - before.tokens));
    assert_eq!(receipt.fee.u128(), fee(1 + before.tokens, 60 - before.tokens));
    println!("first text of the other node after {} ms", before.gap_ms.unwrap());
    // The lost node is owed nothing that it did not sign, and is not asked meanwhile.
    let state = client.state();
    assert_eq!((state.nodes[0].count, state.nodes[0].outstanding.len()), (0, 1));
    assert_eq!(ask(&payer, 3).await.unwrap().bundle.receipt.receipt.node_id, OTHER);
    drop(payer);

    // It comes back and does not finish in its absence what nobody waits for.
    let model = slow();
    let written = model.written.clone();
    let back = Process::start(one.path(), &chain, NODE, model);
    client.moved(NODE, &back.url);
    let payer = client.payer();
    assert!(payer.has_left());
    payer.reconcile().await.unwrap();
    // It wrote the same again, up to what had been received, and is paid for that.
    let theirs = client.kept().into_iter().find(|b| b.receipt.receipt.node_id == NODE).unwrap();
    let receipt = &theirs.receipt.receipt;
    assert_eq!((receipt.outcome, receipt.tokens_out), (Outcome::Cancelled, before.tokens));
    assert_eq!(written.load(Ordering::SeqCst), u64::from(before.tokens));
    assert_eq!(theirs.answer, before.text);
    assert_eq!(receipt.fee.u128(), fee(1, before.tokens));
    assert_eq!(client.state().nodes[0].count, 1);
    // And is asked again.
    let served = [ask(&payer, 3).await.unwrap(), ask(&payer, 3).await.unwrap()];
    assert_eq!(served.map(|a| a.bundle.receipt.receipt.node_id), [NODE; 2]);
    back.kill();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chat_goes_on_within_its_message() {
    let (one, two, chain) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), new_chain());
    let slow = Alphabet { pause: Duration::from_millis(20), ..Alphabet::default() };
    let first = Process::start(one.path(), &chain, NODE, slow);
    let second = node(two.path(), &chain, OTHER, Alphabet::default()).await;
    let client = Client::open(&chain, &[(NODE, &first.url), (OTHER, &second.url)], CAP);
    let payer = client.payer();
    let body = serde_json::json!({"max_tokens": 30, "messages": [{"role": "user", "content": "hi"}]});
    let mut first = Some(first);
    let mut on_text = |_: &str| {
        if let Some(process) = first.take() {
            std::thread::spawn(move || process.kill());
        }
        ControlFlow::Continue(())
    };
    let body = Body::parse(body.to_string().as_bytes()).unwrap();
    let answer = payer.ask(Endpoint::Chat, body, &mut on_text).await.unwrap();
    assert_eq!(answer.text(), (0..30u32).map(|i| char::from(b'a' + (i % 26) as u8)).collect::<String>());
    assert_eq!(answer.before.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bound_answer_goes_on_where_it_stopped_and_stays_bound() {
    let (one, two, chain) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), new_chain());
    let slow = Alphabet { pause: Duration::from_millis(20), ..Alphabet::default() };
    let first = Process::start(one.path(), &chain, NODE, slow);
    let second = node(two.path(), &chain, OTHER, Alphabet::default()).await;
    let client = Client::open(&chain, &[(NODE, &first.url), (OTHER, &second.url)], CAP);
    let payer = client.payer();
    let body = format!(
        r#"{{"max_tokens":200,"messages":[{{"role":"user","content":"hi"}}],"response_format":{FORMAT}}}"#
    );
    let (mut first, mut seen) = (Some(first), 0);
    let mut on_text = |_: &str| {
        seen += 1;
        if let Some(process) = first.take_if(|_| seen == 6) {
            std::thread::spawn(move || process.kill());
        }
        ControlFlow::Continue(())
    };
    let answer =
        payer.ask(Endpoint::Chat, Body::parse(body.as_bytes()).unwrap(), &mut on_text).await.unwrap();
    assert_eq!(answer.before.len(), 1);
    is_bound(&answer.text());
    assert!(answer.text().starts_with(&answer.before[0].text) && answer.before[0].tokens >= 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_gone_or_stops_is_passed_over_before_anything_is_promised() {
    let (one, two, chain) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), new_chain());
    let first = node(one.path(), &chain, NODE, Alphabet::default()).await;
    let second = node(two.path(), &chain, OTHER, Alphabet::default()).await;
    let client = Client::open(&chain, &[(NODE, &first.url), (OTHER, &second.url)], CAP);
    first.node.drain();
    let payer = client.payer();
    let answer = ask(&payer, 4).await.unwrap();
    assert_eq!((answer.bundle.receipt.receipt.node_id, answer.before.len()), (OTHER, 0));
    drop(payer);
    client.moved(NODE, "http://127.0.0.1:1");
    let payer = client.payer();
    payer.survey().await;
    assert_eq!(ask(&payer, 4).await.unwrap().bundle.receipt.receipt.node_id, OTHER);
    let state = client.state();
    assert_eq!((state.nodes[0].count, state.nodes[0].promised.u128()), (0, 0));
    assert_eq!((state.nodes[0].outstanding.len(), state.nodes[1].count), (0, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_a_receipt_for_another_text_is_not_acknowledged_and_the_node_not_asked_again() {
    let (one, two, chain) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), new_chain());
    let liar = Alphabet { lies: true, ..Alphabet::default() };
    let first = node(one.path(), &chain, NODE, liar).await;
    let second = node(two.path(), &chain, OTHER, Alphabet::default()).await;
    let client = Client::open(&chain, &[(NODE, &first.url), (OTHER, &second.url)], CAP);
    let payer = client.payer();
    let failure = ask(&payer, 4).await.unwrap_err();
    assert_eq!(failure.error.code, "E-CLI-063");
    // The evidence is kept, the log is not moved.
    assert_eq!((client.kept().len(), client.state().nodes[0].count), (1, 0));
    assert_eq!(ask(&payer, 4).await.unwrap().bundle.receipt.receipt.node_id, OTHER);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_another_node_the_answer_stays_to_be_fetched() {
    let (one, chain) = (tempfile::tempdir().unwrap(), new_chain());
    let slow = || Alphabet { pause: Duration::from_millis(20), ..Alphabet::default() };
    let first = Process::start(one.path(), &chain, NODE, slow());
    let client = Client::open(&chain, &[(NODE, &first.url)], CAP);
    let payer = client.payer();
    let (mut first, mut killer) = (Some(first), None);
    let mut on_text = |_: &str| {
        if let Some(process) = first.take() {
            killer = Some(std::thread::spawn(move || process.kill()));
        }
        ControlFlow::Continue(())
    };
    let failure = payer.ask(Endpoint::Completions, question(40), &mut on_text).await.unwrap_err();
    assert!(failure.error.retryable, "{}", failure.error.message);
    assert_eq!(ask(&payer, 2).await.unwrap_err().error.code, "E-CLI-077");
    drop(payer);
    killer.unwrap().join().unwrap();
    let back = Process::start(one.path(), &chain, NODE, Alphabet::default());
    client.moved(NODE, &back.url);
    let answer = client.payer().resume(&mut |_| ControlFlow::Continue(())).await.unwrap();
    assert_eq!(answer.bundle.receipt.receipt.tokens_out, 40);
    assert!(answer.text().starts_with("bcd"));
    back.kill();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_chain_lags_is_waited_for() {
    let (home, chain) = (tempfile::tempdir().unwrap(), new_chain());
    let node = node(home.path(), &chain, NODE, Alphabet::default()).await;
    let client = Client::open(&chain, &[(NODE, &node.url)], CAP);
    let payer = client.payer();
    // The block that opens the session has not reached the node's own chain node.
    let session = chain.state().sessions.remove(&SESSION).unwrap();
    let later = tokio::spawn({
        let chain = chain.clone();
        async move {
            tokio::time::sleep(Duration::from_millis(900)).await;
            chain.state().sessions.insert(SESSION, session);
        }
    });
    assert_eq!(ask(&payer, 4).await.unwrap().bundle.receipt.receipt.node_id, NODE);
    later.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_chain_has_the_block_and_not_the_session_is_passed_over_at_once() {
    let (one, two, chain) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), new_chain());
    // Of another chain than it says: it is past the block that opened the session and does not know the session.
    let elsewhere = new_chain();
    elsewhere.state().height += 50;
    let first = node(one.path(), &elsewhere, NODE, Alphabet::default()).await;
    let second = node(two.path(), &chain, OTHER, Alphabet::default()).await;
    first.node.height().await.unwrap();
    let client = Client::open(&chain, &[(NODE, &first.url), (OTHER, &second.url)], CAP);
    assert_eq!(ask(&client.payer(), 4).await.unwrap().bundle.receipt.receipt.node_id, OTHER);
    assert!(client.state().nodes[0].outstanding.is_empty());
}
