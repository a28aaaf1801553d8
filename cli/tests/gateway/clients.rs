//! OpenAI's own clients for Python and JavaScript, unchanged, against the endpoint. They come from the
//! registries by `scripts/openai-clients`; where they are absent the tests say so and are skipped.

use std::process::Command;

use super::*;

/// A program with its client installed; none, saying so, where it is not.
fn client(program: &str, module: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("OPENLEDGER_OPENAI_CLIENTS").map(PathBuf::from).or_else(|| {
        let cache = std::env::var_os("OPENLEDGER_CACHE").map(PathBuf::from).or_else(|| {
            let home = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
            let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
            home.map(|cache| cache.join("openledger"))
        });
        cache.map(|cache| cache.join("openai-clients"))
    });
    let found = folder.filter(|folder| folder.join(module).exists());
    if found.is_none() {
        println!("skipped: OpenAI's client for {program} is not installed, see scripts/openai-clients");
    }
    found
}

/// Runs a script of this folder against a gateway; what it prints as its last line.
async fn run(program: &Path, script: &str, folder: &Path) -> Value {
    let (home, chain) = (tempfile::tempdir().unwrap(), new_chain());
    let world = node(home.path(), &chain, NODE, Alphabet::default()).await;
    let mut client = Client::open(&chain, &[(NODE, &world.url)], CAP);
    client.limit = Some(CAP / 100);
    let (url, app, _closing) = client.gateway().await;
    let script = std::env::current_dir().unwrap().join("tests/gateway").join(script);
    let mut command = Command::new(program);
    command.arg(script).env("OPENAI_BASE_URL", url).env("OPENAI_API_KEY", KEY).current_dir(folder);
    command.env("OPENLEDGER_OPENAI_CLIENTS", folder);
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    app.idle().await;
    // Whatever the client did, every answer was paid and written down, and nothing else promised.
    let state = client.state();
    assert_eq!(state.nodes[0].outstanding.len(), 0);
    assert_eq!(state.nodes[0].acknowledged().unwrap(), world.session(SESSION).await.log);
    serde_json::from_str(out.lines().last().unwrap_or_default()).unwrap()
}

/// What both scripts must have seen.
fn check(seen: &Value) {
    let expected = serde_json::json!({
        "models": ["1:2"],
        "whole": "abcde",
        "finish": "length",
        "completion_tokens": 5,
        "streamed": "abcd",
        "usage": 4,
        "completion": "bcd",
        "bound": ["shade", "coats", "dry"],
        "bad_schema": 400,
        "wrong_model": 404,
        "too_long": 400,
        "over_the_limit": 402,
        "wrong_key": 401,
    });
    assert_eq!(*seen, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openais_python_client_works_unchanged() {
    let Some(folder) = client("Python", "python/bin/python") else { return };
    check(&run(&folder.join("python/bin/python"), "client.py", &folder).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openais_javascript_client_works_unchanged() {
    let Some(folder) = client("JavaScript", "node_modules/openai/package.json") else { return };
    check(&run(Path::new("node"), "client.mjs", &folder).await);
}
