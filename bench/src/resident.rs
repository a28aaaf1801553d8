//! Memory of a process that serves a model, beside what it cannot do without: weights, keys and values.

use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use openledger_node::engine::Model;

use crate::engine::request;
use crate::report::Metric;

/// Tokens of the sequence: read and written.
const READ: usize = 256;
const WRITTEN: usize = 128;

/// Resident bytes of this process now.
fn resident() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status").context("memory is read from /proc")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS in /proc")?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse().context("VmRSS is no number")?;
    Ok(kib * 1_024.0)
}

/// In a process of its own: loads the model, writes an answer, and prints resident bytes as a part of the int8 rows
/// with their scales and the keys and values of the answer.
///
/// # Errors
/// When the model cannot be loaded, or the system does not tell.
pub fn print(folder: &Path) -> Result<()> {
    let model = Model::load(folder)?;
    model.generate(&request(READ, WRITTEN, 1), &mut |_| ControlFlow::Continue(()))?;
    let config = model.config();
    let width = config.hidden_size / config.num_attention_heads
        * config.num_key_value_heads.unwrap_or(config.num_attention_heads);
    // Keys and values of two bytes each.
    let cache = config.num_hidden_layers * width * 2 * 2 * (READ + WRITTEN);
    let needed = model.quantized_bytes().context("the model is not of the class exact")? + cache;
    println!("{}", resident()? / needed as f64);
    Ok(())
}

/// Measures in processes of their own.
///
/// # Errors
/// Of the process.
pub fn measure(folder: &Path, runs: usize) -> Result<Metric> {
    let one = |_| -> Result<f64> {
        let program = std::env::current_exe().context("this program cannot be found")?;
        let output =
            Command::new(program).arg("resident").arg(folder).output().context("cannot be started")?;
        let text = String::from_utf8_lossy(&output.stdout);
        text.trim().parse().with_context(|| String::from_utf8_lossy(&output.stderr).trim().to_string())
    };
    Ok(Metric::of("rss_share", "", (0..runs).map(one).collect::<Result<_>>()?))
}
