use openledger_model_registry::ContractError;
use openledger_types::msg::model_registry::{ExecuteMsg, QueryMsg, StaleResponse};

use crate::common::{fixture, Fixture};
use crate::stand_in;

fn stale(f: &Fixture) -> StaleResponse {
    f.ask(&QueryMsg::Stale { model_id: f.model_id, version: 1 }).unwrap()
}

#[test]
fn rule_d4_a_version_is_marked_once_its_datanets_lost_contributions() {
    let mut f = fixture();
    f.register(|_| {}).unwrap();
    let (model_id, stranger) = (f.model_id, f.world.account("stranger"));
    let msg = ExecuteMsg::MarkStale { model_id, version: 1 };
    let refused = f.send(&stranger, &msg).unwrap_err();
    assert!(refused.is(&ContractError::NotStale { model_id, version: 1 }), "{refused}");
    assert_eq!(stale(&f), StaleResponse { stale: false, lost: vec![] });

    stand_in::lose(&mut f.world, (2, 1), 2);
    assert_eq!(stale(&f), StaleResponse { stale: true, lost: vec![(2, 2)] });
    let before = f.world.model_version((model_id, 1)).unwrap();
    assert!(!before.stale, "a mark needs a message");
    f.send(&stranger, &msg).unwrap();
    let mut after = f.world.model_version((model_id, 1)).unwrap();
    assert!(after.stale);
    after.stale = false;
    assert_eq!(after, before, "nothing else changes");
    let refused = f.send(&stranger, &msg).unwrap_err();
    assert!(refused.is(&ContractError::AlreadyStale { model_id, version: 1 }), "{refused}");
}

#[test]
fn losses_of_other_versions_do_not_count() {
    let mut f = fixture();
    f.register(|_| {}).unwrap();
    let (model_id, bob) = (f.model_id, f.bob.clone());
    stand_in::lose(&mut f.world, (1, 2), 1);
    stand_in::lose(&mut f.world, (3, 1), 1);
    let refused = f.send(&bob, &ExecuteMsg::MarkStale { model_id, version: 1 }).unwrap_err();
    assert!(refused.is(&ContractError::NotStale { model_id, version: 1 }), "{refused}");
}

#[test]
fn all_losses_are_told_by_datanet() {
    let mut f = fixture();
    f.register(|_| {}).unwrap();
    stand_in::lose(&mut f.world, (1, 1), 1);
    stand_in::lose(&mut f.world, (2, 1), 3);
    assert_eq!(stale(&f), StaleResponse { stale: true, lost: vec![(1, 1), (2, 3)] });
}

#[test]
fn rule_a1_pause_does_not_stop_a_mark() {
    let mut f = fixture();
    f.register(|_| {}).unwrap();
    let (owner, bob, model_id) = (f.world.owner.clone(), f.bob.clone(), f.model_id);
    stand_in::lose(&mut f.world, (1, 1), 1);
    f.send(&owner, &ExecuteMsg::SetPaused { paused: true }).unwrap();
    f.send(&bob, &ExecuteMsg::MarkStale { model_id, version: 1 }).unwrap();
}

#[test]
fn what_is_not_there_is_refused() {
    let mut f = fixture();
    let (model_id, bob) = (f.model_id, f.bob.clone());
    let refused = f.send(&bob, &ExecuteMsg::MarkStale { model_id, version: 1 }).unwrap_err();
    assert!(refused.is(&ContractError::VersionNotFound { model_id, version: 1 }), "{refused}");
}
