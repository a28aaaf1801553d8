//! Nodes that fall silent with their connections open: when they are left, and when not.

use std::sync::atomic::AtomicBool;
use std::time::Instant;

use openledger::payer::{Answer, Failure};
use openledger_node::request::Endpoint;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::failover::{ask, question, OTHER};
use super::*;

/// Within this time of a freeze the first text of another node is there.
const FAIL_OVER: Duration = Duration::from_secs(2);
/// A silence that another node ends, and that one node alone is granted.
const PAUSE: Duration = Duration::from_millis(2_500);

/// What stands between a client and a node. While it is frozen nothing passes, and nothing is closed.
struct Between {
    url: String,
    frozen: Arc<AtomicBool>,
}

impl Between {
    async fn new(upstream: &str) -> Self {
        Self::speaking(upstream, |bytes| bytes).await
    }

    /// The same, which alters what the node says.
    async fn speaking(upstream: &str, alter: fn(Vec<u8>) -> Vec<u8>) -> Self {
        let to = upstream.trim_start_matches("http://").to_string();
        let frozen = Arc::new(AtomicBool::new(false));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = frozen.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let node = tokio::net::TcpStream::connect(&to).await.unwrap();
                let (here, there) = (stream.into_split(), node.into_split());
                for (mut from, mut into, alter) in
                    [(here.0, there.1, (|bytes| bytes) as fn(Vec<u8>) -> Vec<u8>), (there.0, here.1, alter)]
                {
                    let frozen = state.clone();
                    tokio::spawn(async move {
                        let mut bytes = [0; 4096];
                        while let Ok(read @ 1..) = from.read(&mut bytes).await {
                            while frozen.load(Ordering::SeqCst) {
                                tokio::time::sleep(Duration::from_millis(20)).await;
                            }
                            if into.write_all(&alter(bytes[..read].to_vec())).await.is_err() {
                                break;
                            }
                        }
                    });
                }
            }
        });
        Between { url, frozen }
    }

    fn freeze(&self) {
        self.frozen.store(true, Ordering::SeqCst);
    }

    fn thaw(&self) {
        self.frozen.store(false, Ordering::SeqCst);
    }

    fn thaw_after(&self, pause: Duration) {
        let frozen = self.frozen.clone();
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            frozen.store(false, Ordering::SeqCst);
        });
    }
}

/// Asks for 60 letters and does something at the fifth; the longest time between two letters from there on.
async fn ask_and_at_the_fifth(
    payer: &Payer,
    mut act: impl FnMut() + Send,
) -> (Result<Answer, Failure>, Duration) {
    let (mut seen, mut last, mut longest) = (0, None::<Instant>, Duration::ZERO);
    let mut on_text = |_: &str| {
        seen += 1;
        if let Some(last) = &mut last {
            longest = longest.max(last.elapsed());
            *last = Instant::now();
        }
        if seen == 5 {
            act();
            last = Some(Instant::now());
        }
        ControlFlow::Continue(())
    };
    let answer = payer.ask(Endpoint::Completions, question(60), &mut on_text).await;
    (answer, longest)
}

fn letters() -> String {
    (1..=60u32).map(|i| char::from(b'a' + (i % 26) as u8)).collect()
}

fn slow() -> Alphabet {
    Alphabet { pause: Duration::from_millis(20), ..Alphabet::default() }
}

/// The node was alive all the time: what it had delivered is paid to it, once, what came from the other to the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node_attack_a_node_that_freezes_in_the_middle_of_an_answer_is_left() {
    let (one, two, chain) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), new_chain());
    let first = node(one.path(), &chain, NODE, slow()).await;
    let second = node(two.path(), &chain, OTHER, Alphabet::default()).await;
    let between = Between::new(&first.url).await;
    let client = Client::open(&chain, &[(NODE, &between.url), (OTHER, &second.url)], CAP);
    let payer = client.payer();
    let (answer, longest) = ask_and_at_the_fifth(&payer, || between.freeze()).await;
    let answer = answer.unwrap();
    println!("first text of the other node {} ms after the freeze", longest.as_millis());
    assert!(longest < FAIL_OVER, "{longest:?}");
    assert_eq!((answer.text(), answer.before.len()), (letters(), 1));
    let (before, receipt) = (&answer.before[0], &answer.bundle.receipt.receipt);
    assert_eq!((receipt.node_id, receipt.tokens_out), (OTHER, 60 - before.tokens));
    // It is promised no more than this one answer, and what came of it stays owed until it speaks again.
    let lane = &client.state().nodes[0];
    assert_eq!((lane.count, lane.outstanding.len()), (0, 1));
    assert_eq!(ask(&payer, 3).await.unwrap().bundle.receipt.receipt.node_id, OTHER);
    drop(payer);
    between.thaw();
    client.payer().reconcile().await.unwrap();
    let lane = &client.state().nodes[0];
    assert_eq!((lane.count, lane.outstanding.len()), (1, 0));
    // Once: it has one receipt, for what it had written when it noticed that its client was gone. The line was frozen,
    // not the node: it wrote on meanwhile.
    let kept = client.kept();
    let theirs: Vec<&AnswerBundle> =
        kept.iter().filter(|bundle| bundle.receipt.receipt.node_id == NODE).collect();
    let [theirs] = theirs[..] else { panic!("{} receipts", theirs.len()) };
    let signed = &theirs.receipt.receipt;
    assert!(
        theirs.answer.starts_with(&before.text) && signed.tokens_out >= before.tokens,
        "{}",
        theirs.answer
    );
    assert_eq!(signed.fee.u128(), fee(1, signed.tokens_out));
    assert_eq!(lane.spent().unwrap(), signed.fee.u128());
    client.payer().reconcile().await.unwrap();
    assert_eq!(client.state().nodes[0].count, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node_attack_a_node_that_is_frozen_when_it_is_asked_is_passed_over() {
    let (one, two, chain) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), new_chain());
    let first = node(one.path(), &chain, NODE, Alphabet::default()).await;
    let second = node(two.path(), &chain, OTHER, Alphabet::default()).await;
    let between = Between::new(&first.url).await;
    let client = Client::open(&chain, &[(NODE, &between.url), (OTHER, &second.url)], CAP);
    between.freeze();
    let (asked, payer) = (Instant::now(), client.payer());
    assert_eq!(ask(&payer, 3).await.unwrap().bundle.receipt.receipt.node_id, OTHER);
    let took = asked.elapsed();
    println!("answered {} ms after the question", took.as_millis());
    assert!(took < FAIL_OVER, "{took:?}");
    let lane = &client.state().nodes[0];
    assert_eq!((lane.promised.u128(), lane.outstanding.len()), (0, 0));
}

/// Between its price and its answer: the voucher is with it, so it is asked nothing more before that is cleared.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node_attack_a_node_that_freezes_with_the_voucher_is_left() {
    let (one, two, chain) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), new_chain());
    let first = node(one.path(), &chain, NODE, Alphabet::default()).await;
    let second = node(two.path(), &chain, OTHER, Alphabet::default()).await;
    // Frozen by its own word on the price.
    static PRICED: AtomicBool = AtomicBool::new(false);
    let between = Between::speaking(&first.url, |bytes| {
        PRICED.fetch_or(bytes.starts_with(b"HTTP/1.1 402"), Ordering::SeqCst);
        bytes
    })
    .await;
    let frozen = between.frozen.clone();
    tokio::spawn(async move {
        while !PRICED.load(Ordering::SeqCst) {
            tokio::task::yield_now().await;
        }
        frozen.store(true, Ordering::SeqCst);
    });
    let client = Client::open(&chain, &[(NODE, &between.url), (OTHER, &second.url)], CAP);
    let (asked, payer) = (Instant::now(), client.payer());
    assert_eq!(ask(&payer, 3).await.unwrap().bundle.receipt.receipt.node_id, OTHER);
    assert!(asked.elapsed() < FAIL_OVER, "{:?}", asked.elapsed());
    let lane = &client.state().nodes[0];
    assert_eq!((lane.count, lane.outstanding.len()), (0, 1));
    drop(payer);
    // Whether it had taken the question or not: its lane is free again, and at most one token of it was paid.
    between.thaw();
    client.payer().reconcile().await.unwrap();
    let lane = &client.state().nodes[0];
    assert!(lane.outstanding.is_empty() && lane.spent().unwrap() <= fee(1, 3), "{lane:?}");
    let answer = ask(&client.payer(), 3).await.unwrap();
    assert_eq!(answer.bundle.receipt.receipt.node_id, NODE);
}

/// A false alarm would cost the client a second reading of its prompt.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_node_is_not_left_while_no_other_would_take_the_question() {
    for other in ["none", "stopping", "gone"] {
        let (one, two, chain) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), new_chain());
        let first = node(one.path(), &chain, NODE, slow()).await;
        let between = Between::new(&first.url).await;
        let stopping = node(two.path(), &chain, OTHER, Alphabet::default()).await;
        stopping.node.drain();
        let mut nodes = vec![(NODE, between.url.as_str())];
        match other {
            "stopping" => nodes.push((OTHER, &stopping.url)),
            "gone" => nodes.push((OTHER, "http://127.0.0.1:1")),
            _ => {}
        }
        let client = Client::open(&chain, &nodes, CAP);
        let payer = client.payer();
        let act = || {
            between.freeze();
            between.thaw_after(PAUSE);
        };
        let (answer, longest) = ask_and_at_the_fifth(&payer, act).await;
        let answer = answer.unwrap();
        assert_eq!((answer.text(), answer.before.len()), (letters(), 0), "{other}");
        assert!(longest >= PAUSE, "{longest:?}");
    }
}

/// It gives no signs of life that a client could count.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_of_an_older_release_is_waited_for() {
    let (one, two, chain) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), new_chain());
    let first = node(one.path(), &chain, NODE, slow()).await;
    let second = node(two.path(), &chain, OTHER, Alphabet::default()).await;
    let between = Between::speaking(&first.url, |mut bytes| {
        let name = b"openledger-alive";
        if let Some(at) = bytes.windows(name.len()).position(|window| window == name) {
            bytes[at..at + name.len()].copy_from_slice(b"openledger-other");
        }
        bytes
    })
    .await;
    let client = Client::open(&chain, &[(NODE, &between.url), (OTHER, &second.url)], CAP);
    let payer = client.payer();
    let act = || {
        between.freeze();
        between.thaw_after(PAUSE);
    };
    let (answer, _) = ask_and_at_the_fifth(&payer, act).await;
    let answer = answer.unwrap();
    assert_eq!((answer.bundle.receipt.receipt.node_id, answer.before.len()), (NODE, 0));
}

/// While the prompt is read, and in the queue behind another answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_thinks_or_has_a_queue_is_not_left() {
    let (one, two, chain) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), new_chain());
    let thinks = Alphabet { pause: PAUSE, ..Alphabet::default() };
    let busy = Settings { workers: 1, batch: 1, ..settings() };
    let first = node_with(one.path(), &chain, NODE, thinks, busy).await;
    let second = node(two.path(), &chain, OTHER, Alphabet::default()).await;
    let client = Client::open(&chain, &[(NODE, &first.url), (OTHER, &second.url)], CAP);
    let payer = client.payer();
    let answers = tokio::join!(ask(&payer, 1), ask(&payer, 1));
    for answer in [answers.0.unwrap(), answers.1.unwrap()] {
        assert_eq!((answer.bundle.receipt.receipt.node_id, answer.before.len()), (NODE, 0));
    }
}

/// The first node does not know of the session yet when it is asked, and does when the second one freezes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_refused_for_a_time_takes_over_from_one_that_freezes() {
    let (one, two, chain) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), new_chain());
    let behind = new_chain();
    behind.state().height += 50;
    let first = node(one.path(), &behind, NODE, Alphabet::default()).await;
    let second = node(two.path(), &chain, OTHER, slow()).await;
    first.node.height().await.unwrap();
    let between = Between::new(&second.url).await;
    let client = Client::open(&chain, &[(NODE, &first.url), (OTHER, &between.url)], CAP);
    let session = chain.state().sessions[&SESSION].clone();
    let payer = client.payer();
    let (answer, longest) = ask_and_at_the_fifth(&payer, || {
        behind.state().sessions.insert(SESSION, session.clone());
        between.freeze();
    })
    .await;
    let answer = answer.unwrap();
    assert!(longest < FAIL_OVER, "{longest:?}");
    assert_eq!((answer.text(), answer.before.len()), (letters(), 1));
    assert_eq!((answer.before[0].node_id, answer.bundle.receipt.receipt.node_id), (OTHER, NODE));
    between.thaw();
}
