//! The validators of a testnet: chain nodes that `testnet/validators` made and `testnet/devnet` starts.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{bail, Context as _, Result};
use openledger_client::{Chain, ChainConfig};
use serde::{Deserialize, Serialize};

use super::process::{gone, running, signal};

/// Name of the chain node's program.
const PROGRAM: &str = "openledgerd";

/// Blocks of a chain node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tip {
    /// Newest height.
    pub height: u64,
    /// Hash of its block, hexadecimal.
    pub hash: String,
    /// Oldest height that it keeps.
    pub earliest: u64,
    /// Whether it still fetches old blocks.
    pub catching_up: bool,
}

/// A validator.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Validator {
    /// Name: `validator-1`, …
    pub name: String,
    /// Folder of its chain node.
    pub home: PathBuf,
    /// RPC address.
    pub rpc: String,
    /// REST address.
    pub rest: String,
    /// First of its ports.
    pub base_port: u16,
    /// Chain nodes that it stays connected with: `id@host:port`, separated by commas.
    pub peers: String,
}

/// The validators in a folder, in order.
///
/// # Errors
/// When there is none, or a marker is not readable.
pub fn validators(home: &Path) -> Result<(String, Vec<Validator>)> {
    let (mut found, mut chain_id) = (Vec::new(), String::new());
    for number in 1.. {
        let name = format!("validator-{number}");
        let folder = home.join(&name);
        let marker = folder.join("devnet.env");
        let Ok(text) = std::fs::read_to_string(&marker) else { break };
        let field = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            line.map(str::to_string).with_context(|| format!("{} has no {key}", marker.display()))
        };
        chain_id = field("CHAIN_ID")?;
        found.push(Validator {
            name,
            rpc: field("RPC")?,
            rest: field("REST")?,
            base_port: field("BASE_PORT")?.parse().context("BASE_PORT is no port")?,
            peers: field("PEERS")?,
            home: folder,
        });
    }
    if found.is_empty() {
        bail!(
            "E-NET-001 there are no validators in {}: start them with testnet/validators up",
            home.display()
        );
    }
    Ok((chain_id, found))
}

impl Validator {
    /// What the node says of its blocks; an error when it does not answer.
    ///
    /// # Errors
    /// When it does not answer within three seconds, or with something else.
    pub async fn tip(&self, http: &reqwest::Client) -> Result<Tip> {
        tip(http, &self.rpc).await
    }

    /// The process, when it runs.
    pub fn pid(&self) -> Option<u32> {
        running(&self.home.join("openledgerd.pid"), PROGRAM, &self.home)
    }

    /// Ends it at once, as a power cut does. Not running is no error.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn kill(&self) -> Result<()> {
        let Some(pid) = self.pid() else { return Ok(()) };
        signal(pid, "KILL")?;
        let since = Instant::now();
        while !gone(pid, PROGRAM) {
            if since.elapsed() > Duration::from_secs(20) {
                bail!("E-NET-004 the chain node in {} does not end", self.home.display());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Starts it by `testnet/devnet` of the clone, without waiting for its first block.
    ///
    /// # Errors
    /// When the script fails, with its words.
    pub async fn start(&self, clone: &Path) -> Result<()> {
        self.devnet(clone, &[]).await
    }

    /// Starts it where the others do not find it: with `peers` only, listening for them at another port than
    /// the one that is known. A later [`Validator::start`] brings it back.
    ///
    /// # Errors
    /// As [`Validator::start`].
    pub async fn start_apart(&self, clone: &Path, peers: &str, p2p_port: u16) -> Result<()> {
        self.devnet(clone, &["--peers", peers, "--p2p-port", &p2p_port.to_string()]).await
    }

    async fn devnet(&self, clone: &Path, more: &[&str]) -> Result<()> {
        let output = tokio::process::Command::new(clone.join("testnet/devnet"))
            .args(["up", "--no-wait", "--home"])
            .arg(&self.home)
            .args(more)
            .stdin(std::process::Stdio::null())
            .output()
            .await?;
        if !output.status.success() {
            bail!(
                "E-NET-002 {} did not start: {}",
                self.name,
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Ok(())
    }

    /// Id under which the others know it, out of their lists of peers.
    pub fn peer_id(&self, others: &[Validator]) -> Option<String> {
        let end = format!("@127.0.0.1:{}", self.base_port + 1);
        let mut peers = others.iter().flat_map(|other| other.peers.split(','));
        peers.find_map(|peer| Some(peer.strip_suffix(&end)?.to_string()))
    }

    /// The chain through this validator.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn chain(&self, chain_id: &str) -> Result<Chain> {
        Ok(Chain::connect(ChainConfig::new(chain_id, &self.rpc)).await?)
    }
}

/// What the chain node at an RPC address says of its blocks.
///
/// # Errors
/// When it does not answer within three seconds, or with something else.
pub async fn tip(http: &reqwest::Client, rpc: &str) -> Result<Tip> {
    let answer = http.get(format!("{rpc}/status")).timeout(Duration::from_secs(3)).send().await?;
    let status: serde_json::Value = answer.json().await?;
    let sync = &status["result"]["sync_info"];
    let height = |name: &str| sync[name].as_str().and_then(|height| height.parse().ok());
    Ok(Tip {
        height: height("latest_block_height").context("no height in the answer")?,
        hash: sync["latest_block_hash"].as_str().unwrap_or_default().into(),
        earliest: height("earliest_block_height").unwrap_or_default(),
        catching_up: sync["catching_up"].as_bool().unwrap_or(true),
    })
}

/// Hash of a block and root of the state before it, hexadecimal, as one chain node knows them.
///
/// # Errors
/// When it does not answer or has not the block.
pub async fn block(http: &reqwest::Client, rpc: &str, height: u64) -> Result<(String, String)> {
    let url = format!("{rpc}/block?height={height}");
    let answer = http.get(url).timeout(Duration::from_secs(5)).send().await?;
    let block: serde_json::Value = answer.json().await?;
    let result = &block["result"];
    let hash = result["block_id"]["hash"].as_str().context("it has not this block")?;
    let state = result["block"]["header"]["app_hash"].as_str().unwrap_or_default();
    Ok((hash.into(), state.into()))
}

/// Waits until all of `validators` are at `height` or higher.
///
/// # Errors
/// When one is not after `patience`.
pub async fn wait_heights(
    http: &reqwest::Client,
    validators: &[Validator],
    height: u64,
    patience: Duration,
) -> Result<()> {
    let since = Instant::now();
    for validator in validators {
        loop {
            let at = validator.tip(http).await.map(|tip| tip.height).unwrap_or_default();
            if at >= height {
                break;
            }
            if since.elapsed() > patience {
                bail!(
                    "E-NET-005 {} is at height {at}, not {height}, after {} s",
                    validator.name,
                    patience.as_secs()
                );
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }
    Ok(())
}
