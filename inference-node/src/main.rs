//! `openledger-node`: sets a node up, registers it, serves.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use age::secrecy::ExposeSecret;
use clap::{Parser, Subcommand};
use cosmwasm_std::{HexBinary, Uint128};
use openledger_client::contracts::Contracts;
use openledger_client::{keyfile, Chain, Coin, Key};
use openledger_node::audit::{Auditor, Challenger, Defender, Juror, Responder};
use openledger_node::config::{Config, Home, EXAMPLE};
use openledger_node::corpus::{chain_fault, Identities};
use openledger_node::fault::{Class, Fault, Result};
use openledger_node::journal::Journal;
use openledger_node::serve::{self, ClientChain, Node, Settings, SigningKeys, Watch};
use openledger_node::storage::Keeper;
use openledger_node::stores;
use openledger_store::DatanetKey;
use openledger_types::formats::node_key_digest;
use openledger_types::msg::node_registry::{ExecuteMsg, Role};
use serde_json::json;

/// Stores data, serves language models, takes vouchers, signs receipts, settles on chain.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    /// Folder of the node: config, keys, journal, blobs.
    #[arg(long, global = true, env = "OPENLEDGER_NODE_HOME", default_value = ".openledger-node")]
    home: PathBuf,
    /// Print one JSON object instead of text.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make the home: a commented config, a node key and an age identity (mode 0600). What exists
    /// is kept.
    Init {
        /// Id of the chain.
        #[arg(long, env = "OPENLEDGER_CHAIN_ID")]
        chain_id: Option<String>,
        /// RPC address of the chain.
        #[arg(long, env = "OPENLEDGER_RPC")]
        rpc: Option<String>,
        /// Deployment file with the contracts' addresses.
        #[arg(long, env = "OPENLEDGER_CONTRACTS")]
        contracts: Option<PathBuf>,
        /// Address and port of the HTTP API.
        #[arg(long, env = "OPENLEDGER_NODE_LISTEN")]
        listen: Option<SocketAddr>,
    },
    /// Register the node on chain with the operator's key and write its number into the config.
    Register {
        /// Key file of the operator, who owns the node's earnings. It is not needed to serve.
        #[arg(long)]
        operator_key: PathBuf,
        /// File with the passphrase of that key, if it has one.
        #[arg(long)]
        passphrase_file: Option<PathBuf>,
        /// Bond in base units of the registry's denom.
        #[arg(long)]
        bond: u128,
        /// URL under which clients reach this node.
        #[arg(long)]
        endpoint: String,
        /// Name shown to people.
        #[arg(long)]
        moniker: String,
        /// What the node does; may be repeated. Auditors are operators of a bonded validator.
        #[arg(long = "role", value_enum, default_values = ["inference", "storage"])]
        roles: Vec<RoleArg>,
        /// Base units sent to the node's hot address, from which it pays gas.
        #[arg(long, default_value_t = 0)]
        gas: u128,
    },
    /// Make a new signing key and put it in force on chain. The old one is kept: sessions that pinned it
    /// are answered and settled with it. A node that runs finds the new key by itself.
    RotateKey {
        /// Key file of the operator.
        #[arg(long)]
        operator_key: PathBuf,
        /// File with the passphrase of that key, if it has one.
        #[arg(long)]
        passphrase_file: Option<PathBuf>,
    },
    /// Offer a model version at the node's own price, or change that price for sessions opened from now on.
    Offer {
        /// Model, as MODEL:VERSION.
        model: String,
        /// Price of a prompt token, in base units; the model's when absent, never below it.
        #[arg(long)]
        price_in: Option<u128>,
        /// Price of an answer token, in base units; the model's when absent, never below it.
        #[arg(long)]
        price_out: Option<u128>,
        /// Stop offering it instead; open sessions go on.
        #[arg(long, conflicts_with_all = ["price_in", "price_out"])]
        stop: bool,
    },
    /// Serve until SIGTERM or Ctrl-C.
    Serve {
        /// Address and port of the HTTP API.
        #[arg(long, env = "OPENLEDGER_NODE_LISTEN")]
        listen: Option<SocketAddr>,
        /// RPC address of the chain.
        #[arg(long, env = "OPENLEDGER_RPC")]
        rpc: Option<String>,
        /// Model to serve, as MODEL:VERSION; may be repeated.
        #[arg(long = "model", env = "OPENLEDGER_NODE_MODELS", value_delimiter = ',')]
        models: Vec<String>,
    },
    /// Move all blobs into the store that [storage] in the config chooses, out of the other one. The node must
    /// not run. Called again after a failure, it goes on.
    MoveBlobs,
    /// Show where the node stands, from its config, the chain and, if it runs, its API.
    Status,
}

/// A role, as the command line names it.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum RoleArg {
    /// Answers questions.
    Inference,
    /// Keeps blobs.
    Storage,
    /// Checks the roots of others.
    Audit,
}

impl RoleArg {
    fn role(self) -> Role {
        match self {
            RoleArg::Inference => Role::Inference,
            RoleArg::Storage => Role::Storage,
            RoleArg::Audit => Role::Audit,
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let cli = Cli::parse();
    match run(&cli).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            if cli.json {
                let error = json!({"error": {
                    "code": fault.code, "message": fault.what, "advice": fault.advice, "retryable": fault.retry,
                }});
                println!("{error}");
            } else {
                eprintln!("error {fault}");
            }
            ExitCode::from(match fault.class {
                Class::Invalid | Class::TooLarge => 2,
                Class::Unavailable | Class::Busy => 3,
                Class::Payment => 4,
                Class::NotFound | Class::Conflict | Class::Unauthorized => 5,
                Class::Internal => 1,
            })
        }
    }
}

async fn run(cli: &Cli) -> Result<()> {
    let home = Home(cli.home.clone());
    match &cli.command {
        Command::Init { chain_id, rpc, contracts, listen } => {
            let mut values: Vec<(&str, String)> = Vec::new();
            for (key, value) in [("chain.chain_id", chain_id), ("chain.rpc", rpc)] {
                values.extend(value.iter().map(|v| (key, quoted(v))));
            }
            values.extend(listen.iter().map(|l| ("listen", quoted(&l.to_string()))));
            if let Some(path) = contracts {
                let c = Contracts::load(path).map_err(chain_fault)?;
                values.push(("contracts.datanet", quoted(&c.datanet)));
                values.push(("contracts.model_registry", quoted(&c.model_registry)));
                values.push(("contracts.node_registry", quoted(&c.node_registry)));
                values.push(("contracts.payable_escrow", quoted(&c.payable_escrow)));
                values.push(("contracts.referee", quoted(&c.referee)));
                values.extend(c.storage.iter().map(|storage| ("contracts.storage", quoted(storage))));
                values.extend(c.arbiter.iter().map(|arbiter| ("contracts.arbiter", quoted(arbiter))));
            }
            init(cli, &home, &values)
        }
        Command::Register { operator_key, passphrase_file, bond, endpoint, moniker, roles, gas } => {
            let passphrase = passphrase_file.as_deref().map(read_line).transpose()?;
            let operator = keyfile::load(operator_key, passphrase.as_deref()).map_err(chain_fault)?;
            let mut roles: Vec<Role> = roles.iter().map(|role| role.role()).collect();
            roles.sort();
            roles.dedup();
            register(cli, &home, operator, *bond, endpoint, moniker, roles, *gas).await
        }
        Command::RotateKey { operator_key, passphrase_file } => {
            let passphrase = passphrase_file.as_deref().map(read_line).transpose()?;
            let operator = keyfile::load(operator_key, passphrase.as_deref()).map_err(chain_fault)?;
            rotate_key(cli, &home, operator).await
        }
        Command::Offer { model, price_in, price_out, stop } => {
            let config = registered(&home)?;
            let (node_id, (model_id, version)) = (config.node_id, model_of(model)?);
            let own = |price: &Option<u128>| price.map(Uint128::new);
            let msg = match stop {
                true => ExecuteMsg::StopOffer { node_id, model_id, version },
                false => ExecuteMsg::Offer {
                    node_id,
                    model_id,
                    version,
                    price_in: own(price_in),
                    price_out: own(price_out),
                },
            };
            let chain = Chain::connect(config.chain.clone()).await.map_err(chain_fault)?;
            let key = keyfile::load(&home.node_key(), None).map_err(chain_fault)?;
            let signer = chain.signer(key).map_err(chain_fault)?;
            let done =
                signer.execute(&config.contracts.node_registry, &msg, &[]).await.map_err(chain_fault)?;
            match cli.json {
                true => println!("{}", json!({"node_id": node_id, "tx": done.hash})),
                false => println!("model {model}: done (transaction {})", done.hash),
            }
            Ok(())
        }
        Command::Serve { listen, rpc, models } => {
            let mut config = Config::load(&home.config())?;
            if let Some(listen) = listen {
                config.listen = *listen;
            }
            if let Some(rpc) = rpc {
                config.chain.rpc.clone_from(rpc);
            }
            if !models.is_empty() {
                config.serve.models = models.iter().map(|m| model_of(m)).collect::<Result<_>>()?;
            }
            serve_node(cli, &home, config).await
        }
        Command::MoveBlobs => {
            let config = registered(&home)?;
            // Held by a node that runs.
            let _journal = journal(&home, &config)?;
            let moved = stored(&home, &config, stores::move_blobs).await?;
            let damaged: Vec<String> = moved.damaged.iter().map(hex::encode).collect();
            match cli.json {
                true => println!(
                    "{}",
                    json!({"entries": moved.entries, "bytes": moved.bytes, "damaged": damaged})
                ),
                false => {
                    println!("moved {} blobs, {} bytes", moved.entries, moved.bytes);
                    for id in damaged {
                        println!("damaged, left where it was: {id}");
                    }
                }
            }
            Ok(())
        }
        Command::Status => status(cli, &home).await,
    }
}

/// A TOML string.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_string()).to_string()
}

fn model_of(text: &str) -> Result<(u64, u32)> {
    let parts =
        text.split_once(':').and_then(|(id, version)| Some((id.parse().ok()?, version.parse().ok()?)));
    parts.ok_or_else(|| {
        Fault::invalid(
            "E-CONFIG-002",
            format!("{text:?} is no model"),
            "Give MODEL:VERSION in numbers, for example 1:1.",
        )
    })
}

fn file_fault(path: &Path, error: impl std::fmt::Display) -> Fault {
    Fault::unavailable(
        "E-CONFIG-003",
        format!("{}: {error}", path.display()),
        "Check that the folder exists, is writable and that the disk is not full.",
    )
}

fn read_line(path: &Path) -> Result<String> {
    let text = std::fs::read_to_string(path).map_err(|e| file_fault(path, e))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_string())
}

/// Writes a new file that only its owner reads, whole or not at all. An existing one is an error.
fn create_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// The node's age identity; made when there is none.
fn age_key(home: &Home, create: bool) -> Result<DatanetKey> {
    let path = home.age_key();
    if create && !path.exists() {
        let key = DatanetKey::generate();
        let text = format!("{}\n", key.to_secret_string().expose_secret());
        create_private(&path, &text).map_err(|e| file_fault(&path, e))?;
        return Ok(key);
    }
    read_line(&path)?.parse().map_err(|e| file_fault(&path, e))
}

fn init(cli: &Cli, home: &Home, values: &[(&str, String)]) -> Result<()> {
    std::fs::create_dir_all(&home.0).map_err(|e| file_fault(&home.0, e))?;
    let path = home.config();
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => EXAMPLE.to_string(),
        Err(e) => return Err(file_fault(&path, e)),
    };
    write_config(&path, &Config::edit(&text, &path, values)?)?;
    let (key, _) = keyfile::load_or_create(&home.node_key(), None).map_err(chain_fault)?;
    let age = age_key(home, true)?;
    let config = Config::load(&path)?;
    let address = key.address(&config.chain.prefix).map_err(chain_fault)?;
    if cli.json {
        let out = json!({
            "home": home.0, "config": path, "node_id": config.node_id, "node_key": hex::encode(key.public_key()),
            "hot_addr": address, "age_recipient": age.recipient(), "listen": config.listen,
        });
        println!("{out}");
    } else {
        println!("home           {}", home.0.display());
        println!("node key       {}", hex::encode(key.public_key()));
        println!("hot address    {address} (needs coins for gas)");
        println!("age recipient  {}", age.recipient());
        println!("Next: check {}, then `openledger-node register`.", path.display());
    }
    Ok(())
}

fn write_config(path: &Path, text: &str) -> Result<()> {
    let partial = path.with_extension("toml.partial");
    let write = || {
        let mut file = std::fs::File::create(&partial)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&partial, path)
    };
    write().map_err(|e| file_fault(path, e))
}

/// The key's own word that it is this operator's node's.
fn key_proof(config: &Config, operator: &str, key: &Key) -> HexBinary {
    let registry = &config.contracts.node_registry;
    let digest = node_key_digest(&config.chain.chain_id, registry, operator, &key.public_key());
    HexBinary::from(key.sign_digest(&digest).as_slice())
}

#[allow(clippy::too_many_arguments)]
async fn register(
    cli: &Cli,
    home: &Home,
    operator: Key,
    bond: u128,
    endpoint: &str,
    moniker: &str,
    roles: Vec<Role>,
    gas: u128,
) -> Result<()> {
    let path = home.config();
    let config = Config::load(&path)?;
    if config.node_id != 0 {
        return Err(Fault::new(
            Class::Conflict,
            "E-CONFIG-004",
            format!("this home is registered as node {}", config.node_id),
            "Use another home for another node.",
        ));
    }
    let key = keyfile::load(&home.node_key(), None).map_err(chain_fault)?;
    let age = age_key(home, false)?;
    let chain = Chain::connect(config.chain.clone()).await.map_err(chain_fault)?;
    let signer = chain.signer(operator).map_err(chain_fault)?;
    let denom = config.contracts.on(&chain).node_config().await.map_err(chain_fault)?.params.denom;
    let hot_addr = key.address(&config.chain.prefix).map_err(chain_fault)?;
    let registry = &config.contracts.node_registry;
    let msg = ExecuteMsg::Register {
        moniker: moniker.into(),
        endpoint: endpoint.into(),
        node_key: HexBinary::from(key.public_key().as_slice()),
        key_proof: key_proof(&config, signer.address(), &key),
        hot_addr: Some(hot_addr.clone()),
        age_recipient: age.recipient(),
        roles,
    };
    let result = signer.execute(registry, &msg, &[Coin::new(bond, &denom)]).await.map_err(chain_fault)?;
    let node_id = result.contract_number(registry, "node_id").ok_or_else(|| {
        Fault::new(
            Class::Internal,
            "E-CONFIG-005",
            format!("transaction {} says no node_id", result.hash),
            "Look the node up in the registry and write its number into the config.",
        )
    })?;
    let text = std::fs::read_to_string(&path).map_err(|e| file_fault(&path, e))?;
    write_config(&path, &Config::edit(&text, &path, &[("node_id", node_id.to_string())])?)?;
    if gas > 0 {
        signer.bank_send(&hot_addr, &[Coin::new(gas, &config.chain.denom)]).await.map_err(chain_fault)?;
    }
    if cli.json {
        println!(
            "{}",
            json!({"node_id": node_id, "tx": result.hash, "hot_addr": hot_addr, "operator": signer.address()})
        );
    } else {
        println!("registered as node {node_id} (transaction {})", result.hash);
        println!("Next: `openledger-node serve`.");
    }
    Ok(())
}

async fn rotate_key(cli: &Cli, home: &Home, operator: Key) -> Result<()> {
    let config = registered(home)?;
    let chain = Chain::connect(config.chain.clone()).await.map_err(chain_fault)?;
    let signer = chain.signer(operator).map_err(chain_fault)?;
    let in_force = config.contracts.on(&chain).node(config.node_id).await.map_err(chain_fault)?.node_key;
    std::fs::create_dir_all(home.signing()).map_err(|e| file_fault(&home.signing(), e))?;
    // One name until it is on record: a rotation that was interrupted goes on with the same key.
    let next = home.signing().join("next.key");
    let (mut key, _) = keyfile::load_or_create(&next, None).map_err(chain_fault)?;
    if in_force.as_slice() == key.public_key() {
        // It was taken before the interruption.
        settle_next(home, &key)?;
        (key, _) = keyfile::load_or_create(&next, None).map_err(chain_fault)?;
    }
    let registry = &config.contracts.node_registry;
    let msg = ExecuteMsg::RotateKey {
        node_id: config.node_id,
        node_key: HexBinary::from(key.public_key().as_slice()),
        key_proof: key_proof(&config, signer.address(), &key),
    };
    let result = signer.execute(registry, &msg, &[]).await.map_err(chain_fault)?;
    settle_next(home, &key)?;
    let node_key = hex::encode(key.public_key());
    match cli.json {
        true => println!("{}", json!({"node_id": config.node_id, "node_key": node_key, "tx": result.hash})),
        false => println!("node {} signs with {node_key} from now on; older keys stay", config.node_id),
    }
    Ok(())
}

/// Gives the next key the name that it keeps.
fn settle_next(home: &Home, key: &Key) -> Result<()> {
    let kept = home.signing().join(format!("{}.key", hex::encode(key.public_key())));
    std::fs::rename(home.signing().join("next.key"), &kept).map_err(|e| file_fault(&kept, e))
}

/// The config of a home that is registered.
fn registered(home: &Home) -> Result<Config> {
    let config = Config::load(&home.config())?;
    match config.node_id {
        0 => Err(unregistered()),
        _ => Ok(config),
    }
}

fn unregistered() -> Fault {
    Fault::invalid(
        "E-CONFIG-006",
        "this node is not registered",
        "Run `openledger-node register`, or write its number into the config.",
    )
}

async fn serve_node(cli: &Cli, home: &Home, config: Config) -> Result<()> {
    if config.node_id == 0 {
        return Err(unregistered());
    }
    // A place that is not there is said now, not when the first model of its class is loaded.
    config.serve.device.open()?;
    // The port first: a second node on this home is told so before it touches anything.
    let listener = serve::listen(config.listen).await?;
    let key = keyfile::load(&home.node_key(), None).map_err(chain_fault)?;
    let age = age_key(home, false)?;
    let chain = Chain::connect(config.chain.clone()).await.map_err(chain_fault)?;
    let reader = config.contracts.on(&chain);
    let registered = reader.node(config.node_id).await.map_err(chain_fault)?;
    let keys = SigningKeys::open(key.clone(), &home.signing())?;
    let in_force = keys.find(&registered.node_key).ok_or_else(|| {
        Fault::invalid(
            "E-CONFIG-007",
            format!("node {} has another key on chain than node.key and those in signing/", config.node_id),
            "Use the home that was registered, or rotate the key on chain.",
        )
    })?;
    let signer = chain.signer(key).map_err(chain_fault)?;
    match signer.balance().await {
        Ok(0) => tracing::warn!(
            code = "E-CONFIG-008",
            address = signer.address(),
            "the hot address has no coins: nothing can be settled until it gets some for gas"
        ),
        Ok(_) => {}
        Err(error) => tracing::warn!(code = error.code(), "{error}"),
    }
    let journal = journal(home, &config)?;
    let store = stored(home, &config, stores::open).await?;
    let view = ClientChain::new(reader, signer, config.node_id);
    let identities = Identities { node: Some((config.node_id, age)), ..Identities::default() };
    let view = Arc::new(view);
    let node = Node::new(
        view.clone(),
        journal,
        store,
        in_force.public_key(),
        keys,
        config.node_id,
        identities,
        Settings { roles: registered.roles.clone(), ..config.serve.settings() },
    );
    let keeps = config.contracts.storage.as_deref().is_some_and(|storage| !storage.is_empty());
    let watch = Watch {
        responder: Some(Responder::new(node.clone(), view.clone())),
        defender: Some(Defender::new(node.clone(), view.clone())),
        auditor: node
            .is(Role::Audit)
            .then(|| Auditor::new(node.clone(), view.clone(), config.audit.settings())),
        challenger: node.is(Role::Audit).then(|| {
            let budget = config.audit.settings().dispute_budget;
            Challenger::new(node.clone(), view.clone(), view.clone(), budget)
        }),
        juror: node.is(Role::Audit).then(|| Juror::new(node.clone(), view.clone())),
        keeper: (node.is(Role::Storage) && keeps)
            .then(|| Keeper::new(config.node_id, node.store.clone(), view, config.storage.settings())),
    };
    if cli.json {
        println!("{}", json!({"node_id": config.node_id, "listen": config.listen}));
    }
    tracing::info!(node = config.node_id, listen = %config.listen, chain = config.chain.chain_id, "serving");
    serve::run(node, watch, listener, home.models(), stop_signal()).await?;
    tracing::info!("stopped");
    Ok(())
}

fn journal(home: &Home, config: &Config) -> Result<Journal> {
    let Config { chain, contracts, node_id, .. } = config;
    Journal::open(&home.journal(), &chain.chain_id, &contracts.payable_escrow, *node_id)
}

/// Work with the stores of blobs, on a thread that may block.
async fn stored<T: Send + 'static>(
    home: &Home,
    config: &Config,
    work: fn(&Config, &Home) -> Result<T>,
) -> Result<T> {
    let (home, config) = (home.clone(), config.clone());
    serve::blocking(move || work(&config, &home)).await
}

/// Done at SIGTERM or Ctrl-C.
async fn stop_signal() {
    let interrupt = tokio::signal::ctrl_c();
    match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            }
        }
        Err(_) => {
            let _ = interrupt.await;
        }
    }
}

async fn status(cli: &Cli, home: &Home) -> Result<()> {
    let config = Config::load(&home.config())?;
    let chain = Chain::connect(config.chain.clone()).await.map_err(chain_fault)?;
    let reader = config.contracts.on(&chain);
    let registered = match config.node_id {
        0 => None,
        id => Some(reader.node(id).await.map_err(chain_fault)?),
    };
    let pending = match config.node_id {
        0 => None,
        id => reader.pending(id).await.map_err(chain_fault)?,
    };
    let key = keyfile::load(&home.node_key(), None).map_err(chain_fault)?;
    let address = key.address(&config.chain.prefix).map_err(chain_fault)?;
    let gas = chain.balance(&address, &config.chain.denom).await.map_err(chain_fault)?;
    let url = format!("http://{}/ready", config.listen);
    let api = match reqwest::Client::new().get(&url).timeout(std::time::Duration::from_secs(3)).send().await {
        Ok(response) => response.json::<serde_json::Value>().await.ok(),
        Err(_) => None,
    };
    let height = chain.latest_height().await.map_err(chain_fault)?;
    let out = json!({
        "node_id": config.node_id, "height": height, "hot_addr": address, "gas_balance": gas.to_string(),
        "registered": registered, "pending": pending, "api": api,
    });
    if cli.json {
        println!("{out}");
    } else {
        println!("node           {}", config.node_id);
        println!("chain          {} at height {height}", config.chain.chain_id);
        println!("hot address    {address} with {gas}{}", config.chain.denom);
        if let Some(node) = registered {
            println!("registered     {:?}, bond {}, endpoint {}", node.status, node.bond, node.endpoint);
        }
        match pending {
            Some(epoch) => {
                println!("epoch          {} waits until height {}", epoch.commit.epoch, epoch.final_at)
            }
            None => println!("epoch          none waits"),
        }
        match api {
            Some(api) => println!("api            {api}"),
            None => println!("api            does not answer at {}", config.listen),
        }
    }
    Ok(())
}
