//! What contributors of a chain that runs can ask about their pay: the audit by training again of the model that paid
//! them, and what a draft would be worth.
//!
//! `scripts/test --stage live` leaves the demo's chain and node running and names its folder in `OPENLEDGER_TEST_DEMO`;
//! without it these tests say so and do nothing.

mod tool;

use std::path::Path;

use anyhow::{ensure, Context as _, Result};
use serde_json::Value;

use tool::Tool;

const STAGE: &str = "scripts/test --stage live";

/// What the demo wrote.
fn summary(tool: &Tool) -> Result<Value> {
    Ok(serde_json::from_slice(&std::fs::read(tool.demo.join("summary.json"))?)?)
}

/// Trains the demo's model again, whole and without each of two contributors: the published weights come out to the bit, no row
/// of its index is bent, and nobody is called favoured.
#[test]
fn the_model_that_paid_is_audited_by_training_it_again() -> Result<()> {
    let Some(tool) = Tool::of_demo(STAGE)? else { return Ok(()) };
    let summary = summary(&tool)?;
    let model = summary["model"]["id"].to_string();
    let out = tempfile::tempdir()?;
    let folder = out.path().to_str().context("a path that is no text")?;
    let plan = ["audit-attribution", &model, "--contributors", "2", "--out", folder, "--plan"];
    let planned = tool.run("user", &plan)?;
    let cost = &planned["cost"];
    ensure!(cost["trainings"] == 3 && planned["report"].is_null(), "{planned}");
    ensure!(cost["questions"].as_u64().is_some_and(|n| n > 0), "{planned}");
    // A model that was trained for minutes takes minutes for every contributor.
    let seconds = summary["model"]["train_seconds"].as_f64().context("the demo did not train")?;
    if seconds > 90.0 {
        println!("the model took {seconds:.0} s: its audit was planned alone");
        return Ok(());
    }
    let audited = tool.run("user", &plan[..plan.len() - 1])?;
    let report = &audited["report"];
    ensure!(report["reproduced"] == true, "{report}");
    ensure!(report["audited"].as_array().is_some_and(|audited| audited.len() == 2), "{report}");
    for file in ["report.json", "report.html"] {
        ensure!(Path::new(folder).join(file).is_file(), "there is no {file}");
    }
    println!("audit of model {model}: {cost}, {}", report["agreement"]);
    Ok(())
}

/// An answer that was paid, handed in as a draft, is found again in the data that it rests on, and would have been paid
/// for itself; a text in words that nobody has would not.
#[test]
fn a_draft_is_held_against_data_and_paid_answers() -> Result<()> {
    let Some(tool) = Tool::of_demo(STAGE)? else { return Ok(()) };
    let summary = summary(&tool)?;
    let (datanet, model) = (summary["datanet"]["id"].to_string(), summary["model"]["id"].to_string());
    let answers = summary["answers"].as_array().context("the demo has no answers")?;
    let said: Vec<&str> = answers.iter().filter_map(|answer| answer["answer"].as_str()).collect();
    let dir = tempfile::tempdir()?;
    let estimate = |name: &str, text: &str| -> Result<Value> {
        let draft = dir.path().join(name);
        std::fs::write(&draft, text)?;
        let draft = draft.to_str().context("a path that is no text")?;
        tool.run("user", &["estimate", draft, "--datanet", &datanet, "--model", &model])
    };
    let strange: String = (0..200).map(|n| format!("qy{}zu ", n * n + 7)).collect();
    let (known, strange) = (estimate("answers.txt", &said.join("\n"))?, estimate("strange.txt", &strange)?);
    let novelty = |found: &Value| found["drafts"][0]["novelty_bps"].as_u64();
    ensure!(novelty(&known) < novelty(&strange), "{known} {strange}");
    // No floor is under influence: of words of nobody a few ten thousandths may be left.
    let most = strange["earnings"]["share"]["high"].as_f64();
    ensure!(most.is_some_and(|share| share < 0.001), "{strange}");
    ensure!(known["earnings"]["questions"].as_u64().is_some_and(|n| n > 0), "{known}");
    ensure!(known["earnings"]["uses"].as_u64().is_some_and(|n| n > 0), "{known}");
    println!("draft of the paid answers: {}", known["earnings"]);
    Ok(())
}
