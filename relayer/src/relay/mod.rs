//! Serves a path: reads both chains, plans, proves, sends, until it is told to stop.
//!
//! The commitments on the chains say what is due; blocks are read to learn of packets at once and to
//! have their content. Everything that a crash can interrupt is found again from the chains, and every
//! message may be sent twice without harm: ibc-go takes the second for done.

mod holds;
pub mod snapshot;

use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, StreamExt};
use openledger_client::{BlockEvents, Error as ClientError};
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::Instant;

use self::holds::Holds;
use self::snapshot::Snapshot;
use crate::chain::ChainHandle;
use crate::config::PathEntry;
use crate::core::batch::{pack, select};
use crate::core::filter::{Filter, Transfer};
use crate::core::plan::{plan, Action, Alarm, Plan};
use crate::core::state::Side;
use crate::cursor::CursorFile;
use crate::error::{Error, Result};
use crate::link::{now_ns, Linked, LinkedEnd};
use crate::packet::{Kind, PacketEvent};
use crate::scan::{scan_blocks, Range};
use crate::store::Store;
use crate::submit::{base, prove_all, send, Sent};
use crate::telemetry::Metrics;

/// Pause between two looks at the chains' heads.
const POLL: Duration = Duration::from_millis(300);
/// Transactions of one round that are on their way at once.
const PARALLEL: usize = 4;
/// Pause after a round that failed.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// Nothing is sent for this long to a chain where the key cannot pay.
const WITHOUT_COINS: Duration = Duration::from_secs(30);

/// Named points in the life of a packet at which a crash is tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Point {
    /// A block was read, nothing of it is on disk.
    BlockRead,
    /// Its packets are on disk, the cursor has not moved.
    PacketsKept,
    /// What is due was planned.
    Planned,
    /// A transaction is about to be sent to this side.
    Sending(Side),
    /// A transaction to this side stands in a block.
    Confirmed(Side),
}

/// Sees the relayer pass its named points; tests stop it there.
pub trait Watch: Send + Sync {
    /// The relayer has come to `point`.
    fn at(&self, point: Point);
}

/// Watches nothing.
#[derive(Debug)]
pub struct Unwatched;

impl Watch for Unwatched {
    fn at(&self, _: Point) {}
}

/// A path with all that serving it needs.
pub struct Relay {
    a: Arc<ChainHandle>,
    b: Arc<ChainHandle>,
    linked: Linked,
    filter: Filter,
    gateway: Option<String>,
    clear_interval: Duration,
    store: Arc<Store>,
    cursors: [CursorFile; 2],
    next: [Option<u64>; 2],
    watch: Arc<dyn Watch>,
    metrics: Metrics,
    view: watch::Sender<View>,
    holds: Holds,
    /// Whether blocks have shown a packet since the last round.
    pending: bool,
    last_round: Option<Instant>,
}

/// What the relayer knows of a path, for people and monitors.
#[derive(Clone, Debug, Default, Serialize)]
pub struct View {
    /// The path's ends.
    pub path: Option<Linked>,
    /// Seconds since 1970 of the last round that read both chains.
    pub read_at: u64,
    /// The error of the last round; empty when it went well.
    pub error: String,
    /// Packets on their way from the first chain and from the second.
    pub backlog: [usize; 2],
    /// Seconds until the client on each chain expires.
    pub client_seconds: [u64; 2],
    /// Codes of what hinders.
    pub alarms: Vec<(Side, &'static str)>,
    /// Payouts of the gateway that are on their way.
    pub payouts: Vec<PayoutView>,
}

/// A payout that is on its way.
#[derive(Clone, Debug, Serialize)]
pub struct PayoutView {
    /// Sequence on the channel.
    pub sequence: u64,
    /// Account on the other chain.
    pub receiver: String,
    /// Whole number of base units.
    pub amount: String,
    /// Denom as the packet carries it.
    pub denom: String,
    /// `sent`, `received` or `acknowledged`, as the other chain says.
    pub state: &'static str,
    /// Time of refusal in nanoseconds since 1970.
    pub timeout_timestamp: u64,
}

/// What a round did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// Messages that were due.
    pub due: usize,
    /// Messages that stand in a block.
    pub done: usize,
    /// Messages that a chain refused by themselves.
    pub refused: usize,
}

impl Relay {
    /// A path of the configuration. `state_dir` holds its cursors.
    pub fn new(
        (a, b): (Arc<ChainHandle>, Arc<ChainHandle>),
        linked: Linked,
        entry: &PathEntry,
        clear_interval: Duration,
        store: Arc<Store>,
        state_dir: &std::path::Path,
    ) -> Self {
        let folder = state_dir.join(format!("{}--{}", a.id(), b.id()));
        Relay {
            cursors: [CursorFile::new(&folder, a.id()), CursorFile::new(&folder, b.id())],
            view: watch::Sender::new(View { path: Some(linked.clone()), ..View::default() }),
            a,
            b,
            linked,
            filter: entry.filter.clone(),
            gateway: entry.gateway.clone(),
            clear_interval,
            store,
            next: [None, None],
            watch: Arc::new(Unwatched),
            metrics: Metrics::default(),
            holds: Holds::default(),
            pending: true,
            last_round: None,
        }
    }

    /// With a witness of its named points.
    pub fn watched(mut self, watch: Arc<dyn Watch>) -> Self {
        self.watch = watch;
        self
    }

    /// Counts into `metrics`.
    pub fn counted(mut self, metrics: Metrics) -> Self {
        self.metrics = metrics;
        self
    }

    /// What it knows, kept up to date.
    pub fn view(&self) -> watch::Receiver<View> {
        self.view.subscribe()
    }

    fn chain(&self, side: Side) -> &Arc<ChainHandle> {
        match side {
            Side::A => &self.a,
            Side::B => &self.b,
        }
    }

    fn end(&self, side: Side) -> &LinkedEnd {
        match side {
            Side::A => &self.linked.a,
            Side::B => &self.linked.b,
        }
    }

    /// Serves the path until `stop` becomes true; a round that has begun is finished first. Errors: only
    /// those that no later round can be without.
    pub async fn run(&mut self, mut stop: watch::Receiver<bool>) -> Result<()> {
        while !*stop.borrow() {
            let pause = match self.step().await {
                Ok(true) => Duration::ZERO,
                Ok(false) => POLL,
                Err(e @ (Error::OtherHistory { .. } | Error::Path { .. } | Error::NoKey { .. })) => {
                    return Err(e)
                }
                Err(e) => {
                    tracing::warn!(code = e.code(), error = %e, "round failed");
                    self.view.send_modify(|v| v.error = format!("{}: {e}", e.code()));
                    self.pending = true;
                    AFTER_FAILURE
                }
            };
            tokio::select! {
                _ = tokio::time::sleep(pause) => {}
                _ = stop.changed() => {}
            }
        }
        Ok(())
    }

    /// Reads new blocks, and when they or the time ask for it plays a round; says whether it did
    /// something.
    async fn step(&mut self) -> Result<bool> {
        for side in [Side::A, Side::B] {
            self.read_blocks(side).await?;
        }
        let due = self.pending || self.last_round.is_none_or(|at| at.elapsed() >= self.clear_interval);
        if !due {
            return Ok(false);
        }
        let round = self.round().await?;
        Ok(round.done > 0)
    }

    /// Reads the blocks of a chain that it has not read, up to its head.
    async fn read_blocks(&mut self, side: Side) -> Result<()> {
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
        let mut seen = false;
        let connection = chain.endpoints().chain().await?;
        let read = scan_blocks(&connection, &file, Range { from, to: Some(head) }, |block, packets| {
            watch.at(Point::BlockRead);
            count_events(metrics, id, block, packets);
            seen = true;
            store.keep(id, packets)?;
            watch.at(Point::PacketsKept);
            Ok(())
        });
        match read.await {
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
                seen = true;
            }
            // An event of an unknown form; its packet is looked for by its commitment.
            Err(e @ Error::Packet { .. }) => {
                tracing::warn!(chain = id, code = e.code(), error = %e, "block not read");
                seen = true;
            }
            Err(e) => {
                if let Error::Chain { source, .. } = &e {
                    chain.endpoints().leave_after(source);
                }
                return Err(e);
            }
        }
        self.pending |= seen;
        Ok(())
    }

    /// Reads both chains' states.
    pub async fn read(&self) -> Result<(Snapshot, Snapshot)> {
        snapshot::read((&self.a, &self.b), &self.linked, &self.store, &self.filter).await
    }

    /// What is due now; nothing is sent.
    pub async fn plan(&self) -> Result<Plan> {
        let (a, b) = self.read().await?;
        Ok(plan(&a.state, &b.state, now_ns()))
    }

    /// Reads, plans and sends once.
    pub async fn round(&mut self) -> Result<Round> {
        let (a, b) = self.read().await?;
        let planned = plan(&a.state, &b.state, now_ns());
        self.watch.at(Point::Planned);
        self.show(&a, &b, &planned);
        self.last_round = Some(Instant::now());
        let now = Instant::now();
        let (to_a, to_b): (Vec<Action>, Vec<Action>) = planned
            .actions
            .into_iter()
            .filter(|action| self.holds.allows(action, now))
            .partition(|action| action.on() == Side::A);
        let (sent_a, sent_b) =
            tokio::join!(self.send_to(Side::A, to_a, &a, &b), self.send_to(Side::B, to_b, &b, &a));
        let mut round = Round::default();
        for (side, (due, sent)) in [(Side::A, sent_a), (Side::B, sent_b)] {
            round.due += due;
            for one in sent {
                self.account(side, one, &mut round);
            }
        }
        // Something is on its way still: the next block may bring its next step.
        self.pending = !a.state.sent.is_empty() || !b.state.sent.is_empty();
        Ok(round)
    }

    /// Sends what is due to one chain, whose state is `here`; the proofs come from the other, `there`.
    async fn send_to(
        &self,
        side: Side,
        actions: Vec<Action>,
        here: &Snapshot,
        there: &Snapshot,
    ) -> (usize, Vec<Sent>) {
        if actions.is_empty() {
            return (0, Vec::new());
        }
        let (host, source) = (self.chain(side), self.chain(side.other()));
        let limits = host.entry().limits;
        let stopped = |e: Error| {
            tracing::warn!(chain = host.id(), code = e.code(), error = %e, "nothing is sent");
            let stopped = match e {
                Error::Chain { source, .. } => source,
                e => ClientError::Malformed { what: "proof".into(), reason: format!("{}: {e}", e.code()) },
            };
            Sent { stopped: Some(stopped), ..Sent::default() }
        };
        let signer = match host.endpoints().signer().await {
            Ok(signer) => signer.address().to_string(),
            Err(e) => return (0, vec![stopped(e)]),
        };
        let client = &self.end(side).client;
        let base = match base(host, client, &here.client, source, there.head, now_ns(), &signer).await {
            Ok(base) => base,
            Err(e) => return (0, vec![stopped(e)]),
        };
        let packets: Vec<Action> = actions.iter().filter(|a| a.packet().is_some()).cloned().collect();
        let due = packets.len();
        let mut batches = pack(select(packets, limits.messages.saturating_mul(PARALLEL)), limits);
        if batches.is_empty() {
            // The client alone is due for a header.
            batches.push(Vec::new());
        }
        let sent = stream::iter(batches)
            .map(|batch| {
                let (base, signer) = (&base, &signer);
                async move {
                    let wanted = batch.len();
                    let ready = prove_all(source, base, batch, signer).await;
                    if ready.is_empty() && (wanted > 0 || base.update.is_none()) {
                        return Sent::default();
                    }
                    self.watch.at(Point::Sending(side));
                    let sent = send(host.clone(), base.update.clone(), ready).await;
                    self.watch.at(Point::Confirmed(side));
                    sent
                }
            })
            .buffer_unordered(PARALLEL)
            .collect()
            .await;
        (due, sent)
    }

    /// Takes note of what became of a batch.
    fn account(&mut self, side: Side, sent: Sent, round: &mut Round) {
        let id = self.chain(side).id().to_string();
        let now = Instant::now();
        for tx in &sent.txs {
            self.metrics.add("transactions_confirmed_total", label(&id), 1);
            self.metrics.add("gas_used_total", label(&id), tx.gas_used);
            let updates = tx.events.iter().filter(|e| e.kind == "update_client").count() as u64;
            self.metrics.add("client_updates_submitted_total", label(&id), updates);
        }
        for action in &sent.done {
            let labels = format!("{},kind=\"{}\"", label(&id), action.name());
            self.metrics.add("messages_confirmed_total", labels, 1);
            self.holds.done(action);
            round.done += 1;
        }
        for (action, error) in &sent.refused {
            let pause = self.holds.refused(action, now);
            let sequence = action.packet().map_or(0, |p| p.sequence);
            let (kind, code) = (action.name(), error.code());
            tracing::warn!(chain = id, kind, sequence, code, %error, ?pause, "refused");
            self.metrics.add("messages_refused_total", format!("{},kind=\"{kind}\"", label(&id)), 1);
            round.refused += 1;
        }
        if let Some(error) = &sent.stopped {
            tracing::warn!(chain = id, code = error.code(), %error, advice = error.advice(), "stopped");
            let labels = format!("{},code=\"{}\"", label(&id), error.code());
            self.metrics.add("broadcast_errors_total", labels, 1);
            let poor = matches!(
                error,
                ClientError::InsufficientFunds { .. } | ClientError::InsufficientFee { .. }
            );
            let pause = if poor { WITHOUT_COINS } else { AFTER_FAILURE };
            self.holds.stop(side, pause, now);
        }
    }

    /// Publishes what was read and planned.
    fn show(&self, a: &Snapshot, b: &Snapshot, plan: &Plan) {
        let now = now_ns();
        for (side, snapshot) in [(Side::A, a), (Side::B, b)] {
            let id = self.chain(side).id();
            let waiting = snapshot.state.sent.len() + snapshot.unknown.len();
            let oldest = snapshot.state.sent.keys().next().copied().unwrap_or(0);
            self.metrics.set("backlog_size", label(id), waiting as f64);
            self.metrics.set("backlog_oldest_sequence", label(id), oldest as f64);
            self.metrics.set("backlog_unknown", label(id), snapshot.unknown.len() as f64);
            self.metrics.set("backlog_left_out", label(id), snapshot.left_out as f64);
            let left = snapshot.state.client.left_ns(now) / 1_000_000_000;
            self.metrics.set("client_expiration_seconds", label(id), left as f64);
            self.metrics.clear("alarms", &label(id));
        }
        for (side, alarm) in &plan.alarms {
            let id = self.chain(*side).id();
            self.metrics.set("alarms", format!("{},code=\"{}\"", label(id), alarm.code()), 1.0);
            if *alarm != Alarm::EndpointBehind {
                tracing::error!(chain = id, code = alarm.code(), ?alarm, advice = alarm.advice(), "alarm");
            }
        }
        self.view.send_modify(|view| {
            view.read_at = now / 1_000_000_000;
            view.error.clear();
            view.backlog = [a.state.sent.len(), b.state.sent.len()];
            view.client_seconds =
                [a, b].map(|s| s.state.client.left_ns(now) / 1_000_000_000);
            view.alarms = plan.alarms.iter().map(|(side, alarm)| (*side, alarm.code())).collect();
            view.payouts = self.payouts(a, b);
        });
    }

    fn payouts(&self, a: &Snapshot, b: &Snapshot) -> Vec<PayoutView> {
        let Some(gateway) = &self.gateway else { return Vec::new() };
        let packets = a.state.sent.values().filter_map(|p| Some((p, Transfer::of(p)?)));
        packets
            .filter(|(_, transfer)| transfer.sender == *gateway)
            .map(|(packet, transfer)| PayoutView {
                sequence: packet.sequence,
                receiver: transfer.receiver,
                amount: transfer.amount,
                denom: transfer.denom,
                state: if b.state.acknowledgements.contains_key(&packet.sequence) {
                    "acknowledged"
                } else if b.state.received.contains(&packet.sequence) {
                    "received"
                } else {
                    "sent"
                },
                timeout_timestamp: packet.timeout_timestamp,
            })
            .collect()
    }
}

fn label(chain: &str) -> String {
    format!("chain=\"{chain}\"")
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
