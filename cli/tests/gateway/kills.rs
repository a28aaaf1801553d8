//! A node that is killed at random moments while it answers several questions at once.

use futures::future::join_all;
use openledger::payer::Body;
use openledger_node::request::Endpoint;
use openledger_types::api::SessionState;

use super::*;

/// Questions at a time: what a session may have in flight.
const TOGETHER: u32 = 4;

/// Checks the client's books against its receipts and the node's log, after all that was under way was fetched.
async fn balanced(client: &Client, url: &str) -> u64 {
    let state = client.state();
    let lane = &state.nodes[0];
    assert_eq!(lane.outstanding.len(), 0, "no voucher is without its answer");
    let mut kept = client.kept();
    kept.sort_by_key(|bundle| bundle.receipt.receipt.sequence);
    let sequences: Vec<u64> = kept.iter().map(|bundle| bundle.receipt.receipt.sequence).collect();
    assert_eq!(sequences, (1..=lane.count).collect::<Vec<_>>(), "no receipt is lost, none there twice");
    let fees: u128 = kept.iter().map(|bundle| bundle.receipt.receipt.fee.u128()).sum();
    let ours = lane.acknowledged().unwrap();
    assert_eq!(ours.sum.u128(), fees);
    let theirs = reqwest::get(format!("{url}/v1/sessions/{SESSION}")).await.unwrap();
    assert_eq!(theirs.json::<SessionState>().await.unwrap().log, ours);
    kept.iter().map(|bundle| u64::from(bundle.receipt.receipt.tokens_out)).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_at_random_moments_under_load_lose_no_receipt_and_no_voucher() {
    let rounds = if std::env::var_os("OPENLEDGER_LONG").is_some() { 60 } else { 5 };
    let (home, chain) = (tempfile::tempdir().unwrap(), new_chain());
    let start = || {
        let slow = Alphabet { pause: Duration::from_millis(3), ..Alphabet::default() };
        Process::start(home.path(), &chain, NODE, slow)
    };
    let mut process = start();
    let client = Client::open(&chain, &[(NODE, &process.url)], CAP);
    // Tokens that came, of each question at least the one that an answer has.
    let received = AtomicU64::new(0);
    let mut random = 0x2545_f491_4f6c_dd1du64;
    for _ in 0..rounds {
        let payer = client.payer();
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let wait = Duration::from_millis(2 + (random >> 33) % 160);
        let killer = std::thread::spawn(move || {
            std::thread::sleep(wait);
            process.kill();
        });
        let asked = (0..TOGETHER).map(|n| {
            let (payer, received) = (&payer, &received);
            async move {
                let mut body = Body::new();
                body.insert("prompt".into(), "z".into());
                body.insert("max_tokens".into(), (5 + n * 11).into());
                let mut came = 0;
                let mut on_text = |text: &str| {
                    came += text.len() as u64;
                    ControlFlow::Continue(())
                };
                let answer = payer.ask(Endpoint::Completions, body, &mut on_text).await;
                received.fetch_add(came.max(1), Ordering::SeqCst);
                if let Ok(answer) = answer {
                    assert_eq!(answer.text().len() as u32, 5 + n * 11);
                }
            }
        });
        join_all(asked).await;
        drop(payer);
        killer.join().unwrap();
        // Node and client come back; what was promised is fetched and paid.
        process = start();
        client.moved(NODE, &process.url);
        let payer = client.payer();
        payer.take_over().unwrap();
        payer.reconcile().await.unwrap();
        let paid = balanced(&client, &process.url).await;
        let received = received.load(Ordering::SeqCst);
        assert!(paid <= received, "{paid} tokens were paid and {received} received");
    }
    println!("{rounds} kills, {} answers", client.state().nodes[0].count);
    process.kill();
}
