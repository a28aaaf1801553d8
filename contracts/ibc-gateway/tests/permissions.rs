//! Who may send what.

use cosmwasm_std::HexBinary;
use openledger_contract::CommonError;
use openledger_testing::ROUTE;
use openledger_types::msg::common::OwnershipAction;
use openledger_types::msg::gateway::{ExecuteMsg, Resolution};

use crate::common::{Fixture, OPEN};

#[path = "../../../packages/contract/tests/tables.rs"]
mod tables;

/// Every message, and whether it is the owner's alone.
pub fn table(f: &Fixture) -> Vec<(ExecuteMsg, bool)> {
    let denoms = || vec![OPEN.to_string()];
    let flush = ExecuteMsg::FlushPayouts {
        route: ROUTE.into(),
        denom: OPEN.into(),
        accounts: Some(vec![f.alice.to_string()]),
        start_after: None,
        limit: None,
    };
    let book =
        ExecuteMsg::BookSurplus { denom: OPEN.into(), amount: 1u128.into(), account: f.alice.to_string() };
    let remote_addr = f.world.remote_address("alice");
    let propose = OwnershipAction::Propose { new_owner: f.alice.to_string() };
    vec![
        (ExecuteMsg::SetPreference { route: ROUTE.into(), remote_addr }, false),
        (ExecuteMsg::ClearPreference {}, false),
        (flush, false),
        (ExecuteMsg::Withdraw { denoms: denoms() }, false),
        (ExecuteMsg::MarkUnresolved { payout_id: 1 }, false),
        (ExecuteMsg::ResolvePayout { payout_id: 1, outcome: Resolution::Settled }, true),
        (book, true),
        (ExecuteMsg::CloseSession { session_id: 1, signature: HexBinary::from(&[0; 64]) }, false),
        (ExecuteMsg::ClaimBounties { denoms: denoms() }, false),
        (ExecuteMsg::SetRoute { route: f.world.route() }, true),
        (ExecuteMsg::UpdateParams { params: f.world.profile.gateway.clone() }, true),
        (ExecuteMsg::SetPaused { paused: true }, true),
        (ExecuteMsg::UpdateOwnership(propose), true),
    ]
}

#[test]
fn the_table_of_permissions() {
    let mut f = Fixture::new();
    let (alice, owner) = (f.alice.clone(), f.world.owner.clone());
    let unauthorized = CommonError::Unauthorized { role: "the owner" };
    for (msg, owners) in table(&f) {
        let refused = f.world.tell_gateway(&alice, &msg).err();
        let by_role = refused.as_ref().is_some_and(|refused| refused.is(&unauthorized));
        assert_eq!(by_role, owners, "{msg:?}: {refused:?}");
        let by_owner = f.world.tell_gateway(&owner, &msg).err();
        assert!(!by_owner.is_some_and(|refused| refused.is(&unauthorized)), "{msg:?}");
    }
}

#[test]
fn finding_p12_ownership_passes_in_two_steps() {
    let mut f = Fixture::new();
    let (alice, owner) = (f.alice.clone(), f.world.owner.clone());
    let accept = ExecuteMsg::UpdateOwnership(OwnershipAction::Accept {});
    assert!(f.world.tell_gateway(&alice, &accept).is_err());
    let propose = OwnershipAction::Propose { new_owner: alice.to_string() };
    f.world.tell_gateway(&owner, &ExecuteMsg::UpdateOwnership(propose)).unwrap();
    f.world.tell_gateway(&owner, &ExecuteMsg::SetPaused { paused: true }).unwrap();
    f.world.tell_gateway(&alice, &accept).unwrap();
    assert!(f.world.tell_gateway(&owner, &ExecuteMsg::SetPaused { paused: false }).is_err());
    f.world.tell_gateway(&alice, &ExecuteMsg::SetPaused { paused: false }).unwrap();
}

#[test]
fn every_message_has_a_row() {
    let table = table(&Fixture::new());
    assert_eq!(tables::told(table.iter().map(|(msg, _)| msg)), tables::all::<ExecuteMsg>());
}
