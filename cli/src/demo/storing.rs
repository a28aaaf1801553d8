//! The datanet's blobs are placed while the model trains, and looked at in the end.

use std::time::{Duration, Instant};

use anyhow::{bail, Result};
use cosmwasm_std::Uint128;
use openledger_client::contracts::Reader;
use openledger_client::Signer;

use super::summary::{KeeperSummary, StorageSummary};
use crate::context::Context;
use crate::storage::{self, Placed};
use crate::table;

/// Coins for the datanet's deposit, in base units.
const DEPOSIT: u128 = 100_000_000;

/// Longest wait for holders, proofs and pay after everything was placed.
const PATIENCE: Duration = Duration::from_secs(180);

/// Placements under way.
pub struct Keeping {
    datanet_id: u64,
    placing: tokio::task::JoinHandle<crate::error::Result<Placed>>,
}

/// Funds the deposit and begins to place everything.
pub async fn start(ctx: &Context, owner: &Signer, datanet_id: u64, node: &str) -> Result<Keeping> {
    storage::fund(ctx, owner, datanet_id, DEPOSIT).await?;
    let (ctx, owner, node) = (ctx.clone(), owner.clone(), node.to_string());
    let placing = tokio::spawn(async move { storage::place(&ctx, &owner, datanet_id, &node).await });
    Ok(Keeping { datanet_id, placing })
}

impl Keeping {
    /// Waits until all fragments are held and every holder has proved some and earned by it.
    pub async fn finish(self, ctx: &Context, reader: &Reader) -> Result<StorageSummary> {
        let placed = self.placing.await??;
        let since = Instant::now();
        loop {
            let summary = look(ctx, reader, self.datanet_id, &placed).await?;
            let earned = summary.keepers.iter().all(|keeper| !keeper.earned.is_zero());
            if summary.held == summary.slots && !summary.keepers.is_empty() && earned {
                return Ok(summary);
            }
            if since.elapsed() > PATIENCE {
                bail!("E-DEMO-021 blobs are not kept as they should be: {summary:?}");
            }
            reader.chain().wait_for_next_block().await?;
        }
    }
}

async fn look(ctx: &Context, reader: &Reader, datanet_id: u64, placed: &Placed) -> Result<StorageSummary> {
    let shown = storage::show(ctx, datanet_id).await?;
    let mut keepers = Vec::new();
    for storer in shown.storers.iter().filter(|storer| storer.kept > 0) {
        keepers.push(KeeperSummary {
            node_id: storer.node_id,
            kib: storer.kept,
            proven_blocks: storer.proven_blocks,
            misses: storer.misses,
            earned: storer.earned.checked_add(unclaimed(reader, storer.node_id).await?)?,
        });
    }
    Ok(StorageSummary {
        objects: placed.objects,
        contributions: placed.contributions,
        bytes: placed.bytes,
        slots: shown.slots,
        held: shown.held,
        keepers,
    })
}

/// What a node's positions have earned that no claim has credited yet.
async fn unclaimed(reader: &Reader, node_id: u64) -> Result<Uint128> {
    let holdings = reader.holdings(node_id).await?;
    let open = holdings.iter().fold(0u128, |sum, holding| sum.saturating_add(holding.earned.u128()));
    Ok(Uint128::new(open))
}

/// The keepers as a table.
pub fn table(summary: &StorageSummary) -> String {
    let rows: Vec<Vec<String>> = summary
        .keepers
        .iter()
        .map(|keeper| {
            vec![
                keeper.node_id.to_string(),
                keeper.kib.to_string(),
                keeper.proven_blocks.to_string(),
                keeper.misses.to_string(),
                table::open(keeper.earned.u128()),
            ]
        })
        .collect();
    let head = format!(
        "    {} contributions in {} objects, {:.1} MB; {} of {} fragments held\n",
        summary.contributions,
        summary.objects,
        summary.bytes as f64 / 1e6,
        summary.held,
        summary.slots
    );
    head + &table::render(&["node", "KiB", "blocks proven", "misses", "earned"], &rows, &[0, 1, 2, 3, 4])
}
