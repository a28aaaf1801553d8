//! Paid access to datanets that ask a price for training (PROTOCOL D6).

use openledger_testing::{new_version, ModelRef, TrainingTree};
use openledger_types::msg::datanet;

use crate::common::{fixture, Fixture};
use crate::stand_in;

/// Bob's next version on these datanets.
fn register_on(f: &mut Fixture, datanets: &[(u64, u32)]) -> Result<u32, openledger_testing::Refused> {
    let (bob, model_id) = (f.bob.clone(), f.model_id);
    f.world.register_version(&bob, model_id, new_version(&format!("{datanets:?}"), "uopen", datanets))
}

fn use_access(f: &Fixture, datanet_id: u64, (model_id, model_version): ModelRef) -> datanet::ExecuteMsg {
    datanet::ExecuteMsg::UseAccess {
        datanet_id,
        version: 1,
        developer: f.bob.to_string(),
        model_id,
        model_version,
        training: TrainingTree::new(&[(1, 1)]).root(),
    }
}

#[test]
fn rule_d6_a_registration_uses_the_access_to_every_datanet_that_asks_a_price() {
    let mut f = fixture();
    let bob = f.bob.clone();
    stand_in::grant(&mut f.world, 3, &bob);
    stand_in::grant(&mut f.world, 4, &bob);
    let place = (f.model_id, register_on(&mut f, &[(1, 1), (3, 1), (4, 1)]).unwrap());
    let registry = f.world.model_registry.clone();
    let expected = [3, 4].map(|datanet_id| (registry.clone(), use_access(&f, datanet_id, place)));
    assert_eq!(stand_in::used(&f.world), expected);
}

#[test]
fn rule_d6_no_access_no_registration() {
    let mut f = fixture();
    let (alice, bob) = (f.alice.clone(), f.bob.clone());
    stand_in::grant(&mut f.world, 3, &alice);
    let refused = register_on(&mut f, &[(3, 1)]).unwrap_err();
    assert!(refused.0.contains("no paid access"), "another's access does not help: {refused}");
    // One that lacks one of two leaves nothing behind.
    stand_in::grant(&mut f.world, 3, &bob);
    assert!(register_on(&mut f, &[(3, 1), (4, 1)]).is_err());
    assert!(f.world.model_version((f.model_id, 1)).is_err());
    assert!(stand_in::used(&f.world).is_empty());
    assert_eq!(register_on(&mut f, &[(3, 1)]).unwrap(), 1);
}

#[test]
fn rule_d6_each_version_needs_an_access_of_its_own() {
    let mut f = fixture();
    let bob = f.bob.clone();
    stand_in::grant(&mut f.world, 3, &bob);
    register_on(&mut f, &[(3, 1)]).unwrap();
    assert!(register_on(&mut f, &[(1, 1), (3, 1)]).is_err());
    stand_in::grant(&mut f.world, 3, &bob);
    register_on(&mut f, &[(1, 1), (3, 1)]).unwrap();
}

#[test]
fn rule_d6_a_datanet_that_asks_nothing_is_told_nothing() {
    let mut f = fixture();
    register_on(&mut f, &[(1, 1), (2, 1)]).unwrap();
    assert!(stand_in::used(&f.world).is_empty());
}
