//! Serves a path: reads both chains, plans, proves, sends, until it is told to stop.
//!
//! The commitments on the chains say what is due; blocks are read to learn of packets at once and to
//! have their content. Everything that a crash can interrupt is found again from the chains, and every
//! message may be sent twice without harm: ibc-go takes the second for done.

mod flights;
mod follow;
mod holds;
pub mod misbehaviour;
pub mod snapshot;
mod view;

use std::sync::Arc;
use std::time::Duration;

use openledger_client::Error as ClientError;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

use self::flights::Flights;
use self::follow::{Env, Follower};
use self::holds::Holds;
use self::snapshot::{Base, Snapshot};
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

/// Pause between complete reads that follow one on the other.
const REREAD: Duration = Duration::from_millis(300);
/// Transactions to one chain that are on their way at once.
const PARALLEL: usize = 4;
/// Pause after a step that failed.
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

/// A complete read of both ends.
type Complete = Result<(Snapshot, Snapshot)>;

/// A path with all that serving it needs.
pub struct Relay {
    near: Follower,
    far: Follower,
    linked: Linked,
    filter: Filter,
    gateway: Option<String>,
    clear_interval: Duration,
    store: Arc<Store>,
    watch: Arc<dyn Watch>,
    metrics: Metrics,
    view: watch::Sender<View>,
    holds: Holds,
    flights: Flights,
    /// Transactions on their way; each task ends with what became of its batch.
    tasks: JoinSet<Flown>,
    /// One has come back since the last plan: there is room for more.
    landed: bool,
    /// A complete read that runs beside the loop, and when the last one began.
    reading: Option<JoinHandle<Complete>>,
    read_at: Option<Instant>,
}

/// What became of a batch.
struct Flown {
    side: Side,
    batch: Vec<Action>,
    sent: Sent,
    /// What could not be proved: the state has moved on, or an endpoint has lied.
    unproved: Vec<Action>,
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
        let follower = |chain: &Arc<ChainHandle>, end: &LinkedEnd, other: &LinkedEnd| {
            Follower::new(chain.clone(), end.clone(), other.clone(), CursorFile::new(&folder, chain.id()))
        };
        Relay {
            near: follower(&a, &linked.a, &linked.b),
            far: follower(&b, &linked.b, &linked.a),
            view: watch::Sender::new(View { path: Some(linked.clone()), ..View::default() }),
            linked,
            filter: entry.filter.clone(),
            gateway: entry.gateway.clone(),
            clear_interval,
            store,
            watch: Arc::new(Unwatched),
            metrics: Metrics::default(),
            holds: Holds::default(),
            flights: Flights::default(),
            tasks: JoinSet::new(),
            landed: false,
            reading: None,
            read_at: None,
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

    fn follower(&self, side: Side) -> &Follower {
        match side {
            Side::A => &self.near,
            Side::B => &self.far,
        }
    }

    fn chain(&self, side: Side) -> &Arc<ChainHandle> {
        &self.follower(side).chain
    }

    fn end(&self, side: Side) -> &LinkedEnd {
        &self.follower(side).end
    }

    /// Serves the path until `stop` becomes true; transactions that are on their way are waited for. Errors:
    /// only those that no later step can be without.
    pub async fn run(&mut self, mut stop: watch::Receiver<bool>) -> Result<()> {
        while !*stop.borrow() {
            let pause = match self.step().await {
                Ok(()) => self.near.due().min(self.far.due()) - Instant::now(),
                Err(e @ (Error::OtherHistory { .. } | Error::NoKey { .. })) => return Err(e),
                Err(e) => {
                    tracing::warn!(code = e.code(), error = %e, "step failed");
                    self.view.send_modify(|v| v.error = format!("{}: {e}", e.code()));
                    AFTER_FAILURE
                }
            };
            tokio::select! {
                _ = tokio::time::sleep(pause) => {}
                _ = stop.changed() => {}
                Some(flown) = self.tasks.join_next() => {
                    self.land(flown, &mut Round::default());
                    self.landed = true;
                }
            }
        }
        self.finish().await;
        Ok(())
    }

    /// Reads new blocks, and plans when there are any or when a transaction has come back.
    async fn step(&mut self) -> Result<()> {
        let mut moved = std::mem::take(&mut self.landed);
        while let Some(flown) = self.tasks.try_join_next() {
            self.land(flown, &mut Round::default());
            moved = true;
        }
        moved |= self.take_complete_read().await?;
        let env = Env {
            store: &self.store,
            filter: &self.filter,
            watch: self.watch.as_ref(),
            metrics: &self.metrics,
        };
        let (near, far) = tokio::try_join!(self.near.follow(&env), self.far.follow(&env))?;
        self.begin_complete_read();
        if moved || near || far {
            self.play().await?;
        } else {
            self.compare_headers().await?;
        }
        Ok(())
    }

    /// Starts a complete read beside the loop when it is time, or when blocks have shown that one is needed.
    fn begin_complete_read(&mut self) {
        let age = self.read_at.map(|at| at.elapsed());
        let asked = (self.near.reread || self.far.reread) && age.is_none_or(|age| age >= REREAD);
        if self.reading.is_some() || !(asked || age.is_none_or(|age| age >= self.clear_interval)) {
            return;
        }
        (self.near.reread, self.far.reread) = (false, false);
        self.read_at = Some(Instant::now());
        let (a, b) = (self.near.chain.clone(), self.far.chain.clone());
        let (linked, store, filter) = (self.linked.clone(), self.store.clone(), self.filter.clone());
        self.reading =
            Some(tokio::spawn(async move { snapshot::read((&a, &b), &linked, &store, &filter).await }));
    }

    /// Takes over what a complete read has found; says whether there was one.
    async fn take_complete_read(&mut self) -> Result<bool> {
        let Some(reading) = self.reading.take_if(|reading| reading.is_finished()) else { return Ok(false) };
        let complete = reading.await.map_err(|e| Error::Store(e.to_string()))?;
        let (a, b) = complete.inspect_err(|_| self.near.reread = true)?;
        // What one read did not find all of, the next goes on with.
        self.near.reread |= !a.unknown.is_empty() && a.searched;
        self.far.reread |= !b.unknown.is_empty() && b.searched;
        self.near.merge(a);
        self.far.merge(b);
        Ok(true)
    }

    /// Compares one header that each client was given with the one that its chain has.
    async fn compare_headers(&mut self) -> Result<()> {
        for side in [Side::A, Side::B] {
            let follower = match side {
                Side::A => &mut self.near,
                Side::B => &mut self.far,
            };
            if let Some(height) = follower.unchecked.pop_first() {
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
        snapshot::read((&self.near.chain, &self.far.chain), &self.linked, &self.store, &self.filter).await
    }

    /// What is due now; nothing is sent.
    pub async fn plan(&self) -> Result<Plan> {
        let (a, b) = self.read().await?;
        Ok(plan(&a.state, &b.state, now_ns()))
    }

    /// Reads both chains completely, plans, sends, and waits for what was sent.
    pub async fn round(&mut self) -> Result<Round> {
        let (a, b) = self.read().await?;
        self.near.merge(a);
        self.far.merge(b);
        let mut round = Round { due: self.play().await?, ..Round::default() };
        while let Some(flown) = self.tasks.join_next().await {
            self.land(flown, &mut round);
        }
        Ok(round)
    }

    /// Waits for the transactions that are on their way.
    async fn finish(&mut self) {
        while let Some(flown) = self.tasks.join_next().await {
            self.land(flown, &mut Round::default());
        }
    }

    /// Plans from what is known and sends what is not on its way yet; answers with the number of packet
    /// messages that were due.
    async fn play(&mut self) -> Result<usize> {
        self.near.forget_done(&self.far);
        self.far.forget_done(&self.near);
        let (Some(a), Some(b)) = (&self.near.snapshot, &self.far.snapshot) else { return Ok(0) };
        let planned = plan(&a.state, &b.state, now_ns());
        self.watch.at(Point::Planned);
        self.show(a, b, &planned);
        self.flights.clean(self.near.applied, self.far.applied);
        let now = Instant::now();
        self.holds.clean(now);
        let allowed = |action: &Action| self.flights.allows(action) && self.holds.allows(action, now);
        let (to_a, to_b): (Vec<Action>, Vec<Action>) =
            planned.actions.into_iter().filter(allowed).partition(|action| action.on() == Side::A);
        let (a, b) = (a.clone_base(), b.clone_base());
        let due = [(Side::A, to_a, &a, &b), (Side::B, to_b, &b, &a)];
        let mut count = 0;
        for (side, actions, here, there) in due {
            count += actions.iter().filter(|action| action.packet().is_some()).count();
            self.send_to(side, actions, here, there).await?;
        }
        Ok(count)
    }

    /// Sends what is due to one chain, whose state is `here`; the proofs come from the other, `there`.
    async fn send_to(&mut self, side: Side, actions: Vec<Action>, here: &Base, there: &Base) -> Result<()> {
        let (host, source) = (self.chain(side).clone(), self.chain(side.other()).clone());
        let limits = host.entry().limits;
        let update_due = actions.iter().any(|action| action.packet().is_none());
        let packets: Vec<Action> = actions.into_iter().filter(|action| action.packet().is_some()).collect();
        let window = limits.messages.saturating_mul(PARALLEL).saturating_sub(self.flights.flying(side));
        let mut batches = pack(select(packets.clone(), window), limits);
        if packets.is_empty() && update_due {
            // The client alone is due for a header.
            batches.push(Vec::new());
        }
        if batches.is_empty() {
            return Ok(());
        }
        let client = self.end(side).client.clone();
        let ready = async {
            let signer = host.endpoints().signer().await?.address().to_string();
            let base = base(&host, &client, &here.client, &source, there.head, now_ns(), &signer).await?;
            Ok((signer, base))
        };
        let (signer, base) = match ready.await {
            Ok(ready) => ready,
            Err(e @ Error::NoKey { .. }) => return Err(e),
            Err(e) => {
                tracing::warn!(chain = host.id(), code = e.code(), error = %e, "nothing is sent");
                let stopped = match e {
                    Error::Chain { source, .. } => source,
                    e => {
                        ClientError::Malformed { what: "proof".into(), reason: format!("{}: {e}", e.code()) }
                    }
                };
                let sent = Sent { stopped: Some(stopped), ..Sent::default() };
                self.account(side, sent, &mut Round::default());
                return Ok(());
            }
        };
        for batch in batches {
            self.flights.start(side, &batch);
            let (host, source, watch) = (host.clone(), source.clone(), self.watch.clone());
            let (base, signer) = (base.clone(), signer.clone());
            self.tasks.spawn(async move {
                let ready = prove_all(&source, &base, batch.clone(), &signer).await;
                let proved = |action: &Action| ready.iter().any(|r| r.action == *action);
                let unproved = batch.iter().filter(|action| !proved(action)).cloned().collect();
                if ready.is_empty() && (!batch.is_empty() || base.update.is_none()) {
                    return Flown { side, batch, sent: Sent::default(), unproved };
                }
                watch.at(Point::Sending(side));
                let sent = send(host, base.update, ready).await;
                watch.at(Point::Confirmed(side));
                Flown { side, batch, sent, unproved }
            });
        }
        Ok(())
    }

    /// Takes note that a batch has come back.
    fn land(&mut self, flown: std::result::Result<Flown, tokio::task::JoinError>, round: &mut Round) {
        match flown {
            Ok(Flown { side, batch, sent, unproved }) => {
                let now = Instant::now();
                for action in &unproved {
                    (self.near.reread, self.far.reread) = (true, true);
                    self.holds.refused(action, now);
                }
                self.flights.land(side, &batch, &sent, self.follower(side).applied);
                self.account(side, sent, round);
            }
            Err(error) => {
                // Nothing is known of the batch: what is still due is planned anew.
                tracing::error!(%error, "a transaction's task ended early");
                self.flights = Flights::default();
            }
        }
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
