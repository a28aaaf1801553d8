//! What is paid, what is refused, and by which code.

use base64::prelude::{Engine as _, BASE64_STANDARD};
use cosmwasm_std::HexBinary;
use openledger_client::Key;
use openledger_types::api::{PaymentRequired, PaymentSignature};
use openledger_types::formats::{SumRoot, Voucher};
use openledger_types::msg::node_registry::Offer;

use crate::support::*;

const BODY: &str = r#"{"model":"1:2","prompt":"one two three","max_tokens":5}"#;

#[tokio::test]
async fn an_unpaid_request_is_told_what_to_pay() {
    let home = tempfile::tempdir().unwrap();
    let chain = new_chain();
    let world = World::start(home.path(), chain.clone(), Rote::default()).await;
    let response = world.send("/v1/completions", BODY, None).await;
    assert_eq!(response.status(), 402);
    let header = response.headers()["payment-required"].as_bytes().to_vec();
    let required: PaymentRequired = serde_json::from_slice(&BASE64_STANDARD.decode(header).unwrap()).unwrap();
    let option = &required.accepts[0];
    assert_eq!((required.x402_version, option.scheme.as_str()), (2, "batch-settlement"));
    assert_eq!((option.network.as_str(), option.node_id), ("cosmos:openledger-7", NODE));
    // Four tokens in at 10, five out at 37.
    assert_eq!(option.max_fee.unwrap().u128(), 4 * 10 + 5 * 37);
    assert_eq!(code(response).await, (402, "E-PAY-001".into()));
    // An offer of the node's own is what a new session pins.
    chain
        .state()
        .offers
        .insert((1, 2), Offer { model_id: 1, version: 2, price_in: None, price_out: Some(50u128.into()) });
    let response = world.send("/v1/completions", BODY, None).await;
    let header = response.headers()["payment-required"].as_bytes().to_vec();
    let required: PaymentRequired = serde_json::from_slice(&BASE64_STANDARD.decode(header).unwrap()).unwrap();
    assert_eq!(required.accepts[0].max_fee.unwrap().u128(), 4 * 10 + 5 * 50);
    // A session that is named is quoted what it pinned.
    User::open(&chain, 7);
    let ask = |session: &'static str| {
        let request = world.http.post(format!("{}/v1/completions", world.url)).body(BODY);
        request.header("openledger-session", session).send()
    };
    let header = ask("7").await.unwrap().headers()["payment-required"].as_bytes().to_vec();
    let required: PaymentRequired = serde_json::from_slice(&BASE64_STANDARD.decode(header).unwrap()).unwrap();
    assert_eq!(required.accepts[0].max_fee.unwrap().u128(), 4 * 10 + 5 * 37);
    assert_eq!(code(ask("x").await.unwrap()).await, (400, "E-PAY-002".into()));
    assert_eq!(code(ask("99").await.unwrap()).await, (404, "E-PAY-004".into()));
    for (body, expected) in [
        ("{", (400, "E-REQ-002")),
        (r#"{"model":"9","prompt":"a"}"#, (404, "E-NODE-004")),
        (r#"{"model":"1:9","prompt":"a"}"#, (404, "E-NODE-004")),
        (r#"{"model":"1:2","prompt":"a","max_tokens":600}"#, (400, "E-REQ-012")),
    ] {
        let (status, found) = code(world.send("/v1/completions", body, None).await).await;
        assert_eq!((status, found.as_str()), expected, "{body}");
    }
}

#[tokio::test]
async fn rule_s1_a_voucher_pays_for_its_own_request_only() {
    let home = tempfile::tempdir().unwrap();
    let chain = new_chain();
    let world = World::start(home.path(), chain.clone(), Rote::default()).await;
    let mut user = User::open(&chain, 7);
    User::open(&chain, 8);
    user.sequence = 1;
    let (body, good) = user.body(BODY);

    let changed = |change: &dyn Fn(&mut Voucher)| {
        let mut voucher = good.voucher.voucher.clone();
        change(&mut voucher);
        PaymentSignature { voucher: user.sign(voucher), nonce: good.nonce.clone() }
    };
    let mut forged = good.clone();
    forged.voucher = {
        let other = Key::from_bytes(&[99; 32]).unwrap();
        let signature = other.sign_digest(&good.voucher.voucher.digest());
        openledger_types::formats::SignedVoucher {
            voucher: good.voucher.voucher.clone(),
            signature: HexBinary::from(signature.as_slice()),
        }
    };
    let mut short = good.clone();
    short.voucher.signature = HexBinary::from([1u8; 63].as_slice());
    let mut high_s = good.clone();
    high_s.voucher.signature = {
        let mut bytes = good.voucher.signature.to_vec();
        bytes[32..].fill(0xff);
        bytes.into()
    };
    let mut other_nonce = good.clone();
    other_nonce.nonce = HexBinary::from([200u8; 32].as_slice());
    let mut short_nonce = good.clone();
    short_nonce.nonce = HexBinary::from([200u8; 31].as_slice());
    let cases = vec![
        (forged, 401, "E-PAY-006"),
        (short, 401, "E-PAY-006"),
        (high_s, 401, "E-PAY-006"),
        (other_nonce, 400, "E-PAY-007"),
        (short_nonce, 400, "E-PAY-007"),
        (changed(&|v| v.chain_id = "other-1".into()), 400, "E-PAY-003"),
        (changed(&|v| v.contract = "openledger1other".into()), 400, "E-PAY-003"),
        (changed(&|v| v.node_id = 4), 400, "E-PAY-003"),
        (changed(&|v| v.denom = "uatom".into()), 400, "E-PAY-003"),
        // Session 8 has another key; session 9 does not exist.
        (changed(&|v| v.session_id = 8), 401, "E-PAY-006"),
        (changed(&|v| v.session_id = 9), 404, "E-PAY-004"),
        (changed(&|v| v.sequence = 2), 409, "E-PAY-011"),
        (changed(&|v| v.sequence = 0), 409, "E-PAY-011"),
        (changed(&|v| v.cumulative_max = 224u128.into()), 402, "E-PAY-015"),
        (changed(&|v| v.cumulative_max = (CAP + 1).into()), 402, "E-PAY-016"),
        (changed(&|v| v.acknowledged.sum = 1u128.into()), 409, "E-PAY-013"),
        (changed(&|v| v.request_hash = HexBinary::from([0u8; 32].as_slice())), 400, "E-PAY-009"),
    ];
    for (payment, status, expected) in cases {
        let found = code(world.send("/v1/completions", &body, Some(&payment)).await).await;
        assert_eq!(found, (status, expected.to_string()));
    }
    // Another body under the same voucher.
    let other = BODY.replace("three", "four");
    let found = code(world.send("/v1/completions", &other, Some(&good)).await).await;
    assert_eq!(found, (400, "E-PAY-007".into()));
    // Nothing of all this was taken.
    assert_eq!(world.session(7).await.taken, 0);
    assert_eq!(world.send("/v1/completions", &body, Some(&good)).await.status(), 200);
    // The same voucher at the other endpoint is another request under a used sequence.
    let found = code(world.send("/v1/chat/completions", &body, Some(&good)).await).await;
    assert_eq!(found.0, 400);
}

#[tokio::test]
async fn rule_s1_a_voucher_sent_again_gets_the_identical_receipt() {
    let home = tempfile::tempdir().unwrap();
    let chain = new_chain();
    let rote = Rote::default();
    let written = rote.written.clone();
    let world = World::start(home.path(), chain.clone(), rote).await;
    let mut user = User::open(&chain, 7);
    let (body, payment) = user.request("one two", 5);
    let first = world.send("/v1/completions", &body, Some(&payment)).await;
    let header = first.headers()["payment-response"].clone();
    let first: serde_json::Value = first.json().await.unwrap();
    chain.state().height += 30;
    let second = world.send("/v1/completions", &body, Some(&payment)).await;
    assert_eq!(second.headers()["payment-response"], header);
    let second: serde_json::Value = second.json().await.unwrap();
    assert_eq!(first["openledger"], second["openledger"]);
    assert_eq!(written.load(std::sync::atomic::Ordering::SeqCst), 5, "written once");
    // As a stream too.
    let state = world.session(7).await;
    assert_eq!((state.taken, state.log.count), (1, 1));
    // Another request under the same sequence is refused.
    let (body, payment) = user.body(&body.replace("two", "three"));
    let found = code(world.send("/v1/completions", &body, Some(&payment)).await).await;
    assert_eq!(found, (409, "E-PAY-010".into()));
}

#[tokio::test]
async fn rule_s1_sums_acknowledgements_and_requests_in_flight_are_bounded() {
    let home = tempfile::tempdir().unwrap();
    let chain = new_chain();
    let world = World::start(home.path(), chain.clone(), Rote::default()).await;
    let mut user = User::open(&chain, 7);
    user.acknowledges = false;
    for _ in 0..4 {
        world.ask(&mut user, "a b").await;
    }
    // A fifth without acknowledgement.
    let (body, payment) = user.request("a b", 5);
    let found = code(world.send("/v1/completions", &body, Some(&payment)).await).await;
    assert_eq!(found, (409, "E-PAY-012".into()));
    // Acknowledged by a voucher that pays for nothing.
    user.sequence = 4;
    let mut voucher = user.voucher(&[0; 32]);
    voucher.acknowledged = user.acknowledged();
    let signed = serde_json::to_string(&user.sign(voucher.clone())).unwrap();
    let response = world.send("/v1/sessions/7/acknowledge", &signed, None).await;
    assert_eq!(response.status(), 200, "{}", response.text().await.unwrap());
    assert_eq!(world.session(7).await.acknowledged, 4);
    voucher.acknowledged = SumRoot { count: 3, ..user.acknowledged() };
    let wrong = serde_json::to_string(&user.sign(voucher)).unwrap();
    let found = code(world.send("/v1/sessions/7/acknowledge", &wrong, None).await).await;
    assert_eq!(found, (409, "E-PAY-013".into()));
    user.acknowledges = true;
    world.ask(&mut user, "a b").await;
    // A cumulative maximum that is lower than the last one, though it would pay.
    user.sequence = 6;
    let (body, _) = user.body(r#"{"model":"1:2","prompt":"x","max_tokens":1}"#);
    let hash = openledger_types::formats::request_hash(body.as_bytes(), &[50; 32]);
    let mut voucher = user.voucher(&hash);
    voucher.cumulative_max = 49_999u128.into();
    let payment =
        PaymentSignature { voucher: user.sign(voucher), nonce: HexBinary::from([50u8; 32].as_slice()) };
    let found = code(world.send("/v1/completions", &body, Some(&payment)).await).await;
    assert_eq!(found, (409, "E-PAY-014".into()));
}

#[tokio::test]
async fn rule_s3_a_closing_session_takes_no_requests() {
    let home = tempfile::tempdir().unwrap();
    let chain = new_chain();
    let world = World::start(home.path(), chain.clone(), Rote::default()).await;
    let mut user = User::open(&chain, 7);
    chain.state().sessions.get_mut(&7).unwrap().close_requested_at = Some(100);
    let (body, payment) = user.request("a", 1);
    let found = code(world.send("/v1/completions", &body, Some(&payment)).await).await;
    assert_eq!(found, (402, "E-PAY-008".into()));
    {
        let mut state = chain.state();
        state.sessions.get_mut(&7).unwrap().close_requested_at = None;
        state.height = 100 + 500 - 4;
    }
    let found = code(world.send("/v1/completions", &body, Some(&payment)).await).await;
    assert_eq!(found, (402, "E-PAY-008".into()));
    chain.state().height = 100 + 500 - 6;
    assert_eq!(world.send("/v1/completions", &body, Some(&payment)).await.status(), 200);
}
