//! Brings a network up on validators that run: contracts, operators with coins, nodes, one auditor beside each
//! validator. Every step is skipped when it was done before.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{bail, Result};
use futures::stream::{self, StreamExt, TryStreamExt};
use openledger_client::{Chain, ChainConfig, Coin, Signer};
use openledger_types::profile::Profile;

use super::process::NodeSetup;
use super::validator::{validators, wait_heights};
use super::{accounts, Member, Network};
use crate::context::{write_json, Context, DENOM};
use crate::deploy;

/// Base units that a node's hot account gets for gas.
const GAS: u128 = 100_000_000;
/// Base units that stay with an operator for the gas of its own messages.
const SPARE: u128 = 10_000_000;
/// Blocks for a veto against a planned cut.
const VETO_BLOCKS: u64 = 20;
/// Nodes that are registered at once.
const PARALLEL: usize = 4;

/// What `testnet/up` tells.
#[derive(Clone, Debug, clap::Args)]
pub struct UpArgs {
    /// Folder of the network; its validators are there and run
    #[arg(long = "network-home", value_name = "DIR")]
    pub network_home: PathBuf,
    /// Root of the clone
    #[arg(long = "clone", value_name = "DIR")]
    pub clone: PathBuf,
    /// Folder of the compiled contracts
    #[arg(long = "wasm-dir", value_name = "DIR")]
    pub wasm_dir: PathBuf,
    /// The program openledger-node
    #[arg(long = "node-binary", value_name = "FILE")]
    pub node_binary: PathBuf,
    /// Nodes beside the auditors
    #[arg(long = "nodes", default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub nodes: u16,
    /// Port of the first node; the others follow, then the auditors
    #[arg(long = "node-port")]
    pub node_port: u16,
}

/// Brings the network up, or goes on with what is there.
///
/// # Errors
/// When validators are missing, the chain refuses, or a node does not start.
pub async fn up(ctx: &Context, args: &UpArgs) -> Result<Network> {
    let (chain_id, validators) = validators(&args.network_home)?;
    let Some(first) = validators.first() else { bail!("E-NET-001 there are no validators") };
    let chain = Chain::connect(ChainConfig::new(&chain_id, &first.rpc)).await?;
    let known = accounts::import(ctx, &args.clone.join("testnet/dev-accounts.json"))?;
    accounts::import(ctx, &args.network_home.join("accounts.json"))?;
    let Some(faucet) = known.get("deployer") else {
        bail!("E-DEMO-008 testnet/dev-accounts.json has no account deployer")
    };
    let faucet = chain.signer(faucet.clone())?;
    let mut profile = Profile::devnet(DENOM);
    // Proposals are decided in four seconds here, a veto too.
    profile.node_registry.veto_blocks = VETO_BLOCKS;
    if !ctx.deployment_path().exists() {
        deploy::deploy(ctx, &chain, &faucet, &args.wasm_dir, profile.clone()).await?;
    }
    let bond = profile.node_registry.min_bond.u128();

    // Names, ports, keys and chain nodes of everybody; validators in turn, so that one that stops takes few
    // nodes with it.
    let mut plans = Vec::new();
    let count = usize::from(args.nodes);
    for number in 0..count + validators.len() {
        let Some(validator) = validators.get(number % validators.len()) else { continue };
        let (name, key, roles, beside) = match number.checked_sub(count) {
            None => {
                let name = format!("node-{}", number + 1);
                (name.clone(), name, vec!["inference", "storage"], validator)
            }
            Some(at) => {
                let Some(beside) = validators.get(at) else { continue };
                (format!("auditor-{}", at + 1), beside.name.clone(), vec!["audit"], beside)
            }
        };
        let port = u16::try_from(number).ok().and_then(|n| args.node_port.checked_add(n));
        let Some(port) = port else { bail!("E-NET-006 --node-port {} leaves no room", args.node_port) };
        plans.push((name, key, roles, beside.rpc.clone(), port));
    }
    let mut sends = Vec::new();
    for (_, key, ..) in &plans {
        let key = accounts::load_or_add(ctx, key)?;
        let address = key.address(&chain.config().prefix)?;
        let missing = (bond + GAS + SPARE).saturating_sub(chain.balance(&address, DENOM).await?);
        if missing > SPARE {
            sends.push((address, missing));
        }
    }
    fund(&faucet, sends).await?;
    // Each operator registers through a validator of its own, which has to know of the coins.
    wait_heights(&ctx.http, &validators, chain.latest_height().await?, Duration::from_secs(120)).await?;

    let deployment = ctx.deployment_path();
    let members: Vec<Member> = stream::iter(plans.iter().map(|(name, key, roles, rpc, port)| {
        let (deployment, chain_id) = (&deployment, &chain_id);
        async move {
            let home = args.network_home.join(name);
            let setup = NodeSetup {
                binary: &args.node_binary,
                home: home.clone(),
                port: *port,
                deployment,
                chain_id,
                rpc,
                operator_key: &ctx.key_path(key)?,
                bond,
                roles,
                moniker: name,
                gas: GAS,
            };
            let node_id = setup.prepare().await?;
            let member = Member {
                name: name.clone(),
                node_id,
                url: setup.url(),
                home,
                key: key.clone(),
                roles: roles.iter().map(|role| role.to_string()).collect(),
                rpc: rpc.clone(),
            };
            member.start(&args.node_binary, &ctx.http).await?;
            anyhow::Ok(member)
        }
    }))
    .buffered(PARALLEL)
    .try_collect()
    .await?;
    let (nodes, auditors) = members.into_iter().partition(|m| !m.roles.iter().any(|role| role == "audit"));
    let network = Network {
        chain_id,
        home: absolute(&args.network_home)?,
        clone: absolute(&args.clone)?,
        node_binary: absolute(&args.node_binary)?,
        validators,
        nodes,
        auditors,
    };
    write_json(&args.network_home.join(Network::FILE), &network)?;
    Ok(network)
}

/// Sends coins to accounts, many in one transaction.
///
/// # Errors
/// When the chain refuses.
pub(super) async fn fund(faucet: &Signer, sends: Vec<(String, u128)>) -> Result<()> {
    let sends: Vec<_> =
        sends.into_iter().map(|(address, amount)| (address, vec![Coin::new(amount, DENOM)])).collect();
    for part in sends.chunks(50) {
        faucet.bank_multi_send(part).await?;
    }
    Ok(())
}

fn absolute(path: &Path) -> Result<PathBuf> {
    Ok(std::path::absolute(path)?)
}
