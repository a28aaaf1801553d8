use cosmwasm_std::HexBinary;
use openledger_model_registry::ContractError;
use openledger_testing::{attributes, training_root_of, ModelRef, TrainingTree};
use openledger_types::msg::datanet::TrainingItem;
use openledger_types::msg::model_registry::{QueryMsg, TrainingUsageResponse, TrainingUse};

use crate::common::{fixture, Fixture};

/// What training saw: contributions of datanet 1 and of datanet 2.
const FIRST: [(u64, u64); 3] = [(1, 4), (2, 1), (5, 2)];
const SECOND: [(u64, u64); 2] = [(3, 7), (9, 1)];

/// A version of Bob's whose training receipts are these.
fn trained(f: &mut Fixture, name: u8, trees: [&TrainingTree; 2]) -> ModelRef {
    let roots = trees.map(TrainingTree::root);
    let version = f.register(|v| {
        v.manifest_hash = HexBinary::from([name; 32]);
        for (datanet, root) in v.datanets.iter_mut().zip(roots) {
            datanet.training = root;
        }
        v.training_root = training_root_of(&v.datanets);
    });
    (f.model_id, version.unwrap())
}

fn usual(f: &mut Fixture, name: u8) -> (ModelRef, TrainingTree, TrainingTree) {
    let (first, second) = (TrainingTree::new(&FIRST), TrainingTree::new(&SECOND));
    (trained(f, name, [&first, &second]), first, second)
}

fn uses(f: &Fixture, contribution_id: u64) -> u64 {
    f.world.training_usage(contribution_id).unwrap().times_seen
}

#[test]
fn what_the_receipt_proves_is_counted_by_contribution() {
    let mut f = fixture();
    let (place, first, second) = usual(&mut f, 1);
    let stranger = f.world.account("stranger");
    let done = f.world.prove_training(&stranger, place, 1, first.items()).unwrap();
    assert_eq!(attributes(&done, "training_proved", "contribution_id"), ["1", "2", "5"]);
    assert_eq!(attributes(&done, "training_proved", "times_seen"), ["4", "1", "2"]);
    f.world.prove_training(&stranger, place, 2, vec![second.item(1)]).unwrap();
    assert_eq!([1, 2, 5, 3, 9, 4].map(|id| uses(&f, id)), [4, 1, 2, 0, 1, 0]);
}

#[test]
fn uses_of_several_versions_add_up() {
    let mut f = fixture();
    let (one, first, _) = usual(&mut f, 1);
    let (two, ..) = usual(&mut f, 2);
    let bob = f.bob.clone();
    for place in [one, two] {
        f.world.prove_training(&bob, place, 1, first.items()).unwrap();
    }
    let usage = f.world.training_usage(1).unwrap();
    let entry = |(model_id, version)| TrainingUse { model_id, version, times_seen: 4 };
    assert_eq!(usage, TrainingUsageResponse { times_seen: 8, entries: vec![entry(one), entry(two)] });
}

#[test]
fn finding_p6_a_use_is_counted_once() {
    let mut f = fixture();
    let (place, first, _) = usual(&mut f, 1);
    let bob = f.bob.clone();
    // Named twice in one message, then again, then together with what is new.
    f.world.prove_training(&bob, place, 1, vec![first.item(0), first.item(0)]).unwrap();
    assert_eq!(uses(&f, 1), 4);
    let refused = f.world.prove_training(&bob, place, 1, vec![first.item(0)]).unwrap_err();
    assert!(refused.is(&ContractError::AlreadyCounted {}), "{refused}");
    f.world.prove_training(&bob, place, 1, first.items()).unwrap();
    assert_eq!([1, 2, 5].map(|id| uses(&f, id)), [4, 1, 2]);
}

#[test]
fn attack_a_receipt_that_names_a_contribution_twice_counts_once() {
    let mut f = fixture();
    let (first, second) = (TrainingTree::new(&[(1, 4), (1, 5)]), TrainingTree::new(&[(1, 6)]));
    let place = trained(&mut f, 1, [&first, &second]);
    let bob = f.bob.clone();
    f.world.prove_training(&bob, place, 1, first.items()).unwrap();
    assert_eq!(uses(&f, 1), 4);
    let refused = f.world.prove_training(&bob, place, 2, second.items()).unwrap_err();
    assert!(refused.is(&ContractError::AlreadyCounted {}), "{refused}");
}

#[test]
fn attack_a_proof_of_the_wrong_leaf_place_depth_or_tree_is_refused() {
    let mut f = fixture();
    let (place, first, second) = usual(&mut f, 1);
    let bob = f.bob.clone();
    type Change = fn(&mut TrainingItem);
    let changes: [Change; 8] = [
        |i| i.times_seen += 1,
        |i| i.contribution_id = 7,
        |i| i.index = 1,
        |i| i.index = 3,
        |i| i.index = u64::MAX,
        |i| {
            i.path.pop();
        },
        |i| i.path = [i.path.to_vec(), vec![i.path[0]]].concat().into(),
        |i| i.path[0].sum += 1,
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut item = first.item(0);
        change(&mut item);
        let expected =
            ContractError::TrainingProof { contribution_id: item.contribution_id, index: item.index };
        let refused = f.world.prove_training(&bob, place, 1, vec![item]).unwrap_err();
        assert!(refused.is(&expected), "{number}: {refused}");
    }
    // An inner node passed off as a leaf, and a leaf of the other datanet's tree.
    let mut inner = first.item(2);
    (inner.index, inner.path) = (0, vec![].into());
    assert!(f.world.prove_training(&bob, place, 1, vec![inner]).is_err());
    let refused = f.world.prove_training(&bob, place, 1, vec![second.item(0)]).unwrap_err();
    assert!(refused.is(&ContractError::TrainingProof { contribution_id: 3, index: 0 }), "{refused}");
    // One bad leaf undoes the whole message.
    let mut bad = first.item(1);
    bad.times_seen = 9;
    assert!(f.world.prove_training(&bob, place, 1, vec![first.item(0), bad]).is_err());
    assert_eq!([1, 2, 3, 5, 7].map(|id| uses(&f, id)), [0; 5]);
}

#[test]
fn attack_an_absurd_receipt_does_not_stop_honest_ones() {
    let mut f = fixture();
    let absurd = TrainingTree::new(&[(1, u64::MAX)]);
    let (honest, other) = (TrainingTree::new(&[(1, 4)]), TrainingTree::new(&[(3, 1)]));
    let (bad, good) = (trained(&mut f, 1, [&absurd, &other]), trained(&mut f, 2, [&honest, &other]));
    let bob = f.bob.clone();
    f.world.prove_training(&bob, bad, 1, absurd.items()).unwrap();
    f.world.prove_training(&bob, good, 1, honest.items()).unwrap();
    let usage = f.world.training_usage(1).unwrap();
    assert_eq!(usage.times_seen, u64::MAX, "the sum stays at its top");
    assert_eq!(usage.entries[1].times_seen, 4, "and the honest version is counted");
}

#[test]
fn a_contribution_that_was_not_seen_is_not_counted() {
    let mut f = fixture();
    let (first, second) = (TrainingTree::new(&[(1, 2), (2, 0)]), TrainingTree::new(&SECOND));
    let place = trained(&mut f, 1, [&first, &second]);
    let bob = f.bob.clone();
    let refused = f.world.prove_training(&bob, place, 1, vec![first.item(1)]).unwrap_err();
    assert!(refused.0.starts_with("items.times_seen"), "{refused}");
}

#[test]
fn finding_p4_leaves_of_a_message_are_bounded_and_usage_is_paged() {
    let mut f = fixture();
    let (place, first, second) = usual(&mut f, 1);
    let bob = f.bob.clone();
    for items in [vec![], vec![first.item(0); 33]] {
        let refused = f.world.prove_training(&bob, place, 1, items).unwrap_err();
        assert!(refused.0.starts_with("items"), "{refused}");
    }
    f.world.prove_training(&bob, place, 1, vec![first.item(0); 32]).unwrap();
    for name in 2..=35 {
        let place = trained(&mut f, name, [&first, &second]);
        f.world.prove_training(&bob, place, 1, vec![first.item(0)]).unwrap();
    }
    let page = |start_after, limit| {
        let msg = QueryMsg::Usage { contribution_id: 1, start_after, limit };
        let usage: TrainingUsageResponse = f.ask(&msg).unwrap();
        assert_eq!(usage.times_seen, 4 * 35, "the sum is over all pages");
        usage.entries.iter().map(|entry| entry.version).collect::<Vec<_>>()
    };
    assert_eq!(page(None, None), (1..=10).collect::<Vec<_>>());
    assert_eq!(page(None, Some(99)).len(), 30);
    assert_eq!(page(Some((place.0, 33)), None), [34, 35]);
    assert!(page(Some((place.0 + 1, 0)), None).is_empty());
}

#[test]
fn what_is_not_there_is_refused() {
    let mut f = fixture();
    let ((model_id, version), first, _) = usual(&mut f, 1);
    let bob = f.bob.clone();
    let refused = f.world.prove_training(&bob, (model_id, 2), 1, first.items()).unwrap_err();
    assert!(refused.is(&ContractError::VersionNotFound { model_id, version: 2 }), "{refused}");
    let refused = f.world.prove_training(&bob, (model_id, version), 3, first.items()).unwrap_err();
    assert!(refused.is(&ContractError::NotTrainedOn { model_id, version, datanet_id: 3 }), "{refused}");
}
