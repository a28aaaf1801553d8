//! All contracts together: how a root becomes final, how it falls, and where every coin is then.
//! On a simulated chain, or with the compiled contracts on one that runs (see `live`).

mod live;

use cosmwasm_std::{to_json_vec, Addr, Uint128};
use openledger_testing::{
    Answer, Auditor, Client, Document, Key, ModelRef, NodeModel, Posting, Result, TrainingTree, World,
};
use openledger_types::faults::FiledFault;
use openledger_types::formats::Account;
use openledger_types::msg::escrow::{EpochResponse, ExecuteMsg as EscrowMsg, RootStatus};
use openledger_types::msg::model_registry::TrainedOn;
use openledger_types::msg::node_registry::{ExecuteMsg as NodeMsg, NodeStatus};
use openledger_types::msg::referee::{
    BlobKind, DemandStatus, ExecuteMsg as RefereeMsg, ReceiptFault, Subject, Verdict,
};

/// A world with two contributors, a model trained on their texts, a node and a user's session.
struct Town {
    world: World,
    given: Vec<u64>,
    datanet: u64,
    model: ModelRef,
    tree: TrainingTree,
    node: NodeModel,
    user: Addr,
    client: Client,
    auditors: Vec<(Addr, u64)>,
}

impl Town {
    /// With this many auditors of equal weight.
    fn new(auditors: usize) -> Result<Self> {
        let mut world = live::world(|_| {});
        let owner = world.account("owner");
        let datanet = world.create_datanet(&owner)?;
        let mut given = vec![];
        for (number, name) in ["alice", "bob"].into_iter().enumerate() {
            let contributor = world.account(name);
            given.extend(world.contribute(&contributor, datanet, Document::generate(number as u64, 2))?);
        }
        let version = world.seal(&owner, datanet)?;
        let tree = TrainingTree::new(&given.iter().map(|id| (*id, 10 + *id)).collect::<Vec<_>>());
        let model = {
            let developer = world.account("developer");
            let model_id = world.create_model(&developer)?;
            let mut new =
                openledger_testing::new_version("model", &world.denom, &[(datanet, version.version)]);
            new.datanets =
                vec![TrainedOn { datanet_id: datanet, version: version.version, training: tree.root() }];
            new.training_root = openledger_testing::training_root_of(&new.datanets);
            (model_id, world.register_version(&developer, model_id, new)?)
        };
        let node = NodeModel::register(&mut world, "node")?;
        let bond = world.profile.node_registry.min_bond.u128();
        let auditors = (0..auditors)
            .map(|number| {
                let (node_id, operator) = world.register_auditor(&format!("auditor{number}"), bond)?;
                Ok((operator, node_id))
            })
            .collect::<Result<_>>()?;
        let user = world.account("user");
        let client = world.open_session(&user, model, &[(node.node_id, 1_000_000)])?;
        Ok(Town { world, given, datanet, model, tree, node, user, client, auditors })
    }

    /// Asks and answers, half of each answer resting on two contributions.
    fn talk(&mut self, count: usize) {
        for number in 0..count {
            let voucher = self.client.ask(self.node.node_id, &format!("question {number}?"), 20_000);
            let cited = [(self.given[0], 3_000), (self.given[2], 2_000)];
            let receipt = self.node.answer(&self.world, &voucher, Answer::citing(&cited));
            self.client.acknowledge(&receipt);
        }
        self.node.receive(&self.client.acknowledgement(self.node.node_id));
    }

    fn post(&mut self) -> Result<Posting> {
        let session_id = self.client.session_id;
        self.node.post_epoch(&mut self.world, &[session_id])
    }

    /// Posts something else than the node's books say.
    fn post_bent(&mut self, bend: impl FnOnce(&mut Posting)) -> Result<(Posting, Posting)> {
        let honest = self.node.epoch(&self.world, &[self.client.session_id]);
        let mut bent = honest.clone();
        bend(&mut bent);
        let (operator, escrow) = (self.node.operator.clone(), self.world.escrow.clone());
        self.world.execute(&operator, &escrow, &bent.msg(), &[])?;
        Ok((honest, bent))
    }

    fn attest_all(&mut self, epoch: u64) -> Result<()> {
        for (operator, auditor) in self.auditors.clone() {
            self.world.attest(&operator, auditor, self.node.node_id, epoch)?;
        }
        Ok(())
    }

    fn epoch(&self, epoch: u64) -> EpochResponse {
        self.world.epoch(self.node.node_id, epoch).unwrap()
    }

    fn status(&self, epoch: u64) -> RootStatus {
        self.epoch(epoch).status
    }

    fn bond(&self) -> u128 {
        self.world.node(self.node.node_id).unwrap().bond.u128()
    }

    /// The first proof that an auditor finds in a posting.
    fn find(&self, posting: &Posting) -> FiledFault {
        let known = [posting.clone()];
        let findings = Auditor::new(&self.world, &known).audit(posting);
        findings.faults.into_iter().next().unwrap_or_else(|| panic!("nothing found: {:?}", findings.unproved))
    }

    /// Posts the honest root in place of the void one of `epoch`.
    fn replace(&mut self, honest: &Posting, epoch: u64) -> Result<()> {
        let mut commit = honest.commit.clone();
        commit.epoch = epoch + 1;
        let operator = self.node.operator.clone();
        self.world.tell_escrow(&operator, &EscrowMsg::ReplaceEpoch { commit }).map(drop)
    }
}

/// A share of Alice's under Bob's name.
fn steal(world: &World) -> impl Fn(&mut Posting) {
    let of = |name: &str| Account::Contributor(world.address(name).to_string());
    let (alice, bob) = (of("alice"), of("bob"));
    move |posting| posting.redirect(&alice, 0, &bob)
}

#[test]
fn rule_l6_an_attested_root_is_final_after_one_window_and_pays_its_auditors() {
    let mut town = Town::new(3).unwrap();
    town.talk(3);
    town.post().unwrap();
    let window = town.world.profile.escrow.challenge_blocks;
    let node_id = town.node.node_id;
    let finalize = EscrowMsg::Finalize { node_id };
    let anyone = town.user.clone();
    // Without attestations not even all windows are enough, because there is audit weight.
    let posted = town.epoch(1);
    town.world.advance_to(posted.final_at);
    assert!(town.world.tell_escrow(&anyone, &finalize).is_err());
    // One of three is less than the quorum, two are enough; the window is over already.
    assert!(posted.final_at >= posted.posted_at + window);
    for (number, (operator, auditor)) in town.auditors.clone().into_iter().enumerate() {
        if number < 2 {
            assert!(town.world.tell_escrow(&anyone, &finalize).is_err());
        }
        town.world.attest(&operator, auditor, node_id, 1).unwrap();
    }
    town.world.tell_escrow(&anyone, &finalize).unwrap();
    let epoch = town.epoch(1);
    assert_eq!((epoch.status, epoch.attested), (RootStatus::Final, true));
    // F4, I2: audits are paid from a part of the protocol's part, at most half of it.
    let protocol = epoch.fees.u128() * 500 / 10_000;
    assert_eq!(epoch.audit.u128(), protocol * 4_000 / 10_000);
    let denom = town.world.denom.clone();
    for (operator, auditor) in town.auditors.clone() {
        let claim = RefereeMsg::ClaimAudit { auditor, node_id, denom: denom.clone(), epoch: 1 };
        town.world.tell_referee(&anyone, &claim).unwrap();
        assert_eq!(town.world.withdrawable(&operator).unwrap(), epoch.audit.u128() / 3);
        assert!(town.world.tell_referee(&anyone, &claim).is_err(), "an auditor is paid once");
    }
    town.world.assert_invariants();
}

#[test]
fn rule_l6_an_attested_root_within_the_bond_needs_one_window_only() {
    let mut town = Town::new(1).unwrap();
    town.talk(2);
    town.post().unwrap();
    let posted = town.epoch(1);
    town.attest_all(1).unwrap();
    let early = posted.posted_at + town.world.profile.escrow.challenge_blocks;
    assert!(early < posted.final_at);
    let (anyone, node_id) = (town.user.clone(), town.node.node_id);
    if town.world.is_simulated() {
        town.world.advance_to(early - 1);
        assert!(town.world.tell_escrow(&anyone, &EscrowMsg::Finalize { node_id }).is_err());
    }
    town.world.advance_to(early);
    town.world.tell_escrow(&anyone, &EscrowMsg::Finalize { node_id }).unwrap();
    assert_eq!(town.status(1), RootStatus::Final);
}

#[test]
fn rule_f1_a_stolen_share_is_proved_in_one_step() {
    let mut town = Town::new(0).unwrap();
    town.talk(3);
    let bend = steal(&town.world);
    let (honest, bent) = town.post_bent(bend).unwrap();
    let found = town.find(&bent);
    let (finder, node_id) = (town.world.account("finder"), town.node.node_id);
    let bond = town.bond();
    let proof = RefereeMsg::ProveFault { proof: found.into() };
    town.world.tell_referee(&finder, &proof).unwrap();
    // The root is void, a fifth of the bond is gone at once, the finder has less than that.
    assert_eq!(town.status(1), RootStatus::Void);
    let cut = bond * u128::from(town.world.profile.referee.fault_cut_bps) / 10_000;
    assert_eq!(town.bond(), bond - cut);
    let registry = town.world.node_registry.clone();
    let before = town.world.balance(&finder);
    town.world.execute(&finder, &registry, &NodeMsg::WithdrawRewards {}, &[]).unwrap();
    let gained = town.world.balance(&finder) - before;
    assert!(gained > 0 && gained < cut, "{gained} of {cut}");
    // Slash race: whoever comes second finds nothing left to punish.
    let late = town.world.account("late");
    assert!(town.world.tell_referee(&late, &proof).is_err());
    assert_eq!(town.bond(), bond - cut);
    // L7: the honest root takes its place, and Alice gets what is hers.
    town.world.assert_invariants();
    town.replace(&honest, 1).unwrap();
    assert_eq!((town.status(1), town.status(2)), (RootStatus::Replaced, RootStatus::Pending));
    town.world.finalize(node_id).unwrap();
    let alice = town.world.account("alice");
    town.world.claim(&alice, honest.claims()).unwrap();
    assert!(town.world.withdrawable(&alice).unwrap() > 0);
    town.world.assert_invariants();
}

#[test]
fn rule_l7_a_fault_that_is_found_after_finality_touches_the_bond_only() {
    let mut town = Town::new(0).unwrap();
    town.talk(3);
    let bend = steal(&town.world);
    let (_, bent) = town.post_bent(bend).unwrap();
    let found = town.find(&bent);
    let (finder, node_id) = (town.world.account("finder"), town.node.node_id);
    town.world.finalize(node_id).unwrap();
    let (bond, ledger) = (town.bond(), town.world.ledger(node_id).unwrap());
    let proof = RefereeMsg::ProveFault { proof: found.into() };
    town.world.tell_referee(&finder, &proof).unwrap();
    assert!(town.bond() < bond);
    assert_eq!(town.status(1), RootStatus::Final);
    assert_eq!(town.world.ledger(node_id).unwrap(), ledger);
    town.world.assert_invariants();
}

#[test]
fn attack_an_honest_root_cannot_be_convicted() {
    let mut town = Town::new(0).unwrap();
    town.talk(3);
    let honest = town.post().unwrap();
    let known = [honest.clone()];
    let findings = Auditor::new(&town.world, &known).audit(&honest);
    assert!(findings.faults.is_empty() && findings.unproved.is_empty(), "{findings:?}");
    // A proof against another posting, stated of this one, does not stand.
    let mut bent = honest.clone();
    steal(&town.world)(&mut bent);
    let found = town.find(&bent);
    let attacker = town.world.account("attacker");
    let (bond, proof) = (town.bond(), RefereeMsg::ProveFault { proof: found.clone().into() });
    assert!(town.world.tell_referee(&attacker, &proof).is_err(), "the escrow never saw that commitment");
    let stated =
        openledger_types::faults::Stated { commit: Some(honest.commit.clone()), ..found.stated.clone() };
    let proof = RefereeMsg::ProveFault { proof: FiledFault { stated, fault: found.fault }.into() };
    assert!(town.world.tell_referee(&attacker, &proof).is_err());
    // Nor does one that states other terms than the session's.
    let mut facts = Auditor::new(&town.world, &known).facts(town.client.session_id);
    facts.price_out = Uint128::new(1);
    let signed = honest.receipts.receipts[0].clone();
    let stated =
        openledger_types::faults::Stated { commit: Some(honest.commit.clone()), session: Some(facts) };
    let fault = openledger_types::faults::Fault::Arithmetic { receipt: signed };
    assert!(town
        .world
        .tell_referee(&attacker, &RefereeMsg::ProveFault { proof: FiledFault { stated, fault }.into() })
        .is_err());
    assert_eq!((town.bond(), town.status(1)), (bond, RootStatus::Pending));
}

#[test]
fn rule_s2_two_receipts_for_one_request_cost_the_bond() {
    let mut town = Town::new(0).unwrap();
    let node_id = town.node.node_id;
    let voucher = town.client.ask(node_id, "which?", 20_000);
    let first = town.node.answer(&town.world, &voucher, Answer::citing(&[(town.given[0], 5_000)]));
    let mut other = first.receipt.clone();
    other.shares[0].bps = 4_000;
    other.no_evidence = 6_000;
    let second = town.node.sign(other);
    let facts = town.world.session_facts(town.client.session_id, node_id).unwrap();
    let stated = openledger_types::faults::Stated { commit: None, session: Some(facts) };
    let fault = openledger_types::faults::Fault::Equivocation { first, second };
    let (bond, user) = (town.bond(), town.user.clone());
    town.world
        .tell_referee(&user, &RefereeMsg::ProveFault { proof: FiledFault { stated, fault }.into() })
        .unwrap();
    assert!(town.bond() < bond);
    assert!(town.world.node(node_id).unwrap().jailed_until.is_some());
    town.world.assert_invariants();
}

#[test]
fn rule_l6_a_chunk_that_is_demanded_and_not_shown_voids_the_root() {
    let mut town = Town::new(0).unwrap();
    town.talk(3);
    let honest = town.post().unwrap();
    let (demander, node_id) = (town.world.account("demander"), town.node.node_id);
    let before = town.world.balance(&demander);
    // One that is shown costs the demander its bond, which goes to who showed it.
    let shown = town.world.demand_chunk(&demander, node_id, 1, BlobKind::Receipts, 0).unwrap();
    let operator = town.node.operator.clone();
    let blob = to_json_vec(&honest.receipts).unwrap();
    town.world.answer_demand(&operator, shown, &blob).unwrap();
    // One that is not holds the root past its windows and then voids it.
    let held = town.world.demand_chunk(&demander, node_id, 1, BlobKind::Leaves, 0).unwrap();
    let epoch = town.epoch(1);
    assert_eq!(epoch.holds, 1);
    let until = town.world.demand(held).unwrap().until;
    town.world.advance_to(epoch.final_at.max(until + 1));
    assert!(town.world.tell_escrow(&demander, &EscrowMsg::Finalize { node_id }).is_err(), "a demand is open");
    let bond = town.bond();
    town.world.expire_demand(&demander, held).unwrap();
    assert_eq!(town.status(1), RootStatus::Void);
    assert_eq!(town.world.demand(held).unwrap().status, DemandStatus::Expired);
    assert!(town.bond() < bond);
    town.world.tell_referee(&demander, &RefereeMsg::Withdraw {}).unwrap();
    let spent = before - town.world.balance(&demander);
    assert_eq!(spent, town.world.profile.referee.demand_bond.u128(), "one bond of two came back");
    town.world.assert_invariants();
}

fn case(town: &Town, posting: &Posting, number: usize) -> Subject {
    Subject::Receipts {
        node_id: town.node.node_id,
        denom: town.world.denom.clone(),
        epoch: posting.commit.epoch,
        kind: ReceiptFault::Output,
        receipts: vec![posting.held(number)],
    }
}

#[test]
fn rule_f2_a_wrong_answer_is_paid_back_and_the_cut_waits_for_a_veto() {
    let mut town = Town::new(3).unwrap();
    town.talk(3);
    let posting = town.post().unwrap();
    let (challenger, node_id) = (town.world.account("challenger"), town.node.node_id);
    let bond = town.world.profile.referee.case_bond.u128();
    let subject = case(&town, &posting, 0);
    let settled = |town: &Town| {
        let session = town.world.session(town.client.session_id).unwrap();
        (session.protocol + session.developer_part + session.node_part + session.data_part).u128()
    };
    let before = settled(&town);
    let case_id = town.world.open_case(&challenger, subject, bond).unwrap();
    town.world.assert_invariants();
    // F5: an open case freezes the bond.
    let operator = town.node.operator.clone();
    let registry = town.world.node_registry.clone();
    town.world.execute(&operator, &registry, &NodeMsg::Unbond { node_id }, &[]).unwrap();
    assert_eq!(town.world.node(node_id).unwrap().open_cases, 1);
    let auditors = town.auditors.clone();
    let decided = town.world.decide_case(case_id, &auditors, true).unwrap();
    assert_eq!(decided.verdict, Some(Verdict::Guilty));
    // The fee is the session's again, the root is void, the cut is planned and not carried out.
    let fee = posting.receipts.receipts[0].receipt.fee.u128();
    assert_eq!(before - settled(&town), fee);
    assert_eq!(town.status(1), RootStatus::Void);
    let full = town.bond();
    let withdraw = NodeMsg::WithdrawBond { node_id };
    let unbonds = town.world.node(node_id).unwrap().unbonds_at.unwrap();
    town.world.advance_to(unbonds);
    assert!(town.world.execute(&operator, &registry, &withdraw, &[]).is_err(), "a cut waits");
    town.world.advance(town.world.profile.node_registry.veto_blocks);
    town.world.execute(&challenger, &registry, &NodeMsg::ExecuteCut { cut_id: 1 }, &[]).unwrap();
    assert!(town.bond() < full);
    town.world.execute(&operator, &registry, &withdraw, &[]).unwrap();
    assert_eq!(town.world.node(node_id).unwrap().status, NodeStatus::Left);
    town.world.assert_invariants();
}

#[test]
fn rule_f2_silence_releases_what_a_case_held() {
    let mut town = Town::new(3).unwrap();
    town.talk(3);
    let posting = town.post().unwrap();
    town.attest_all(1).unwrap();
    let challenger = town.world.account("challenger");
    let bond = town.world.profile.referee.case_bond.u128();
    let before = town.world.balance(&challenger);
    let subject = case(&town, &posting, 1);
    let case_id = town.world.open_case(&challenger, subject, bond).unwrap();
    // Only the cited receipt is held: the root becomes final on time, short of it.
    town.world.finalize(town.node.node_id).unwrap();
    let short = town.world.ledger(town.node.node_id).unwrap();
    assert!(short.funded < short.ledger.sum);
    town.world.assert_invariants();
    let decided = town.world.decide_case(case_id, &[], true).unwrap();
    assert_eq!(decided.verdict, Some(Verdict::Undecided));
    let whole = town.world.ledger(town.node.node_id).unwrap();
    assert_eq!(whole.funded, whole.ledger.sum);
    town.world.tell_referee(&challenger, &RefereeMsg::Withdraw {}).unwrap();
    assert_eq!(town.world.balance(&challenger), before);
    town.world.claim(&challenger, posting.claims()).unwrap();
    town.world.assert_invariants();
}

#[test]
fn rule_l8_a_node_that_vanishes_leaves_its_data_part_to_the_contributors() {
    let mut town = Town::new(0).unwrap();
    town.talk(4);
    let bend = steal(&town.world);
    let (_, bent) = town.post_bent(bend).unwrap();
    let found = town.find(&bent);
    let (anyone, node_id) = (town.world.account("anyone"), town.node.node_id);
    let proof = RefereeMsg::ProveFault { proof: found.into() };
    town.world.tell_referee(&anyone, &proof).unwrap();
    let close = EscrowMsg::CloseAbandoned { node_id };
    assert!(town.world.tell_escrow(&anyone, &close).is_err(), "the node has E epochs to replace its root");
    let escrow = town.world.profile.escrow.clone();
    town.world.advance(escrow.epoch_blocks * u64::from(escrow.abandoned_epochs) + 1);
    let bond = town.bond();
    town.world.tell_escrow(&anyone, &close).unwrap();
    assert_eq!(town.status(1), RootStatus::Abandoned);
    assert!(town.bond() < bond);
    town.world.assert_invariants();
    // The data part by the training receipt, the node's part to the payer.
    let claim = EscrowMsg::ClaimAbandoned {
        node_id,
        denom: town.world.denom.clone(),
        epoch: 1,
        model_id: town.model.0,
        model_version: town.model.1,
        datanet_id: town.datanet,
        items: town.tree.items(),
    };
    town.world.tell_escrow(&anyone, &claim).unwrap();
    assert!(town.world.tell_escrow(&anyone, &claim).is_err(), "a leaf is paid once");
    let (alice, bob, user) = (town.world.account("alice"), town.world.account("bob"), town.user.clone());
    let (to_alice, to_bob) =
        (town.world.withdrawable(&alice).unwrap(), town.world.withdrawable(&bob).unwrap());
    // Every answer here cites both; training saw later contributions more often, see the tree.
    assert!(to_alice > 0 && to_bob > to_alice, "{to_alice} {to_bob}");
    let before = town.world.withdrawable(&user).unwrap();
    let refund = EscrowMsg::RefundAbandoned { session_id: town.client.session_id, node_id };
    town.world.tell_escrow(&anyone, &refund).unwrap();
    assert!(town.world.withdrawable(&user).unwrap() > before);
    assert!(town.world.tell_escrow(&anyone, &refund).is_err(), "once a session");
    town.world.assert_invariants();
}

#[test]
fn rule_i1_half_of_the_commons_burns_and_half_keeps_the_data() {
    let mut town = Town::new(0).unwrap();
    town.talk(3);
    let posting = town.post().unwrap();
    let (anyone, node_id, denom) = (town.user.clone(), town.node.node_id, town.world.denom.clone());
    town.world.finalize(node_id).unwrap();
    town.world.claim(&anyone, posting.claims()).unwrap();
    let commons = |town: &Town| {
        let answers = town.world.invariants();
        let escrow = &answers.iter().find(|(name, _)| *name == "payable-escrow").unwrap().1;
        let denom = &escrow.denoms[0];
        Uint128::try_from(denom.terms.iter().find(|term| term.name == "commons").unwrap().amount)
            .unwrap()
            .u128()
    };
    let before = commons(&town);
    assert!(before > 1);
    town.world.advance(town.world.profile.escrow.epoch_blocks);
    town.world.sweep_commons(&anyone).unwrap();
    let stored: openledger_types::msg::datanet::StorageResponse = town
        .world
        .query(
            &town.world.datanet,
            &openledger_types::msg::datanet::QueryMsg::Storage { datanet_id: town.datanet },
        )
        .unwrap();
    let deposit = stored.deposits.iter().find(|deposit| deposit.denom == denom).unwrap().amount.u128();
    assert_eq!(deposit, before / 2, "half, rounded down, is the datanet's deposit");
    assert!(commons(&town) <= 1, "the other half is burned, a unit may stay");
    town.world.assert_invariants();
}

#[test]
fn rule_s4_a_receipt_that_was_never_settled_costs_its_node() {
    let mut town = Town::new(0).unwrap();
    let (node_id, session_id, user) = (town.node.node_id, town.client.session_id, town.user.clone());
    let voucher = town.client.ask(node_id, "and?", 20_000);
    let receipt = town.node.answer(&town.world, &voucher, Answer::citing(&[(town.given[0], 5_000)]));
    let accuse = EscrowMsg::ProveUnsettled { receipt };
    assert!(town.world.tell_escrow(&user, &accuse).is_err(), "the session runs");
    town.world.request_close(&user, session_id).unwrap();
    town.world.advance(town.world.profile.escrow.grace_blocks + 1);
    let bond = town.bond();
    town.world.tell_escrow(&user, &accuse).unwrap();
    assert!(town.bond() < bond);
    assert!(town.world.tell_escrow(&user, &accuse).is_err(), "once");
    town.world.refund(&user, session_id).unwrap();
    town.world.assert_invariants();
}

#[test]
fn rule_l11_royalties_reach_the_ancestors_of_a_model() {
    let mut town = Town::new(0).unwrap();
    // The town's model asks nothing; a new one asks 3 % of every fee of its descendants.
    let parent_dev = town.world.account("parent");
    let child_dev = town.world.account("child");
    let version = town.world.version(town.datanet, 1).unwrap().version.version;
    let parent_id = town.world.create_model(&parent_dev).unwrap();
    let mut new = openledger_testing::new_version("parent", &town.world.denom, &[(town.datanet, version)]);
    new.royalty_bps = 300;
    let parent = (parent_id, town.world.register_version(&parent_dev, parent_id, new).unwrap());
    let child_id = town.world.create_model(&child_dev).unwrap();
    let mut new = openledger_testing::new_version("child", &town.world.denom, &[(town.datanet, version)]);
    new.parents =
        openledger_testing::parents(openledger_types::msg::model_registry::ParentKind::Base, &[parent]);
    let child = (child_id, town.world.register_version(&child_dev, child_id, new).unwrap());
    town.client = {
        let user = town.user.clone();
        town.world.open_session(&user, child, &[(town.node.node_id, 500_000)]).unwrap()
    };
    town.talk(3);
    let posting = town.post().unwrap();
    town.world.finalize(town.node.node_id).unwrap();
    let fees = posting.commit.receipts.sum.u128();
    assert_eq!(town.world.withdrawable(&parent_dev).unwrap(), fees * 300 / 10_000);
    assert_eq!(town.world.withdrawable(&child_dev).unwrap(), fees * 1_500 / 10_000 - fees * 300 / 10_000);
    town.world.assert_invariants();
}

#[test]
fn rule_d4_a_withdrawn_source_is_a_fault_after_its_grace() {
    let mut town = Town::new(0).unwrap();
    let (alice, node_id) = (town.world.account("alice"), town.node.node_id);
    let datanet = town.world.datanet.clone();
    let withdraw =
        openledger_types::msg::datanet::ExecuteMsg::Withdraw { contribution_ids: vec![town.given[0]] };
    town.world.execute(&alice, &datanet, &withdraw, &[]).unwrap();
    // Within the grace it may still be cited.
    town.talk(1);
    let early = town.post().unwrap();
    town.world.finalize(node_id).unwrap();
    let accuse = |town: &mut Town, posting: &Posting| {
        let facts = town.world.session_facts(town.client.session_id, node_id).unwrap();
        let stated =
            openledger_types::faults::Stated { commit: Some(posting.commit.clone()), session: Some(facts) };
        let receipt = posting.receipts.receipts[0].clone();
        let fault = openledger_types::faults::Fault::Citation { receipt, contribution_id: town.given[0] };
        let user = town.user.clone();
        town.world.tell_referee(&user, &RefereeMsg::ProveFault { proof: FiledFault { stated, fault }.into() })
    };
    assert!(accuse(&mut town, &early).is_err());
    // After it a node that still cites is guilty.
    town.world.advance(town.world.profile.datanet.withdrawal_grace + 1);
    let user = town.user.clone();
    town.client = town.world.open_session(&user, town.model, &[(node_id, 500_000)]).unwrap();
    town.talk(1);
    let late = town.post().unwrap();
    accuse(&mut town, &late).unwrap();
    assert_eq!(town.status(2), RootStatus::Void);
    town.world.assert_invariants();
}

#[test]
fn a_key_that_a_stranger_proves_is_no_nodes() {
    let mut world = live::world(|_| {});
    let (operator, thief) = (world.account("operator"), world.account("thief"));
    let key = Key::named("key");
    // The proof names the operator: copied out of the mempool it is of no use to another one.
    let msg = openledger_testing::register_msg(&world, &operator, "node", &key);
    let (registry, funds) =
        (world.node_registry.clone(), world.coins(world.profile.node_registry.min_bond.u128()));
    assert!(world.execute(&thief, &registry, &msg, &funds).is_err());
    world.execute(&operator, &registry, &msg, &funds).unwrap();
}
