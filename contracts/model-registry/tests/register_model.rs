use openledger_contract::CommonError;
use openledger_types::msg::model_registry::{ExecuteMsg, ModelResponse, QueryMsg};

use crate::common::fixture;

fn msg(name: &str, description: &str) -> ExecuteMsg {
    ExecuteMsg::RegisterModel { name: name.into(), description: description.into() }
}

#[test]
fn a_model_belongs_to_its_sender() {
    let mut f = fixture();
    let alice = f.alice.clone();
    f.send(&alice, &msg("small", "answers")).unwrap();
    let made: ModelResponse = f.ask(&QueryMsg::Model { model_id: 2 }).unwrap();
    assert_eq!((made.developer, made.latest_version), (alice.to_string(), 0));
}

#[test]
fn names_are_bounded() {
    let mut f = fixture();
    let alice = f.alice.clone();
    let long = "n".repeat(65);
    for name in ["", "a\tb", &long] {
        assert!(f.send(&alice, &msg(name, "")).unwrap_err().0.starts_with("name"));
    }
    let refused = f.send(&alice, &msg("fine", &"d".repeat(1_025))).unwrap_err();
    assert!(refused.0.starts_with("description"));
}

#[test]
fn rule_a1_pause_stops_new_models() {
    let mut f = fixture();
    let (owner, alice) = (f.world.owner.clone(), f.alice.clone());
    f.send(&owner, &ExecuteMsg::SetPaused { paused: true }).unwrap();
    assert!(f.send(&alice, &msg("late", "")).unwrap_err().is(&CommonError::Paused {}));
}
