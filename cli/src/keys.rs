//! Keys of accounts, kept in the home folder.

use openledger_client::{keyfile, Key};
use serde::Serialize;

use crate::context::{make_private_dir, Context};
use crate::error::{CliError, Result};

/// A key as it is shown: never its secret.
#[derive(Clone, Debug, Serialize)]
pub struct KeyInfo {
    /// Name.
    pub name: String,
    /// Address.
    pub address: String,
    /// Words to write down; only when the key was just made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mnemonic: Option<String>,
}

/// Address prefix of the chain.
pub const PREFIX: &str = "openledger";

fn save(ctx: &Context, name: &str, key: &Key) -> Result<String> {
    let path = ctx.key_path(name)?;
    make_private_dir(path.parent().unwrap_or(&ctx.home))?;
    keyfile::save(key, &path, std::env::var("OPENLEDGER_PASSPHRASE").ok().as_deref())?;
    Ok(key.address(PREFIX)?)
}

/// Makes a key.
///
/// # Errors
/// When the name is taken or the file cannot be written.
pub fn add(ctx: &Context, name: &str) -> Result<KeyInfo> {
    let (key, words) = Key::generate()?;
    Ok(KeyInfo { name: name.into(), address: save(ctx, name, &key)?, mnemonic: Some(words) })
}

/// Imports a key from its words or 64 hexadecimal digits.
///
/// # Errors
/// When they are no key, the name is taken or the file cannot be written.
pub fn import(ctx: &Context, name: &str, secret: &str) -> Result<KeyInfo> {
    let secret = secret.trim();
    let key = match secret.contains(' ') {
        true => Key::from_mnemonic(secret)?,
        false => Key::from_hex(secret)?,
    };
    Ok(KeyInfo { name: name.into(), address: save(ctx, name, &key)?, mnemonic: None })
}

/// One key.
///
/// # Errors
/// When there is none of this name.
pub fn show(ctx: &Context, name: &str) -> Result<KeyInfo> {
    Ok(KeyInfo { name: name.into(), address: ctx.key(Some(name))?.address(PREFIX)?, mnemonic: None })
}

/// Names of all keys.
///
/// # Errors
/// When the folder cannot be read.
pub fn list(ctx: &Context) -> Result<Vec<String>> {
    let dir = ctx.home.join("keys");
    let entries = match std::fs::read_dir(&dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(CliError::file(&dir, e)),
    };
    let mut names: Vec<String> = entries
        .filter_map(|e| e.ok()?.file_name().to_str()?.strip_suffix(".json").map(String::from))
        .collect();
    names.sort();
    Ok(names)
}
