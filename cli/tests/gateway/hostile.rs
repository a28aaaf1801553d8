//! Nodes that mean harm, and what stands between a node and its client.

use std::time::Instant;

use base64::prelude::{Engine, BASE64_STANDARD};
use openledger_types::api::{PaymentOption, PaymentRequired};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use openledger_node::request::Endpoint;

use super::failover::{ask, question, OTHER};
use super::*;

/// A node that takes every connection and answers it with these bytes, then goes on as `after` says. Its address.
async fn hostile(head: impl Into<Vec<u8>>, after: After) -> String {
    let head: Arc<[u8]> = head.into().into();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let head = head.clone();
            tokio::spawn(async move {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let mut going = stream.write_all(&head).await.is_ok();
                match after {
                    After::Ends => {}
                    After::Goes => {
                        let chunk = [b"1000\r\n".as_slice(), &[b'x'; 0x1000], b"\r\n"].concat();
                        while going {
                            going = stream.write_all(&chunk).await.is_ok();
                        }
                    }
                    // Until the caller hangs up.
                    After::Stalls => while stream.read(&mut request).await.is_ok_and(|read| read > 0) {},
                }
            });
        }
    });
    url
}

#[derive(Clone, Copy)]
enum After {
    Ends,
    Goes,
    Stalls,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node_attack_garbage_and_refusals_without_end_cost_nothing_and_keep_nobody_waiting() {
    let chunked = b"HTTP/1.1 500 No\r\ntransfer-encoding: chunked\r\n\r\n3\r\nno!\r\n".as_slice();
    let paid = b"HTTP/1.1 402 Pay\r\npayment-required: bm90IGpzb24=\r\ncontent-length: 0\r\n\r\n".as_slice();
    let cases = [
        (b"\x00\x01 no http\r\n\r\n".as_slice(), After::Ends),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nnot json!".as_slice(), After::Ends),
        (b"HTTP/1.1 418 No\r\ncontent-length: 900\r\n\r\ncut".as_slice(), After::Ends),
        (paid, After::Ends),
        (chunked, After::Goes),
        (chunked, After::Stalls),
    ];
    for (head, after) in cases {
        let (home, chain) = (tempfile::tempdir().unwrap(), new_chain());
        let honest = node(home.path(), &chain, OTHER, Alphabet::default()).await;
        let liar = hostile(head, after).await;
        let client = Client::open(&chain, &[(NODE, &liar), (OTHER, &honest.url)], CAP);
        let answer = ask(&client.payer(), 4).await.unwrap();
        assert_eq!(answer.bundle.receipt.receipt.node_id, OTHER);
        let lane = &client.state().nodes[0];
        assert_eq!((lane.count, lane.promised.u128(), lane.outstanding.len()), (0, 0, 0));
        // What a tool asks of it ends too, with a code.
        let http = reqwest::Client::new();
        let refused = openledger::node_http::get_json::<Value>(&http, &format!("{liar}/v1/node")).await;
        assert!(["E-CLI-051", "E-CLI-052", "E-CLI-054"].contains(&refused.unwrap_err().code));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_a_node_that_names_its_whole_cap_as_the_price_is_promised_nothing() {
    let (home, chain) = (tempfile::tempdir().unwrap(), new_chain());
    let honest = node(home.path(), &chain, OTHER, Alphabet::default()).await;
    let client = Client::open(&chain, &[(NODE, ""), (OTHER, &honest.url)], CAP);
    let session = chain.state().sessions[&SESSION].clone();
    let option = PaymentOption {
        scheme: "batch-settlement".into(),
        network: format!("cosmos:{CHAIN}"),
        escrow: ESCROW.into(),
        node_id: NODE,
        denom: DENOM.into(),
        model_id: session.model_id,
        model_version: session.model_version,
        price_in: session.nodes[0].price_in,
        price_out: session.nodes[0].price_out,
        min_fee: session.min_fee,
        max_fee: Some(CAP.into()),
    };
    let required = PaymentRequired { x402_version: 2, error: "pay".into(), accepts: vec![option] };
    let header = BASE64_STANDARD.encode(serde_json::to_vec(&required).unwrap());
    let greedy = format!("HTTP/1.1 402 Pay\r\npayment-required: {header}\r\ncontent-length: 0\r\n\r\n");
    let greedy = hostile(greedy, After::Ends).await;
    client.moved(NODE, &greedy);
    assert_eq!(ask(&client.payer(), 4).await.unwrap().bundle.receipt.receipt.node_id, OTHER);
    assert_eq!(client.state().nodes[0].promised.u128(), 0);
    // Alone it gets nothing either, and the user hears why.
    let client = Client::open(&chain, &[(NODE, &greedy)], CAP);
    assert_eq!(ask(&client.payer(), 4).await.unwrap_err().error.code, "E-CLI-090");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_false_receipts_to_many_questions_at_once_leave_nobody_waiting() {
    let (one, two, chain) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), new_chain());
    let liar = Alphabet { lies: true, ..Alphabet::default() };
    let first = node(one.path(), &chain, NODE, liar).await;
    let second = node(two.path(), &chain, OTHER, Alphabet::default()).await;
    let client = Client::open(&chain, &[(NODE, &first.url), (OTHER, &second.url)], CAP);
    let payer = Arc::new(client.payer());
    // More than may be under way with a node.
    let asked = (0..12).map(|_| {
        let payer = payer.clone();
        tokio::spawn(async move { ask(&payer, 4).await })
    });
    let ended = tokio::time::timeout(Duration::from_secs(60), futures::future::join_all(asked)).await;
    for answer in ended.expect("a question waits for ever") {
        match answer.unwrap() {
            Ok(answer) => assert_eq!(answer.bundle.receipt.receipt.node_id, OTHER),
            Err(failure) => assert_eq!(failure.error.code, "E-CLI-063"),
        }
    }
    assert_eq!(client.state().nodes[0].count, 0);
    // A later run may use the session with the honest node, too.
    drop(payer);
    let payer = client.payer();
    assert!(!payer.is_interrupted());
    // What is fetched again would fit its receipt.
    payer.reconcile().await.unwrap();
    assert_eq!(ask(&payer, 4).await.unwrap().bundle.receipt.receipt.node_id, OTHER);
    let lane = &client.state().nodes[0];
    assert!(lane.cheated && lane.count == 0, "{lane:?}");
}

/// What stands before a node says 404 for it: what the node was promised is not forgotten for that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_404_that_is_not_the_nodes_own_frees_no_promise() {
    let (one, chain) = (tempfile::tempdir().unwrap(), new_chain());
    let slow = Alphabet { pause: Duration::from_millis(20), ..Alphabet::default() };
    let only = Process::start(one.path(), &chain, NODE, slow);
    let client = Client::open(&chain, &[(NODE, &only.url)], CAP);
    let (payer, mut only) = (client.payer(), Some(only));
    let mut killer = None;
    let mut on_text = |_: &str| {
        killer = killer.take().or_else(|| {
            let process = only.take()?;
            Some(std::thread::spawn(move || process.kill()))
        });
        ControlFlow::Continue(())
    };
    payer.ask(Endpoint::Completions, question(60), &mut on_text).await.unwrap_err();
    killer.unwrap().join().unwrap();
    drop(payer);
    let proxy = hostile("HTTP/1.1 404 Not Found\r\ncontent-length: 3\r\n\r\nno\n", After::Ends).await;
    client.moved(NODE, &proxy);
    assert!(client.payer().reconcile().await.is_err());
    assert_eq!(client.state().nodes[0].outstanding.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promise_that_could_not_be_written_down_leaves_no_gap() {
    let (home, chain) = (tempfile::tempdir().unwrap(), new_chain());
    let only = node(home.path(), &chain, NODE, Alphabet::default()).await;
    let client = Client::open(&chain, &[(NODE, &only.url)], CAP);
    let payer = client.payer();
    ask(&payer, 4).await.unwrap();
    let (folder, away) = (client.dir.path().to_path_buf(), client.dir.path().with_extension("away"));
    std::fs::rename(&folder, &away).unwrap();
    let failure = ask(&payer, 4).await.unwrap_err();
    std::fs::rename(&away, &folder).unwrap();
    assert!(failure.node.is_none(), "{failure:?}");
    assert_eq!(client.state().nodes[0].count, 1);
    ask(&payer, 4).await.unwrap();
    assert_eq!(client.state().nodes[0].count, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_a_node_that_takes_the_connection_and_says_nothing_is_given_up() {
    let silent = hostile("", After::Stalls).await;
    let (http, since) = (reqwest::Client::new(), Instant::now());
    let asked = openledger::node_http::send(&silent, http.post(&silent)).await;
    assert_eq!(asked.unwrap_err().code, "E-CLI-051");
    assert!(since.elapsed() < Duration::from_secs(45));
}
