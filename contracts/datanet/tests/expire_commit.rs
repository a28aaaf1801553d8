use openledger_datanet::ContractError;
use openledger_testing::{Batch, Document};

use crate::common::{fixture, BOND, REVEAL};

#[test]
fn rule_d1_bonds_of_unopened_leaves_are_forfeited_once() {
    let mut f = fixture();
    let (alice, bob, datanet_id) = (f.alice.clone(), f.bob.clone(), f.datanet_id);
    let batch = Batch::new(&bob, Document::generate(1, 5));
    let commit_id = f.world.commit(&bob, datanet_id, &batch).unwrap();
    let expires = f.world.height() + REVEAL;
    f.world.reveal(&bob, commit_id, vec![batch.item(0), batch.item(3)]).unwrap();

    f.world.advance(REVEAL);
    let refused = f.world.expire_commit(&alice, commit_id).unwrap_err();
    assert!(refused.is(&ContractError::NotExpired { commit_id, expires }));
    f.world.advance(1);
    f.world.expire_commit(&alice, commit_id).unwrap();
    assert_eq!((f.term("bonds_held"), f.term("bonds_at_stake")), (0, 2 * BOND));
    assert_eq!(f.term("treasury"), 3 * BOND);

    let ended = ContractError::CommitEnded { commit_id };
    assert!(f.world.expire_commit(&alice, commit_id).unwrap_err().is(&ended));
    assert!(f.world.reveal(&bob, commit_id, vec![batch.item(1)]).unwrap_err().is(&ended));
    assert_eq!(f.term("treasury"), 3 * BOND);
    assert!(f.world.commit_of(commit_id).unwrap().ended);
    f.world.assert_invariants();
}

#[test]
fn a_commit_that_is_revealed_or_not_there_cannot_be_ended() {
    let mut f = fixture();
    let (bob, datanet_id) = (f.bob.clone(), f.datanet_id);
    f.world.contribute(&bob, datanet_id, Document::generate(1, 2)).unwrap();
    f.world.advance(REVEAL + 1);
    let refused = f.world.expire_commit(&bob, 1).unwrap_err();
    assert!(refused.is(&ContractError::CommitComplete { commit_id: 1 }));
    let refused = f.world.expire_commit(&bob, 2).unwrap_err();
    assert!(refused.is(&ContractError::CommitNotFound { commit_id: 2 }));
}
