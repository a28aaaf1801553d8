//! The nodes that the demo works with: two of its own, or those of a testnet.

use std::time::Duration;

use anyhow::{Context as _, Result};
use openledger_client::contracts::Reader;

use super::summary::{RootSummary, TestnetSummary};
use super::Args;
use crate::context::Context;
use crate::network::process::{NodeProcess, NodeSetup};
use crate::network::{counter, job, Network};
use crate::node::fetch;

/// Most nodes of a testnet that answer the demo's questions.
const SERVING: usize = 3;
/// How long a node may take to load the model and to index its data.
const LOADING: Duration = Duration::from_secs(600);

/// A node.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    /// Number in the registry.
    pub(super) node_id: u64,
    /// Base URL.
    pub(super) url: String,
}

/// All nodes of the demo.
pub(super) struct Fleet {
    nodes: Vec<Peer>,
    auditors: Vec<Peer>,
    network: Option<Network>,
    /// Those that end with the demo.
    own: Vec<NodeProcess>,
}

impl Fleet {
    /// One node and one auditor.
    pub(super) async fn start(ctx: &Context, args: &Args, bond: u128) -> Result<Self> {
        let setup = NodeSetup {
            binary: &args.node_binary,
            home: args.work.join("node"),
            port: args.node_port,
            deployment: &ctx.deployment_path(),
            operator_key: &ctx.key_path("node")?,
            bond,
            chain_id: &args.chain_id,
            rpc: &args.devnet_rpc,
            roles: &["inference", "storage"],
            moniker: "demo",
            gas: 100_000_000,
        };
        let node = NodeProcess::start(&setup, &ctx.http).await?;
        // Who audits must be another operator than who is audited: that of the chain's validator.
        let setup = NodeSetup {
            home: args.work.join("audit-node"),
            port: args.node_port.saturating_add(1),
            operator_key: &ctx.key_path("validator")?,
            roles: &["storage", "audit"],
            moniker: "demo auditor",
            ..setup
        };
        let auditor = NodeProcess::start(&setup, &ctx.http).await?;
        let peer = |node: &NodeProcess| Peer { node_id: node.node_id, url: node.url.clone() };
        Ok(Fleet {
            nodes: vec![peer(&node)],
            auditors: vec![peer(&auditor)],
            network: None,
            own: vec![node, auditor],
        })
    }

    /// Those of a testnet that runs.
    pub(super) fn of(network: Network) -> Result<Self> {
        let peers = |members: &[crate::network::Member]| {
            members.iter().map(|m| Peer { node_id: m.node_id, url: m.url.clone() }).collect()
        };
        Ok(Fleet {
            nodes: peers(&network.nodes),
            auditors: peers(&network.auditors),
            network: Some(network),
            own: Vec::new(),
        })
    }

    pub(super) fn on_testnet(&self) -> bool {
        self.network.is_some()
    }

    /// The node that takes uploads.
    pub(super) fn first(&self) -> Result<&Peer> {
        self.nodes.first().context("E-DEMO-011 there is no node")
    }

    /// Nodes that answer `questions` questions.
    pub(super) fn serving(&self, questions: usize) -> Vec<Peer> {
        self.nodes.iter().take(SERVING.min(questions.max(1))).cloned().collect()
    }

    pub(super) fn print(&self) {
        let list = |peers: &[Peer]| {
            let each: Vec<_> = peers.iter().map(|peer| format!("{} at {}", peer.node_id, peer.url)).collect();
            each.join(", ")
        };
        println!("    nodes {}; auditors {}", list(&self.nodes), list(&self.auditors));
    }

    /// Brings the model from the first node to the others that answer and to the auditors, who compute answers
    /// again, and waits until all have it ready.
    pub(super) async fn replicate(&self, ctx: &Context, reader: &Reader, model: (u64, u32)) -> Result<()> {
        let from = [self.first()?.url.clone()];
        let targets: Vec<&Peer> = self.nodes.iter().take(SERVING).skip(1).chain(&self.auditors).collect();
        for peer in &targets {
            let fetched = fetch::model(ctx, reader, model, &from, &peer.url).await?;
            println!(
                "    node {}: {} blobs, {:.1} MB",
                peer.node_id,
                fetched.blobs,
                fetched.bytes as f64 / 1e6
            );
        }
        for peer in &targets {
            job::wait_model(&ctx.http, &peer.url, model, LOADING).await?;
        }
        Ok(())
    }

    /// What the testnet did; none without one.
    pub(super) async fn summary(
        &self,
        ctx: &Context,
        reader: &Reader,
        served_by: &[u64],
        roots: &[RootSummary],
    ) -> Result<Option<TestnetSummary>> {
        let Some(network) = &self.network else { return Ok(None) };
        let mut replayed = 0;
        for auditor in &self.auditors {
            replayed += counter(&ctx.http, &auditor.url, "audit_replays_total").await?.unwrap_or_default();
        }
        let mut attestations = Vec::new();
        for root in roots {
            let said = reader.attestation(root.node_id, &root.denom, root.epoch).await?;
            attestations.push((root.node_id, root.epoch, said.auditors.len() as u64));
        }
        Ok(Some(TestnetSummary {
            validators: network.validators.len() as u64,
            nodes: network.nodes.len() as u64,
            served_by: served_by.to_vec(),
            replayed,
            attestations,
        }))
    }

    /// Lets all go on.
    pub(super) fn keep(self) {
        self.own.into_iter().for_each(NodeProcess::keep);
    }
}
