use openledger_contract::CommonError;
use openledger_datanet::ContractError;
use openledger_merkle::{verify_inclusion, Hash, Tree};
use openledger_testing::{Batch, Document};
use openledger_types::formats::{hash32, withdrawal_leaf};
use openledger_types::msg::datanet::{
    ContributionStatus, QueryMsg, VersionHealthResponse, Withdrawal, WithdrawalsResponse,
};

use crate::common::{fixture, text, Fixture, REVEAL};

fn log(f: &Fixture, start: u64, limit: u32) -> Vec<Withdrawal> {
    let msg = QueryMsg::Withdrawals { datanet_id: f.datanet_id, start, limit: Some(limit) };
    f.ask::<WithdrawalsResponse>(&msg).unwrap().withdrawals
}

fn lost(f: &Fixture, version: u32) -> u64 {
    let msg = QueryMsg::VersionHealth { datanet_id: f.datanet_id, version };
    f.ask::<VersionHealthResponse>(&msg).unwrap().lost
}

#[test]
fn rule_d4_what_no_version_holds_leaves_at_once() {
    let mut f = fixture();
    let (alice, bob, datanet_id) = (f.alice.clone(), f.bob.clone(), f.datanet_id);
    let given = f.world.contribute(&bob, datanet_id, Document::generate(1, 3)).unwrap();
    f.world.withdraw_contributions(&bob, &given[1..2]).unwrap();
    let gone = f.world.contribution(given[1]).unwrap();
    assert_eq!((gone.status, gone.withdrawn_at), (ContributionStatus::Withdrawn, Some(f.world.height())));
    f.world.seal(&alice, datanet_id).unwrap();
    assert_eq!(f.leaves(datanet_id), [given[0], given[2]]);
    assert_eq!(log(&f, 0, 100), [], "nothing to tell: no version held it");
    assert_eq!(lost(&f, 1), 0);
}

#[test]
fn rule_d4_a_sealed_withdrawal_is_provable_in_every_later_version() {
    let mut f = fixture();
    let (alice, bob, datanet_id) = (f.alice.clone(), f.bob.clone(), f.datanet_id);
    let given = f.world.contribute(&bob, datanet_id, Document::generate(1, 5)).unwrap();
    let first = f.world.seal(&alice, datanet_id).unwrap();
    let mut heights = vec![];
    for id in [given[3], given[0], given[2]] {
        f.world.advance(1);
        f.world.withdraw_contributions(&bob, &[id]).unwrap();
        heights.push((id, f.world.height()));
    }
    f.world.contribute(&bob, datanet_id, Document::generate(2, 1)).unwrap();
    f.world.seal(&alice, datanet_id).unwrap();

    // As anyone checks it: the entries are the log, the log is in the version, the entry is a path.
    let entries = log(&f, 0, 100);
    let told: Vec<(u64, u64)> = entries.iter().map(|entry| (entry.contribution_id, entry.height)).collect();
    assert_eq!(told, heights);
    let leaves: Vec<Hash> =
        told.iter().map(|(id, height)| withdrawal_leaf(datanet_id, *id, *height)).collect();
    let tree = Tree::new(leaves.clone()).unwrap();
    let committed = f.world.version(datanet_id, 2).unwrap().withdrawals;
    let root = hash32("root", &committed.root).unwrap();
    assert_eq!((committed.size, root), (3, tree.root()));
    for (index, leaf) in leaves.iter().enumerate() {
        let path = tree.prove(index as u64).unwrap();
        assert!(verify_inclusion(leaf, index as u64, committed.size, &path, &root), "absent from version 2");
    }
    let older = f.world.version(datanet_id, 1).unwrap();
    assert_eq!((older.version, older.withdrawals.size), (first, 0), "sealed roots never change");
    assert_eq!(log(&f, 1, 1).len(), 1);
    assert_eq!(f.world.datanet_of(datanet_id).unwrap().withdrawals, 3);
}

#[test]
fn rule_d4_a_version_of_withdrawals_alone_can_be_sealed_once() {
    let mut f = fixture();
    let (alice, bob, datanet_id) = (f.alice.clone(), f.bob.clone(), f.datanet_id);
    let given = f.world.contribute(&bob, datanet_id, Document::generate(1, 2)).unwrap();
    let first = f.world.seal(&alice, datanet_id).unwrap();
    f.world.withdraw_contributions(&bob, &given).unwrap();
    let second = f.world.seal(&alice, datanet_id).unwrap();
    assert_eq!((second.version, &second.root, second.size), (2, &first.root, first.size));
    let refused = f.world.seal(&alice, datanet_id).unwrap_err();
    assert!(refused.is(&ContractError::EmptyVersion { datanet_id, up_to: f.world.height() }));
}

#[test]
fn a_version_tells_how_many_of_its_contributions_are_gone() {
    let mut f = fixture();
    let (alice, bob, datanet_id) = (f.alice.clone(), f.bob.clone(), f.datanet_id);
    let mut given = vec![];
    for version in 0..9u64 {
        given.push(f.world.contribute(&bob, datanet_id, Document::generate(version, 2)).unwrap());
        f.world.seal(&alice, datanet_id).unwrap();
        if version % 2 == 1 {
            f.world.withdraw_contributions(&bob, &given[version as usize - 1][..1]).unwrap();
        }
    }
    for ids in [&given[8][..1], &given[5][..], &given[0][1..]] {
        f.world.withdraw_contributions(&bob, ids).unwrap();
    }
    // Version n holds what was given up to n: 0, 2, 4 and 6 lost their first, 0 both, 5 both, 8 one.
    let expected = [2, 2, 3, 3, 4, 6, 7, 7, 8];
    for (version, expected) in expected.into_iter().enumerate() {
        assert_eq!(lost(&f, version as u32 + 1), expected, "version {}", version + 1);
    }
}

#[test]
fn a_loss_during_a_seal_in_progress_is_counted() {
    let mut f = fixture();
    let (alice, bob, datanet_id) = (f.alice.clone(), f.bob.clone(), f.datanet_id);
    f.world.contribute(&bob, datanet_id, Document::generate(1, 1)).unwrap();
    f.world.seal(&alice, datanet_id).unwrap();
    let given = f.world.contribute(&bob, datanet_id, Document::generate(2, 3)).unwrap();
    f.seal_later(None, Some(1)).unwrap();
    f.world.withdraw_contributions(&bob, &given[..2]).unwrap();
    f.seal(None, None).unwrap();
    assert_eq!((lost(&f, 1), lost(&f, 2)), (0, 1), "the second left before any version took it");
    assert_eq!(f.leaves(datanet_id).len(), 3);
}

#[test]
fn rule_d2_a_withdrawn_text_is_still_its_contributors() {
    let mut f = fixture();
    let (alice, bob, datanet_id) = (f.alice.clone(), f.bob.clone(), f.datanet_id);
    let other = f.world.create_datanet(&alice).unwrap();
    let given = f.world.contribute(&bob, datanet_id, text("the words")).unwrap();
    f.world.withdraw_contributions(&bob, &given).unwrap();
    let refused = f.world.contribute(&alice, other, text("the words")).unwrap_err();
    assert!(refused.is(&ContractError::MatchTaken { index: 0, contribution_id: given[0] }));
    let again = f.world.contribute(&bob, other, text("the words")).unwrap();
    assert_eq!(f.world.status(again[0]).unwrap(), ContributionStatus::Accepted);
    assert_eq!(f.world.status(given[0]).unwrap(), ContributionStatus::Withdrawn);
    // In a version it stays for ever, so the text cannot be given a second time.
    f.world.advance(REVEAL);
    f.world.seal(&alice, other).unwrap();
    f.world.withdraw_contributions(&bob, &again).unwrap();
    assert!(f.world.contribute(&bob, datanet_id, text("the words")).is_err());
}

#[test]
fn finding_p6_a_contribution_is_withdrawn_once_and_only_by_its_contributor() {
    let mut f = fixture();
    let (alice, bob, datanet_id) = (f.alice.clone(), f.bob.clone(), f.datanet_id);
    let given = f.world.contribute(&bob, datanet_id, Document::generate(1, 3)).unwrap();
    f.world.seal(&alice, datanet_id).unwrap();
    let refused = f.world.withdraw_contributions(&alice, &given[..1]).unwrap_err();
    assert!(refused.is(&CommonError::Unauthorized { role: "the contributor" }));
    for ids in [vec![], vec![given[0]; 2], vec![given[1], given[0]], (1..=65).collect()] {
        assert!(f.world.withdraw_contributions(&bob, &ids).unwrap_err().0.starts_with("contribution_ids"));
    }
    f.world.withdraw_contributions(&bob, &given[..2]).unwrap();
    let gone = ContractError::AlreadyGone { contribution_id: given[1] };
    assert!(f.world.withdraw_contributions(&bob, &given[1..]).unwrap_err().is(&gone));
    assert_eq!(f.world.status(given[2]).unwrap(), ContributionStatus::Sealed, "nothing of a refused message");
}

#[test]
fn rule_d4_a_sealed_duplicate_can_be_withdrawn_and_an_unsealed_one_is_gone() {
    let mut f = fixture();
    let (alice, bob, datanet_id) = (f.alice.clone(), f.bob.clone(), f.datanet_id);
    let other = f.world.create_datanet(&bob).unwrap();
    let early = Batch::new(&bob, [text("one"), text("two")].concat());
    let early_id = f.world.commit(&bob, other, &early).unwrap();
    f.world.advance(1);
    let sealed = f.world.contribute(&alice, datanet_id, text("one")).unwrap();
    f.world.seal(&alice, datanet_id).unwrap();
    let waiting = f.world.contribute(&alice, datanet_id, text("two")).unwrap();
    f.world.reveal(&bob, early_id, early.items()).unwrap();
    f.world.withdraw_contributions(&alice, &sealed).unwrap();
    assert_eq!(log(&f, 0, 10).len(), 1);
    assert!(f.world.withdraw_contributions(&alice, &waiting).is_err());
}

#[test]
fn rule_a1_pause_does_not_stop_withdrawals() {
    let mut f = fixture();
    let (owner, bob, datanet_id) = (f.world.owner.clone(), f.bob.clone(), f.datanet_id);
    let given = f.world.contribute(&bob, datanet_id, Document::generate(1, 1)).unwrap();
    let pause = openledger_types::msg::datanet::ExecuteMsg::SetPaused { paused: true };
    f.send(&owner, &pause).unwrap();
    assert!(f.world.withdraw_contributions(&bob, &given).is_ok());
}
