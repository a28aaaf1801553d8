//! `PlanCut`, `ExecuteCut` and `VetoCut` (PROTOCOL F3).

use openledger_node_registry::ContractError;
use openledger_testing::attribute;
use openledger_types::msg::node_registry::{CutResponse, CutStatus, CutsResponse, ExecuteMsg, QueryMsg};

use crate::common::{fixture, plan, slash, Fixture, BOND};

fn cut(f: &Fixture, cut_id: u64) -> CutResponse {
    f.ask(&QueryMsg::Cut { cut_id }).unwrap()
}

/// Blocks until the next epoch begins.
fn next_epoch(f: &mut Fixture) {
    let blocks = f.params().epoch_blocks;
    f.world.advance(blocks - f.world.height() % blocks);
}

#[test]
fn rule_f3_a_voted_cut_waits_until_it_can_no_longer_be_vetoed() {
    let mut f = fixture();
    let (bob, node_id) = (f.bob.clone(), f.node_id);
    let planned = f.world.height();
    let done = f.referee(&plan(node_id, 1_000, Some(&bob))).unwrap();
    assert_eq!(attribute(&done, "cut_planned", "cut_id").as_deref(), Some("1"));
    let from = planned + f.params().veto_blocks;
    let found = cut(&f, 1);
    assert_eq!((found.amount.u128(), found.from), (BOND / 10, from));
    assert_eq!((found.status, found.finder), (CutStatus::Planned, Some(bob.to_string())));
    assert_eq!((f.node().bond.u128(), f.node().jailed_until), (BOND, None), "nothing yet");

    let execute = ExecuteMsg::ExecuteCut { cut_id: 1 };
    f.world.advance_to(from - 1);
    assert!(f.send(&bob, &execute).unwrap_err().is(&ContractError::CutTooEarly { cut_id: 1, from }));
    f.world.advance(1);
    let supply = f.supply();
    f.send(&bob, &execute).unwrap();
    assert_eq!(f.node().bond.u128(), BOND - BOND / 10);
    assert_eq!((f.rewards(&bob), f.term("treasury")), (3_000_000, 3_000_000));
    assert_eq!(supply - f.supply(), 4_000_000, "burned");
    assert_eq!(cut(&f, 1).status, CutStatus::Done);
    assert!(f.send(&bob, &execute).unwrap_err().is(&ContractError::CutSettled { cut_id: 1 }));
    f.world.assert_invariants();
}

#[test]
fn rule_f3_the_owner_vetoes_a_cut_that_waits() {
    let mut f = fixture();
    let (owner, node_id) = (f.world.owner.clone(), f.node_id);
    f.referee(&plan(node_id, 1_000, None)).unwrap();
    f.world.advance(f.params().veto_blocks);
    let veto = ExecuteMsg::VetoCut { cut_id: 1 };
    f.send(&owner, &veto).unwrap();
    assert_eq!(cut(&f, 1).status, CutStatus::Vetoed);
    for msg in [veto, ExecuteMsg::ExecuteCut { cut_id: 1 }] {
        assert!(f.send(&owner, &msg).unwrap_err().is(&ContractError::CutSettled { cut_id: 1 }));
    }
    for msg in [ExecuteMsg::VetoCut { cut_id: 2 }, ExecuteMsg::ExecuteCut { cut_id: 2 }] {
        assert!(f.send(&owner, &msg).unwrap_err().is(&ContractError::CutNotFound { cut_id: 2 }));
    }
    assert_eq!(f.node().bond.u128(), BOND);
}

#[test]
fn rule_f3_voted_cuts_of_an_epoch_are_capped_by_the_bond_at_its_first() {
    let mut f = fixture();
    let (alice, node_id) = (f.alice.clone(), f.node_id);
    next_epoch(&mut f);
    f.referee(&plan(node_id, 1_500, None)).unwrap();
    // Neither a larger bond nor a veto makes room.
    f.pay(&alice, &ExecuteMsg::AddBond { node_id }, BOND).unwrap();
    let owner = f.world.owner.clone();
    f.send(&owner, &ExecuteMsg::VetoCut { cut_id: 1 }).unwrap();
    f.referee(&plan(node_id, 1_500, None)).unwrap();
    assert_eq!(cut(&f, 2).amount.u128(), BOND / 20, "what is left of a fifth");
    let done = f.referee(&plan(node_id, 1_500, None)).unwrap();
    assert_eq!(attribute(&done, "cut_planned", "amount").as_deref(), Some("0"));
    assert_eq!(attribute(&done, "cut_planned", "cut_id"), None, "no cut of nothing");
    assert!(f.ask::<CutResponse>(&QueryMsg::Cut { cut_id: 3 }).is_err());
    // The next epoch measures anew.
    next_epoch(&mut f);
    f.referee(&plan(node_id, 10_000, None)).unwrap();
    assert_eq!(cut(&f, 3).amount.u128(), 2 * BOND / 5);
    let all: CutsResponse = f.ask(&QueryMsg::Cuts { start_after: None, limit: None }).unwrap();
    assert_eq!(all.cuts.iter().map(|cut| cut.cut_id).collect::<Vec<_>>(), [1, 2, 3]);
    let rest: CutsResponse = f.ask(&QueryMsg::Cuts { start_after: Some(1), limit: Some(1) }).unwrap();
    assert_eq!(rest.cuts.iter().map(|cut| cut.cut_id).collect::<Vec<_>>(), [2]);
}

#[test]
fn rule_f5_a_planned_cut_holds_the_bond() {
    let mut f = fixture();
    let (alice, node_id) = (f.alice.clone(), f.node_id);
    f.send(&alice, &ExecuteMsg::Unbond { node_id }).unwrap();
    f.world.advance(f.params().unbonding_blocks - 1);
    f.referee(&plan(node_id, 1_000, None)).unwrap();
    f.world.advance(1);
    let withdraw = ExecuteMsg::WithdrawBond { node_id };
    let refused = f.send(&alice, &withdraw).unwrap_err();
    assert!(refused.is(&ContractError::CutsWaiting { node_id, planned_cuts: 1 }), "{refused}");
    // The operator itself can end the wait.
    f.world.advance(f.params().veto_blocks);
    f.send(&alice, &ExecuteMsg::ExecuteCut { cut_id: 1 }).unwrap();
    let before = f.world.balance(&alice);
    f.send(&alice, &withdraw).unwrap();
    assert_eq!(f.world.balance(&alice), before + BOND - BOND / 10);
    f.world.assert_invariants();
}

#[test]
fn a_cut_takes_no_more_than_is_left() {
    let mut f = fixture();
    let node_id = f.node_id;
    f.referee(&plan(node_id, 2_000, None)).unwrap();
    f.referee(&slash(node_id, 9_900, None)).unwrap();
    f.world.advance(f.params().veto_blocks);
    let bob = f.bob.clone();
    let done = f.send(&bob, &ExecuteMsg::ExecuteCut { cut_id: 1 }).unwrap();
    assert_eq!(attribute(&done, "cut_executed", "amount"), Some((BOND / 100).to_string()));
    assert_eq!((f.node().bond.u128(), f.bonds()), (0, 0));
    // Nothing left: nothing is planned, and nothing fails.
    f.referee(&plan(node_id, 2_000, None)).unwrap();
    f.world.assert_invariants();
}
