use openledger_contract::CommonError;
use openledger_model_registry::ContractError;
use openledger_types::msg::model_registry::ExecuteMsg;

use crate::common::fixture;

#[test]
fn a_version_is_deprecated_once_and_stays_readable() {
    let mut f = fixture();
    let (bob, model_id) = (f.bob.clone(), f.model_id);
    f.register(|_| {}).unwrap();
    let before = f.world.model_version((model_id, 1)).unwrap();
    let msg = ExecuteMsg::Deprecate { model_id, version: 1 };
    f.send(&bob, &msg).unwrap();
    let mut after = f.world.model_version((model_id, 1)).unwrap();
    assert!(after.deprecated);
    after.deprecated = false;
    assert_eq!(after, before, "nothing else changes");
    let refused = f.send(&bob, &msg).unwrap_err();
    assert!(refused.is(&ContractError::AlreadyDeprecated { model_id, version: 1 }));
}

#[test]
fn rule_a1_pause_does_not_stop_a_warning() {
    let mut f = fixture();
    let (owner, bob, model_id) = (f.world.owner.clone(), f.bob.clone(), f.model_id);
    f.register(|_| {}).unwrap();
    f.send(&owner, &ExecuteMsg::SetPaused { paused: true }).unwrap();
    assert!(f.send(&bob, &ExecuteMsg::Deprecate { model_id, version: 1 }).is_ok());
}

#[test]
fn what_is_not_there_or_not_ones_own_is_refused() {
    let mut f = fixture();
    let (alice, bob, model_id) = (f.alice.clone(), f.bob.clone(), f.model_id);
    f.register(|_| {}).unwrap();
    let refused = f.send(&bob, &ExecuteMsg::Deprecate { model_id, version: 2 }).unwrap_err();
    assert!(refused.is(&ContractError::VersionNotFound { model_id, version: 2 }));
    let refused = f.send(&bob, &ExecuteMsg::Deprecate { model_id: 9, version: 1 }).unwrap_err();
    assert!(refused.is(&ContractError::ModelNotFound { model_id: 9 }));
    let refused = f.send(&alice, &ExecuteMsg::Deprecate { model_id, version: 1 }).unwrap_err();
    assert!(refused.is(&CommonError::Unauthorized { role: "the model's developer" }));
}
