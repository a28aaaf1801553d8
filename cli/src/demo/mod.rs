//! The main job from beginning to end on a running devnet: real data in, a paid answer out, every
//! contributor paid on chain. Called by `scripts/demo`, which builds and starts what this needs.

pub mod corpus;
mod fleet;
mod ibc;
mod parties;
mod report;
mod storing;
mod summary;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{bail, Context as _, Result};
use openledger_attribution::Weights;
use openledger_client::contracts::Reader;
use openledger_client::{Chain, ChainConfig, Signer};
use openledger_types::formats::Uses;
use openledger_types::money::Split;
use openledger_types::msg::datanet::{Policy, Visibility};
use openledger_types::profile::Profile;

use crate::ask::AskArgs;
use crate::context::{write_json, Context, Settings, DENOM};
use crate::error::{Class, CliError};
use crate::network::{accounts, job, Network};
use crate::session::OpenArgs;
use crate::{ask, datanet, deploy, model, session, table};

use corpus::{Corpus, DataOptions};
use fleet::Fleet;
use ibc::{IbcArgs, Second};
use parties::{account, claim_all, contribute_all, owners_of, parties};
use report::{answer_summary, payout_table, print_answer, session_summary};
use summary::{Contributor, DatanetSummary, HeldoutSummary, Invariants, ModelSummary, RootSummary, Summary};

/// Part of the documents held out, in percent.
const HELD_OUT_PERCENT: u64 = 5;
/// Characters of a question.
const QUESTION_CHARS: usize = 200;
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
    /// Seconds of training; a small run trains for steps instead.
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
    /// File of a network that runs, made by `testnet/up`: the job is done on it instead of on nodes of its own.
    #[arg(long, conflicts_with = "ibc_link")]
    pub network: Option<PathBuf>,
    /// A second chain for payouts and pay-ins.
    #[command(flatten)]
    pub ibc: IbcArgs,
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

    let network = args.network.as_deref().map(Network::load).transpose()?;
    steps.next("deploy", "contracts, owned by the governance account");
    let chain = Chain::connect(ChainConfig::new(&args.chain_id, &args.devnet_rpc)).await?;
    let accounts = accounts::import(&ctx, &args.clone.join("testnet/dev-accounts.json"))?;
    let signer_of = |name: &str| -> Result<Signer> { Ok(chain.signer(account(&accounts, name)?)?) };
    let (faucet, owner, developer, user) =
        (signer_of("deployer")?, signer_of("datanet-owner")?, signer_of("developer")?, signer_of("user")?);
    let profile = Profile::devnet(DENOM);
    let deployment = match &network {
        Some(_) => ctx.deployment()?,
        None => deploy::deploy(&ctx, &chain, &faucet, &args.wasm_dir, profile.clone()).await?,
    };
    println!("    datanet        {}", deployment.contracts.datanet);
    println!("    model registry {}", deployment.contracts.model_registry);
    println!("    node registry  {}", deployment.contracts.node_registry);
    println!("    escrow         {}", deployment.contracts.payable_escrow);
    println!("    referee        {}", deployment.contracts.referee);
    println!("    storage        {}", shown(&deployment.contracts.storage));
    println!("    arbiter        {}", shown(&deployment.contracts.arbiter));
    println!("    owner, admin   {}", deployment.owner);
    let c = &deployment.contracts;
    let mut addresses = vec![&c.datanet, &c.model_registry, &c.node_registry, &c.payable_escrow, &c.referee];
    addresses.extend(c.storage.iter().chain(&c.arbiter));
    for address in addresses {
        let admin = chain.contract_info(address).await?.admin;
        if admin != deployment.owner {
            bail!("E-DEMO-009 the admin of {address} is {admin:?}, not the governance account");
        }
    }
    let reader = ctx.reader().await?;

    let second = Second::connect(&args.ibc).await?;
    if let Some(second) = &second {
        let gateway = reader.gateway()?;
        second.open_route(&faucet, &signer_of("validator")?, gateway, &deployment.owner).await?;
        println!("    route to the second chain voted in; gateway {gateway}");
    }

    steps.next("node", "inference nodes and auditors: keys, bonds, service");
    let fleet = match network {
        Some(network) => Fleet::of(network)?,
        None => Fleet::start(&ctx, &args, profile.node_registry.min_bond.u128()).await?,
    };
    let node = fleet.first()?.clone();
    let ctx = Context { settings: Settings { node: Some(node.url.clone()), ..Settings::default() }, ..ctx };
    fleet.print();
    for found in reader.auditors().await? {
        println!("    auditor {} has a weight of {} OPEN", found.node_id, table::open(found.weight.u128()));
    }

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
            policy: Policy::Open {},
            uses: Uses::ALL,
            training_price: 0,
        },
    )
    .await?;
    let mut parties = parties(&ctx, &chain, &faucet, docs, profile.datanet.commit_bond.u128()).await?;
    let texts = contribute_all(&mut parties, created.datanet_id, &node.url).await?;
    println!("    {} contributions, {:.1} MB of content text", texts.0, texts.1 as f64 / 1e6);

    steps.next("seal", "a sealed version");
    let sealed = datanet::seal(&ctx, &owner, created.datanet_id, None, true).await?;
    println!("    version {} of {} contributions, root {}", sealed.version, sealed.size, sealed.root);

    steps.next("train", "a language model from the sealed version, while nodes take the blobs");
    let folder = args.work.join("model");
    let heldout: Vec<String> = held.iter().map(|d| String::from_utf8_lossy(&d.bytes).into_owned()).collect();
    let keeping = storing::start(&ctx, &owner, created.datanet_id, &node.url).await?;
    let weights = Weights::default();
    let trained = model::train(
        &ctx,
        model::TrainArgs {
            versions: vec![(created.datanet_id, sealed.version)],
            out: folder.clone(),
            recipe: recipe(&args),
            base: None,
            heldout,
            heldout_bytes: EVAL_BYTES,
            weights,
            calibrate: None,
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
    let split =
        Split { protocol: profile.model_registry.protocol_bps, developer: 2_000, node: 2_500, data: 5_000 };
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
            parents: vec![],
            royalty_bps: 500,
            node: node.url.clone(),
        },
    )
    .await?;
    println!(
        "    model {}:{}; of a fee 50 % data, 25 % node, 20 % developer, 5 % protocol",
        registered.model_id, registered.version
    );

    let model_key = (registered.model_id, registered.version);
    if fleet.on_testnet() {
        steps.next("replicate", "the model's files and data go to other nodes and to the auditors");
        fleet.replicate(&ctx, &reader, model_key).await?;
    }

    steps.next("ask", "sessions and paid questions");
    let mut sessions: Vec<u64> = Vec::new();
    let serving = fleet.serving(questions.len());
    for node in &serving {
        let session = OpenArgs {
            model_id: registered.model_id,
            model_version: Some(registered.version),
            nodes: vec![node.node_id],
            choose: 1,
            deposit: 2_000_000,
            blocks: None,
        };
        let opened = session::open(&ctx, &user, session).await?;
        println!("    session {} with node {} and a deposit of 2 OPEN", opened.session_id, node.node_id);
        sessions.push(opened.session_id);
    }
    let prepared = model::index(&ctx, registered.model_id, registered.version, &node.url).await?;
    let names: BTreeMap<u64, Contributor> =
        owners_of(&reader, created.datanet_id, sealed.size, &parties).await?;
    let mut answers: Vec<(String, ask::Answer)> = Vec::new();
    // A model of a few steps writes answers that say no more than chance does, and those pay nobody: then the
    // questions are asked again.
    let most = (ROUNDS * questions.len()).min(ANSWERS).max(questions.len());
    for (question, session_id) in questions.iter().cycle().zip(sessions.iter().cycle()).take(most) {
        let shares = answers.iter().flat_map(|(_, answer)| &answer.bundle.receipt.receipt.shares);
        let paid: BTreeSet<&Contributor> =
            shares.filter_map(|share| names.get(&share.contribution_id)).collect();
        if answers.len() >= questions.len() && paid.len() >= PAID {
            break;
        }
        let args =
            AskArgs { session_id: *session_id, prompt: question.clone(), max_tokens: 96, temperature: 0.7 };
        let answer = ask::ask(&ctx, args, &mut |_| {}).await?;
        print_answer(&prepared, question, &answer.bundle, &names, split.data);
        answers.push((question.clone(), answer));
    }

    steps.next("settle", "sessions are settled and closed");
    let mut closed = Vec::new();
    for session_id in &sessions {
        let done = session::close(&ctx, &user, *session_id, Duration::from_secs(60)).await?;
        println!("    {} of {} base units returned", done.session.refunded, done.session.deposit);
        closed.push(done.session);
    }

    steps.next("final", "attested by auditors, then the ledgers' challenge windows");
    let node_ids: Vec<u64> = serving.iter().map(|node| node.node_id).collect();
    let mut roots = Vec::new();
    for node_id in &node_ids {
        job::wait_final(&reader, &faucet, *node_id, Duration::from_secs(300)).await?;
        roots.extend(roots_of(&reader, *node_id).await?);
    }
    for root in &roots {
        let word = if root.attested { "attested" } else { "not attested" };
        println!("    epoch {} of node {} is {:?}, {word}", root.epoch, root.node_id, root.status);
    }

    steps.next("claim", "every contributor takes its bonds back and claims");
    let payouts = claim_all(&ctx, &reader, &node_ids, &parties, second.as_ref()).await?;

    let mut over_ibc = None;
    if let Some(second) = &second {
        steps.next("ibc", "payouts to the second chain, and a session paid from there");
        let abroad = |p: &&parties::Party| payouts.iter().any(|x| x.abroad && x.payout.contributor == p.who);
        let accounts: Vec<_> =
            parties.iter().filter(abroad).map(|p| (p.who.clone(), p.signer.key().clone())).collect();
        let sent = second.pay_out(&reader, (&faucet, &signer_of("validator")?), &accounts).await?;
        for payout in &sent {
            let (name, amount) = (&payout.contributor.name, table::open(payout.amount.u128()));
            println!("    {name}: {amount} OPEN, packet {}, {:?}", payout.sequence, payout.state);
        }
        let pay_in = second.pay_in(&reader, &user, model_key, node.node_id).await?;
        let (session, amount) = (pay_in.session_id, table::open(pay_in.amount.u128()));
        println!("    session {session} was opened from the second chain with {amount} OPEN");
        over_ibc = Some(second.summary(sent, pay_in));
    }

    steps.next("keep", "the blobs are held, proved and paid for");
    let kept = keeping.finish(&ctx, &reader).await?;
    println!("{}", storing::table(&kept));

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
        sessions: closed.iter().map(|session| session_summary(session, &answers)).collect(),
        answers: answers
            .iter()
            .zip(&verified)
            .map(|((prompt, answer), verified)| {
                answer_summary(prompt, &answer.bundle, &names, split.data, *verified)
            })
            .collect(),
        payouts: payouts.iter().map(|p| p.payout.clone()).collect(),
        roots: roots.clone(),
        owners,
        storage: kept.clone(),
        invariants: Invariants { holds, terms },
        ibc: over_ibc,
        testnet: fleet.summary(&ctx, &reader, &node_ids, &roots).await?,
        seconds: steps.seconds.clone(),
    };
    let path = args.work.join("summary.json");
    write_json(&path, &summary)?;

    println!("\nWho was paid (amounts in OPEN; balances include gas)\n");
    println!("{}", payout_table(&payouts, &origins, summary.ibc.as_ref()));
    println!("Who keeps the blobs\n");
    println!("{}", storing::table(&kept));
    let faults = summary.faults(args.small);
    println!("summary: {}   ({:.0} s)", path.display(), steps.since.elapsed().as_secs_f64());
    if !faults.is_empty() {
        bail!("E-DEMO-020 {}", faults.join("; "));
    }
    if args.keep {
        println!("\nStill running: chain {} at {}, node at {}", args.chain_id, args.devnet_rpc, node.url);
        let binary = std::env::current_exe()?;
        println!(
            "  {} --home {} --node {} --key user session open {}:{} --node-id {} --deposit 1000000",
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
        fleet.keep();
    }
    Ok(())
}

/// Address of a contract that deployments of earlier releases lack.
fn shown(contract: &Option<String>) -> &str {
    contract.as_deref().unwrap_or("-")
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

/// How often the questions are asked at most.
const ROUNDS: usize = 4;
/// Answers beyond which no question is asked again: what a session's deposit pays for.
const ANSWERS: usize = 12;
/// Contributors whom the answers pay at least, where asking again suffices: one each for both ways of paying out.
const PAID: usize = 2;

/// Steps of a small run's training: some 30 to 60 seconds on two cores.
const SMALL_STEPS: u64 = 150;

fn recipe(args: &Args) -> openledger_node::train::Recipe {
    let recipe = openledger_node::train::Recipe { seed: args.seed, ..Default::default() };
    match args.small {
        // Steps, not seconds: on a busy machine a model of seconds has learned too little to repeat anybody's words.
        true => openledger_node::train::Recipe { seconds: None, steps: Some(SMALL_STEPS), ..recipe },
        false => openledger_node::train::Recipe { seconds: Some(args.seconds), ..recipe },
    }
}

/// Every root that the node posted.
async fn roots_of(reader: &Reader, node_id: u64) -> Result<Vec<RootSummary>> {
    let ledger = reader.ledger(node_id, DENOM).await?;
    let mut roots = Vec::new();
    for epoch in 1..=ledger.epoch {
        let state = reader.epoch(node_id, DENOM, epoch).await?;
        roots.push(RootSummary {
            node_id,
            denom: DENOM.into(),
            epoch,
            status: state.status,
            attested: state.attested,
            fees: state.fees,
            data: state.data,
        });
    }
    Ok(roots)
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
