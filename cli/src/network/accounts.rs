//! Accounts out of files of mnemonics, such as `testnet/dev-accounts.json`.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use openledger_client::Key;

use crate::context::Context;
use crate::keys;

/// Imports the accounts of a file into the home of keys; those that are there already are taken as they are.
///
/// # Errors
/// When the file cannot be read or a key cannot be written.
pub fn import(ctx: &Context, path: &Path) -> Result<BTreeMap<String, Key>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let file: serde_json::Value = serde_json::from_str(&text)?;
    let mut found = BTreeMap::new();
    for entry in file["accounts"].as_array().into_iter().flatten() {
        if let (Some(name), Some(words)) = (entry["name"].as_str(), entry["mnemonic"].as_str()) {
            if !ctx.key_path(name)?.exists() {
                keys::import(ctx, name, words)?;
            }
            found.insert(name.to_string(), ctx.key(Some(name))?);
        }
    }
    Ok(found)
}

/// The key called `name`; made when there is none.
///
/// # Errors
/// When it cannot be written or read.
pub fn load_or_add(ctx: &Context, name: &str) -> Result<Key> {
    if !ctx.key_path(name)?.exists() {
        keys::add(ctx, name)?;
    }
    Ok(ctx.key(Some(name))?)
}
