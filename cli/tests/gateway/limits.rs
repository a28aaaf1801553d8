//! What the endpoint refuses.

use serde_json::json;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_promised_above_the_limit() {
    let (home, chain) = (tempfile::tempdir().unwrap(), new_chain());
    let world = node(home.path(), &chain, NODE, Alphabet::default()).await;
    let mut client = Client::open(&chain, &[(NODE, &world.url)], CAP);
    client.limit = Some(fee(1, 10) + fee(1, 5));
    let (url, ..) = client.gateway().await;
    let ask = |tokens: u32| {
        let url = format!("{url}/completions");
        async move { post(&url, json!({"model": "1:2", "prompt": "z", "max_tokens": tokens})).await }
    };
    assert_eq!(ask(10).await.status(), 200);
    let refused = ask(6).await;
    assert_eq!(
        (refused.status().as_u16(), refused.headers()["x-should-retry"].to_str().unwrap()),
        (402, "false")
    );
    let body: Value = refused.json().await.unwrap();
    assert_eq!(
        (&body["error"]["code"], &body["error"]["type"]),
        (&json!("E-CLI-078"), &json!("insufficient_quota"))
    );
    assert_eq!(ask(5).await.status(), 200);
    let state = client.state();
    assert_eq!((state.nodes[0].count, state.nodes[0].promised.u128()), (2, client.limit.unwrap()));
    // The limit is the session's: a new run starts from what was spent.
    let (url, ..) = client.gateway().await;
    let body = json!({"model": "1:2", "prompt": "z", "max_tokens": 1});
    assert_eq!(post(&format!("{url}/completions"), body).await.status(), 402);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attack_nobody_spends_without_the_key() {
    let (home, chain) = (tempfile::tempdir().unwrap(), new_chain());
    let world = node(home.path(), &chain, NODE, Alphabet::default()).await;
    let client = Client::open(&chain, &[(NODE, &world.url)], CAP);
    let (url, _app, mut closing) = client.gateway().await;
    let http = reqwest::Client::new();
    let body = json!({"model": "1:2", "prompt": "z"});
    for key in [None, Some("Bearer "), Some("Bearer wrong"), Some(KEY), Some("Basic a key for tests")] {
        for path in ["completions", "chat/completions", "gateway/close"] {
            let mut request = http.post(format!("{url}/{path}")).json(&body);
            if let Some(key) = key {
                request = request.header("authorization", key);
            }
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), 401, "{key:?} {path}");
            // A page of another origin may not even read that.
            assert!(!response.headers().contains_key("access-control-allow-origin"));
        }
    }
    assert!(closing.try_recv().is_err());
    assert_eq!(client.state().nodes[0].promised.u128(), 0);
    let closed = http.post(format!("{url}/gateway/close")).bearer_auth(KEY).send().await.unwrap();
    assert_eq!(closed.status(), 202);
    assert!(closing.try_recv().is_ok());
    let late = post(&format!("{url}/completions"), body).await;
    assert_eq!(late.status(), 503);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_questions_are_refused_in_openais_form_and_cost_nothing() {
    let (home, chain) = (tempfile::tempdir().unwrap(), new_chain());
    let world = node(home.path(), &chain, NODE, Alphabet::default()).await;
    let client = Client::open(&chain, &[(NODE, &world.url)], CAP);
    let (url, ..) = client.gateway().await;
    let huge = "x".repeat(2 << 20);
    for (body, status, code) in [
        (json!([]), 400, "E-REQ-002"),
        (json!({"model": "2:1", "prompt": "z"}), 404, "model_not_found"),
        (json!({"prompt": "z"}), 404, "model_not_found"),
        (json!({"model": "1:2"}), 400, "E-REQ-005"),
        (json!({"model": "1:2", "prompt": "z", "n": 2}), 400, "E-REQ-013"),
        (json!({"model": "1:2", "prompt": "z", "max_tokens": 5_000}), 400, "E-REQ-012"),
        (json!({"model": "1:2", "prompt": "z", "max_tokens": -1}), 400, "E-REQ-006"),
        (json!({"model": "1:2", "prompt": huge}), 413, "E-REQ-003"),
    ] {
        let response = post(&format!("{url}/completions"), body).await;
        assert_eq!(response.status(), status, "{code}");
        assert_eq!(response.headers()["x-should-retry"], "false");
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["error"]["code"], code);
        assert!(body["error"]["message"].is_string() && body["error"]["type"].is_string());
    }
    let lost = reqwest::Client::new().get(format!("{url}/embeddings")).bearer_auth(KEY).send().await.unwrap();
    assert_eq!(lost.status(), 404);
    assert_eq!(client.state().nodes[0].promised.u128(), 0);
}
