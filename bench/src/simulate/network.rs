//! The network, event by event: sessions, settlements, audits, cheaters, nodes that come and go.
//!
//! The clock counts blocks. Sessions, roots and transactions are followed one by one; the answers of a session are
//! a number that grows evenly over its life, and what audits draw of them is drawn from a binomial distribution.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Binomial, Distribution, Exp, Poisson};

use super::chain::Chain;
use super::costs::{Gas, Work};

/// What is simulated. Windows are those of the contracts.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Seed of everything that is drawn.
    pub seed: u64,
    /// Days that are counted; as much as a root lives runs before, uncounted.
    pub days: f64,
    /// Nodes that serve.
    pub nodes: usize,
    /// Auditors, of equal weight.
    pub auditors: usize,
    /// CPU cores that an auditor spares.
    pub auditor_cores: f64,
    /// Bytes a second that an auditor spares.
    pub auditor_bandwidth: f64,
    /// Answers a day of the whole network.
    pub answers_per_day: f64,
    /// Answers of a session.
    pub answers_per_session: f64,
    /// Blocks over which a session's answers are spread.
    pub session_blocks: f64,
    /// Gas that a block may hold.
    pub block_gas: u64,
    /// Seconds between blocks.
    pub block_seconds: f64,
    /// Answers computed again by all auditors together, in basis points.
    pub rate_bps: u16,
    /// Part of the nodes that cheats.
    pub cheaters: f64,
    /// Part of its answers that a cheater makes with a cheaper model.
    pub cheated: f64,
    /// What a cheated answer saves, as part of its fee.
    pub saved: f64,
    /// Part of the audit weight that attests everything and finds nothing.
    pub coalition: f64,
    /// Part of the nodes that fails on a day.
    pub failing: f64,
    /// Hours for which a node that failed is away, on average.
    pub hours_away: f64,
    /// Windows.
    pub windows: Windows,
}

/// Windows and bounds of the contracts, in blocks.
#[derive(Clone, Debug)]
pub struct Windows {
    /// Least blocks between two roots of a node.
    pub epoch: u64,
    /// Within which auditors attest.
    pub availability: u64,
    /// Within which a root can be challenged.
    pub challenge: u64,
    /// Windows after which a root without attestations is final.
    pub unattested: u64,
    /// Within which a node settles a session that was closed.
    pub grace: u64,
    /// Period of an auditor's seed.
    pub seed: u64,
    /// Sessions of one root.
    pub sessions: usize,
    /// Weight that attests a root and decides a case, in basis points.
    pub quorum_bps: u16,
    /// Roots in a row that an auditor may miss.
    pub missed: u32,
    /// Cut of a convicted node, in basis points of its bond.
    pub cut_bps: u16,
}

/// What is counted.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Blocks counted.
    pub blocks: u64,
    /// Gas of each block.
    pub gas: Vec<u64>,
    /// Transactions.
    pub transactions: u64,
    /// Blocks within which half and 99 of 100 transactions were taken.
    pub waits: [u64; 2],
    /// Transactions that still wait at the end.
    pub waiting: usize,
    /// Answers made.
    pub answers: f64,
    /// Answers that became part of a final root.
    pub settled: f64,
    /// Answers whose session ended before the node could settle them: work that nobody pays.
    pub unpaid: f64,
    /// Blocks from an answer to the finality of its root, one entry a session and root.
    pub delays: Vec<(f64, f64)>,
    /// Roots posted.
    pub roots: u64,
    /// Roots that missed their quorum within the window.
    pub unattested: u64,
    /// Answers of the largest root.
    pub largest_root: f64,
    /// CPU-seconds of answers.
    pub generating: f64,
    /// CPU-seconds of audits.
    pub auditing: f64,
    /// Bytes that one auditor fetched.
    pub fetched: f64,
    /// Cheaters with at least 1,000 answers in their first root.
    pub cheaters: u64,
    /// Of these, convicted at that root.
    pub caught: u64,
    /// Of all cheaters, gain in fees, less what their bond lost, in fees of an answer.
    pub profit: f64,
    /// Honest nodes or auditors punished.
    pub punished: u64,
}

#[derive(Clone, Debug)]
struct Session {
    node: usize,
    start: u64,
    end: u64,
    answers: f64,
    settled: f64,
    since: u64,
    deadline: Option<u64>,
}

impl Session {
    /// Answers given until a block.
    fn given(&self, now: u64) -> f64 {
        let life = (self.end - self.start).max(1) as f64;
        self.answers * ((now.min(self.end).saturating_sub(self.start)) as f64 / life)
    }
}

#[derive(Clone, Debug, Default)]
struct Node {
    sessions: Vec<usize>,
    pending: bool,
    last: Option<u64>,
    finalize: bool,
    away: bool,
    cheats: bool,
    judged: bool,
    convicted: bool,
    bond: f64,
}

#[derive(Clone, Debug)]
struct Root {
    node: usize,
    posted: u64,
    /// Answers, and the block since which they were given.
    parts: Vec<(u64, f64)>,
    answers: f64,
    on_chain: usize,
    quorum_at: Option<u64>,
    void: bool,
}

#[derive(Clone, Copy, Debug)]
struct Auditor {
    free_at: f64,
    honest: bool,
    missed: u32,
    suspended: bool,
}

#[derive(Clone, Debug)]
enum Tx {
    Open(usize),
    Close(usize),
    Refund,
    Post(usize, Vec<usize>),
    Attest(usize),
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrival,
    SessionEnds(usize),
    Deadline(usize),
    TryPost(usize),
    Audited { root: usize, auditor: usize, faulty: bool },
    Missed(usize),
    WindowOver(usize),
    Final(usize),
    Fails(usize),
    Returns(usize),
    Seeds(usize),
}

/// A run.
pub struct Network<'a> {
    setting: &'a Setting,
    gas: &'a Gas,
    work: &'a Work,
    rng: ChaCha8Rng,
    now: u64,
    counting: u64,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    order: u64,
    chain: Chain<Tx>,
    sessions: Vec<Session>,
    nodes: Vec<Node>,
    roots: Vec<Root>,
    auditors: Vec<Auditor>,
    out: Outcome,
}

impl<'a> Network<'a> {
    /// At block 0.
    pub fn new(setting: &'a Setting, gas: &'a Gas, work: &'a Work) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(setting.seed);
        let dishonest = (setting.coalition * setting.auditors as f64).round() as usize;
        let auditors = (0..setting.auditors)
            .map(|i| Auditor { free_at: 0.0, honest: i >= dishonest, missed: 0, suspended: false })
            .collect();
        let nodes = (0..setting.nodes)
            .map(|_| Node { cheats: rng.random_bool(setting.cheaters), ..Node::default() })
            .collect();
        let w = &setting.windows;
        let mut network = Network {
            setting,
            gas,
            work,
            rng,
            now: 0,
            counting: w.challenge * w.unattested + w.epoch + setting.session_blocks as u64,
            events: BinaryHeap::new(),
            order: 0,
            chain: Chain::new(setting.block_gas),
            sessions: Vec::new(),
            nodes,
            roots: Vec::new(),
            auditors,
            out: Outcome::default(),
        };
        network.at(1, Event::Arrival);
        for node in 0..network.nodes.len() {
            // Not all at once: a network that runs has its postings spread.
            let first = network.rng.random_range(1..=w.challenge.max(1));
            network.at(first, Event::TryPost(node));
            network.fail_later(node);
        }
        for auditor in 0..network.auditors.len() {
            let first = network.rng.random_range(1..=w.seed.max(1));
            network.at(first, Event::Seeds(auditor));
        }
        network
    }

    /// Runs it to its end.
    pub fn run(mut self) -> Outcome {
        let per_day = 86_400.0 / self.setting.block_seconds;
        let end = self.counting + (self.setting.days * per_day) as u64;
        for now in 1..=end {
            self.now = now;
            if now == self.counting {
                self.chain.waits.iter_mut().for_each(|wait| *wait = 0);
                (self.chain.taken, self.out.fetched) = (0, 0.0);
                self.chain.used.clear();
            }
            while self.events.peek().is_some_and(|Reverse((at, ..))| *at <= now) {
                let Some(Reverse((_, _, event))) = self.events.pop() else { break };
                self.happen(event);
            }
            for tx in self.chain.block(now) {
                self.take(tx);
            }
        }
        self.out.blocks = end - self.counting;
        self.out.transactions = self.chain.taken;
        self.out.waits = [self.chain.wait(0.5), self.chain.wait(0.99)];
        self.out.waiting = self.chain.waiting();
        self.out.gas = std::mem::take(&mut self.chain.used);
        self.out
    }

    fn counts(&self) -> bool {
        self.now >= self.counting
    }

    fn at(&mut self, when: u64, event: Event) {
        self.order += 1;
        self.events.push(Reverse((when, self.order, event)));
    }

    fn exponential(&mut self, mean: f64) -> u64 {
        let drawn = Exp::new(1.0 / mean.max(1e-9)).map_or(mean, |law| law.sample(&mut self.rng));
        (drawn as u64).max(1)
    }

    fn fail_later(&mut self, node: usize) {
        if self.setting.failing > 0.0 {
            let per_day = 86_400.0 / self.setting.block_seconds;
            let when = self.now + self.exponential(per_day / self.setting.failing);
            self.at(when, Event::Fails(node));
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrival => self.arrivals(),
            Event::SessionEnds(session) => self.chain.send(self.now, self.gas.close / 2, Tx::Close(session)),
            Event::Deadline(session) => self.deadline(session),
            Event::TryPost(node) => self.try_post(node),
            Event::Audited { root, auditor, faulty } => self.audited(root, auditor, faulty),
            Event::Missed(auditor) => self.missed(auditor),
            Event::WindowOver(root) => self.window_over(root),
            Event::Final(root) => self.finish(root),
            Event::Fails(node) => {
                self.nodes[node].away = true;
                let per_hour = 3_600.0 / self.setting.block_seconds;
                let back = self.now + self.exponential(self.setting.hours_away * per_hour);
                self.at(back, Event::Returns(node));
            }
            Event::Returns(node) => {
                self.nodes[node].away = false;
                self.at(self.now, Event::TryPost(node));
                self.fail_later(node);
            }
            Event::Seeds(auditor) => {
                if !self.auditors[auditor].suspended {
                    self.chain.send(self.now, self.gas.seeds, Tx::Other);
                }
                self.at(self.now + self.setting.windows.seed, Event::Seeds(auditor));
            }
        }
    }

    /// Sessions of this block, each with a node that is there.
    fn arrivals(&mut self) {
        let per_day = 86_400.0 / self.setting.block_seconds;
        let mean = self.setting.answers_per_day / self.setting.answers_per_session / per_day;
        let count = Poisson::new(mean).map_or(0.0, |law| law.sample(&mut self.rng)) as usize;
        for _ in 0..count {
            // A client asks another node where one does not answer.
            let tries = (0..8).map(|_| self.rng.random_range(0..self.nodes.len())).collect::<Vec<_>>();
            let free = |node: &&usize| !self.nodes[**node].away && !self.nodes[**node].convicted;
            let Some(node) = tries.iter().find(free).copied() else { continue };
            let life = self.exponential(self.setting.session_blocks);
            let (start, end) = (self.now, self.now + life);
            let answers = self.setting.answers_per_session;
            self.sessions.push(Session {
                node,
                start,
                end,
                answers,
                settled: 0.0,
                since: start,
                deadline: None,
            });
            self.chain.send(self.now, self.gas.open, Tx::Open(self.sessions.len() - 1));
        }
        self.at(self.now + 1, Event::Arrival);
    }

    /// What a block took.
    fn take(&mut self, tx: Tx) {
        match tx {
            Tx::Open(id) => {
                // Its life begins now, however long it waited.
                let session = &mut self.sessions[id];
                let life = session.end - session.start;
                (session.start, session.end) = (self.now, self.now + life);
                session.since = self.now;
                let (node, end) = (session.node, session.end);
                self.nodes[node].sessions.push(id);
                self.at(end, Event::SessionEnds(id));
            }
            Tx::Close(id) => {
                let until = self.now + self.setting.windows.grace;
                self.sessions[id].deadline = Some(until);
                self.at(until, Event::Deadline(id));
                self.try_post(self.sessions[id].node);
            }
            Tx::Post(node, sessions) => self.posted(node, sessions),
            Tx::Attest(root) => self.attested(root),
            Tx::Refund | Tx::Other => {}
        }
    }

    /// The refund is pulled; what was not settled is lost to the node.
    fn deadline(&mut self, id: usize) {
        self.chain.send(self.now, self.gas.close / 2, Tx::Refund);
        let session = &self.sessions[id];
        let (node, rest) = (session.node, session.answers - session.settled);
        if self.counts() {
            self.out.answers += session.answers;
            self.out.generating += session.answers * self.work.generate;
            self.out.unpaid += rest;
        }
        self.nodes[node].sessions.retain(|open| *open != id);
    }

    /// Posts a root where the node may and has something to settle: the sessions that end first, then those
    /// with the most answers.
    fn try_post(&mut self, node: usize) {
        let w = &self.setting.windows;
        let state = &self.nodes[node];
        if state.pending || state.away || state.convicted {
            return;
        }
        if let Some(next) = state.last.map(|last| last + w.epoch).filter(|next| *next > self.now) {
            self.at(next, Event::TryPost(node));
            return;
        }
        let mut due: Vec<(u64, u64, usize)> = Vec::new();
        for id in &state.sessions {
            let session = &self.sessions[*id];
            let unsettled = session.given(self.now) - session.settled;
            if unsettled >= 1.0 {
                due.push((session.deadline.unwrap_or(u64::MAX), u64::MAX - unsettled as u64, *id));
            }
        }
        if due.is_empty() {
            self.at(self.now + w.epoch, Event::TryPost(node));
            return;
        }
        due.sort_unstable();
        due.truncate(w.sessions);
        let sessions: Vec<usize> = due.into_iter().map(|(_, _, id)| id).collect();
        let further = self.gas.settle_next * (sessions.len() as u64 - 1);
        let finalize = if self.nodes[node].finalize { self.gas.finalize } else { 0 };
        let state = &mut self.nodes[node];
        (state.pending, state.finalize) = (true, false);
        self.chain.send(self.now, self.gas.settle + further + finalize, Tx::Post(node, sessions));
    }

    fn posted(&mut self, node: usize, sessions: Vec<usize>) {
        let mut parts = Vec::with_capacity(sessions.len());
        for id in sessions {
            let session = &mut self.sessions[id];
            // A session whose grace went by while the message waited is left out.
            if session.deadline.is_some_and(|until| until <= self.now) {
                continue;
            }
            let given = session.given(self.now);
            parts.push((session.since, given - session.settled));
            (session.settled, session.since) = (given, self.now.min(session.end));
        }
        let answers: f64 = parts.iter().map(|(_, answers)| answers).sum();
        self.nodes[node].last = Some(self.now);
        let id = self.roots.len();
        let root = Root { node, posted: self.now, parts, answers, on_chain: 0, quorum_at: None, void: false };
        if self.counts() {
            self.out.roots += 1;
            self.out.largest_root = self.out.largest_root.max(answers);
        }
        // The bond covers twice what is unfinished (F5).
        let state = &mut self.nodes[node];
        state.bond = state.bond.max(2.0 * answers);
        self.roots.push(root);
        self.audit(id);
        self.at(self.now + self.setting.windows.availability, Event::WindowOver(id));
    }

    /// Every auditor fetches the root, checks every receipt and computes its part again.
    fn audit(&mut self, id: usize) {
        let (node, answers) = (self.roots[id].node, self.roots[id].answers);
        let receipts = answers.round() as u64;
        let cheated = match self.nodes[node].cheats && self.counts() {
            true => Binomial::new(receipts, self.setting.cheated).map_or(0, |law| law.sample(&mut self.rng)),
            false => 0,
        };
        let weighing = self.auditors.iter().filter(|a| !a.suspended).count().max(1);
        let part = f64::from(self.setting.rate_bps) / 10_000.0 / weighing as f64;
        let seconds = self.setting.block_seconds;
        for index in 0..self.auditors.len() {
            let Auditor { free_at, honest, suspended, .. } = self.auditors[index];
            if suspended {
                continue;
            }
            if !honest {
                self.at(self.now + 1, Event::Audited { root: id, auditor: index, faulty: false });
                continue;
            }
            let due = Binomial::new(receipts, part).map_or(0, |law| law.sample(&mut self.rng));
            let bad = Binomial::new(cheated, part).map_or(0, |law| law.sample(&mut self.rng)).min(due);
            let replay = due as f64 * self.work.generate * self.work.replay_share;
            let cpu = receipts as f64 * self.work.check + replay;
            let bytes = receipts as f64 * self.work.receipt_bytes;
            let busy = (cpu / self.setting.auditor_cores).max(bytes / self.setting.auditor_bandwidth);
            let start = free_at.max(self.now as f64 * seconds);
            self.auditors[index].free_at = start + busy;
            if self.counts() {
                self.out.auditing += cpu;
                self.out.fetched += bytes / self.auditors.len() as f64;
            }
            let when = ((start + busy) / seconds).ceil() as u64;
            let last = self.now + self.setting.windows.availability;
            if when > last {
                self.at(last, Event::Missed(index));
            }
            self.at(when.max(self.now + 1), Event::Audited { root: id, auditor: index, faulty: bad > 0 });
        }
    }

    fn audited(&mut self, id: usize, auditor: usize, faulty: bool) {
        let root = &mut self.roots[id];
        if faulty {
            // Whoever honest found it says so; all honest auditors look, and the case is decided by weight.
            let honest = self.auditors.iter().filter(|a| a.honest && !a.suspended).count();
            let weighing = self.auditors.iter().filter(|a| !a.suspended).count();
            let decides = honest * 10_000 >= weighing * usize::from(self.setting.windows.quorum_bps);
            if decides {
                root.void = true;
            }
            return;
        }
        let late = self.now > root.posted + self.setting.windows.availability;
        let state = &mut self.auditors[auditor];
        if state.suspended {
            return;
        }
        if !late {
            state.missed = 0;
        }
        self.chain.send(self.now, self.gas.attest, Tx::Attest(id));
    }

    /// Whoever misses too many roots in a row loses its weight (L6).
    fn missed(&mut self, auditor: usize) {
        let state = &mut self.auditors[auditor];
        state.missed += 1;
        if state.missed >= self.setting.windows.missed && !state.suspended {
            state.suspended = true;
            self.out.punished += 1;
        }
    }

    fn attested(&mut self, id: usize) {
        let weighing = self.auditors.iter().filter(|a| !a.suspended).count();
        let root = &mut self.roots[id];
        root.on_chain += 1;
        let quorum = root.on_chain * 10_000 >= weighing * usize::from(self.setting.windows.quorum_bps);
        if quorum && root.quorum_at.is_none() {
            root.quorum_at = Some(self.now);
        }
    }

    /// The availability window is over.
    fn window_over(&mut self, id: usize) {
        let w = &self.setting.windows;
        let root = &self.roots[id];
        let (void, quorum) = (root.void, root.quorum_at.is_some());
        if self.counts() && !quorum && !void {
            self.out.unattested += 1;
        }
        let windows = if quorum { 1 } else { w.unattested };
        // A void root ends at once: the node may post another one, were it not convicted.
        let over = if void { self.now } else { self.roots[id].posted + w.challenge * windows };
        self.at(over, Event::Final(id));
    }

    fn finish(&mut self, id: usize) {
        let root = &self.roots[id];
        let (node, void, posted, answers) = (root.node, root.void, root.posted, root.answers);
        let cut = f64::from(self.setting.windows.cut_bps) / 10_000.0;
        let state = &mut self.nodes[node];
        state.pending = false;
        if state.cheats && !state.judged && answers >= 1_000.0 && posted >= self.counting {
            state.judged = true;
            self.out.cheaters += 1;
            self.out.caught += u64::from(void);
        }
        if void {
            // A wrong root pays nothing of what was cheated, and costs the bond.
            state.convicted = true;
            self.out.punished += u64::from(!state.cheats);
            if posted >= self.counting {
                self.out.profit -= cut * state.bond;
            }
            return;
        }
        state.finalize = true;
        if state.cheats && posted >= self.counting {
            self.out.profit += answers * self.setting.cheated * self.setting.saved;
        }
        if posted >= self.counting {
            self.out.settled += answers;
            let now = self.now as f64;
            for (since, answers) in &self.roots[id].parts {
                // On average they were given in the middle between one posting and the next.
                self.out.delays.push((now - (*since + posted) as f64 / 2.0, *answers));
            }
        }
        self.at(self.now, Event::TryPost(node));
    }
}
