//! Calls what was asked for and prints the result.

use std::io::{IsTerminal, Read, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::CommandFactory;
use cosmwasm_std::Uint128;
use openledger::context::{Context, DENOM};
use openledger::contribute::Inputs;
use openledger::error::{Class, CliError, Result};
use openledger::node::faucet;
use openledger::{
    ask, contribute, data_rights, datanet, demo, deploy, earnings, explain, gateway, html, keys, model,
    network, payout, session, show, storage, training_pay, usage as uses, verify,
};
use openledger_client::{Chain, ChainConfig};
use openledger_node::train::Recipe;
use openledger_types::formats::{Account, Uses};
use openledger_types::money::Split;
use openledger_types::msg::datanet::{ExecuteMsg, Policy, Visibility};
use openledger_types::msg::escrow::SessionResponse;
use openledger_types::profile::Profile;
use rand::RngCore;
use serde::Serialize;

use super::args::{self, Cli, Command, Global};
use super::operate;

/// Most bytes read from standard input.
const MAX_INPUT: u64 = 1 << 20;

/// Runs a command.
pub async fn run(ctx: &Context, global: &Global, command: Command) -> Result<()> {
    let out = Out { json: global.json };
    match command {
        Command::Keys(command) => keys(ctx, &out, command),
        Command::Deploy(args) => deploy(ctx, &out, args).await,
        Command::Datanet(command) => datanet(ctx, &out, command).await,
        Command::Model(command) => model(ctx, &out, command).await,
        Command::Node(command) => operate::node(ctx, &out, global, command).await,
        Command::Storage(command) => storage(ctx, &out, command).await,
        Command::Faucet(args) => faucet::run(ctx, &args).await,
        Command::Session(command) => session(ctx, &out, command).await,
        Command::Ask(args) => ask(ctx, &out, args).await,
        Command::Gateway(args) => gateway(ctx, &out, args).await,
        Command::Usage(command) => usage(ctx, &out, command).await,
        Command::Earnings(args) => earnings(ctx, &out, args).await,
        Command::Claim(args) => claim(ctx, &out, args).await,
        Command::Payout(command) => payouts(ctx, &out, command).await,
        Command::Verify(args) => verify(ctx, &out, args).await,
        Command::Invariants => invariants(ctx, &out).await,
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
fn say(text: &str) -> Result<()> {
    let mut out = std::io::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(CliError::file("standard output".as_ref(), e))
        }
        _ => Ok(()),
    }
}

fn input() -> Result<String> {
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

fn create_args(args: args::Create) -> Result<datanet::CreateArgs> {
    let policy = match args.policy {
        args::PolicyName::Open if args.curators.is_empty() => Policy::Open {},
        args::PolicyName::Open => {
            return Err(CliError::usage("an open datanet has no curators: give --policy curated"))
        }
        args::PolicyName::Curated => {
            let mut curators = args.curators;
            curators.sort();
            curators.dedup();
            if !(1..=curators.len()).contains(&usize::from(args.quorum)) {
                return Err(CliError::usage(format!(
                    "a quorum of {} cannot be reached by {} curators",
                    args.quorum,
                    curators.len()
                )));
            }
            Policy::Curated { curators, quorum: args.quorum }
        }
    };
    Ok(datanet::CreateArgs {
        name: args.name,
        description: args.description,
        visibility: match args.visibility {
            args::Visible::Public => Visibility::Public,
            args::Visible::Excerpt => Visibility::Excerpt,
            args::Visible::Sealed => Visibility::Sealed,
        },
        license: args.license,
        min_data_bps: args.min_data_bps,
        floor_per_token: args.floor_per_token,
        policy,
        uses: args.uses.uses().unwrap_or(Uses::ALL),
        training_price: args.training_price,
    })
}

async fn datanet(ctx: &Context, out: &Out, command: args::Datanet) -> Result<()> {
    match command {
        args::Datanet::Create(args) => {
            let args = create_args(*args)?;
            let created = datanet::create(ctx, &ctx.signer(None).await?, args).await?;
            out.print(&created, || {
                format!(
                    "datanet {}\nkey     {}\ntx      {}",
                    created.datanet_id,
                    created.key_file.display(),
                    created.tx
                )
            })
        }
        args::Datanet::Contribute { datanet_id, paths, text_field, license, uses } => {
            let signer = ctx.signer(None).await?;
            let inputs = Inputs { paths, text_field, license, uses: uses.uses() };
            let mut skipped = Vec::new();
            let node = ctx.node_url()?;
            // One document at a time, so that memory does not grow with the input.
            let done =
                contribute::contribute(ctx, &signer, datanet_id, inputs.documents(&mut skipped), &node)
                    .await?;
            let value = serde_json::json!({ "done": done, "skipped": skipped });
            out.print(&value, || {
                let mut text = format!(
                    "{} documents contributed, {} bytes, in {} transactions\n",
                    done.contributions.len(),
                    done.bytes,
                    done.txs.len()
                );
                for (commit_id, from) in &done.bonds {
                    let when = from.map_or("once revealed".into(), |from| format!("from height {from}"));
                    text.push_str(&format!(
                        "bonds of commit {commit_id} return {when}: openledger datanet release {commit_id}\n"
                    ));
                }
                for (name, why) in &skipped {
                    text.push_str(&show::clean(&format!("skipped {name}: {why}\n")));
                }
                for (name, id) in &done.on_chain {
                    text.push_str(&show::clean(&format!("already contribution {id}: {name}\n")));
                }
                text
            })
        }
        args::Datanet::Seal { datanet_id, up_to, wait } => {
            let sealed = datanet::seal(ctx, &ctx.signer(None).await?, datanet_id, up_to, wait).await?;
            out.print(&sealed, || {
                format!(
                    "datanet {} version {}: {} contributions, root {}",
                    sealed.datanet_id, sealed.version, sealed.size, sealed.root
                )
            })
        }
        args::Datanet::Show { datanet_id } => {
            let shown = datanet::show(ctx, datanet_id).await?;
            out.print(&shown, || {
                let d = &shown.datanet;
                let mut text = format!(
                    "datanet {}  {}\nowner {}\n{} contributions, {} bytes, licence {}\n",
                    d.datanet_id, d.name, d.owner, d.contributions, d.bytes, d.license
                );
                if let Some(latest) = &shown.latest {
                    let v = &latest.version;
                    text.push_str(&format!(
                        "version {}: {} contributions, root {}\n",
                        v.version, v.size, v.root
                    ));
                }
                show::clean(&text)
            })
        }
        args::Datanet::List => {
            let all = ctx.reader().await?.datanets().await?;
            out.print(&all, || {
                let rows: Vec<Vec<String>> = all
                    .iter()
                    .map(|d| {
                        let id = d.datanet_id.to_string();
                        vec![id, d.name.clone(), d.contributions.to_string(), d.latest_version.to_string()]
                    })
                    .collect();
                show::table(&["datanet", "name", "contributions", "version"], &rows)
            })
        }
        args::Datanet::Release { commit_id } => {
            let done = data_rights::release(ctx, &ctx.signer(None).await?, commit_id).await?;
            out.print(&done, || match done.txs.as_slice() {
                [] => "nothing to return: the bonds were returned and paid before".into(),
                txs => format!("{} paid, tx {}", show::amount(done.paid.u128(), DENOM), txs.join(" ")),
            })
        }
        args::Datanet::Withdraw { mut contribution_ids } => {
            contribution_ids.sort_unstable();
            contribution_ids.dedup();
            act(ctx, out, ExecuteMsg::Withdraw { contribution_ids }, 0).await
        }
        args::Datanet::Curate { mut contribution_ids, reject, reason, slash } => {
            contribution_ids.sort_unstable();
            contribution_ids.dedup();
            act(ctx, out, ExecuteMsg::Curate { contribution_ids, approve: !reject, reason, slash }, 0).await
        }
        args::Datanet::Access(command) => access(ctx, out, command).await,
        args::Datanet::Bounty(command) => bounty(ctx, out, command).await,
        args::Datanet::Grant { datanet_id, node_id } => {
            let tx = datanet::grant(ctx, &ctx.signer(None).await?, datanet_id, node_id).await?;
            out.print(&serde_json::json!({ "tx": tx }), || format!("granted, tx {tx}"))
        }
    }
}

/// Sends a message to the datanet contract, with an amount when it is not 0.
async fn act(ctx: &Context, out: &Out, msg: ExecuteMsg, amount: u128) -> Result<()> {
    let funds = match amount {
        0 => Vec::new(),
        amount => data_rights::coin(ctx, amount).await?,
    };
    let done = data_rights::act(ctx, &ctx.signer(None).await?, &msg, &funds).await?;
    out.print(&done, || match done.number {
        Some(number) => format!("number {number}, tx {}", done.tx),
        None => format!("done, tx {}", done.tx),
    })
}

async fn access(ctx: &Context, out: &Out, command: args::Access) -> Result<()> {
    match command {
        args::Access::Buy { datanet_id } => {
            let done = data_rights::buy_access(ctx, &ctx.signer(None).await?, datanet_id).await?;
            out.print(&done, || format!("bought, tx {}; the key comes from the datanet's owner", done.tx))
        }
        args::Access::Grant { datanet_id, developer } => {
            let signer = ctx.signer(None).await?;
            let done = data_rights::grant_access(ctx, &signer, datanet_id, &developer).await?;
            out.print(&done, || format!("handed over, tx {}", done.tx))
        }
        args::Access::Show { datanet_id } => {
            let held = data_rights::show_access(ctx, &address(ctx, None)?, datanet_id).await?;
            out.print(&held, || {
                let a = &held.access;
                let key =
                    held.key_file.as_ref().map_or("has not come yet".into(), |f| f.display().to_string());
                format!("paid {}, bond {}, returned from height {}\nkey {key}", a.paid, a.bond, a.leaves_at)
            })
        }
        args::Access::Leave { datanet_id } => act(ctx, out, ExecuteMsg::LeaveAccess { datanet_id }, 0).await,
        args::Access::Claim { datanet_id, version } => {
            let signer = ctx.signer(None).await?;
            let done = training_pay::claim(ctx, &signer, version, datanet_id).await?;
            out.print(&done, || {
                format!("credited {}, refused {}; paid out {}", done.credited, done.refused, done.paid)
            })
        }
    }
}

async fn bounty(ctx: &Context, out: &Out, command: args::Bounty) -> Result<()> {
    match command {
        args::Bounty::Fund { datanet_id, topic, amount, blocks } => {
            act(ctx, out, ExecuteMsg::FundBounty { datanet_id, topic, blocks }, amount).await
        }
        args::Bounty::Add { bounty_id, amount } => {
            act(ctx, out, ExecuteMsg::AddToBounty { bounty_id }, amount).await
        }
        args::Bounty::Award { bounty_id, contribution_id, amount } => {
            let msg = ExecuteMsg::AwardBounty { bounty_id, contribution_id, amount: Uint128::new(amount) };
            act(ctx, out, msg, 0).await
        }
        args::Bounty::Leave { bounty_id } => act(ctx, out, ExecuteMsg::LeaveBounty { bounty_id }, 0).await,
        args::Bounty::List { datanet_id } => {
            let all = ctx.reader().await?.bounties(datanet_id).await?;
            out.print(&all, || {
                let rows: Vec<Vec<String>> = all
                    .iter()
                    .map(|b| {
                        let left = b.funded.saturating_sub(b.awarded).saturating_sub(b.returned);
                        let (id, left) = (b.bounty_id.to_string(), show::amount(left.u128(), DENOM));
                        vec![id, b.topic.clone(), left, b.expires.to_string()]
                    })
                    .collect();
                show::table(&["bounty", "topic", "left", "expires"], &rows)
            })
        }
    }
}

async fn model(ctx: &Context, out: &Out, command: args::Model) -> Result<()> {
    match command {
        args::Model::Train(args) => train(ctx, out, args).await,
        args::Model::Import(args) => {
            // Nothing else goes on in this process meanwhile.
            let class = args.class.into();
            let manifest = openledger_node::engine::import(&args.source, &args.out, &args.name, class)?;
            out.print(&manifest, || {
                format!(
                    "{}: {}, {} parameters, context {}, class {}, weights {}\n",
                    args.out.display(),
                    manifest.architecture,
                    manifest.parameters,
                    manifest.context,
                    manifest.numeric_class.as_str(),
                    manifest.weights_root
                )
            })
        }
        args::Model::Register(args) => {
            let signer = ctx.signer(None).await?;
            let protocol = ctx.reader().await?.model_config().await?.params.protocol_bps;
            let given = u32::from(protocol) + u32::from(args.developer_bps) + u32::from(args.data_bps);
            let node =
                10_000u32.checked_sub(given).and_then(|rest| u16::try_from(rest).ok()).ok_or_else(|| {
                    CliError::usage(format!(
                        "developer, data and the protocol's {protocol} exceed 10,000 basis points"
                    ))
                })?;
            let split = Split { protocol, developer: args.developer_bps, node, data: args.data_bps };
            let class = args.class.map(Into::into);
            let dir = model::folder(ctx, args.dir, &args.name, class).await?;
            let args = model::RegisterArgs {
                dir,
                model_id: args.model,
                name: args.name,
                description: args.description,
                price_in: args.price_in,
                price_out: args.price_out,
                split,
                parents: args.parents,
                royalty_bps: args.royalty_bps,
                node: ctx.node_url()?,
            };
            let done = model::register(ctx, &signer, args).await?;
            out.print(&done, || {
                format!("model {}:{} is served by {}", done.model_id, done.version, node_of(ctx))
            })
        }
        args::Model::Show { model: (model_id, version) } => {
            let shown = model::show(ctx, model_id, version).await?;
            out.print(&shown, || {
                let m = &shown.model;
                let mut text = format!(
                    "model {}  {}\n{}\ndeveloper {}\n",
                    m.model_id, m.name, m.description, m.developer
                );
                if let Some(v) = &shown.version {
                    let s = &v.split;
                    text.push_str(&format!(
                        "version {}: {} {} a prompt token, {} an answer token; {}\n",
                        v.version,
                        v.price_in,
                        v.denom,
                        v.price_out,
                        v.numeric_class.as_str()
                    ));
                    text.push_str(&format!(
                        "split: protocol {}, developer {}, node {}, data {}\nweights {}\n",
                        show::percent(s.protocol),
                        show::percent(s.developer),
                        show::percent(s.node),
                        show::percent(s.data),
                        v.weights_root
                    ));
                    for d in &v.datanets {
                        text.push_str(&format!(
                            "rests on datanet {} version {}, root {}\n",
                            d.datanet_id, d.version, d.root
                        ));
                    }
                }
                show::clean(&text)
            })
        }
        args::Model::List => {
            let all = model::list(ctx).await?;
            out.print(&all, || {
                let rows: Vec<Vec<String>> = all
                    .iter()
                    .map(|m| {
                        let (id, version) = (m.model_id.to_string(), m.latest_version.to_string());
                        vec![id, m.name.clone(), version, m.developer.clone()]
                    })
                    .collect();
                show::table(&["model", "name", "version", "developer"], &rows)
            })
        }
    }
}

fn node_of(ctx: &Context) -> String {
    ctx.settings.node.clone().unwrap_or_default()
}

async fn train(ctx: &Context, out: &Out, args: args::Train) -> Result<()> {
    let mut recipe = recipe(args.recipe.as_ref())?;
    if let Some(name) = args.name {
        recipe.name = name;
    }
    if let Some(class) = args.class {
        recipe.numeric_class = class.into();
    }
    if let Some(seed) = args.seed {
        recipe.seed = seed;
    }
    if args.seconds.is_some() || args.steps.is_some() {
        (recipe.seconds, recipe.steps) = (args.seconds, args.steps);
    }
    let mut skipped = Vec::new();
    let inputs = Inputs { paths: args.heldout, text_field: args.text_field, license: None, uses: None };
    let heldout = inputs.documents(&mut skipped).filter_map(|d| String::from_utf8(d.bytes).ok()).collect();
    let trained = model::train(
        ctx,
        model::TrainArgs {
            versions: args.data,
            out: args.out,
            recipe,
            heldout,
            heldout_bytes: model::HELDOUT_BYTES,
            weights: args.weights,
            node: ctx.node_url()?,
        },
    )
    .await?;
    out.print(&trained.figures(), || {
        let (report, receipt) = (&trained.report, &trained.report.receipt);
        let mut text = format!(
            "{}: {} parameters, {} steps in {:.0} s, {:.0} tokens/s, loss {:.3} -> {:.3}\n",
            trained.dir.display(),
            report.parameters,
            receipt.steps,
            receipt.seconds,
            report.tokens_per_second,
            receipt.loss_first,
            receipt.loss_last
        );
        if let Some(h) = &trained.heldout {
            let xz = h.xz.map_or("not installed".into(), |xz| format!("{xz:.3}"));
            text.push_str(&format!(
                "bits a byte on {} held-out bytes: model {:.3}, trigram {:.3}, 5-gram {:.3}, xz {xz}\n",
                h.bytes, h.bits_per_byte, h.trigram, h.five_gram
            ));
        }
        text
    })
}

/// The usual recipe with the fields of a TOML file laid over it.
fn recipe(path: Option<&PathBuf>) -> Result<Recipe> {
    let Some(path) = path else { return Ok(Recipe::default()) };
    let bad = |e: String| CliError::file(path, e);
    let text = std::fs::read_to_string(path).map_err(|e| bad(e.to_string()))?;
    let given: serde_json::Map<String, serde_json::Value> =
        toml::from_str(&text).map_err(|e| bad(e.to_string()))?;
    let mut value = serde_json::to_value(Recipe::default()).map_err(|e| bad(e.to_string()))?;
    for (name, field) in given {
        match value.get_mut(&name) {
            Some(slot) => *slot = field,
            None => return Err(bad(format!("a recipe has no field {name:?}"))),
        }
    }
    serde_json::from_value(value).map_err(|e| bad(e.to_string()))
}

async fn storage(ctx: &Context, out: &Out, command: args::Storage) -> Result<()> {
    match command {
        args::Storage::Fund { datanet_id, amount } => {
            let done = storage::fund(ctx, &ctx.signer(None).await?, datanet_id, amount).await?;
            out.print(&done, || format!("datanet {datanet_id}: {amount} base units more for storage"))
        }
        args::Storage::Place { datanet_id } => {
            let node = ctx.node_url()?;
            let done = storage::place(ctx, &ctx.signer(None).await?, datanet_id, &node).await?;
            out.print(&done, || {
                format!(
                    "datanet {datanet_id}: {} contributions, {} bytes, placed as {} objects",
                    done.contributions, done.bytes, done.objects
                )
            })
        }
        args::Storage::Show { datanet_id } => {
            let kept = storage::show(ctx, datanet_id).await?;
            out.print(&kept, || {
                let account = &kept.account;
                let end = account.dry_at.map_or("nothing is kept".into(), |at| format!("lasts to height {at}"));
                let mut text = format!(
                    "deposit {} base units, {} of them used; {end}\n{} objects, {} bytes, {} of {} fragments held\n",
                    account.deposit,
                    account.reserved,
                    kept.objects.len(),
                    kept.bytes,
                    kept.held,
                    kept.slots
                );
                let rows: Vec<Vec<String>> = kept
                    .storers
                    .iter()
                    .map(|storer| {
                        let state = format!("{:?}", storer.state).to_lowercase();
                        vec![
                            storer.node_id.to_string(),
                            state,
                            storer.kept.to_string(),
                            storer.capacity.to_string(),
                            storer.proven_blocks.to_string(),
                            storer.misses.to_string(),
                        ]
                    })
                    .collect();
                let heading = ["node", "state", "KiB kept", "KiB offered", "blocks proven", "misses"];
                text.push_str(&show::table(&heading, &rows));
                text
            })
        }
    }
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

async fn session(ctx: &Context, out: &Out, command: args::Session) -> Result<()> {
    match command {
        args::Session::Open { model: (model_id, model_version), node_id, nodes, deposit, blocks } => {
            let choose = usize::from(nodes);
            let args = session::OpenArgs { model_id, model_version, nodes: node_id, choose, deposit, blocks };
            let opened = session::open(ctx, &ctx.signer(None).await?, args).await?;
            out.print(&opened, || {
                let nodes: Vec<String> = opened.nodes.iter().map(u64::to_string).collect();
                format!(
                    "session {} is open with node {}, fee {}, tx {}",
                    opened.session_id,
                    nodes.join(", "),
                    opened.open_fee,
                    opened.tx
                )
            })
        }
        args::Session::Show { session_id } => {
            let session = ctx.reader().await?.session(session_id).await?;
            out.print(&session, || session_text(&session))
        }
        args::Session::List => {
            let ids = session::list(ctx)?;
            out.print(&ids, || ids.iter().map(|id| format!("{id}\n")).collect())
        }
        args::Session::Settle { session_id } => {
            let answers = session::settle(ctx, session_id).await?;
            out.print(&answers, || match answers.is_empty() {
                true => "nothing was answered in this session yet".into(),
                false => answers
                    .iter()
                    .map(|answer| match answer.epoch {
                        Some(epoch) => format!("epoch {epoch}: {}\n", show::clean(&answer.note)),
                        None => format!("{}\n", show::clean(&answer.note)),
                    })
                    .collect(),
            })
        }
        args::Session::TopUp { session_id, amount, node_id } => {
            let tx = session::top_up(ctx, &ctx.signer(None).await?, session_id, node_id, amount).await?;
            out.print(&serde_json::json!({ "tx": tx }), || format!("added, tx {tx}"))
        }
        args::Session::Close { session_id, patience } => {
            let signer = ctx.signer(None).await?;
            let closed = session::close(ctx, &signer, session_id, Duration::from_secs(patience)).await?;
            out.print(&closed, || session_text(&closed.session))
        }
    }
}

fn session_text(s: &SessionResponse) -> String {
    let state = if s.closed { "closed" } else { "open" };
    let mut text = format!(
        "session {} for model {}:{}, {state}\ndeposit {}, refunded {}\n",
        s.session_id,
        s.model_id,
        s.model_version,
        show::amount(s.deposit.u128(), &s.denom),
        show::amount(s.refunded.u128(), &s.denom)
    );
    text.push_str(&format!(
        "settled: protocol {}, developer {}, node {}, data {}\n",
        s.protocol, s.developer_part, s.node_part, s.data_part
    ));
    for node in &s.nodes {
        text.push_str(&format!(
            "node {}: {} of {} for {} answers, at {} a prompt token, {} an answer token\n",
            node.node_id, node.settled, node.cap, node.log.count, node.price_in, node.price_out
        ));
    }
    text
}

async fn ask(ctx: &Context, out: &Out, args: args::Ask) -> Result<()> {
    let session_id = match args.session {
        Some(id) => id,
        None => session::list(ctx)?.last().copied().ok_or_else(|| {
            CliError::usage("this home folder has no session: open one with `openledger session open`")
        })?,
    };
    let mut printed = false;
    let json = out.json;
    let mut on_text = |text: &str| {
        if !json {
            printed |= !text.is_empty();
            // The answer is paid and kept in a file whoever reads along.
            let _ = say(&show::clean(text));
        }
    };
    let answer = match args.resume {
        true => ask::resume(ctx, session_id, &mut on_text).await?,
        false => {
            let prompt = match args.prompt.as_deref() {
                Some("-") | None => input()?,
                Some(text) => text.to_string(),
            };
            let args = ask::AskArgs {
                session_id,
                prompt,
                max_tokens: args.max_tokens,
                temperature: args.temperature,
            };
            ask::ask(ctx, args, &mut on_text).await?
        }
    };
    let owners = match out.json {
        true => Default::default(),
        // The answer is paid and kept: without names it is still worth showing.
        false => ask::contributors(ctx, &answer.bundle).await.unwrap_or_default(),
    };
    out.print(&answer, || {
        let colour = std::io::stdout().is_terminal();
        let bundle = &answer.bundle;
        let mut cited = show::highlight_evidence(&bundle.answer, &bundle.evidence, colour);
        for part in answer.before.iter().rev() {
            let note = format!("[{} tokens came from node {} before it was lost]", part.tokens, part.node_id);
            cited = format!("{}\n{note}\n{cited}", show::clean(&part.text));
        }
        let gap = if printed { "\n\n" } else { "" };
        let shares = show::shares(bundle, &bundle.voucher.voucher.denom, &|id| owners.get(&id).cloned());
        format!("{gap}{cited}\n\n{shares}receipt {}\nkept in {}", answer.receipt_id, answer.file.display())
    })
}

async fn gateway(ctx: &Context, out: &Out, args: args::Gateway) -> Result<()> {
    let limit = args.limit;
    let paid_by = match (args.session, args.model) {
        (Some(session_id), _) => gateway::PaidBy::Session(session_id),
        (None, Some((model_id, model_version))) => gateway::PaidBy::New(session::OpenArgs {
            model_id,
            model_version,
            nodes: args.node_id,
            choose: usize::from(args.nodes),
            deposit: limit,
            blocks: None,
        }),
        (None, None) => return Err(CliError::usage("name --session or --model")),
    };
    let patience = Duration::from_secs(args.patience);
    let args = gateway::GatewayArgs { paid_by, limit, listen: args.listen, close: args.close, patience };
    let ended = gateway::run(ctx, args, |ready| {
        out.print(ready, || {
            format!(
                "session {} pays for model {}, at most {} {}\n\nexport OPENAI_BASE_URL={}\nexport OPENAI_API_KEY={}\n\n\
                 Ctrl-C ends it; GET /v1/gateway shows costs",
                ready.session_id, ready.model, ready.limit, ready.denom, ready.base_url, ready.api_key
            )
        })
    })
    .await?;
    out.print(&ended, || {
        let mut text = format!(
            "session {}: {} answers for {} {}\n",
            ended.session_id, ended.answers, ended.spent, ended.denom
        );
        match &ended.closed {
            Some(session) => text.push_str(&session_text(session)),
            None => text.push_str(&format!(
                "the session stays open; its refund: openledger session close {}",
                ended.session_id
            )),
        }
        text
    })
}

/// The given address, else that of the key in use.
fn address(ctx: &Context, given: Option<String>) -> Result<String> {
    match given {
        Some(address) => Ok(address),
        None => Ok(ctx.key(None)?.address(keys::PREFIX)?),
    }
}

async fn earnings(ctx: &Context, out: &Out, args: args::Earnings) -> Result<()> {
    let address = address(ctx, args.address)?;
    if args.explain {
        let earned = explain::earned(ctx, &address, args.most).await?;
        return out.print(&earned, || show::earned(&earned));
    }
    let found = earnings::earnings(ctx, &address).await?;
    out.print(&found, || {
        let rows: Vec<Vec<String>> = found
            .ledgers
            .iter()
            .map(|l| {
                let state = match (&l.problem, &l.pending) {
                    (Some(problem), _) => problem.clone(),
                    (None, Some(pending)) => pending.text(),
                    (None, None) if l.closed => "closed: the node was given up".into(),
                    (None, None) => String::new(),
                };
                vec![
                    l.node_id.to_string(),
                    l.uses.to_string(),
                    show::amount(l.cumulative.u128(), &l.denom),
                    show::amount(l.claimed.u128(), &l.denom),
                    show::amount(l.claimable.u128(), &l.denom),
                    state,
                ]
            })
            .collect();
        let mut text = show::table(&["node", "answers", "earned", "claimed", "claimable", ""], &rows);
        for a in &found.withdrawable {
            text.push_str(&format!("withdrawable {}\n", show::amount(a.amount.u128(), &a.denom)));
        }
        text
    })
}

async fn claim(ctx: &Context, out: &Out, args: args::Claim) -> Result<()> {
    let signer = ctx.signer(None).await?;
    let mut accounts: Vec<Account> = args.addresses.into_iter().map(Account::Contributor).collect();
    if args.commons {
        accounts.extend([Account::Commons, Account::Dust]);
    }
    if accounts.is_empty() {
        accounts.push(Account::Contributor(signer.address().to_string()));
    }
    let done = earnings::claim(ctx, &signer, &accounts, !args.no_withdraw).await?;
    out.print(&done, || {
        let rows: Vec<Vec<String>> = done
            .credited
            .iter()
            .map(|c| {
                let account = match &c.account {
                    Account::Contributor(address) => address.clone(),
                    Account::Commons => "commons".into(),
                    Account::Dust => "dust (commons)".into(),
                };
                let amount = show::amount(c.amount.u128(), &c.denom);
                vec![account, c.node_id.to_string(), c.uses.to_string(), amount, c.tx.clone()]
            })
            .collect();
        match (rows.is_empty(), done.txs.is_empty()) {
            (true, true) => "nothing to claim".into(),
            (true, false) => format!("withdrawn, tx {}", done.txs.join(" ")),
            _ => show::table(&["account", "node", "answers", "credited", "transaction"], &rows),
        }
    })
}

async fn payouts(ctx: &Context, out: &Out, command: args::Payout) -> Result<()> {
    let done = match command {
        args::Payout::Show { address: given } => {
            let found = payout::show(ctx, &address(ctx, given)?).await?;
            return out.print(&found, || payout::text(&found));
        }
        args::Payout::Set { route, remote_addr } => payout::set(ctx, route, remote_addr).await?,
        args::Payout::Clear => payout::clear(ctx).await?,
        args::Payout::Withdraw => payout::withdraw(ctx).await?,
        args::Payout::Flush { route, accounts, denom } => {
            payout::flush(ctx, &route, &denom, accounts).await?
        }
    };
    out.print(&done, || done.text())
}

async fn usage(ctx: &Context, out: &Out, command: args::Usage) -> Result<()> {
    let found = match command {
        args::Usage::Show { contribution_id } => uses::show(ctx, contribution_id).await?,
        args::Usage::Prove { contribution_id, dry_run: true } => {
            uses::prove(ctx, None, contribution_id).await?
        }
        args::Usage::Prove { contribution_id, dry_run: false } => {
            let signer = ctx.signer(None).await?;
            uses::prove(ctx, Some(&signer), contribution_id).await?
        }
    };
    out.print(&found, || usage_text(&found))
}

fn usage_text(found: &uses::Usage) -> String {
    let word = |proved: &uses::Proved| match proved {
        uses::Proved::Counted(tx) => format!("counted, tx {tx}"),
        uses::Proved::Holds => "the proof holds; nothing was sent".into(),
        uses::Proved::Refused(why) => why.clone(),
    };
    let mut text = format!("contribution {} of {}\n", found.contribution_id, found.contributor);
    if !found.answers.is_empty() {
        let rows: Vec<Vec<String>> = found
            .answers
            .iter()
            .map(|a| {
                let amount = show::amount(a.amount.u128(), &a.denom);
                let (node, epoch) = (a.node_id.to_string(), a.epoch.to_string());
                vec![node, epoch, a.answers.to_string(), amount, word(&a.proved)]
            })
            .collect();
        text.push_str(&show::table(&["node", "epoch", "answers", "paid", ""], &rows));
    }
    if !found.training.is_empty() {
        let rows: Vec<Vec<String>> = found
            .training
            .iter()
            .map(|t| {
                let model = format!("{}:{}", t.model_id, t.version);
                vec![model, t.times_seen.to_string(), word(&t.proved)]
            })
            .collect();
        text.push_str(&show::table(&["model", "times seen", ""], &rows));
    }
    for problem in &found.problems {
        text.push_str(&show::clean(&format!("not read: {problem}\n")));
    }
    let earned: Vec<String> =
        found.answers_counted.earned.iter().map(|a| show::amount(a.amount.u128(), &a.denom)).collect();
    text.push_str(&format!(
        "counted on chain: {} answers ({}), seen {} times by {} trainings\n",
        found.answers_counted.answers,
        if earned.is_empty() { "nothing earned".into() } else { earned.join(", ") },
        found.training_counted.times_seen,
        found.training_counted.entries.len()
    ));
    text
}

async fn verify(ctx: &Context, out: &Out, args: args::Verify) -> Result<()> {
    let bundle = verify::read_bundle(ctx, &args.answer).await?;
    let node = match ctx.node_url() {
        Ok(url) => url,
        Err(_) => {
            let node = ctx.reader().await?.node(bundle.receipt.receipt.node_id).await?;
            node.endpoint.trim_end_matches('/').to_string()
        }
    };
    let fresh = ctx.home.join(format!("verify-{:016x}", rand::rng().next_u64()));
    let cache = args.cache.as_ref().unwrap_or(&fresh);
    let found = verify::explained(ctx, &bundle, cache, &node).await;
    // A folder that stays behind only costs space; the result is what matters.
    let _ = std::fs::remove_dir_all(&fresh);
    let (found, explained) = found?;
    if let Some(path) = &args.html {
        let session = ctx.reader().await?.session(bundle.receipt.receipt.session_id).await?;
        let amounts = explain::amounts(&bundle, session.split.data);
        let page = html::report(&bundle, &found, &explained, &amounts, &session.denom);
        std::fs::write(path, page).map_err(|e| CliError::file(path, e))?;
    }
    let mut shown = serde_json::to_value(&found).unwrap_or_default();
    if let Some(fields) = shown.as_object_mut() {
        fields.insert("explained".into(), serde_json::to_value(&explained).unwrap_or_default());
    }
    out.print(&shown, || format!("{}\n{}", show::explained(&explained), show::verification(&found)))?;
    match found.holds {
        true => Ok(()),
        false => Err(CliError::new(
            Class::Verification,
            "E-CLI-067",
            format!(
                "the answer does not verify: {}",
                found.failures().map(|c| c.name).collect::<Vec<_>>().join("; ")
            ),
            "keep the file: it is evidence against the node that signed it",
        )),
    }
}

async fn invariants(ctx: &Context, out: &Out) -> Result<()> {
    let all = ctx.reader().await?.invariants().await?;
    let holds = all.iter().all(|(_, answer)| answer.holds);
    let value = serde_json::json!({
        "holds": holds,
        "contracts": all.iter().map(|(n, a)| (*n, a)).collect::<std::collections::BTreeMap<_, _>>(),
    });
    out.print(&value, || {
        let mut rows = Vec::new();
        for (name, answer) in &all {
            for d in &answer.denoms {
                let own = if d.denom == DENOM { String::new() } else { format!(" ({})", d.denom) };
                for term in &d.terms {
                    rows.push(vec![format!("{name}{own}"), term.name.clone(), term.amount.to_string()]);
                }
                rows.push(vec![format!("{name}{own}"), "surplus".into(), d.surplus.to_string()]);
                rows.push(vec![format!("{name}{own}"), "= balance".into(), d.balance.to_string()]);
            }
            for broken in &answer.broken {
                rows.push(vec![(*name).to_string(), "BROKEN".into(), broken.clone()]);
            }
        }
        format!(
            "{}{}",
            show::table(&["contract", "term", "base units"], &rows),
            if holds { "holds" } else { "BROKEN" }
        )
    })?;
    match holds {
        true => Ok(()),
        false => Err(CliError::new(
            Class::Verification,
            "E-CLI-068",
            "a conservation equation does not hold",
            "stop paying into these contracts and tell their owner",
        )),
    }
}
