//! What every command works with: home folder, deployment, chain, keys, node.

use std::path::{Path, PathBuf};

use openledger_client::contracts::{Contracts, Reader};
use openledger_client::{keyfile, Chain, ChainConfig, Key, Signer};
use serde::{Deserialize, Serialize};

use crate::error::{CliError, Result};

/// Denom of fees and bonds.
pub const DENOM: &str = "uopen";

/// A deployment: what `openledger deploy` writes and every command reads.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Deployment {
    /// Chain id.
    pub chain_id: String,
    /// CometBFT RPC address.
    pub rpc: String,
    /// Addresses of the contracts.
    pub contracts: Contracts,
    /// Code ids, by contract.
    #[serde(default)]
    pub code_ids: std::collections::BTreeMap<String, u64>,
    /// Owner and admin: the governance account.
    #[serde(default)]
    pub owner: String,
}

/// Settings as given by file, environment and flags.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// RPC address that replaces the deployment's.
    pub rpc: Option<String>,
    /// Deployment file.
    pub deployment: Option<PathBuf>,
    /// Base URL of the node to use.
    pub node: Option<String>,
    /// Name of the key to sign with.
    pub key: Option<String>,
}

/// What every command works with.
#[derive(Clone)]
pub struct Context {
    /// Folder of keys, sessions and journals.
    pub home: PathBuf,
    /// Settings.
    pub settings: Settings,
    /// Whether progress is shown.
    pub progress: bool,
    /// Client for nodes.
    pub http: reqwest::Client,
}

impl Context {
    /// Opens a home folder and reads its `config.toml`; what `flags` names wins.
    ///
    /// # Errors
    /// When the folder cannot be made or the file is not valid.
    pub fn open(home: PathBuf, flags: Settings, progress: bool) -> Result<Self> {
        make_private_dir(&home)?;
        let path = home.join("config.toml");
        let mut settings = match std::fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text).map_err(|e| CliError::file(&path, e))?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Settings::default(),
            Err(e) => return Err(CliError::file(&path, e)),
        };
        settings.rpc = flags.rpc.or(settings.rpc);
        settings.deployment = flags.deployment.or(settings.deployment);
        settings.node = flags.node.or(settings.node);
        settings.key = flags.key.or(settings.key);
        let http = crate::node_http::client(std::time::Duration::from_secs(5))?;
        Ok(Context { home, settings, progress, http })
    }

    /// Where the deployment file is.
    pub fn deployment_path(&self) -> PathBuf {
        self.settings.deployment.clone().unwrap_or_else(|| self.home.join("deployment.json"))
    }

    /// The deployment.
    ///
    /// # Errors
    /// When there is no valid deployment file.
    pub fn deployment(&self) -> Result<Deployment> {
        let path = self.deployment_path();
        let text = std::fs::read_to_string(&path).map_err(|e| CliError {
            advice: "name the deployment file with --deployment, or make one with `openledger deploy`".into(),
            ..CliError::file(&path, e)
        })?;
        serde_json::from_str(&text).map_err(|e| CliError::file(&path, e))
    }

    /// The chain of the deployment, reached and compared with its id.
    ///
    /// # Errors
    /// When the chain is not there or is another one.
    pub async fn chain(&self) -> Result<Chain> {
        let deployment = self.deployment()?;
        let rpc = self.settings.rpc.clone().unwrap_or(deployment.rpc);
        Ok(Chain::connect(ChainConfig::new(deployment.chain_id, rpc)).await?)
    }

    /// Typed questions to the deployed contracts.
    ///
    /// # Errors
    /// As [`Context::chain`].
    pub async fn reader(&self) -> Result<Reader> {
        Ok(self.deployment()?.contracts.on(&self.chain().await?))
    }

    /// Path of the file of the key called `name`.
    ///
    /// # Errors
    /// When the name could leave the folder.
    pub fn key_path(&self, name: &str) -> Result<PathBuf> {
        check_name(name)?;
        Ok(self.home.join("keys").join(format!("{name}.json")))
    }

    /// The key called `name`, else the one of `--key`.
    ///
    /// # Errors
    /// When there is no such key or its file cannot be used.
    pub fn key(&self, name: Option<&str>) -> Result<Key> {
        let name = name.or(self.settings.key.as_deref()).ok_or_else(|| {
            CliError::usage("no key is named: use --key NAME (`openledger keys add NAME` makes one)")
        })?;
        let passphrase = std::env::var("OPENLEDGER_PASSPHRASE").ok();
        Ok(keyfile::load(&self.key_path(name)?, passphrase.as_deref())?)
    }

    /// The account of a key on the deployment's chain.
    ///
    /// # Errors
    /// As [`Context::key`] and [`Context::chain`].
    pub async fn signer(&self, name: Option<&str>) -> Result<Signer> {
        Ok(self.chain().await?.signer(self.key(name)?)?)
    }

    /// Base URL of the node given by `--node`, without a slash at its end.
    ///
    /// # Errors
    /// When none is given.
    pub fn node_url(&self) -> Result<String> {
        let url = self.settings.node.clone().ok_or_else(|| {
            CliError::usage("no node is named: use --node URL (`openledger node list` shows those on record)")
        })?;
        Ok(url.trim_end_matches('/').to_string())
    }
}

/// Refuses names that are not plain file names.
///
/// # Errors
/// Always for an empty, long or unusual name.
pub fn check_name(name: &str) -> Result<()> {
    let plain = !name.is_empty()
        && name.len() <= 64
        && !name.starts_with('.')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    match plain {
        true => Ok(()),
        false => {
            Err(CliError::usage(format!("{name:?} is no name: use letters, digits, - _ . (at most 64)")))
        }
    }
}

/// Makes a folder that only its owner can read.
///
/// # Errors
/// When it cannot be made.
pub fn make_private_dir(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).map_err(|e| CliError::file(path, e))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))
            .map_err(|e| CliError::file(path, e))?;
    }
    Ok(())
}

/// Writes a file whole or not at all, readable by its owner alone, durable when it returns.
///
/// # Errors
/// When it cannot be written, for example on a full disk; the old file is then untouched.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    use std::io::Write;
    let fail = |e: std::io::Error| CliError::file(path, e);
    let part = path.with_extension(format!("part-{}", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let written = options.open(&part).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    if let Err(e) = written.and_then(|()| std::fs::rename(&part, path)) {
        // The part is of no use to anyone; the error that matters is the first.
        let _ = std::fs::remove_file(&part);
        return Err(fail(e));
    }
    if let Some(dir) = path.parent() {
        std::fs::File::open(dir).and_then(|d| d.sync_all()).map_err(fail)?;
    }
    Ok(())
}

/// Writes a value as JSON, as [`write_private`].
///
/// # Errors
/// As [`write_private`].
pub fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    let mut bytes = serde_json::to_vec_pretty(value).map_err(|e| CliError::file(path, e))?;
    bytes.push(b'\n');
    write_private(path, &bytes)
}

/// Reads a JSON file of at most 256 MiB.
///
/// # Errors
/// When it is missing, too large or not of this form.
pub fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let length = std::fs::metadata(path).map_err(|e| CliError::file(path, e))?.len();
    if length > 256 << 20 {
        return Err(CliError::file(path, "larger than 256 MiB"));
    }
    let bytes = std::fs::read(path).map_err(|e| CliError::file(path, e))?;
    serde_json::from_slice(&bytes).map_err(|e| CliError::file(path, e))
}
