use cosmwasm_std::Addr;
use openledger_contract::CommonError;
use openledger_model_registry::ContractError;
use openledger_testing::Refused;
use openledger_types::msg::common::OwnershipAction;
use openledger_types::msg::model_registry::{ExecuteMsg, ModelResponse, QueryMsg};

use crate::common::{fixture, Fixture};

fn step(f: &mut Fixture, sender: &Addr, action: OwnershipAction) -> Result<(), Refused> {
    let msg = ExecuteMsg::UpdateDeveloper { model_id: f.model_id, action };
    f.send(sender, &msg).map(|_| ())
}

fn propose(to: &Addr) -> OwnershipAction {
    OwnershipAction::Propose { new_owner: to.to_string() }
}

/// The developer and who was proposed.
fn record(f: &Fixture) -> (String, Option<String>) {
    let model: ModelResponse = f.ask(&QueryMsg::Model { model_id: f.model_id }).unwrap();
    (model.developer, model.pending_developer)
}

#[test]
fn finding_p12_a_developer_hands_over_in_two_steps() {
    let mut f = fixture();
    f.register(|_| {}).unwrap();
    let (alice, bob) = (f.alice.clone(), f.bob.clone());
    step(&mut f, &bob, propose(&alice)).unwrap();
    assert_eq!(record(&f), (bob.to_string(), Some(alice.to_string())), "nothing moved yet");
    let refused = step(&mut f, &bob, OwnershipAction::Accept {}).unwrap_err();
    assert!(refused.is(&CommonError::NoPendingOwner {}), "{refused}");
    step(&mut f, &alice, OwnershipAction::Accept {}).unwrap();
    assert_eq!(record(&f), (alice.to_string(), None));
    assert_eq!(f.world.model_version((f.model_id, 1)).unwrap().developer, alice.to_string());
    // The old one may do nothing any more, the new one everything.
    let model_id = f.model_id;
    let msg = ExecuteMsg::Deprecate { model_id, version: 1 };
    assert!(f.send(&bob, &msg).unwrap_err().0.starts_with("unauthorized"));
    f.send(&alice, &msg).unwrap();
    let refused = step(&mut f, &alice, OwnershipAction::Accept {}).unwrap_err();
    assert!(refused.is(&CommonError::NoPendingOwner {}), "a step is taken once: {refused}");
}

#[test]
fn finding_p12_a_proposal_can_be_taken_back_or_replaced() {
    let mut f = fixture();
    let (alice, bob, carol) = (f.alice.clone(), f.bob.clone(), f.world.account("carol"));
    step(&mut f, &bob, propose(&alice)).unwrap();
    step(&mut f, &bob, OwnershipAction::Cancel {}).unwrap();
    assert!(step(&mut f, &alice, OwnershipAction::Accept {}).is_err());
    step(&mut f, &bob, propose(&alice)).unwrap();
    step(&mut f, &bob, propose(&carol)).unwrap();
    assert!(step(&mut f, &alice, OwnershipAction::Accept {}).is_err());
    step(&mut f, &carol, OwnershipAction::Accept {}).unwrap();
    assert_eq!(record(&f), (carol.to_string(), None));
}

#[test]
fn a_model_is_never_without_a_developer() {
    let mut f = fixture();
    let bob = f.bob.clone();
    let refused = step(&mut f, &bob, OwnershipAction::Renounce {}).unwrap_err();
    assert!(refused.is(&ContractError::CannotRenounce {}), "{refused}");
    assert_eq!(record(&f), (bob.to_string(), None));
}

#[test]
fn a_proposal_is_for_one_model() {
    let mut f = fixture();
    let (alice, bob) = (f.alice.clone(), f.bob.clone());
    let other = f.world.create_model(&bob).unwrap();
    step(&mut f, &bob, propose(&alice)).unwrap();
    let accept = ExecuteMsg::UpdateDeveloper { model_id: other, action: OwnershipAction::Accept {} };
    assert!(f.send(&alice, &accept).unwrap_err().is(&CommonError::NoPendingOwner {}));
    let missing = ExecuteMsg::UpdateDeveloper { model_id: 9, action: OwnershipAction::Accept {} };
    assert!(f.send(&alice, &missing).unwrap_err().is(&ContractError::ModelNotFound { model_id: 9 }));
}

#[test]
fn finding_p1_a_successor_is_an_address_of_this_chain_in_its_one_form() {
    let mut f = fixture();
    let (alice, bob) = (f.alice.clone(), f.bob.clone());
    let other_chain = cosmwasm_std::testing::MockApi::default().with_prefix("juno").addr_make("alice");
    for new_owner in ["", "alice", &alice.as_str().to_uppercase(), other_chain.as_str()] {
        let action = OwnershipAction::Propose { new_owner: new_owner.into() };
        assert!(step(&mut f, &bob, action).is_err(), "{new_owner}");
    }
    assert_eq!(record(&f), (bob.to_string(), None));
}

#[test]
fn rule_a1_pause_does_not_stop_a_hand_over() {
    let mut f = fixture();
    let (owner, alice, bob) = (f.world.owner.clone(), f.alice.clone(), f.bob.clone());
    f.send(&owner, &ExecuteMsg::SetPaused { paused: true }).unwrap();
    f.world.hand_over(&bob, &alice, 1).unwrap();
}
