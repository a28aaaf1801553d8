//! The main job in small, again and again: a session with one node, paid answers, settlement, a final and
//! attested root, everybody's claim.

use std::time::{Duration, Instant};

use anyhow::{bail, Result};
use openledger_client::contracts::Reader;
use openledger_client::Signer;
use openledger_types::formats::Account;
use openledger_types::msg::escrow::{ExecuteMsg, RootStatus};

use super::Network;
use crate::ask::{self, AskArgs};
use crate::context::Context;
use crate::session::{self, OpenArgs};
use crate::{earnings, node_http};

/// Deposit of a session, in base units.
pub const DEPOSIT: u128 = 400_000;
/// Tokens of an answer.
pub const TOKENS: u32 = 24;

/// Who pays whom for what.
#[derive(Clone)]
pub struct Job {
    /// Home of sessions and keys; its RPC address is a validator that runs.
    pub ctx: Context,
    /// Who pays.
    pub user: Signer,
    /// Model and version.
    pub model: (u64, u32),
    /// Node that answers.
    pub node_id: u64,
    /// What is asked, one answer each.
    pub prompts: Vec<String>,
}

/// What a job left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// Session.
    pub session_id: u64,
    /// Answers.
    pub answers: usize,
    /// Fees settled, in base units.
    pub fees: u128,
    /// The data's part of them.
    pub data: u128,
    /// Returned to the payer.
    pub refunded: u128,
}

impl Job {
    /// Runs it up to the closed session. What is settled becomes final later, see [`wait_final`].
    ///
    /// # Errors
    /// When a step does not succeed.
    pub async fn run(&self) -> Result<Done> {
        let opened = self.open().await?;
        let mut answers = 0;
        for prompt in &self.prompts {
            ask::ask(&self.ctx, self.question(opened, prompt), &mut |_| {}).await?;
            answers += 1;
        }
        self.close(opened, answers).await
    }

    /// Opens a session.
    ///
    /// # Errors
    /// When the chain refuses.
    pub async fn open(&self) -> Result<u64> {
        let args = OpenArgs {
            model_id: self.model.0,
            model_version: Some(self.model.1),
            nodes: vec![self.node_id],
            choose: 1,
            deposit: DEPOSIT,
            blocks: None,
        };
        Ok(session::open(&self.ctx, &self.user, args).await?.session_id)
    }

    /// A question of a session.
    pub fn question(&self, session_id: u64, prompt: &str) -> AskArgs {
        AskArgs { session_id, prompt: prompt.into(), max_tokens: TOKENS, temperature: 0.7 }
    }

    /// Settles, closes and takes the refund.
    ///
    /// # Errors
    /// When the chain refuses, or nothing was settled for answers that were given.
    pub async fn close(&self, session_id: u64, answers: usize) -> Result<Done> {
        self.close_within(session_id, answers, Duration::from_secs(120)).await
    }

    /// As [`Job::close`], with at most `patience` for what a node that may be gone still owes.
    ///
    /// # Errors
    /// As [`Job::close`].
    pub async fn close_within(&self, session_id: u64, answers: usize, patience: Duration) -> Result<Done> {
        let session = session::close(&self.ctx, &self.user, session_id, patience).await?.session;
        let fees: u128 = session.nodes.iter().map(|node| node.settled.u128()).sum();
        if answers > 0 && fees == 0 {
            bail!("session {session_id}: {answers} answers were given, nothing was settled");
        }
        Ok(Done {
            session_id,
            answers,
            fees,
            data: session.data_part.u128(),
            refunded: session.refunded.u128(),
        })
    }
}

/// Waits until no root of the node waits any more; anyone makes final what is due.
///
/// # Errors
/// When a root is void, or not final within `patience`.
pub async fn wait_final(reader: &Reader, anyone: &Signer, node_id: u64, patience: Duration) -> Result<()> {
    let since = Instant::now();
    let escrow = reader.contracts().payable_escrow.clone();
    while let Some(epoch) = reader.pending(node_id).await? {
        let number = epoch.commit.epoch;
        if epoch.status != RootStatus::Pending {
            bail!("E-DEMO-013 the root of epoch {number} of node {node_id} is {:?}", epoch.status);
        }
        if reader.chain().latest_height().await? >= epoch.final_at {
            // The node itself finalises too; one that is refused is looked at again.
            match anyone.execute(&escrow, &ExecuteMsg::Finalize { node_id }, &[]).await {
                Ok(_) | Err(openledger_client::Error::Contract { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if since.elapsed() > patience {
            bail!(
                "E-DEMO-013 the root of epoch {number} of node {node_id} is not final after {} s",
                patience.as_secs()
            );
        }
        reader.chain().wait_for_next_block().await?;
    }
    Ok(())
}

/// Claims for every contributor from all nodes; says what was credited, in base units.
///
/// # Errors
/// When the chain refuses.
pub async fn claim_all(ctx: &Context, anyone: &Signer, contributors: &[String]) -> Result<u128> {
    let accounts: Vec<Account> = contributors.iter().cloned().map(Account::Contributor).collect();
    let claimed = earnings::claim(ctx, anyone, &accounts, false).await?;
    Ok(claimed.credited.iter().map(|credit| credit.amount.u128()).sum())
}

/// Waits until a node has a model ready.
///
/// # Errors
/// When it has not within `patience`.
pub async fn wait_model(
    http: &reqwest::Client,
    url: &str,
    model: (u64, u32),
    patience: Duration,
) -> Result<()> {
    let since = Instant::now();
    loop {
        let info: Result<openledger_types::api::NodeInfo, _> =
            node_http::get_json(http, &format!("{url}/v1/node")).await;
        if info.is_ok_and(|info| info.models.contains(&model)) {
            return Ok(());
        }
        if since.elapsed() > patience {
            bail!(
                "E-NET-007 {url} has not model {}:{} ready after {} s",
                model.0,
                model.1,
                patience.as_secs()
            );
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

impl Network {
    /// A job of the account `user` with a node, through the validator numbered `at`.
    ///
    /// # Errors
    /// When the validator does not answer.
    pub async fn job(&self, at: usize, node_id: u64, model: (u64, u32), prompts: &[&str]) -> Result<Job> {
        let ctx = self.context(at)?;
        let user = ctx.signer(Some("user")).await?;
        let prompts = prompts.iter().map(|prompt| prompt.to_string()).collect();
        Ok(Job { ctx, user, model, node_id, prompts })
    }
}
