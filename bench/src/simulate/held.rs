//! The simulation's assumptions held against a network that runs: a few sessions on it, what the chain says of them,
//! and the same sessions simulated with the network's own windows, block time and number of nodes and auditors.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use openledger::network::job::Job;
use openledger::network::Network;
use openledger_node::config::Config;

use super::compare::{self, Row, Side};
use super::readings::{self, Done, PATIENCE};
use super::setting::{Setting, Watched};
use super::watch::{self, Seen};
use super::{costs, network, windows};
use crate::report::number;

/// What to run on the network.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The file `network.json` of the network.
    pub network: PathBuf,
    /// Sessions, in turn on the nodes that serve.
    pub sessions: usize,
    /// Answers of each.
    pub answers: u64,
    /// Seed of what the simulation draws.
    pub seed: u64,
}

/// Both sides of the same sessions.
#[derive(Clone, Debug)]
pub struct Held {
    /// What was run.
    pub asked: Asked,
    /// The simulation's setting.
    pub setting: Setting,
    /// Validators of the network.
    pub validators: usize,
    /// Nodes that served.
    pub serving: usize,
    /// The lines of the table.
    pub rows: Vec<Row>,
    /// What the chain said.
    pub seen: Seen,
    /// Answers that were settled.
    pub answers: u64,
    /// Rates at which answers were computed again, in basis points, least and most.
    pub rates: (u16, u16),
}

/// Runs the sessions, reads the chain, simulates, compares.
///
/// # Errors
/// A network that does not answer, does not serve, or in which a step fails; not that sides differ.
pub async fn check(docs: &Path, asked: &Asked) -> Result<Held> {
    let (gas, work) = costs(docs)?;
    let net = Network::load(&asked.network)?;
    let (ctx, reader) = (net.context(0)?, net.reader(0).await?);
    let chain = reader.chain().clone();
    let auditor = net.auditors.first().context("the network has no auditors")?;
    let config =
        Config::load(&auditor.home.join("config.toml")).map_err(|f| anyhow::anyhow!("{}", f.what))?;
    let (model, serving) = readings::serving(&net, &ctx).await?;
    let (escrow, referee) = (reader.escrow_config().await?.params, reader.referee_config().await?.params);
    let period = referee.seed_blocks.max(1);

    // As much as all sessions of a node take, and gas of their messages.
    let coins = readings::DEPOSIT * u128::from(asked.answers) * asked.sessions as u128 + 10_000_000;
    let clients = readings::clients(&net, &ctx, serving.len(), coins).await?;
    readings::quiet(&reader, &net).await?;
    let first = readings::between_seeds(&chain, period).await?;
    let standings = readings::standings(&reader, &net).await?;
    let before = readings::replays(&net, &ctx).await?;

    eprintln!(
        "{} sessions of {} answers on {} nodes, from block {first}",
        asked.sessions,
        asked.answers,
        serving.len()
    );
    let lanes = serving.iter().zip(clients).enumerate().filter_map(|(turn, (node, user))| {
        let count = (asked.sessions + serving.len() - 1).checked_sub(turn)? / serving.len();
        let node_id = net.nodes.get(*node)?.node_id;
        let job = Job { ctx: ctx.clone(), user, model, node_id, prompts: Vec::new() };
        Some(readings::sessions(job, *node, count, asked.answers))
    });
    let done: Vec<Done> = futures::future::try_join_all(lanes).await?.into_iter().flatten().collect();

    readings::quiet(&reader, &net).await?;
    readings::claimed(&chain).await?;
    let last = readings::between_seeds(&chain, period).await?;
    // The node's index may be a block behind.
    chain.wait_for_height(last + 2, PATIENCE).await?;
    let again = readings::replays(&net, &ctx).await?.saturating_sub(before);
    let seen = watch::read(&chain.txs_between(first + 1, last).await?, reader.contracts());
    let roots = readings::roots(&reader, &seen).await?;
    let seconds = chain.block(last).await?.time - chain.block(first).await?.time;
    let block_seconds = (seconds as f64 / (last - first).max(1) as f64).max(0.01);

    let setting = Setting {
        nodes: net.nodes.len(),
        auditors: reader.auditors().await?.iter().filter(|auditor| !auditor.weight.is_zero()).count(),
        block_gas: chain.max_block_gas(last).await?.unwrap_or(u64::MAX),
        block_seconds,
        rate_bps: config.audit.replay_percent.min(100) as u16 * 100,
        patience: (PATIENCE.as_secs_f64() / block_seconds) as u64,
        fee: roots.fee(),
        parts: roots.parts(),
        least_claim: config.audit.least_claim as f64,
        windows: windows(&escrow, &referee),
        watched: Some(Watched {
            sessions: readings::planned(&done, &seen, first)?,
            nodes: standings,
            seeds_from: (first / period + 1) * period - first,
            blocks: last - first,
        }),
        ..super::setting(asked.seed, true)
    };
    let outcome = network::Network::new(&setting, &gas, &work).run();
    let simulated = Side::simulated(&outcome, work.receipt_bytes);
    let measured = readings::measured(&seen, &done, &roots, again);
    // A node looks once a tick, then its message is tried, sent, and taken by a later block.
    let late = (2.0 * config.serve.tick_ms as f64 / 1e3 / block_seconds).ceil() + 3.0;
    let rates = outcome.rates.unwrap_or_default();
    let rows = compare::rows(&simulated, &measured, late, rates.0 >= 10_000);
    let (asked, validators, answers) = (asked.clone(), net.validators.len(), measured.answers);
    Ok(Held { asked, setting, validators, serving: serving.len(), rows, seen, answers, rates })
}

impl Held {
    /// The section of the page, without its heading.
    pub fn text(&self) -> String {
        let Held { asked, setting: s, seen, rates, .. } = self;
        let mut text = format!(
            "```
scripts/bench simulate --check NETWORK.json --sessions {} --answers {} --write
```

ran {} sessions of {} answers on {} of the {} nodes of a network of {} validators and {} auditors
(`scripts/demo --testnet --small --keep`), one after the other on each node, and simulated the same sessions with the
network's windows, pause between blocks ({:.2} s) and numbers, over {} blocks. Measured is what the chain's transactions
and the auditors' metrics say. The rate at which answers are computed again was {} to {} basis points: nodes on trial
have {}.

{}
",
            asked.sessions,
            asked.answers,
            asked.sessions,
            asked.answers,
            self.serving,
            s.nodes,
            self.validators,
            s.auditors,
            s.block_seconds,
            s.watched.as_ref().map_or(0, |watched| watched.blocks),
            number(f64::from(rates.0)),
            number(f64::from(rates.1)),
            number(10_000.0),
            compare::table(&self.rows),
        );
        text.push_str(WHY);
        let others: Vec<String> = seen
            .others
            .iter()
            .map(|(action, (count, gas))| {
                let each = *gas as f64 / self.answers.max(1) as f64;
                format!("`{action}` {} ({} gas for an answer)", number(*count as f64), number(each))
            })
            .collect();
        let others = if others.is_empty() { "none".into() } else { others.join(", ") };
        text.push_str(&format!(
            "\nTransactions of the same blocks that the simulation leaves out: {others}; failed: {}. No metric tells a \
             replay's CPU time apart from the rest of an auditor's; that quotient is the engine's bench \
             ([performance.md](performance.md)).\n",
            seen.failed
        ));
        text
    }
}

/// Why a figure may be off by so much.
const WHY: &str = "\
Why they may differ: gas, since trees have other heights than those of gas.md, and an attestation there is that of the
only auditor, which takes the snapshot of the weight and reaches the quorum too; blocks, since a node looks once a tick,
and its message is tried, sent and taken by a later block, twice that where a settlement waits for the root before it;
a receipt's bytes, since it has as many shares as its answer cites; answers computed again, since an auditor whose fetch
broke off begins its root anew.
";
