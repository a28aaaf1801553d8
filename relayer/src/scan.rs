//! Reads blocks in order and hands their packet events on.
//!
//! `/block_results` is read block by block: it shows packets that contracts send, which the usual
//! event subscriptions hide, and nothing depends on a socket that stays open. A block that cannot be
//! read stops the scan before it; the cursor never passes it.

use std::time::Duration;

use openledger_client::{BlockEvents, Chain, Error as ClientError};

use crate::cursor::{Cursor, CursorFile};
use crate::error::{Error, Result};
use crate::packet::{packets_of, PacketEvent};

/// Blocks without packets after which the cursor is written all the same.
const SAVE_EVERY: u64 = 100;
/// How often a block is asked for before the scan gives up: about a minute.
const ATTEMPTS: u32 = 8;

/// What to read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Range {
    /// First height; the cursor's when absent, the chain's first kept block without a cursor.
    pub from: Option<u64>,
    /// Last height; without one the scan follows the chain for ever.
    pub to: Option<u64>,
}

/// What a scan has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Blocks read.
    pub blocks: u64,
    /// Packet events found.
    pub packets: u64,
    /// Next height to read.
    pub next_height: u64,
}

/// Reads the blocks of `range`, hands each block's packet events to `sink`, in order, and moves the
/// cursor after it. A block is handed on again when the program ended between the two.
pub async fn scan<F>(chain: &Chain, file: &CursorFile, range: Range, mut sink: F) -> Result<Summary>
where
    F: FnMut(&[PacketEvent]) -> std::io::Result<()>,
{
    scan_blocks(chain, file, range, |_, packets| Ok(sink(packets)?)).await
}

/// Like [`scan`], with all events of each block that has packet events.
pub async fn scan_blocks<F>(chain: &Chain, file: &CursorFile, range: Range, mut sink: F) -> Result<Summary>
where
    F: FnMut(&BlockEvents, &[PacketEvent]) -> Result<()>,
{
    let chain_id = chain.config().chain_id.clone();
    let cursor = file.load()?;
    if let Some(cursor) = &cursor {
        check_history(chain, cursor).await?;
    }
    let wrap = |source| Error::Chain { chain_id: chain_id.clone(), source };
    let status = chain.status().await.map_err(wrap)?;
    let mut next = match (range.from, &cursor) {
        (Some(from), Some(cursor)) if from > cursor.next_height => {
            return Err(Error::Gap { chain_id, next: cursor.next_height, from })
        }
        (Some(from), _) => from.max(1),
        (None, Some(cursor)) => cursor.next_height,
        (None, None) => status.earliest_height.max(1),
    };
    if let Some(to) = range.to.filter(|to| *to < next) {
        return Err(Error::Range { from: next, to });
    }
    // Reading again what was read before must not take the cursor back.
    let kept = cursor.map_or(0, |c| c.next_height);
    let mut summary = Summary { next_height: next, ..Summary::default() };
    let mut head = status.height;
    let mut unsaved = 0u64;
    while range.to.is_none_or(|to| next <= to) {
        if next > head {
            head = wait_for(chain, next).await?;
        }
        let block = fetch(chain, next).await?;
        let packets = packets_of(&block).map_err(|reason| Error::Packet {
            chain_id: chain_id.clone(),
            height: next,
            reason,
        })?;
        if !packets.is_empty() {
            sink(&block, &packets)?;
        }
        summary.blocks += 1;
        summary.packets += packets.len() as u64;
        summary.next_height = next.saturating_add(1);
        unsaved += 1;
        let due = !packets.is_empty() || unsaved >= SAVE_EVERY || next >= head || range.to == Some(next);
        if due && next.saturating_add(1) > kept {
            let hash = chain.block(next).await.map_err(wrap)?.hash;
            file.save(&Cursor::after(&chain_id, next, hash))?;
            unsaved = 0;
        }
        next = next.saturating_add(1);
    }
    Ok(summary)
}

/// The block before the cursor must be the one that was read.
pub(crate) async fn check_history(chain: &Chain, cursor: &Cursor) -> Result<()> {
    let chain_id = chain.config().chain_id.clone();
    let height = cursor.next_height.saturating_sub(1);
    match chain.block(height).await {
        Ok(block) if block.hash == cursor.last_hash => Ok(()),
        Ok(_) => Err(Error::OtherHistory { chain_id, height }),
        Err(ClientError::NotFound(_)) => {
            let status =
                chain.status().await.map_err(|source| Error::Chain { chain_id: chain_id.clone(), source })?;
            if height < status.earliest_height {
                Err(Error::Pruned { chain_id, height, earliest: status.earliest_height })
            } else {
                // The chain is shorter than what was read of it.
                Err(Error::OtherHistory { chain_id, height })
            }
        }
        Err(source) => Err(Error::Chain { chain_id, source }),
    }
}

/// Waits for a block, however long the chain takes; says so every minute.
async fn wait_for(chain: &Chain, height: u64) -> Result<u64> {
    let chain_id = &chain.config().chain_id;
    let mut failures = 0;
    loop {
        match chain.wait_for_height(height, Duration::from_secs(60)).await {
            Ok(head) => return Ok(head),
            Err(ClientError::Timeout { .. }) => {
                tracing::warn!(%chain_id, height, "no new block for a minute")
            }
            Err(source) => {
                failures += 1;
                if !source.retryable() || failures >= ATTEMPTS {
                    return Err(Error::Chain { chain_id: chain_id.clone(), source });
                }
                tracing::warn!(%chain_id, error = %source, "tried again");
            }
        }
    }
}

/// Fetches a block that the chain has, again and again while the endpoint fails.
async fn fetch(chain: &Chain, height: u64) -> Result<BlockEvents> {
    let chain_id = &chain.config().chain_id;
    let mut pause = Duration::from_millis(250);
    let mut attempt = 1;
    loop {
        let source = match chain.block_events(height).await {
            Ok(block) if block.height == height => return Ok(block),
            Ok(block) => ClientError::Malformed {
                what: format!("results of block {height}"),
                reason: format!("they are those of block {}", block.height),
            },
            Err(source) => source,
        };
        if matches!(source, ClientError::NotFound(_)) {
            if let Ok(status) = chain.status().await {
                if height < status.earliest_height {
                    let earliest = status.earliest_height;
                    return Err(Error::Pruned { chain_id: chain_id.clone(), height, earliest });
                }
            }
        }
        // A block's results may come a moment after the block itself.
        let again = source.retryable() || matches!(source, ClientError::NotFound(_) | ClientError::Rpc(_));
        if !again || attempt >= ATTEMPTS {
            return Err(Error::Chain { chain_id: chain_id.clone(), source });
        }
        if attempt > 2 {
            tracing::warn!(%chain_id, height, attempt, error = %source, "block asked for again");
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(15));
        attempt += 1;
    }
}
