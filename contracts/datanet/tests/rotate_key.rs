//! `RotateKey`: a new key when a reader leaves.

use cosmwasm_std::{Addr, HexBinary, Uint128};
use openledger_contract::CommonError;
use openledger_datanet::ContractError;
use openledger_testing::{age_recipient, datanet_msg, Refused, RECIPIENT};
use openledger_types::msg::datanet::{
    AccessResponse, AccessesResponse, ExecuteMsg, KeyGrant, KeyGrantResponse, KeyGrantsResponse,
    PastKeysResponse, QueryMsg, Visibility,
};

use crate::common::{fixture, Fixture};

/// A world in which Alice's datanet 2 is sealed.
fn sealed() -> Fixture {
    let mut f = fixture();
    let alice = f.alice.clone();
    let mut msg = datanet_msg("sealed texts");
    if let ExecuteMsg::CreateDatanet { visibility, public_identity, .. } = &mut msg {
        (*visibility, *public_identity) = (Visibility::Sealed, None);
    }
    f.datanet_id = f.world.create_datanet_with(&alice, &msg).unwrap();
    f
}

fn wrapped(byte: u8) -> HexBinary {
    HexBinary::from(vec![byte; 200])
}

/// The rotation to the key called `name`.
fn rotation(f: &Fixture, name: &str) -> ExecuteMsg {
    ExecuteMsg::RotateKey { datanet_id: f.datanet_id, recipient: age_recipient(name), previous: wrapped(9) }
}

/// Rotates to the key called `name` and hands it to these nodes and developers.
fn rotate(f: &mut Fixture, name: &str, nodes: &[u64], developers: &[&Addr]) -> Result<(), Refused> {
    let (alice, msg, datanet_id) = (f.alice.clone(), rotation(f, name), f.datanet_id);
    f.send(&alice, &msg)?;
    for node_id in nodes {
        f.send(&alice, &ExecuteMsg::GrantKey { datanet_id, node_id: *node_id, wrapped: wrapped(3) })?;
    }
    for developer in developers {
        let developer = developer.to_string();
        f.send(&alice, &ExecuteMsg::GrantAccess { datanet_id, developer, wrapped: wrapped(4) })?;
    }
    Ok(())
}

/// Puts a price of 600 base units on access.
fn price_at_600(f: &mut Fixture) {
    let (alice, datanet_id) = (f.alice.clone(), f.datanet_id);
    let terms = ExecuteMsg::UpdateTerms {
        datanet_id,
        min_data_bps: 3_000,
        floor_per_token: Uint128::new(50),
        training_price: Uint128::new(600),
    };
    f.send(&alice, &terms).unwrap();
}

fn grants(f: &Fixture) -> Vec<(u64, u32)> {
    let ask = QueryMsg::KeyGrants { datanet_id: f.datanet_id, start_after: None, limit: None };
    let page: KeyGrantsResponse = f.ask(&ask).unwrap();
    page.grants.iter().map(|KeyGrant { node_id, key }| (*node_id, *key)).collect()
}

#[test]
fn who_is_not_named_keeps_the_key_before_and_gets_no_new_one() {
    let mut f = sealed();
    let (alice, datanet_id) = (f.alice.clone(), f.datanet_id);
    for node_id in [3, 5, 8] {
        f.send(&alice, &ExecuteMsg::GrantKey { datanet_id, node_id, wrapped: wrapped(1) }).unwrap();
    }
    assert_eq!(grants(&f), [(3, 0), (5, 0), (8, 0)]);
    rotate(&mut f, "second", &[3, 8], &[]).unwrap();
    assert_eq!(grants(&f), [(3, 1), (5, 0), (8, 1)], "node 5 left");
    let ask = QueryMsg::KeyGrant { datanet_id, node_id: 5 };
    let left: KeyGrantResponse = f.ask(&ask).unwrap();
    assert_eq!((left.wrapped, left.key), (Some(wrapped(1)), 0));
    let made = f.world.datanet_of(datanet_id).unwrap();
    assert_eq!((made.recipient, made.key), (age_recipient("second"), 1));

    // A grant after the rotation is of the new key; the page goes on after a node.
    f.send(&alice, &ExecuteMsg::GrantKey { datanet_id, node_id: 9, wrapped: wrapped(2) }).unwrap();
    let ask = QueryMsg::KeyGrants { datanet_id, start_after: Some(5), limit: Some(1) };
    let page: KeyGrantsResponse = f.ask(&ask).unwrap();
    assert_eq!(page.grants, [KeyGrant { node_id: 8, key: 1 }]);
    assert_eq!(grants(&f).last(), Some(&(9, 1)));
}

#[test]
fn every_key_before_is_reachable_from_the_one_in_force() {
    let mut f = sealed();
    let datanet_id = f.datanet_id;
    let from = f.world.height();
    for name in ["second", "third"] {
        rotate(&mut f, name, &[], &[]).unwrap();
    }
    let ask = |start_after, limit| QueryMsg::PastKeys { datanet_id, start_after, limit };
    let page: PastKeysResponse = f.ask(&ask(None, None)).unwrap();
    let found: Vec<(u32, String)> = page.keys.iter().map(|k| (k.key, k.recipient.clone())).collect();
    assert_eq!(found, [(0, RECIPIENT.to_string()), (1, age_recipient("second"))]);
    assert!(page.keys.iter().all(|key| key.wrapped == wrapped(9) && key.until >= from));
    let page: PastKeysResponse = f.ask(&ask(Some(0), Some(1))).unwrap();
    assert_eq!(page.keys.len(), 1);
    assert_eq!(page.keys[0].key, 1);
}

#[test]
fn rule_d6_a_rotation_hands_the_key_to_developers_with_access_only_and_moves_no_coin() {
    let mut f = sealed();
    let (alice, datanet_id) = (f.alice.clone(), f.datanet_id);
    let (paid, stranger) = (f.world.account("developer"), f.world.account("stranger"));
    let developer = stranger.to_string();
    let grant = ExecuteMsg::GrantAccess { datanet_id, developer: developer.clone(), wrapped: wrapped(4) };
    assert!(f.send(&alice, &grant).unwrap_err().is(&ContractError::AccessNotFound { datanet_id, developer }));

    f.world.buy_access(&paid, datanet_id).unwrap();
    let developer = paid.to_string();
    f.send(
        &alice,
        &ExecuteMsg::GrantAccess { datanet_id, developer: developer.clone(), wrapped: wrapped(1) },
    )
    .unwrap();
    let access = |f: &Fixture| {
        let ask = QueryMsg::Access { datanet_id, developer: developer.clone() };
        f.ask::<AccessResponse>(&ask).unwrap().access.unwrap()
    };
    let before = access(&f);
    f.world.advance(5);
    rotate(&mut f, "second", &[], &[&paid]).unwrap();
    let after = access(&f);
    assert_eq!((before.key, after.key, after.wrapped.clone()), (0, 1, Some(wrapped(4))));
    assert_eq!((after.paid, after.bond, after.leaves_at), (before.paid, before.bond, before.leaves_at));
    rotate(&mut f, "third", &[], &[]).unwrap();
    assert_eq!(access(&f), after, "who is not named keeps key, price and bond");
    let ask = QueryMsg::Accesses { datanet_id, start_after: None, limit: None };
    let all: AccessesResponse = f.ask(&ask).unwrap();
    assert_eq!((all.accesses.len(), &all.accesses[0].developer), (1, &developer));
    assert_eq!(all.accesses[0].access, after);
    let ask = QueryMsg::Accesses { datanet_id, start_after: Some(developer), limit: None };
    assert!(f.ask::<AccessesResponse>(&ask).unwrap().accesses.is_empty());
    f.world.assert_invariants();
}

#[test]
fn a_purchase_anew_for_the_same_recipient_keeps_the_number_of_its_key() {
    let mut f = sealed();
    let (alice, datanet_id, developer) = (f.alice.clone(), f.datanet_id, f.world.account("developer"));
    price_at_600(&mut f);
    rotate(&mut f, "second", &[], &[]).unwrap();
    f.world.buy_access(&developer, datanet_id).unwrap();
    let grant = ExecuteMsg::GrantAccess { datanet_id, developer: developer.to_string(), wrapped: wrapped(1) };
    f.send(&alice, &grant).unwrap();
    let again = |recipient: String| ExecuteMsg::BuyAccess { datanet_id, recipient };
    let access = |f: &Fixture| {
        let ask = QueryMsg::Access { datanet_id, developer: developer.to_string() };
        f.ask::<AccessResponse>(&ask).unwrap().access.unwrap()
    };
    f.pay(&developer, &again(RECIPIENT.into()), 600).unwrap();
    assert_eq!((access(&f).key, access(&f).wrapped), (1, Some(wrapped(1))));
    f.pay(&developer, &again(age_recipient("new")), 600).unwrap();
    assert_eq!((access(&f).key, access(&f).wrapped), (0, None), "another recipient waits for its key");
}

#[test]
fn rule_d6_a_key_out_of_force_is_not_what_a_purchase_pays_for() {
    let mut f = sealed();
    let (alice, datanet_id, developer) = (f.alice.clone(), f.datanet_id, f.world.account("developer"));
    price_at_600(&mut f);
    f.world.buy_access(&developer, datanet_id).unwrap();
    let grant = ExecuteMsg::GrantAccess { datanet_id, developer: developer.to_string(), wrapped: wrapped(1) };
    f.send(&alice, &grant).unwrap();
    rotate(&mut f, "second", &[], &[]).unwrap();
    f.pay(&developer, &ExecuteMsg::BuyAccess { datanet_id, recipient: RECIPIENT.into() }, 600).unwrap();
    let ask = QueryMsg::Access { datanet_id, developer: developer.to_string() };
    let access = f.ask::<AccessResponse>(&ask).unwrap().access.unwrap();
    assert_eq!((access.key, access.wrapped), (0, Some(wrapped(1))), "the old key stays readable");
    // The owner never hands the new key over: the price comes back.
    f.world.advance(access.leaves_at);
    f.send(&developer, &ExecuteMsg::LeaveAccess { datanet_id }).unwrap();
    assert!(f.ask::<AccessResponse>(&ask).unwrap().access.is_none());
    f.world.assert_invariants();
}

#[test]
fn a_rotation_of_a_wrong_form_is_refused() {
    let mut f = sealed();
    let alice = f.alice.clone();
    let mut cases = vec![];
    let mut with = |field: &'static str, change: &dyn Fn(&mut ExecuteMsg)| {
        let mut msg = rotation(&f, "second");
        change(&mut msg);
        cases.push((field, msg));
    };
    for text in ["", "age1", RECIPIENT] {
        with("recipient", &|msg| {
            if let ExecuteMsg::RotateKey { recipient, .. } = msg {
                *recipient = text.into();
            }
        });
    }
    for len in [0, 1_025] {
        with("wrapped", &|msg| {
            if let ExecuteMsg::RotateKey { previous, .. } = msg {
                *previous = HexBinary::from(vec![1; len]);
            }
        });
    }
    for (field, msg) in cases {
        let refused = f.send(&alice, &msg).unwrap_err();
        assert!(refused.0.starts_with(field), "{field}: {refused}");
    }
    // A public datanet has no reader to shut out.
    f.datanet_id = 1;
    let refused = rotate(&mut f, "second", &[], &[]).unwrap_err();
    assert!(refused.is(&ContractError::PublicKey { datanet_id: 1 }));
    // A stranger rotates nothing.
    f.datanet_id = 2;
    let (bob, msg) = (f.bob.clone(), rotation(&f, "second"));
    assert!(f.send(&bob, &msg).unwrap_err().is(&CommonError::Unauthorized { role: "the datanet's owner" }));
}

#[test]
fn rule_a1_a_pause_stops_no_rotation() {
    let mut f = sealed();
    let owner = f.world.owner.clone();
    f.send(&owner, &ExecuteMsg::SetPaused { paused: true }).unwrap();
    rotate(&mut f, "second", &[1], &[]).unwrap();
    assert_eq!(grants(&f), [(1, 1)]);
}
