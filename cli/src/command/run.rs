//! Calls what was asked for and prints the result.

use std::io::{Read, Write};

use clap::CommandFactory;
use openledger::context::{Context, DENOM};
use openledger::error::{CliError, Result};
use openledger::node::faucet;
use openledger::{demo, deploy, keys, network, show};
use openledger_client::{Chain, ChainConfig};
use openledger_types::profile::Profile;
use serde::Serialize;

use super::args::{self, Cli, Command, Global};
use super::{audits, data, models, money, operate, proofs, sessions};

/// Most bytes read from standard input.
const MAX_INPUT: u64 = 1 << 20;

/// Runs a command.
pub async fn run(ctx: &Context, global: &Global, command: Command) -> Result<()> {
    let out = Out { json: global.json };
    match command {
        Command::Keys(command) => keys(ctx, &out, command),
        Command::Deploy(args) => deploy(ctx, &out, args).await,
        Command::Datanet(command) => data::datanet(ctx, &out, command).await,
        Command::Model(command) => models::model(ctx, &out, command).await,
        Command::Node(command) => operate::node(ctx, &out, global, command).await,
        Command::Storage(command) => data::storage(ctx, &out, command).await,
        Command::Faucet(args) => faucet::run(ctx, &args).await,
        Command::Session(command) => sessions::session(ctx, &out, command).await,
        Command::Ask(args) => sessions::ask(ctx, &out, args).await,
        Command::Gateway(args) => sessions::gateway(ctx, &out, args).await,
        Command::Usage(command) => proofs::usage(ctx, &out, command).await,
        Command::Earnings(args) => money::earnings(ctx, &out, args).await,
        Command::Claim(args) => money::claim(ctx, &out, args).await,
        Command::Payout(command) => money::payouts(ctx, &out, command).await,
        Command::Verify(args) => proofs::verify(ctx, &out, args).await,
        Command::Estimate(args) => audits::estimate(ctx, &out, args).await,
        Command::AuditAttribution(args) => audits::attribution(ctx, &out, args).await,
        Command::Dispute(args) => proofs::dispute(ctx, &out, args).await,
        Command::Invariants => proofs::invariants(ctx, &out).await,
        Command::Demo(args) => demo::run(ctx, *args).await,
        Command::Testnet(command) => network::run(ctx, command).await,
        Command::Completions { shell } => {
            // Into memory first: the generator gives up when its reader has left.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "openledger", &mut script);
            say(&String::from_utf8_lossy(&script))
        }
    }
}

/// Where results go: one JSON document, or text for people.
pub(super) struct Out {
    pub(super) json: bool,
}

impl Out {
    pub(super) fn print<T: Serialize>(&self, value: &T, people: impl FnOnce() -> String) -> Result<()> {
        let text = match self.json {
            true => serde_json::to_string_pretty(value).map_err(|e| CliError::usage(e.to_string()))?,
            false => people().trim_end().to_string(),
        };
        say(&format!("{text}\n"))
    }
}

/// Writes to standard output. A reader who left early, as `head` does, is no error.
pub(super) fn say(text: &str) -> Result<()> {
    let mut out = std::io::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(CliError::file("standard output".as_ref(), e))
        }
        _ => Ok(()),
    }
}

pub(super) fn input() -> Result<String> {
    let mut text = String::new();
    let taken = std::io::stdin().take(MAX_INPUT).read_to_string(&mut text);
    taken.map_err(|e| CliError::file("standard input".as_ref(), e))?;
    Ok(text)
}

fn keys(ctx: &Context, out: &Out, command: args::Keys) -> Result<()> {
    let info = match command {
        args::Keys::List => {
            let names = keys::list(ctx)?;
            return out.print(&names, || names.join("\n"));
        }
        args::Keys::Add { name } => keys::add(ctx, &name)?,
        args::Keys::Import { name } => keys::import(ctx, &name, &input()?)?,
        args::Keys::Show { name } => keys::show(ctx, &name)?,
    };
    out.print(&info, || match &info.mnemonic {
        None => format!("{}  {}", info.name, info.address),
        Some(words) => format!(
            "{}  {}\n\nThese words are the only way to restore the key. Write them down:\n{words}",
            info.name, info.address
        ),
    })
}

async fn deploy(ctx: &Context, out: &Out, args: args::Deploy) -> Result<()> {
    let rpc =
        ctx.settings.rpc.clone().ok_or_else(|| CliError::usage("name the chain's RPC address: --rpc URL"))?;
    let chain = Chain::connect(ChainConfig::new(args.chain_id, rpc)).await?;
    let signer = chain.signer(ctx.key(None)?)?;
    let profile = match args.params {
        args::Profile::Devnet => Profile::devnet(DENOM),
        args::Profile::Default => Profile::protocol(DENOM),
    };
    let deployment = deploy::deploy(ctx, &chain, &signer, &args.wasm_dir, profile).await?;
    out.print(&deployment, || {
        let c = &deployment.contracts;
        let rows = [
            ("datanet", &c.datanet),
            ("model registry", &c.model_registry),
            ("node registry", &c.node_registry),
            ("payable escrow", &c.payable_escrow),
            ("referee", &c.referee),
            ("owner (governance)", &deployment.owner),
        ]
        .map(|(name, address)| vec![name.to_string(), address.clone()]);
        show::table(&["contract", "address"], &rows)
    })
}

pub(super) async fn nodes(ctx: &Context, out: &Out) -> Result<()> {
    let all = ctx.reader().await?.nodes().await?;
    out.print(&all, || {
        let rows: Vec<Vec<String>> = all
            .iter()
            .map(|n| {
                let status = format!("{:?}", n.status).to_lowercase();
                vec![n.node_id.to_string(), n.moniker.clone(), n.endpoint.clone(), status, n.bond.to_string()]
            })
            .collect();
        show::table(&["node", "name", "endpoint", "status", "bond"], &rows)
    })
}
