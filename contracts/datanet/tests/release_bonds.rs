use openledger_datanet::ContractError;
use openledger_testing::{Batch, Document};

use crate::common::{fixture, BOND, REVEAL, WINDOW};

#[test]
fn bonds_return_once_and_only_when_every_window_is_over() {
    let mut f = fixture();
    let (alice, bob, datanet_id) = (f.alice.clone(), f.bob.clone(), f.datanet_id);
    let batch = Batch::new(&bob, Document::generate(1, 3));
    let commit_id = f.world.commit(&bob, datanet_id, &batch).unwrap();
    let expires = f.world.height() + REVEAL;
    f.world.reveal(&bob, commit_id, vec![batch.item(0)]).unwrap();
    f.world.advance(5);
    let open = ContractError::StillOpen { commit_id, expires };
    assert!(f.world.release_bonds(&alice, commit_id).unwrap_err().is(&open), "leaves can be opened");
    assert_eq!(f.world.commit_of(commit_id).unwrap().bonds_from, None);
    f.world.reveal(&bob, commit_id, vec![batch.item(1), batch.item(2)]).unwrap();
    let from = f.world.height() + WINDOW + 1;
    assert_eq!(f.world.commit_of(commit_id).unwrap().bonds_from, Some(from));
    f.world.advance(WINDOW);
    let stake = ContractError::BondsAtStake { commit_id, from };
    assert!(f.world.release_bonds(&alice, commit_id).unwrap_err().is(&stake));
    f.world.advance(1);
    f.world.release_bonds(&alice, commit_id).unwrap();
    assert_eq!((f.withdrawable(&bob), f.term("bonds_at_stake")), (3 * BOND, 0), "by anyone, to their owner");
    assert!(f.world.commit_of(commit_id).unwrap().released);
    let again = ContractError::AlreadyReleased { commit_id };
    assert!(f.world.release_bonds(&bob, commit_id).unwrap_err().is(&again));
    f.world.assert_invariants();
}

#[test]
fn bonds_of_an_ended_commit_return_without_those_that_were_forfeited() {
    let mut f = fixture();
    let (bob, datanet_id) = (f.bob.clone(), f.datanet_id);
    let batch = Batch::new(&bob, Document::generate(1, 4));
    let commit_id = f.world.commit(&bob, datanet_id, &batch).unwrap();
    f.world.reveal(&bob, commit_id, vec![batch.item(0)]).unwrap();
    f.world.advance(REVEAL + 1);
    f.world.reveal(&bob, commit_id, vec![batch.item(1)]).unwrap();
    f.world.expire_commit(&bob, commit_id).unwrap();
    f.world.release_bonds(&bob, commit_id).unwrap();
    assert_eq!((f.withdrawable(&bob), f.term("treasury")), (BOND, 3 * BOND));
    assert_eq!((f.term("bonds_held"), f.term("bonds_at_stake")), (0, 0));
}

#[test]
fn rule_f5_slashed_leaves_are_left_out_and_challenged_ones_follow() {
    let mut f = fixture();
    let (bob, datanet_id) = (f.bob.clone(), f.datanet_id);
    let given = f.world.contribute(&bob, datanet_id, Document::generate(1, 4)).unwrap();
    f.convict(given[0], None).unwrap();
    f.hold(given[1], true).unwrap();
    f.hold(given[2], true).unwrap();
    f.world.advance(WINDOW + 1);
    f.world.release_bonds(&bob, 1).unwrap();
    assert_eq!((f.withdrawable(&bob), f.term("bonds_at_stake")), (BOND, 2 * BOND));
    // Cleared: the bond returns. Guilty after the others returned: it is slashed all the same.
    f.hold(given[1], false).unwrap();
    f.hold(given[1], false).unwrap();
    assert_eq!(f.withdrawable(&bob), 2 * BOND);
    f.convict(given[2], None).unwrap();
    f.convict(given[2], None).unwrap();
    assert_eq!((f.withdrawable(&bob), f.term("bonds_at_stake")), (2 * BOND, 0));
    // No bond is at stake any more: nothing to take, and a challenge keeps nothing.
    f.hold(given[3], true).unwrap();
    f.convict(given[3], None).unwrap();
    assert_eq!((f.withdrawable(&bob), f.world.commit_of(1).unwrap().slashed), (2 * BOND, 2));
    f.world.assert_invariants();
}

#[test]
fn one_message_returns_the_bonds_of_the_largest_commit() {
    let mut f = fixture();
    let (bob, datanet_id) = (f.bob.clone(), f.datanet_id);
    f.world.contribute(&bob, datanet_id, Document::generate(5, 1_024)).unwrap();
    f.world.advance(WINDOW + 1);
    f.world.release_bonds(&bob, 1).unwrap();
    assert_eq!(f.withdrawable(&bob), 1_024 * BOND);
}
