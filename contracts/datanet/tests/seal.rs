use openledger_datanet::execute::seal::MAX_EXPIRED;
use openledger_datanet::ContractError;
use openledger_merkle::{Hash, Tree};
use openledger_testing::{attribute, Batch, Document};
use openledger_types::formats::hash32;
use openledger_types::msg::datanet::{ContributionStatus, ExecuteMsg, LeavesResponse, QueryMsg};

use crate::common::{fixture, text, Fixture, BOND, REVEAL, WINDOW};

/// The version tree as anyone rebuilds it from the leaves.
fn rebuilt(f: &Fixture, size: u64) -> Hash {
    let mut leaves = vec![];
    while (leaves.len() as u64) < size {
        let start = leaves.len() as u64;
        let msg = QueryMsg::Leaves { datanet_id: f.datanet_id, start, limit: Some(100) };
        let page = f.ask::<LeavesResponse>(&msg).unwrap().leaves;
        assert!(!page.is_empty());
        leaves.extend(page.iter().map(|facts| facts.leaf()));
    }
    leaves.truncate(size as usize);
    Tree::new(leaves).unwrap().root()
}

#[test]
fn a_version_is_a_tree_over_contributions_in_the_order_of_commits() {
    let mut f = fixture();
    let (alice, bob, datanet_id) = (f.alice.clone(), f.bob.clone(), f.datanet_id);
    let first = Batch::new(&bob, Document::generate(1, 3));
    let second = Batch::new(&alice, Document::generate(2, 2));
    let first_id = f.world.commit(&bob, datanet_id, &first).unwrap();
    let second_id = f.world.commit(&alice, datanet_id, &second).unwrap();
    // Revealed the other way round.
    let late = f.world.reveal(&alice, second_id, second.items()).unwrap();
    let early = f.world.reveal(&bob, first_id, first.items()).unwrap();
    let version = f.world.seal(&alice, datanet_id).unwrap();
    assert_eq!((version.version, version.size), (1, 5));
    assert_eq!(hash32("root", &version.root).unwrap(), rebuilt(&f, 5));
    let order: Vec<u64> = f
        .ask::<LeavesResponse>(&QueryMsg::Leaves { datanet_id, start: 0, limit: Some(100) })
        .unwrap()
        .leaves
        .iter()
        .map(|facts| facts.contribution_id)
        .collect();
    assert_eq!(order, [early, late].concat());
    let sealed = f.world.contribution(order[1]).unwrap();
    assert_eq!(sealed.status, ContributionStatus::Sealed);
    assert_eq!((sealed.version, sealed.position), (Some(1), Some(1)));
}

#[test]
fn an_older_version_is_a_prefix_of_the_newer() {
    let mut f = fixture();
    let (alice, datanet_id) = (f.alice.clone(), f.datanet_id);
    f.world.contribute(&alice, datanet_id, Document::generate(1, 7)).unwrap();
    let one = f.world.seal(&alice, datanet_id).unwrap();
    f.world.advance(1);
    f.world.contribute(&alice, datanet_id, Document::generate(2, 6)).unwrap();
    let two = f.world.seal(&alice, datanet_id).unwrap();
    assert_eq!((two.version, two.size), (2, 13));
    assert_eq!(hash32("root", &one.root).unwrap(), rebuilt(&f, 7));
    assert_eq!(hash32("root", &two.root).unwrap(), rebuilt(&f, 13));
}

#[test]
fn rule_d1_an_open_earlier_commit_stops_the_seal() {
    let mut f = fixture();
    let (alice, bob, datanet_id) = (f.alice.clone(), f.bob.clone(), f.datanet_id);
    f.world.contribute(&alice, datanet_id, Document::generate(1, 2)).unwrap();
    let before = f.world.height();
    f.world.advance(1);
    let batch = Batch::new(&bob, Document::generate(2, 2));
    let commit_id = f.world.commit(&bob, datanet_id, &batch).unwrap();
    let expires = f.world.height() + REVEAL;
    f.world.reveal(&bob, commit_id, vec![batch.item(0)]).unwrap();
    f.world.advance(1);

    let refused = f.seal(None, None).unwrap_err();
    assert!(refused.is(&ContractError::OpenCommit { commit_id, expires }));
    let refused = f.seal(Some(before + 1), None).unwrap_err();
    assert!(refused.is(&ContractError::OpenCommit { commit_id, expires }));
    f.seal_later(Some(before), None).unwrap();
    assert_eq!(f.world.version(datanet_id, 1).unwrap().version.size, 2, "up to an earlier height it goes");

    f.world.advance_to(expires);
    assert!(f.seal(None, None).unwrap_err().is(&ContractError::OpenCommit { commit_id, expires }));
    f.world.advance(1);
    f.seal(None, None).unwrap();
    assert_eq!(f.world.version(datanet_id, 2).unwrap().version.size, 3, "expired commits do not stop it");
}

#[test]
fn rule_d1_an_open_commit_of_another_datanet_does_not_stop_the_seal() {
    let mut f = fixture();
    let (alice, bob, datanet_id) = (f.alice.clone(), f.bob.clone(), f.datanet_id);
    let other = f.world.create_datanet(&bob).unwrap();
    f.world.commit(&bob, other, &Batch::new(&bob, Document::generate(2, 1))).unwrap();
    f.world.contribute(&alice, datanet_id, Document::generate(1, 2)).unwrap();
    assert!(f.world.seal(&alice, datanet_id).is_ok());
}

#[test]
fn rule_d1_the_walk_over_expired_commits_is_bounded() {
    let mut f = fixture();
    let (alice, datanet_id) = (f.alice.clone(), f.datanet_id);
    let batch = Batch::new(&alice, text("never revealed"));
    for _ in 0..=MAX_EXPIRED {
        f.world.commit(&alice, datanet_id, &batch).unwrap();
    }
    f.world.contribute(&alice, datanet_id, Document::generate(1, 1)).unwrap();
    f.world.advance(REVEAL + 1);
    let refused = f.seal(None, None).unwrap_err();
    assert!(refused.is(&ContractError::TooManyExpired { bound: MAX_EXPIRED, commit_id: 1 }));
    f.world.expire_commit(&alice, 1).unwrap();
    f.seal(None, None).unwrap();
    assert_eq!(f.term("treasury"), BOND);
}

#[test]
fn a_seal_in_several_messages_keeps_its_height() {
    let mut f = fixture();
    let (alice, bob, datanet_id) = (f.alice.clone(), f.bob.clone(), f.datanet_id);
    f.world.contribute(&bob, datanet_id, Document::generate(1, 5)).unwrap();
    f.world.advance(WINDOW);
    let up_to = f.world.height();
    let begun = f.seal(None, Some(2)).unwrap();
    assert_eq!(attribute(&begun, "wasm", "complete").as_deref(), Some("false"));
    // Given in the same block and later: after the seal's place, so not in this version.
    f.world.contribute(&bob, datanet_id, Document::generate(2, 1)).unwrap();
    f.world.advance(1);
    f.world.contribute(&bob, datanet_id, Document::generate(3, 1)).unwrap();

    let refused = f.seal(Some(up_to + 1), Some(2)).unwrap_err();
    assert!(refused.is(&ContractError::SealInProgress { up_to }));
    let refused = f.world.version(datanet_id, 1).unwrap_err();
    assert!(refused.is(&ContractError::VersionNotFound { datanet_id, version: 1 }));
    assert_eq!(f.world.datanet_of(datanet_id).unwrap().leaves, 2);
    f.seal(None, Some(2)).unwrap();
    let done = f.seal(Some(up_to), Some(2)).unwrap();
    assert_eq!(attribute(&done, "wasm", "complete").as_deref(), Some("true"));
    let version = f.world.version(datanet_id, 1).unwrap().version;
    assert_eq!(version.size, 5);
    assert_eq!(hash32("root", &version.root).unwrap(), rebuilt(&f, 5));
    assert_eq!(f.world.seal(&alice, datanet_id).unwrap().size, 7);
}

#[test]
fn a_seal_whose_rest_became_duplicates_still_ends() {
    let mut f = fixture();
    let (alice, bob, datanet_id) = (f.alice.clone(), f.bob.clone(), f.datanet_id);
    let other = f.world.create_datanet(&bob).unwrap();
    let early = Batch::new(&bob, text("b"));
    let early_id = f.world.commit(&bob, other, &early).unwrap();
    f.world.contribute(&alice, datanet_id, [text("a"), text("b")].concat()).unwrap();
    f.seal_later(None, Some(1)).unwrap();
    f.world.reveal(&bob, early_id, early.items()).unwrap();
    f.seal(None, Some(1)).unwrap();
    assert_eq!(f.world.version(datanet_id, 1).unwrap().version.size, 1);
}

#[test]
fn an_empty_version_and_wrong_bounds_are_refused() {
    let mut f = fixture();
    let (alice, bob, datanet_id) = (f.alice.clone(), f.bob.clone(), f.datanet_id);
    let up_to = f.world.height();
    assert!(f.seal(None, None).unwrap_err().is(&ContractError::EmptyVersion { datanet_id, up_to }));
    f.world.contribute(&alice, datanet_id, Document::generate(1, 1)).unwrap();
    let refused = f.seal(Some(up_to - 1), None).unwrap_err();
    assert!(refused.is(&ContractError::EmptyVersion { datanet_id, up_to: up_to - 1 }));
    assert!(f.seal(Some(up_to + 1), None).unwrap_err().0.starts_with("up_to"));
    for limit in [0, 257] {
        assert!(f.seal(None, Some(limit)).unwrap_err().0.starts_with("limit"));
    }
    let refused = f.send(&bob, &ExecuteMsg::Seal { datanet_id, up_to: None, limit: None }).unwrap_err();
    assert!(refused.0.contains("the datanet's owner"));
    f.seal_later(None, None).unwrap();
    assert!(f.seal(None, None).is_err(), "nothing new");
}

#[test]
fn rule_d5_a_version_pins_what_its_datanet_asks() {
    let mut f = fixture();
    let (alice, datanet_id) = (f.alice.clone(), f.datanet_id);
    f.world.contribute(&alice, datanet_id, Document::generate(1, 1)).unwrap();
    f.world.seal(&alice, datanet_id).unwrap();
    let version = f.world.version(datanet_id, 1).unwrap();
    assert_eq!((version.min_data_bps, version.floor_per_token.u128()), (3_000, 50));
    assert_eq!(version.sealed_at, f.world.height());
}

#[test]
fn a_seal_waits_for_what_can_still_be_challenged_or_stops_before_it() {
    let mut f = fixture();
    let (bob, datanet_id) = (f.bob.clone(), f.datanet_id);
    let old = f.world.contribute(&bob, datanet_id, Document::generate(1, 2)).unwrap();
    f.world.advance(WINDOW / 2);
    let before = f.world.height();
    let young = f.world.contribute(&bob, datanet_id, Document::generate(2, 2)).unwrap();
    let accepted_at = before + WINDOW;
    f.world.advance(WINDOW / 2);
    let refused = f.seal(None, None).unwrap_err();
    let waits = ContractError::NotAccepted { contribution_id: young[0], accepted_at, before };
    assert!(refused.is(&waits), "{refused}");
    f.seal(Some(before - 1), None).unwrap();
    assert_eq!(f.leaves(datanet_id), old);
    f.world.advance_to(accepted_at - 1);
    assert!(f.seal(None, None).is_err());
    f.world.advance(1);
    f.seal(None, None).unwrap();
    assert_eq!(f.leaves(datanet_id), [old, young].concat());
}

#[test]
fn a_seal_in_progress_waits_for_what_came_back_into_the_queue() {
    let mut f = fixture();
    let (bob, datanet_id) = (f.bob.clone(), f.datanet_id);
    let given = f.world.contribute(&bob, datanet_id, Document::generate(1, 4)).unwrap();
    f.hold(given[0], true).unwrap();
    f.seal_later(None, Some(2)).unwrap();
    f.hold(given[0], false).unwrap();
    f.seal(None, None).unwrap();
    assert_eq!(f.leaves(datanet_id), [given[1], given[2], given[0], given[3]]);
}
