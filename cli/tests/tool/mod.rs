//! The command line tool on the home folder of a demo that `scripts/test --stage live` left running.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{ensure, Context as _, Result};
use serde_json::Value;

/// The tool on the demo's home folder.
pub struct Tool {
    /// The demo's folder.
    pub demo: PathBuf,
    /// Address of its node.
    pub node: String,
}

impl Tool {
    /// The demo that the environment names (`OPENLEDGER_TEST_DEMO` its folder, `OPENLEDGER_TEST_NODE` its node); none, and
    /// a word about it, where it names none.
    pub fn of_demo(stage: &str) -> Result<Option<Self>> {
        let Some(demo) = std::env::var_os("OPENLEDGER_TEST_DEMO").map(PathBuf::from) else {
            eprintln!("OPENLEDGER_TEST_DEMO names no demo: nothing was tested ({stage})");
            return Ok(None);
        };
        let node = std::env::var("OPENLEDGER_TEST_NODE").context("OPENLEDGER_TEST_NODE names no node")?;
        Ok(Some(Tool { demo, node }))
    }

    /// Runs a command; what it prints as JSON.
    pub fn run(&self, key: &str, args: &[&str]) -> Result<Value> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_openledger"));
        command.arg("--home").arg(self.demo.join("home"));
        command.args(["--node", &self.node, "--key", key, "--json"]).args(args);
        let output = command.output()?;
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.success(), "{args:?}\n{out}\n{err}");
        serde_json::from_str(&out).with_context(|| format!("{args:?} printed {out}"))
    }
}
