//! Claims from ledgers (PROTOCOL L9, L10).

use anyhow::Result;
use openledger_types::msg::escrow::ExecuteMsg;

use super::serve::{Market, Node};
use super::world::World;
use super::{Size, ANSWERS};
use crate::report::Metric;

/// Measures claims from one large ledger and from many.
pub async fn measure(world: &World, market: &Market, size: &Size, metrics: &mut Vec<Metric>) -> Result<()> {
    let account = world.data_owner.address();
    large(world, market, size, account, metrics).await?;
    for (metric, leaves) in [("claim_20_nodes", size.ledger), ("claim_20_nodes_16_leaves", 16)] {
        let gas = many(world, market, size, account, leaves).await?;
        metrics.push(Metric::of(metric, "gas", gas));
    }
    Ok(())
}

/// One claim from a ledger of a million leaves, each by an account that claims for the first time.
async fn large(
    world: &World,
    market: &Market,
    size: &Size,
    account: &str,
    metrics: &mut Vec<Metric>,
) -> Result<()> {
    let mut node = market.node(world, "large node", size.large_ledger, account).await?;
    settle(world, market, &mut node).await?;
    let (mut first, mut withdraw) = (vec![], vec![]);
    for run in 0..size.runs {
        // One that holds its key, so that it can withdraw too; then strangers.
        let index = match run {
            0 => node.ledger.position(account)?,
            _ => run * 137_777 % size.large_ledger,
        };
        let claims = vec![node.ledger.claim(world, node.id, index)?];
        let msg = ExecuteMsg::Claim { claims: claims.into() };
        first.push(world.execute(&world.user, &world.escrow, &msg, 0).await?.gas_used as f64);
    }
    for run in 0..size.runs {
        let msg = ExecuteMsg::Withdraw { denoms: vec![world.denom().into()] };
        // The developer and the operator were credited by the settlements before.
        let who = [&world.data_owner, &world.developer, &world.operator][run % 3];
        withdraw.push(world.execute(who, &world.escrow, &msg, 0).await?.gas_used as f64);
    }
    metrics.push(Metric::of("claim_1m_leaves", "gas", first));
    metrics.push(Metric::of("withdraw", "gas", withdraw));
    Ok(())
}

/// One claim over the ledgers of many nodes, each of so many leaves; its gas.
async fn many(world: &World, market: &Market, size: &Size, account: &str, leaves: usize) -> Result<Vec<f64>> {
    let mut nodes = vec![];
    for i in 0..size.nodes {
        nodes.push(market.node(world, &format!("node {i} of {leaves} leaves"), leaves, account).await?);
    }
    let mut gas = vec![];
    for _ in 0..size.runs {
        let mut claims = vec![];
        for node in &mut nodes {
            settle(world, market, node).await?;
            let index = node.ledger.position(account)?;
            claims.push(node.ledger.claim(world, node.id, index)?);
        }
        let msg = ExecuteMsg::Claim { claims: claims.into() };
        gas.push(world.execute(&world.user, &world.escrow, &msg, 0).await?.gas_used as f64);
    }
    Ok(gas)
}

/// One more session of a node, final.
async fn settle(world: &World, market: &Market, node: &mut Node) -> Result<()> {
    let (mut sessions, _) = market.sessions(world, node, 1, ANSWERS).await?;
    market.serve(world, &mut sessions[0], ANSWERS)?;
    node.post(world, &mut sessions).await?;
    node.finalize(world).await?;
    Ok(())
}
