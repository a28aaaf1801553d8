use cosmwasm_std::{coin, HexBinary};
use openledger_contract::CommonError;
use openledger_datanet::ContractError;
use openledger_testing::{Batch, Document};
use openledger_types::msg::datanet::ExecuteMsg;

use crate::common::{fixture, BOND, REVEAL};

#[test]
fn rule_d1_a_commit_takes_the_place_of_its_transaction() {
    let mut f = fixture();
    let (bob, datanet_id) = (f.bob.clone(), f.datanet_id);
    f.world.advance(1);
    let batch = Batch::new(&bob, Document::generate(1, 3));
    let first = f.world.commit(&bob, datanet_id, &batch).unwrap();
    let second = f.world.commit(&bob, datanet_id, &batch).unwrap();
    let (first, second) = (f.world.commit_of(first).unwrap(), f.world.commit_of(second).unwrap());
    let height = f.world.height();
    assert_eq!((first.priority.height, first.priority.tx_index), (height, 0));
    assert_eq!((second.priority.height, second.priority.tx_index), (height, 1));
    assert!(first.priority < second.priority);
    assert_eq!(first.expires, height + REVEAL);
    assert_eq!((first.count, first.revealed, first.ended), (3, 0, false));
    assert_eq!(f.term("bonds_held"), 6 * BOND);
}

#[test]
fn finding_p5_only_the_exact_bond_is_taken() {
    let mut f = fixture();
    let bob = f.bob.clone();
    f.world.mint(&bob, coin(1_000_000, "uother"));
    let batch = Batch::new(&bob, Document::generate(1, 2));
    let msg = ExecuteMsg::Commit { datanet_id: f.datanet_id, root: batch.root(), count: 2 };
    let datanet = f.world.datanet.clone();
    let wrong = CommonError::WrongFunds { expected: "uopen".into() };
    for funds in [vec![], vec![coin(2 * BOND, "uother")], vec![coin(2 * BOND, "uopen"), coin(1, "uother")]] {
        let refused = f.world.execute(&bob, &datanet, &msg, &funds).unwrap_err();
        assert!(refused.is(&wrong), "{refused}");
    }
    for sent in [2 * BOND - 1, 2 * BOND + 1] {
        let refused = f.world.execute(&bob, &datanet, &msg, &[coin(sent, "uopen")]).unwrap_err();
        assert!(refused.is(&ContractError::WrongBond { expected: 2 * BOND, sent }));
    }
}

#[test]
fn a_commit_of_a_wrong_form_is_refused() {
    let mut f = fixture();
    let (bob, datanet, datanet_id) = (f.bob.clone(), f.world.datanet.clone(), f.datanet_id);
    let root = HexBinary::from([7u8; 32]);
    for (count, root, what) in [
        (0, root.clone(), "count"),
        (1_025, root.clone(), "count"),
        (1, HexBinary::from([7u8; 31]), "root must have 32 bytes"),
    ] {
        let funds = f.world.coins(BOND * u128::from(count.max(1)));
        let msg = ExecuteMsg::Commit { datanet_id, root, count };
        let refused = f.world.execute(&bob, &datanet, &msg, &funds).unwrap_err();
        assert!(refused.0.contains(what), "{refused}");
    }
    let funds = f.world.coins(BOND);
    let msg = ExecuteMsg::Commit { datanet_id: 9, root, count: 1 };
    let refused = f.world.execute(&bob, &datanet, &msg, &funds).unwrap_err();
    assert!(refused.is(&ContractError::DatanetNotFound { datanet_id: 9 }));
}

#[test]
fn the_largest_commit_is_taken_and_every_leaf_opens() {
    let mut f = fixture();
    let (bob, datanet_id) = (f.bob.clone(), f.datanet_id);
    let given = f.world.contribute(&bob, datanet_id, Document::generate(5, 1_024)).unwrap();
    assert_eq!(given.len(), 1_024);
    assert_eq!(f.world.commit_of(1).unwrap().revealed, 1_024);
    assert_eq!((f.term("bonds_held"), f.term("bonds_at_stake")), (0, 1_024 * BOND));
}

#[test]
fn rule_a1_pause_stops_commits() {
    let mut f = fixture();
    let (owner, bob, datanet_id) = (f.world.owner.clone(), f.bob.clone(), f.datanet_id);
    let batch = Batch::new(&bob, Document::generate(1, 1));
    f.send(&owner, &ExecuteMsg::SetPaused { paused: true }).unwrap();
    let refused = f.world.commit(&bob, datanet_id, &batch).unwrap_err();
    assert!(refused.is(&CommonError::Paused {}));
}
