//! Faults on a real network: validators, nodes and auditors are processes that are killed, cut off and brought
//! back, while the main job goes on. After each fault every contract's books must balance, nobody may have been
//! paid twice, and no honest node may have lost a bond.
//!
//! `scripts/test --full --stage network` starts the network by `scripts/demo --testnet --small --keep` and names it in
//! `OPENLEDGER_TEST_NETWORK`; without it these tests say so and do nothing. With `OPENLEDGER_LONG` the soak follows,
//! of `OPENLEDGER_SOAK_SECONDS` (3,600).

#[path = "network/frozen.rs"]
mod frozen;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure, Context as _, Result};
use openledger::context::{Context, Settings};
use openledger::network::job::{self, Job};
use openledger::network::money::{self, Books};
use openledger::network::validator::{block, wait_heights};
use openledger::network::{process, Network};
use openledger::node::{dashboard, faucet, join, leave, ChainArgs};
use openledger::{ask, session};
use openledger_types::msg::node_registry::NodeStatus;
use rand::{Rng, SeedableRng};

/// Time for what takes blocks, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(300);
/// Tokens of an answer that is to be interrupted.
const LONG_ANSWER: u32 = 160;

/// The network under test.
struct Lab {
    net: Network,
    http: reqwest::Client,
    model: (u64, u32),
    contributors: Vec<String>,
    /// Seconds of each scenario.
    times: Vec<(String, f64)>,
}

impl Lab {
    /// The network that the environment names; none when it names none.
    async fn open() -> Result<Option<Self>> {
        let Some(file) = std::env::var_os("OPENLEDGER_TEST_NETWORK").map(PathBuf::from) else {
            eprintln!(
                "OPENLEDGER_TEST_NETWORK names no network: nothing was tested (scripts/test --full --stage network)"
            );
            return Ok(None);
        };
        // Why a client left a node stands in what it logs.
        let _ = tracing_subscriber::fmt().with_max_level(tracing::Level::INFO).with_test_writer().try_init();
        let net = Network::load(&file)?;
        let summary = net.home.join("../summary.json");
        let summary: serde_json::Value = serde_json::from_slice(&std::fs::read(&summary)?)?;
        let payouts = summary["payouts"].as_array().context("the summary has no payouts")?;
        let address =
            |payout: &serde_json::Value| Some(payout["contributor"]["address"].as_str()?.to_string());
        let contributors = payouts.iter().filter_map(address).collect();
        let model = (summary["model"]["id"].as_u64().context("the summary has no model")?, 1);
        let http = reqwest::Client::new();
        Ok(Some(Lab { net, http, model, contributors, times: Vec::new() }))
    }

    /// Runs a scenario, then audits the books through the validator numbered `at`.
    async fn scenario(&mut self, name: &str, run: impl AsyncFnOnce(&Self) -> Result<()>) -> Result<Books> {
        let only = std::env::var("OPENLEDGER_TEST_SCENARIO");
        if only.is_ok_and(|only| !name.contains(&only)) {
            println!("{name}: left out by OPENLEDGER_TEST_SCENARIO");
            return self.books().await;
        }
        let since = Instant::now();
        run(self).await.with_context(|| name.to_string())?;
        let books = self.books().await.with_context(|| format!("{name}: books"))?;
        let seconds = since.elapsed().as_secs_f64();
        println!(
            "{name}: {seconds:.1} s; {} sessions, {} settled, {} refunded",
            books.sessions, books.settled, books.refunded
        );
        self.times.push((name.to_string(), seconds));
        Ok(books)
    }

    /// Starts what does not run; the nodes that answer and the auditors have the model ready.
    async fn start(&self) -> Result<()> {
        self.net.start_all(&self.http).await?;
        for member in self.net.nodes.iter().take(3).chain(&self.net.auditors) {
            job::wait_model(&self.http, &member.url, self.model, PATIENCE).await?;
        }
        Ok(())
    }

    async fn books(&self) -> Result<Books> {
        let books = money::audit(&self.net.reader(0).await?).await?;
        ensure!(books.faults.is_empty(), "{}", books.faults.join("; "));
        ensure!(books.punished.is_empty(), "honest nodes lost a part of their bonds: {:?}", books.punished);
        ensure!(books.returned == 0, "{} of honest nodes' fees were taken back", books.returned);
        Ok(books)
    }

    /// A job of one answer with the node numbered `node` from 0, up to its final root.
    async fn job(&self, node: usize) -> Result<job::Done> {
        let node_id = self.net.nodes[node].node_id;
        let job = self.net.job(0, node_id, self.model, &["use std::"]).await?;
        let done = job.run().await?;
        self.finish(&job).await?;
        ensure!(done.fees > 0 && done.fees + done.refunded == job::DEPOSIT, "{done:?}");
        Ok(done)
    }

    async fn finish(&self, job: &Job) -> Result<()> {
        job::wait_final(&job.ctx.reader().await?, &job.user, job.node_id, PATIENCE).await
    }

    /// All validators agree on a block, and on the state before it.
    async fn agree(&self, height: u64) -> Result<()> {
        wait_heights(&self.http, &self.net.validators, height, PATIENCE).await?;
        let mut known = None;
        for validator in &self.net.validators {
            let found = block(&self.http, &validator.rpc, height).await?;
            ensure!(
                known.get_or_insert_with(|| found.clone()) == &found,
                "{} forked at {height}",
                validator.name
            );
        }
        Ok(())
    }

    async fn height(&self, validator: usize) -> Result<u64> {
        Ok(self.net.validators[validator].tip(&self.http).await?.height)
    }

    /// Starts the node numbered `node` and waits until it serves the model again.
    async fn revive(&self, node: usize) -> Result<()> {
        let member = &self.net.nodes[node];
        member.start(&self.net.node_binary, &self.http).await?;
        job::wait_model(&self.http, &member.url, self.model, PATIENCE).await
    }

    /// Asks for a long answer and kills the node at its first words. Says the session.
    async fn kill_in_the_middle(&self, node: usize) -> Result<(Job, u64)> {
        let member = &self.net.nodes[node];
        let job = self.net.job(0, member.node_id, self.model, &[]).await?;
        // An answer may end after a few words; then it is complete before the kill, and another one is asked for.
        for prompt in ["pub fn ", "use std::", "impl<T> ", "let mut ", "/// Returns the "] {
            let session_id = job.open().await?;
            let pid = member.pid().context("the node does not run")?;
            let mut killed = false;
            let question = ask::AskArgs { max_tokens: LONG_ANSWER, ..job.question(session_id, prompt) };
            let asked = ask::ask(&job.ctx, question, &mut |_| {
                if !std::mem::replace(&mut killed, true) {
                    process::signal(pid, "KILL").expect("the node is killed");
                }
            })
            .await;
            if asked.is_err() {
                ensure!(killed, "the node did not answer: {asked:?}");
                member.kill().await?;
                return Ok((job, session_id));
            }
            member.kill().await?;
            self.revive(node).await?;
            job.close(session_id, 1).await?;
        }
        bail!("every answer was complete before the node was killed")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_network_survives_faults_and_nobody_loses_or_is_paid_twice() -> Result<()> {
    let Some(mut lab) = Lab::open().await? else { return Ok(()) };
    ensure!(
        lab.net.validators.len() == 4 && lab.net.nodes.len() >= 3,
        "the scenarios need 4 validators and 3 nodes"
    );
    lab.start().await?;
    let before = lab.books().await?;

    lab.scenario("a validator is killed", kill_validator).await?;
    lab.scenario("a node is killed in the middle of an answer and comes back", killed_node_comes_back)
        .await?;
    lab.scenario("a node is killed in the middle of an answer and stays away", killed_node_stays_away)
        .await?;
    lab.scenario("a node's program is replaced with a session open and an answer under way", upgrade).await?;
    lab.scenario("a node is frozen in the middle of an answer", frozen::frozen_in_the_middle).await?;
    lab.scenario("two validators are cut off", partition).await?;
    lab.scenario("everything is killed and started again", restart_all).await?;
    if std::env::var_os("OPENLEDGER_TEST_SCENARIO").is_some() {
        return Ok(());
    }
    let leaver = newcomer(&mut lab).await?;
    let after = lab.scenario("everybody claims, twice", claim_twice).await?;
    lab.scenario("the newcomer has left", async |lab| left(lab, &leaver).await).await?;

    ensure!(
        after.sessions > before.sessions && after.settled > before.settled,
        "nothing was earned: {after:?}"
    );
    println!("\n| scenario | seconds |\n|---|---|");
    lab.times.iter().for_each(|(name, seconds)| println!("| {name} | {seconds:.0} |"));
    Ok(())
}

/// Three of four validators go on; the fourth comes back to the same chain.
async fn kill_validator(lab: &Lab) -> Result<()> {
    let Some((last, rest)) = lab.net.validators.split_last() else { bail!("no validators") };
    last.kill().await?;
    let height = lab.height(0).await?;
    wait_heights(&lab.http, rest, height + 3, PATIENCE).await?;
    lab.job(1).await?;
    last.start(&lab.net.clone).await?;
    lab.agree(lab.height(0).await?).await
}

/// The client fetches the answer by the voucher that it had signed, and pays once.
async fn killed_node_comes_back(lab: &Lab) -> Result<()> {
    let (job, session_id) = lab.kill_in_the_middle(0).await?;
    let kept = session::State::load(&job.ctx, session_id)?;
    let open = |lane: &session::Lane| lane.count == 0 && !lane.outstanding.is_empty();
    ensure!(kept.nodes.iter().all(open), "something was acknowledged that did not arrive");
    lab.revive(0).await?;
    let answer = ask::resume(&job.ctx, session_id, &mut |_| {}).await?;
    let done = job.close(session_id, 1).await?;
    let fee = answer.bundle.receipt.receipt.fee.u128();
    ensure!(done.fees == fee && done.refunded == job::DEPOSIT - fee, "paid {} for {fee}", done.fees);
    println!(
        "attack 19 a node killed in its answer comes back: tried 1, found 1, profit {} uopen",
        done.fees - fee
    );
    lab.finish(&job).await
}

/// The client takes its deposit back and goes on with another node; what the dead one would settle later is
/// nothing. That the client was killed with its node, and left an answer under way, does not keep the money.
async fn killed_node_stays_away(lab: &Lab) -> Result<()> {
    let (job, session_id) = lab.kill_in_the_middle(2).await?;
    let reader = job.ctx.reader().await?;
    let mut state = session::State::load(&job.ctx, session_id)?;
    state.nodes.iter_mut().flat_map(|lane| &mut lane.outstanding).for_each(|entry| entry.left = None);
    state.save(&job.ctx)?;
    let done = job.close_within(session_id, 0, Duration::from_secs(10)).await?;
    ensure!(done.refunded == job::DEPOSIT, "{} of {} came back", done.refunded, job::DEPOSIT);
    lab.job(1).await?;
    lab.revive(2).await?;
    let height = reader.chain().latest_height().await?;
    reader.chain().wait_for_height(height + 4, PATIENCE).await?;
    let session = reader.session(session_id).await?;
    ensure!(session.nodes.iter().all(|node| node.settled.is_zero()), "a dead session was settled");
    ensure!(session.refunded.u128() == job::DEPOSIT, "a refund changed after the close");
    let kept = job::DEPOSIT - session.refunded.u128();
    println!("attack 19 a node killed in its answer stays away: tried 1, found 1, profit {kept} uopen");
    Ok(())
}

/// SIGTERM in the middle of an answer: it is finished, the successor on the same folder goes on in the session,
/// and every answer is paid once.
async fn upgrade(lab: &Lab) -> Result<()> {
    let member = &lab.net.nodes[1];
    // The successor is another file, as it is for whoever installs a release.
    let folder = lab.net.home.join("next");
    std::fs::create_dir_all(&folder)?;
    let successor = folder.join("openledger-node");
    std::fs::copy(&lab.net.node_binary, &successor)?;

    let job = lab.net.job(0, member.node_id, lab.model, &[]).await?;
    let session_id = job.open().await?;
    let mut fees = 0;
    let mut told = false;
    // An answer may end after a few words, before the node has heard of the signal: then another one is asked for.
    for prompt in ["pub fn ", "use std::", "impl<T> ", "let mut "] {
        let pid = member.pid().context("the node does not run")?;
        let question = ask::AskArgs { max_tokens: LONG_ANSWER, ..job.question(session_id, prompt) };
        let answer = ask::ask(&job.ctx, question, &mut |_| {
            if !std::mem::replace(&mut told, true) {
                process::signal(pid, "TERM").expect("the node is told to stop");
            }
        })
        .await
        .context("an answer under way was not finished")?;
        fees += answer.bundle.receipt.receipt.fee.u128();
        if told {
            break;
        }
    }
    ensure!(told, "no answer streamed a word");
    process::stop_node(&member.home, "TERM", Duration::from_secs(90)).await?;
    member.start(&successor, &lab.http).await?;
    job::wait_model(&lab.http, &member.url, lab.model, PATIENCE).await?;
    let after = ask::ask(&job.ctx, job.question(session_id, "struct "), &mut |_| {}).await?;
    fees += after.bundle.receipt.receipt.fee.u128();
    let done = job.close(session_id, 2).await?;
    ensure!(done.fees == fees && done.refunded == job::DEPOSIT - fees, "{done:?} for {fees}");
    lab.finish(&job).await
}

/// Heights of all validators, each by its own word.
async fn heights(lab: &Lab) -> Result<Vec<u64>> {
    let mut heights = Vec::new();
    for validator in &lab.net.validators {
        heights.push(validator.tip(&lab.http).await?.height);
    }
    Ok(heights)
}

/// Two against two: no block is made on either side; together they go on from the same state.
async fn partition(lab: &Lab) -> Result<()> {
    let all = &lab.net.validators;
    let (near, far) = all.split_at(2);
    for validator in far {
        validator.kill().await?;
    }
    for (at, validator) in far.iter().enumerate() {
        let other = &far[1 - at];
        let id = other.peer_id(all).context("a validator has no peer id")?;
        // The fifth of its ports: nobody outside the pair knows it.
        let peers = format!("{id}@127.0.0.1:{}", other.base_port + 5);
        validator.start_apart(&lab.net.clone, &peers, validator.base_port + 5).await?;
    }
    wait_heights(&lab.http, far, 1, PATIENCE).await?;
    // A block that was decided before the cut may still be written; after that nothing moves on either side.
    let mut halted = heights(lab).await?;
    for look in 0.. {
        tokio::time::sleep(Duration::from_secs(10)).await;
        let now = heights(lab).await?;
        if now == halted {
            break;
        }
        ensure!(look < 2, "blocks are made without a quorum: {halted:?}, then {now:?}");
        halted = now;
    }
    for validator in far {
        validator.kill().await?;
        validator.start(&lab.net.clone).await?;
    }
    let last = halted.into_iter().max().unwrap_or_default();
    wait_heights(&lab.http, near, last + 2, PATIENCE).await?;
    lab.agree(last).await?;
    lab.agree(last + 2).await?;
    lab.job(0).await?;
    Ok(())
}

/// Every process at once, as a power cut does.
async fn restart_all(lab: &Lab) -> Result<()> {
    let height = lab.height(0).await?;
    for member in lab.net.members() {
        member.kill().await?;
    }
    for validator in &lab.net.validators {
        validator.kill().await?;
    }
    lab.start().await?;
    lab.agree(height + 1).await?;
    lab.job(1).await?;
    Ok(())
}

/// The processes of a newcomer. Whatever of them still runs ends with this, also when a scenario fails midway.
struct Processes {
    node: PathBuf,
    chain: PathBuf,
}

impl Drop for Processes {
    fn drop(&mut self) {
        let chain = process::running(&self.chain.join("openledgerd.pid"), "openledgerd", &self.chain);
        for pid in process::running_node(&self.node).into_iter().chain(chain) {
            if let Err(error) = process::signal(pid, "TERM") {
                eprintln!("{error}");
            }
        }
    }
}

/// A newcomer that is leaving.
struct Leaver {
    /// Ended when the newcomer is done with, however that comes about.
    _processes: Processes,
    ctx: Context,
    args: leave::LeaveArgs,
    operator: String,
    /// Balance before it began to leave, and what that paid out.
    before: u128,
    earnings: u128,
}

/// From an empty folder to the first reward, and half of the way out.
async fn newcomer(lab: &mut Lab) -> Result<Leaver> {
    let home = lab.net.home.join(format!("newcomer-{}", std::process::id()));
    let port =
        lab.net.nodes.iter().chain(&lab.net.auditors).filter_map(|m| m.url.rsplit(':').next()?.parse().ok());
    let port: u16 = port.max().context("no ports")?;
    let _processes = Processes { node: home.join("node"), chain: home.join("chain") };
    let deployment = Some(lab.net.keys_home().join("deployment.json"));
    let ctx = Context::open(home.clone(), Settings { deployment, ..Settings::default() }, false)?;

    let faucet_at = format!("127.0.0.1:{}", port + 1).parse()?;
    let faucet_ctx = Context {
        settings: Settings { key: Some("deployer".into()), ..lab.net.context(0)?.settings },
        ..lab.net.context(0)?
    };
    let args = faucet::FaucetArgs { listen: faucet_at, amount: 150_000_000, period: 3_600, per_ip: 5 };
    let serving = tokio::spawn(async move { faucet::run(&faucet_ctx, &args).await });

    let chain_binary = tokio::process::Command::new(lab.net.clone.join("testnet/build")).output().await?;
    let chain_binary = String::from_utf8(chain_binary.stdout)?;
    let mut args = join::JoinArgs {
        node_home: None,
        node_binary: Some(lab.net.node_binary.clone()),
        listen: format!("127.0.0.1:{}", port + 2).parse()?,
        endpoint: None,
        moniker: "newcomer".into(),
        bond: None,
        gas: 20_000_000,
        roles: vec!["inference".into(), "storage".into()],
        models: vec![lab.model],
        faucet: None,
        patience: 0,
        chain: ChainArgs::default(),
        detach: true,
    };
    // A first call without coins stops and says so; the next one goes on behind the keys that it made.
    let stopped = join::join(&ctx, &args, true).await.map(|joined| joined.node_id);
    ensure!(stopped.as_ref().is_err_and(|e| e.code == "E-NODE-JOIN-8"), "{stopped:?}");
    args.faucet = Some(format!("http://{faucet_at}"));
    args.patience = 120;
    args.chain = ChainArgs {
        with_chain: Some(home.join("chain")),
        chain_binary: chain_binary.lines().last().map(PathBuf::from),
        chain_port: port + 10,
        peers: Vec::new(),
        witness: lab.net.validators.get(1).map(|validator| validator.rpc.clone()),
    };

    let since = Instant::now();
    let joined = join::join(&ctx, &args, false).await?;
    let serves = since.elapsed().as_secs_f64();
    let own =
        openledger::network::validator::tip(&lab.http, &format!("http://127.0.0.1:{}", port + 10)).await?;
    ensure!(own.earliest > 1, "the chain node replayed every block instead of a state sync");
    let again = join::join(&ctx, &args, true).await?;
    ensure!(again.node_id == joined.node_id, "joining twice made two nodes");

    let job = lab.net.job(0, joined.node_id, lab.model, &["let mut "]).await?;
    let done = job.run().await?;
    lab.finish(&job).await?;
    let reader = job.ctx.reader().await?;
    let view = dashboard::look(&ctx, &reader, &joined.home).await?;
    ensure!(view.withdrawable > 0 && view.receipts == 1, "no reward: {view:?}");
    let rewarded = since.elapsed().as_secs_f64();
    println!("{}", view.text());
    lab.times.push(("a newcomer joins: serves".into(), serves));
    lab.times.push(("a newcomer joins: first reward".into(), rewarded));
    joined.steps.iter().for_each(|step| println!("    {}: {} s", step.name, step.seconds));

    // It leaves with a session open, whose answer is not settled.
    let open = job.open().await?;
    let answer = ask::ask(&job.ctx, job.question(open, "impl<T> "), &mut |_| {}).await?;
    let fee = answer.bundle.receipt.receipt.fee.u128();
    let before = reader.chain().balance(&joined.operator, "uopen").await?;
    let args =
        leave::LeaveArgs { node_home: None, node_binary: args.node_binary, patience: 300, wait: false };
    let leaving = leave::leave(&ctx, &args, false).await?;
    ensure!(process::running_node(&joined.home).is_none(), "the node still runs");
    let session = reader.session(open).await?;
    let settled: u128 = session.nodes.iter().map(|node| node.settled.u128()).sum();
    ensure!(settled == fee && !session.closed, "{settled} of {fee} settled: {session:?}");
    let earned = view.withdrawable + session.node_part.u128();
    ensure!(leaving.status == NodeStatus::Unbonding && leaving.earnings == earned, "{leaving:?}, {earned}");
    // Its user takes back what is left, of a node that is not there any more.
    let closed = job.close_within(open, 1, Duration::from_secs(10)).await?;
    ensure!(closed.fees == fee && closed.refunded == job::DEPOSIT - fee, "{closed:?} for {fee}");
    let refused = job.open().await;
    ensure!(refused.is_err(), "a session with a node that is leaving was opened");
    serving.abort();
    ensure!(done.fees > 0, "{done:?}");
    lab.books().await?;
    let args = leave::LeaveArgs { wait: true, ..args };
    Ok(Leaver { _processes, ctx, args, operator: joined.operator, before, earnings: leaving.earnings })
}

/// The rest of the way out: the bond comes back whole, the rest of the gas too, and nothing twice.
async fn left(lab: &Lab, leaver: &Leaver) -> Result<()> {
    let reader = lab.net.reader(0).await?;
    let left = leave::leave(&leaver.ctx, &leaver.args, false).await?;
    let bond = reader.node_config().await?.params.min_bond.u128();
    ensure!(left.status == NodeStatus::Left && left.bond == bond, "{left:?}");
    let (before, after) = (leaver.before, reader.chain().balance(&leaver.operator, "uopen").await?);
    // Gas of four messages at most.
    ensure!(
        after + 100_000 >= before + bond + left.gas + leaver.earnings,
        "{before} became {after}: {left:?}"
    );
    let nothing = leave::leave(&leaver.ctx, &leaver.args, true).await?;
    ensure!(nothing.bond == 0 && nothing.earnings == 0, "paid twice: {nothing:?}");
    Ok(())
}

/// What every contributor can claim is paid once: a second claim finds nothing.
async fn claim_twice(lab: &Lab) -> Result<()> {
    let ctx = lab.net.context(0)?;
    let user = ctx.signer(Some("user")).await?;
    let first = job::claim_all(&ctx, &user, &lab.contributors).await?;
    ensure!(first > 0, "nothing was claimed");
    let second = job::claim_all(&ctx, &user, &lab.contributors).await?;
    ensure!(second == 0, "{second} were paid twice");
    Ok(())
}

/// Random faults, one at a time, each followed by a job and an audit of the books.
/// Named so that it runs after the scenarios.
#[tokio::test(flavor = "multi_thread")]
async fn under_random_faults_for_an_hour_the_books_balance() -> Result<()> {
    if std::env::var_os("OPENLEDGER_LONG").is_none() {
        eprintln!("OPENLEDGER_LONG is not set: no soak (scripts/test --full --long --stage network)");
        return Ok(());
    }
    let Some(lab) = Lab::open().await? else { return Ok(()) };
    let lab = &lab;
    lab.start().await?;
    let seconds = std::env::var("OPENLEDGER_SOAK_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(3_600);
    let seed = std::env::var("OPENLEDGER_SOAK_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    let mut dice = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let since = Instant::now();
    let mut counts: BTreeMap<&str, (u64, f64)> = BTreeMap::new();
    let (mut answers, mut fees) = (0, 0);
    while since.elapsed() < Duration::from_secs(seconds) {
        let began = Instant::now();
        let at = dice.random_range(0..4);
        let node = dice.random_range(0..3);
        let fault = match dice.random_range(0..6) {
            0 => {
                lab.net.validators[at].kill().await?;
                lab.net.validators[at].start(&lab.net.clone).await?;
                // A chain node refuses transactions until it has executed a block after its start.
                wait_heights(&lab.http, &lab.net.validators, 1, PATIENCE).await?;
                lab.agree(lab.height(0).await? + 2).await?;
                "validator killed"
            }
            1 => {
                lab.net.nodes[node].kill().await?;
                lab.revive(node).await?;
                "node killed"
            }
            2 => {
                lab.net.auditors[at].kill().await?;
                lab.net.auditors[at].start(&lab.net.node_binary, &lab.http).await?;
                "auditor killed"
            }
            3 => {
                let (job, session_id) = lab.kill_in_the_middle(node).await?;
                job.close_within(session_id, 0, Duration::from_secs(10)).await?;
                lab.revive(node).await?;
                "node killed in an answer"
            }
            4 => {
                let pid = lab.net.validators[at].pid().context("a validator is away")?;
                process::signal(pid, "STOP")?;
                tokio::time::sleep(Duration::from_secs(10)).await;
                process::signal(pid, "CONT")?;
                "validator frozen 10 s"
            }
            _ => "none",
        };
        let done = lab.job(node).await?;
        answers += done.answers;
        fees += done.fees;
        lab.books().await?;
        let entry = counts.entry(fault).or_default();
        *entry = (entry.0 + 1, entry.1 + began.elapsed().as_secs_f64());
    }
    claim_twice(lab).await?;
    let height = lab.height(0).await?;
    println!(
        "\nsoak: seed {seed}, {:.0} s, height {height}, {answers} answers, {fees} base units of fees",
        since.elapsed().as_secs_f64()
    );
    println!("| fault | times | mean seconds with the job after it |\n|---|---|---|");
    counts
        .iter()
        .for_each(|(fault, (times, sum))| println!("| {fault} | {times} | {:.0} |", sum / *times as f64));
    Ok(())
}
