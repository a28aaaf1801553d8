//! `HoldContribution` and `ConvictContribution`.

use openledger_datanet::ContractError;
use openledger_testing::{attribute, Batch, Document};
use openledger_types::msg::datanet::{ContributionStatus, ExecuteMsg, QueryMsg, VersionHealthResponse};

use crate::common::{fixture, text, BOND, WINDOW};

#[test]
fn a_challenged_contribution_is_in_no_version_until_it_is_cleared() {
    let mut f = fixture();
    let (alice, bob, datanet_id) = (f.alice.clone(), f.bob.clone(), f.datanet_id);
    let given = f.world.contribute(&bob, datanet_id, Document::generate(1, 5)).unwrap();
    f.hold(given[2], true).unwrap();
    assert_eq!(f.world.status(given[2]).unwrap(), ContributionStatus::Challenged);
    assert_eq!(f.world.seal(&alice, datanet_id).unwrap().size, 4);
    f.hold(given[2], false).unwrap();
    assert_eq!(f.world.status(given[2]).unwrap(), ContributionStatus::Accepted);
    assert_eq!(f.world.seal(&alice, datanet_id).unwrap().size, 5);
    assert_eq!(f.leaves(datanet_id), [given[0], given[1], given[3], given[4], given[2]]);
}

#[test]
fn the_ends_and_the_middle_of_a_run_leave_the_queue_alone() {
    let mut f = fixture();
    let (alice, bob, datanet_id) = (f.alice.clone(), f.bob.clone(), f.datanet_id);
    let given = f.world.contribute(&bob, datanet_id, Document::generate(1, 9)).unwrap();
    for at in [0, 8, 4, 3, 5, 1] {
        f.hold(given[at], true).unwrap();
    }
    f.hold(given[3], false).unwrap();
    f.world.seal(&alice, datanet_id).unwrap();
    assert_eq!(f.leaves(datanet_id), [given[2], given[3], given[6], given[7]]);
}

#[test]
fn rule_f5_part_of_a_slashed_bond_is_burned_and_accusing_oneself_loses() {
    let mut f = fixture();
    let (carol, datanet_id) = (f.world.account("carol"), f.datanet_id);
    let before = f.world.balance(&carol);
    let given = f.world.contribute(&carol, datanet_id, text("stolen words")).unwrap();
    let supply = f.world.balance(&f.world.datanet.clone());
    f.convict(given[0], None).unwrap();
    // 40 % to the finder, 30 % burned, the rest to the treasury.
    assert_eq!(f.withdrawable(&carol), BOND * 4 / 10);
    assert_eq!(f.term("treasury"), BOND * 3 / 10);
    assert_eq!(f.world.balance(&f.world.datanet.clone()), supply - BOND * 3 / 10);
    f.world.withdraw_bonds(&carol).unwrap();
    assert!(f.world.balance(&carol) < before);
    f.world.assert_invariants();
}

#[test]
fn finding_p2_parts_of_a_slashed_bond_are_rounded_down_and_the_treasury_gets_the_rest() {
    let mut f = fixture();
    let (owner, bob, carol, datanet_id) =
        (f.world.owner.clone(), f.bob.clone(), f.world.account("carol"), f.datanet_id);
    let mut params = f.world.profile.datanet.clone();
    params.commit_bond = 7u128.into();
    f.send(&owner, &ExecuteMsg::UpdateParams { params }).unwrap();
    f.world.profile.datanet.commit_bond = 7u128.into();
    let given = f.world.contribute(&bob, datanet_id, text("stolen words")).unwrap();
    let held = f.world.balance(&f.world.datanet.clone());
    f.convict(given[0], None).unwrap();
    assert_eq!((f.withdrawable(&carol), f.term("treasury")), (2, 3));
    assert_eq!(f.world.balance(&f.world.datanet.clone()), held - 2);
}

#[test]
fn a_convicted_contribution_leaves_the_queue_and_frees_its_text() {
    let mut f = fixture();
    let (alice, bob, datanet_id) = (f.alice.clone(), f.bob.clone(), f.datanet_id);
    let given = f.world.contribute(&bob, datanet_id, [text("her words"), text("his")].concat()).unwrap();
    f.hold(given[0], true).unwrap();
    f.convict(given[0], None).unwrap();
    let gone = f.world.contribution(given[0]).unwrap();
    assert_eq!((gone.status, gone.reason.as_deref()), (ContributionStatus::Rejected, Some("copied")));
    f.hold(given[0], false).unwrap();
    // The true author, who came later, can give them now.
    let own = f.world.contribute(&alice, datanet_id, text("her words")).unwrap();
    assert_eq!(f.world.status(own[0]).unwrap(), ContributionStatus::Accepted);
    assert_eq!(f.world.seal(&alice, datanet_id).unwrap().size, 2);
    assert_eq!(f.leaves(datanet_id), [given[1], own[0]]);
}

#[test]
fn rule_d4_a_verdict_on_a_sealed_contribution_counts_as_its_withdrawal() {
    let mut f = fixture();
    let (alice, bob, datanet_id) = (f.alice.clone(), f.bob.clone(), f.datanet_id);
    let given = f.world.contribute(&bob, datanet_id, Document::generate(1, 3)).unwrap();
    let version = f.world.seal(&alice, datanet_id).unwrap();
    f.convict(given[1], Some(given[0])).unwrap();
    let gone = f.world.contribution(given[1]).unwrap();
    assert_eq!((gone.status, gone.duplicate_of), (ContributionStatus::Duplicate, Some(given[0])));
    assert_eq!((gone.withdrawn_at, gone.position), (Some(f.world.height()), Some(1)));
    assert_eq!(f.world.version(datanet_id, 1).unwrap().version, version, "sealed roots never change");
    f.convict(given[1], None).unwrap();
    let health: VersionHealthResponse = f.ask(&QueryMsg::VersionHealth { datanet_id, version: 1 }).unwrap();
    assert_eq!((health.size, health.lost), (3, 1), "counted once");
    let refused = f.world.withdraw_contributions(&bob, &[given[1]]).unwrap_err();
    assert!(refused.is(&ContractError::AlreadyGone { contribution_id: given[1] }));
}

#[test]
fn rule_d2_verdicts_change_clusters_also_across_datanets() {
    let mut f = fixture();
    let (alice, bob, datanet_id) = (f.alice.clone(), f.bob.clone(), f.datanet_id);
    let other = f.world.create_datanet(&alice).unwrap();
    let thief = f.world.contribute(&bob, other, text("scraped words")).unwrap()[0];
    f.world.advance(1);
    let batch = Batch::new(&alice, [text("true words"), text("more words")].concat());
    let commit_id = f.world.commit(&alice, datanet_id, &batch).unwrap();
    let mut items = batch.items();
    items[0].near_duplicate_of = Some(thief);
    items[1].near_duplicate_of = Some(thief);
    let own = f.world.reveal(&alice, commit_id, items).unwrap();
    let cluster = |f: &crate::common::Fixture, id| f.world.contribution(id).unwrap().cluster;
    assert_eq!((cluster(&f, own[0]), cluster(&f, own[1])), (thief, thief));
    // The original was committed later: it becomes the first of its cluster, without a ring.
    f.convict(thief, Some(own[0])).unwrap();
    assert_eq!([thief, own[0], own[1]].map(|id| cluster(&f, id)), [own[0]; 3]);
    // A claim that is wrong is dropped.
    f.convict(own[1], None).unwrap();
    assert_eq!(
        (cluster(&f, own[1]), f.world.status(own[1]).unwrap()),
        (own[1], ContributionStatus::Rejected)
    );
    f.convict(own[1], Some(thief)).unwrap();
    assert_eq!(cluster(&f, own[1]), own[0], "pointers lead to the root");
    f.convict(own[0], Some(own[1])).unwrap();
    assert_eq!([thief, own[0], own[1]].map(|id| cluster(&f, id)), [own[1]; 3]);
}

#[test]
fn a_verdict_on_nothing_does_not_get_stuck() {
    let mut f = fixture();
    let (bob, datanet_id) = (f.bob.clone(), f.datanet_id);
    let given = f.world.contribute(&bob, datanet_id, Document::generate(1, 2)).unwrap();
    for (id, of) in [(given[0], 99), (given[1], given[1])] {
        let done = f.convict(id, Some(of)).unwrap();
        assert_eq!(attribute(&done, "contribution_convicted", "slashed"), Some(BOND.to_string()));
        assert_eq!(f.world.status(id).unwrap(), ContributionStatus::Rejected);
    }
    let missing = ContractError::ContributionNotFound { contribution_id: 99 };
    assert!(f.convict(99, None).unwrap_err().is(&missing));
    assert!(f.hold(99, true).unwrap_err().is(&missing));
}

#[test]
fn withdrawing_a_challenged_contribution_does_not_save_its_bond() {
    let mut f = fixture();
    let (bob, datanet_id) = (f.bob.clone(), f.datanet_id);
    let given = f.world.contribute(&bob, datanet_id, Document::generate(1, 2)).unwrap();
    f.hold(given[0], true).unwrap();
    f.world.withdraw_contributions(&bob, &given).unwrap();
    f.world.advance(WINDOW + 1);
    f.world.release_bonds(&bob, 1).unwrap();
    assert_eq!(f.withdrawable(&bob), BOND);
    f.convict(given[0], None).unwrap();
    assert_eq!((f.withdrawable(&bob), f.term("bonds_at_stake")), (BOND, 0));
}
