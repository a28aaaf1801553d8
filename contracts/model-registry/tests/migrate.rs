//! From release 0.1.0, whose stored bytes are in `fixtures/state-0.1.0.json`: pairs of key and value,
//! in hexadecimal, as its code wrote them.

use cosmwasm_std::testing::{message_info, mock_dependencies, mock_env, MockApi, MockQuerier, MockStorage};
use cosmwasm_std::{
    from_json, to_json_binary, Addr, ContractResult, Env, HexBinary, MigrateInfo, OwnedDeps, Response,
    Storage, SystemResult, Uint128, WasmQuery,
};
use openledger_contract::CommonError;
use openledger_model_registry::contract::{execute, migrate, query, CONTRACT_NAME, CONTRACT_VERSION};
use openledger_model_registry::ContractError;
use openledger_testing::{new_version, parents, Profile, TrainingTree};
use openledger_types::msg::common::OwnershipAction;
use openledger_types::msg::datanet;
use openledger_types::msg::model_registry::{
    ConfigResponse, ExecuteMsg, MigrateMsg, ModelResponse, ModelVersionResponse, ModelVersionsResponse,
    Params, ParentKind, QueryMsg,
};
use serde::de::DeserializeOwned;

use crate::stand_in::sealed;

type Deps = OwnedDeps<MockStorage, MockApi, MockQuerier>;

/// A contract with the stored bytes of release 0.1.0, beside a datanet contract of today.
fn released() -> Deps {
    let mut deps = mock_dependencies();
    deps.api = deps.api.with_prefix("openledger");
    let pairs: Vec<(HexBinary, HexBinary)> = from_json(include_bytes!("fixtures/state-0.1.0.json")).unwrap();
    for (key, value) in pairs {
        deps.storage.set(&key, &value);
    }
    deps.querier.update_wasm(|question| {
        let WasmQuery::Smart { msg, .. } = question else { panic!("only smart questions") };
        let answer = match from_json(msg).unwrap() {
            datanet::QueryMsg::Version { datanet_id, version } => {
                to_json_binary(&sealed(datanet_id, version, (3_000, 50, 0)))
            }
            datanet::QueryMsg::VersionHealth { .. } => {
                to_json_binary(&datanet::VersionHealthResponse { size: 3, lost: 1 })
            }
            other => panic!("{other:?}"),
        };
        SystemResult::Ok(ContractResult::Ok(answer.unwrap()))
    });
    deps
}

fn at(height: u64) -> Env {
    let mut env = mock_env();
    env.block.height = height;
    env
}

fn carry_over(deps: &mut Deps) -> Result<Response, ContractError> {
    let info = MigrateInfo { sender: Addr::unchecked("admin"), old_migrate_version: Some(1) };
    migrate(deps.as_mut(), at(2_000), MigrateMsg {}, info)
}

fn ask<T: DeserializeOwned>(deps: &Deps, height: u64, msg: QueryMsg) -> T {
    from_json(query(deps.as_ref(), at(height), msg).unwrap()).unwrap()
}

fn send(deps: &mut Deps, sender: &str, msg: ExecuteMsg) -> Result<Response, ContractError> {
    let info = message_info(&deps.api.addr_make(sender), &[]);
    execute(deps.as_mut(), at(2_000), info, msg)
}

#[test]
fn finding_p11_bounds_of_0_1_0_get_what_they_lack() {
    let mut deps = released();
    carry_over(&mut deps).unwrap();
    assert_eq!(cw2::get_contract_version(&deps.storage).unwrap().version, CONTRACT_VERSION);
    let config: ConfigResponse = ask(&deps, 2_000, QueryMsg::Config {});
    let Params { max_royalty_bps, price_notice, .. } = Profile::protocol("uopen").model_registry;
    let params = Params { min_data_bps: 3_000, protocol_bps: 500, max_royalty_bps, price_notice };
    assert_eq!((config.params.clone(), config.paused), (params, false));
    // The same release again changes nothing.
    carry_over(&mut deps).unwrap();
    assert_eq!(ask::<ConfigResponse>(&deps, 2_000, QueryMsg::Config {}), config);
}

#[test]
fn finding_p11_models_and_versions_of_0_1_0_are_read_as_they_were() {
    let mut deps = released();
    carry_over(&mut deps).unwrap();
    let model: ModelResponse = ask(&deps, 2_000, QueryMsg::Model { model_id: 1 });
    assert_eq!((model.name.as_str(), model.latest_version, model.pending_developer), ("small", 2, None));
    let msg = QueryMsg::Versions { model_id: 1, start_after: None, limit: None };
    let versions = ask::<ModelVersionsResponse>(&deps, 2_000, msg).versions;
    let deprecated: Vec<bool> = versions.iter().map(|v| v.deprecated).collect();
    assert_eq!(deprecated, [true, false]);
    for version in versions {
        assert!(version.training.is_empty() && version.parents.is_empty() && version.royalties.is_empty());
        assert!(version.royalty_bps == 0 && version.next_price.is_none() && !version.stale);
        assert_eq!((version.price_in, version.price_out), (Uint128::new(50), Uint128::new(100)));
    }
}

#[test]
fn finding_p11_work_goes_on_with_what_0_1_0_left() {
    let mut deps = released();
    carry_over(&mut deps).unwrap();
    let (bob, carol) = (deps.api.addr_make("bob"), deps.api.addr_make("carol"));
    let old = |deps: &Deps, height| -> ModelVersionResponse {
        ask(deps, height, QueryMsg::Version { model_id: 1, version: 1 })
    };
    // A price of an old version.
    let (price_in, price_out) = (Uint128::new(60), Uint128::new(200));
    send(&mut deps, "bob", ExecuteMsg::SetPrice { model_id: 1, version: 1, price_in, price_out }).unwrap();
    let from = old(&deps, 2_000).next_price.unwrap().from;
    assert_eq!(old(&deps, from - 1).price_out, Uint128::new(100));
    assert_eq!(old(&deps, from).price_out, price_out);
    // A mark on it.
    send(&mut deps, "carol", ExecuteMsg::MarkStale { model_id: 1, version: 1 }).unwrap();
    assert!(old(&deps, 2_000).stale);
    // It has no training receipt from which uses could be proved.
    let items = TrainingTree::new(&[(1, 1)]).items();
    let msg = ExecuteMsg::ProveTraining { model_id: 1, version: 1, datanet_id: 1, items };
    let refused = send(&mut deps, "carol", msg).unwrap_err();
    assert!(matches!(refused, ContractError::NoTrainingReceipt { model_id: 1, version: 1 }), "{refused}");
    // Another developer, and a child of it that asks a royalty, and a grandchild that owes it.
    let step = |action| ExecuteMsg::UpdateDeveloper { model_id: 1, action };
    let propose = OwnershipAction::Propose { new_owner: carol.to_string() };
    send(&mut deps, "bob", step(propose)).unwrap();
    send(&mut deps, "carol", step(OwnershipAction::Accept {})).unwrap();
    let mut child = new_version("child", "uopen", &[(1, 1)]);
    child.parents = parents(ParentKind::Base, &[(1, 1)]);
    child.royalty_bps = 300;
    send(&mut deps, "bob", ExecuteMsg::RegisterVersion { model_id: 2, version: child }).unwrap();
    let mut grandchild = new_version("grandchild", "uopen", &[(1, 1)]);
    grandchild.parents = parents(ParentKind::Adapter, &[(2, 2)]);
    send(&mut deps, "carol", ExecuteMsg::RegisterVersion { model_id: 1, version: grandchild }).unwrap();
    let third: ModelVersionResponse = ask(&deps, 2_000, QueryMsg::Version { model_id: 1, version: 3 });
    let owed: Vec<_> = third.royalties.iter().map(|r| (r.recipient.as_str(), r.bps)).collect();
    assert_eq!(owed, [(bob.as_str(), 300)]);
    // A manifest that 0.1.0 registered stays taken.
    let mut again = new_version("again", "uopen", &[(1, 1)]);
    again.manifest_hash = HexBinary::from([10u8; 32]);
    let refused = send(&mut deps, "carol", ExecuteMsg::RegisterVersion { model_id: 1, version: again });
    assert!(matches!(refused, Err(ContractError::ManifestTaken { model_id: 1, version: 1 })));
    // The owner whom 0.1.0 saw proposed takes over.
    send(&mut deps, "council", ExecuteMsg::UpdateOwnership(OwnershipAction::Accept {})).unwrap();
    send(&mut deps, "council", ExecuteMsg::SetPaused { paused: true }).unwrap();
}

#[test]
fn finding_p11_another_contract_or_a_newer_release_is_refused() {
    for (name, version) in [(CONTRACT_NAME, "999.0.0"), ("crate:other", "0.1.0"), (CONTRACT_NAME, "unknown")]
    {
        let mut deps = released();
        cw2::set_contract_version(&mut deps.storage, name, version).unwrap();
        let refused = carry_over(&mut deps).unwrap_err();
        assert!(matches!(refused, ContractError::Common(CommonError::CannotMigrate { .. })), "{refused}");
    }
    let mut empty = mock_dependencies();
    let info = MigrateInfo { sender: Addr::unchecked("admin"), old_migrate_version: None };
    assert!(migrate(empty.as_mut(), mock_env(), MigrateMsg {}, info).is_err(), "no version on record");
}
