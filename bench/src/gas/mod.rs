//! Gas of the transactions of an answer's life, measured on a chain that runs (stock wasmd, contracts
//! not pinned): what a block says that each of them used.

mod audit;
mod contribute;
mod dispute;
mod fault;
mod ledger;
pub mod page;
mod serve;
mod settle;
mod targets;
mod world;

use std::path::Path;

use anyhow::{Context, Result};
use openledger_client::proto::cosmos::bank::v1beta1::{Input, MsgMultiSend, Output};
use openledger_client::proto::cosmos::base::v1beta1::Coin as ProtoCoin;
use openledger_client::proto::prost::{Message, Name};
use openledger_client::Any;
use openledger_types::msg::escrow::ExecuteMsg;

use crate::report::Metric;
use world::{World, CONTRACTS};

/// How much is measured.
pub struct Size {
    /// Runs of each measurement.
    pub runs: usize,
    /// Answers of a long session.
    pub long_session: u64,
    /// Most sessions of one message.
    pub sessions: usize,
    /// Leaves of a large ledger.
    pub large_ledger: usize,
    /// Leaves of every ledger of a claim over many nodes.
    pub ledger: usize,
    /// Nodes of that claim.
    pub nodes: usize,
}

impl Size {
    /// What docs/gas.md says.
    pub fn full() -> Self {
        Size {
            runs: 3,
            long_session: 100_000,
            sessions: 16,
            large_ledger: 1_000_000,
            ledger: 1_000,
            nodes: 20,
        }
    }

    /// The same transactions once each, over the same trees; fewer sessions in one message.
    pub fn quick() -> Self {
        Size { runs: 1, sessions: 4, ..Self::full() }
    }
}

/// Answers of a usual session.
pub const ANSWERS: u64 = 1_000;

/// Deploys the contracts and measures; the figures, and what could not be measured with its reason.
pub async fn measure(
    rpc: &str,
    chain_id: &str,
    wasm_dir: &Path,
    accounts: &Path,
    size: &Size,
) -> Result<(Vec<Metric>, Vec<String>)> {
    let world = World::deploy(rpc, chain_id, wasm_dir, accounts).await.context("deployment")?;
    let mut metrics = Vec::new();
    for (name, bytes) in CONTRACTS.iter().zip(world.wasm_bytes) {
        metrics.push(Metric::of(&format!("wasm_kib_{name}"), "KiB", vec![bytes as f64 / 1024.0]));
    }
    eprintln!("references");
    let naive = naive(&world, size).await.context("references")?;
    eprintln!("contributions");
    let data = contribute::measure(&world, size, &mut metrics).await.context("contributions")?;
    let market = serve::Market::open(&world, &data).await.context("a model")?;
    let mut failed = Vec::new();
    let mut note = |what: &str, done: Result<()>| {
        if let Err(error) = done {
            failed.push(format!("{what}: {error:#}"));
        }
    };
    eprintln!("settlements");
    note("settlements", settle::measure(&world, &market, size, &naive, &mut metrics).await);
    eprintln!("claims");
    note("claims", ledger::measure(&world, &market, size, &mut metrics).await);
    eprintln!("fault proofs");
    note("fault proofs", fault::measure(&world, &market, &data, size, &mut metrics).await);
    eprintln!("attestations");
    note("attestations", audit::measure(&world, &market, size, &mut metrics).await);
    eprintln!("disputes");
    note("disputes", dispute::measure(&world, &data, &mut metrics).await);
    metrics.push(naive.empty);
    metrics.push(naive.multisend);
    Ok((metrics, failed))
}

/// What ours is compared with.
struct Naive {
    /// An execute that changes one flag.
    empty: Metric,
    /// A plain transfer of one fee to four receivers.
    multisend: Metric,
}

async fn naive(world: &World, size: &Size) -> Result<Naive> {
    let (mut empty, mut multisend) = (vec![], vec![]);
    let receivers = [
        world.owner.address(),
        world.developer.address(),
        world.operator.address(),
        world.data_owner.address(),
    ];
    for _ in 0..size.runs {
        let msg = ExecuteMsg::SetPaused { paused: false };
        empty.push(world.execute(&world.owner, &world.escrow, &msg, 0).await?.gas_used as f64);
        let coins = |amount: u64| vec![ProtoCoin { denom: world.denom().into(), amount: amount.to_string() }];
        let split = MsgMultiSend {
            inputs: vec![Input { address: world.user.address().into(), coins: coins(11_000) }],
            outputs: receivers
                .iter()
                .map(|to| Output { address: (*to).into(), coins: coins(2_750) })
                .collect(),
        };
        let any = Any { type_url: MsgMultiSend::type_url(), value: split.encode_to_vec() };
        multisend.push(world.user.broadcast(vec![any], "").await?.gas_used as f64);
    }
    Ok(Naive {
        empty: Metric::of("empty_execute", "gas", empty),
        multisend: Metric::of("naive_multisend", "gas", multisend),
    })
}
