//! Random histories with every kind of failure: after each step the equations hold, a count of our own
//! agrees with the contract's, and in the end everyone has exactly what was theirs (PROTOCOL A2).

use std::collections::BTreeMap;

use cosmwasm_std::{coin, Addr, Uint256};
use openledger_testing::{Ack, Callback, Key, Packet, World, CHANNEL};
use openledger_types::msg::common::InvariantsResponse;
use openledger_types::msg::gateway::{
    BountiesResponse, ExecuteMsg, PayInOrder, PayInOutcome, PayoutResponse, PayoutState, QueryMsg, RefundTo,
    Resolution, Route,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::common::{Fixture, OPEN};

/// Steps of a history.
const STEPS: usize = 40;

#[derive(Clone, Debug)]
enum Step {
    Earn { who: usize, amount: u128 },
    Prefer { who: usize },
    Clear { who: usize },
    Flush,
    FlushPayers,
    Ack { packet: usize, word: usize, lost: bool },
    TimeOut { packet: usize, lost: bool },
    Again { packet: usize },
    Channel { closed: bool },
    Withdraw { who: usize },
    ClaimBounties { relayer: usize },
    PayIn { order: usize, home: usize, amount: u128 },
    EndSession { session: usize },
    Mark,
    Resolve,
    Gift { amount: u128 },
    BookGift { who: usize },
    Pause { paused: bool },
    Route { enabled: bool },
    Wait { blocks: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let (who, packet) = (0..3usize, 0..8usize);
    let flag = any::<bool>();
    let lost = prop::bool::weighted(0.25);
    prop_oneof![
        4 => (who.clone(), 100_000..900_000u128).prop_map(|(who, amount)| Step::Earn { who, amount }),
        3 => who.clone().prop_map(|who| Step::Prefer { who }),
        1 => who.clone().prop_map(|who| Step::Clear { who }),
        6 => Just(Step::Flush),
        3 => Just(Step::FlushPayers),
        6 => (packet.clone(), 0..6usize, lost)
            .prop_map(|(packet, word, lost)| Step::Ack { packet, word, lost }),
        3 => (packet.clone(), lost).prop_map(|(packet, lost)| Step::TimeOut { packet, lost }),
        2 => packet.prop_map(|packet| Step::Again { packet }),
        2 => prop::bool::weighted(0.3).prop_map(|closed| Step::Channel { closed }),
        2 => who.clone().prop_map(|who| Step::Withdraw { who }),
        2 => (0..2usize).prop_map(|relayer| Step::ClaimBounties { relayer }),
        4 => (0..6usize, 0..2usize, 110_000..500_000u128)
            .prop_map(|(order, home, amount)| Step::PayIn { order, home, amount }),
        2 => (0..8usize).prop_map(|session| Step::EndSession { session }),
        2 => Just(Step::Mark),
        2 => Just(Step::Resolve),
        1 => (1..9_999u128).prop_map(|amount| Step::Gift { amount }),
        1 => who.prop_map(|who| Step::BookGift { who }),
        1 => flag.prop_map(|paused| Step::Pause { paused }),
        1 => flag.prop_map(|enabled| Step::Route { enabled }),
        4 => (1..40u64).prop_map(|blocks| Step::Wait { blocks }),
    ]
}

/// What really happened to a packet whose callback was lost: nobody on chain knows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Truth {
    Arrived,
    CameBack,
}

struct History {
    f: Fixture,
    people: Vec<Addr>,
    relayers: Vec<Addr>,
    homes: Vec<String>,
    /// Packets on the way, and those that ended, for duplicates.
    open: Vec<Packet>,
    ended: Vec<Packet>,
    /// Payout number to what became of its packet in truth.
    truth: BTreeMap<u64, Truth>,
    sessions: Vec<(u64, Key)>,
    /// Coins in the gateway that are nobody's.
    loose: u128,
    gifts: u128,
    /// Per address of the other chain, what arrived there.
    arrived: u128,
    /// Earned by people, and paid in by payers.
    brought: u128,
    /// Paid by the escrow's opening fees, out of pay-ins.
    spent: u128,
    /// Withdrawn here, and claimed by relayers.
    taken: u128,
}

impl History {
    fn new() -> Self {
        let mut f = Fixture::new();
        let people = ["alice", "bob", "carol"].map(|name| f.world.account(name)).to_vec();
        let relayers = ["relayer", "another relayer"].map(|name| f.world.account(name)).to_vec();
        let homes = ["home", "house"].map(|name| f.world.remote_address(name)).to_vec();
        History {
            f,
            people,
            relayers,
            homes,
            open: vec![],
            ended: vec![],
            truth: BTreeMap::new(),
            sessions: vec![],
            loose: 0,
            gifts: 0,
            arrived: 0,
            brought: 0,
            spent: 0,
            taken: 0,
        }
    }

    fn owner(&self) -> Addr {
        self.f.world.owner.clone()
    }

    fn world(&mut self) -> &mut World {
        &mut self.f.world
    }

    /// Accounts that can have money: people, and payers by refund address and by sender.
    fn accounts(&self) -> Vec<Addr> {
        let mut all = self.people.clone();
        all.extend(self.homes.iter().map(|home| self.f.payer(home)));
        all.push(self.f.payer(&self.f.world.remote_address("payer")));
        all
    }

    fn payout_of(&self, packet: &Packet) -> Option<PayoutResponse> {
        let (channel_id, sequence) = (packet.channel_id.clone(), packet.sequence);
        self.f.ask(&QueryMsg::PacketPayout { channel_id, sequence }).ok()
    }

    fn take_packet(&mut self, index: usize) -> Option<Packet> {
        self.open = self.f.world.packets(CHANNEL);
        (!self.open.is_empty()).then(|| self.open[index % self.open.len()].clone())
    }

    fn amount(packet: &Packet) -> u128 {
        packet.amount.amount.to_string().parse().expect("amounts of tests are small")
    }

    /// A packet ends; what the contract does not hear is remembered.
    fn end(&mut self, packet: Packet, ack: Option<Ack>, lost: bool) {
        let relayer = self.relayers[(packet.sequence % 2) as usize].clone();
        let payout = self.payout_of(&packet);
        let callback = if lost { Callback::Lost } else { Callback::Delivered };
        match &ack {
            Some(ack) => self.f.world.acknowledge(&packet, ack, &relayer, callback).unwrap(),
            None => self.f.world.time_out(&packet, &relayer, callback).unwrap(),
        };
        let came_back = !matches!(ack, Some(Ack::Success | Ack::Garbage));
        if !came_back {
            self.arrived += Self::amount(&packet);
        }
        let heard = !lost && !matches!(ack, Some(Ack::Garbage)) && payout.is_some();
        if !heard {
            // A payout that the owner decided before, or a callback that told nothing.
            if came_back {
                self.loose += Self::amount(&packet);
            }
            if let Some(payout) = payout {
                let truth = if came_back { Truth::CameBack } else { Truth::Arrived };
                self.truth.insert(payout.payout_id, truth);
            }
        }
        self.ended.push(packet);
    }

    fn in_state(&self, state: PayoutState) -> Vec<PayoutResponse> {
        let filter = Some(openledger_types::msg::gateway::PayoutFilter::State(state));
        let (mut all, mut start_after) = (Vec::new(), None);
        loop {
            let msg = QueryMsg::Payouts { filter: filter.clone(), start_after, limit: Some(30) };
            let page: openledger_types::msg::gateway::PayoutsResponse = self.f.ask(&msg).unwrap();
            let Some(last) = page.payouts.last() else { return all };
            start_after = Some(last.payout_id);
            all.extend(page.payouts);
        }
    }

    fn order(&self, choice: usize, key: &Key, amount: u128) -> PayInOrder {
        let cap = amount - 10_000;
        match choice {
            // More than the deposit: the escrow refuses.
            1 => self.f.order(key, amount),
            2 => PayInOrder::TopUp { session_id: 1, node_id: self.f.node.node_id },
            3 => PayInOrder::TopUp { session_id: 9_999, node_id: 1 },
            _ => self.f.order(key, cap),
        }
    }

    fn pay_in(&mut self, choice: usize, home: usize, amount: u128) {
        let key = Key::named(&format!("page {}", self.sessions.len()));
        let order = self.order(choice, &key, amount);
        let memo = match choice {
            4 => format!(r#"{{"dest_callback":{{"address":"{}"}}}}"#, self.f.world.gateway),
            _ => self.f.memo(RefundTo::Remote(self.homes[home].clone()), order),
        };
        let incoming = self.f.incoming(amount, memo);
        self.world().receive(&incoming).unwrap();
        self.brought += amount;
        match self.f.pay_in(&incoming).unwrap().outcome {
            PayInOutcome::Opened { session_id } => {
                self.spent += 5_000;
                self.sessions.push((session_id, key));
            }
            // The first session has it now: nobody follows it further here.
            PayInOutcome::ToppedUp { .. } => self.spent += amount,
            PayInOutcome::Booked { .. } => {}
        }
    }

    fn flush(&mut self, accounts: &[Addr]) {
        let named: Vec<&Addr> = accounts.iter().collect();
        self.world().flush(&named).unwrap();
    }

    fn withdraw(&mut self, who: usize) {
        let account = self.people[who].clone();
        let before = self.f.world.balance(&account);
        let msg = ExecuteMsg::Withdraw { denoms: vec![OPEN.into()] };
        if self.world().tell_gateway(&account, &msg).is_ok() {
            self.taken += self.f.world.balance(&account) - before;
        }
    }

    fn claim_bounties(&mut self, relayer: usize) {
        let account = self.relayers[relayer].clone();
        let before = self.f.world.balance(&account);
        let msg = ExecuteMsg::ClaimBounties { denoms: vec![OPEN.into()] };
        if self.world().tell_gateway(&account, &msg).is_ok() {
            self.taken += self.f.world.balance(&account) - before;
        }
    }

    /// The owner looks at the other chain and says what it saw.
    fn resolve_all(&mut self) {
        let owner = self.owner();
        let mut waiting = self.in_state(PayoutState::Unresolved);
        waiting.extend(self.in_state(PayoutState::InFlight).into_iter().filter(|payout| payout.overdue));
        for payout in waiting {
            let Some(truth) = self.truth.get(&payout.payout_id).copied() else { continue };
            let outcome = match truth {
                Truth::Arrived => Resolution::Settled,
                Truth::CameBack => Resolution::Refunded,
            };
            let msg = ExecuteMsg::ResolvePayout { payout_id: payout.payout_id, outcome };
            self.world().tell_gateway(&owner, &msg).unwrap();
            if truth == Truth::CameBack {
                self.loose -= payout.amount.amount.u128();
            }
        }
    }

    fn take(&mut self, step: Step) {
        let owner = self.owner();
        match step {
            Step::Earn { who, amount } => {
                let account = self.people[who].clone();
                self.f.earn(&account, amount);
                self.brought += amount;
            }
            Step::Prefer { who } => drop(self.f.prefer(&self.people[who].clone())),
            Step::Clear { who } => {
                let account = self.people[who].clone();
                let _ = self.world().tell_gateway(&account, &ExecuteMsg::ClearPreference {});
            }
            Step::Flush => self.flush(&self.people.clone()),
            Step::FlushPayers => self.flush(&self.accounts()[3..]),
            Step::Ack { packet, word, lost } => {
                if let Some(packet) = self.take_packet(packet) {
                    let ack =
                        [Ack::Success, Ack::Success, Ack::Success, Ack::Error, Ack::Error, Ack::Garbage];
                    self.end(packet, Some(ack[word].clone()), lost);
                }
            }
            Step::TimeOut { packet, lost } => {
                if let Some(packet) = self.take_packet(packet) {
                    self.end(packet, None, lost);
                }
            }
            Step::Again { packet } => {
                if !self.ended.is_empty() {
                    let packet = self.ended[packet % self.ended.len()].clone();
                    // The chain calls once; a second call must change nothing that was decided.
                    if self.payout_of(&packet).is_none() {
                        let msg = packet.timed_out(&self.relayers[0]);
                        let gateway = self.f.world.gateway.to_string();
                        self.world().call_back(&gateway, &msg).unwrap();
                    }
                }
            }
            Step::Channel { closed } => self.world().close_channel(CHANNEL, closed),
            Step::Withdraw { who } => self.withdraw(who),
            Step::ClaimBounties { relayer } => self.claim_bounties(relayer),
            Step::PayIn { order, home, amount } => self.pay_in(order, home, amount),
            Step::EndSession { session } => {
                if !self.sessions.is_empty() {
                    let (session_id, key) = self.sessions.remove(session % self.sessions.len());
                    let close = self.f.close(&key, session_id);
                    self.world().tell_gateway(&owner, &close).unwrap();
                    self.f.refund(session_id);
                }
            }
            Step::Mark => {
                for payout in self.in_state(PayoutState::InFlight) {
                    let msg = ExecuteMsg::MarkUnresolved { payout_id: payout.payout_id };
                    assert_eq!(self.world().tell_gateway(&owner, &msg).is_ok(), payout.overdue);
                }
            }
            Step::Resolve => self.resolve_all(),
            Step::Gift { amount } => {
                let gateway = self.f.world.gateway.clone();
                self.world().mint(&gateway, coin(amount, OPEN));
                self.loose += amount;
                self.gifts += amount;
            }
            Step::BookGift { who } => {
                let account = self.people[who].to_string();
                let amount = self.gifts;
                let msg = ExecuteMsg::BookSurplus { denom: OPEN.into(), amount: amount.into(), account };
                if self.world().tell_gateway(&owner, &msg).is_ok() {
                    self.loose -= amount;
                    self.brought += amount;
                    self.gifts = 0;
                }
            }
            Step::Pause { paused } => {
                drop(self.world().tell_gateway(&owner, &ExecuteMsg::SetPaused { paused }).unwrap())
            }
            Step::Route { enabled } => {
                let route = Route { enabled, ..self.f.world.route() };
                drop(self.world().tell_gateway(&owner, &ExecuteMsg::SetRoute { route }).unwrap());
            }
            Step::Wait { blocks } => self.world().advance(blocks),
        }
    }

    /// The contract's equation against our own count.
    fn check(&self) {
        self.f.world.assert_invariants();
        let answer: InvariantsResponse = self.f.ask(&QueryMsg::Invariants {}).unwrap();
        let found = answer.denoms.iter().find(|entry| entry.denom == OPEN).unwrap();
        assert_eq!(found.surplus, Uint256::from(self.loose), "coins that are nobody's");
        let accrued: u128 = self.accounts().iter().map(|account| self.f.accrued(account)).sum();
        let mut bounties: u128 = 0;
        for relayer in &self.relayers {
            let found: BountiesResponse =
                self.f.ask(&QueryMsg::Bounties { relayer: relayer.into() }).unwrap();
            bounties += found.amounts.iter().map(|amount| amount.amount.u128()).sum::<u128>();
        }
        for state in [PayoutState::InFlight, PayoutState::Unresolved] {
            bounties += self.in_state(state).iter().map(|payout| payout.bounty.u128()).sum::<u128>();
        }
        let terms: Vec<_> = found.terms.iter().map(|term| (term.name.as_str(), term.amount)).collect();
        assert_eq!(terms, [("accrued", Uint256::from(accrued)), ("bounties", Uint256::from(bounties))]);
    }

    /// Everyone leaves: what is on the way ends, what is unresolved is resolved, all take what is theirs.
    fn leave(&mut self) {
        let owner = self.owner();
        self.world().close_channel(CHANNEL, false);
        let route = self.f.world.route();
        self.world().tell_gateway(&owner, &ExecuteMsg::SetRoute { route }).unwrap();
        for (session_id, key) in std::mem::take(&mut self.sessions) {
            let close = self.f.close(&key, session_id);
            self.world().tell_gateway(&owner, &close).unwrap();
            self.f.refund(session_id);
        }
        for packet in self.f.world.packets(CHANNEL) {
            self.end(packet, Some(Ack::Success), false);
        }
        self.f.wait_overdue();
        self.resolve_all();
        assert!(self.in_state(PayoutState::InFlight).is_empty());
        assert!(self.in_state(PayoutState::Unresolved).is_empty());
        for who in 0..self.people.len() {
            let account = self.people[who].clone();
            self.taken += self.f.world.withdrawable(&account).unwrap();
            let _ = self.f.world.withdraw(&account);
            self.withdraw(who);
        }
        for account in &self.accounts()[3..] {
            self.f.wait_holdoff(account);
            self.flush(std::slice::from_ref(account));
        }
        for packet in self.f.world.packets(CHANNEL) {
            self.end(packet, Some(Ack::Success), false);
        }
        // What bounty windows left with payers goes with one more payout each.
        for account in &self.accounts()[3..] {
            self.flush(std::slice::from_ref(account));
        }
        for packet in self.f.world.packets(CHANNEL) {
            self.end(packet, Some(Ack::Success), false);
        }
        for relayer in 0..self.relayers.len() {
            self.claim_bounties(relayer);
        }
        self.check();
        let left: u128 = self.accounts().iter().map(|account| self.f.accrued(account)).sum();
        assert_eq!(left, 0, "everyone has left");
        assert_eq!(self.brought, self.arrived + self.taken + self.spent, "to the unit");
        assert_eq!(self.f.world.balance(&self.f.world.gateway), self.loose);
    }
}

#[test]
fn rule_a2_conservation_holds_after_every_step_and_everyone_gets_what_is_theirs() {
    let long = std::env::var("OPENLEDGER_LONG").is_ok_and(|value| value == "1");
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    let histories = if long { 2_000 } else { cases.unwrap_or(40) };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let (mut arrived, mut opened, mut resolved) = (0u32, 0usize, 0usize);
    for number in 0..histories {
        let mut history = History::new();
        // The first session is the stage's, so that top-ups have one; its owner is Alice.
        let alice = history.people[0].clone();
        let (model, node) = (history.f.model, history.f.node.node_id);
        history.f.world.open_session(&alice, model, &[(node, 100_000)]).unwrap();
        for index in 0..STEPS {
            let step = step().new_tree(&mut runner).unwrap().current();
            let told = format!("history {number}, step {index}: {step:?}");
            history.take(step);
            let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| history.check()));
            assert!(checked.is_ok(), "{told}");
        }
        opened += history.sessions.len();
        resolved += history.truth.len();
        history.leave();
        arrived += u32::from(history.arrived > 0);
    }
    // The histories did what they are for.
    assert!(arrived > 0 && opened > 0 && resolved > 0, "{arrived} {opened} {resolved}");
}
