//! Random histories: every bond is somewhere after every message, exits stay open, and when everyone has
//! left nothing remains (PROTOCOL A2).

use std::collections::BTreeMap;

use cosmwasm_std::{Addr, Uint128};
use openledger_types::msg::escrow::RootStatus;
use openledger_types::msg::referee::{
    BlobKind, CaseResponse, CasesResponse, DemandResponse, DemandStatus, DemandsResponse, ExecuteMsg, Params,
    QueryMsg,
};
use proptest::prelude::*;

use crate::common::{about_copy, about_receipts, params, Suite, CASE_BOND, DISPUTE, NODE};

#[derive(Clone, Debug)]
enum Step {
    Post,
    Attest { auditor: u64, epoch: u64 },
    Report { epoch: u64, auditors: Vec<u64> },
    Resume { auditor: u64 },
    Demand { who: usize, epoch: u64, receipts: bool, index: u64 },
    Answer { who: usize, demand: u64 },
    Expire { who: usize, demand: u64 },
    Open { who: usize, epoch: u64, first: usize, count: usize, extra: u128 },
    Accuse { who: usize, extra: u128 },
    Commit { case: u64, auditor: u64, guilty: bool },
    Reveal { case: u64, auditor: u64 },
    Conclude { case: u64 },
    Withdraw { who: usize },
    Spend { amount: u128 },
    Root { epoch: u64, status: RootStatus },
    Weight { auditor: u64, weight: u128 },
    Wait { blocks: u64 },
}

const PEOPLE: usize = 6;

fn step() -> impl Strategy<Value = Step> {
    let (who, epoch, auditor) = (0..PEOPLE, 0..4u64, 11..14u64);
    // Epochs, demands and cases are counted back from the newest.
    let (demand, case) = (0..5u64, 0..2u64);
    let ended = prop_oneof![Just(RootStatus::Final), Just(RootStatus::Void), Just(RootStatus::Replaced)];
    prop_oneof![
        2 => Just(Step::Post),
        4 => (auditor.clone(), epoch.clone()).prop_map(|(auditor, epoch)| Step::Attest { auditor, epoch }),
        8 => (epoch.clone(), prop::sample::subsequence(vec![11, 12, 13], 0..=2))
            .prop_map(|(epoch, auditors)| Step::Report { epoch, auditors }),
        2 => auditor.clone().prop_map(|auditor| Step::Resume { auditor }),
        5 => (who.clone(), epoch.clone(), any::<bool>(), 0..4u64)
            .prop_map(|(who, epoch, receipts, index)| Step::Demand { who, epoch, receipts, index }),
        8 => (who.clone(), demand.clone()).prop_map(|(who, demand)| Step::Answer { who, demand }),
        4 => (who.clone(), demand).prop_map(|(who, demand)| Step::Expire { who, demand }),
        4 => (who.clone(), epoch.clone(), 0..3usize, 1..3usize, 0..900u128)
            .prop_map(|(who, epoch, first, count, extra)| Step::Open { who, epoch, first, count, extra }),
        2 => (who.clone(), 0..3u128).prop_map(|(who, extra)| Step::Accuse { who, extra }),
        9 => (case.clone(), auditor.clone(), prop::bool::weighted(0.4))
            .prop_map(|(case, auditor, guilty)| Step::Commit { case, auditor, guilty }),
        14 => (case.clone(), auditor.clone()).prop_map(|(case, auditor)| Step::Reveal { case, auditor }),
        4 => case.prop_map(|case| Step::Conclude { case }),
        3 => who.prop_map(|who| Step::Withdraw { who }),
        1 => (1..600u128).prop_map(|amount| Step::Spend { amount }),
        1 => (epoch, ended).prop_map(|(epoch, status)| Step::Root { epoch, status }),
        1 => (auditor, 0..60u128).prop_map(|(auditor, weight)| Step::Weight { auditor, weight }),
        7 => prop_oneof![1..9u64, 10..13u64].prop_map(|blocks| Step::Wait { blocks }),
    ]
}

/// A history under way.
struct History {
    suite: Suite,
    people: Vec<Addr>,
    votes: BTreeMap<(u64, u64), bool>,
    epochs: u64,
    demands: u64,
    cases: u64,
    done: BTreeMap<&'static str, u32>,
}

impl History {
    fn new() -> Self {
        let mut suite = Suite::new();
        let owner = suite.owner.clone();
        let params = Params { missed_roots: 1, ..params() };
        suite.act(&owner, &ExecuteMsg::UpdateParams { params }).unwrap();
        let people = vec![
            suite.alice.clone(),
            suite.bob.clone(),
            suite.operator(NODE),
            suite.contributor(),
            suite.operator(11),
            suite.hot(12),
        ];
        History {
            suite,
            people,
            votes: BTreeMap::new(),
            epochs: 1,
            demands: 0,
            cases: 0,
            done: BTreeMap::new(),
        }
    }

    /// Takes a step; refusals are part of a history.
    fn take(&mut self, step: Step) {
        let newest = self.epochs;
        let back = |count: u64| newest.saturating_sub(count).max(1);
        let suite = &mut self.suite;
        let (name, done) = match step {
            Step::Post => {
                self.epochs += 1;
                suite.post(self.epochs);
                ("post", true)
            }
            Step::Attest { auditor, epoch } => ("attest", suite.attest(auditor, back(epoch)).is_ok()),
            Step::Report { epoch, auditors } => ("report", suite.report(back(epoch), &auditors).is_ok()),
            Step::Resume { auditor } => {
                ("resume", suite.act(&suite.operator(auditor), &ExecuteMsg::Resume { auditor }).is_ok())
            }
            Step::Demand { who, epoch, receipts, index } => {
                let blob = if receipts { BlobKind::Receipts } else { BlobKind::Leaves };
                let done = suite.demand(&self.people[who], back(epoch), blob, index).is_ok();
                self.demands += u64::from(done);
                ("demand", done)
            }
            Step::Answer { who, demand } => {
                ("answer", suite.answer(&self.people[who], self.demands.saturating_sub(demand)).is_ok())
            }
            Step::Expire { who, demand } => {
                ("expire", suite.expire(&self.people[who], self.demands.saturating_sub(demand)).is_ok())
            }
            Step::Open { who, epoch, first, count, extra } => {
                let numbers: Vec<usize> = (first..4.min(first + count)).collect();
                let subject = about_receipts(back(epoch), &numbers);
                let done = suite.open(&self.people[who], subject, CASE_BOND + extra).is_ok();
                self.cases += u64::from(done);
                ("open", done)
            }
            Step::Accuse { who, extra } => {
                let done = suite.open(&self.people[who], about_copy(), CASE_BOND + extra).is_ok();
                self.cases += u64::from(done);
                ("accuse", done)
            }
            Step::Commit { case, auditor, guilty } => {
                let case = self.cases.saturating_sub(case);
                let done = suite.commit(case, auditor, guilty).is_ok();
                if done {
                    self.votes.insert((case, auditor), guilty);
                }
                ("commit", done)
            }
            Step::Reveal { case, auditor } => {
                let case = self.cases.saturating_sub(case);
                let guilty = self.votes.get(&(case, auditor)).copied().unwrap_or_default();
                ("reveal", suite.reveal(case, auditor, guilty).is_ok())
            }
            Step::Conclude { case } => ("conclude", suite.conclude(self.cases.saturating_sub(case)).is_ok()),
            Step::Withdraw { who } => {
                ("withdraw", suite.act(&self.people[who], &ExecuteMsg::Withdraw {}).is_ok())
            }
            Step::Spend { amount } => {
                let (to, owner) = (suite.owner.to_string(), suite.owner.clone());
                let msg = ExecuteMsg::SpendTreasury { to, amount: Uint128::new(amount) };
                ("spend", suite.act(&owner, &msg).is_ok())
            }
            Step::Root { epoch, status } => {
                let epoch = back(epoch);
                let waits = suite.root(epoch).status == RootStatus::Pending;
                // The escrow makes no root final while a demand is open.
                let may = waits && (status != RootStatus::Final || suite.root(epoch).holds == 0);
                if may {
                    suite.set_root(epoch, status);
                }
                ("root", may)
            }
            Step::Weight { auditor, weight } => {
                suite.set_weight(auditor, weight);
                ("weight", true)
            }
            Step::Wait { blocks } => {
                suite.advance(blocks);
                ("wait", true)
            }
        };
        *self.done.entry(name).or_default() += u32::from(done);
    }

    fn demands(&self) -> Vec<DemandResponse> {
        let mut all: Vec<DemandResponse> = Vec::new();
        loop {
            let start_after = all.last().map(|demand| demand.demand_id);
            let msg = QueryMsg::Demands { start_after, limit: Some(30) };
            let page: DemandsResponse = self.suite.ask(&msg).unwrap();
            if page.demands.is_empty() {
                return all;
            }
            all.extend(page.demands);
        }
    }

    fn cases(&self) -> Vec<CaseResponse> {
        let mut all: Vec<CaseResponse> = Vec::new();
        loop {
            let start_after = all.last().map(|case| case.case_id);
            let page: CasesResponse =
                self.suite.ask(&QueryMsg::Cases { start_after, limit: Some(30) }).unwrap();
            if page.cases.is_empty() {
                return all;
            }
            all.extend(page.cases);
        }
    }

    /// Counts everything again from what single queries say.
    fn check(&self) {
        self.suite.assert_conserved();
        let open_demands = |demand: &DemandResponse| demand.status == DemandStatus::Open;
        let demands: u128 =
            self.demands().into_iter().filter(open_demands).map(|demand| demand.bond.u128()).sum();
        let cases: u128 =
            self.cases().into_iter().filter(|case| case.verdict.is_none()).map(|case| case.bond.u128()).sum();
        let balances: u128 = self.people.iter().map(|person| self.suite.balance(person)).sum();
        let [demand_bonds, case_bonds, withdrawable, _] = self.suite.totals();
        assert_eq!([demand_bonds, case_bonds, withdrawable], [demands, cases, balances]);
        for epoch in 1..=self.epochs {
            let of_root =
                |demand: &DemandResponse| demand.epoch == epoch && demand.status == DemandStatus::Open;
            let root = self.suite.root(epoch);
            if root.status == RootStatus::Pending {
                let open = self.demands().into_iter().filter(of_root).count();
                assert_eq!(root.holds as usize, open, "a root is held by its open demands");
            }
        }
    }

    /// Everything is ended, everyone withdraws, nothing is left.
    fn leave(&mut self) {
        self.suite.advance(DISPUTE + 1);
        let anyone = self.suite.bob.clone();
        for demand in self.demands() {
            if demand.status == DemandStatus::Open {
                self.suite.expire(&anyone, demand.demand_id).unwrap();
            }
        }
        for case in self.cases() {
            if case.verdict.is_none() {
                self.suite.conclude(case.case_id).unwrap();
            }
        }
        self.check();
        for person in self.people.clone() {
            if self.suite.balance(&person) > 0 {
                self.suite.act(&person, &ExecuteMsg::Withdraw {}).unwrap();
            }
        }
        let [demands, cases, withdrawable, treasury] = self.suite.totals();
        assert_eq!([demands, cases, withdrawable], [0; 3]);
        if treasury > 0 {
            let (to, owner) = (self.suite.owner.to_string(), self.suite.owner.clone());
            let msg = ExecuteMsg::SpendTreasury { to, amount: Uint128::new(treasury) };
            self.suite.act(&owner, &msg).unwrap();
        }
        assert_eq!(self.suite.purse(&self.suite.referee.clone()), 0);
        assert_eq!(self.suite.open_cases(NODE), 0, "no bond stays frozen");
    }
}

/// Cases: `PROPTEST_CASES`, else ten times as many in a long run.
fn cases() -> u32 {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok());
    asked.unwrap_or(if std::env::var("OPENLEDGER_LONG").is_ok() { 1_000 } else { 100 })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rule_a2_bonds_are_conserved_over_random_histories_and_everyone_can_leave(
        steps in prop::collection::vec(step(), 60..160),
    ) {
        let mut history = History::new();
        for step in steps {
            history.take(step);
            history.check();
        }
        history.leave();
    }
}

#[test]
fn histories_reach_every_kind_of_message() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let mut reached: BTreeMap<&'static str, u32> = BTreeMap::new();
    for _ in 0..60 {
        let mut history = History::new();
        let steps = prop::collection::vec(step(), 160).new_tree(&mut runner).unwrap().current();
        steps.into_iter().for_each(|step| history.take(step));
        for (name, count) in history.done {
            *reached.entry(name).or_default() += count;
        }
    }
    for name in [
        "attest", "report", "resume", "demand", "answer", "expire", "open", "accuse", "commit", "reveal",
        "conclude", "withdraw",
    ] {
        assert!(reached[name] > 0, "{name} never succeeds: {reached:?}");
    }
}
