//! `OpenSession`.

use cosmwasm_std::{coin, Uint128};
use openledger_contract::CommonError;
use openledger_payable_escrow::ContractError;
use openledger_types::formats::SumRoot;
use openledger_types::msg::escrow::ExecuteMsg;
use openledger_types::msg::node_registry::{NodeStatus, Role};

use crate::common::suite::{GRACE, K, LIFE, MIN_DEPOSIT, MIN_FEE, OPEN_FEE};
use crate::common::{refused, Key, Suite, OPEN};

#[test]
fn everything_is_pinned_and_every_coin_has_a_place() {
    let mut suite = Suite::new();
    let user = suite.user(0);
    suite.open_with(&user, 1, &[(1, 6_000), (3, 4_000)], 15_000).unwrap();
    let s = suite.session(1);
    assert_eq!(s.owner, user.as_str());
    assert_eq!((s.deposit, s.open_fee), (Uint128::new(15_000), Uint128::new(OPEN_FEE)));
    assert_eq!((s.model_id, s.model_version), (1, 1));
    assert_eq!((s.price_in.u128(), s.price_out.u128(), s.min_fee.u128()), (3, 7, MIN_FEE));
    assert_eq!(s.developer, suite.developer.as_str());
    assert_eq!(s.split, suite.model(1, OPEN).split);
    assert_eq!((s.opened_at, s.expires), (suite.height(), suite.height() + LIFE));
    assert_eq!((s.close_requested_at, s.closed), (None, false));
    assert_eq!(s.nodes.len(), 2);
    for (entry, (id, cap)) in s.nodes.iter().zip([(1, 6_000), (3, 4_000)]) {
        let node = &suite.nodes[&id];
        assert_eq!((entry.node_id, entry.cap.u128(), entry.settled.u128()), (id, cap, 0));
        assert_eq!(entry.log, SumRoot::empty());
        assert_eq!(entry.node_key, node.key.public());
        assert_eq!(entry.operator, node.operator.as_str());
        assert_eq!(entry.hot_addr.as_deref(), Some(node.hot.as_str()));
    }
    assert_eq!(suite.term(OPEN, "escrowed"), 15_000);
    assert_eq!(suite.term(OPEN, "treasury"), OPEN_FEE);
    suite.assert_conserved();
}

#[test]
fn coins_that_do_not_fit_are_refused() {
    let mut suite = Suite::new();
    let user = suite.user(0);
    let msg = suite.opening(1, &Key::named("k"), &[(1, 1_000)]);
    let least = Uint128::new(OPEN_FEE + MIN_DEPOSIT);
    refused(
        suite.send(&user, &msg, &[coin(least.u128() - 1, OPEN)]),
        &ContractError::DepositTooSmall { least },
    );
    refused(
        suite.send(&user, &msg, &[coin(50_000, "ujunk")]),
        &ContractError::DenomNotAllowed { denom: "ujunk".into() },
    );
    suite.send(&user, &msg, &[coin(least.u128(), OPEN)]).unwrap();
    suite.assert_conserved();
}

#[test]
fn rule_s1_one_to_four_nodes_with_caps_within_the_deposit() {
    let mut suite = Suite::new();
    let user = suite.user(0);
    let mut all = Vec::new();
    let many: Vec<(u64, u128)> = (1..=5).map(|id| (id, 1)).collect();
    for (caps, reason) in [
        (&all, "name 1 to 4"),
        (&many, "name 1 to 4"),
        (&vec![(2, 10), (1, 10)], "sort them by number, none twice"),
        (&vec![(1, 10), (1, 10)], "sort them by number, none twice"),
        (&vec![(1, 10), (2, 0)], "a cap of nothing"),
        (&vec![(1, 10_000), (2, 10_001)], "caps together exceed the deposit"),
        (&vec![(1, u128::MAX), (2, 1)], "caps together exceed the deposit"),
    ] {
        refused(suite.open_with(&user, 1, caps, 20_000).map(|_| ()), &ContractError::BadNodes { reason });
    }
    all.extend((1..=4).map(|id| (id, 5_000)));
    suite.open_with(&user, 1, &all, 20_000).unwrap();
}

#[test]
fn a_bad_key_or_life_is_refused() {
    let mut suite = Suite::new();
    let user = suite.user(0);
    let good = Key::named("k").public();
    let open = |key: &[u8], blocks| ExecuteMsg::OpenSession {
        model_id: 1,
        model_version: 1,
        session_key: key.into(),
        nodes: vec![openledger_types::msg::escrow::NodeCap { node_id: 1, cap: Uint128::new(5) }],
        blocks,
    };
    let pay = [coin(50_000, OPEN)];
    let mut uncompressed = good.to_vec();
    uncompressed[0] = 4;
    for key in [&[][..], &good[1..], &uncompressed, &[good.as_slice(), &[0]].concat()] {
        refused(suite.send(&user, &open(key, None), &pay), &ContractError::BadSessionKey {});
    }
    for blocks in [0, LIFE + 1, u64::MAX] {
        let refusal = ContractError::BadLife { longest: LIFE };
        refused(suite.send(&user, &open(&good, Some(blocks)), &pay), &refusal);
    }
    suite.send(&user, &open(&good, Some(7)), &pay).unwrap();
    assert_eq!(suite.session(1).expires, suite.height() + 7);
}

#[test]
fn a_model_version_that_does_not_fit_is_refused() {
    let mut suite = Suite::new();
    let user = suite.user(0);
    let sound = suite.model(1, OPEN);
    let caps = [(1, 10_000)];
    let mut deprecated = sound.clone();
    deprecated.deprecated = true;
    let mut elsewhere = sound.clone();
    elsewhere.denom = "uatom".into();
    let mut partial = sound.clone();
    partial.split.data -= 1;
    let mut cheap = sound.clone();
    cheap.floor_per_token = Uint128::new(8);
    for (model, reason) in [
        (deprecated, "its developer advises against it"),
        (elsewhere, "its prices are in another denom"),
        (partial, "its split is not 10,000 basis points"),
        (cheap, "its price is below the floor of its data"),
    ] {
        suite.set_model(model);
        let refusal = ContractError::ModelUnsuitable { reason };
        refused(suite.open_with(&user, 1, &caps, 10_000).map(|_| ()), &refusal);
    }
    suite.set_model(sound);
    assert!(suite.open_with(&user, 9, &caps, 10_000).is_err(), "no such model");
    suite.open_with(&user, 1, &caps, 10_000).unwrap();
}

#[test]
fn a_node_that_does_not_serve_is_refused() {
    let mut suite = Suite::new();
    let user = suite.user(0);
    let sound = suite.node_entry(1);
    let mut leaving = sound.clone();
    leaving.status = NodeStatus::Unbonding;
    let mut gone = sound.clone();
    gone.status = NodeStatus::Left;
    let mut storage = sound.clone();
    storage.roles = vec![Role::Storage];
    let mut keyless = sound.clone();
    keyless.node_key = Default::default();
    for (node, reason) in [
        (leaving, "it is not in service"),
        (gone, "it is not in service"),
        (storage, "it does not answer questions"),
        (keyless, "its key is not a compressed secp256k1 key"),
    ] {
        suite.set_node(node);
        let refusal = ContractError::NodeUnsuitable { node_id: 1, reason };
        refused(suite.open_with(&user, 1, &[(1, 10_000)], 10_000).map(|_| ()), &refusal);
    }
    assert!(suite.open_with(&user, 1, &[(77, 10_000)], 10_000).is_err(), "no such node");
}

#[test]
fn rule_s3_terms_hold_whatever_the_owner_changes_later() {
    let mut suite = Suite::new();
    let user = suite.user(0);
    let client = suite.open(&user, 1, &[(1, 10_000)]);
    let mut params = crate::common::suite::params();
    params.grace_blocks = 5_000;
    params.in_flight = 1;
    for denom in &mut params.denoms {
        denom.min_fee = Uint128::new(9_999);
        denom.min_deposit = Uint128::new(9_999);
    }
    let owner = suite.owner.clone();
    suite.call(&owner, &ExecuteMsg::UpdateParams { params }).unwrap();
    assert_eq!(suite.session(client.session_id).min_fee.u128(), MIN_FEE);
    // k as at the opening: 4 receipts without acknowledgement are settled.
    let mut client = client;
    for _ in 0..K {
        suite.ask(&mut client, 1, &crate::common::Answer::plain(10, 20));
    }
    suite.settle(1, OPEN);
    suite.call(&user, &ExecuteMsg::RequestClose { session_id: client.session_id }).unwrap();
    suite.advance(GRACE);
    suite.call(&user, &ExecuteMsg::Refund { session_id: client.session_id }).unwrap();
    suite.assert_conserved();
}

#[test]
fn rule_a1_a_pause_stops_new_sessions() {
    let mut suite = Suite::new();
    let (owner, user) = (suite.owner.clone(), suite.user(0));
    suite.call(&owner, &ExecuteMsg::SetPaused { paused: true }).unwrap();
    refused(suite.open_with(&user, 1, &[(1, 10_000)], 10_000).map(|_| ()), &CommonError::Paused {}.into());
    suite.call(&owner, &ExecuteMsg::SetPaused { paused: false }).unwrap();
    suite.open(&user, 1, &[(1, 10_000)]);
}
