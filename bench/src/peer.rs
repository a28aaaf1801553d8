//! Peers that a script measures.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde::de::DeserializeOwned;

/// Starts `script` with `arguments` and reads the last line of JSON that it prints.
///
/// # Errors
/// When it cannot be started, or prints no such line.
pub fn measured<T: DeserializeOwned>(
    python: &Path,
    script: &Path,
    arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
) -> Result<T> {
    let output = Command::new(python)
        .arg(script)
        .args(arguments)
        .output()
        .with_context(|| format!("{} cannot be started", python.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().rfind(|line| line.starts_with('{'));
    let line = line.with_context(|| {
        format!("the peer answered nothing: {}", String::from_utf8_lossy(&output.stderr).trim())
    })?;
    Ok(serde_json::from_str(line)?)
}
