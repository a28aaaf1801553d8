//! A network on one machine: validators, nodes, auditors, each a process of its own. `testnet/up` makes it,
//! the demo works on it, tests break it.

pub mod accounts;
pub mod job;
pub mod money;
pub mod process;
mod up;
pub mod validator;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use openledger_client::contracts::Reader;
use openledger_client::{Chain, ChainConfig, Signer};
use serde::{Deserialize, Serialize};

use crate::context::{read_json, Context, Settings};
use crate::error::Result as CliResult;
use crate::table;

pub use up::{up, UpArgs};
pub use validator::Validator;

/// How long a node may take to finish what it answers when it is stopped.
const DRAIN: Duration = Duration::from_secs(70);

/// A node or an auditor of the network.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Member {
    /// Name.
    pub name: String,
    /// Number in the registry.
    pub node_id: u64,
    /// Base URL.
    pub url: String,
    /// Folder.
    pub home: PathBuf,
    /// Name of its operator's key in the network's home of keys.
    pub key: String,
    /// What it does.
    pub roles: Vec<String>,
    /// The chain node that it uses.
    pub rpc: String,
}

impl Member {
    /// The process, when it runs.
    pub fn pid(&self) -> Option<u32> {
        process::running_node(&self.home)
    }

    /// Ends it at once, as a power cut does.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn kill(&self) -> Result<()> {
        process::stop_node(&self.home, "KILL", Duration::from_secs(20)).await
    }

    /// Starts it and waits until it answers. One that runs is left alone.
    ///
    /// # Errors
    /// When it does not answer within a minute and a half.
    pub async fn start(&self, binary: &Path, http: &reqwest::Client) -> Result<()> {
        if self.pid().is_none() {
            process::launch(binary, &self.home)?;
        }
        let alive = || self.pid().is_some();
        process::wait_healthy(http, &self.url, &self.home, Duration::from_secs(90), alive).await
    }
}

/// The network, as `network.json` in its folder says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Network {
    /// Chain id.
    pub chain_id: String,
    /// Folder of everything.
    pub home: PathBuf,
    /// Clone whose scripts start the chain nodes.
    pub clone: PathBuf,
    /// The program of the nodes.
    pub node_binary: PathBuf,
    /// Validators.
    pub validators: Vec<Validator>,
    /// Nodes, in order of their ports.
    pub nodes: Vec<Member>,
    /// The validators' sidecars.
    pub auditors: Vec<Member>,
}

impl Network {
    /// Name of the file in the network's folder.
    pub const FILE: &'static str = "network.json";

    /// Reads a network's file.
    ///
    /// # Errors
    /// When it is missing or of another form.
    pub fn load(path: &Path) -> CliResult<Self> {
        read_json(path)
    }

    /// Folder of keys, deployment and sessions.
    pub fn keys_home(&self) -> PathBuf {
        self.home.join("cli")
    }

    /// A context on the network's keys, through the validator numbered `at`, from 0.
    ///
    /// # Errors
    /// When the folder cannot be used.
    pub fn context(&self, at: usize) -> CliResult<Context> {
        let rpc = self.validators.get(at).map(|validator| validator.rpc.clone());
        Context::open(self.keys_home(), Settings { rpc, ..Settings::default() }, false)
    }

    /// Typed questions through the validator numbered `at`.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn reader(&self, at: usize) -> CliResult<Reader> {
        self.context(at)?.reader().await
    }

    /// The account of a key, by the validator numbered `at`.
    ///
    /// # Errors
    /// When there is no such key, or the validator does not answer.
    pub async fn signer(&self, at: usize, key: &str) -> CliResult<Signer> {
        let ctx = self.context(at)?;
        ctx.signer(Some(key)).await
    }

    /// Everybody with a node.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.nodes.iter().chain(&self.auditors)
    }

    /// The chain by any validator that answers.
    ///
    /// # Errors
    /// When none does.
    pub async fn any_chain(&self) -> Result<Chain> {
        let mut last = None;
        for validator in &self.validators {
            match Chain::connect(ChainConfig::new(&self.chain_id, &validator.rpc)).await {
                Ok(chain) => return Ok(chain),
                Err(error) => last = Some(error),
            }
        }
        Err(last.map_or_else(|| anyhow::anyhow!("the network has no validators"), Into::into))
    }

    /// Starts every process that does not run: validators first, then nodes once the chain answers.
    ///
    /// # Errors
    /// When one does not start.
    pub async fn start_all(&self, http: &reqwest::Client) -> Result<()> {
        for validator in self.validators.iter().filter(|validator| validator.pid().is_none()) {
            validator.start(&self.clone).await?;
        }
        validator::wait_heights(http, &self.validators, 1, Duration::from_secs(120)).await?;
        self.any_chain().await?.wait_for_next_block().await?;
        futures::future::try_join_all(self.members().map(|member| member.start(&self.node_binary, http)))
            .await?;
        Ok(())
    }

    /// Endpoints and where everything stands, as a table.
    pub async fn table(&self, http: &reqwest::Client) -> String {
        let mut rows = Vec::new();
        for validator in &self.validators {
            let state = match (validator.tip(http).await, validator.pid()) {
                (Ok(tip), _) if tip.catching_up => format!("catching up, height {}", tip.height),
                (Ok(tip), _) => format!("height {}", tip.height),
                (Err(_), Some(_)) => "does not answer".into(),
                (Err(_), None) => "stopped".into(),
            };
            rows.push(vec![validator.name.clone(), "-".into(), "chain".into(), validator.rpc.clone(), state]);
        }
        for member in self.members() {
            let state = match (process::healthy(http, &member.url).await, member.pid()) {
                (true, _) => "running",
                (false, Some(_)) => "does not answer",
                (false, None) => "stopped",
            };
            rows.push(vec![
                member.name.clone(),
                member.node_id.to_string(),
                member.roles.join(", "),
                member.url.clone(),
                state.into(),
            ]);
        }
        table::render(&["name", "node", "does", "address", "state"], &rows, &[1])
    }
}

/// A counter of a node, as its metrics show it; none when they lack it.
///
/// # Errors
/// When the node does not answer.
pub async fn counter(http: &reqwest::Client, url: &str, name: &str) -> Result<Option<u64>> {
    let text = http.get(format!("{url}/metrics")).send().await?.text().await?;
    let value = |line: &str| line.strip_prefix("openledger_node_")?.strip_prefix(name)?.trim().parse().ok();
    Ok(text.lines().find_map(value))
}

/// What to do with the network in a folder.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Command {
    /// Contracts, nodes and auditors on the validators that run; what is there already goes on
    Up(UpArgs),
    /// Endpoints and where everything stands
    Status {
        /// Folder of the network
        #[arg(long = "network-home", value_name = "DIR")]
        network_home: PathBuf,
    },
    /// Stop the nodes; the chain goes on
    Down {
        /// Folder of the network
        #[arg(long = "network-home", value_name = "DIR")]
        network_home: PathBuf,
    },
}

/// Runs a command of `testnet/up`, `testnet/status` and `testnet/down`.
///
/// # Errors
/// In words that say what to do.
pub async fn run(ctx: &Context, command: Command) -> CliResult<()> {
    let done = async {
        let network = match command {
            Command::Up(args) => up(ctx, &args).await?,
            Command::Status { network_home } => Network::load(&network_home.join(Network::FILE))?,
            Command::Down { network_home } => {
                // By their folders: where `up` broke off there is no file of the network yet, and nodes that run.
                let homes = process::homes_in(&network_home)?;
                let stops = homes.iter().map(|home| process::stop_node(home, "TERM", DRAIN));
                futures::future::try_join_all(stops).await?;
                return Ok(());
            }
        };
        print!("{}", network.table(&ctx.http).await);
        anyhow::Ok(())
    };
    done.await.map_err(|error: anyhow::Error| match error.downcast::<crate::error::CliError>() {
        Ok(error) => error,
        Err(error) => crate::error::CliError::new(
            crate::error::Class::Refused,
            "E-NET-000",
            format!("{error:#}"),
            "mend what the message names and call again: what is there already goes on",
        ),
    })
}
