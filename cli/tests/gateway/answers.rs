//! Answers through the endpoint: whole, streamed, many at once, cut off by the caller.

use futures::StreamExt;
use serde_json::json;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chat_is_answered_paid_and_kept() {
    let (home, chain) = (tempfile::tempdir().unwrap(), new_chain());
    let world = node(home.path(), &chain, NODE, Alphabet::default()).await;
    let client = Client::open(&chain, &[(NODE, &world.url)], CAP);
    let (url, app, _closing) = client.gateway().await;
    let body = json!({"model": "1:2", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]});
    let answer: Value = post(&format!("{url}/chat/completions"), body).await.json().await.unwrap();
    assert_eq!(answer["choices"][0]["message"]["content"], "abcde");
    assert_eq!(answer["choices"][0]["finish_reason"], "length");
    let prompt = "User: hi\n\nAssistant:".len() as u32;
    assert_eq!(
        answer["usage"],
        json!({"prompt_tokens": prompt, "completion_tokens": 5, "total_tokens": prompt + 5})
    );
    assert_eq!(answer["openledger"]["fee"], fee(prompt, 5).to_string());
    let state = client.state();
    assert_eq!((state.nodes[0].count, state.nodes[0].outstanding.len()), (1, 0));
    assert_eq!(client.kept().len(), 1);

    let costs: Value = reqwest::Client::new()
        .get(format!("{url}/gateway"))
        .bearer_auth(KEY)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(
        (&costs["spent"], &costs["limit"]),
        (&json!(fee(prompt, 5).to_string()), &json!(CAP.to_string()))
    );
    app.idle().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chat_is_bound_by_a_schema_in_the_order_of_its_members() {
    let (home, chain) = (tempfile::tempdir().unwrap(), new_chain());
    let world = node(home.path(), &chain, NODE, Alphabet::default()).await;
    let client = Client::open(&chain, &[(NODE, &world.url)], CAP);
    let (url, _, _closing) = client.gateway().await;
    let body = format!(
        r#"{{"model":"1:2","max_tokens":200,"messages":[{{"role":"user","content":"hi"}}],"response_format":{FORMAT}}}"#
    );
    let send = |body: String, path: &str| {
        let request = reqwest::Client::new().post(format!("{url}/{path}")).bearer_auth(KEY);
        request.header("content-type", "application/json").body(body).send()
    };
    let answer: Value = send(body.clone(), "chat/completions").await.unwrap().json().await.unwrap();
    is_bound(answer["choices"][0]["message"]["content"].as_str().unwrap());
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
    // Refused before anything is paid: a schema that cannot be enforced, and a completion.
    let pattern = body.replace(r#"{"type":"integer"}"#, r#"{"type":"string","pattern":"a*"}"#);
    let refused = send(pattern, "chat/completions").await.unwrap();
    assert_eq!(refused.status(), 400);
    let said: Value = refused.json().await.unwrap();
    assert_eq!(said["error"]["code"], "E-REQ-015");
    assert!(said["error"]["message"].as_str().unwrap().contains("pattern"), "{said}");
    let completion = body.replace(r#""messages":[{"role":"user","content":"hi"}]"#, r#""prompt":"a""#);
    assert_eq!(send(completion, "completions").await.unwrap().status(), 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_has_openais_parts_and_ends_with_the_usage_when_asked() {
    let (home, chain) = (tempfile::tempdir().unwrap(), new_chain());
    let world = node(home.path(), &chain, NODE, Alphabet::default()).await;
    let client = Client::open(&chain, &[(NODE, &world.url)], CAP);
    let (url, ..) = client.gateway().await;
    let body = json!({"model": "1", "max_tokens": 3, "stream": true, "stream_options": {"include_usage": true},
        "messages": [{"role": "user", "content": "hi"}]});
    let text = post(&format!("{url}/chat/completions"), body).await.text().await.unwrap();
    let parts: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    assert_eq!(parts.last(), Some(&"[DONE]"));
    let parts: Vec<Value> =
        parts[..parts.len() - 1].iter().map(|p| serde_json::from_str(p).unwrap()).collect();
    assert_eq!(parts[0]["choices"][0]["delta"]["role"], "assistant");
    let written: String = parts.iter().filter_map(|p| p["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(written, "abc");
    let last = &parts[parts.len() - 1];
    assert_eq!((&last["choices"], &last["usage"]["completion_tokens"]), (&json!([]), &json!(3)));
    let ends: Vec<&Value> =
        parts.iter().map(|p| &p["choices"][0]["finish_reason"]).filter(|f| f.is_string()).collect();
    assert_eq!(ends, [&json!("length")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rule_s1_many_questions_at_once_keep_the_log_in_order() {
    let (home, chain) = (tempfile::tempdir().unwrap(), new_chain());
    let model = Alphabet { pause: Duration::from_millis(1), ..Alphabet::default() };
    let world = node(home.path(), &chain, NODE, model).await;
    let client = Client::open(&chain, &[(NODE, &world.url)], CAP);
    let (url, app, _closing) = client.gateway().await;
    let asked = (1..=12u32).map(|n| {
        let url = format!("{url}/completions");
        async move {
            // Of different lengths, so that later ones end before earlier ones.
            let body = json!({"model": "1:2", "prompt": "z", "max_tokens": 1 + n % 5 * 4});
            let answer: Value = post(&url, body).await.json().await.unwrap();
            (n, answer["choices"][0]["text"].as_str().unwrap_or_default().len() as u32)
        }
    });
    for (n, len) in futures::future::join_all(asked).await {
        assert_eq!(len, 1 + n % 5 * 4);
    }
    app.idle().await;
    let (state, theirs) = (client.state(), world.session(SESSION).await);
    assert_eq!((state.nodes[0].count, state.nodes[0].outstanding.len()), (12, 0));
    // What this side acknowledges next is what the node has signed.
    assert_eq!(state.nodes[0].acknowledged().unwrap(), theirs.log);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_leaves_pays_for_what_was_made_and_no_more() {
    let (home, chain) = (tempfile::tempdir().unwrap(), new_chain());
    let model = Alphabet { pause: Duration::from_millis(20), ..Alphabet::default() };
    let written = model.written.clone();
    let world = node(home.path(), &chain, NODE, model).await;
    let client = Client::open(&chain, &[(NODE, &world.url)], CAP);
    let (url, app, _closing) = client.gateway().await;
    let body = json!({"model": "1:2", "prompt": "z", "max_tokens": 400, "stream": true});
    let mut stream = post(&format!("{url}/completions"), body).await.bytes_stream();
    stream.next().await.unwrap().unwrap();
    drop(stream);
    app.idle().await;
    let kept = client.kept();
    let receipt = &kept[0].receipt.receipt;
    assert_eq!(receipt.outcome, Outcome::Cancelled);
    assert_eq!(u64::from(receipt.tokens_out), written.load(Ordering::SeqCst));
    assert!(receipt.tokens_out < 400);
    assert_eq!(client.state().nodes[0].count, 1);
    // The session goes on.
    let body = json!({"model": "1:2", "prompt": "z", "max_tokens": 2});
    assert_eq!(post(&format!("{url}/completions"), body).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_kill_the_next_run_fetches_what_was_promised() {
    let (home, chain) = (tempfile::tempdir().unwrap(), new_chain());
    let model = Alphabet { pause: Duration::from_millis(10), ..Alphabet::default() };
    let world = node(home.path(), &chain, NODE, model).await;
    let client = Client::open(&chain, &[(NODE, &world.url)], CAP);
    {
        let payer = client.payer();
        let mut body = openledger::payer::Body::new();
        body.insert("prompt".into(), "z".into());
        body.insert("max_tokens".into(), 300.into());
        let mut on_text = |_: &str| ControlFlow::Continue(());
        let asked = payer.ask(openledger_node::request::Endpoint::Completions, body, &mut on_text);
        // The future is dropped as a kill would end it: nothing more is written.
        assert!(tokio::time::timeout(Duration::from_millis(300), asked).await.is_err());
    }
    assert_eq!(client.state().nodes[0].outstanding.len(), 1);
    let payer = client.payer();
    assert!(payer.is_interrupted());
    payer.take_over().unwrap();
    payer.reconcile().await.unwrap();
    let state = client.state();
    assert_eq!((state.nodes[0].count, state.nodes[0].outstanding.len()), (1, 0));
    let receipt = &client.kept()[0].receipt.receipt;
    assert_eq!(receipt.outcome, Outcome::Cancelled);
    assert!(receipt.tokens_out < 300);
}
