//! Models made elsewhere on a chain that runs: one command registers and serves each, an answer is paid, and verified
//! from its receipt alone by computing it again.
//!
//! `scripts/test --full --stage live` leaves the demo's chain and node running and names its folder in `OPENLEDGER_TEST_DEMO`;
//! without it this test says so and does nothing.

#[path = "../../inference-node/tests/exact/made.rs"]
mod made;
mod tool;

use std::path::Path;

use anyhow::{ensure, Context as _, Result};
use serde_json::Value;

use tool::Tool;

/// Registers what lies at `path` and serves it, asks it, verifies the answer.
fn serves(tool: &Tool, path: &Path, name: &str) -> Result<()> {
    let path = path.to_str().context("a path that is no text")?;
    let prices = ["--price-in", "100", "--price-out", "1000"];
    let register =
        [&["model", "register", path, "--class", "exact", "--name", name][..], &prices[..]].concat();
    let registered = tool.run("developer", &register)?;
    let model = format!("{}:{}", registered["model_id"], registered["version"]);
    let node_id = node_id(tool)?.to_string();
    let open = ["session", "open", &model, "--node-id", &node_id, "--deposit", "1000000"];
    let session = tool.run("user", &open)?["session_id"].to_string();
    let ask = ["ask", "the node pays the owner", "--session", &session, "--max-tokens", "24"];
    let answer = tool.run("user", &ask)?;
    let receipt = &answer["bundle"]["receipt"]["receipt"];
    ensure!(receipt["model_id"] == registered["model_id"], "another model answered: {receipt}");
    // Nobody is known to have taught it: the whole data part is without evidence.
    ensure!(receipt["no_evidence"] == 10_000 && receipt["shares"] == Value::Array(vec![]), "{receipt}");
    let file = answer["file"].as_str().context("the answer names no file")?;
    let report = tool.run("user", &["verify", file])?;
    let checks = report["checks"].as_array().context("no checks")?;
    ensure!(report["holds"] == true && checks.len() > 10, "{report}");
    let replayed = checks.iter().any(|c| c["name"] == "replay of the answer" && c["holds"] == true);
    ensure!(replayed, "the answer was not computed again: {report}");
    println!("{name}: model {model}, {} checks hold", checks.len());
    Ok(())
}

fn node_id(tool: &Tool) -> Result<u64> {
    let url = format!("{}/v1/node", tool.node);
    let said =
        tokio::runtime::Runtime::new()?.block_on(async { reqwest::get(url).await?.json::<Value>().await })?;
    said["node_id"].as_u64().context("the node does not say who it is")
}

#[test]
fn a_folder_and_a_gguf_file_are_registered_served_and_verified_by_one_command_each() -> Result<()> {
    let Some(tool) = Tool::of_demo("scripts/test --full --stage live")? else { return Ok(()) };
    let dir = tempfile::tempdir()?;
    for model_type in ["llama", "qwen3"] {
        let folder = dir.path().join(model_type);
        std::fs::create_dir(&folder)?;
        made::folder_of(model_type, &folder);
        serves(&tool, &folder, &format!("folder-{model_type}"))?;
        let file = dir.path().join(format!("{model_type}.gguf"));
        std::fs::write(&file, made::gguf(model_type))?;
        serves(&tool, &file, &format!("gguf-{model_type}"))?;
    }
    Ok(())
}
