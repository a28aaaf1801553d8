//! The network, event by event: sessions, settlements, audits, cheaters, nodes that come and go.
//!
//! The clock counts blocks. Sessions, roots and transactions are followed one by one; the answers of a session are
//! a number that grows evenly over its life, and what audits draw of them is drawn from a binomial distribution.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use cosmwasm_std::Uint128;
use openledger_node::audit::rate_bps;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Binomial, Distribution, Exp, Poisson};

use super::chain::Chain;
use super::costs::{Gas, Work};
use super::parts::{Auditor, Event, Node, Root, Session, Tx};
use super::setting::{Outcome, Planned, Setting, Standing};

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
    standings: Vec<Standing>,
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
            counting: match setting.watched {
                Some(_) => 0,
                None => w.challenge * w.unattested + w.epoch + setting.session_blocks as u64,
            },
            events: BinaryHeap::new(),
            order: 0,
            chain: Chain::new(setting.block_gas),
            sessions: Vec::new(),
            nodes,
            roots: Vec::new(),
            auditors,
            standings: setting.watched.as_ref().map_or(Vec::new(), |watched| watched.nodes.clone()),
            out: Outcome::default(),
        };
        if let Some(watched) = &setting.watched {
            for (index, planned) in watched.sessions.iter().enumerate() {
                network.at(planned.open, Event::Planned(index));
            }
            for auditor in 0..network.auditors.len() {
                network.at(watched.seeds_from, Event::Seeds(auditor));
            }
            return network;
        }
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
        let end = match &self.setting.watched {
            Some(watched) => watched.blocks,
            None => self.counting + (self.setting.days * per_day) as u64,
        };
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
            for (gas, tx) in self.chain.block(now) {
                if self.counts() {
                    let (count, sum) = self.out.kinds.entry(tx.kind()).or_default();
                    (*count, *sum) = (*count + 1, *sum + gas);
                }
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
            Event::Planned(index) => {
                let planned = self.setting.watched.as_ref().and_then(|watched| watched.sessions.get(index));
                if let Some(Planned { node, open, close, answers }) = planned.copied() {
                    self.open(node, close.saturating_sub(open).max(1), answers as f64);
                }
            }
            Event::SessionEnds(session) => self.session_ends(session),
            Event::GivesUp(session) => self.close(session),
            Event::Deadline(session) => self.deadline(session),
            Event::TryPost(node) => self.try_post(node),
            Event::Audited { root, auditor, faulty } => self.audited(root, auditor, faulty),
            Event::Missed(auditor) => self.missed(auditor),
            Event::WindowOver(root) => self.window_over(root),
            Event::Final(root) => self.due(root),
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
                    self.chain.send(self.now, self.gas.seed, Tx::CommitSeed);
                    self.chain.send(self.now, self.gas.seed, Tx::RevealSeed);
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
            self.open(node, life, self.setting.answers_per_session);
        }
        self.at(self.now + 1, Event::Arrival);
    }

    fn open(&mut self, node: usize, life: u64, answers: f64) {
        let (start, end) = (self.now, self.now + life);
        let (asked, closing, deadline) = (false, false, None);
        let session =
            Session { node, start, end, answers, settled: 0.0, since: start, asked, closing, deadline };
        self.sessions.push(session);
        self.chain.send(self.now, self.gas.open, Tx::Open(self.sessions.len() - 1));
    }

    /// A client that has patience asks the node to settle first.
    fn session_ends(&mut self, id: usize) {
        if self.setting.patience == 0 {
            return self.close(id);
        }
        self.sessions[id].asked = true;
        self.at(self.now + self.setting.patience, Event::GivesUp(id));
        self.try_post(self.sessions[id].node);
    }

    fn close(&mut self, id: usize) {
        if !std::mem::replace(&mut self.sessions[id].closing, true) {
            self.chain.send(self.now, self.gas.close / 2, Tx::Close(id));
        }
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
            Tx::Finalize(root) => self.finish(root),
            Tx::Attest(root) => self.attested(root),
            Tx::Refund => self.chain.send(self.now, self.gas.withdraw, Tx::Withdraw),
            Tx::Withdraw | Tx::Claim | Tx::CommitSeed | Tx::RevealSeed => {}
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

    /// Posts a root where the node may and has something to settle: sessions that end, then those whose client asks,
    /// then those that were not settled for long; the older first, as `serve/settle.rs` of the node does.
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
        let mut due: Vec<(u8, usize)> = Vec::new();
        for id in &state.sessions {
            let session = &self.sessions[*id];
            let unsettled = session.given(self.now) - session.settled;
            let urgency = match session {
                Session { deadline: Some(_), .. } => 0,
                Session { asked: true, .. } => 1,
                Session { since, .. } if self.now >= since + w.settle_after => 2,
                _ => continue,
            };
            if unsettled >= 1.0 {
                due.push((urgency, *id));
            }
        }
        if due.is_empty() {
            self.at(self.now + w.epoch, Event::TryPost(node));
            return;
        }
        due.sort_unstable();
        due.truncate(w.sessions);
        let sessions: Vec<usize> = due.into_iter().map(|(_, id)| id).collect();
        let further = self.gas.settle_next * (sessions.len() as u64 - 1);
        self.nodes[node].pending = true;
        self.chain.send(self.now, self.gas.settle + further, Tx::Post(node, sessions));
    }

    fn posted(&mut self, node: usize, sessions: Vec<usize>) {
        let mut parts = Vec::with_capacity(sessions.len());
        let mut settled = Vec::new();
        for id in sessions {
            let counts = self.counts();
            let session = &mut self.sessions[id];
            // A session whose grace went by while the message waited is left out.
            if session.deadline.is_some_and(|until| until <= self.now) {
                continue;
            }
            let given = session.given(self.now);
            parts.push((session.since, given - session.settled));
            (session.settled, session.since) = (given, self.now.min(session.end));
            if session.asked && counts {
                // It could be settled by the very block in which it ends.
                self.out.settling.push(self.now + 1 - session.end);
                settled.push(id);
            }
        }
        settled.into_iter().for_each(|id| self.close(id));
        if let Some(standing) = self.standings.get_mut(node) {
            standing.epoch += 1;
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
        let rate = self.rate(node, answers);
        let (least, most) = self.out.rates.unwrap_or((rate, rate));
        self.out.rates = Some((least.min(rate), most.max(rate)));
        // At the full rate each auditor computes all (`audit/sample.rs` of the node).
        let part = if rate >= 10_000 { 1.0 } else { f64::from(rate) / 10_000.0 / weighing as f64 };
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
                self.out.replays += due;
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

    /// Part of a root's answers that is computed again, in basis points: of a watched node as its standing says.
    fn rate(&self, node: usize, answers: f64) -> u16 {
        let Some(Standing { epoch, paid, bond }) = self.standings.get(node).copied() else {
            return self.setting.rate_bps;
        };
        let fees = Uint128::new((answers * self.setting.fee) as u128);
        rate_bps(self.setting.rate_bps, epoch, Uint128::new(paid), fees, Uint128::new(bond))
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
        // A void root ends at once: the node may post another one, were it not convicted.
        let over = if void { self.now } else { self.roots[id].posted + w.challenge };
        self.at(over.max(self.now), Event::Final(id));
    }

    /// Its windows are over: the node makes it final once it is attested. Without a quorum it is looked at again when
    /// auditors that were silent may have lost their weight, and without any weight it is final after all windows (L6).
    fn due(&mut self, id: usize) {
        let w = &self.setting.windows;
        let weighing = self.auditors.iter().filter(|a| !a.suspended).count();
        let root = &self.roots[id];
        if root.void {
            return self.finish(id);
        }
        let quorum = root.on_chain * 10_000 >= weighing * usize::from(w.quorum_bps);
        if !quorum && self.now < root.posted + w.challenge * w.unattested {
            self.at(self.now + w.availability.max(1), Event::Final(id));
            return;
        }
        self.chain.send(self.now, self.gas.finalize, Tx::Finalize(id));
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
        self.claim(id);
        let state = &self.nodes[node];
        if let Some(standing) = self.standings.get_mut(node) {
            standing.paid += (answers * self.setting.fee * self.setting.parts[0]) as u128;
        }
        if state.cheats && posted >= self.counting {
            self.out.profit += answers * self.setting.cheated * self.setting.saved;
        }
        if posted >= self.counting {
            self.out.settled += answers;
            self.out.finality.push(self.now - posted);
            let now = self.now as f64;
            for (since, answers) in &self.roots[id].parts {
                // On average they were given in the middle between one posting and the next.
                self.out.delays.push((now - (*since + posted) as f64 / 2.0, *answers));
            }
        }
        self.at(self.now, Event::TryPost(node));
    }

    /// Whoever attested a root claims its pay where that is worth a message.
    fn claim(&mut self, id: usize) {
        let Root { answers, on_chain, .. } = self.roots[id];
        let pay = answers * self.setting.fee * self.setting.parts[1] / (on_chain.max(1)) as f64;
        if let Some(gas) = self.gas.claim.filter(|_| pay >= self.setting.least_claim) {
            (0..on_chain).for_each(|_| self.chain.send(self.now, gas, Tx::Claim));
        }
    }
}
