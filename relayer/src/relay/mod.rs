//! Serves a path: reads both chains, plans, proves, sends, until it is told to stop.
//!
//! The commitments on the chains say what is due; blocks are read to learn of packets at once and to
//! have their content. Everything that a crash can interrupt is found again from the chains, and every
//! message may be sent twice without harm: ibc-go takes the second for done.

mod blocks;
mod holds;
pub mod misbehaviour;
pub mod snapshot;
mod view;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, StreamExt};
use openledger_client::Error as ClientError;
use tokio::sync::watch;
use tokio::time::Instant;

use self::holds::Holds;
use self::snapshot::Snapshot;
pub use self::view::{PayoutView, View};
use crate::chain::ChainHandle;
use crate::config::PathEntry;
use crate::core::batch::{pack, select};
use crate::core::filter::Filter;
use crate::core::plan::{plan, Action, Plan};
use crate::core::state::Side;
use crate::cursor::CursorFile;
use crate::error::{Error, Result};
use crate::link::{now_ns, Linked, LinkedEnd};
use crate::packet::IbcHeight;
use crate::store::Store;
use crate::submit::{base, prove_all, send, Sent};
use crate::telemetry::Metrics;

/// Pause between two looks at the chains' heads.
const POLL: Duration = Duration::from_millis(300);
/// Transactions of one round that are on their way at once.
const PARALLEL: usize = 4;
/// Headers on a client that wait to be compared, at most.
const MAX_UNCHECKED: usize = 100;
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
    /// Whether something is to be read from the chains' states.
    pending: bool,
    /// On each chain: the newest block with a packet event. Its state can be proved one block later.
    newest: [u64; 2],
    /// On each chain: the newest block with a transaction of this relayer. States before it are stale.
    landed: [u64; 2],
    last_round: Option<Instant>,
    /// On each chain: heights that its client was given and that are to be compared.
    unchecked: [BTreeSet<IbcHeight>; 2],
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
            newest: [0, 0],
            landed: [0, 0],
            last_round: None,
            unchecked: [BTreeSet::new(), BTreeSet::new()],
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
                Err(e @ (Error::OtherHistory { .. } | Error::NoKey { .. })) => return Err(e),
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
            self.compare_headers().await?;
            return Ok(false);
        }
        let round = self.round().await?;
        Ok(round.done > 0)
    }

    /// Compares one header that each client was given with the one that its chain has.
    async fn compare_headers(&mut self) -> Result<()> {
        for side in [Side::A, Side::B] {
            let next = self.unchecked.get_mut(usize::from(side == Side::B)).and_then(BTreeSet::pop_first);
            if let Some(height) = next {
                self.compare(side, height).await?;
            }
        }
        Ok(())
    }

    /// Compares the header at `height` on the client of `side`; a conflict is shown to the client, which
    /// freezes it. Says whether there was one.
    pub async fn compare(&self, side: Side, height: IbcHeight) -> Result<bool> {
        let (host, source) = (self.chain(side), self.chain(side.other()));
        let client = &self.end(side).client;
        let Some(conflict) = misbehaviour::check(host, client, source, height).await? else {
            return Ok(false);
        };
        let (chain, of) = (host.id(), source.id());
        let advice = "stop, and tell both chains: one of them has signed twice";
        tracing::error!(
            chain,
            of,
            client,
            height = height.height,
            code = "E-RELAYER-205",
            advice,
            "misbehaviour"
        );
        self.metrics.add("misbehaviour_total", label(chain), 1);
        let signer = host.endpoints().signer().await?;
        let message = conflict.message(client, signer.address());
        let wrap = |source| Error::Chain { chain_id: chain.into(), source };
        let tx = signer.broadcast(vec![message], "").await.map_err(wrap)?;
        tracing::error!(chain, client, hash = tx.hash, "the client was shown both headers");
        Ok(true)
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
            .filter(|action| {
                let [landed_a, landed_b] = self.landed;
                let fresh = match action.on() {
                    Side::A => a.head > landed_a,
                    Side::B => b.head > landed_b,
                };
                fresh && self.holds.allows(action, now)
            })
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
        // Something is on its way still, or stands in a block whose state cannot be proved yet.
        let [newest_a, newest_b] = self.newest;
        self.pending =
            !a.state.sent.is_empty() || !b.state.sent.is_empty() || a.head <= newest_a || b.head <= newest_b;
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
            if let Some(landed) = self.landed.get_mut(usize::from(side == Side::B)) {
                *landed = tx.height.max(*landed);
            }
            let updates = tx.events.iter().filter(|e| e.kind == "update_client").count() as u64;
            self.metrics.add("client_updates_submitted_total", label(&id), updates);
        }
        for action in &sent.done {
            let labels = format!("{},kind=\"{}\"", label(&id), action.name());
            self.metrics.add("messages_confirmed_total", labels, 1);
            self.holds.done(action);
            round.done += 1;
        }
        for action in &sent.redundant {
            let labels = format!("{},kind=\"{}\"", label(&id), action.name());
            self.metrics.add("messages_redundant_total", labels, 1);
            self.holds.done(action);
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
            let poor =
                matches!(error, ClientError::InsufficientFunds { .. } | ClientError::InsufficientFee { .. });
            let pause = if poor { WITHOUT_COINS } else { AFTER_FAILURE };
            self.holds.stop(side, pause, now);
        }
    }
}

fn label(chain: &str) -> String {
    format!("chain=\"{chain}\"")
}
