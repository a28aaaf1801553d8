//! The OpenAPI document against a node that runs: schemathesis draws requests from it, right and wrong ones, and
//! holds every answer against it. It comes from PyPI by `scripts/schemathesis`; where it is absent the test says
//! so and is skipped.

use std::path::PathBuf;
use std::process::Command;

use super::support::*;

/// The program; none, saying so, where it is not installed.
fn schemathesis() -> Option<PathBuf> {
    let folder = std::env::var_os("OPENLEDGER_CACHE").map(PathBuf::from).or_else(|| {
        let home = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
        home.map(|cache| cache.join("openledger"))
    });
    let program = folder.map(|cache| cache.join("schemathesis/python/bin/schemathesis"));
    let found = program.filter(|program| program.exists());
    if found.is_none() {
        println!("skipped: schemathesis is not installed, see scripts/schemathesis");
    }
    found
}

/// What the framework refuses before a handler sees it has the form of all refusals.
#[tokio::test]
async fn requests_that_cannot_be_read_get_an_error_in_the_documented_form() {
    let home = tempfile::tempdir().unwrap();
    let world = World::start(home.path(), new_chain(), Rote::default()).await;
    let post = |path: &str| world.http.post(format!("{}{path}", world.url));
    let get = |path: &str| world.http.get(format!("{}{path}", world.url));
    for (request, status) in [
        (get("/v1/sessions/0?from=x"), 400),
        (get("/v1/sessions/-1"), 400),
        (post("/v1/sessions/-1/settle"), 400),
        (post("/v1/replay"), 415),
        (post("/v1/models"), 405),
    ] {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status, "{}", response.url());
        assert!(status != 405 || response.headers().contains_key("allow"));
        let error: serde_json::Value = response.json().await.unwrap();
        assert_eq!(error["error"]["code"], "E-NODE-029");
        assert!(error["error"]["message"].as_str().is_some_and(|text| !text.is_empty()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_to_generated_requests_are_those_that_the_document_names() {
    let Some(program) = schemathesis() else { return };
    let home = tempfile::tempdir().unwrap();
    let world = World::start(home.path(), new_chain(), Rote::default()).await;
    let long = std::env::var_os("OPENLEDGER_LONG").is_some();
    let mut command = Command::new(program);
    command.current_dir(home.path()).arg("run").arg(format!("{}/openapi.json", world.url));
    command.args(["--checks", CHECKS, "--phases", "coverage,fuzzing", "--generation-deterministic"]);
    command.args(["--max-examples", if long { "500" } else { "20" }, "--warnings", "off", "--no-color"]);
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
}

/// No request makes the node fail, and status, form and headers of each answer are among the documented ones.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_headers_conformance,response_schema_conformance";
