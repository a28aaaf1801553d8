//! The operator's file: `config.toml` in the node's home, commented line by line.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use openledger_client::contracts::Contracts;
use openledger_client::ChainConfig;
use serde::{Deserialize, Serialize};

use crate::audit::AuditSettings;
use crate::engine::Place;
use crate::fault::{Fault, Result};
use crate::serve::Settings;
use crate::storage::KeepSettings;

/// The file with every setting and what it means; `init` writes it.
pub const EXAMPLE: &str = include_str!("../config.example.toml");

/// Most bytes of the file.
const MAX_FILE: u64 = 1 << 20;

/// Everything in the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Number in the registry; 0 before the registration.
    pub node_id: u64,
    /// Address and port of the HTTP API.
    pub listen: SocketAddr,
    /// The chain.
    pub chain: ChainConfig,
    /// Addresses of the contracts.
    pub contracts: Contracts,
    /// How to serve.
    #[serde(default)]
    pub serve: Serve,
    /// How to audit; used by a node with the role `audit`.
    #[serde(default)]
    pub audit: Audit,
    /// How to keep fragments; used by a node with the role `storage`.
    #[serde(default)]
    pub storage: Storage,
}

/// How to serve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Serve {
    /// (model, version); empty for all that are stored here.
    pub models: Vec<(u64, u32)>,
    /// Threads that compute answers of the exact class, for each model.
    pub workers: usize,
    /// Answers that each of them computes together.
    pub batch: usize,
    /// MiB of keys and values that each model keeps for prompts that begin alike.
    pub prefix_mib: usize,
    /// MiB of adapters that stay in memory, over all models.
    pub adapter_mib: usize,
    /// Most MiB of one model's files.
    pub model_mib: u64,
    /// Requests that may wait beside them.
    pub queue: usize,
    /// Blocks after which a session is settled.
    pub settle_after_blocks: u64,
    /// Blocks between two settlements asked for by a client.
    pub settle_least_blocks: u64,
    /// Blocks before the end of a session's life.
    pub expiry_margin_blocks: u64,
    /// Milliseconds for which what was read from the chain is used again.
    pub cache_ms: u64,
    /// Milliseconds between two rounds of the loops.
    pub tick_ms: u64,
    /// Where answers of the class tolerant-f32 are computed: `cpu`, `cuda` or `cuda:N`.
    pub device: Place,
    /// Origins whose pages may read answers; `*` for all, empty for none.
    pub origins: Vec<String>,
}

impl Default for Serve {
    fn default() -> Self {
        let settings = Settings::default();
        Serve {
            models: Vec::new(),
            workers: settings.workers,
            batch: settings.batch,
            prefix_mib: settings.prefix_bytes >> 20,
            adapter_mib: settings.adapter_bytes >> 20,
            model_mib: settings.model_bytes >> 20,
            queue: settings.queue,
            settle_after_blocks: settings.settle_after_blocks,
            settle_least_blocks: settings.settle_least_blocks,
            expiry_margin_blocks: settings.expiry_margin_blocks,
            cache_ms: 1_000,
            tick_ms: 1_000,
            device: settings.device,
            origins: settings.origins,
        }
    }
}

impl Serve {
    /// As the server takes them.
    pub fn settings(&self) -> Settings {
        Settings {
            workers: self.workers.clamp(1, 1_024),
            batch: self.batch.clamp(1, 256),
            prefix_bytes: self.prefix_mib.min(1 << 20) << 20,
            adapter_bytes: self.adapter_mib.min(1 << 20) << 20,
            model_bytes: self.model_mib.min(1 << 20) << 20,
            queue: self.queue.min(100_000),
            cache: Duration::from_millis(self.cache_ms),
            settle_after_blocks: self.settle_after_blocks.max(1),
            settle_least_blocks: self.settle_least_blocks,
            expiry_margin_blocks: self.expiry_margin_blocks,
            tick: Duration::from_millis(self.tick_ms.max(50)),
            models: self.models.clone(),
            device: self.device,
            origins: self.origins.clone(),
            ..Settings::default()
        }
    }
}

/// How to audit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Audit {
    /// Milliseconds between two rounds over the roots of all nodes.
    pub tick_ms: u64,
    /// Base units that may be bound in demands for withheld chunks.
    pub demand_budget: u64,
    /// Base units that may be bound in cases about answers that were computed differently.
    pub dispute_budget: u64,
    /// Least pay for which a claim is sent, in base units.
    pub least_claim: u64,
    /// Part of all answers that auditors compute again together, in percent, once a node is known.
    pub replay_percent: u32,
}

impl Default for Audit {
    fn default() -> Self {
        Audit {
            tick_ms: 1_000,
            demand_budget: 0,
            dispute_budget: 5_000_000,
            least_claim: 2_000,
            replay_percent: 5,
        }
    }
}

impl Audit {
    /// As the auditor takes them.
    pub fn settings(&self) -> AuditSettings {
        AuditSettings {
            tick: Duration::from_millis(self.tick_ms.max(50)),
            demand_budget: self.demand_budget.into(),
            dispute_budget: self.dispute_budget.into(),
            least_claim: self.least_claim.into(),
            replay_percent: self.replay_percent.min(100),
            ..AuditSettings::default()
        }
    }
}

/// Where a node's blobs and fragments are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoreKind {
    /// In one file of the home.
    #[default]
    Embedded,
    /// In a bucket of an S3-compatible service.
    S3,
}

/// The bucket of a node whose blobs are in one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct S3 {
    /// Name of the bucket.
    pub bucket: String,
    /// Region that requests are signed for.
    pub region: String,
    /// URL of the service; empty: AWS.
    pub endpoint: String,
    /// First part of all keys; empty: `openledger/CHAIN_ID/node-NUMBER`.
    pub prefix: String,
    /// File of credentials; empty: environment variables.
    pub credentials: PathBuf,
    /// Longest silence of the service, in milliseconds.
    pub timeout_ms: u64,
    /// Further tries of a request that failed.
    pub retries: usize,
}

impl Default for S3 {
    fn default() -> Self {
        S3 {
            bucket: String::new(),
            region: "us-east-1".to_string(),
            endpoint: String::new(),
            prefix: String::new(),
            credentials: PathBuf::new(),
            timeout_ms: 15_000,
            retries: 4,
        }
    }
}

/// How to keep fragments, and where blobs are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Storage {
    /// Where all blobs of the node are, fragments or not.
    pub store: StoreKind,
    /// The bucket, for `store = "s3"`.
    pub s3: S3,
    /// MiB that the node offers; 0 offers nothing more and leaves.
    pub capacity_mib: u64,
    /// Milliseconds between two rounds.
    pub tick_ms: u64,
    /// Least pay for which a claim is sent, in base units.
    pub least_claim: u64,
}

impl Default for Storage {
    fn default() -> Self {
        Storage {
            store: StoreKind::default(),
            s3: S3::default(),
            capacity_mib: 1_024,
            tick_ms: 2_000,
            least_claim: 10_000,
        }
    }
}

impl Storage {
    /// As the keeper takes them.
    pub fn settings(&self) -> KeepSettings {
        KeepSettings {
            capacity: self.capacity_mib.saturating_mul(1_024),
            tick: Duration::from_millis(self.tick_ms.max(50)),
            least_claim: self.least_claim.into(),
        }
    }
}

/// Where a node keeps its things.
#[derive(Debug, Clone)]
pub struct Home(pub PathBuf);

impl Home {
    /// The configuration.
    pub fn config(&self) -> PathBuf {
        self.0.join("config.toml")
    }
    /// The key that signs transactions and, until the first rotation, receipts.
    pub fn node_key(&self) -> PathBuf {
        self.0.join("node.key")
    }
    /// The folder of signing keys that rotations made.
    pub fn signing(&self) -> PathBuf {
        self.0.join("signing")
    }
    /// The age identity for datanet keys.
    pub fn age_key(&self) -> PathBuf {
        self.0.join("age.key")
    }
    /// The journal.
    pub fn journal(&self) -> PathBuf {
        self.0.join("journal.redb")
    }
    /// The store of blobs.
    pub fn blobs(&self) -> PathBuf {
        self.0.join("blobs.redb")
    }
    /// The folder in which models are put together.
    pub fn models(&self) -> PathBuf {
        self.0.join("models")
    }
}

fn bad(path: &Path, what: impl std::fmt::Display) -> Fault {
    Fault::invalid(
        "E-CONFIG-001",
        format!("{}: {what}", path.display()),
        "Correct the file; `openledger-node init` writes one with every setting explained.",
    )
}

impl Config {
    /// Reads the file.
    ///
    /// # Errors
    /// `E-CONFIG-001` naming line and field.
    pub fn load(path: &Path) -> Result<Self> {
        let length = std::fs::metadata(path).map_err(|e| bad(path, e))?.len();
        if length > MAX_FILE {
            return Err(bad(path, "it is too large"));
        }
        let text = std::fs::read_to_string(path).map_err(|e| bad(path, e))?;
        toml::from_str(&text).map_err(|e| bad(path, e))
    }

    /// Replaces the values of single lines `key = …` in the file's text, comments and all.
    ///
    /// # Errors
    /// `E-CONFIG-001` when a line is missing.
    pub fn edit(text: &str, path: &Path, values: &[(&str, String)]) -> Result<String> {
        let mut lines: Vec<String> = text.lines().map(str::to_string).collect();
        for (key, value) in values {
            let (section, name) = key.rsplit_once('.').unwrap_or(("", key));
            let mut here = String::new();
            let line = lines.iter_mut().find(|line| {
                if let Some(title) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
                    here = title.to_string();
                }
                here == section && line.split('=').next().map(str::trim) == Some(name)
            });
            *line.ok_or_else(|| bad(path, format!("there is no line `{key} = …`")))? =
                format!("{name} = {value}");
        }
        Ok(lines.join("\n") + "\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_is_read_and_has_the_defaults() {
        let config: Config = toml::from_str(EXAMPLE).unwrap();
        assert_eq!((config.serve, config.audit), (Serve::default(), Audit::default()));
        assert_eq!(config.storage, Storage::default());
        assert!(config.listen.ip().is_loopback());
        for (right, wrong) in [
            ("queue = 16", "qeue = 16"),
            ("store = \"embedded\"", "store = \"s4\""),
            ("bucket = \"\"", "bukket = \"\""),
            // Secrets have no place in this file.
            ("bucket = \"\"", "secret_access_key = \"x\""),
        ] {
            assert!(EXAMPLE.contains(right), "{right}");
            assert!(toml::from_str::<Config>(&EXAMPLE.replace(right, wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_bucket_is_chosen_by_two_lines() {
        let values =
            [("storage.store", "\"s3\"".to_string()), ("storage.s3.bucket", "\"blobs\"".to_string())];
        let text = Config::edit(EXAMPLE, Path::new("config.toml"), &values).unwrap();
        let config: Config = toml::from_str(&text).unwrap();
        assert_eq!((config.storage.store, config.storage.s3.bucket.as_str()), (StoreKind::S3, "blobs"));
    }

    #[test]
    fn single_lines_are_replaced_in_their_section() {
        let path = Path::new("config.toml");
        let values = [
            ("node_id", "7".to_string()),
            ("chain.rpc", "\"http://127.0.0.1:1\"".to_string()),
            ("contracts.datanet", "\"openledger1x\"".to_string()),
        ];
        let text = Config::edit(EXAMPLE, path, &values).unwrap();
        let config: Config = toml::from_str(&text).unwrap();
        assert_eq!((config.node_id, config.chain.rpc.as_str()), (7, "http://127.0.0.1:1"));
        assert_eq!(config.contracts.datanet, "openledger1x");
        assert_eq!(text.matches('#').count(), EXAMPLE.matches('#').count());
        assert!(Config::edit(EXAMPLE, path, &[("chain.nothing", String::new())]).is_err());
    }
}
