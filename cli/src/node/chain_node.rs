//! A chain node of one's own, brought to the present by state sync: it fetches a snapshot of the state from its
//! peers and checks it by the light client's rules against a block hash that two RPC endpoints agree on.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use base64::prelude::{Engine, BASE64_STANDARD};
use openledger_node::config::Config;
use serde_json::Value;

use crate::context::Context;
use crate::error::{Class, CliError, Result};
use crate::network::{process, validator};

/// Blocks below which a chain is fetched from its first block: there may be no snapshot yet.
const SHORT: u64 = 250;
/// Blocks between the trusted block and the newest one: every snapshot that peers offer is about there or later.
const BEHIND: u64 = 150;
/// How long it may take to reach the present.
const SYNC: Duration = Duration::from_secs(1_800);
/// Most parts of a genesis file, of 16 MiB each.
const MAX_PARTS: u64 = 64;

/// Which chain node to run beside the node.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ChainArgs {
    /// Run a chain node in this folder and use it, instead of the deployment's RPC address
    #[arg(long = "with-chain", value_name = "DIR")]
    pub with_chain: Option<PathBuf>,
    /// The program openledgerd, as testnet/build prints its path
    #[arg(long = "chain-binary", value_name = "FILE", requires = "with_chain")]
    pub chain_binary: Option<PathBuf>,
    /// First of the chain node's ports: RPC, then peers, gRPC, REST
    #[arg(long = "chain-port", default_value_t = 26_650, requires = "with_chain")]
    pub chain_port: u16,
    /// Chain node to connect with, id@host:port; may be repeated [default: the one behind the RPC address]
    #[arg(long = "peer", value_name = "ID@HOST:PORT", requires = "with_chain")]
    pub peers: Vec<String>,
    /// A second RPC address that must agree on the trusted block [default: the deployment's once more]
    #[arg(long = "witness", value_name = "URL", requires = "with_chain")]
    pub witness: Option<String>,
}

/// What is to be started.
#[derive(Clone, Debug)]
pub struct Plan {
    home: PathBuf,
    binary: PathBuf,
    port: u16,
    peers: Vec<String>,
    primary: String,
    witness: String,
    chain_id: String,
}

impl ChainArgs {
    /// The plan; none when no chain node is asked for.
    ///
    /// # Errors
    /// When the deployment cannot be read or the port is too high.
    pub fn plan(&self, ctx: &Context) -> Result<Option<Plan>> {
        let Some(home) = &self.with_chain else { return Ok(None) };
        if self.chain_port > 65_500 {
            return Err(CliError::usage("--chain-port leaves no room for its other ports"));
        }
        let deployment = ctx.deployment()?;
        let primary = ctx.settings.rpc.clone().unwrap_or(deployment.rpc);
        Ok(Some(Plan {
            home: std::path::absolute(home).map_err(|e| CliError::file(home, e))?,
            binary: self.chain_binary.clone().unwrap_or_else(|| "openledgerd".into()),
            port: self.chain_port,
            peers: self.peers.clone(),
            witness: self.witness.clone().unwrap_or_else(|| primary.clone()),
            primary: primary.trim_end_matches('/').into(),
            chain_id: deployment.chain_id,
        }))
    }
}

/// A chain node that has reached the present.
#[derive(Clone, Debug)]
pub struct ChainNode {
    /// RPC address.
    pub rpc: String,
    /// Height.
    pub height: u64,
    /// First height that it keeps: above 1 after a state sync.
    pub earliest: u64,
}

fn failed(what: String) -> CliError {
    CliError::new(
        Class::Chain,
        "E-NODE-CHAIN-1",
        what,
        "check the RPC addresses and peers, then join again: what is there already goes on",
    )
    .retry()
}

impl ChainNode {
    /// Makes the chain node where there is none, starts it where it does not run, and waits until it has
    /// caught up.
    ///
    /// # Errors
    /// When the endpoints disagree, the program is missing, or it does not reach the present.
    pub async fn start(ctx: &Context, plan: &Plan) -> Result<Self> {
        if !plan.home.join("config/genesis.json").exists() || !plan.home.join("synced").exists() {
            plan.make(ctx).await?;
        }
        let pid_file = plan.home.join("openledgerd.pid");
        let rpc = format!("http://127.0.0.1:{}", plan.port);
        let running = || process::running(&pid_file, "openledgerd", &plan.home).is_some();
        if !running() {
            plan.spawn(&pid_file)?;
        }
        let since = Instant::now();
        loop {
            if let Ok(tip) = validator::tip(&ctx.http, &rpc).await {
                if !tip.catching_up && tip.height > 0 {
                    return Ok(ChainNode { rpc, height: tip.height, earliest: tip.earliest });
                }
            }
            if !running() {
                let log = plan.home.join("openledgerd.log");
                return Err(failed(format!("the chain node stopped; the end of {} says why", log.display())));
            }
            if since.elapsed() > SYNC {
                return Err(failed(format!("the chain node has not caught up after {} s", SYNC.as_secs())));
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
}

impl Plan {
    /// Folder, genesis and settings. A folder whose making was broken off is made anew.
    async fn make(&self, ctx: &Context) -> Result<()> {
        let exists =
            self.home.exists() && self.home.read_dir().is_ok_and(|mut entries| entries.next().is_some());
        if exists && !self.home.join("config/config.toml").exists() {
            return Err(CliError::usage(format!(
                "{} is not empty and holds no chain node",
                self.home.display()
            )));
        }
        let status = self.ask(ctx, &self.primary, "status").await?;
        let network = status["node_info"]["network"].as_str().unwrap_or_default();
        if network != self.chain_id {
            return Err(failed(format!(
                "{} is a node of {network:?}, not of {}",
                self.primary, self.chain_id
            )));
        }
        if !self.home.join("config/config.toml").exists() {
            std::fs::create_dir_all(&self.home).map_err(|e| CliError::file(&self.home, e))?;
            let output = tokio::process::Command::new(&self.binary)
                .args(["init", "joined", "--chain-id", &self.chain_id, "--home"])
                .arg(&self.home)
                .env("HOME", &self.home)
                .stdin(Stdio::null())
                .output()
                .await
                .map_err(|e| CliError {
                    advice: "name the program with --chain-binary; testnet/build prints its path".into(),
                    ..CliError::file(&self.binary, e)
                })?;
            if !output.status.success() {
                return Err(failed(format!(
                    "openledgerd init: {}",
                    String::from_utf8_lossy(&output.stderr).trim()
                )));
            }
        }
        let genesis = self.genesis(ctx).await?;
        let path = self.home.join("config/genesis.json");
        std::fs::write(&path, genesis).map_err(|e| CliError::file(&path, e))?;
        self.configure(ctx, &status).await?;
        let done = self.home.join("synced");
        std::fs::write(&done, "").map_err(|e| CliError::file(&done, e))
    }

    /// The genesis file, in the parts in which nodes give it.
    async fn genesis(&self, ctx: &Context) -> Result<Vec<u8>> {
        let (mut bytes, mut total) = (Vec::new(), 1);
        let mut part = 0;
        while part < total {
            let answer = self.ask(ctx, &self.primary, &format!("genesis_chunked?chunk={part}")).await?;
            total = answer["total"].as_str().and_then(|n| n.parse().ok()).unwrap_or(1).min(MAX_PARTS);
            let data = answer["data"].as_str().and_then(|data| BASE64_STANDARD.decode(data).ok());
            bytes.extend(data.ok_or_else(|| failed(format!("{} gives no genesis", self.primary)))?);
            part += 1;
        }
        let read: Value = serde_json::from_slice(&bytes).map_err(|e| failed(format!("the genesis: {e}")))?;
        match read["chain_id"] == self.chain_id.as_str() {
            true => Ok(bytes),
            false => Err(failed(format!("{} gives the genesis of {}", self.primary, read["chain_id"]))),
        }
    }

    async fn configure(&self, ctx: &Context, status: &Value) -> Result<()> {
        let number = |name: &str| status["sync_info"][name].as_str().and_then(|n| n.parse::<u64>().ok());
        let latest = number("latest_block_height").unwrap_or_default();
        let quoted = |text: String| Value::from(text).to_string();
        let at = |offset: u16, scheme: &str| quoted(format!("{scheme}127.0.0.1:{}", self.port + offset));
        let peers = match self.peers.is_empty() {
            false => self.peers.join(","),
            true => self.peer_of(status)?,
        };
        let mut comet = vec![
            ("rpc.laddr", at(0, "tcp://")),
            ("rpc.pprof_laddr", quoted(String::new())),
            ("p2p.laddr", at(1, "tcp://")),
            ("p2p.persistent_peers", quoted(peers)),
            ("p2p.allow_duplicate_ip", "true".into()),
            ("p2p.addr_book_strict", "false".into()),
        ];
        if latest > SHORT {
            let trusted = latest - BEHIND;
            let (hash, _) = validator::block(&ctx.http, &self.primary, trusted)
                .await
                .map_err(|e| failed(e.to_string()))?;
            let (other, _) = validator::block(&ctx.http, &self.witness, trusted)
                .await
                .map_err(|e| failed(e.to_string()))?;
            if hash != other {
                return Err(CliError::new(
                    Class::Verification,
                    "E-NODE-CHAIN-2",
                    format!(
                        "{} and {} know different blocks at height {trusted}",
                        self.primary, self.witness
                    ),
                    "one of them lies or is on another chain: do not go on before you know which",
                ));
            }
            comet.extend([
                ("statesync.enable", "true".to_string()),
                ("statesync.rpc_servers", quoted(format!("{},{}", self.primary, self.witness))),
                ("statesync.trust_height", trusted.to_string()),
                ("statesync.trust_hash", quoted(hash)),
                ("statesync.trust_period", quoted("168h0m0s".into())),
            ]);
        }
        edit(&self.home.join("config/config.toml"), &comet)?;
        let price = quoted(format!("0.0025{}", crate::context::DENOM));
        let app = vec![
            ("minimum-gas-prices", price),
            ("api.enable", "true".into()),
            ("api.address", at(3, "tcp://")),
            ("grpc.address", at(2, "")),
        ];
        edit(&self.home.join("config/app.toml"), &app)
    }

    /// The chain node behind the RPC address as a peer.
    fn peer_of(&self, status: &Value) -> Result<String> {
        let info = &status["node_info"];
        let (id, listen) =
            (info["id"].as_str().unwrap_or_default(), info["listen_addr"].as_str().unwrap_or_default());
        let port = listen.rsplit(':').next().unwrap_or_default();
        // The host by which it is reached: its own word may be 0.0.0.0.
        let host = self.primary.split("://").nth(1).and_then(|rest| rest.split([':', '/']).next());
        match host.filter(|host| !host.is_empty() && !id.is_empty() && port.parse::<u16>().is_ok()) {
            Some(host) => Ok(format!("{id}@{host}:{port}")),
            None => Err(failed(format!(
                "{} does not say where peers find it: name one with --peer",
                self.primary
            ))),
        }
    }

    /// The `result` of an RPC call.
    async fn ask(&self, ctx: &Context, rpc: &str, call: &str) -> Result<Value> {
        let url = format!("{rpc}/{call}");
        let sent = ctx.http.get(&url).timeout(Duration::from_secs(30)).send().await;
        let mut answer: Value = match sent {
            Ok(response) => response.json().await.map_err(|e| failed(format!("{url}: {e}")))?,
            Err(e) => return Err(failed(format!("{url}: {e}"))),
        };
        match answer["result"].take() {
            Value::Null => Err(failed(format!("{url} answers {}", answer["error"]))),
            result => Ok(result),
        }
    }

    fn spawn(&self, pid_file: &Path) -> Result<()> {
        let path = self.home.join("openledgerd.log");
        let log = std::fs::OpenOptions::new().create(true).append(true).open(&path);
        let log = log.map_err(|e| CliError::file(&path, e))?;
        let second = log.try_clone().map_err(|e| CliError::file(&path, e))?;
        let mut command = std::process::Command::new(&self.binary);
        command.args(["start", "--log_no_color", "--home"]).arg(&self.home).env("HOME", &self.home);
        command.stdin(Stdio::null()).stdout(second).stderr(log);
        #[cfg(unix)]
        {
            use std::os::unix::process::CommandExt;
            command.process_group(0);
        }
        let child = command.spawn().map_err(|e| CliError::file(&self.binary, e))?;
        std::fs::write(pid_file, child.id().to_string()).map_err(|e| CliError::file(pid_file, e))
    }
}

/// Replaces single settings of a TOML file.
fn edit(path: &Path, values: &[(&str, String)]) -> Result<()> {
    let text = std::fs::read_to_string(path).map_err(|e| CliError::file(path, e))?;
    let text = Config::edit(&text, path, values)?;
    crate::context::write_private(path, text.as_bytes())
}
