//! Random histories of everything that moves coins: after every message the contract holds exactly
//! what its counters say, and at the end everybody gets out what is theirs (PROTOCOL A2, D1, D2).

use std::collections::BTreeMap;

use cosmwasm_std::{coins, Addr, BankMsg, Uint128, Uint256};
use cw_multi_test::Executor;
use openledger_merkle::Tree;
use openledger_testing::{datanet_msg, Batch, Document, RECIPIENT};
use openledger_types::formats::hash32;
use openledger_types::msg::common::InvariantsResponse;
use openledger_types::msg::datanet::{
    AccessResponse, ContributionResponse, ContributionStatus, ExecuteMsg, LeavesResponse, MatchResponse,
    Policy, QueryMsg,
};
use proptest::prelude::*;

use crate::common::{fixture, Fixture, BOND, REVEAL, WINDOW};
use crate::training::Receipt;

/// Datanets: two open ones and a curated one, all of Alice's.
const DATANETS: u64 = 3;

#[derive(Clone, Debug)]
enum Step {
    Commit { who: usize, datanet: u64, texts: Vec<u8> },
    Reveal { commit: usize, leaf: u32 },
    Expire { commit: usize },
    Release { commit: usize },
    Seal { datanet: u64, limit: u32 },
    Withdraw { who: usize },
    Spend { amount: u128 },
    Gift,
    Wait { blocks: u64 },
    TakeBack { id: u64 },
    Curate { who: usize, id: u64, approve: bool, slash: bool },
    Hold { id: u64, open: bool },
    Convict { id: u64, of: u64, finder: usize },
    Price { datanet: u64, price: u128 },
    Buy { who: usize, datanet: u64 },
    Grant { who: usize, datanet: u64 },
    Leave { who: usize, datanet: u64 },
    Misuse { who: usize, datanet: u64 },
    Register { who: usize, datanet: u64, version: u32, seed: u64 },
    Claim { pot: usize, leaf: u64 },
    Promise { who: usize, datanet: u64, amount: u128 },
    Add { who: usize, bounty: u64, amount: u128 },
    Award { bounty: u64, id: u64, amount: u128 },
    LeaveBounty { who: usize, bounty: u64 },
    Store { who: usize, datanet: u64, amount: u128 },
}

/// Steps of contributions alone.
fn plain() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..3usize, 1..=2u64, prop::collection::vec(0..12u8, 1..5))
            .prop_map(|(who, datanet, texts)| Step::Commit { who, datanet, texts }),
        8 => (0..16usize, 0..5u32).prop_map(|(commit, leaf)| Step::Reveal { commit, leaf }),
        1 => (0..16usize).prop_map(|commit| Step::Expire { commit }),
        1 => (0..16usize).prop_map(|commit| Step::Release { commit }),
        2 => (1..=2u64, 1..4u32).prop_map(|(datanet, limit)| Step::Seal { datanet, limit }),
        1 => (0..3usize).prop_map(|who| Step::Withdraw { who }),
        1 => (1..3 * BOND).prop_map(|amount| Step::Spend { amount }),
        1 => Just(Step::Gift),
        3 => (1..REVEAL / 2).prop_map(|blocks| Step::Wait { blocks }),
    ]
}

/// Steps of curators, the referee, developers and funders.
fn other() -> impl Strategy<Value = Step> {
    let (who, datanet, id, bounty) = (0..3usize, 1..=DATANETS, 1..24u64, 1..6u64);
    prop_oneof![
        2 => (who.clone(), prop::collection::vec(0..12u8, 1..5))
            .prop_map(|(who, texts)| Step::Commit { who, datanet: 3, texts }),
        1 => (1..4u32).prop_map(|limit| Step::Seal { datanet: 3, limit }),
        2 => id.clone().prop_map(|id| Step::TakeBack { id }),
        6 => (0..2usize, id.clone(), any::<bool>(), any::<bool>()).prop_map(|(who, id, approve, slash)| {
            Step::Curate { who, id, approve, slash: slash && !approve }
        }),
        3 => (id.clone(), any::<bool>()).prop_map(|(id, open)| Step::Hold { id, open }),
        2 => (id.clone(), id.clone(), who.clone())
            .prop_map(|(id, of, finder)| Step::Convict { id, of, finder }),
        2 => (datanet.clone(), 0..1_000u128).prop_map(|(datanet, price)| Step::Price { datanet, price }),
        2 => (who.clone(), datanet.clone()).prop_map(|(who, datanet)| Step::Buy { who, datanet }),
        1 => (who.clone(), datanet.clone()).prop_map(|(who, datanet)| Step::Grant { who, datanet }),
        2 => (who.clone(), datanet.clone()).prop_map(|(who, datanet)| Step::Leave { who, datanet }),
        1 => (who.clone(), datanet.clone()).prop_map(|(who, datanet)| Step::Misuse { who, datanet }),
        3 => (who.clone(), datanet.clone(), 1..4u32, any::<u64>())
            .prop_map(|(who, datanet, version, seed)| Step::Register { who, datanet, version, seed }),
        3 => (0..6usize, 0..6u64).prop_map(|(pot, leaf)| Step::Claim { pot, leaf }),
        2 => (who.clone(), datanet.clone(), 1..5_000u128)
            .prop_map(|(who, datanet, amount)| Step::Promise { who, datanet, amount }),
        2 => (who.clone(), bounty.clone(), 1..5_000u128)
            .prop_map(|(who, bounty, amount)| Step::Add { who, bounty, amount }),
        3 => (bounty.clone(), id, 1..3_000u128)
            .prop_map(|(bounty, id, amount)| Step::Award { bounty, id, amount }),
        2 => (who.clone(), bounty).prop_map(|(who, bounty)| Step::LeaveBounty { who, bounty }),
        1 => (who, datanet, 1..99u128).prop_map(|(who, datanet, amount)| Step::Store { who, datanet, amount }),
    ]
}

/// All steps.
fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![plain(), other()]
}

/// The history beside the contract.
struct Model {
    f: Fixture,
    people: Vec<Addr>,
    batches: Vec<(u64, Batch)>,
    pots: Vec<(u64, u64, Receipt)>,
    gifts: u128,
}

impl Model {
    fn new() -> Self {
        let mut f = fixture();
        let alice = f.alice.clone();
        f.world.create_datanet(&alice).unwrap();
        let people = vec![alice.clone(), f.bob.clone(), f.world.account("carol")];
        let mut curators: Vec<String> = people[..2].iter().map(Addr::to_string).collect();
        curators.sort();
        let mut msg = datanet_msg("curated");
        if let ExecuteMsg::CreateDatanet { policy, .. } = &mut msg {
            *policy = Some(Policy::Curated { curators, quorum: 2 });
        }
        f.world.create_datanet_with(&alice, &msg).unwrap();
        Model { f, people, batches: vec![], pots: vec![], gifts: 0 }
    }

    /// Takes a step; refusals are part of a history.
    fn take(&mut self, step: Step) {
        let world = &mut self.f.world;
        let (owner, alice, registry) =
            (world.owner.clone(), self.people[0].clone(), world.model_registry.clone());
        let datanet = world.datanet.clone();
        let name = |who: usize| self.people[who].to_string();
        let (sender, msg, amount) = match step {
            Step::Commit { who, datanet, texts } => {
                let documents = texts.iter().map(|t| Document::new("t", &format!("text {t}"))).collect();
                let batch = Batch::new(&self.people[who], documents);
                let commit_id = world.commit(&self.people[who], datanet, &batch).unwrap();
                self.batches.push((commit_id, batch));
                return;
            }
            Step::Reveal { commit, leaf } => {
                let Some((commit_id, batch)) = self.batches.get(commit) else { return };
                let msg = ExecuteMsg::Reveal {
                    commit_id: *commit_id,
                    items: vec![batch.item(leaf % batch.count())].into(),
                };
                (Addr::unchecked(batch.owner()), msg, 0)
            }
            Step::Expire { commit } => {
                let Some((commit_id, _)) = self.batches.get(commit) else { return };
                (alice, ExecuteMsg::ExpireCommit { commit_id: *commit_id }, 0)
            }
            Step::Release { commit } => {
                let Some((commit_id, _)) = self.batches.get(commit) else { return };
                (alice, ExecuteMsg::ReleaseBonds { commit_id: *commit_id }, 0)
            }
            Step::Seal { datanet: datanet_id, limit } => {
                (alice, ExecuteMsg::Seal { datanet_id, up_to: None, limit: Some(limit) }, 0)
            }
            Step::Withdraw { who } => (self.people[who].clone(), ExecuteMsg::WithdrawBonds {}, 0),
            Step::Spend { amount } => {
                let (to, amount) = (alice.to_string(), Uint128::new(amount));
                (owner, ExecuteMsg::SpendTreasury { to, amount }, 0)
            }
            Step::Gift => {
                let gift = BankMsg::Send { to_address: datanet.to_string(), amount: coins(3, "uopen") };
                world.app.execute(alice, gift.into()).unwrap();
                self.gifts += 3;
                return;
            }
            Step::Wait { blocks } => {
                world.advance(blocks);
                return;
            }
            Step::TakeBack { id } => {
                let Ok(contribution) = world.contribution(id) else { return };
                let sender = Addr::unchecked(contribution.facts.contributor);
                (sender, ExecuteMsg::Withdraw { contribution_ids: vec![id] }, 0)
            }
            Step::Curate { who, id, approve, slash } => {
                let (contribution_ids, reason) = (vec![id], "said so".to_string());
                (self.people[who].clone(), ExecuteMsg::Curate { contribution_ids, approve, reason, slash }, 0)
            }
            Step::Hold { id, open } => {
                (world.referee.clone(), ExecuteMsg::HoldContribution { contribution_id: id, open }, 0)
            }
            Step::Convict { id, of, finder } => {
                let msg = ExecuteMsg::ConvictContribution {
                    contribution_id: id,
                    copied_of: (of % 2 == 0).then_some(of),
                    reason: "copied".into(),
                    finder: name(finder),
                };
                (world.referee.clone(), msg, 0)
            }
            Step::Price { datanet: datanet_id, price } => {
                let msg = ExecuteMsg::UpdateTerms {
                    datanet_id,
                    min_data_bps: 3_000,
                    floor_per_token: Uint128::new(50),
                    training_price: Uint128::new(price),
                };
                (alice, msg, 0)
            }
            Step::Buy { who, datanet: datanet_id } => {
                let developer = self.people[who].to_string();
                let access = QueryMsg::Access { datanet_id, developer };
                let old = world.query::<AccessResponse>(&datanet, &access).unwrap().access;
                let price = world.datanet_of(datanet_id).unwrap().training_price.u128();
                let bond = 10_000_000 - old.map_or(0, |access| access.bond.u128());
                let recipient = RECIPIENT.to_string();
                (self.people[who].clone(), ExecuteMsg::BuyAccess { datanet_id, recipient }, price + bond)
            }
            Step::Grant { who, datanet: datanet_id } => {
                let (developer, wrapped) = (name(who), vec![1; 9].into());
                (alice, ExecuteMsg::GrantAccess { datanet_id, developer, wrapped }, 0)
            }
            Step::Leave { who, datanet: datanet_id } => {
                (self.people[who].clone(), ExecuteMsg::LeaveAccess { datanet_id }, 0)
            }
            Step::Misuse { who, datanet: datanet_id } => {
                let (developer, reason) = (name(who), "published".into());
                (owner, ExecuteMsg::SlashAccess { datanet_id, developer, reason }, 0)
            }
            Step::Register { who, datanet: datanet_id, version, seed } => {
                let Ok(sealed) = world.version(datanet_id, version) else { return };
                let ask = QueryMsg::Leaves { datanet_id, start: 0, limit: Some(100) };
                let leaves = world.query::<LeavesResponse>(&datanet, &ask).unwrap().leaves;
                let seen: Vec<(u64, u64)> = leaves[..sealed.version.size as usize]
                    .iter()
                    .map(|facts| (facts.contribution_id, 1 + seed % (facts.contribution_id + 7)))
                    .collect();
                let receipt = Receipt::new(&seen);
                let model_id = self.pots.len() as u64;
                let msg = ExecuteMsg::UseAccess {
                    datanet_id,
                    version,
                    developer: name(who),
                    model_id,
                    model_version: 1,
                    training: receipt.root(),
                };
                if world.execute(&registry, &datanet, &msg, &[]).is_ok() {
                    self.pots.push((datanet_id, model_id, receipt));
                }
                return;
            }
            Step::Claim { pot, leaf } => {
                let Some((datanet_id, model_id, receipt)) = self.pots.get(pot) else { return };
                let items = vec![receipt.item(leaf % receipt.root().count)];
                let (datanet_id, model_id) = (*datanet_id, *model_id);
                (alice, ExecuteMsg::ClaimTraining { datanet_id, model_id, model_version: 1, items }, 0)
            }
            Step::Promise { who, datanet: datanet_id, amount } => {
                let msg = ExecuteMsg::FundBounty { datanet_id, topic: "bread".into(), blocks: 30 };
                (self.people[who].clone(), msg, amount)
            }
            Step::Add { who, bounty, amount } => {
                (self.people[who].clone(), ExecuteMsg::AddToBounty { bounty_id: bounty }, amount)
            }
            Step::Award { bounty: bounty_id, id: contribution_id, amount } => {
                let amount = Uint128::new(amount);
                (alice, ExecuteMsg::AwardBounty { bounty_id, contribution_id, amount }, 0)
            }
            Step::LeaveBounty { who, bounty } => {
                (self.people[who].clone(), ExecuteMsg::LeaveBounty { bounty_id: bounty }, 0)
            }
            Step::Store { who, datanet, amount } => {
                let parts = vec![(datanet, Uint128::new(amount))];
                (self.people[who].clone(), ExecuteMsg::FundStorage { parts }, amount)
            }
        };
        let funds = if amount > 0 { coins(amount, "uopen") } else { vec![] };
        let _ = world.execute(&sender, &datanet, &msg, &funds);
    }

    fn check(&self) {
        let f = &self.f;
        let answer: InvariantsResponse = f.ask(&QueryMsg::Invariants {}).unwrap();
        assert!(answer.holds, "{answer:?}");
        assert_eq!(answer.denoms[0].surplus, Uint256::from(self.gifts), "not a unit too much or too little");
        let commits: Vec<_> =
            self.batches.iter().map(|(commit_id, _)| f.world.commit_of(*commit_id).unwrap()).collect();
        let held: u128 = commits
            .iter()
            .filter(|commit| !commit.ended)
            .map(|commit| u128::from(commit.count - commit.revealed) * BOND)
            .sum();
        assert_eq!(f.term("bonds_held"), held);
        let most: u128 =
            commits.iter().map(|commit| u128::from(commit.revealed - commit.slashed) * BOND).sum();
        assert!(f.term("bonds_at_stake") <= most);
        let free: u128 = self.people.iter().map(|address| f.withdrawable(address)).sum();
        assert_eq!(f.term("withdrawable"), free);
        let accesses: Vec<_> = (1..=DATANETS)
            .flat_map(|datanet_id| self.people.iter().map(move |who| (datanet_id, who.to_string())))
            .filter_map(|(datanet_id, developer)| {
                f.ask::<AccessResponse>(&QueryMsg::Access { datanet_id, developer }).unwrap().access
            })
            .collect();
        assert_eq!(f.term("access_paid"), accesses.iter().map(|access| access.paid.u128()).sum::<u128>());
        assert_eq!(f.term("developer_bonds"), accesses.iter().map(|access| access.bond.u128()).sum::<u128>());
    }

    /// Ends everything that can end: what is left are versions, deposits, the treasury, and prices
    /// whose key came and that wait to be used.
    fn drain(&mut self) {
        self.take(Step::Wait { blocks: 1_000 });
        for id in 1.. {
            if self.f.world.contribution(id).is_err() {
                break;
            }
            self.take(Step::Hold { id, open: false });
        }
        for commit in 0..self.batches.len() {
            self.take(Step::Expire { commit });
            self.take(Step::Release { commit });
        }
        for (pot, leaves) in
            self.pots.iter().map(|(.., receipt)| receipt.root().count).enumerate().collect::<Vec<_>>()
        {
            for leaf in 0..leaves {
                self.take(Step::Claim { pot, leaf });
            }
        }
        for who in 0..3 {
            for datanet in 1..=DATANETS {
                self.take(Step::Leave { who, datanet });
            }
            for bounty in 1..40 {
                self.take(Step::LeaveBounty { who, bounty });
            }
        }
        for who in 0..3 {
            self.take(Step::Withdraw { who });
        }
        self.check();
        for term in
            ["bonds_held", "bonds_at_stake", "withdrawable", "developer_bonds", "training_pots", "bounties"]
        {
            assert_eq!(self.f.term(term), 0, "{term}");
        }
    }

    /// Seals all that waits on the open datanets: afterwards exactly the duplicates are left.
    fn seal_all(&mut self) {
        for datanet in 1..=2 {
            for _ in 0..self.batches.len() * 5 {
                self.take(Step::Seal { datanet, limit: 3 });
            }
        }
        for contribution in self.contributions() {
            let duplicate = contribution.duplicate_of.is_some();
            let status = if duplicate { ContributionStatus::Duplicate } else { ContributionStatus::Sealed };
            assert_eq!(contribution.status, status);
        }
    }

    fn contributions(&self) -> Vec<ContributionResponse> {
        (1..).map_while(|id| self.f.world.contribution(id).ok()).collect()
    }

    /// Of all contributions with one match text at most one lives, and it holds the text; while
    /// nobody withdrew and nothing was decided it is the earliest committed.
    fn check_order(&self, strict: bool) {
        let f = &self.f;
        let mut texts: BTreeMap<Vec<u8>, Vec<ContributionResponse>> = BTreeMap::new();
        for contribution in self.contributions() {
            texts.entry(contribution.facts.match_hash.to_vec()).or_default().push(contribution);
        }
        for (match_hash, contributions) in texts {
            let msg = QueryMsg::ByMatchHash { match_hash: match_hash.into() };
            let holder = f.ask::<MatchResponse>(&msg).unwrap().contribution_id;
            let alive: Vec<_> = contributions
                .iter()
                .filter(|c| {
                    use ContributionStatus::{Duplicate, Rejected, Withdrawn};
                    !matches!(c.status, Duplicate | Rejected | Withdrawn)
                })
                .collect();
            assert!(alive.len() <= 1);
            assert!(alive.iter().all(|c| holder == Some(c.facts.contribution_id)));
            if strict {
                let first = contributions.iter().min_by_key(|c| c.facts.priority).unwrap();
                assert_eq!(holder, Some(first.facts.contribution_id));
                assert_eq!(alive.len(), 1);
            }
        }
    }

    /// Versions commit the leaves, in the order of their priorities; while nothing comes back into the
    /// queue, that is one order over all versions' contributions.
    fn check_versions(&self, strict: bool) {
        for datanet_id in 1..=DATANETS {
            let ask = QueryMsg::Leaves { datanet_id, start: 0, limit: Some(100) };
            let leaves = self.f.ask::<LeavesResponse>(&ask).unwrap().leaves;
            assert!(!strict || leaves.windows(2).all(|pair| pair[0].priority <= pair[1].priority));
            for version in 1..=self.f.world.datanet_of(datanet_id).unwrap().latest_version {
                let sealed = self.f.world.version(datanet_id, version).unwrap().version;
                let prefix = &leaves[..sealed.size as usize];
                let root = Tree::new(prefix.iter().map(|facts| facts.leaf()).collect()).unwrap().root();
                assert_eq!(hash32("root", &sealed.root).unwrap(), root);
            }
        }
    }
}

/// Cases: `PROPTEST_CASES` where it is set, fifty times as many under `OPENLEDGER_LONG=1`.
fn cases(few: u32) -> ProptestConfig {
    let told = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    let long = std::env::var("OPENLEDGER_LONG").is_ok_and(|long| long == "1");
    let cases = told.unwrap_or(if long { 50 * few } else { few });
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn rule_d2_the_earliest_commit_holds_its_text_over_random_histories(
        steps in prop::collection::vec(plain(), 20..60),
    ) {
        let mut model = Model::new();
        for step in steps {
            model.take(step);
            model.check();
        }
        model.check_order(true);
        model.take(Step::Wait { blocks: REVEAL + WINDOW + 1 });
        model.seal_all();
        model.check_order(true);
        model.check_versions(true);
        model.drain();
    }
}

proptest! {
    #![proptest_config(cases(120))]

    #[test]
    fn rule_a2_coins_are_conserved_and_everybody_gets_out_over_random_histories(
        steps in prop::collection::vec(any_step(), 50..150),
    ) {
        let mut model = Model::new();
        for step in steps {
            model.take(step);
            model.check();
        }
        model.check_order(false);
        model.check_versions(false);
        model.drain();
    }
}
