use cosmwasm_std::Uint128;
use openledger_contract::CommonError;
use openledger_model_registry::ContractError;
use openledger_testing::ModelRef;
use openledger_types::msg::model_registry::{ExecuteMsg, ModelVersionsResponse, NextPrice, QueryMsg};

use crate::common::{fixture, Fixture};

/// A fixture with a version; the notice is some blocks.
fn with_version() -> (Fixture, ModelRef) {
    let mut f = fixture();
    let version = f.register(|_| {}).unwrap();
    let place = (f.model_id, version);
    (f, place)
}

/// What a session that opens now would pin.
fn prices(f: &Fixture, place: ModelRef) -> (u128, u128) {
    let version = f.world.model_version(place).unwrap();
    (version.price_in.u128(), version.price_out.u128())
}

#[test]
fn rule_s3_a_price_changes_only_after_its_notice() {
    let (mut f, place) = with_version();
    let bob = f.bob.clone();
    let notice = f.world.profile.model_registry.price_notice;
    let from = f.world.set_price(&bob, place, (60, 200)).unwrap();
    assert_eq!(from, f.world.height() + notice);
    let next = f.world.model_version(place).unwrap().next_price;
    let (price_in, price_out) = (Uint128::new(60), Uint128::new(200));
    assert_eq!(next, Some(NextPrice { from, price_in, price_out }));
    f.world.advance_to(from - 1);
    assert_eq!(prices(&f, place), (50, 100), "the last block of the notice");
    f.world.advance_to(from);
    assert_eq!(prices(&f, place), (60, 200), "nobody had to send a message");
    assert_eq!(f.world.model_version(place).unwrap().next_price, None);
    // The list says the same.
    let msg = QueryMsg::Versions { model_id: place.0, start_after: None, limit: None };
    let list: ModelVersionsResponse = f.ask(&msg).unwrap();
    assert_eq!(list.versions, [f.world.model_version(place).unwrap()]);
}

#[test]
fn rule_s3_a_second_announcement_replaces_the_first_and_starts_its_notice() {
    let (mut f, place) = with_version();
    let bob = f.bob.clone();
    let first = f.world.set_price(&bob, place, (60, 200)).unwrap();
    f.world.advance_to(first - 1);
    let second = f.world.set_price(&bob, place, (70, 300)).unwrap();
    f.world.advance_to(first);
    assert_eq!(prices(&f, place), (50, 100), "the first one never holds");
    f.world.advance_to(second);
    assert_eq!(prices(&f, place), (70, 300));
}

#[test]
fn rule_s3_an_announcement_after_one_that_is_due_keeps_it_meanwhile() {
    let (mut f, place) = with_version();
    let bob = f.bob.clone();
    let first = f.world.set_price(&bob, place, (60, 200)).unwrap();
    f.world.advance_to(first);
    let second = f.world.set_price(&bob, place, (70, 300)).unwrap();
    assert_eq!(prices(&f, place), (60, 200), "not the price before the first one");
    f.world.advance_to(second);
    assert_eq!(prices(&f, place), (70, 300));
}

#[test]
fn rule_s3_a_shorter_notice_does_not_hasten_what_was_announced() {
    let (mut f, place) = with_version();
    let (owner, bob) = (f.world.owner.clone(), f.bob.clone());
    let from = f.world.set_price(&bob, place, (60, 200)).unwrap();
    let mut params = f.world.profile.model_registry.clone();
    params.price_notice = 1;
    f.send(&owner, &ExecuteMsg::UpdateParams { params }).unwrap();
    f.world.advance(1);
    assert_eq!(prices(&f, place), (50, 100));
    f.world.advance_to(from);
    assert_eq!(prices(&f, place), (60, 200));
}

#[test]
fn rule_d5_no_announced_price_is_below_the_floor() {
    let (mut f, place) = with_version();
    let bob = f.bob.clone();
    let refused = f.world.set_price(&bob, place, (0, 79)).unwrap_err();
    assert!(refused.is(&ContractError::BelowFloor { floor: 80, price: 79 }), "{refused}");
    assert!(f.world.model_version(place).unwrap().next_price.is_none());
    f.world.set_price(&bob, place, (0, 80)).unwrap();
}

#[test]
fn only_prices_change() {
    let (mut f, place) = with_version();
    let bob = f.bob.clone();
    let before = f.world.model_version(place).unwrap();
    let from = f.world.set_price(&bob, place, (60, 200)).unwrap();
    f.world.advance_to(from);
    let mut after = f.world.model_version(place).unwrap();
    (after.price_in, after.price_out) = (before.price_in, before.price_out);
    assert_eq!(after, before);
}

#[test]
fn what_is_not_there_or_not_ones_own_is_refused() {
    let (mut f, (model_id, version)) = with_version();
    let (alice, bob) = (f.alice.clone(), f.bob.clone());
    let refused = f.world.set_price(&bob, (model_id, 2), (60, 200)).unwrap_err();
    assert!(refused.is(&ContractError::VersionNotFound { model_id, version: 2 }), "{refused}");
    let refused = f.world.set_price(&bob, (9, 1), (60, 200)).unwrap_err();
    assert!(refused.is(&ContractError::ModelNotFound { model_id: 9 }), "{refused}");
    let refused = f.world.set_price(&alice, (model_id, version), (60, 200)).unwrap_err();
    assert!(refused.is(&CommonError::Unauthorized { role: "the model's developer" }), "{refused}");
}
