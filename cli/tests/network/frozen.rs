//! A node that is stopped in the middle of an answer, and the node that goes on from there.

use std::time::{Duration, Instant};

use anyhow::{ensure, Result};
use openledger::network::{job, process};
use openledger::{ask, session};

use super::{Lab, LONG_ANSWER, PATIENCE};

/// What is asked, one after the other, until a node is frozen before its answer is whole.
const PROMPTS: [&str; 6] = ["pub fn ", "use std::", "impl<T> ", "let mut ", "match ", "/// Returns "];
/// Base units: each node can be promised every one of these answers.
const DEPOSIT: u128 = PROMPTS.len() as u128 * job::DEPOSIT;

/// Ends a freeze, also when the scenario fails midway.
struct Frozen(u32);

impl Drop for Frozen {
    fn drop(&mut self) {
        if let Err(error) = process::signal(self.0, "CONT") {
            eprintln!("{error}");
        }
    }
}

/// SIGSTOP at the first word of an answer, in a session with two nodes: connections stay open, the system still takes
/// what is sent. The other node goes on within two seconds; each is paid for what came from it, once.
pub async fn frozen_in_the_middle(lab: &Lab) -> Result<()> {
    let nodes: Vec<u64> = lab.net.nodes.iter().take(2).map(|member| member.node_id).collect();
    let job = lab.net.job(0, nodes[0], lab.model, &[]).await?;
    let args = session::OpenArgs {
        model_id: lab.model.0,
        model_version: Some(lab.model.1),
        nodes: nodes.clone(),
        choose: 2,
        deposit: DEPOSIT,
        blocks: None,
    };
    let session_id = session::open(&job.ctx, &job.user, args).await?.session_id;
    let pids: Vec<(u64, u32)> =
        lab.net.nodes.iter().filter_map(|member| Some((member.node_id, member.pid()?))).collect();
    // The whole answer may have come before the signal: then another one is asked for.
    let (mut paid, mut asked, mut left) = (0, 0, None);
    for prompt in PROMPTS {
        let (mut frozen, mut longest) = (None::<(Frozen, Instant)>, Duration::ZERO);
        let question = ask::AskArgs { max_tokens: LONG_ANSWER, ..job.question(session_id, prompt) };
        let answer = ask::ask(&job.ctx, question, &mut |_| {
            if let Some((_, last)) = &mut frozen {
                longest = longest.max(last.elapsed());
                *last = Instant::now();
            } else {
                let state =
                    session::State::load(&job.ctx, session_id).expect("the session's state is readable");
                let open = |lane: &&session::Lane| {
                    lane.outstanding.iter().any(|o| o.received.is_none() && o.left.is_none())
                };
                let node_id = state.nodes.iter().find(open).expect("a node answers").node_id;
                let (_, pid) = pids.iter().find(|(id, _)| *id == node_id).expect("the node runs");
                process::signal(*pid, "STOP").expect("the node is stopped");
                frozen = Some((Frozen(*pid), Instant::now()));
            }
        })
        .await;
        drop(frozen);
        asked += 1;
        let answer = match answer {
            Ok(answer) => answer,
            // Its receipt is fetched with the next question.
            Err(error) if error.code == "E-CLI-091" => continue,
            Err(error) => return Err(error.into()),
        };
        paid += answer.bundle.receipt.receipt.fee.u128();
        if let [before] = &answer.before[..] {
            println!(
                "first text of the other node {} ms after the freeze, {} tokens before it",
                longest.as_millis(),
                before.tokens
            );
            ensure!(longest < Duration::from_secs(2), "{longest:?}");
            ensure!(answer.bundle.receipt.receipt.node_id != before.node_id, "the frozen node answered");
            left = Some(before.node_id);
            break;
        }
    }
    ensure!(left.is_some(), "every answer was complete before its node was frozen");
    let done = job.close(session_id, asked).await?;
    // The frozen node is back and has signed for what it had written; nothing else was paid.
    ensure!(done.fees > paid && done.fees + done.refunded == DEPOSIT, "{done:?} for {paid}");
    for node_id in nodes {
        job::wait_final(&job.ctx.reader().await?, &job.user, node_id, PATIENCE).await?;
    }
    Ok(())
}
