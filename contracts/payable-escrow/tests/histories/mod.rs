//! A2: conservation over random histories of many actors, honest and not.

use std::cell::RefCell;
use std::collections::BTreeMap;

use cosmwasm_std::{coin, Uint128};
use openledger_payable_escrow::ContractError;
use openledger_types::msg::common::Amount;
use openledger_types::msg::escrow::ExecuteMsg;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::common::suite::{FINAL, GRACE, K, MIN_FEE, NODES, USERS};
use crate::common::{Answer, Client, Suite, ATOM, OPEN};

/// Histories.
const CASES: u32 = 20;
/// Steps of each.
const STEPS: usize = 100;

/// The actors and what they know.
struct World {
    suite: Suite,
    clients: Vec<Client>,
    coins: Vec<u128>,
    /// How often what succeeded.
    done: BTreeMap<&'static str, u32>,
}

impl World {
    fn new() -> Self {
        let suite = Suite::new();
        let mut world = World { suite, clients: Vec::new(), coins: Vec::new(), done: BTreeMap::new() };
        world.coins = world.all_coins();
        world
    }

    /// Coins of everyone and of the escrow, by denom: no message makes or burns any.
    fn all_coins(&self) -> Vec<u128> {
        let mut holders = self.suite.everyone();
        holders.push(self.suite.escrow.clone());
        [OPEN, ATOM].iter().map(|d| holders.iter().map(|h| self.suite.wallet(h, d)).sum()).collect()
    }

    /// Counts a success.
    fn count(&mut self, what: &'static str, success: bool) -> bool {
        *self.done.entry(what).or_default() += u32::from(success);
        success
    }

    fn check(&mut self) {
        // Nodes see on chain that their root became final, whoever did it.
        for id in 1..=NODES {
            if self.suite.pending(id).is_none() {
                self.suite.nodes.get_mut(&id).unwrap().finalized();
            }
        }
        self.suite.assert_conserved();
        assert_eq!(self.all_coins(), self.coins);
    }

    fn step(&mut self, kind: u8, a: u32, b: u32) {
        match kind {
            0 | 1 => self.open(a, b),
            2..=4 => self.ask(a, b, false),
            5..=7 => self.ask(a, b, true),
            8 | 9 => {
                // A node that serves somebody.
                if let Some(session) = self.pick(a) {
                    let node = session.nodes[b as usize % session.nodes.len()].node_id as u32 - 1;
                    self.post(node, u32::from(session.denom == ATOM) + 2 * (b % 5), false);
                }
            }
            10 => {
                if b % 2 == 0 {
                    self.suite.advance(FINAL);
                }
                (0..NODES as u32).for_each(|node| self.finalize(node));
            }
            11 | 12 => self.claim(a, b),
            13 => self.withdraw(a),
            14 => self.close(a),
            15 => self.refund(a),
            16 => self.top_up(a, b),
            17 => self.spend(a, b),
            18 | 19 => self.cheat(a, b),
            _ => self.suite.advance(u64::from(a % 20) + 1),
        }
    }

    fn open(&mut self, a: u32, b: u32) {
        if self.clients.len() >= 12 {
            return;
        }
        let user = self.suite.user(u64::from(a) % USERS);
        let first = u64::from(b) % NODES + 1;
        let mut caps = vec![(first, 10_000 + u128::from(a % 20_000))];
        if first < NODES && b % 3 == 0 {
            caps.push((first + 1, u128::from(b % 9_000) + 1));
        }
        let client = self.suite.open(&user, u64::from(a % 2) + 1, &caps);
        self.clients.push(client);
        self.count("open", true);
        self.suite.advance(1);
    }

    /// A client asks one of its nodes; an honest node declines what could not be settled.
    fn ask(&mut self, a: u32, b: u32, acknowledge: bool) {
        if self.clients.is_empty() {
            return;
        }
        let index = a as usize % self.clients.len();
        let session_id = self.clients[index].session_id;
        let terms = self.suite.session(session_id);
        let node = &terms.nodes[b as usize % terms.nodes.len()];
        let node_id = node.node_id;
        if acknowledge {
            self.acknowledge(index, node_id);
        }
        let log = self.suite.nodes[&node_id].sessions.get(&session_id).map_or(0, |s| s.log.len());
        let client = &mut self.clients[index];
        let known = client.lanes.get(&node_id).map_or(0, |lane| lane.log.size());
        let first = u64::from(b % 9) + 1;
        let answer = Answer {
            tokens_in: a % 90,
            tokens_out: b % 120,
            shares: vec![
                (first, 1 + (a % 5_000) as u16),
                (first + 1 + u64::from(a % 4), 1 + (b % 4_999) as u16),
            ],
        };
        let fee = (u128::from(answer.tokens_in) * 3 + u128::from(answer.tokens_out) * 7).max(MIN_FEE);
        let owed: u128 = self.suite.nodes[&node_id]
            .sessions
            .get(&session_id)
            .map_or(0, |s| s.log.iter().map(|(_, r)| r.receipt.fee.u128()).sum());
        if terms.closed || log as u64 - known >= u64::from(K) || owed + fee > node.cap.u128() {
            return;
        }
        self.suite.ask(client, node_id, &answer);
        self.count("ask", true);
        if acknowledge {
            self.acknowledge(index, node_id);
        }
    }

    /// The client checks what it was sent and acknowledges it.
    fn acknowledge(&mut self, index: usize, node_id: u64) {
        let client = &mut self.clients[index];
        let Some(served) = self.suite.nodes[&node_id].sessions.get(&client.session_id) else { return };
        let known = client.lanes.get(&node_id).map_or(0, |lane| lane.log.size()) as usize;
        for (_, receipt) in &served.log[known..] {
            client.receive(node_id, receipt);
        }
        let voucher = client.acknowledge(node_id);
        self.suite.nodes.get_mut(&node_id).unwrap().hear(voucher);
    }

    /// An honest node posts whenever it can; the escrow must take it.
    fn post(&mut self, a: u32, b: u32, all: bool) {
        let node_id = u64::from(a) % NODES + 1;
        let denom = if b % 2 == 0 { OPEN } else { ATOM };
        let height = self.suite.height();
        let open: Vec<u64> = self
            .suite
            .sessions()
            .into_iter()
            .filter(|s| !s.closed && s.close_requested_at.is_none_or(|at| height < at + GRACE))
            .filter(|s| all || b % 5 != 0 || s.session_id % 2 == 0)
            .map(|s| s.session_id)
            .collect();
        if open.is_empty() {
            return;
        }
        let before = self.suite.nodes[&node_id].clone();
        let waiting = self.suite.pending(node_id).map(|e| e.final_at);
        if waiting.is_some_and(|at| at <= height) {
            self.suite.nodes.get_mut(&node_id).unwrap().finalized();
        }
        let Some(draft) = self.suite.draft(node_id, denom, &open) else {
            self.suite.nodes.insert(node_id, before);
            return;
        };
        match waiting {
            Some(final_at) if final_at > height => {
                let result = self.suite.call(&before.operator, &draft.msg());
                assert!(result.unwrap_err().to_string().contains("not final before height"));
            }
            _ => {
                self.suite.post_draft(&draft).unwrap();
                self.count("post", true);
            }
        }
    }

    fn finalize(&mut self, a: u32) {
        let node_id = u64::from(a) % NODES + 1;
        let due = self.suite.pending(node_id).is_some_and(|e| e.final_at <= self.suite.height());
        let done = self.suite.finalize(node_id).is_ok();
        assert_eq!(self.count("finalize", done), due);
    }

    /// Claims of all leaves, or of one, of a final ledger.
    fn claim(&mut self, a: u32, b: u32) {
        let books: Vec<(u64, String)> = self
            .suite
            .nodes
            .values()
            .flat_map(|node| node.books.keys().map(|denom| (node.id, denom.clone())))
            .collect();
        let Some(index) = (a as usize).checked_rem(books.len()) else { return };
        let (node_id, denom) = &books[index];
        let mut claims = self.suite.claims(*node_id, denom);
        if b % 3 == 0 {
            claims = vec![claims.swap_remove(b as usize % claims.len())];
        }
        match self.suite.claim(claims) {
            Ok(_) => {
                self.count("claim", true);
            }
            Err(error) => {
                let nothing = ContractError::NothingToClaim {}.to_string();
                assert!(error.to_string().contains(&nothing), "{error}");
            }
        }
    }

    fn withdraw(&mut self, a: u32) {
        let all = self.suite.everyone();
        let who = all[a as usize % all.len()].clone();
        let has = self.suite.balance(&who, OPEN) + self.suite.balance(&who, ATOM) > 0;
        let msg = ExecuteMsg::Withdraw { denoms: vec![OPEN.into(), ATOM.into()] };
        let done = self.suite.call(&who, &msg).is_ok();
        assert_eq!(self.count("withdraw", done), has);
    }

    fn close(&mut self, a: u32) {
        let Some(session) = self.pick(a) else { return };
        let owner = cosmwasm_std::Addr::unchecked(&session.owner);
        let msg = ExecuteMsg::RequestClose { session_id: session.session_id };
        let done = self.suite.call(&owner, &msg).is_ok();
        assert_eq!(self.count("close", done), session.close_requested_at.is_none());
    }

    fn refund(&mut self, a: u32) {
        let Some(session) = self.pick(a) else { return };
        let due =
            !session.closed && session.close_requested_at.is_some_and(|at| self.suite.height() >= at + GRACE);
        let anyone = self.suite.stranger.clone();
        let msg = ExecuteMsg::Refund { session_id: session.session_id };
        let done = self.suite.call(&anyone, &msg).is_ok();
        assert_eq!(self.count("refund", done), due);
    }

    fn top_up(&mut self, a: u32, b: u32) {
        let Some(session) = self.pick(a) else { return };
        let user = self.suite.user(u64::from(b) % USERS);
        let node_id = session.nodes[b as usize % session.nodes.len()].node_id;
        let msg = ExecuteMsg::TopUp { session_id: session.session_id, node_id };
        let funds = [coin(u128::from(b % 5_000) + 1, &session.denom)];
        let open = session.close_requested_at.is_none() && self.suite.height() <= session.expires;
        let done = self.suite.send(&user, &msg, &funds).is_ok();
        assert_eq!(self.count("top up", done), open);
    }

    fn spend(&mut self, a: u32, b: u32) {
        let owner = self.suite.owner.clone();
        let held = self.suite.term(OPEN, "treasury");
        let amount = u128::from(a % 3_000);
        let msg = ExecuteMsg::SpendTreasury {
            to: self.suite.user(u64::from(b) % USERS).to_string(),
            amount: Amount { denom: OPEN.into(), amount: Uint128::new(amount) },
        };
        let done = self.suite.call(&owner, &msg).is_ok();
        assert_eq!(self.count("spend", done), amount > 0 && amount <= held);
    }

    /// What must fail at any moment.
    fn cheat(&mut self, a: u32, b: u32) {
        let node_id = u64::from(a) % NODES + 1;
        let stranger = self.suite.stranger.clone();
        let hot = self.suite.nodes[&node_id].hot.clone();
        if let Some(book) = self.suite.nodes[&node_id].books.get(OPEN) {
            let index = b as usize % book.entries.len();
            let mut inflated = book.claim(node_id, OPEN, index);
            inflated.leaf.cumulative += Uint128::new(u128::from(b) + 1);
            assert!(self.suite.claim(vec![inflated.clone()]).is_err());
            inflated.denom = ATOM.into();
            assert!(self.suite.claim(vec![inflated]).is_err());
        }
        if let Some(draft) = self.suite.draft(node_id, OPEN, &[]) {
            assert!(self.suite.call(&stranger, &draft.msg()).is_err(), "a stranger posts");
            let mut greedy = draft.clone();
            greedy.commit.ledger.sum += Uint128::one();
            assert!(self.suite.call(&hot, &greedy.msg()).is_err(), "more than the data's part");
            let mut dearer = draft.clone();
            let voucher = &mut dearer.settlements[0].voucher.voucher;
            voucher.acknowledged.sum += Uint128::one();
            assert!(self.suite.call(&hot, &dearer.msg()).is_err(), "a changed voucher");
            let mut replay = draft;
            replay.commit.epoch = self.suite.ledger(node_id, OPEN).epoch;
            assert!(self.suite.call(&hot, &replay.msg()).is_err(), "an epoch twice");
        }
        let spend = ExecuteMsg::SpendTreasury {
            to: stranger.to_string(),
            amount: Amount { denom: OPEN.into(), amount: Uint128::one() },
        };
        assert!(self.suite.call(&stranger, &spend).is_err());
        let user = self.suite.user(0);
        assert!(self.suite.open_with(&user, 1, &[(node_id, 1)], u128::from(b % 9_999)).is_err());
    }

    fn pick(&self, a: u32) -> Option<openledger_types::msg::escrow::SessionResponse> {
        let index = (a as usize).checked_rem(self.clients.len())?;
        Some(self.suite.session(self.clients[index].session_id))
    }

    /// Everyone leaves: what stays is the commons and the treasury, to the unit.
    fn leave(&mut self) {
        for round in 0..4 {
            for node in 0..NODES as u32 {
                self.post(node, round, true);
                self.check();
            }
            self.suite.advance(FINAL);
            for node_id in 1..=NODES {
                drop(self.suite.finalize(node_id));
            }
            self.check();
        }
        for client in 0..self.clients.len() as u32 {
            let session = self.pick(client).unwrap();
            if session.close_requested_at.is_none() {
                self.close(client);
            }
        }
        self.suite.advance(GRACE);
        for client in 0..self.clients.len() as u32 {
            self.refund(client);
        }
        for node_id in 1..=NODES {
            for denom in [OPEN, ATOM] {
                if self.suite.nodes[&node_id].books.contains_key(denom) {
                    let claims = self.suite.claims(node_id, denom);
                    drop(self.suite.claim(claims));
                }
            }
        }
        for who in 0..self.suite.everyone().len() as u32 {
            self.withdraw(who);
        }
        self.check();
        for denom in [OPEN, ATOM] {
            for term in ["escrowed", "pending", "accrued", "ledgers"] {
                assert_eq!(self.suite.term(denom, term), 0, "{term} of {denom}");
            }
            let kept: u128 =
                ["commons", "treasury", "audits"].iter().map(|name| self.suite.term(denom, name)).sum();
            assert_eq!(self.suite.wallet(&self.suite.escrow, denom), kept);
        }
    }
}

#[test]
fn rule_a2_conservation_holds_after_every_message() {
    let config = ProptestConfig {
        cases: CASES,
        failure_persistence: None,
        max_shrink_iters: 64,
        ..ProptestConfig::default()
    };
    let done = RefCell::new(BTreeMap::new());
    let steps = proptest::collection::vec((0u8..24, any::<u32>(), any::<u32>()), STEPS);
    let outcome = TestRunner::new(config).run(&steps, |steps| {
        let mut world = World::new();
        for (kind, a, b) in steps {
            world.step(kind, a, b);
            world.check();
        }
        world.leave();
        for (what, times) in world.done {
            *done.borrow_mut().entry(what).or_insert(0) += times;
        }
        Ok(())
    });
    outcome.unwrap();
    // A history in which nothing happens conserves everything.
    let done = done.into_inner();
    for what in ["open", "ask", "post", "finalize", "claim", "withdraw", "close", "refund", "top up", "spend"]
    {
        assert!(done.get(what).copied().unwrap_or(0) >= CASES, "{what}: {done:?}");
    }
}
