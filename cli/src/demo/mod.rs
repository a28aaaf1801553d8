//! The main job from beginning to end on a running devnet: real data in, a paid answer out, every
//! contributor paid on chain. Called by `scripts/demo`, which builds and starts what this needs.

mod corpus;
mod node_process;
mod summary;
mod table;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{bail, Context as _, Result};
use cosmwasm_std::Uint128;
use futures::stream::{self, StreamExt, TryStreamExt};
use openledger_client::{Chain, ChainConfig, Coin, Key, Signer};
use openledger_types::api::AnswerBundle;
use openledger_types::formats::Account;
use openledger_types::money::{divide_answer, Split};
use openledger_types::msg::datanet::Visibility;
use openledger_types::msg::escrow::ExecuteMsg;

use crate::ask::AskArgs;
use crate::context::{write_json, Context, Settings};
use crate::contribute::Document;
use crate::error::{Class, CliError};
use crate::params::{Profile, DENOM};
use crate::session::OpenArgs;
use crate::{ask, contribute, datanet, deploy, earnings, keys, model, session, show};

use corpus::{Corpus, DataOptions, SourceDoc};
use node_process::{NodeProcess, NodeSetup};
use summary::{
    AnswerSummary, Contributor, DatanetSummary, HeldoutSummary, Invariants, ModelSummary, Payout,
    SessionSummary, ShareSummary, Summary,
};

/// Part of the documents held out, in percent.
const HELD_OUT_PERCENT: u64 = 5;
/// Characters of a question.
const QUESTION_CHARS: usize = 200;
/// Contributors that contribute at the same time.
const PARALLEL: usize = 4;
/// Most bytes of held-out text that are evaluated.
const EVAL_BYTES: usize = 400_000;

/// What the demo is told by `scripts/demo`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Folder of everything the demo makes.
    #[arg(long)]
    pub work: PathBuf,
    /// Root of the clone.
    #[arg(long)]
    pub clone: PathBuf,
    /// RPC address of the devnet.
    #[arg(long)]
    pub devnet_rpc: String,
    /// Chain id of the devnet.
    #[arg(long)]
    pub chain_id: String,
    /// Folder of the compiled contracts.
    #[arg(long)]
    pub wasm_dir: PathBuf,
    /// The program openledger-node.
    #[arg(long)]
    pub node_binary: PathBuf,
    /// Port of the node.
    #[arg(long)]
    pub node_port: u16,
    /// Folder with one subfolder per contributor, or with .jsonl(.gz) files; sources of crates when absent.
    #[arg(long)]
    pub data: Option<PathBuf>,
    /// Field of the text in .jsonl lines.
    #[arg(long, default_value = "text")]
    pub text_field: String,
    /// Field of the contributor in .jsonl lines.
    #[arg(long, default_value = "contributor")]
    pub contributor_field: String,
    /// Question; may be repeated. Openings of held-out documents when absent.
    #[arg(long = "ask")]
    pub questions: Vec<String>,
    /// Seconds of training.
    #[arg(long, default_value_t = 180)]
    pub seconds: u64,
    /// Most bytes of all documents.
    #[arg(long, default_value_t = 20_000_000)]
    pub max_bytes: u64,
    /// Seed of the split and of the questions.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// A small job for tests: less data, a tiny model.
    #[arg(long)]
    pub small: bool,
    /// Leave node and chain running.
    #[arg(long)]
    pub keep: bool,
}

/// Prints the steps and keeps their times.
struct Steps {
    since: Instant,
    step: Instant,
    name: &'static str,
    seconds: BTreeMap<String, f64>,
}

impl Steps {
    fn new() -> Self {
        Steps { since: Instant::now(), step: Instant::now(), name: "", seconds: BTreeMap::new() }
    }

    fn next(&mut self, name: &'static str, text: &str) {
        self.end();
        self.name = name;
        println!("\n==> {text}");
    }

    fn end(&mut self) {
        if !self.name.is_empty() {
            let seconds = self.step.elapsed().as_secs_f64();
            self.seconds.insert(self.name.into(), (seconds * 10.0).round() / 10.0);
            println!("    {seconds:.1} s");
        }
        self.step = Instant::now();
    }
}

/// A contributor with account and documents.
struct Party {
    who: Contributor,
    signer: Signer,
    ctx: Context,
    docs: Vec<SourceDoc>,
}

/// Runs the whole job with `ctx`'s home folder and writes `summary.json` into `args.work`.
///
/// # Errors
/// At the first step that fails, in words that say what to do.
pub async fn run(ctx: &Context, args: Args) -> crate::error::Result<()> {
    let ctx = Context { settings: Settings::default(), ..ctx.clone() };
    job(ctx, args).await.map_err(|error| match error.downcast::<CliError>() {
        Ok(error) => error,
        Err(error) => CliError::new(
            Class::Refused,
            "E-DEMO-000",
            format!("the demo did not finish: {error:#}"),
            "mend what the message names, then run ./scripts/demo again: it starts from an empty chain",
        ),
    })
}

async fn job(ctx: Context, args: Args) -> Result<()> {
    let mut steps = Steps::new();

    steps.next("corpus", "real input");
    let corpus = read_corpus(&args)?;
    let total: usize = corpus.docs.iter().map(|d| d.bytes.len()).sum();
    println!(
        "    {} documents of {} contributors, {:.1} MB",
        corpus.docs.len(),
        corpus.origins.len(),
        total as f64 / 1e6
    );
    corpus.skipped.iter().take(20).for_each(|(name, why)| println!("    skipped {name}: {why}"));
    if corpus.skipped.len() > 20 {
        println!("    … and {} more skipped", corpus.skipped.len() - 20);
    }
    for (name, origin) in corpus.origins.iter().filter(|(_, origin)| origin.checksum.is_some()) {
        let authors =
            if origin.authors.is_empty() { "authors not named".into() } else { origin.authors.join(", ") };
        let (license, checksum) =
            (origin.license.as_deref().unwrap_or("-"), origin.checksum.as_deref().unwrap_or("-"));
        println!("    {name}: {license}; {authors}; sha256 {}", checksum.get(..16).unwrap_or(checksum));
    }
    let origins = corpus.origins;
    let (docs, held) = corpus::hold_out(corpus.docs, HELD_OUT_PERCENT, args.seed);
    let mut questions = args.questions.clone();
    if questions.is_empty() {
        questions = corpus::questions(&held, 3, QUESTION_CHARS, args.seed);
    }
    if questions.is_empty() {
        questions = corpus::questions(&docs, 3, QUESTION_CHARS, args.seed);
    }
    if questions.is_empty() {
        bail!("E-DEMO-006 no document is long enough to ask its opening: give a question with --ask TEXT");
    }
    println!("    {} documents are held out; {} questions", held.len(), questions.len());

    steps.next("deploy", "contracts, owned by the governance account");
    let chain = Chain::connect(ChainConfig::new(&args.chain_id, &args.devnet_rpc)).await?;
    let accounts = dev_accounts(&ctx, &args.clone)?;
    let signer_of = |name: &str| -> Result<Signer> { Ok(chain.signer(account(&accounts, name)?)?) };
    let (faucet, owner, developer, user) =
        (signer_of("deployer")?, signer_of("datanet-owner")?, signer_of("developer")?, signer_of("user")?);
    let deployment = deploy::deploy(&ctx, &chain, &faucet, &args.wasm_dir, Profile::Devnet).await?;
    println!("    datanet        {}", deployment.contracts.datanet);
    println!("    model registry {}", deployment.contracts.model_registry);
    println!("    node registry  {}", deployment.contracts.node_registry);
    println!("    escrow         {}", deployment.contracts.payable_escrow);
    println!("    owner, admin   {}", deployment.owner);
    let reader = ctx.reader().await?;

    steps.next("node", "an inference node: keys, bond, service");
    let setup = NodeSetup {
        binary: &args.node_binary,
        home: args.work.join("node"),
        port: args.node_port,
        deployment: &ctx.deployment_path(),
        operator_key: &ctx.key_path("node")?,
        bond: Profile::Devnet.node_registry().min_bond.u128(),
        chain_id: &args.chain_id,
        rpc: &args.devnet_rpc,
        gas: 100_000_000,
    };
    let node = NodeProcess::start(&setup, &ctx.http).await?;
    let ctx = Context { settings: Settings { node: Some(node.url.clone()), ..Settings::default() }, ..ctx };
    println!("    node {} at {}", node.node_id, node.url);

    steps.next("contribute", "contributors commit, reveal and upload");
    let created = datanet::create(
        &ctx,
        &owner,
        datanet::CreateArgs {
            name: if args.data.is_some() { "demo".into() } else { "permissive Rust".into() },
            description: "Made by the demo".into(),
            visibility: Visibility::Public,
            license: "LicenseRef-see-contribution".into(),
            min_data_bps: 3_000,
            floor_per_token: 1,
        },
    )
    .await?;
    let mut parties = parties(&ctx, &chain, &faucet, docs).await?;
    let texts = contribute_all(&mut parties, created.datanet_id, &node.url).await?;
    println!("    {} contributions, {:.1} MB of content text", texts.0, texts.1 as f64 / 1e6);

    steps.next("seal", "a sealed version");
    let sealed = datanet::seal(&ctx, &owner, created.datanet_id, None).await?;
    println!("    version {} of {} contributions, root {}", sealed.version, sealed.size, sealed.root);

    steps.next("train", "a language model from the sealed version");
    let folder = args.work.join("model");
    let heldout: Vec<String> = held.iter().map(|d| String::from_utf8_lossy(&d.bytes).into_owned()).collect();
    let trained = model::train(
        &ctx,
        model::TrainArgs {
            versions: vec![(created.datanet_id, sealed.version)],
            out: folder.clone(),
            recipe: recipe(&args),
            heldout,
            heldout_bytes: EVAL_BYTES,
            node: node.url.clone(),
        },
    )
    .await?;
    let receipt = &trained.report.receipt;
    let heldout =
        trained.heldout.clone().context("E-DEMO-007 nothing was held out: the corpus is too small")?;
    println!(
        "    {} parameters, {} steps, {:.0} tokens/s, loss {:.2} -> {:.2}",
        trained.report.parameters,
        receipt.steps,
        trained.report.tokens_per_second,
        receipt.loss_first,
        receipt.loss_last
    );
    println!(
        "    held out, bits per byte: model {:.3}, byte trigram {:.3}, byte 5-gram {:.3}, xz -9 {}",
        heldout.bits_per_byte,
        heldout.trigram,
        heldout.five_gram,
        heldout.xz.map_or("not installed".into(), |x| format!("{x:.3}"))
    );

    steps.next("register", "model on record, with price and split");
    let split = Split {
        protocol: Profile::Devnet.model_registry().protocol_bps,
        developer: 2_000,
        node: 2_500,
        data: 5_000,
    };
    let registered = model::register(
        &ctx,
        &developer,
        model::RegisterArgs {
            dir: folder,
            model_id: None,
            name: "demo".into(),
            description: "Trained by the demo".into(),
            price_in: 100,
            price_out: 1_000,
            split,
            node: node.url.clone(),
        },
    )
    .await?;
    println!(
        "    model {}:{}; of a fee 50 % data, 25 % node, 20 % developer, 5 % protocol",
        registered.model_id, registered.version
    );

    steps.next("ask", "a session and paid questions");
    let opened = session::open(
        &ctx,
        &user,
        OpenArgs {
            model_id: registered.model_id,
            model_version: Some(registered.version),
            node_id: node.node_id,
            deposit: 2_000_000,
            blocks: None,
        },
    )
    .await?;
    println!("    session {} with a deposit of 2 OPEN", opened.session_id);
    let prepared = model::index(&ctx, registered.model_id, registered.version, &node.url).await?;
    let names: BTreeMap<u64, Contributor> =
        owners_of(&reader, created.datanet_id, sealed.size, &parties).await?;
    let mut answers: Vec<(String, ask::Answer)> = Vec::new();
    for question in &questions {
        let args = AskArgs {
            session_id: opened.session_id,
            prompt: question.clone(),
            max_tokens: 96,
            temperature: 0.7,
        };
        let answer = ask::ask(&ctx, args, &mut |_| {}).await?;
        print_answer(&prepared, question, &answer.bundle, &names, split.data);
        answers.push((question.clone(), answer));
    }

    steps.next("settle", "the session is settled and closed");
    let closed = session::close(&ctx, &user, opened.session_id, Duration::from_secs(60)).await?;
    println!("    {} of {} base units returned", closed.session.refunded, closed.session.deposit);

    steps.next("final", "the ledger's challenge window");
    wait_final(&reader, &faucet, &deployment.contracts.payable_escrow, node.node_id).await?;

    steps.next("claim", "every contributor claims");
    let payouts = claim_all(&ctx, &reader, node.node_id, &parties).await?;

    steps.next("verify", "each answer, from its receipt alone, in a fresh process");
    let verified = verify_all(&args, &ctx, &answers, &node.url)?;
    steps.end();

    let invariants = reader.invariants().await?;
    let holds = invariants.iter().all(|(_, answer)| answer.holds);
    let terms = serde_json::to_value(invariants.into_iter().collect::<BTreeMap<_, _>>())?;
    let owners = reader
        .owners()
        .await?
        .into_iter()
        .map(|(n, o)| (n.to_string(), o.owner.unwrap_or_default()))
        .collect();
    let summary = Summary {
        chain_id: args.chain_id.clone(),
        height: chain.latest_height().await?,
        contracts: deployment.contracts.clone(),
        datanet: DatanetSummary {
            id: created.datanet_id,
            version: sealed.version,
            contributions: sealed.size,
            contributors: parties.len() as u64,
            bytes: texts.1,
        },
        model: ModelSummary {
            id: registered.model_id,
            parameters: trained.report.parameters,
            train_seconds: receipt.seconds,
            train_tokens_per_second: trained.report.tokens_per_second,
            loss_first: f64::from(receipt.loss_first),
            loss_last: f64::from(receipt.loss_last),
            heldout: HeldoutSummary {
                bits_per_byte: heldout.bits_per_byte,
                trigram: heldout.trigram,
                five_gram: heldout.five_gram,
                xz: heldout.xz,
            },
        },
        sessions: vec![session_summary(&closed.session, &answers)],
        answers: answers
            .iter()
            .zip(&verified)
            .map(|((prompt, answer), verified)| {
                answer_summary(prompt, &answer.bundle, &names, split.data, *verified)
            })
            .collect(),
        payouts: payouts.iter().map(|p| p.payout.clone()).collect(),
        owners,
        invariants: Invariants { holds, terms },
        seconds: steps.seconds.clone(),
    };
    let path = args.work.join("summary.json");
    write_json(&path, &summary)?;

    println!("\nWho was paid (amounts in OPEN; balances include gas)\n");
    println!("{}", payout_table(&payouts, &origins));
    let faults = summary.faults(args.small);
    println!("summary: {}   ({:.0} s)", path.display(), steps.since.elapsed().as_secs_f64());
    if !faults.is_empty() {
        bail!("E-DEMO-020 {}", faults.join("; "));
    }
    if args.keep {
        println!("\nStill running: chain {} at {}, node at {}", args.chain_id, args.devnet_rpc, node.url);
        let binary = std::env::current_exe()?;
        println!(
            "  {} --home {} --node {} --key user session open --model {}:{} --node-id {} --deposit 1000000",
            binary.display(),
            ctx.home.display(),
            node.url,
            registered.model_id,
            registered.version,
            node.node_id
        );
        println!(
            "  {} --home {} --node {} ask --session ID \"fn main() {{\"",
            binary.display(),
            ctx.home.display(),
            node.url
        );
        println!("  stop everything: ./scripts/demo --down");
        node.keep();
    }
    Ok(())
}

fn read_corpus(args: &Args) -> Result<Corpus> {
    let max_bytes = if args.small { args.max_bytes.min(1_500_000) } else { args.max_bytes };
    match &args.data {
        None => corpus::crates(&args.clone, max_bytes),
        Some(path) => corpus::folder(&DataOptions {
            path: path.clone(),
            text_field: args.text_field.clone(),
            contributor_field: args.contributor_field.clone(),
            max_bytes,
        }),
    }
}

fn recipe(args: &Args) -> openledger_node::train::Recipe {
    let recipe = openledger_node::train::Recipe { seed: args.seed, ..Default::default() };
    match args.small {
        true => openledger_node::train::Recipe { seconds: Some(args.seconds.min(40)), ..recipe },
        false => openledger_node::train::Recipe { seconds: Some(args.seconds), ..recipe },
    }
}

/// Imports the devnet's public keys into the demo's home.
fn dev_accounts(ctx: &Context, clone: &Path) -> Result<BTreeMap<String, Key>> {
    let path = clone.join("testnet/dev-accounts.json");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let file: serde_json::Value = serde_json::from_str(&text)?;
    let mut found = BTreeMap::new();
    for entry in file["accounts"].as_array().into_iter().flatten() {
        if let (Some(name), Some(words)) = (entry["name"].as_str(), entry["mnemonic"].as_str()) {
            keys::import(ctx, name, words)?;
            found.insert(name.to_string(), ctx.key(Some(name))?);
        }
    }
    Ok(found)
}

fn account(accounts: &BTreeMap<String, Key>, name: &str) -> Result<Key> {
    accounts
        .get(name)
        .cloned()
        .with_context(|| format!("E-DEMO-008 testnet/dev-accounts.json has no account {name}"))
}

/// One account for each contributor, funded for bonds and gas.
async fn parties(ctx: &Context, chain: &Chain, faucet: &Signer, docs: Vec<SourceDoc>) -> Result<Vec<Party>> {
    let mut by_name: BTreeMap<String, Vec<SourceDoc>> = BTreeMap::new();
    docs.into_iter().for_each(|doc| by_name.entry(doc.contributor.clone()).or_default().push(doc));
    let (mut parties, mut sends) = (Vec::new(), Vec::new());
    for (number, (name, docs)) in by_name.into_iter().enumerate() {
        let key_name = format!("contributor-{}", number + 1);
        let address = keys::add(ctx, &key_name)?.address;
        let signer = chain.signer(ctx.key(Some(&key_name))?)?;
        let coins = 5_000_000 + 3_000 * docs.len() as u128;
        sends.push((address.clone(), vec![Coin::new(coins, DENOM)]));
        parties.push(Party { who: Contributor { name, address }, signer, ctx: ctx.clone(), docs });
    }
    for part in sends.chunks(50) {
        faucet.bank_multi_send(part).await?;
    }
    Ok(parties)
}

async fn contribute_all(parties: &mut [Party], datanet_id: u64, node: &str) -> Result<(u64, u64)> {
    let (mut count, mut bytes, mut refused, mut twice) = (0, 0, 0, 0);
    let mut runs = stream::iter(parties.iter_mut().map(|party| {
        let docs = std::mem::take(&mut party.docs);
        let documents =
            docs.into_iter().map(|d| Document { name: d.name, bytes: d.bytes, license: d.license });
        let (ctx, signer) = (Context { progress: false, ..party.ctx.clone() }, party.signer.clone());
        async move { contribute::contribute(&ctx, &signer, datanet_id, documents, node).await }
    }))
    .buffer_unordered(PARALLEL);
    while let Some(done) = runs.try_next().await? {
        count += done.contributions.len() as u64;
        bytes += done.bytes;
        twice +=
            done.on_chain.len() + done.report.documents.iter().filter(|d| d.duplicate_of.is_some()).count();
        for document in done.report.documents.iter().filter(|d| d.refused.is_some()) {
            refused += 1;
            if refused <= 5 {
                if let Some(why) = &document.refused {
                    println!("    refused {}: {}", document.name, why.reason);
                }
            }
        }
    }
    println!("    refused {refused}, exact duplicates left out {twice}");
    Ok((count, bytes))
}

/// Who contributed what, by contribution, as the chain says.
async fn owners_of(
    reader: &openledger_client::contracts::Reader,
    datanet_id: u64,
    size: u64,
    parties: &[Party],
) -> Result<BTreeMap<u64, Contributor>> {
    let names: BTreeMap<&str, &Contributor> =
        parties.iter().map(|p| (p.who.address.as_str(), &p.who)).collect();
    let leaves = reader.leaves(datanet_id, size).await?;
    Ok(leaves
        .into_iter()
        .map(|facts| {
            let who = names.get(facts.contributor.as_str()).map(|who| (*who).clone());
            let unknown = Contributor { name: "unknown".into(), address: facts.contributor };
            (facts.contribution_id, who.unwrap_or(unknown))
        })
        .collect())
}

/// Shares of an answer by contributor.
fn shares_of(bundle: &AnswerBundle, names: &BTreeMap<u64, Contributor>, data_bps: u16) -> Vec<ShareSummary> {
    let receipt = &bundle.receipt.receipt;
    let seed = receipt.seed.as_slice().try_into().unwrap_or_default();
    let division = divide_answer(receipt.fee.u128(), data_bps, &receipt.shares, receipt.no_evidence, &seed);
    let mut by_contributor: BTreeMap<Contributor, (u16, u128)> = BTreeMap::new();
    for (share, (_, amount)) in receipt.shares.iter().zip(&division.amounts) {
        if let Some(who) = names.get(&share.contribution_id) {
            let entry = by_contributor.entry(who.clone()).or_default();
            entry.0 += share.bps;
            entry.1 += amount;
        }
    }
    let mut shares: Vec<ShareSummary> = by_contributor
        .into_iter()
        .map(|(contributor, (bps, amount))| ShareSummary { contributor, bps, amount: Uint128::new(amount) })
        .collect();
    shares.sort_by(|a, b| b.bps.cmp(&a.bps).then_with(|| a.contributor.cmp(&b.contributor)));
    shares
}

fn print_answer(
    index: &openledger_attribution::Index,
    question: &str,
    bundle: &AnswerBundle,
    names: &BTreeMap<u64, Contributor>,
    data_bps: u16,
) {
    let receipt = &bundle.receipt.receipt;
    let seed = receipt.seed.as_slice().try_into().unwrap_or_default();
    let trace = index.trace(question, &bundle.answer, &seed);
    println!("\n--- {question}");
    println!(
        "{}",
        show::highlight(&bundle.answer, &trace, std::io::IsTerminal::is_terminal(&std::io::stdout()))
    );
    println!(
        "--- {} tokens, fee {} OPEN, receipt {}",
        receipt.tokens_out,
        table::open(receipt.fee.u128()),
        hex::encode(receipt.digest())
    );
    for share in shares_of(bundle, names, data_bps).iter().take(6) {
        println!(
            "    {:>6.2} %  {:>10} OPEN  {}",
            f64::from(share.bps) / 100.0,
            table::open(share.amount.u128()),
            share.contributor.name
        );
    }
    println!("    {:>6.2} %  no evidence: to the commons", f64::from(receipt.no_evidence) / 100.0);
}

async fn wait_final(
    reader: &openledger_client::contracts::Reader,
    anyone: &Signer,
    escrow: &str,
    node_id: u64,
) -> Result<()> {
    let Some(epoch) = reader.pending(node_id).await? else { return Ok(()) };
    let now = reader.chain().latest_height().await?;
    let blocks = epoch.final_at.saturating_sub(now);
    println!("    {blocks} blocks until height {} (no auditors yet: four windows)", epoch.final_at);
    reader.chain().wait_for_height(epoch.final_at, Duration::from_secs(60 + 20 * blocks)).await?;
    match anyone.execute(escrow, &ExecuteMsg::Finalize { node_id }, &[]).await {
        Ok(_) => Ok(()),
        // The node itself finalises too: then there is nothing left to do.
        Err(_) if reader.pending(node_id).await?.is_none() => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// A payout with what the table shows beside it.
struct Paid {
    payout: Payout,
    share: f64,
    before: u128,
    after: u128,
}

async fn claim_all(
    ctx: &Context,
    reader: &openledger_client::contracts::Reader,
    node_id: u64,
    parties: &[Party],
) -> Result<Vec<Paid>> {
    let ledger = earnings::ledger_of(ctx, node_id, DENOM).await?;
    let leaf_of = |address: &str| {
        let entries = ledger.iter().flat_map(|(_, blob)| &blob.leaves);
        entries.map(|e| &e.leaf).find(|leaf| leaf.account == Account::Contributor(address.into())).cloned()
    };
    let total: u128 =
        parties.iter().filter_map(|p| leaf_of(&p.who.address)).map(|l| l.cumulative.u128()).sum();
    let mut paid: Vec<Paid> = stream::iter(parties.iter().map(|party| {
        let leaf = leaf_of(&party.who.address);
        async move {
            let chain = reader.chain();
            let before = chain.balance(&party.who.address, DENOM).await?;
            let (mut amount, mut uses, mut tx) = (0, 0, None);
            if let Some(leaf) = leaf.filter(|leaf| !leaf.cumulative.is_zero()) {
                let account = Account::Contributor(party.who.address.clone());
                let claimed = earnings::claim(ctx, &party.signer, &[account], true).await?;
                (amount, uses, tx) = (leaf.cumulative.u128(), leaf.uses, claimed.txs.last().cloned());
            }
            let after = chain.balance(&party.who.address, DENOM).await?;
            let payout = Payout { contributor: party.who.clone(), amount: Uint128::new(amount), uses, tx };
            let share = if total == 0 { 0.0 } else { 100.0 * amount as f64 / total as f64 };
            Ok::<_, anyhow::Error>(Paid { payout, share, before, after })
        }
    }))
    .buffer_unordered(PARALLEL)
    .try_collect()
    .await?;
    paid.sort_by(|a, b| {
        b.payout.amount.cmp(&a.payout.amount).then_with(|| a.payout.contributor.cmp(&b.payout.contributor))
    });
    println!("    {} contributors were paid", paid.iter().filter(|p| !p.payout.amount.is_zero()).count());
    Ok(paid)
}

fn payout_table(payouts: &[Paid], origins: &BTreeMap<String, corpus::Origin>) -> String {
    let rows: Vec<Vec<String>> = payouts
        .iter()
        .map(|p| {
            let license = origins.get(&p.payout.contributor.name).and_then(|o| o.license.clone());
            vec![
                p.payout.contributor.name.clone(),
                license.unwrap_or_default(),
                p.payout.uses.to_string(),
                format!("{:.2} %", p.share),
                table::open(p.payout.amount.u128()),
                table::open(p.before),
                table::open(p.after),
                p.payout.tx.as_deref().map_or("-".into(), |tx| format!("{}…", &tx[..tx.len().min(16)])),
            ]
        })
        .collect();
    let heading =
        ["contributor", "licence", "uses", "share", "paid", "balance before", "balance after", "transaction"];
    table::render(&heading, &rows, &[2, 3, 4, 5, 6])
}

/// Verifies every answer by a process of its own, each with an empty home.
fn verify_all(
    args: &Args,
    ctx: &Context,
    answers: &[(String, ask::Answer)],
    node: &str,
) -> Result<Vec<bool>> {
    let binary = std::env::current_exe()?;
    let mut results = Vec::new();
    for (_, answer) in answers {
        let fresh = args.work.join("verify").join(&answer.receipt_id);
        let output = std::process::Command::new(&binary)
            .arg("--home")
            .arg(&fresh)
            .arg("--deployment")
            .arg(ctx.deployment_path())
            .args(["--node", node, "--json", "verify"])
            .arg(&answer.file)
            .output()?;
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let checks = report["checks"].as_array().map(Vec::len).unwrap_or_default();
        let holds = output.status.success() && report["holds"] == true && checks > 0;
        println!("    {} {} ({checks} checks)", if holds { "✓" } else { "✗" }, answer.receipt_id);
        if !holds {
            println!(
                "{}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
        }
        results.push(holds);
        // Its copy of model and data is of no further use.
        let _ = std::fs::remove_dir_all(&fresh);
    }
    Ok(results)
}

fn session_summary(
    session: &openledger_types::msg::escrow::SessionResponse,
    answers: &[(String, ask::Answer)],
) -> SessionSummary {
    let (mut data, mut commons) = (0u128, 0u128);
    for (_, answer) in answers {
        let receipt = &answer.bundle.receipt.receipt;
        let seed = receipt.seed.as_slice().try_into().unwrap_or_default();
        let division = divide_answer(
            receipt.fee.u128(),
            session.split.data,
            &receipt.shares,
            receipt.no_evidence,
            &seed,
        );
        data += division.amounts.iter().map(|(_, amount)| amount).sum::<u128>();
        commons += division.commons;
    }
    let fees: u128 = session.nodes.iter().map(|n| n.settled.u128()).sum();
    SessionSummary {
        id: session.session_id,
        denom: session.denom.clone(),
        deposited: Uint128::new(session.deposit.u128() + session.open_fee.u128()),
        open_fee: session.open_fee,
        fees: Uint128::new(fees),
        protocol: session.protocol,
        developer: session.developer_part,
        node: session.node_part,
        data: Uint128::new(data),
        commons: Uint128::new(commons),
        dust: Uint128::new(session.data_part.u128().saturating_sub(data).saturating_sub(commons)),
        refund: session.refunded,
    }
}

fn answer_summary(
    prompt: &str,
    bundle: &AnswerBundle,
    names: &BTreeMap<u64, Contributor>,
    data_bps: u16,
    verified: bool,
) -> AnswerSummary {
    let receipt = &bundle.receipt.receipt;
    AnswerSummary {
        receipt_id: hex::encode(receipt.digest()),
        prompt: prompt.to_string(),
        answer: bundle.answer.clone(),
        fee: receipt.fee,
        no_evidence_bps: receipt.no_evidence,
        shares: shares_of(bundle, names, data_bps),
        verified,
    }
}
