//! The auditor's loop: seeds, then every root that waits, several at once.
//!
//! No node keeps the auditor from its other work: a round waits a while for the roots that it began to look at; those
//! of a node that is silent, or slow, or has many answers to be computed again go on beside the next rounds. Each
//! node has its turn before any has a second one.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use openledger_types::msg::escrow::RootStatus;
use tokio::task::{Id, JoinSet};

use super::root::{Roots, Seen, Target};
use super::view::RefereeView;
use crate::fault::Result;
use crate::serve::Node;

/// Roots that are looked at at once and were begun less than [`LONG`] ago.
const FRESH: usize = 8;
/// Roots that are looked at at once; each may hold two documents of 64 MiB.
const ALL: usize = 32;
/// After this time a root no longer keeps others from being begun.
const LONG: Duration = Duration::from_secs(60);

/// Numbers that an operator may set.
#[derive(Debug, Clone)]
pub struct AuditSettings {
    /// Pause between two rounds.
    pub tick: Duration,
    /// Longest time that a round waits for the roots that it looks at; those that take longer go on beside the next
    /// rounds.
    pub wait: Duration,
    /// Base units that may be bound in demands for withheld chunks; 0 demands nothing.
    pub demand_budget: u128,
    /// Base units that may be bound in cases about answers that were computed differently; 0 opens none.
    pub dispute_budget: u128,
    /// Least pay for which a claim is sent, in base units.
    pub least_claim: u128,
    /// Part of all answers that auditors compute again together, in percent, once a node is known
    /// ([`rate_bps`](super::sample::rate_bps)); 0 for none.
    pub replay_percent: u32,
}

impl Default for AuditSettings {
    fn default() -> Self {
        let tick = Duration::from_millis(1_000);
        AuditSettings {
            tick,
            wait: Duration::from_secs(20),
            demand_budget: 0,
            dispute_budget: 5_000_000,
            least_claim: 2_000,
            replay_percent: 5,
        }
    }
}

/// The loop of a node with the role `audit`.
pub struct Auditor {
    roots: Arc<Roots>,
    under_way: tokio::sync::Mutex<UnderWay>,
}

/// A root that is being looked at.
struct Look {
    node_id: u64,
    round: u64,
    begun: Instant,
}

/// Roots that are looked at; those still under way end with the auditor, and are begun again by the next one.
#[derive(Default)]
struct UnderWay {
    tasks: JoinSet<(Target, Seen)>,
    looks: HashMap<Id, Look>,
    /// Nodes whose turn comes, in this order.
    queue: VecDeque<u64>,
    /// Rounds so far.
    round: u64,
}

impl UnderWay {
    /// A new round: nodes that wait already keep their places, others stand behind them.
    fn enqueue(&mut self, targets: &HashMap<u64, Target>, in_order: &[u64]) {
        self.round += 1;
        self.queue.retain(|id| targets.contains_key(id));
        let known: HashSet<u64> =
            self.queue.iter().copied().chain(self.looks.values().map(|look| look.node_id)).collect();
        self.queue.extend(in_order.iter().filter(|id| !known.contains(id)));
    }

    fn has_room(&self) -> bool {
        let fresh = self.looks.values().filter(|look| look.begun.elapsed() < LONG).count();
        fresh < FRESH && self.looks.len() < ALL
    }

    fn begin(&mut self, roots: &Arc<Roots>, target: Target, height: u64) {
        let (roots, node_id) = (roots.clone(), target.node.node_id);
        let task = self.tasks.spawn(async move {
            let seen = roots.look(&target, height).await;
            (target, seen)
        });
        self.looks.insert(task.id(), Look { node_id, round: self.round, begun: Instant::now() });
    }

    /// Whether something is worth waiting for: a root of this round, or one that has no place yet.
    fn is_awaited(&self) -> bool {
        !self.queue.is_empty() || self.looks.values().any(|look| look.round == self.round)
    }

    /// The next root that is done; none where that takes longer than `wait`.
    async fn done(&mut self, wait: Duration) -> Option<(Target, Seen)> {
        loop {
            match tokio::time::timeout(wait, self.tasks.join_next_with_id()).await {
                Ok(Some(Ok((id, done)))) => {
                    self.looks.remove(&id);
                    return Some(done);
                }
                Ok(Some(Err(error))) => {
                    self.looks.remove(&error.id());
                    tracing::error!(
                        code = "E-AUDIT-008",
                        "the audit of a root ended early: {error}. Report this"
                    );
                }
                Ok(None) | Err(_) => return None,
            }
        }
    }
}

impl Auditor {
    /// Audits in the name of `node`, keeps copies in its store and notes in its journal.
    pub fn new(node: Arc<Node>, referee: Arc<dyn RefereeView>, settings: AuditSettings) -> Self {
        let roots = Arc::new(Roots::new(node, referee, settings));
        Auditor { roots, under_way: tokio::sync::Mutex::default() }
    }

    /// Pause between two rounds.
    pub fn tick(&self) -> Duration {
        self.roots.settings.tick
    }

    /// One round over all nodes. Says how many roots were attested since the last one.
    ///
    /// # Errors
    /// Those of chain and journal. A root that cannot be audited is logged and does not keep the others
    /// from being audited.
    pub async fn round(&self) -> Result<usize> {
        let roots = &self.roots;
        let height = roots.node.fresh_height().await?;
        if let Err(fault) = roots.seeds.round(height).await {
            // Roots are audited all the same; the next round tries again.
            tracing::warn!(code = fault.code, "seeds: {}. {}", fault.what, fault.advice);
        }
        let nodes = roots.referee.nodes().await?;
        let own = roots.node.payee.node_id;
        let own = nodes.iter().find(|n| n.node_id == own).map(|n| n.operator.clone());
        let (mut targets, mut in_order) = (HashMap::new(), Vec::new());
        for node in nodes.into_iter().filter(|n| Some(&n.operator) != own.as_ref()) {
            let pending = roots.referee.pending_of(node.node_id).await?;
            let Some(epoch) = pending.filter(|epoch| epoch.status == RootStatus::Pending) else { continue };
            in_order.push(node.node_id);
            targets.insert(node.node_id, Target { node, epoch });
        }
        let attested = self.look(targets, &in_order, height).await?;
        roots.follow(height).await?;
        Ok(attested)
    }

    async fn look(&self, mut targets: HashMap<u64, Target>, in_order: &[u64], height: u64) -> Result<usize> {
        let mut under_way = self.under_way.lock().await;
        under_way.enqueue(&targets, in_order);
        let begun = Instant::now();
        let mut attested = 0;
        loop {
            while under_way.has_room() {
                let Some(next) = under_way.queue.pop_front() else { break };
                if let Some(target) = targets.remove(&next) {
                    under_way.begin(&self.roots, target, height);
                }
            }
            // What began in an earlier round is taken when it is done, and not waited for.
            let wait = match under_way.is_awaited() {
                true => self.roots.settings.wait.saturating_sub(begun.elapsed()),
                false => Duration::ZERO,
            };
            match under_way.done(wait).await {
                Some((_, Seen::Done(said))) => attested += usize::from(said),
                Some((target, Seen::Withheld(blob, fault))) => {
                    self.roots.say(&target.epoch, height, "E-AUDIT-002", &fault.what);
                    // One after the other: all demands are of one budget.
                    self.roots.demand(&target.epoch, blob, height).await?;
                }
                None => return Ok(attested),
            }
        }
    }
}
