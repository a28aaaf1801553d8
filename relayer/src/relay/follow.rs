//! Follows one chain of a path: reads every block once, keeps its packets on disk, and moves the state
//! that is planned from on by what the block reports.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use openledger_client::BlockEvents;
use tokio::time::Instant;

use super::snapshot::{self, Snapshot};
use super::{label, Point, Watch};
use crate::chain::light::nanoseconds;
use crate::chain::ChainHandle;
use crate::core::filter::Filter;
use crate::core::ledger::{apply, changes, Change};
use crate::cursor::{Cursor, CursorFile};
use crate::error::{Error, Result};
use crate::link::LinkedEnd;
use crate::packet::{packets_of, IbcHeight, Kind, PacketEvent};
use crate::scan::check_history;
use crate::store::Store;
use crate::telemetry::Metrics;

/// Blocks that are read in one go; a chain that is further ahead is read between the rounds.
const BLOCKS: u64 = 50;
/// Blocks without packets after which the cursor is written all the same.
const SAVE_EVERY: u64 = 20;
/// Blocks whose changes are kept for a complete read that began before them.
const RECENT: u64 = 200;
/// Headers on a client that wait to be compared, at most.
const MAX_UNCHECKED: usize = 100;
/// How often a block is asked for whose results are not there yet, and the pause between.
const ATTEMPTS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(100);

/// What following needs besides the chain.
pub(super) struct Env<'a> {
    pub store: &'a Store,
    pub filter: &'a Filter,
    pub watch: &'a dyn Watch,
    pub metrics: &'a Metrics,
}

/// One chain of a path and how far it was read.
pub(super) struct Follower {
    pub chain: Arc<ChainHandle>,
    pub end: LinkedEnd,
    other: LinkedEnd,
    file: CursorFile,
    /// Next height to read; none before the first look.
    next: Option<u64>,
    /// Hash of the block before it, and the height up to which the cursor is on disk.
    last_hash: String,
    saved: u64,
    /// The state that is planned from; none until it was read for the first time.
    pub snapshot: Option<Snapshot>,
    /// Every block up to here is in it.
    pub applied: u64,
    recent: VecDeque<(u64, Vec<Change>)>,
    /// Something has happened that only a complete read shows.
    pub reread: bool,
    /// Newest block that has given the client a header, until the state after it is read.
    client_changed: u64,
    /// Highest sequence that was sent from here.
    pub highest_sent: u64,
    beat: Beat,
    /// Heights that its client was given and that are to be compared.
    pub unchecked: BTreeSet<IbcHeight>,
}

impl Follower {
    pub(super) fn new(chain: Arc<ChainHandle>, end: LinkedEnd, other: LinkedEnd, file: CursorFile) -> Self {
        Follower {
            chain,
            end,
            other,
            file,
            next: None,
            last_hash: String::new(),
            saved: 0,
            snapshot: None,
            applied: 0,
            recent: VecDeque::new(),
            reread: true,
            client_changed: 0,
            highest_sent: 0,
            beat: Beat::new(Instant::now()),
            unchecked: BTreeSet::new(),
        }
    }

    /// When to look again.
    pub(super) fn due(&self) -> Instant {
        self.beat.next
    }

    /// Looks for new blocks when it is time, and reads them; says whether the state has moved on. May be
    /// dropped at any point: what was read stays, and nothing is left out.
    pub(super) async fn follow(&mut self, env: &Env<'_>) -> Result<bool> {
        if Instant::now() < self.beat.next {
            return Ok(false);
        }
        let status = self.chain.status().await?;
        let next = match self.next {
            Some(next) => next,
            None => self.begin(status.height).await?,
        };
        if status.height < next {
            self.beat.waited(Instant::now());
            return Ok(false);
        }
        let to = status.height.min(next.saturating_add(BLOCKS - 1));
        let mut events = false;
        for height in next..=to {
            match self.read_block(height, env).await {
                Ok(found) => events |= found,
                Err(Error::Pruned { earliest, .. }) => {
                    // Commitments show what stood in the blocks that are gone.
                    let chain = self.chain.id();
                    tracing::warn!(chain, height, earliest, "blocks are gone before they were read");
                    (self.next, self.reread) = (Some(status.height), true);
                    self.last_hash.clear();
                    return Ok(false);
                }
                Err(e) => return Err(e),
            }
            self.next = Some(height.saturating_add(1));
        }
        self.finish_blocks(next, to, events).await?;
        env.metrics.add("blocks_read_total", label(self.chain.id()), to.saturating_sub(next) + 1);
        match to == status.height {
            true => self.beat.seen(Instant::now()),
            false => self.beat.next = Instant::now(),
        }
        self.advance().await?;
        Ok(true)
    }

    /// The first height to read: the cursor's, else the head.
    async fn begin(&mut self, head: u64) -> Result<u64> {
        let next = match self.file.load()? {
            None => head,
            Some(cursor) => match check_history(&self.chain.endpoints().chain().await?, &cursor).await {
                Ok(()) => {
                    self.last_hash = cursor.last_hash;
                    self.saved = cursor.next_height.saturating_sub(1);
                    cursor.next_height
                }
                Err(Error::Pruned { .. }) => head,
                Err(e) => return Err(e),
            },
        };
        self.next = Some(next);
        Ok(next)
    }

    /// Reads a block; says whether it has packet events.
    async fn read_block(&mut self, height: u64, env: &Env<'_>) -> Result<bool> {
        let block = self.fetch(height).await?;
        let chain = self.chain.clone();
        let id = chain.id();
        let packets = match packets_of(&block) {
            Ok(packets) => packets,
            Err(reason) => {
                // An event of an unknown form; its packet is looked for by its commitment.
                let e = Error::Packet { chain_id: id.into(), height, reason };
                tracing::warn!(chain = id, code = e.code(), error = %e, "block not read");
                self.reread = true;
                return Ok(false);
            }
        };
        self.note_handshakes(&block);
        count_callbacks(env.metrics, id, &block);
        if packets.is_empty() {
            return Ok(false);
        }
        env.watch.at(Point::BlockRead);
        let sent = packets.iter().filter(|p| p.event == Kind::SendPacket).count() as u64;
        env.metrics.add("packets_sent_seen_total", label(id), sent);
        env.store.keep(id, &packets)?;
        env.watch.at(Point::PacketsKept);
        self.note_changes(height, &packets, env.filter);
        Ok(true)
    }

    async fn fetch(&self, height: u64) -> Result<BlockEvents> {
        let mut attempt = 0;
        loop {
            let found = self
                .chain
                .endpoints()
                .call(|chain| async move {
                    let block = chain.block_events(height).await?;
                    match block.height == height {
                        true => Ok(block),
                        false => Err(openledger_client::Error::Malformed {
                            what: format!("results of block {height}"),
                            reason: format!("they are those of block {}", block.height),
                        }),
                    }
                })
                .await;
            let missing =
                matches!(&found, Err(Error::Chain { source: openledger_client::Error::NotFound(_), .. }));
            if !missing || attempt >= ATTEMPTS {
                return found;
            }
            let earliest = self.chain.status().await?.earliest_height;
            if height < earliest {
                return Err(Error::Pruned { chain_id: self.chain.id().into(), height, earliest });
            }
            // A block's results may come a moment after the block itself.
            attempt += 1;
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Events that change more than packets: updates of the client, and whatever closes or replaces
    /// channel, connection or client.
    fn note_handshakes(&mut self, block: &BlockEvents) {
        let txs = block.txs.iter().filter(|tx| tx.code == 0).flat_map(|tx| &tx.events);
        for event in txs.chain(&block.block) {
            if event.kind == "update_client" {
                if event.attribute("client_id") == Some(&self.end.client) {
                    self.client_changed = block.height;
                    let heights = event.attribute("consensus_heights").unwrap_or_default().split(',');
                    self.unchecked.extend(heights.filter_map(IbcHeight::parse));
                }
            } else if ["channel_", "connection_", "client_"].iter().any(|p| event.kind.starts_with(p))
                || event.kind.ends_with("_client")
            {
                let own = [&self.end.channel, &self.end.connection, &self.end.client];
                self.reread |= event.attributes.iter().any(|a| own.contains(&&a.value));
            }
        }
        // A long absence leaves the newest to compare; older ones say no more than these.
        while self.unchecked.len() > MAX_UNCHECKED {
            self.unchecked.pop_first();
        }
    }

    fn note_changes(&mut self, height: u64, packets: &[PacketEvent], filter: &Filter) {
        let Some(mut all) = changes(packets, &self.end.port, &self.end.channel) else {
            self.reread = true;
            return;
        };
        for change in &all {
            if let Change::Sent(packet) = change {
                self.highest_sent = self.highest_sent.max(packet.sequence);
            }
        }
        let count = all.len();
        all.retain(|change| !matches!(change, Change::Sent(packet) if !filter.allows(packet)));
        if let Some(snapshot) = &mut self.snapshot {
            snapshot.left_out = snapshot.left_out.saturating_add((count - all.len()) as u64);
        }
        self.recent.push_back((height, all));
        while self.recent.front().is_some_and(|(old, _)| old.saturating_add(RECENT) < height) {
            self.recent.pop_front();
        }
    }

    /// Checks that the blocks read follow on those before, and writes the cursor.
    async fn finish_blocks(&mut self, from: u64, to: u64, events: bool) -> Result<()> {
        let first = self.chain.signed_header(from).await?;
        let parent = first.header.last_block_id.map(|id| id.hash.to_string()).unwrap_or_default();
        if !self.last_hash.is_empty() && parent != self.last_hash {
            let height = from.saturating_sub(1);
            return Err(Error::OtherHistory { chain_id: self.chain.id().into(), height });
        }
        let last = if from == to { first } else { self.chain.signed_header(to).await? };
        self.last_hash = last.header.hash().to_string();
        if events || to >= self.saved.saturating_add(SAVE_EVERY) {
            self.file.save(&Cursor::after(self.chain.id(), to, self.last_hash.clone()))?;
            self.saved = to;
        }
        Ok(())
    }

    /// Moves the state up to the block before the newest, which the newest header proves.
    async fn advance(&mut self) -> Result<()> {
        let head = self.next.unwrap_or_default().saturating_sub(1);
        if head < 2 {
            return Ok(());
        }
        if self.snapshot.is_none() {
            let base = snapshot::read_end(&self.chain, &self.end, &self.other, head).await?;
            self.snapshot = Some(base);
            self.applied = self.applied.max(head - 1);
            self.client_changed = 0;
        }
        let header = self.chain.signed_header(head).await?;
        // An update in the newest block is shown by the next block's state.
        let client = match self.client_changed > 0 && self.client_changed < head {
            true => self.chain.client(&self.end.client, Some(head - 1)).await?,
            false => None,
        };
        let (Some(snapshot), proof_height) = (&mut self.snapshot, self.chain.height(head)) else {
            return Ok(());
        };
        for (height, changes) in &self.recent {
            if *height > self.applied && *height < head {
                changes.iter().cloned().for_each(|change| apply(&mut snapshot.state, change));
            }
        }
        self.applied = self.applied.max(head - 1);
        if head > snapshot.head {
            snapshot.head = head;
            snapshot.state.proof_height = proof_height;
            snapshot.state.proof_time_ns = nanoseconds(header.header.time);
        }
        if let Some(client) = client {
            self.client_changed = 0;
            if client.latest > snapshot.client.latest {
                snapshot.state.client = client.view();
                snapshot.client = client;
            }
        }
        Ok(())
    }

    /// Takes a complete read over, with what the blocks after it have changed.
    pub(super) fn merge(&mut self, mut fresh: Snapshot) {
        let at = fresh.head.saturating_sub(1);
        if self.applied > at.saturating_add(RECENT) {
            self.reread = true;
            return;
        }
        for (height, changes) in &self.recent {
            if *height > at && *height <= self.applied {
                changes.iter().cloned().for_each(|change| apply(&mut fresh.state, change));
            }
        }
        if let Some(old) = self.snapshot.take().filter(|old| old.head > fresh.head) {
            fresh.head = old.head;
            fresh.state.proof_height = old.state.proof_height;
            fresh.state.proof_time_ns = old.state.proof_time_ns;
            if old.client.latest > fresh.client.latest && !fresh.state.client.frozen {
                fresh.state.client = old.state.client;
                fresh.client = old.client;
            }
        }
        self.applied = self.applied.max(at);
        self.highest_sent = self.highest_sent.max(fresh.state.sent.keys().next_back().copied().unwrap_or(0));
        self.snapshot = Some(fresh);
    }

    /// Forgets packets that the other end, `sender`, has done with. Those that it is not known to have sent
    /// stay: its blocks may be read later than this chain's.
    pub(super) fn forget_done(&mut self, sender: &Follower) {
        let (Some(here), Some(there)) = (&mut self.snapshot, &sender.snapshot) else { return };
        let keeps = |s: &u64| *s > sender.highest_sent || there.state.sent.contains_key(s);
        here.state.received.retain(keeps);
        here.state.acknowledgements.retain(|s, _| keeps(s));
    }
}

/// When a chain is looked at: shortly before its next block is due by the pace of those before, then
/// often until it is there. Spares both waiting and questions.
struct Beat {
    last: Option<Instant>,
    gap: Duration,
    next: Instant,
}

impl Beat {
    const LEAST: Duration = Duration::from_millis(100);
    const MOST: Duration = Duration::from_secs(10);

    fn new(now: Instant) -> Self {
        Beat { last: None, gap: Duration::from_millis(500), next: now }
    }

    fn seen(&mut self, now: Instant) {
        if let Some(last) = self.last {
            let gap = self.gap.saturating_mul(3).saturating_add(now.saturating_duration_since(last)) / 4;
            self.gap = gap.clamp(Self::LEAST, Self::MOST);
        }
        self.last = Some(now);
        self.next = now + self.gap.saturating_mul(9) / 10;
    }

    fn waited(&mut self, now: Instant) {
        let late = self.last.map_or(Duration::ZERO, |last| now.saturating_duration_since(last));
        // A chain that has stopped is asked ever less often.
        let pause = (self.gap / 10).max(late / 20);
        self.next = now + pause.clamp(Duration::from_millis(30), Duration::from_secs(1));
    }
}

/// Raises an alarm for callbacks that failed: ibc-go drops their error, so what the contract should have
/// booked has to be put right by hand.
fn count_callbacks(metrics: &Metrics, chain: &str, block: &BlockEvents) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_is_looked_at_when_its_block_is_due() {
        let start = Instant::now();
        let mut beat = Beat::new(start);
        let pace = Duration::from_millis(2_000);
        let mut now = start;
        for _ in 0..30 {
            now += pace;
            beat.seen(now);
        }
        let wait = beat.next - now;
        assert!(wait > pace.mul_f64(0.88) && wait < pace.mul_f64(0.92), "{wait:?}");
        // Late blocks are looked for often, a chain that has stopped once a second.
        beat.waited(now + pace);
        assert!(beat.next - (now + pace) <= pace / 9);
        beat.waited(now + Duration::from_secs(600));
        assert_eq!(beat.next - (now + Duration::from_secs(600)), Duration::from_secs(1));
    }
}
