//! Reads a path's chains block by block: packets are kept at once, callbacks that failed raise an alarm.

use std::collections::BTreeSet;

use openledger_client::BlockEvents;

use super::{label, Point, Relay, MAX_UNCHECKED};
use crate::core::state::Side;
use crate::error::{Error, Result};
use crate::packet::{IbcHeight, Kind, PacketEvent};
use crate::scan::{scan_blocks, Range};
use crate::telemetry::Metrics;

/// Blocks that are read in one go, less one; a chain that is further ahead is read between the rounds.
const BLOCKS: u64 = 49;
/// Answers' time that so many blocks may take.
const PATIENCE: u32 = 6;

impl Relay {
    /// Reads the blocks of a chain that it has not read, up to its head.
    pub(super) async fn read_blocks(&mut self, side: Side) -> Result<()> {
        let index = usize::from(side == Side::B);
        let chain = self.chain(side).clone();
        let head = chain.status().await?.height;
        let file = self.cursors.get(index).cloned().ok_or_else(|| Error::Store("no cursor".into()))?;
        let next = match self.next.get(index).copied().flatten() {
            Some(next) => next,
            // Without a cursor everything before is found by its commitment.
            None => file.load()?.map_or(head, |c| c.next_height),
        };
        if head < next {
            return Ok(());
        }
        let has_cursor = file.load()?.is_some();
        let from = (!has_cursor).then_some(next);
        let (id, store, watch, metrics) = (chain.id(), &self.store, &self.watch, &self.metrics);
        let mut seen = 0;
        let client = self.end(side).client.clone();
        let mut given = BTreeSet::new();
        let connection = chain.endpoints().chain().await?;
        let to = head.min(next.saturating_add(BLOCKS));
        let read = scan_blocks(&connection, &file, Range { from, to: Some(to) }, |block, packets| {
            watch.at(Point::BlockRead);
            count_events(metrics, id, block, packets);
            given.extend(heights_given(block, &client));
            seen = block.height;
            store.keep(id, packets)?;
            watch.at(Point::PacketsKept);
            Ok(())
        });
        // Dropped half-way it has read some blocks, which are on disk, or reads one again.
        let patience = chain.entry().rpc_timeout.saturating_mul(PATIENCE);
        let Ok(read) = tokio::time::timeout(patience, read).await else {
            chain.endpoints().distrust();
            let what = format!("blocks from {next} on");
            let source = openledger_client::Error::Timeout { what, waited: patience };
            return Err(Error::Chain { chain_id: chain.id().into(), source });
        };
        match read {
            Ok(summary) => {
                metrics.add("blocks_read_total", label(id), summary.blocks);
                if let Some(slot) = self.next.get_mut(index) {
                    *slot = Some(summary.next_height);
                }
            }
            Err(Error::Pruned { height, earliest, .. }) => {
                // Commitments show what stood in the blocks that are gone.
                tracing::warn!(chain = id, height, earliest, "blocks are gone before they were read");
                std::fs::remove_file(file.path()).map_err(|e| Error::Store(e.to_string()))?;
                if let Some(slot) = self.next.get_mut(index) {
                    *slot = None;
                }
                seen = head;
            }
            // An event of an unknown form; its packet is looked for by its commitment.
            Err(e @ Error::Packet { .. }) => {
                tracing::warn!(chain = id, code = e.code(), error = %e, "block not read");
                seen = head;
            }
            Err(e) => {
                if let Error::Chain { source, .. } = &e {
                    chain.endpoints().leave_after(source);
                }
                return Err(e);
            }
        }
        if let Some(unchecked) = self.unchecked.get_mut(index) {
            unchecked.append(&mut given);
            // A long absence leaves the newest to compare; older ones say no more than these.
            while unchecked.len() > MAX_UNCHECKED {
                unchecked.pop_first();
            }
        }
        self.pending |= seen > 0;
        if let Some(newest) = self.newest.get_mut(index) {
            *newest = seen.max(*newest);
        }
        Ok(())
    }
}

/// Heights of the other chain that this block's transactions have given to the client.
fn heights_given(block: &BlockEvents, client: &str) -> Vec<IbcHeight> {
    let events = block.txs.iter().filter(|tx| tx.code == 0).flat_map(|tx| &tx.events);
    let updates = events.filter(|e| e.kind == "update_client" && e.attribute("client_id") == Some(client));
    let texts = updates.filter_map(|e| e.attribute("consensus_heights")).flat_map(|list| list.split(','));
    texts.filter_map(IbcHeight::parse).collect()
}

/// Counts packets, and raises an alarm for callbacks that failed: ibc-go drops their error, so what the
/// contract should have booked has to be put right by hand.
fn count_events(metrics: &Metrics, chain: &str, block: &BlockEvents, packets: &[PacketEvent]) {
    let sent = packets.iter().filter(|p| p.event == Kind::SendPacket).count() as u64;
    metrics.add("packets_sent_seen_total", label(chain), sent);
    let events = block.txs.iter().filter(|tx| tx.code == 0).flat_map(|tx| &tx.events);
    for event in events.filter(|e| e.kind == "ibc_src_callback" || e.kind == "ibc_dest_callback") {
        if event.attribute("callback_result") == Some("failure") {
            let text = |key| event.attribute(key).unwrap_or_default();
            tracing::error!(
                chain,
                height = block.height,
                kind = event.kind,
                contract = text("callback_address"),
                sequence = text("packet_sequence"),
                error = text("callback_error"),
                "a callback failed"
            );
            metrics.add("callback_failures_total", label(chain), 1);
        }
    }
}
