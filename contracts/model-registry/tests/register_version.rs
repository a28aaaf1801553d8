use cosmwasm_std::{HexBinary, Uint128};
use openledger_contract::CommonError;
use openledger_model_registry::ContractError;
use openledger_testing::new_version;
use openledger_types::money::Split;
use openledger_types::msg::model_registry::{ExecuteMsg, NewVersion};

use crate::common::fixture;

#[test]
fn a_version_copies_roots_and_the_highest_floor() {
    let mut f = fixture();
    assert_eq!(f.register(|_| {}).unwrap(), 1);
    let version = f.world.model_version((f.model_id, 1)).unwrap();
    let sealed: Vec<_> = [1, 2].map(|id| f.world.version(id, 1).unwrap().version).into();
    assert_eq!(version.datanets, sealed);
    assert_eq!(version.floor_per_token, Uint128::new(80));
    assert_eq!(version.developer, f.bob.to_string());
    assert_eq!((version.registered_at, version.deprecated), (f.world.height(), false));
}

#[test]
fn rule_d5_the_data_gets_at_least_what_registry_and_datanets_ask() {
    let mut f = fixture();
    let split = |data: u16| Split { protocol: 500, developer: 1_500, node: 8_000 - data, data };
    let refused = f.register(|v| v.split = split(3_499)).unwrap_err();
    assert!(refused.is(&ContractError::DataPart { least: 3_500, actual: 3_499 }));
    // The registry's own bound holds where the datanets ask less.
    let owner = f.world.owner.clone();
    let mut params = f.world.profile.model_registry.clone();
    params.min_data_bps = 6_000;
    f.send(&owner, &ExecuteMsg::UpdateParams { params }).unwrap();
    let refused = f.register(|v| v.split = split(5_999)).unwrap_err();
    assert!(refused.is(&ContractError::DataPart { least: 6_000, actual: 5_999 }));
    assert!(f.register(|v| v.split = split(6_000)).is_ok());
}

#[test]
fn rule_d5_an_answer_token_costs_at_least_the_highest_floor() {
    let mut f = fixture();
    let refused = f.register(|v| v.price_out = Uint128::new(79)).unwrap_err();
    assert!(refused.is(&ContractError::BelowFloor { floor: 80, price: 79 }));
    assert!(f.register(|v| v.price_out = Uint128::new(80)).is_ok());
}

#[test]
fn a_split_that_is_not_whole_or_shorts_the_protocol_is_refused() {
    let mut f = fixture();
    for data in [3_999, 4_001] {
        let refused = f.register(|v| v.split.data = data).unwrap_err();
        assert!(refused.is(&ContractError::SplitNotWhole {}));
    }
    let all = u16::MAX;
    let refused =
        f.register(|v| v.split = Split { protocol: all, developer: all, node: all, data: all }).unwrap_err();
    assert!(refused.is(&ContractError::SplitNotWhole {}), "sums do not wrap");
    for (protocol, node) in [(499, 4_001), (501, 3_999)] {
        let refused =
            f.register(|v| v.split = Split { protocol, developer: 1_500, node, data: 4_000 }).unwrap_err();
        assert!(refused.is(&ContractError::ProtocolPart { expected: 500, actual: protocol }));
    }
}

#[test]
fn finding_p15_only_sealed_versions_of_the_datanet_contract_count() {
    let mut f = fixture();
    for (datanets, (datanet_id, version)) in [
        (vec![(1, 2)], (1, 2)),
        (vec![(9, 1)], (9, 1)),
        (vec![(1, 0)], (1, 0)),
        (vec![(1, 1), (2, 7)], (2, 7)),
    ] {
        let refused = f.register(|v| v.datanets = datanets).unwrap_err();
        let expected = format!("datanet {datanet_id} has no sealed version {version}");
        assert!(refused.0.starts_with(&expected), "{refused}");
    }
}

#[test]
fn finding_p4_datanets_are_bounded_sorted_and_named_once() {
    let mut f = fixture();
    for datanets in [vec![], vec![(2, 1), (1, 1)], vec![(1, 1), (1, 1)], (1..=9).map(|id| (id, 1)).collect()]
    {
        let refused = f.register(|v| v.datanets = datanets).unwrap_err();
        assert!(refused.0.starts_with("datanets"), "{refused}");
    }
}

#[test]
fn fields_of_a_wrong_form_are_refused() {
    let mut f = fixture();
    type Change = fn(&mut NewVersion);
    let changes: [(&str, Change); 6] = [
        ("manifest_hash", |v| v.manifest_hash = HexBinary::from([1u8; 31])),
        ("manifest.root", |v| v.manifest.root = HexBinary::from([1u8; 33])),
        ("manifest.len", |v| v.manifest.len = 0),
        ("weights_root", |v| v.weights_root = HexBinary::default()),
        ("training_root", |v| v.training_root = HexBinary::default()),
        ("denom", |v| v.denom = "u open".into()),
    ];
    for (field, change) in changes {
        let refused = f.register(change).unwrap_err();
        assert!(refused.0.starts_with(field), "{field}: {refused}");
    }
}

#[test]
fn a_manifest_is_registered_once_a_model() {
    let mut f = fixture();
    f.register(|_| {}).unwrap();
    let refused = f.register(|v| v.price_in = Uint128::new(1)).unwrap_err();
    assert!(refused.is(&ContractError::ManifestTaken { model_id: f.model_id, version: 1 }));
    let (bob, fine) = (f.bob.clone(), f.version());
    let other = f.world.create_model(&bob).unwrap();
    assert_eq!(f.world.register_version(&bob, other, fine).unwrap(), 1, "another model may have it");
    let next = new_version("next", "uopen", &[(1, 1)]);
    assert_eq!(f.world.register_version(&bob, f.model_id, next).unwrap(), 2);
}

#[test]
fn rule_a1_pause_stops_new_versions() {
    let mut f = fixture();
    let owner = f.world.owner.clone();
    f.send(&owner, &ExecuteMsg::SetPaused { paused: true }).unwrap();
    assert!(f.register(|_| {}).unwrap_err().is(&CommonError::Paused {}));
    f.send(&owner, &ExecuteMsg::SetPaused { paused: false }).unwrap();
    assert!(f.register(|_| {}).is_ok());
}
