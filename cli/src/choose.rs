//! Choosing among the nodes that serve a model: by price, latency, work record and free capacity.
//!
//! The score is what a common question costs there, made dearer by what speaks against the node:
//! 1 % for each 10 ms to its answer (at most 200 %), 100 % when it has no free place, 10 % for each audit it
//! missed (at most 100 %), 100 % for each fault proved against it, 5 % while no answer of it is under a final
//! root. The lowest score wins, ties go to the lower number. What a node says of itself only moves it among
//! honest ones: a node that lies about its capacity is left at the first refusal.

use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt};
use openledger_client::contracts::Reader;
use openledger_types::api::NodeInfo;
use openledger_types::money::answer_fee;
use openledger_types::msg::model_registry::ModelVersionResponse;
use openledger_types::msg::node_registry::{NodeResponse, NodeStatus, RecordedWork, Role};
use serde::Serialize;

use crate::context::Context;
use crate::error::{Class, CliError, Result};
use crate::node_http;

/// Tokens of the question that prices are compared by: prompt, answer.
const QUESTION: (u32, u32) = (256, 128);
/// Most nodes that are looked at.
const MOST: usize = 64;
/// How long a node may take to say who it is.
const PATIENCE: Duration = Duration::from_secs(2);

/// A node that could answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Candidate {
    /// Node.
    pub node_id: u64,
    /// Its base URL.
    pub url: String,
    /// Price of a prompt token, in base units.
    pub price_in: u128,
    /// Price of an answer token, in base units.
    pub price_out: u128,
    /// Milliseconds until it said who it is.
    pub latency_ms: u64,
    /// Further requests that it says it would take now; none when it does not say.
    pub free: Option<u32>,
    /// What contracts have seen of its work.
    pub work: RecordedWork,
}

impl Candidate {
    /// The score of the module's description; lower is better. `min_fee` is the least fee of an answer.
    pub fn score(&self, min_fee: u128) -> u128 {
        let fee = answer_fee(QUESTION.0, QUESTION.1, self.price_in, self.price_out, min_fee);
        let mut percent = 100 + u128::from(self.latency_ms / 10).min(200);
        if self.free == Some(0) {
            percent += 100;
        }
        percent += u128::from(self.work.misses).saturating_mul(10).min(100);
        percent += u128::from(self.work.faults).min(100) * 100;
        if self.work.answers == 0 {
            percent += 5;
        }
        // A model that costs nothing is still nearer on one node than on another.
        fee.unwrap_or(u128::MAX).max(1).saturating_mul(percent)
    }
}

/// Puts candidates in order, the best first.
pub fn rank(candidates: &mut [Candidate], min_fee: u128) {
    candidates.sort_by_key(|c| (c.score(min_fee), c.node_id));
}

/// Nodes in service that have the model ready, the best first: those that offer it, then others on record.
///
/// # Errors
/// `E-CLI-076` when there is none, and those of the chain.
pub async fn candidates(
    ctx: &Context,
    reader: &Reader,
    version: &ModelVersionResponse,
    min_fee: u128,
) -> Result<Vec<Candidate>> {
    let key = (version.model_id, version.version);
    let mut asked: Vec<(u64, Option<u128>, Option<u128>)> = Vec::new();
    loop {
        let after = asked.last().map(|(id, ..)| *id);
        let page = reader.servers(key.0, key.1, after).await?;
        if page.is_empty() || asked.len() >= MOST {
            break;
        }
        let price = |p: Option<cosmwasm_std::Uint128>| p.map(|p| p.u128());
        asked.extend(page.into_iter().map(|(id, offer)| (id, price(offer.price_in), price(offer.price_out))));
    }
    let offered = asked.len();
    // A node that makes no offer serves at the model's own price.
    if offered < MOST {
        for node in reader.nodes().await? {
            let known = asked.iter().take(offered).any(|(id, ..)| *id == node.node_id);
            if !known && asked.len() < MOST && usable(&node) {
                asked.push((node.node_id, None, None));
            }
        }
    }
    let escrow = &reader.contracts().payable_escrow;
    let mut found: Vec<Candidate> = stream::iter(asked)
        .map(|(node_id, price_in, price_out)| async move {
            let node = reader.node(node_id).await.ok().filter(usable)?;
            let url = node.endpoint.trim_end_matches('/').to_string();
            let (info, latency_ms) = look(&ctx.http, &url).await.ok()?;
            let same = info.node_id == node_id && info.escrow == *escrow && info.node_key == node.node_key;
            if !same || !info.models.contains(&key) {
                return None;
            }
            Some(Candidate {
                node_id,
                url,
                price_in: price_in.unwrap_or(version.price_in.u128()),
                price_out: price_out.unwrap_or(version.price_out.u128()),
                latency_ms,
                free: info.capacity.map(|c| c.free),
                work: reader.work(node_id).await.map(|w| w.recorded).unwrap_or_default(),
            })
        })
        .buffer_unordered(16)
        .filter_map(|found| async move { found })
        .collect()
        .await;
    if found.is_empty() {
        return Err(CliError::new(
            Class::Node,
            "E-CLI-076",
            format!("no node in service has model {}:{} ready", key.0, key.1),
            "try again later, or name a node with --node-id",
        )
        .retry());
    }
    rank(&mut found, min_fee);
    Ok(found)
}

fn usable(node: &NodeResponse) -> bool {
    node.status == NodeStatus::Bonded && node.jailed_until.is_none() && node.roles.contains(&Role::Inference)
}

/// Who answers at a URL, and after how many milliseconds.
///
/// # Errors
/// When nobody does in time.
pub async fn look(http: &reqwest::Client, url: &str) -> Result<(NodeInfo, u64)> {
    let since = Instant::now();
    let path = format!("{url}/v1/node");
    let info = tokio::time::timeout(PATIENCE, node_http::get_json(http, &path)).await.map_err(|_| {
        CliError::new(
            Class::Node,
            "E-CLI-051",
            format!("the node at {url} did not answer within {} s", PATIENCE.as_secs()),
            "use another node",
        )
        .retry()
    })??;
    Ok((info, u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(node_id: u64) -> Candidate {
        Candidate {
            node_id,
            url: String::new(),
            price_in: 100,
            price_out: 1_000,
            latency_ms: 20,
            free: Some(4),
            work: RecordedWork { answers: 10, ..RecordedWork::default() },
        }
    }

    fn order(mut nodes: Vec<Candidate>) -> Vec<u64> {
        rank(&mut nodes, 10_000);
        nodes.iter().map(|n| n.node_id).collect()
    }

    #[test]
    fn the_cheaper_nearer_emptier_and_more_reliable_node_comes_first() {
        let cheap = Candidate { price_out: 900, ..node(2) };
        assert_eq!(order(vec![node(1), cheap]), [2, 1]);
        let far = Candidate { latency_ms: 400, ..node(1) };
        assert_eq!(order(vec![far, node(2)]), [2, 1]);
        let full = Candidate { free: Some(0), ..node(1) };
        assert_eq!(order(vec![full, node(2)]), [2, 1]);
        let missed =
            Candidate { work: RecordedWork { misses: 1, answers: 10, ..Default::default() }, ..node(1) };
        assert_eq!(order(vec![missed, node(2)]), [2, 1]);
        let new = Candidate { work: RecordedWork::default(), ..node(1) };
        assert_eq!(order(vec![new, node(2)]), [2, 1]);
        assert_eq!(order(vec![node(2), node(1)]), [1, 2]);
    }

    #[test]
    fn a_fault_outweighs_half_the_price_and_no_figure_overflows() {
        let faulty = Candidate {
            price_in: 60,
            price_out: 600,
            work: RecordedWork { faults: 1, answers: 10, ..Default::default() },
            ..node(1)
        };
        assert_eq!(order(vec![faulty, node(2)]), [2, 1]);
        let absurd = Candidate {
            price_out: u128::MAX,
            latency_ms: u64::MAX,
            work: RecordedWork { misses: u64::MAX, faults: u64::MAX, ..Default::default() },
            ..node(1)
        };
        assert_eq!(order(vec![absurd, node(2)]), [2, 1]);
    }
}
