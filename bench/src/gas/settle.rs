//! Settlements: what an answer costs on chain.

use anyhow::Result;
use openledger_types::msg::escrow::ExecuteMsg;

use super::serve::{Market, Node};
use super::world::World;
use super::{Naive, Size, ANSWERS};
use crate::report::Metric;

/// Leaves of the ledger of the node that settles; `PostEpoch` sees its root only.
const LEDGER: usize = 1_000;

/// Measures settlements of sessions of every length and number.
pub async fn measure(
    world: &World,
    market: &Market,
    size: &Size,
    naive: &Naive,
    metrics: &mut Vec<Metric>,
) -> Result<()> {
    let mut node = market.node(world, "settling node", LEDGER, world.data_owner.address()).await?;
    // First entries of a node and of the accounts it pays.
    one(world, market, &mut node, 1).await?;
    node.finalize(world).await?;

    let mut gas = Gas::default();
    for _ in 0..size.runs {
        run(world, market, size, &mut node, &mut gas).await?;
    }
    let of = |name: &str, runs: &[f64]| Metric::of(name, "gas", runs.to_vec());
    let per_answer = |name: &str, runs: &[f64], answers: u64| {
        Metric::of(name, "gas", runs.iter().map(|gas| gas / answers as f64).collect())
    };
    let one_answer = of("naive_answer", &gas.one_answer);
    metrics.push(of("settle_session", &gas.session));
    metrics.push(of("settle_next_session", &gas.next));
    let thousand = per_answer("per_answer_1000", &gas.session, ANSWERS);
    metrics.push(thousand.clone().against("one transaction per answer", one_answer.ours));
    let against_transfer = Metric { metric: "per_answer_1000_transfer".into(), ..thousand };
    metrics.push(against_transfer.against("one plain transfer per answer", naive.multisend.ours));
    metrics.push(
        per_answer("per_answer_100000", &gas.long, size.long_session)
            .against("one transaction per answer", one_answer.ours),
    );
    metrics.push(per_answer("per_answer_1000_whole_life", &gas.life, ANSWERS));
    metrics.push(of("settle_session_and_finalize", &gas.finalizing));
    metrics.push(of("settle_session_4_pending", &gas.pending));
    metrics.push(of("settle_session_again", &gas.again));
    metrics.push(of("open_session", &gas.open));
    metrics.push(of("finalize", &gas.finalize));
    metrics.push(of("close_session", &gas.close));
    metrics.push(one_answer);
    Ok(())
}

#[derive(Default)]
struct Gas {
    open: Vec<f64>,
    session: Vec<f64>,
    finalizing: Vec<f64>,
    finalize: Vec<f64>,
    again: Vec<f64>,
    pending: Vec<f64>,
    close: Vec<f64>,
    life: Vec<f64>,
    long: Vec<f64>,
    one_answer: Vec<f64>,
    next: Vec<f64>,
}

async fn run(world: &World, market: &Market, size: &Size, node: &mut Node, gas: &mut Gas) -> Result<()> {
    // One session, from its opening to its refund.
    let (mut sessions, open) = market.sessions(world, node, 1, 2 * ANSWERS).await?;
    market.serve(world, &mut sessions[0], ANSWERS)?;
    let session = node.post(world, &mut sessions).await?;
    let finalize = node.finalize(world).await?;
    market.serve(world, &mut sessions[0], ANSWERS)?;
    gas.again.push(node.post(world, &mut sessions).await?);
    let close = close(world, sessions[0].id).await?;
    gas.life.push(open as f64 + session + finalize + close);
    gas.open.push(open as f64);
    gas.session.push(session);
    gas.finalize.push(finalize);
    gas.close.push(close);
    node.due(world).await?;

    // The same, with the previous root made final by the same transaction.
    gas.finalizing.push(one(world, market, node, ANSWERS).await?);
    node.finalize(world).await?;

    // The client left without acknowledging its last answers.
    let (mut sessions, _) = market.sessions(world, node, 1, ANSWERS).await?;
    market.serve(world, &mut sessions[0], ANSWERS - 4)?;
    for _ in 0..4 {
        market.serve_unacknowledged(world, node, &mut sessions[0])?;
    }
    gas.pending.push(node.post(world, &mut sessions).await?);
    node.finalize(world).await?;

    gas.one_answer.push(one(world, market, node, 1).await?);
    node.finalize(world).await?;
    gas.long.push(one(world, market, node, size.long_session).await?);
    node.finalize(world).await?;

    let mut points = vec![];
    let mut count = 1;
    while count <= size.sessions {
        let (mut sessions, _) = market.sessions(world, node, count, ANSWERS).await?;
        for session in &mut sessions {
            market.serve(world, session, ANSWERS)?;
        }
        points.push((count as f64, node.post(world, &mut sessions).await?));
        node.finalize(world).await?;
        count *= 2;
    }
    gas.next.push(slope(&points));
    Ok(())
}

/// Settles a new session of so many answers; the gas.
async fn one(world: &World, market: &Market, node: &mut Node, answers: u64) -> Result<f64> {
    let (mut sessions, _) = market.sessions(world, node, 1, answers).await?;
    market.serve(world, &mut sessions[0], answers)?;
    node.post(world, &mut sessions).await
}

/// Closes a session and credits what is left of it; the gas of both.
async fn close(world: &World, session_id: u64) -> Result<f64> {
    let asked =
        world.execute(&world.user, &world.escrow, &ExecuteMsg::RequestClose { session_id }, 0).await?;
    world.wait_for(asked.height + world.profile.escrow.grace_blocks).await?;
    let paid = world.execute(&world.user, &world.escrow, &ExecuteMsg::Refund { session_id }, 0).await?;
    Ok((asked.gas_used + paid.gas_used) as f64)
}

/// Slope of the least squares.
fn slope(points: &[(f64, f64)]) -> f64 {
    let n = points.len() as f64;
    let (x, y) = points.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0 / n, y + point.1 / n));
    let (over, under) = points.iter().fold((0.0, 0.0), |(over, under), point| {
        (over + (point.0 - x) * (point.1 - y), under + (point.0 - x) * (point.0 - x))
    });
    over / under
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_slope_of_a_line_is_found() {
        let points = [(1.0, 105.0), (2.0, 110.0), (4.0, 120.0), (16.0, 180.0)];
        assert!((super::slope(&points) - 5.0).abs() < 1e-9);
    }
}
