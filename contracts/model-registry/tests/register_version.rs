use cosmwasm_std::{HexBinary, Uint128};
use openledger_contract::CommonError;
use openledger_model_registry::ContractError;
use openledger_testing::{new_version, training_root_of, TrainingTree};
use openledger_types::formats::SumRoot;
use openledger_types::money::Split;
use openledger_types::msg::model_registry::{ExecuteMsg, NewVersion};

use crate::common::fixture;
use crate::stand_in::{self, sealed};

/// Lets a version rest on other datanet versions.
fn rest_on(version: &mut NewVersion, datanets: &[(u64, u32)]) {
    let other = new_version("fine", "uopen", datanets);
    (version.datanets, version.training_root) = (other.datanets, other.training_root);
}

#[test]
fn a_version_copies_roots_and_the_highest_floor() {
    let mut f = fixture();
    assert_eq!(f.register(|_| {}).unwrap(), 1);
    let version = f.world.model_version((f.model_id, 1)).unwrap();
    assert_eq!(version.datanets, [1, 2].map(|id| sealed(id, 1, (0, 0, 0)).version));
    assert_eq!(version.training, f.version().datanets.into_iter().map(|d| d.training).collect::<Vec<_>>());
    assert_eq!(version.floor_per_token, Uint128::new(80));
    assert_eq!(version.developer, f.bob.to_string());
    assert_eq!(version.registered_at, f.world.height());
    assert!(!version.deprecated && !version.stale && version.next_price.is_none());
    assert!(version.parents.is_empty() && version.royalties.is_empty() && version.royalty_bps == 0);
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
        let refused = f.register(|v| rest_on(v, &datanets)).unwrap_err();
        let expected = format!("datanet {datanet_id} has no sealed version {version}");
        assert!(refused.0.starts_with(&expected), "{refused}");
    }
}

#[test]
fn finding_p4_datanets_are_bounded_sorted_and_named_once() {
    let mut f = fixture();
    for datanets in [vec![(2, 1), (1, 1)], vec![(1, 1), (1, 1)], (1..=9).map(|id| (id, 1)).collect()] {
        let refused = f.register(|v| rest_on(v, &datanets)).unwrap_err();
        assert!(refused.0.starts_with("datanets"), "{refused}");
    }
}

#[test]
fn a_model_made_elsewhere_rests_on_nothing_and_pays_the_commons() {
    let mut f = fixture();
    // The least data part holds for it as well, and no floor.
    let refused = f.register(|v| {
        rest_on(v, &[]);
        v.split = Split { protocol: 500, developer: 4_501, node: 2_000, data: 2_999 };
    });
    assert!(refused.unwrap_err().is(&ContractError::DataPart { least: 3_000, actual: 2_999 }));
    let number = f.register(|v| rest_on(v, &[])).unwrap();
    let version = f.world.model_version((f.model_id, number)).unwrap();
    assert!(version.datanets.is_empty() && version.training.is_empty());
    assert_eq!(version.floor_per_token, Uint128::zero());
    // A training root of something is one of a receipt that it does not have.
    let refused = f.register(|v| v.datanets = Vec::new()).unwrap_err();
    assert!(refused.0.contains("training"), "{refused}");
}

#[test]
fn finding_p15_an_answer_about_another_version_is_not_believed() {
    let mut f = fixture();
    stand_in::lay_version(&mut f.world, (1, 2), &sealed(1, 3, (3_000, 50, 0)));
    let refused = f.register(|v| rest_on(v, &[(1, 2)])).unwrap_err();
    assert!(refused.0.contains("the answer is about another version"), "{refused}");
    let mut short = sealed(1, 3, (3_000, 50, 0));
    short.version.root = HexBinary::from([1u8; 31]);
    stand_in::lay_version(&mut f.world, (1, 3), &short);
    let refused = f.register(|v| rest_on(v, &[(1, 3)])).unwrap_err();
    assert!(refused.0.starts_with("datanets.root"), "{refused}");
}

#[test]
fn a_training_receipt_is_a_tree_of_contributions_that_were_seen() {
    let mut f = fixture();
    type Change = fn(&mut SumRoot);
    let changes: [Change; 5] = [
        |t| t.count = 0,
        |t| (t.count, t.sum) = (0, Uint128::zero()),
        |t| (t.count, t.sum) = (3, Uint128::new(2)),
        // The sealed version has three contributions.
        |t| (t.count, t.sum) = (4, Uint128::new(4)),
        |t| t.hash = HexBinary::from([1u8; 33]),
    ];
    for change in changes {
        let refused = f
            .register(|v| {
                change(&mut v.datanets[1].training);
                v.training_root = training_root_of(&v.datanets);
            })
            .unwrap_err();
        assert!(refused.0.starts_with("datanets.training"), "{refused}");
    }
    let largest = TrainingTree::new(&[(1, 1), (2, u64::MAX), (3, 1)]).root();
    f.register(|v| {
        v.datanets[1].training = largest;
        v.training_root = training_root_of(&v.datanets);
    })
    .unwrap();
}

#[test]
fn the_training_root_follows_from_the_receipts() {
    let mut f = fixture();
    let expected = f.version().training_root.to_hex();
    for root in [HexBinary::from([0u8; 32]), f.version().weights_root] {
        let refused = f.register(|v| v.training_root = root).unwrap_err();
        assert!(refused.is(&ContractError::TrainingRoot { expected: expected.clone() }), "{refused}");
    }
    // The same trees under other datanets have another root.
    let other = training_root_of(&new_version("fine", "uopen", &[(1, 1), (3, 1)]).datanets);
    let refused = f.register(|v| v.training_root = other).unwrap_err();
    assert!(refused.is(&ContractError::TrainingRoot { expected }), "{refused}");
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
