//! `Offer` and `StopOffer`.

use cosmwasm_std::{
    to_json_binary, Addr, Binary, Deps, Empty, Env, MessageInfo, Response, StdResult, Uint128,
};
use cw_multi_test::ContractWrapper;
use openledger_node_registry::ContractError;
use openledger_testing::{new_version, Key};
use openledger_types::formats::NumericClass;
use openledger_types::msg::model_registry::{self, ModelVersionResponse};
use openledger_types::msg::node_registry::{
    ExecuteMsg, Offer, OfferResponse, OffersResponse, QueryMsg, ServersResponse, MAX_OFFERS,
};

use crate::common::{fixture, Fixture};

/// Answers as a model registry: a prompt token of model m costs m, an answer token of version v costs v.
fn price_list(_: Deps, _: Env, msg: model_registry::QueryMsg) -> StdResult<Binary> {
    let model_registry::QueryMsg::Version { model_id, version } = msg else {
        return Err(cosmwasm_std::StdError::msg("only versions are known here"));
    };
    let given = new_version("model", "uopen", &[]);
    to_json_binary(&ModelVersionResponse {
        model_id,
        version,
        developer: "developer".into(),
        manifest_hash: given.manifest_hash,
        manifest: given.manifest,
        weights_root: given.weights_root,
        training_root: given.training_root,
        numeric_class: NumericClass::TolerantF32,
        datanets: vec![],
        training: vec![],
        parents: vec![],
        royalty_bps: 0,
        royalties: vec![],
        denom: given.denom,
        price_in: Uint128::from(model_id),
        price_out: Uint128::from(version),
        next_price: None,
        floor_per_token: Uint128::zero(),
        split: given.split,
        registered_at: 1,
        deprecated: false,
        stale: false,
    })
}

fn nothing(_: cosmwasm_std::DepsMut, _: Env, _: MessageInfo, _: Empty) -> StdResult<Response> {
    Ok(Response::new())
}

/// A fixture whose model registry is the price list.
fn priced() -> Fixture {
    let mut f = fixture();
    let owner = f.world.owner.clone();
    let list = f.world.instantiate(
        "prices",
        Box::new(ContractWrapper::new(nothing, nothing, price_list)),
        &Empty {},
    );
    let connect = ExecuteMsg::Connect {
        model_registry: list.to_string(),
        escrow: f.world.escrow.to_string(),
        referee: f.world.referee.to_string(),
    };
    f.send(&owner, &connect).unwrap();
    f
}

fn offer(node_id: u64, (model_id, version): (u64, u32), prices: Option<(u128, u128)>) -> ExecuteMsg {
    let price_in = prices.map(|(price, _)| Uint128::new(price));
    let price_out = prices.map(|(_, price)| Uint128::new(price));
    ExecuteMsg::Offer { node_id, model_id, version, price_in, price_out }
}

fn asked(f: &Fixture, node_id: u64, (model_id, version): (u64, u32)) -> Option<Offer> {
    f.ask::<OfferResponse>(&QueryMsg::Offer { node_id, model_id, version }).unwrap().offer
}

fn offered(f: &Fixture, start_after: Option<(u64, u32)>, limit: Option<u32>) -> Vec<(u64, u32)> {
    let msg = QueryMsg::Offers { node_id: f.node_id, start_after, limit };
    let answer: OffersResponse = f.ask(&msg).unwrap();
    answer.offers.iter().map(|offer| (offer.model_id, offer.version)).collect()
}

fn servers(f: &Fixture, (model_id, version): (u64, u32), start_after: Option<u64>) -> Vec<u64> {
    let msg = QueryMsg::Servers { model_id, version, start_after, limit: None };
    f.ask::<ServersResponse>(&msg).unwrap().servers.into_iter().map(|(node_id, _)| node_id).collect()
}

#[test]
fn a_node_asks_its_own_price_never_below_the_models() {
    let mut f = priced();
    let (alice, node_id) = (f.alice.clone(), f.node_id);
    f.send(&alice, &offer(node_id, (50, 100), None)).unwrap();
    let found = asked(&f, node_id, (50, 100)).unwrap();
    assert_eq!((found.price_in, found.price_out), (None, None));
    f.send(&alice, &offer(node_id, (50, 100), Some((50, 101)))).unwrap();
    let found = asked(&f, node_id, (50, 100)).unwrap();
    assert_eq!((found.price_in, found.price_out), (Some(Uint128::new(50)), Some(Uint128::new(101))));
    for (prices, field, least, low) in [((49, 100), "price_in", 50, 49), ((50, 99), "price_out", 100, 99)] {
        let refused = f.send(&alice, &offer(node_id, (50, 100), Some(prices))).unwrap_err();
        assert!(refused.is(&ContractError::PriceTooLow { field, least, asked: low }), "{refused}");
    }
    assert_eq!(asked(&f, node_id, (50, 101)), None);
}

#[test]
fn the_hot_address_offers_too_and_the_real_registry_answers() {
    let mut f = fixture();
    let (alice, bob, node_id) = (f.alice.clone(), f.bob.clone(), f.node_id);
    let datanet = f.world.create_datanet(&alice).unwrap();
    f.world.contribute(&alice, datanet, openledger_testing::Document::generate(1, 3)).unwrap();
    let sealed = f.world.seal(&alice, datanet).unwrap();
    let model = f.world.register_model("developer", &[(datanet, sealed.version)]).unwrap();
    let hot = ExecuteMsg::UpdateNode {
        node_id,
        endpoint: None,
        moniker: None,
        hot_addr: Some(bob.to_string()),
        age_recipient: None,
        roles: None,
    };
    f.send(&alice, &hot).unwrap();
    f.send(&bob, &offer(node_id, model, Some((60, 120)))).unwrap();
    assert!(f.send(&bob, &offer(node_id, model, Some((49, 120)))).is_err());
    assert!(f.send(&bob, &offer(node_id, (model.0, 9), None)).is_err(), "no such version");
    assert_eq!(servers(&f, model, None), [node_id]);
    let stop = ExecuteMsg::StopOffer { node_id, model_id: model.0, version: model.1 };
    f.send(&bob, &stop).unwrap();
    assert_eq!(servers(&f, model, None), Vec::<u64>::new());
    let (model_id, version) = model;
    assert!(f.send(&bob, &stop).unwrap_err().is(&ContractError::OfferNotFound {
        node_id,
        model_id,
        version
    }));
}

#[test]
fn finding_p15_prices_come_from_the_connected_registry_only() {
    use cosmwasm_std::testing::{message_info, mock_dependencies, mock_env};
    use openledger_node_registry::contract::{execute, instantiate};
    use openledger_types::msg::node_registry::InstantiateMsg;

    let mut deps = mock_dependencies();
    let owner = deps.api.addr_make("owner");
    let alice: Addr = deps.api.addr_make("alice");
    let params = openledger_types::profile::Profile::devnet("uopen").node_registry;
    let (info, bond) = (message_info(&owner, &[]), cosmwasm_std::coins(params.min_bond.u128(), "uopen"));
    instantiate(
        deps.as_mut(),
        mock_env(),
        info,
        InstantiateMsg { connect: None, owner: owner.to_string(), params },
    )
    .unwrap();
    let (key, env) = (Key::named("key"), mock_env());
    let digest = openledger_types::formats::node_key_digest(
        &env.block.chain_id,
        env.contract.address.as_str(),
        alice.as_str(),
        &key.public(),
    );
    let register = ExecuteMsg::Register {
        moniker: "m".into(),
        endpoint: "https://node.example".into(),
        node_key: key.public(),
        key_proof: key.sign(&digest),
        hot_addr: None,
        age_recipient: openledger_testing::age_recipient("m"),
        roles: vec![openledger_types::msg::node_registry::Role::Inference],
    };
    execute(deps.as_mut(), env.clone(), message_info(&alice, &bond), register).unwrap();
    let refused = execute(deps.as_mut(), env, message_info(&alice, &[]), offer(1, (1, 1), None)).unwrap_err();
    assert!(matches!(refused, ContractError::NotConnected {}), "{refused}");
}

#[test]
fn finding_p4_offers_are_bounded_and_paged() {
    let mut f = priced();
    let (alice, node_id) = (f.alice.clone(), f.node_id);
    for version in 1..=MAX_OFFERS {
        f.send(&alice, &offer(node_id, (u64::from(version % 2), version), None)).unwrap();
    }
    let refused = f.send(&alice, &offer(node_id, (7, 1), None)).unwrap_err();
    assert!(refused.is(&ContractError::TooManyOffers { node_id, most: MAX_OFFERS }), "{refused}");
    f.send(&alice, &offer(node_id, (1, 1), Some((9, 9)))).unwrap();
    f.send(&alice, &ExecuteMsg::StopOffer { node_id, model_id: 1, version: 1 }).unwrap();
    f.send(&alice, &offer(node_id, (7, 1), None)).unwrap();
    assert_eq!(offered(&f, None, None), (1..=10).map(|n| (0, 2 * n)).collect::<Vec<_>>());
    assert_eq!(offered(&f, None, Some(99)).len(), 30);
    assert_eq!(offered(&f, Some((1, 61)), None), [(1, 63), (7, 1)]);
}

#[test]
fn servers_are_listed_by_version_while_they_are_in_service() {
    let mut f = priced();
    let (alice, bob, node_id) = (f.alice.clone(), f.bob.clone(), f.node_id);
    let second = f.world.register_node(&bob, "second", &Key::named("second")).unwrap();
    for model in [(1, 1), (1, 2), (2, 1)] {
        f.send(&alice, &offer(node_id, model, None)).unwrap();
    }
    f.send(&bob, &offer(second, (1, 2), Some((5, 5)))).unwrap();
    assert_eq!(servers(&f, (1, 2), None), [node_id, second]);
    assert_eq!(servers(&f, (1, 2), Some(node_id)), [second]);
    assert_eq!(servers(&f, (2, 1), None), [node_id]);
    f.send(&alice, &ExecuteMsg::Unbond { node_id }).unwrap();
    assert_eq!(servers(&f, (1, 2), None), [second]);
    assert_eq!(offered(&f, None, None), []);
    let refused = f.send(&alice, &offer(node_id, (1, 1), None)).unwrap_err();
    assert!(refused.is(&ContractError::NotBonded { node_id }));
}
