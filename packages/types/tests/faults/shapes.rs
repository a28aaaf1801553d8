//! Tricks with the shape of trees: wrong counts, wrong sums, empty trees, missing neighbours.

use cosmwasm_std::{HexBinary, Uint128};
use openledger_types::faults::proofs::{LedgerTree, ReceiptTree};
use openledger_types::faults::{Fault, FaultError, Place, Rooted, Stated};
use openledger_types::formats::{Account, SumRoot};

use super::story::{account, judge, Made, Story};

fn names(story: &Story) -> Vec<&'static str> {
    story.audit(1, 1).faults.iter().map(|found| found.fault.name()).collect()
}

/// Bends the commitment alone: the blobs stay honest.
fn wrong_root(bend: impl Fn(&mut Made)) {
    for seed in 0..3 {
        let mut story = Story::new(seed);
        bend(&mut story.epochs[1]);
        let names = names(&story);
        assert!(names.contains(&"wrong_root"), "{names:?}");
    }
}

#[test]
fn rule_l9_a_root_that_states_another_sum() {
    wrong_root(|made| made.commit.ledger.sum += Uint128::new(1));
    wrong_root(|made| made.commit.ledger.sum = Uint128::zero());
    wrong_root(|made| made.commit.receipts.sum += Uint128::new(1));
    wrong_root(|made| {
        made.leaf(&account("carol")).leaf.detail.sum += Uint128::new(7);
        made.retop();
    });
}

#[test]
fn rule_l9_a_root_that_states_another_number_of_leaves() {
    for count in [1, 2, 3, 4, 6, 7, 8, 9, 1 << 40, u64::MAX] {
        wrong_root(|made| {
            assert_ne!(made.commit.receipts.count, count);
            made.commit.receipts.count = count;
        });
    }
    for change in [-2, -1, 1, 100] {
        wrong_root(|made| {
            made.commit.ledger.count = made.commit.ledger.count.saturating_add_signed(change);
        });
        wrong_root(|made| {
            let detail = &mut made.leaf(&account("carol")).leaf.detail;
            detail.count = detail.count.saturating_add_signed(change);
            made.retop();
        });
    }
}

#[test]
fn rule_l9_a_root_that_says_that_it_holds_nothing() {
    wrong_root(|made| made.commit.ledger.count = 0);
    wrong_root(|made| made.commit.receipts.count = 0);
    let mut story = Story::new(0);
    let carol = story.epochs[1].leaf(&account("carol"));
    carol.leaf.detail = SumRoot { sum: carol.leaf.detail.sum, ..SumRoot::empty() };
    carol.details.clear();
    story.epochs[1].retop();
    let names = names(&story);
    assert!(names.contains(&"leaf_growth"), "{names:?}");
    assert!(names.contains(&"share_missing"), "{names:?}");
}

#[test]
fn a_hash_of_another_length_hides_no_details() {
    let mut story = Story::new(0);
    let carol = story.epochs[1].leaf(&account("carol"));
    carol.leaf.detail.hash = HexBinary::from(&[1; 31]);
    story.epochs[1].retop();
    assert!(names(&story).contains(&"leaf_growth"));
}

#[test]
fn rule_l6_a_root_over_unknown_hashes_is_not_provable_and_said_to_be() {
    for pick in 0..3 {
        let mut story = Story::new(0);
        let made = &mut story.epochs[1];
        match pick {
            0 => made.commit.ledger.hash = HexBinary::from(&[9; 32]),
            1 => made.commit.receipts.hash = HexBinary::from(&[9; 32]),
            _ => {
                made.leaf(&account("carol")).leaf.detail.hash = HexBinary::from(&[9; 32]);
                made.retop();
            }
        }
        let findings = story.audit(1, 1);
        assert!(findings.faults.is_empty() && !findings.unproved.is_empty(), "{findings:?}");
    }
}

/// Every pair of leaves that does not surround the place, and every end that is none.
#[test]
fn an_absence_needs_two_neighbours_around_the_place() {
    let story = Story::new(0);
    let made = &story.epochs[1];
    let ledger = LedgerTree::new(&made.ledger).unwrap();
    let previous = LedgerTree::new(&story.epochs[0].ledger).unwrap();
    let stated = Stated { commit: Some(made.commit.clone()), session: None };
    let count = made.ledger.leaves.len() as u64;
    let ends: Vec<Option<u64>> = (0..count).map(Some).chain([None]).collect();
    for before in (0..story.epochs[0].ledger.leaves.len() as u64).map(|index| previous.at(index).unwrap()) {
        for left in &ends {
            for right in &ends {
                let leaf = |end: &Option<u64>| end.map(|index| ledger.at(index).unwrap());
                let after = Place::Absent { left: leaf(left), right: leaf(right) };
                let fault = Fault::LeafShrank { before: before.clone(), after };
                assert!(judge(&fault, &stated).is_err(), "{left:?} {right:?}");
            }
        }
    }
}

#[test]
fn a_dishonest_size_moves_no_honest_leaf() {
    let story = Story::new(0);
    let made = &story.epochs[1];
    let ledger = LedgerTree::new(&made.ledger).unwrap();
    let receipts = ReceiptTree::new(made.receipts.receipts.iter().map(|r| &r.receipt)).unwrap();
    let stated = Stated { commit: Some(made.commit.clone()), session: None };
    for size in (0..40).chain([1 << 40, u64::MAX]) {
        for index in 0..40 {
            for from in 0..made.receipts.receipts.len() as u64 {
                let mut at = receipts.at(from).unwrap();
                at.index = index;
                let fault = Fault::WrongRoot { of: Rooted::Receipt(at), size };
                assert!(judge(&fault, &stated).is_err(), "{size} {index} {from}");
            }
            for from in 0..made.ledger.leaves.len() as u64 {
                let mut at = ledger.at(from).unwrap();
                at.index = index;
                let fault = Fault::WrongRoot { of: Rooted::Leaf(at), size };
                assert!(judge(&fault, &stated).is_err(), "{size} {index} {from}");
            }
        }
    }
}

#[test]
fn leaves_of_one_tree_are_none_of_another() {
    let story = Story::new(0);
    let made = &story.epochs[1];
    let ledger = LedgerTree::new(&made.ledger).unwrap();
    let stated = Stated { commit: Some(made.commit.clone()), session: None };
    // Details of one leaf under another one.
    let (first, second) = (ledger.detail(0, 0).unwrap(), ledger.detail(0, 1).unwrap());
    let leaf = ledger.at(ledger.position(&account("carol")).unwrap()).unwrap();
    let fault = Fault::DetailOrder { leaf, first: second, second: first };
    assert_eq!(judge(&fault, &stated), Err(FaultError::NotNeighbours("detail")));
    // A leaf of the ledger before in this one.
    let previous = LedgerTree::new(&story.epochs[0].ledger).unwrap();
    let commons = previous.at(0).unwrap();
    assert_eq!(commons.leaf.account, Account::Commons);
    let fault = Fault::LeafGrowth { before: Place::At(commons.clone()), after: commons };
    assert_eq!(judge(&fault, &stated), Err(FaultError::BadPath("leaf")));
}
