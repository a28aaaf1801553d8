//! Random histories: the bonds' equation, the holder of every text and the versions hold after every
//! message (PROTOCOL A2, D1, D2).

use std::collections::BTreeMap;

use cosmwasm_std::{coins, Addr, BankMsg, Uint128};
use cw_multi_test::Executor;
use openledger_merkle::Tree;
use openledger_testing::{Batch, Document};
use openledger_types::formats::hash32;
use openledger_types::msg::datanet::{
    BondsResponse, ContributionResponse, ContributionStatus, ExecuteMsg, LeavesResponse, MatchResponse,
    QueryMsg,
};
use proptest::prelude::*;

use crate::common::{fixture, Fixture, BOND, REVEAL, WINDOW};

#[derive(Clone, Debug)]
enum Step {
    Commit { who: usize, datanet: u64, texts: Vec<u8> },
    Reveal { commit: usize, leaf: u32 },
    Expire { commit: usize },
    Seal { datanet: u64, limit: u32 },
    Withdraw { who: usize },
    Spend { amount: u128 },
    Gift,
    Wait { blocks: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..3usize, 1..=2u64, prop::collection::vec(0..12u8, 1..5))
            .prop_map(|(who, datanet, texts)| Step::Commit { who, datanet, texts }),
        8 => (0..16usize, 0..5u32).prop_map(|(commit, leaf)| Step::Reveal { commit, leaf }),
        1 => (0..16usize).prop_map(|commit| Step::Expire { commit }),
        2 => (1..=2u64, 1..4u32).prop_map(|(datanet, limit)| Step::Seal { datanet, limit }),
        1 => (0..3usize).prop_map(|who| Step::Withdraw { who }),
        1 => (1..3 * BOND).prop_map(|amount| Step::Spend { amount }),
        1 => Just(Step::Gift),
        3 => (1..REVEAL / 2).prop_map(|blocks| Step::Wait { blocks }),
    ]
}

/// The history beside the contract.
struct Model {
    f: Fixture,
    people: Vec<Addr>,
    batches: Vec<(u64, Batch)>,
}

impl Model {
    fn new() -> Self {
        let mut f = fixture();
        let alice = f.alice.clone();
        f.world.create_datanet(&alice).unwrap();
        let people = vec![alice, f.bob.clone(), f.world.account("carol")];
        Model { f, people, batches: vec![] }
    }

    /// Takes a step; refusals are part of a history.
    fn take(&mut self, step: Step) {
        let world = &mut self.f.world;
        let (owner, alice) = (world.owner.clone(), self.people[0].clone());
        let datanet = world.datanet.clone();
        match step {
            Step::Commit { who, datanet, texts } => {
                let documents = texts.iter().map(|t| Document::new("t", &format!("text {t}"))).collect();
                let batch = Batch::new(&self.people[who], documents);
                let commit_id = world.commit(&self.people[who], datanet, &batch).unwrap();
                self.batches.push((commit_id, batch));
            }
            Step::Reveal { commit, leaf } => {
                if let Some((commit_id, batch)) = self.batches.get(commit) {
                    let owner = Addr::unchecked(batch.owner());
                    let _ = world.reveal(&owner, *commit_id, vec![batch.item(leaf % batch.count())]);
                }
            }
            Step::Expire { commit } => {
                if let Some((commit_id, _)) = self.batches.get(commit) {
                    let _ = world.expire_commit(&alice, *commit_id);
                }
            }
            Step::Seal { datanet: datanet_id, limit } => {
                let msg = ExecuteMsg::Seal { datanet_id, up_to: None, limit: Some(limit) };
                let _ = world.execute(&alice, &datanet, &msg, &[]);
            }
            Step::Withdraw { who } => {
                let _ = world.withdraw_bonds(&self.people[who]);
            }
            Step::Spend { amount } => {
                let msg = ExecuteMsg::SpendTreasury { to: alice.to_string(), amount: Uint128::new(amount) };
                let _ = world.execute(&owner, &datanet, &msg, &[]);
            }
            Step::Gift => {
                let gift = BankMsg::Send { to_address: datanet.to_string(), amount: coins(3, "uopen") };
                world.app.execute(alice, gift.into()).unwrap();
            }
            Step::Wait { blocks } => world.advance(blocks),
        }
    }

    fn check(&self) {
        let f = &self.f;
        f.world.assert_invariants();
        let held: u128 = self
            .batches
            .iter()
            .map(|(commit_id, _)| f.world.commit_of(*commit_id).unwrap())
            .filter(|commit| !commit.ended)
            .map(|commit| u128::from(commit.count - commit.revealed) * BOND)
            .sum();
        assert_eq!(f.term("bonds_held"), held);
        let free: u128 = self
            .people
            .iter()
            .map(|address| QueryMsg::Bonds { address: address.to_string() })
            .map(|msg| f.ask::<BondsResponse>(&msg).unwrap().withdrawable.u128())
            .sum();
        assert_eq!(f.term("withdrawable"), free);
    }

    /// Lets every commit run out and seals all that waits: afterwards exactly the duplicates are left.
    fn drain(&mut self) {
        self.take(Step::Wait { blocks: REVEAL + 1 });
        for commit in 0..self.batches.len() {
            self.take(Step::Expire { commit });
        }
        self.take(Step::Wait { blocks: WINDOW + 1 });
        for datanet in 1..=2 {
            for _ in 0..self.batches.len() * 5 {
                self.take(Step::Seal { datanet, limit: 3 });
            }
        }
        self.check();
        assert_eq!(self.f.term("bonds_held"), 0);
        for id in 1.. {
            let Ok(contribution) = self.f.world.contribution(id) else { break };
            let duplicate = contribution.duplicate_of.is_some();
            let status = if duplicate { ContributionStatus::Duplicate } else { ContributionStatus::Sealed };
            assert_eq!(contribution.status, status);
        }
    }

    /// Of all contributions with one match text exactly the earliest committed holds it.
    fn check_order(&self) {
        let f = &self.f;
        let mut texts: BTreeMap<Vec<u8>, Vec<ContributionResponse>> = BTreeMap::new();
        for id in 1.. {
            let Ok(contribution) = f.world.contribution(id) else { break };
            texts.entry(contribution.facts.match_hash.to_vec()).or_default().push(contribution);
        }
        for contributions in texts.values() {
            let first = contributions.iter().min_by_key(|c| c.facts.priority).unwrap();
            for contribution in contributions {
                let duplicate = contribution.status == ContributionStatus::Duplicate;
                let own = contribution.facts.contribution_id == first.facts.contribution_id;
                assert_eq!(duplicate, !own);
                assert_eq!(contribution.duplicate_of.is_some(), duplicate);
            }
            let msg = QueryMsg::ByMatchHash { match_hash: first.facts.match_hash.clone() };
            let holder = f.ask::<MatchResponse>(&msg).unwrap().contribution_id;
            assert_eq!(holder, Some(first.facts.contribution_id));
        }
    }

    /// Versions commit the leaves in the order of their priorities.
    fn check_versions(&self) {
        for datanet_id in 1..=2 {
            let ask = QueryMsg::Leaves { datanet_id, start: 0, limit: Some(100) };
            let leaves = self.f.ask::<LeavesResponse>(&ask).unwrap().leaves;
            assert!(leaves.windows(2).all(|pair| pair[0].priority <= pair[1].priority));
            for version in 1..=self.f.world.datanet_of(datanet_id).unwrap().latest_version {
                let sealed = self.f.world.version(datanet_id, version).unwrap().version;
                let prefix = &leaves[..sealed.size as usize];
                let root = Tree::new(prefix.iter().map(|facts| facts.leaf()).collect()).unwrap().root();
                assert_eq!(hash32("root", &sealed.root).unwrap(), root);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rule_a2_bonds_are_conserved_over_random_histories(
        steps in prop::collection::vec(step(), 20..60),
    ) {
        let mut model = Model::new();
        for step in steps {
            model.take(step);
            model.check();
        }
        model.check_order();
        model.drain();
        model.check_order();
        model.check_versions();
    }
}
