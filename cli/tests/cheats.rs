//! Cheats on a real network, each by a node that answers cheaply and signs with its registered key, against nodes,
//! auditors and contracts as they are. What each costs the cheater is measured and printed.
//!
//! `scripts/test --full --stage network` names the network in `OPENLEDGER_TEST_NETWORK`, after the faults of
//! `network.rs`: a bond is cut here. Without it these tests say so and do nothing.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use anyhow::{ensure, Context as _, Result};
use openledger::dispute;
use openledger::network::job::{self, Job};
use openledger::network::{money, Member, Network};
use openledger::{ask, node_http};
use openledger_client::contracts::Reader;
use openledger_client::{keyfile, Chain, Coin, Signer};
use openledger_dispute::layout::Place;
use openledger_dispute::play;
use openledger_dispute::trace::Trace;
use openledger_node::attribution::Asked;
use openledger_node::audit::{case_bond, held, ArbiterView, Defender, Responder};
use openledger_node::config::{Config, Home};
use openledger_node::corpus::Identities;
use openledger_node::dispute::Computation;
use openledger_node::engine::{import, GenRequest, Generation, Model, CONFIG_FILE, MANIFEST_FILE};
use openledger_node::fault::Result as NodeResult;
use openledger_node::journal::Journal;
use openledger_node::ledger::parse_receipts;
use openledger_node::serve::{
    self, Answerer, ClientChain, Loaded, Node, Settings, SigningKeys, Traced, Watch,
};
use openledger_node::{request, stores};
use openledger_types::api::AnswerBundle;
use openledger_types::formats::NumericClass;
use openledger_types::merkle::Hash;
use openledger_types::msg::arbiter::{ExecuteMsg as Move, Outcome, Turn};
use openledger_types::msg::escrow;
use openledger_types::msg::node_registry::{self, CutStatus};
use openledger_types::msg::referee::{self, CaseResponse, ReceiptFault, Subject, Verdict};

/// Time for what takes blocks, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(300);
/// What is asked.
const PROMPTS: [&str; 2] = ["pub fn new(", "use std::"];

/// The network under test.
struct Lab {
    net: Network,
    http: reqwest::Client,
    model: (u64, u32),
}

impl Lab {
    async fn open() -> Result<Option<Self>> {
        let Some(file) = std::env::var_os("OPENLEDGER_TEST_NETWORK").map(PathBuf::from) else {
            eprintln!("OPENLEDGER_TEST_NETWORK names no network: nothing was tested (scripts/test --full --stage network)");
            return Ok(None);
        };
        let net = Network::load(&file)?;
        let summary: serde_json::Value =
            serde_json::from_slice(&std::fs::read(net.home.join("../summary.json"))?)?;
        let model = (summary["model"]["id"].as_u64().context("the summary has no model")?, 1);
        let lab = Lab { net, http: reqwest::Client::new(), model };
        lab.net.start_all(&lab.http).await?;
        for member in lab.net.nodes.iter().take(2).chain(&lab.net.auditors) {
            job::wait_model(&lab.http, &member.url, lab.model, PATIENCE).await?;
        }
        Ok(Some(lab))
    }

    async fn height(&self) -> Result<u64> {
        Ok(self.net.any_chain().await?.latest_height().await?)
    }

    /// Asks in one session with a node, whose earlier roots are final by then, and closes it.
    async fn job(&self, node_id: u64, prompts: &[&str]) -> Result<(Job, job::Done, Vec<AnswerBundle>)> {
        let job = self.net.job(0, node_id, self.model, prompts).await?;
        self.quiet(&job).await?;
        let session_id = job.open().await?;
        let mut bundles = Vec::new();
        for prompt in prompts {
            bundles.push(ask::ask(&job.ctx, job.question(session_id, prompt), &mut |_| {}).await?.bundle);
        }
        let done = job.close(session_id, bundles.len()).await?;
        Ok((job, done, bundles))
    }

    /// Waits until no root of a node waits, whatever becomes of those that do: a session could not be settled before.
    async fn quiet(&self, job: &Job) -> Result<()> {
        let reader = job.ctx.reader().await?;
        let escrow = &reader.contracts().payable_escrow;
        let since = Instant::now();
        while let Some(epoch) = reader.pending(job.node_id).await? {
            if reader.chain().latest_height().await? >= epoch.final_at {
                // Refused where it is not due after all; the node asks for it as well.
                let msg = escrow::ExecuteMsg::Finalize { node_id: job.node_id };
                let _ = job.user.execute(escrow, &msg, &[]).await;
            }
            ensure!(since.elapsed() < 2 * PATIENCE, "a root waits for ever: {epoch:?}");
            reader.chain().wait_for_next_block().await?;
        }
        Ok(())
    }

    /// The first case about any of these answers, once it has a verdict.
    async fn verdict(&self, reader: &Reader, bundles: &[AnswerBundle]) -> Result<CaseResponse> {
        let ids: Vec<Hash> = bundles.iter().map(|bundle| bundle.receipt.receipt.digest()).collect();
        let since = Instant::now();
        loop {
            let decided = |case: &CaseResponse| {
                let Subject::Receipts { receipts, .. } = &case.subject else { return false };
                case.verdict.is_some()
                    && receipts.iter().any(|r| ids.iter().any(|id| r.receipt_id.as_slice() == id))
            };
            if let Some(case) = reader.cases().await?.into_iter().find(decided) {
                return Ok(case);
            }
            ensure!(since.elapsed() < PATIENCE, "no verdict about {} answers", ids.len());
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// Carries the planned cut against a node out; what it took, and what of that its finder can withdraw.
    async fn cut(&self, anyone: &Signer, reader: &Reader, case: &CaseResponse) -> Result<(u128, u128)> {
        let registry = &reader.contracts().node_registry;
        let reason = format!("case {}:", case.case_id);
        let find = async || -> Result<node_registry::CutResponse> {
            let query = node_registry::QueryMsg::Cuts { start_after: None, limit: Some(30) };
            let cuts: node_registry::CutsResponse = reader.chain().query_smart(registry, &query).await?;
            let cut = cuts.cuts.into_iter().find(|cut| cut.reason.starts_with(&reason));
            cut.context("the verdict planned no cut")
        };
        let rewards = async || -> Result<u128> {
            let query = node_registry::QueryMsg::Rewards { address: case.challenger.clone() };
            let found: node_registry::RewardsResponse = reader.chain().query_smart(registry, &query).await?;
            Ok(found.withdrawable.u128())
        };
        let cut = find().await?;
        ensure!(cut.finder.as_deref() == Some(case.challenger.as_str()), "{cut:?}");
        let (bond, before) = (reader.node(cut.node_id).await?.bond.u128(), rewards().await?);
        // Governance has its time for a veto first.
        reader.chain().wait_for_height(cut.from + 1, PATIENCE).await?;
        let msg = node_registry::ExecuteMsg::ExecuteCut { cut_id: cut.cut_id };
        anyone.execute(registry, &msg, &[]).await?;
        ensure!(find().await?.status == CutStatus::Done, "the cut was not carried out");
        // What else may have been cut meanwhile, for fragments that a cheater does not keep, is not of this case.
        let taken = cut.amount.u128().min(bond);
        ensure!(reader.node(cut.node_id).await?.bond.u128() <= bond - taken, "the bond is as before");
        Ok((taken, rewards().await? - before))
    }
}

/// Answers by weights of fewer bits; says in everything else what an honest node says.
struct Cheap {
    model: Model,
    honest: Arc<Loaded>,
}

impl Answerer for Cheap {
    fn context(&self) -> usize {
        self.honest.answerer.context()
    }
    fn read(&self, asked: &mut request::Asked) -> NodeResult<Vec<u32>> {
        self.honest.answerer.read(asked)
    }
    fn generate(
        &self,
        request: &GenRequest,
        deliver: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> NodeResult<Generation> {
        Ok(self.model.generate(request, deliver)?)
    }
    fn trace(&self, asked: &Asked, seed: &Hash, barred: &BTreeSet<u64>) -> NodeResult<Traced> {
        self.honest.answerer.trace(asked, seed, barred)
    }
    fn cites(&self, bundle: &AnswerBundle, barred: &BTreeSet<u64>) -> Vec<u64> {
        self.honest.answerer.cites(bundle, barred)
    }
    fn replay(&self, bundle: &AnswerBundle, barred: &BTreeSet<u64>) -> Vec<String> {
        self.honest.answerer.replay(bundle, barred)
    }
    fn computation(&self, bundle: &AnswerBundle) -> NodeResult<Computation> {
        Computation::new(&self.model, bundle)
    }
    fn follows(&self, bundle: &AnswerBundle) -> Option<bool> {
        self.honest.answerer.follows(bundle)
    }
}

/// The model in `folder` with about four bits a weight, written to and loaded from `out`.
fn coarse(folder: &Path, out: &Path) -> Result<Model> {
    let source = out.join("source");
    std::fs::create_dir_all(&source)?;
    for name in [CONFIG_FILE, "tokenizer.json"] {
        std::fs::copy(folder.join(name), source.join(name))?;
    }
    let mut bytes = std::fs::read(folder.join("model.safetensors"))?;
    let (length, rest) = bytes.split_first_chunk_mut::<8>().context("the weights are cut short")?;
    let (header, data) = rest.split_at_mut(usize::try_from(u64::from_le_bytes(*length))?);
    let header: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(header)?;
    for (name, tensor) in header.iter().filter(|(name, _)| !name.contains("norm") && *name != "__metadata__")
    {
        let at = |i: usize| tensor["data_offsets"][i].as_u64().and_then(|at| usize::try_from(at).ok());
        let range = at(0).zip(at(1)).with_context(|| format!("{name} has no place"))?;
        ensure!(tensor["dtype"] == "F32", "{name} is not of f32");
        for value in data[range.0..range.1].chunks_exact_mut(4) {
            let exact = f32::from_le_bytes(value.try_into()?);
            value.copy_from_slice(&((exact * 28.0).round() / 28.0).to_le_bytes());
        }
    }
    std::fs::write(source.join("model.safetensors"), bytes)?;
    import(&source, out, "coarse", NumericClass::Exact)?;
    Ok(Model::load(out)?)
}

/// A member's node in this process: its home, keys and loops, and another model.
struct Cheater {
    member: Member,
    node: Weak<Node>,
    stop: tokio::sync::oneshot::Sender<()>,
    serving: tokio::task::JoinHandle<NodeResult<()>>,
}

impl Cheater {
    /// Ends the member's process and takes its place; `contests` what it is accused of instead of answering.
    async fn take_over(lab: &Lab, member: &Member, scratch: &Path, contests: bool) -> Result<Self> {
        lab.restore(member).await?;
        member.kill().await?;
        let home = Home(member.home.clone());
        let config = Config::load(&home.config())?;
        let key = keyfile::load(&home.node_key(), None)?;
        let age = std::fs::read_to_string(home.age_key())?.trim().parse();
        let age = age.map_err(|_| anyhow::anyhow!("{} is no age identity", home.age_key().display()))?;
        let chain = Chain::connect(config.chain.clone()).await?;
        let reader = config.contracts.on(&chain);
        let registered = reader.node(config.node_id).await?;
        let view = Arc::new(ClientChain::new(reader, chain.signer(key.clone())?, config.node_id));
        let node = Node::new(
            view.clone(),
            Journal::open(
                &home.journal(),
                &config.chain.chain_id,
                &config.contracts.payable_escrow,
                config.node_id,
            )?,
            stores::open(&config, &home)?,
            key.public_key(),
            SigningKeys::open(key, &home.signing())?,
            config.node_id,
            Identities { node: Some((config.node_id, age)), ..Identities::default() },
            Settings { roles: registered.roles, ..config.serve.settings() },
        );
        let responder = Some(Responder::new(node.clone(), view.clone()));
        let watch = match contests {
            false => {
                let defender = Some(Defender::new(node.clone(), view));
                Watch { responder, defender, ..Watch::default() }
            }
            true => {
                tokio::spawn(contest(view, config.node_id));
                Watch { responder, ..Watch::default() }
            }
        };
        let listener = serve::listen(config.listen).await?;
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let stopped = async move {
            let _ = stopped.await;
        };
        let serving = tokio::spawn(serve::run(node.clone(), watch, listener, home.models(), stopped));
        job::wait_model(&lab.http, &member.url, lab.model, PATIENCE).await?;
        let honest = node.models.ready(lab.model.0, lab.model.1)?;
        let model = coarse(&lab.folder(member), scratch)?;
        ensure!(model.manifest().weights_root != honest.manifest.weights_root, "nothing was altered");
        let (info, manifest) = (honest.info.clone(), honest.manifest.clone());
        node.models.insert(Loaded { info, manifest, answerer: Box::new(Cheap { model, honest }) });
        Ok(Cheater { member: member.clone(), node: Arc::downgrade(&node), stop, serving })
    }

    /// Gives the place back to the member's own process.
    async fn leave(self, lab: &Lab) -> Result<()> {
        let _ = self.stop.send(());
        self.serving.await??;
        // Its files are free once the last task has let go of them.
        while self.node.strong_count() > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.member.start(&lab.net.node_binary, &lab.http).await?;
        lab.restore(&self.member).await
    }
}

/// Gives every dispute about a node's answers to the votes.
async fn contest(arbiter: Arc<ClientChain>, node_id: u64) {
    loop {
        let disputes = arbiter.disputes(None).await.unwrap_or_default();
        for found in disputes.iter().filter(|found| found.node_id == node_id && found.turn == Turn::Answer) {
            let _ = arbiter.play(&Move::Contest { case_id: found.case_id }).await;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

impl Lab {
    /// Brings a node that was cut back into service: its bond, and its operator's word after the jail.
    async fn restore(&self, member: &Member) -> Result<()> {
        let reader = self.net.reader(0).await?;
        let registry = &reader.contracts().node_registry;
        let params = reader.node_config().await?.params;
        let found = reader.node(member.node_id).await?;
        let missing = params.min_bond.u128().saturating_sub(found.bond.u128());
        if missing > 0 {
            let faucet = self.net.signer(0, "deployer").await?;
            let msg = node_registry::ExecuteMsg::AddBond { node_id: member.node_id };
            faucet.execute(registry, &msg, &[Coin::new(missing, &params.denom)]).await?;
        }
        if let Some(until) = found.jailed_until {
            reader.chain().wait_for_height(until + 1, PATIENCE).await?;
            let msg = node_registry::ExecuteMsg::Unjail { node_id: member.node_id };
            self.net.signer(0, &member.key).await?.execute(registry, &msg, &[]).await?;
        }
        Ok(())
    }

    /// Where a member has put the model together.
    fn folder(&self, member: &Member) -> PathBuf {
        Home(member.home.clone()).models().join(format!("{}-{}", self.model.0, self.model.1))
    }

    /// What a cheat cost: all answers' fees came back, the bond was cut, a part of the cut is the finder's.
    async fn settle_accounts(
        &self,
        name: &str,
        reader: &Reader,
        (job, done): (&Job, &job::Done),
        case: &CaseResponse,
        outcome: Outcome,
    ) -> Result<()> {
        ensure!(case.verdict == Some(Verdict::Guilty), "{case:?}");
        let dispute = reader.dispute(case.case_id).await?;
        ensure!(dispute.outcome == Some(outcome), "{dispute:?}");
        let (taken, finder) = self.cut(&job.user, reader, case).await?;
        let session = reader.session(done.session_id).await?;
        let parts = [session.protocol, session.developer_part, session.node_part, session.data_part];
        let back = done.fees - parts.iter().map(|part| part.u128()).sum::<u128>();
        ensure!(back > 0, "no fee came back: {session:?}");
        ensure!(finder > 0 && finder < taken, "a finder gets a part: {finder} of {taken}");
        // Four bits instead of eight save at most the whole computation.
        let profit = i128::try_from(done.fees)? - i128::try_from(back)? - i128::try_from(taken)?;
        ensure!(profit < 0, "the cheat paid: {profit}");
        println!(
            "{name}: guilty in case {}; fees {}, of which returned {back}; bond cut {taken}, finder's part {finder}; \
             profit {profit} at most",
            case.case_id, done.fees
        );
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn node_attack_02_a_node_with_weights_of_fewer_bits_is_convicted_and_pays() -> Result<()> {
    let Some(lab) = Lab::open().await? else { return Ok(()) };
    let reader = lab.net.reader(0).await?;
    let scratch = tempfile::tempdir()?;
    let member = lab.net.nodes[1].clone();
    let cheater = Cheater::take_over(&lab, &member, scratch.path(), false).await?;

    // No auditor looks: the user disputes by the command line.
    for auditor in &lab.net.auditors {
        auditor.kill().await?;
    }
    let (job, done, bundles) = lab.job(member.node_id, &PROMPTS).await?;
    let cache = tempfile::tempdir()?;
    let found = dispute::dispute(&job.ctx, &job.user, &bundles[0], &member.url, cache.path()).await?;
    ensure!(found.outcome == Outcome::Guilty, "{found:?}");
    println!(
        "disputed by hand: {} slots, {} picks, {} transactions",
        found.slots,
        found.picks,
        found.txs.len()
    );
    let by_hand = lab.verdict(&reader, &bundles).await?;
    ensure!(by_hand.challenger == job.user.address(), "{by_hand:?}");

    // The auditors look by themselves. What is left of the voided root stands in the next one, until that is final.
    for auditor in &lab.net.auditors {
        auditor.start(&lab.net.node_binary, &lab.http).await?;
        job::wait_model(&lab.http, &auditor.url, lab.model, PATIENCE).await?;
    }
    let by_auditor = lab.verdict(&reader, &bundles[1..]).await?;
    let hot = hot_addresses(&lab, &reader).await?;
    ensure!(hot.contains(&by_auditor.challenger), "an auditor accuses: {by_auditor:?}");
    for (name, case) in [("by the command line", by_hand), ("by an auditor", by_auditor)] {
        lab.settle_accounts(name, &reader, (&job, &done), &case, Outcome::Guilty).await?;
    }

    let books = money::audit(&reader).await?;
    ensure!(books.faults.is_empty(), "{}", books.faults.join("; "));
    ensure!(books.punished == [member.node_id], "punished: {:?}", books.punished);
    cheater.leave(&lab).await
}

#[tokio::test(flavor = "multi_thread")]
async fn node_attack_02_a_cheat_that_contests_what_it_was_asked_is_convicted_by_votes() -> Result<()> {
    let Some(lab) = Lab::open().await? else { return Ok(()) };
    let reader = lab.net.reader(0).await?;
    let scratch = tempfile::tempdir()?;
    let member = lab.net.nodes[1].clone();
    let cheater = Cheater::take_over(&lab, &member, scratch.path(), true).await?;
    let (job, done, bundles) = lab.job(member.node_id, &PROMPTS[..1]).await?;
    let case = lab.verdict(&reader, &bundles).await?;
    ensure!(hot_addresses(&lab, &reader).await?.contains(&case.challenger), "an auditor accuses: {case:?}");
    ensure!(!case.guilty.is_zero() && case.not_guilty.is_zero(), "{case:?}");
    lab.settle_accounts("by votes", &reader, (&job, &done), &case, Outcome::Contested).await?;
    cheater.leave(&lab).await
}

async fn hot_addresses(lab: &Lab, reader: &Reader) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for auditor in &lab.net.auditors {
        found.extend(reader.node(auditor.node_id).await?.hot_addr);
    }
    Ok(found)
}

#[tokio::test(flavor = "multi_thread")]
async fn node_attack_13_who_accuses_an_honest_node_falsely_loses_before_the_arbiter() -> Result<()> {
    let Some(lab) = Lab::open().await? else { return Ok(()) };
    let reader = lab.net.reader(0).await?;
    let member = lab.net.nodes[0].clone();
    let bond = reader.node(member.node_id).await?.bond;
    let (job, _, bundles) = lab.job(member.node_id, &PROMPTS).await?;
    let (bundle, user) = (&bundles[0], &job.user);

    // The liar's trace differs from the right one in one value of one layer.
    let folder = lab.folder(&member);
    let own = Computation::new(&Model::load(&folder)?, bundle)?;
    ensure!(own.holds(), "the node's answer is not honest");
    let slot = own.trace.layout().slot(own.trace.statement().prompt.len(), Place::Hidden);
    let mut values = own.trace.values().to_vec();
    values[usize::try_from(slot)?][0] += 1.0;
    let lie = Trace::from_values(own.trace.layout().clone(), own.trace.statement().clone(), values);

    let receipt = &bundle.receipt.receipt;
    let denom = reader.session(receipt.session_id).await?.denom;
    let (epoch, held) = settled(&lab, &job, &reader, bundle, &denom).await?;
    let params = reader.referee_config().await?.params;
    let stake = case_bond(&params, &denom, receipt.fee).u128();
    let subject = Subject::Receipts {
        node_id: member.node_id,
        denom,
        epoch,
        kind: ReceiptFault::Output,
        receipts: vec![held],
    };
    let msg = referee::ExecuteMsg::OpenCase { subject, reason: "a lie".into() };
    let address = reader.contracts().referee.clone();
    let opened = user.execute(&address, &msg, &[Coin::new(stake, &params.denom)]).await?;
    let case_id = opened.contract_number(&address, "case_id").context("the referee told no case")?;
    let arbiter = reader.arbiter()?.to_string();
    let statement = own.trace.statement();
    let msg = Move::Open {
        case_id,
        receipt: receipt.clone(),
        manifest: std::fs::read(folder.join(MANIFEST_FILE))?.into(),
        config: std::fs::read(folder.join(CONFIG_FILE))?.into(),
        prompt: statement.prompt.clone(),
        repetition_milli: statement.repetition_milli,
    };
    user.execute(&arbiter, &msg, &[]).await?;
    let since = Instant::now();
    let outcome = loop {
        let found = reader.dispute(case_id).await?;
        if found.turn == Turn::Over {
            break found.outcome;
        }
        ensure!(lab.height().await? <= found.until + 1, "a move was missed: {found:?}");
        match play::challenger(&found, &lie)? {
            Some(pick) => drop(user.execute(&arbiter, &pick, &[]).await?),
            None => tokio::time::sleep(Duration::from_millis(300)).await,
        }
        ensure!(since.elapsed() < PATIENCE, "the dispute does not end");
    };
    ensure!(outcome == Some(Outcome::NotGuilty), "{outcome:?}");

    // After the votes' time the bond is lost: half burned, half the node's operator's.
    let case = case_of(&reader, case_id).await?;
    reader.chain().wait_for_height(case.reveal_until + 2, PATIENCE).await?;
    // The jury, which voted, may have ended it already.
    if case_of(&reader, case_id).await?.verdict.is_none() {
        let _ = user.execute(&address, &referee::ExecuteMsg::Conclude { case_id }, &[]).await;
    }
    let case = case_of(&reader, case_id).await?;
    ensure!(case.verdict == Some(Verdict::NotGuilty), "{case:?}");
    ensure!(reader.node(member.node_id).await?.bond == bond, "an honest node lost a part of its bond");
    println!("a false accusation: acquitted by arithmetic, {stake} of the accuser's lost");
    Ok(())
}

async fn case_of(reader: &Reader, case_id: u64) -> Result<CaseResponse> {
    reader.cases().await?.into_iter().find(|case| case.case_id == case_id).context("there is no such case")
}

/// The epoch that holds a receipt, and the receipt with its path.
async fn settled(
    lab: &Lab,
    job: &Job,
    reader: &Reader,
    bundle: &AnswerBundle,
    denom: &str,
) -> Result<(u64, openledger_types::msg::escrow::HeldReceipt)> {
    let node_id = bundle.receipt.receipt.node_id;
    let since = Instant::now();
    loop {
        for epoch in (1..=reader.ledger(node_id, denom).await?.epoch).rev() {
            let commit = reader.epoch(node_id, denom, epoch).await?.commit;
            let bytes = node_http::blob_of(&job.ctx, reader, node_id, &commit.receipts_blob).await?;
            let receipts = parse_receipts(&bytes, &commit.receipts_blob, &commit.receipts)?;
            let id = bundle.receipt.receipt.digest();
            if let Some(index) = receipts.iter().position(|signed| signed.receipt.digest() == id) {
                return Ok((epoch, held(&receipts, index).context("there is no path")?));
            }
        }
        ensure!(since.elapsed() < PATIENCE, "the answer was not settled");
        lab.net.any_chain().await?.wait_for_next_block().await?;
    }
}
