//! `OpenSession`.

use cosmwasm_std::{coin, Addr, HexBinary, Uint128};
use openledger_contract::CommonError;
use openledger_payable_escrow::ContractError;
use openledger_types::formats::{SumRoot, VersionRef};
use openledger_types::money::Royalty;
use openledger_types::msg::escrow::ExecuteMsg;
use openledger_types::msg::node_registry::{NodeStatus, Offer, Role};

use crate::common::registry::Set;
use crate::common::suite::{refused_in, GRACE, K, LIFE, MIN_DEPOSIT, MIN_FEE, OPEN_FEE};
use crate::common::{refused, Answer, Key, Suite, OPEN};

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

#[test]
fn rule_s3_the_nodes_own_price_is_pinned_and_its_receipts_cost_it() {
    let mut suite = Suite::new();
    let registry = suite.registry.clone();
    let offer = |price_in: Option<u128>, price_out: Option<u128>| Set::Offer {
        node_id: 1,
        offer: Offer {
            model_id: 1,
            version: 1,
            price_in: price_in.map(Uint128::new),
            price_out: price_out.map(Uint128::new),
        },
    };
    suite.set(&registry, &offer(Some(5), Some(11)));
    let user = suite.user(0);
    let mut client = suite.open(&user, 1, &[(1, 50_000), (2, 50_000)]);
    // A later offer changes nothing.
    suite.set(&registry, &offer(None, Some(100)));
    let session = suite.session(1);
    let prices: Vec<_> =
        session.nodes.iter().map(|node| (node.price_in.u128(), node.price_out.u128())).collect();
    assert_eq!(prices, [(5, 11), (3, 7)]);
    assert_eq!(suite.facts(1, 1).price_out.u128(), 11);
    suite.ask(&mut client, 1, &Answer { tokens_in: 100, tokens_out: 100, shares: vec![] });
    suite.ask(&mut client, 2, &Answer { tokens_in: 100, tokens_out: 100, shares: vec![] });
    // The client promised the model's price only: the node must have declined.
    assert!(suite.post_draft(&suite.draft(1, OPEN, &[]).unwrap()).is_err());
    suite.post(2, OPEN);
    // Below the model's price counts as the model's.
    suite.set(&registry, &offer(Some(1), None));
    suite.advance(1);
    let cheap = suite.open(&user, 1, &[(1, 50_000)]);
    let node = &suite.session(cheap.session_id).nodes[0];
    assert_eq!((node.price_in.u128(), node.price_out.u128()), (3, 7));
}

#[test]
fn nodes_in_jail_or_with_an_expired_key_are_refused() {
    let mut suite = Suite::new();
    let user = suite.user(0);
    let mut entry = suite.node_entry(1);
    entry.jailed_until = Some(suite.height() + 1);
    suite.set_node(entry);
    let refusal = |reason| ContractError::NodeUnsuitable { node_id: 1, reason };
    refused(suite.open_with(&user, 1, &[(1, 20_000)], 20_000), &refusal("it is in jail"));
    let mut entry = suite.node_entry(1);
    entry.key_expires = suite.height() - 1;
    suite.set_node(entry.clone());
    refused(suite.open_with(&user, 1, &[(1, 20_000)], 20_000), &refusal("its key has expired"));
    entry.key_expires = suite.height();
    suite.set_node(entry);
    suite.open_with(&user, 1, &[(1, 20_000)], 20_000).unwrap();
}

#[test]
fn rule_l11_royalties_are_pinned_and_paid_out_of_the_developers_part() {
    let mut suite = Suite::new();
    let (parent, base) = (suite.address("parent"), suite.address("base"));
    let royalty = |who: &Addr, bps| Royalty { recipient: who.to_string(), bps };
    let mut model = suite.model(1, OPEN);
    model.royalties = vec![royalty(&parent, 500), royalty(&base, 1_001)];
    suite.set_model(model.clone());
    let user = suite.user(0);
    let reason = "its royalties exceed the developer's part";
    refused(suite.open_with(&user, 1, &[(1, 20_000)], 20_000), &ContractError::ModelUnsuitable { reason });
    model.royalties = vec![royalty(&parent, 500), royalty(&base, 300)];
    suite.set_model(model.clone());
    let mut client = suite.open(&user, 1, &[(1, 50_000)]);
    assert_eq!(suite.session(1).royalties, model.royalties);
    model.royalties.clear();
    suite.set_model(model);
    suite.answer(&mut client, 1, &Answer::plain(1_000, 1_001));
    suite.settle(1, OPEN);
    // Of 10,007: floor(1,501.05) for the developer, of it floor(500.35) and floor(300.21).
    assert_eq!(suite.balance(&parent, OPEN), 500);
    assert_eq!(suite.balance(&base, OPEN), 300);
    assert_eq!(suite.balance(&suite.developer, OPEN), 701);
    assert_eq!(suite.term(OPEN, "accrued"), 500 + 300 + 701 + 3_502);
}

#[test]
fn rule_s3_receipts_must_name_the_datanets_that_the_session_pinned() {
    let mut suite = Suite::new();
    let mut model = suite.model(1, OPEN);
    let version = VersionRef { datanet_id: 7, version: 1, root: HexBinary::from(&[1; 32]), size: 3 };
    model.datanets = vec![version.clone()];
    suite.set_model(model);
    let user = suite.user(0);
    let mut client = suite.open(&user, 1, &[(1, 50_000)]);
    suite.ask(&mut client, 1, &Answer::plain(10, 20));
    let draft = suite.draft(1, OPEN, &[]).unwrap();
    let refusal = ContractError::WrongDomain { document: "receipt", field: "datanets" };
    refused_in(1, suite.post_draft(&draft), refusal);
    suite.nodes.get_mut(&1).unwrap().datanets = vec![version];
    suite.nodes.get_mut(&1).unwrap().sessions.clear();
    client.lanes.clear();
    suite.ask(&mut client, 1, &Answer::plain(10, 20));
    suite.post(1, OPEN);
}
