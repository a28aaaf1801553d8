//! Random histories: the equation of the coins holds after every message, what was burned is gone, and
//! in the end everyone leaves (PROTOCOL A2).

use std::collections::{BTreeMap, BTreeSet};

use cosmwasm_std::{coins, Addr, BankMsg, Uint128, Uint256};
use cw_multi_test::{AppResponse, Executor};
use openledger_testing::{attributes, register_as, Key};
use openledger_types::msg::common::InvariantsResponse;
use openledger_types::msg::node_registry::{
    AuditorsResponse, CutStatus, CutsResponse, ExecuteMsg, NodeStatus, QueryMsg, Role,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::common::{fixture, plan, slash, Fixture, BOND};

#[derive(Clone, Debug)]
enum Step {
    Register { who: usize, key: u8, extra: u128, audits: bool },
    Roles { who: usize, node: u64, audits: bool },
    Add { who: usize, node: u64, amount: u128 },
    Unbond { who: usize, node: u64 },
    Withdraw { who: usize, node: u64 },
    Rotate { who: usize, node: u64, key: u8 },
    Slash { node: u64, bps: u16, finder: Option<usize> },
    Plan { node: u64, bps: u16, finder: Option<usize> },
    Execute { cut: u64 },
    Veto { cut: u64 },
    Freeze { node: u64, open: bool },
    Unjail { who: usize, node: u64 },
    Rewards { who: usize },
    Spend { amount: u128 },
    Validator { who: usize, bonded: bool },
    Gift,
    Wait { blocks: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let (who, node, cut) = (0..3usize, 1..7u64, 1..9u64);
    let bps = prop_oneof![1..400u16, 9_000..10_001u16];
    let finder = prop::option::of(0..3usize);
    let (w, n) = (who.clone(), node.clone());
    prop_oneof![
        3 => (who.clone(), 0..12u8, 0..5u128, any::<bool>())
            .prop_map(|(who, key, extra, audits)| Step::Register { who, key, extra, audits }),
        1 => (w.clone(), n.clone(), any::<bool>())
            .prop_map(|(who, node, audits)| Step::Roles { who, node, audits }),
        2 => (w.clone(), n.clone(), 1..BOND).prop_map(|(who, node, amount)| Step::Add { who, node, amount }),
        2 => (w.clone(), n.clone()).prop_map(|(who, node)| Step::Unbond { who, node }),
        4 => (w.clone(), n.clone()).prop_map(|(who, node)| Step::Withdraw { who, node }),
        1 => (w.clone(), n.clone(), 0..12u8).prop_map(|(who, node, key)| Step::Rotate { who, node, key }),
        2 => (n.clone(), bps.clone(), finder.clone())
            .prop_map(|(node, bps, finder)| Step::Slash { node, bps, finder }),
        3 => (n.clone(), bps, finder).prop_map(|(node, bps, finder)| Step::Plan { node, bps, finder }),
        3 => cut.clone().prop_map(|cut| Step::Execute { cut }),
        1 => cut.prop_map(|cut| Step::Veto { cut }),
        2 => (n.clone(), any::<bool>()).prop_map(|(node, open)| Step::Freeze { node, open }),
        1 => (w, n).prop_map(|(who, node)| Step::Unjail { who, node }),
        2 => who.clone().prop_map(|who| Step::Rewards { who }),
        1 => (1..BOND).prop_map(|amount| Step::Spend { amount }),
        1 => (who, any::<bool>()).prop_map(|(who, bonded)| Step::Validator { who, bonded }),
        1 => Just(Step::Gift),
        4 => (1..400u64).prop_map(|blocks| Step::Wait { blocks }),
    ]
}

/// A history with what the contract should owe.
struct History {
    f: Fixture,
    people: [Addr; 3],
    bonded: [bool; 3],
    supply: u128,
    burned: u128,
    rewards: u128,
    treasury: u128,
    gifts: u128,
    /// (node, epoch): bond at the first voted cut, sum of them.
    windows: BTreeMap<(u64, u64), (u128, u128)>,
    /// Steps that were taken, by their names.
    taken: BTreeSet<String>,
}

impl History {
    fn new() -> Self {
        let mut f = fixture();
        let people = [f.alice.clone(), f.bob.clone(), f.world.account("carol")];
        for name in ["alice", "bob", "carol"] {
            f.world.add_validator(name);
        }
        let supply = f.supply();
        let (burned, rewards, treasury, gifts) = (0, 0, 0, 0);
        let (windows, taken) = (BTreeMap::new(), BTreeSet::new());
        History { f, people, bonded: [true; 3], supply, burned, rewards, treasury, gifts, windows, taken }
    }

    /// Takes a step; refusals are part of a history.
    fn take(&mut self, step: Step) {
        let name = format!("{step:?}").chars().take_while(char::is_ascii_alphabetic).collect();
        let key = |number: u8| Key::named(&format!("key {number}"));
        let finder = |finder: Option<usize>| finder.map(|who| self.people[who].clone());
        let done = match step {
            Step::Register { who, key: number, extra, audits } => {
                let roles = if audits { vec![Role::Inference, Role::Audit] } else { vec![Role::Storage] };
                let msg = register_as(&self.f.world, &self.people[who], "node", &key(number), roles);
                self.f.pay(&self.people[who], &msg, BOND + extra)
            }
            Step::Roles { who, node, audits } => {
                let roles = if audits { vec![Role::Audit] } else { vec![Role::Storage] };
                let (endpoint, moniker, hot_addr, age_recipient) = (None, None, None, None);
                let roles = Some(roles);
                let msg = ExecuteMsg::UpdateNode {
                    node_id: node,
                    endpoint,
                    moniker,
                    hot_addr,
                    age_recipient,
                    roles,
                };
                self.f.send(&self.people[who], &msg)
            }
            Step::Add { who, node, amount } => {
                self.f.pay(&self.people[who], &ExecuteMsg::AddBond { node_id: node }, amount)
            }
            Step::Unbond { who, node } => {
                self.f.send(&self.people[who], &ExecuteMsg::Unbond { node_id: node })
            }
            Step::Withdraw { who, node } => {
                self.f.send(&self.people[who], &ExecuteMsg::WithdrawBond { node_id: node })
            }
            Step::Rotate { who, node, key: number } => {
                let (world, operator) = (&self.f.world, &self.people[who]);
                let key_proof = openledger_testing::key_proof(world, operator, &key(number));
                let node_key = key(number).public();
                self.f.send(&self.people[who], &ExecuteMsg::RotateKey { node_id: node, node_key, key_proof })
            }
            Step::Slash { node, bps, finder: found } => {
                let msg = slash(node, bps, finder(found).as_ref());
                self.f.referee(&msg)
            }
            Step::Plan { node, bps, finder: found } => {
                let msg = plan(node, bps, finder(found).as_ref());
                let done = self.f.referee(&msg);
                if let Ok(done) = &done {
                    self.count_window(node, done);
                }
                done
            }
            Step::Execute { cut } => self.f.send(&self.people[0], &ExecuteMsg::ExecuteCut { cut_id: cut }),
            Step::Veto { cut } => {
                let owner = self.f.world.owner.clone();
                self.f.send(&owner, &ExecuteMsg::VetoCut { cut_id: cut })
            }
            Step::Freeze { node, open } => self.f.referee(&ExecuteMsg::Freeze { node_id: node, open }),
            Step::Unjail { who, node } => {
                self.f.send(&self.people[who], &ExecuteMsg::Unjail { node_id: node })
            }
            Step::Rewards { who } => self.f.send(&self.people[who], &ExecuteMsg::WithdrawRewards {}),
            Step::Spend { amount } => {
                let (to, owner) = (self.people[2].to_string(), self.f.world.owner.clone());
                self.f.send(&owner, &ExecuteMsg::SpendTreasury { to, amount: Uint128::new(amount) })
            }
            Step::Validator { who, bonded } => {
                match (self.bonded[who], bonded) {
                    (true, false) => self.f.world.drop_validator(&self.people[who]),
                    (false, true) => self.f.world.restore_validator(&self.people[who]),
                    _ => {}
                }
                self.bonded[who] = bonded;
                return;
            }
            Step::Gift => {
                let to_address = self.f.world.node_registry.to_string();
                let gift = BankMsg::Send { to_address, amount: coins(3, "uopen") };
                self.gifts += 3;
                self.f.world.app.execute(self.people[0].clone(), gift.into()).map_err(Into::into)
            }
            Step::Wait { blocks } => {
                self.f.world.advance(blocks);
                return;
            }
        };
        if let Ok(done) = done {
            self.taken.insert(name);
            self.count(&done);
        }
    }

    /// Adds up what the events say.
    fn count(&mut self, done: &AppResponse) {
        let sum = |event: &str, key: &str| -> u128 {
            attributes(done, event, key).iter().map(|amount| amount.parse::<u128>().unwrap()).sum()
        };
        for event in ["node_slashed", "cut_executed"] {
            self.burned += sum(event, "burned");
            self.rewards += sum(event, "finder_part");
            self.treasury += sum(event, "treasury_part");
        }
        self.rewards -= sum("rewards_withdrawn", "amount");
        self.treasury -= sum("treasury_spent", "amount");
    }

    fn count_window(&mut self, node_id: u64, done: &AppResponse) {
        let bond = self.f.world.node(node_id).unwrap().bond.u128();
        let epoch = self.f.world.height() / self.f.params().epoch_blocks;
        let amount: u128 = attributes(done, "cut_planned", "amount")[0].parse().unwrap();
        let window = self.windows.entry((node_id, epoch)).or_insert((bond, 0));
        // A window begins with the first cut that is not nothing.
        if window.1 == 0 {
            window.0 = bond;
        }
        window.1 += amount;
        let cap = window.0 * u128::from(self.f.params().voted_cut_bps) / 10_000;
        assert!(window.1 <= cap, "{} of {cap} in epoch {epoch}", window.1);
    }

    fn check(&self) {
        self.f.world.assert_invariants();
        let mut bonds = 0;
        for node_id in 1.. {
            let Ok(node) = self.f.world.node(node_id) else { break };
            assert!(node.bond.is_zero() || node.status != NodeStatus::Left);
            assert_eq!(node.unbonds_at.is_some(), node.status == NodeStatus::Unbonding);
            bonds += node.bond.u128();
        }
        let owed: u128 = self.people.iter().map(|address| self.f.rewards(address)).sum();
        assert_eq!(self.f.bonds(), bonds);
        assert_eq!((self.f.term("rewards"), owed), (self.rewards, self.rewards));
        assert_eq!(self.f.term("treasury"), self.treasury);
        assert_eq!(self.f.supply(), self.supply - self.burned);
        let answer: InvariantsResponse = self.f.ask(&QueryMsg::Invariants {}).unwrap();
        assert_eq!(answer.denoms[0].surplus, Uint256::from(self.gifts));
        let auditors: AuditorsResponse = self.f.ask(&QueryMsg::Auditors {}).unwrap();
        let mut operators: Vec<_> = auditors.auditors.iter().map(|one| &one.operator).collect();
        operators.sort();
        operators.dedup();
        assert_eq!(operators.len(), auditors.auditors.len(), "one auditor an operator");
    }

    /// Cases are closed, cuts carried out, and everyone takes what is theirs.
    fn leave(&mut self) {
        let last = (1..).take_while(|node_id| self.f.world.node(*node_id).is_ok()).last().unwrap();
        for node in 1..=last {
            while self.f.world.node(node).unwrap().open_cases > 0 {
                self.take(Step::Freeze { node, open: false });
            }
            (0..3).for_each(|who| self.take(Step::Unbond { who, node }));
        }
        self.take(Step::Wait { blocks: self.f.params().unbonding_blocks });
        let mut start_after = None;
        loop {
            let page: CutsResponse = self.f.ask(&QueryMsg::Cuts { start_after, limit: None }).unwrap();
            let Some(end) = page.cuts.last() else { break };
            start_after = Some(end.cut_id);
            for cut in page.cuts.iter().filter(|cut| cut.status == CutStatus::Planned) {
                self.take(Step::Execute { cut: cut.cut_id });
            }
        }
        for node in 1..=last {
            (0..3).for_each(|who| self.take(Step::Withdraw { who, node }));
            assert_eq!(self.f.world.node(node).unwrap().status, NodeStatus::Left);
        }
        (0..3).for_each(|who| self.take(Step::Rewards { who }));
        if self.treasury > 0 {
            self.take(Step::Spend { amount: self.treasury });
        }
        self.check();
        assert_eq!(self.f.world.balance(&self.f.world.node_registry), self.gifts, "drift");
    }
}

fn config() -> ProptestConfig {
    let cases = match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default().cases,
        None if std::env::var_os("OPENLEDGER_LONG").is_some() => 10_000,
        None => 100,
    };
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn rule_a2_coins_are_conserved_over_random_histories_and_everyone_leaves(
        steps in prop::collection::vec(step(), 60..140),
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
fn histories_reach_every_message() {
    let mut runner = TestRunner::deterministic();
    let mut taken = BTreeSet::new();
    for _ in 0..20 {
        let steps = prop::collection::vec(step(), 60..140).new_tree(&mut runner).unwrap().current();
        let mut history = History::new();
        steps.into_iter().for_each(|step| history.take(step));
        taken.append(&mut history.taken);
    }
    for name in [
        "Register", "Roles", "Add", "Unbond", "Withdraw", "Rotate", "Slash", "Plan", "Execute", "Veto",
        "Freeze", "Unjail", "Rewards", "Spend", "Gift",
    ] {
        assert!(taken.contains(name), "{name} was never carried out");
    }
}
