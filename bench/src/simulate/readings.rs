//! What the check does on a network that runs, and what it asks of it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use openledger::ask::{self, AskArgs};
use openledger::context::{Context, DENOM};
use openledger::error::{Class, CliError};
use openledger::network::job::{Job, TOKENS};
use openledger::network::{accounts, counter, Network};
use openledger::node_http;
use openledger::session::{self, OpenArgs};
use openledger_client::contracts::Reader;
use openledger_client::{Chain, Coin, Signer};
use openledger_types::api::NodeInfo;

use super::compare::Side;
use super::setting::{Planned, Standing};
use super::watch::Seen;

/// For which a client waits until the node has settled, as `openledger session close` does.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// For which roots that wait, and a chain that is slow, are waited for.
const LONG: Duration = Duration::from_secs(600);
/// Blocks after the begin of a period of seeds in which every auditor has sent its two messages.
const SEEDS: u64 = 30;
/// Blocks after the last root became final in which auditors claim.
const CLAIMS: u64 = 6;
/// Base units of a session's deposit for each answer: more than one can cost.
pub const DEPOSIT: u128 = 200_000;
/// What is asked, in turn.
const PROMPTS: [&str; 4] = ["pub fn ", "use std::", "impl<T> ", "let mut "];

/// A session as its client saw it.
#[derive(Clone, Copy, Debug)]
pub struct Done {
    /// Number.
    pub session_id: u64,
    /// Node, from 0.
    pub node: usize,
    /// Answers that the client has checked and paid.
    pub answers: u64,
    /// Newest height when the client wanted to close.
    pub asked_at: u64,
}

/// Sums over the roots that were posted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Roots {
    receipts: u64,
    bytes: u64,
    fees: u128,
    data: u128,
    audit: u128,
}

impl Roots {
    /// Mean fee of an answer.
    pub fn fee(&self) -> f64 {
        self.fees as f64 / self.receipts.max(1) as f64
    }

    /// The part of a fee that is data's, and the part that pays audits.
    pub fn parts(&self) -> [f64; 2] {
        [self.data, self.audit].map(|part| part as f64 / self.fees.max(1) as f64)
    }
}

fn refused(code: &'static str, message: String, advice: &str) -> anyhow::Error {
    CliError::new(Class::Refused, code, message, advice).into()
}

/// A model, and the nodes that have it ready, from 0; every auditor has it too.
///
/// # Errors
/// `E-BENCH-010` when no node has one, or an auditor lacks it.
pub async fn serving(net: &Network, ctx: &Context) -> Result<((u64, u32), Vec<usize>)> {
    let mut all = Vec::new();
    for member in net.members() {
        let info: NodeInfo = node_http::get_json(&ctx.http, &format!("{}/v1/node", member.url)).await?;
        all.push(info.models);
    }
    let (nodes, auditors) = all.split_at(net.nodes.len().min(all.len()));
    let model = nodes.iter().flatten().find(|model| auditors.iter().all(|models| models.contains(model)));
    let model = *model.ok_or_else(|| {
        let what = "no node has a model ready that every auditor has ready too".into();
        refused("E-BENCH-010", what, "bring one there: scripts/demo --testnet --small --keep")
    })?;
    let serving = nodes.iter().enumerate().filter(|(_, models)| models.contains(&model));
    Ok((model, serving.map(|(index, _)| index).collect()))
}

/// Waits until no root of a node waits. Nothing is made final here: that is the nodes' work, which is counted.
///
/// # Errors
/// `E-BENCH-011` when one still waits after ten minutes.
pub async fn quiet(reader: &Reader, net: &Network) -> Result<()> {
    let since = Instant::now();
    for member in &net.nodes {
        while let Some(epoch) = reader.pending(member.node_id).await? {
            if since.elapsed() > LONG {
                let what = format!("epoch {} of {} is {:?}", epoch.commit.epoch, member.name, epoch.status);
                let advice = "see the logs of the node and of the auditors, then try again";
                return Err(refused("E-BENCH-011", format!("{what} after ten minutes"), advice));
            }
            reader.chain().wait_for_next_block().await?;
        }
    }
    Ok(())
}

/// Waits until auditors had time to claim what became final.
///
/// # Errors
/// When the chain does not go on.
pub async fn claimed(chain: &Chain) -> Result<()> {
    let height = chain.latest_height().await?;
    chain.wait_for_height(height + CLAIMS, LONG).await?;
    Ok(())
}

/// Waits until the auditors have sent what they send at the begin of a period of seeds, so that what is counted has
/// all of a period's messages or none. Says the height.
///
/// # Errors
/// When the chain does not go on.
pub async fn between_seeds(chain: &Chain, period: u64) -> Result<u64> {
    let height = chain.latest_height().await?;
    let wait = SEEDS.min(period / 2).saturating_sub(height % period);
    Ok(chain.wait_for_height(height + wait, LONG).await?)
}

/// How far each node is trusted.
///
/// # Errors
/// When the chain does not answer.
pub async fn standings(reader: &Reader, net: &Network) -> Result<Vec<Standing>> {
    let mut all = Vec::new();
    for member in &net.nodes {
        let ledger = reader.ledger(member.node_id, DENOM).await?;
        let bond = reader.node(member.node_id).await?.bond.u128();
        all.push(Standing { epoch: ledger.epoch, paid: ledger.ledger.sum.u128(), bond });
    }
    Ok(all)
}

/// One client for each node that serves, with coins for its sessions: the refunds of one account would be withdrawn
/// together.
///
/// # Errors
/// When the network's faucet cannot pay.
pub async fn clients(net: &Network, ctx: &Context, count: usize, coins: u128) -> Result<Vec<Signer>> {
    let faucet = ctx.signer(Some("deployer")).await?;
    let (mut all, mut sends) = (Vec::new(), Vec::new());
    for number in 1..=count {
        let name = format!("bench-{number}");
        accounts::load_or_add(ctx, &name)?;
        let client = net.signer(0, &name).await?;
        sends.push((client.address().to_string(), vec![Coin::new(coins, DENOM)]));
        all.push(client);
    }
    faucet.bank_multi_send(&sends).await?;
    Ok(all)
}

/// Answers that all auditors have computed again since they started.
///
/// # Errors
/// When one does not answer.
pub async fn replays(net: &Network, ctx: &Context) -> Result<u64> {
    let mut sum = 0;
    for auditor in &net.auditors {
        let found = counter(&ctx.http, &auditor.url, "audit_replays_total").await?;
        sum += found.with_context(|| format!("{} does not count what it computes again", auditor.name))?;
    }
    Ok(sum)
}

/// Sessions with one node, one after the other, each closed as the command line closes it. None waits for the
/// finality of the one before: its settlement does.
///
/// # Errors
/// When a step fails.
pub async fn sessions(job: Job, node: usize, count: usize, answers: u64) -> Result<Vec<Done>> {
    let mut all = Vec::with_capacity(count);
    let mut prompts = PROMPTS.iter().cycle();
    for _ in 0..count {
        let args = OpenArgs {
            model_id: job.model.0,
            model_version: Some(job.model.1),
            nodes: vec![job.node_id],
            choose: 1,
            deposit: DEPOSIT * u128::from(answers),
            blocks: None,
        };
        let session_id = session::open(&job.ctx, &job.user, args).await?.session_id;
        for _ in 0..answers {
            let prompt = prompts.next().copied().unwrap_or_default().to_string();
            let args = AskArgs { session_id, prompt, max_tokens: TOKENS, temperature: 0.7 };
            ask::ask(&job.ctx, args, &mut |_| {}).await?;
        }
        let asked_at = job.ctx.reader().await?.chain().latest_height().await?;
        session::close(&job.ctx, &job.user, session_id, PATIENCE).await?;
        eprintln!("session {session_id} with node {}: closed", job.node_id);
        all.push(Done { session_id, node, answers, asked_at });
    }
    Ok(all)
}

/// What the commitments of the roots say.
///
/// # Errors
/// When the chain does not answer.
pub async fn roots(reader: &Reader, seen: &Seen) -> Result<Roots> {
    let mut all = Roots::default();
    for (node_id, epoch) in seen.posted.keys() {
        let root = reader.epoch(*node_id, DENOM, *epoch).await?;
        all.receipts += root.commit.receipts.count;
        all.bytes += root.commit.receipts_blob.len;
        all.fees += root.fees.u128();
        all.data += root.data.u128();
        all.audit += root.audit.u128();
    }
    Ok(all)
}

/// The sessions as the simulation takes them, with blocks counted from `first`.
///
/// # Errors
/// `E-BENCH-012` when a session was not opened in these blocks.
pub fn planned(done: &[Done], seen: &Seen, first: u64) -> Result<Vec<Planned>> {
    done.iter()
        .map(|Done { session_id, node, answers, asked_at }| {
            let opened = seen.opened.get(session_id).ok_or_else(|| {
                let what = format!("session {session_id} was not opened in the blocks that were read");
                refused(
                    "E-BENCH-012",
                    what,
                    "see the node's log; a node of the chain may have pruned its index",
                )
            })?;
            let from = |height: u64| height.saturating_sub(first);
            Ok(Planned { node: *node, open: from(*opened), close: from(asked_at + 1), answers: *answers })
        })
        .collect()
}

/// The network's side of the table.
pub fn measured(seen: &Seen, done: &[Done], roots: &Roots, replays: u64) -> Side {
    let settling = done.iter().filter_map(|session| {
        let (height, _) = seen.settled.get(&session.session_id)?;
        Some(height.saturating_sub(session.asked_at))
    });
    let finality = seen.posted.iter().filter_map(|(root, posted)| {
        let last = seen.final_at.get(root)?;
        Some(last.saturating_sub(*posted))
    });
    Side {
        answers: seen.settled.values().map(|(_, answers)| answers).sum(),
        kinds: seen.kinds.clone(),
        settling: settling.collect(),
        finality: finality.collect(),
        replays,
        receipt_bytes: roots.bytes as f64 / roots.receipts.max(1) as f64,
        faults: seen.faults,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn seen() -> Seen {
        Seen {
            opened: BTreeMap::from([(7, 105), (8, 130)]),
            settled: BTreeMap::from([(7, (121, 4)), (8, (160, 3))]),
            posted: BTreeMap::from([((3, 1), 121), ((3, 2), 160)]),
            final_at: BTreeMap::from([((3, 1), 144)]),
            ..Seen::default()
        }
    }

    #[test]
    fn heights_become_blocks_of_the_simulation() {
        let done = [(7, 118), (8, 137)].map(|(session_id, asked_at)| Done {
            session_id,
            node: 2,
            answers: 4,
            asked_at,
        });
        let planned = planned(&done, &seen(), 100).unwrap();
        assert_eq!(planned[0], Planned { node: 2, open: 5, close: 19, answers: 4 });
        let roots = Roots { receipts: 7, bytes: 7_700, fees: 70_000, data: 35_000, audit: 700 };
        let side = measured(&seen(), &done, &roots, 28);
        assert_eq!((side.answers, side.receipt_bytes, side.replays), (7, 1_100.0, 28));
        // A root that is not final has no delay; a session waits from its client's wish on.
        assert_eq!((side.settling, side.finality), (vec![3, 23], vec![23]));
        assert_eq!((roots.fee(), roots.parts()), (10_000.0, [0.5, 0.01]));
    }

    #[test]
    fn a_session_that_the_chain_does_not_show_is_an_error_with_a_code() {
        let done = [Done { session_id: 9, node: 0, answers: 4, asked_at: 118 }];
        assert!(planned(&done, &seen(), 100).unwrap_err().to_string().contains("E-BENCH-012"));
    }
}
