//! `openledger node join`: from a fresh machine to a node that serves. Each step looks first whether it was done;
//! whatever broke off a call, the next one goes on there.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use openledger_client::contracts::Reader;
use openledger_client::{keyfile, Coin, Signer};
use openledger_node::config::{Config, Home};
use openledger_types::api::NodeInfo;
use openledger_types::msg::node_registry::{NodeResponse, NodeStatus};
use serde::Serialize;

use super::{fetch, node_binary, refused, ChainArgs, ChainNode};
use crate::context::{make_private_dir, Context, Settings, DENOM};
use crate::error::{Class, CliError, Result};
use crate::network::{accounts, job, process};
use crate::{node_http, table};

/// Base units that stay with the operator for the gas of its own messages.
const SPARE: u128 = 2_000_000;
/// How long the node may take to answer after its start.
const START: Duration = Duration::from_secs(120);
/// How long it may take to load a model and to index its data.
const LOADING: Duration = Duration::from_secs(1_800);

/// How to join.
#[derive(Clone, Debug, clap::Args)]
pub struct JoinArgs {
    /// Folder of the node [default: node in the home folder]
    #[arg(long, value_name = "DIR")]
    pub node_home: Option<PathBuf>,
    /// The program openledger-node [default: the one beside this program]
    #[arg(long, value_name = "FILE")]
    pub node_binary: Option<PathBuf>,
    /// Address and port of the node's HTTP API
    #[arg(long, default_value = "127.0.0.1:8460")]
    pub listen: SocketAddr,
    /// URL under which clients reach the node [default: http:// and the address above]
    #[arg(long, value_name = "URL")]
    pub endpoint: Option<String>,
    /// Name shown to people
    #[arg(long, default_value = "node")]
    pub moniker: String,
    /// Bond in base units [default: the least that the registry takes]
    #[arg(long)]
    pub bond: Option<u128>,
    /// Base units that the node's own account gets for gas
    #[arg(long, default_value_t = 20_000_000)]
    pub gas: u128,
    /// What the node does: inference, storage, audit; may be repeated
    #[arg(long = "role", default_values = ["inference", "storage"], value_parser = ["inference", "storage", "audit"])]
    pub roles: Vec<String>,
    /// Model to serve, MODEL:VERSION; may be repeated [default: every one that another node serves]
    #[arg(long = "model", value_name = "MODEL:VERSION", value_parser = model)]
    pub models: Vec<(u64, u32)>,
    /// Faucet of a development chain to get coins from
    #[arg(long, value_name = "URL")]
    pub faucet: Option<String>,
    /// Seconds to wait for coins on the operator's account
    #[arg(long, default_value_t = 3_600)]
    pub patience: u64,
    /// A chain node of one's own beside it
    #[command(flatten)]
    pub chain: ChainArgs,
    /// Return when the node serves, without the dashboard; the node goes on
    #[arg(long)]
    pub detach: bool,
}

fn model(text: &str) -> std::result::Result<(u64, u32), String> {
    let parts =
        text.split_once(':').and_then(|(id, version)| Some((id.parse().ok()?, version.parse().ok()?)));
    parts.ok_or_else(|| "give MODEL:VERSION, such as 3:1".into())
}

/// A step with the seconds that it took.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// Name.
    pub name: &'static str,
    /// Seconds.
    pub seconds: f64,
}

/// A node that has joined.
#[derive(Clone, Debug, Serialize)]
pub struct Joined {
    /// Number in the registry.
    pub node_id: u64,
    /// Who owns its bond and its earnings.
    pub operator: String,
    /// Base URL of its API on this machine.
    pub url: String,
    /// Folder.
    pub home: PathBuf,
    /// Models that it serves.
    pub models: Vec<(u64, u32)>,
    /// Steps in order.
    pub steps: Vec<Step>,
}

/// Says what is done, and keeps the times.
struct Steps {
    quiet: bool,
    since: Instant,
    done: Vec<Step>,
}

impl Steps {
    fn end(&mut self, name: &'static str, what: String) {
        let seconds = (self.since.elapsed().as_secs_f64() * 10.0).round() / 10.0;
        if !self.quiet {
            eprintln!("{name:<10} {what}  ({seconds} s)");
        }
        self.done.push(Step { name, seconds });
        self.since = Instant::now();
    }
}

/// Name of the operator's key when none is given.
pub const OPERATOR: &str = "operator";

/// Folder of the node.
pub fn node_home(ctx: &Context, named: Option<&Path>) -> PathBuf {
    named.map_or_else(|| ctx.home.join("node"), Path::to_path_buf)
}

/// Joins: keys, coins, registration, start, the models' files, offers.
///
/// # Errors
/// At the first step that fails, in words that say what to do; calling again goes on there.
pub async fn join(ctx: &Context, args: &JoinArgs, quiet: bool) -> Result<Joined> {
    let mut steps = Steps { quiet, since: Instant::now(), done: Vec::new() };
    let binary = node_binary(args.node_binary.as_deref());
    let home = node_home(ctx, args.node_home.as_deref());
    make_private_dir(&home)?;
    let url = format!("http://{}", args.listen);
    let endpoint = args.endpoint.clone().unwrap_or_else(|| url.clone());

    let mut ctx = ctx.clone();
    if let Some(plan) = args.chain.plan(&ctx)? {
        let node = ChainNode::start(&ctx, &plan).await?;
        steps.end(
            "chain",
            format!(
                "own chain node at {}, height {}, from height {} on",
                node.rpc, node.height, node.earliest
            ),
        );
        ctx.settings = Settings { rpc: Some(node.rpc), ..ctx.settings };
    }

    let name = ctx.settings.key.clone().unwrap_or_else(|| OPERATOR.into());
    let key = accounts::load_or_add(&ctx, &name)
        .map_err(refused("E-NODE-JOIN-1", "check the folder of keys and OPENLEDGER_PASSPHRASE"))?;
    let chain = ctx.chain().await?;
    let operator = chain.signer(key)?;
    let reader = ctx.reader().await?;
    let rpc = chain.config().rpc.clone();
    let listen = args.listen.to_string();
    let (home_text, deployment) = (home.display().to_string(), ctx.deployment_path().display().to_string());
    let init = [
        "init",
        "--home",
        &home_text,
        "--chain-id",
        &chain.config().chain_id,
        "--rpc",
        &rpc,
        "--contracts",
        &deployment,
        "--listen",
        &listen,
        "--json",
    ];
    process::call(&binary, &init)
        .await
        .map_err(refused("E-NODE-JOIN-2", "name the program with --node-binary; see the message"))?;
    let hot_key = keyfile::load(&Home(home.clone()).node_key(), None)?;
    let hot = hot_key.address(&chain.config().prefix)?;
    steps.end("keys", format!("operator {}, node's own account {hot}", operator.address()));

    let bond = match args.bond {
        Some(bond) => bond,
        None => reader.node_config().await?.params.min_bond.u128(),
    };
    let on_record = find(&reader, operator.address(), &hot_key.public_key()).await?;
    let needed = match &on_record {
        Some(_) => 0,
        None => bond + args.gas + SPARE,
    };
    get_coins(&ctx, args, &operator, needed).await?;
    steps.end("coins", format!("{} OPEN on the operator's account", table::open(operator.balance().await?)));

    let node_id = match on_record {
        Some(node) => {
            if node.status != NodeStatus::Bonded {
                return Err(left(node.node_id));
            }
            remember(&home, node.node_id)?;
            node.node_id
        }
        None => register(&ctx, &binary, &home, &name, args, bond, &endpoint).await?,
    };
    // A call that was broken off after the registration has not paid the gas yet.
    if chain.balance(&hot, DENOM).await? < args.gas / 2 {
        operator.bank_send(&hot, &[Coin::new(args.gas, DENOM)]).await?;
    }
    steps.end("register", format!("node {node_id} with a bond of {} OPEN", table::open(bond)));

    if process::running_node(&home).is_none() {
        process::launch(&binary, &home).map_err(refused("E-NODE-JOIN-4", "see the message"))?;
    }
    let alive = || process::running_node(&home).is_some();
    process::wait_healthy(&ctx.http, &url, &home, START, alive)
        .await
        .map_err(refused("E-NODE-JOIN-4", "read node.log in the node's folder, then join again"))?;
    steps.end("start", format!("answers at {url}"));

    let sources = sources(&ctx, &reader, node_id).await?;
    let serves = args.roles.iter().any(|role| role != "storage");
    let mut models = match args.models.as_slice() {
        [] if serves => sources.iter().flat_map(|source| source.models.clone()).collect(),
        named => named.to_vec(),
    };
    models.sort_unstable();
    models.dedup();
    for model in &models {
        let from: Vec<String> =
            sources.iter().filter(|s| s.models.contains(model)).map(|s| s.url.clone()).collect();
        let fetched = fetch::model(&ctx, &reader, *model, &from, &url).await?;
        let (blobs, megabytes) = (fetched.blobs, fetched.bytes as f64 / 1e6);
        steps.end("fetch", format!("model {}:{}: {blobs} blobs, {megabytes:.1} MB", model.0, model.1));
        job::wait_model(&ctx.http, &url, *model, LOADING).await.map_err(refused(
            "E-NODE-JOIN-5",
            "GET /ready of the node says why it is not ready; join again",
        ))?;
        steps.end("load", format!("model {}:{} is ready", model.0, model.1));
        if args.roles.iter().any(|role| role == "inference")
            && reader.offer(node_id, model.0, model.1).await?.is_none()
        {
            let named = format!("{}:{}", model.0, model.1);
            process::call(&binary, &["offer", "--home", &home_text, &named, "--json"])
                .await
                .map_err(refused("E-NODE-JOIN-6", "see the message; join again"))?;
            steps.end("offer", format!("model {named} at the model's price"));
        }
    }
    Ok(Joined { node_id, operator: operator.address().into(), url, home, models, steps: steps.done })
}

/// The node with this key, if it is on record; a key of another operator is an error.
async fn find(reader: &Reader, operator: &str, node_key: &[u8]) -> Result<Option<NodeResponse>> {
    let nodes = reader.nodes().await?;
    let found = nodes.into_iter().find(|node| node.node_key.as_slice() == node_key);
    match found {
        Some(node) if node.operator != operator => Err(CliError::new(
            Class::Refused,
            "E-NODE-JOIN-3",
            format!("the key in this folder is node {}'s, whose operator is {}", node.node_id, node.operator),
            "use that operator's key (--key), or another folder (--node-home)",
        )),
        found => Ok(found),
    }
}

fn left(node_id: u64) -> CliError {
    CliError::new(
        Class::Refused,
        "E-NODE-JOIN-7",
        format!("node {node_id} of this folder is leaving or has left"),
        "end that with `openledger node leave`, then join with another folder (--node-home)",
    )
}

/// Writes a number that the registry knows into the node's config.
fn remember(home: &Path, node_id: u64) -> Result<()> {
    let path = Home(home.to_path_buf()).config();
    if Config::load(&path)?.node_id == node_id {
        return Ok(());
    }
    let text = std::fs::read_to_string(&path).map_err(|e| CliError::file(&path, e))?;
    let text = Config::edit(&text, &path, &[("node_id", node_id.to_string())])?;
    crate::context::write_private(&path, text.as_bytes())
}

async fn register(
    ctx: &Context,
    binary: &Path,
    home: &Path,
    key: &str,
    args: &JoinArgs,
    bond: u128,
    endpoint: &str,
) -> Result<u64> {
    let (home, bond, gas) = (home.display().to_string(), bond.to_string(), args.gas.to_string());
    let key = ctx.key_path(key)?.display().to_string();
    let mut words = vec![
        "register",
        "--home",
        &home,
        "--operator-key",
        &key,
        "--bond",
        &bond,
        "--endpoint",
        endpoint,
        "--moniker",
        &args.moniker,
        "--gas",
        &gas,
        "--json",
    ];
    words.extend(args.roles.iter().flat_map(|role| ["--role", role.as_str()]));
    let passphrase = std::env::var("OPENLEDGER_PASSPHRASE").ok();
    if passphrase.is_some() {
        // Over a pipe: it is never on disk, and no other user sees it.
        words.extend(["--passphrase-file", "/dev/stdin"]);
    }
    let answer = process::call_with(binary, &words, passphrase.as_deref())
        .await
        .map_err(refused("E-NODE-JOIN-3", "see the message; joining again goes on here"))?;
    answer["node_id"].as_u64().ok_or_else(|| {
        CliError::new(Class::Node, "E-NODE-JOIN-3", "the node did not say its number", "join again").retry()
    })
}

/// Waits until the operator's account has `needed` base units, asking the faucet for them if there is one.
async fn get_coins(ctx: &Context, args: &JoinArgs, operator: &Signer, needed: u128) -> Result<()> {
    let since = Instant::now();
    let mut told = false;
    loop {
        let balance = operator.balance().await?;
        if balance >= needed {
            return Ok(());
        }
        if let (Some(faucet), false) = (&args.faucet, told) {
            let url = format!("{}/v1/coins", faucet.trim_end_matches('/'));
            let body = serde_json::json!({"address": operator.address()});
            let sent = ctx.http.post(&url).json(&body).send().await;
            node_http::accepted(sent.map_err(|e| node_http::unreachable(&url, &e))?).await?;
        } else if !told {
            eprintln!(
                "send {} OPEN to {}: the bond, gas for the node and for the operator",
                table::open(needed - balance),
                operator.address()
            );
        }
        told = true;
        if since.elapsed() > Duration::from_secs(args.patience) {
            return Err(CliError::new(
                Class::Refused,
                "E-NODE-JOIN-8",
                format!(
                    "{} has {} of {} OPEN",
                    operator.address(),
                    table::open(balance),
                    table::open(needed)
                ),
                "send the rest to this address and join again",
            )
            .retry());
        }
        operator.chain().wait_for_next_block().await?;
    }
}

/// A node that gives models.
struct Source {
    url: String,
    models: Vec<(u64, u32)>,
}

/// Other nodes in service that answer, with the models that they have ready.
async fn sources(ctx: &Context, reader: &Reader, own: u64) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    for node in reader.nodes().await? {
        if node.node_id == own || node.status != NodeStatus::Bonded {
            continue;
        }
        let url = node.endpoint.trim_end_matches('/').to_string();
        let asked = ctx.http.get(format!("{url}/v1/node")).timeout(Duration::from_secs(5)).send().await;
        let Ok(response) = asked else { continue };
        if let Ok(info) = response.json::<NodeInfo>().await {
            sources.push(Source { url, models: info.models });
        }
    }
    Ok(sources)
}
