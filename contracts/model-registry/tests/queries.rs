use openledger_model_registry::ContractError;
use openledger_testing::new_version;
use openledger_types::msg::model_registry::{ModelVersionsResponse, ModelsResponse, QueryMsg};

use crate::common::fixture;

#[test]
fn finding_p4_lists_are_bounded_and_go_on_where_they_stopped() {
    let mut f = fixture();
    let (bob, model_id) = (f.bob.clone(), f.model_id);
    for _ in 1..35 {
        f.world.create_model(&bob).unwrap();
    }
    for number in 0..32 {
        let version = new_version(&format!("v{number}"), "uopen", &[(1, 1)]);
        f.world.register_version(&bob, model_id, version).unwrap();
    }
    let models = |start_after, limit| {
        let answer: ModelsResponse = f.ask(&QueryMsg::Models { start_after, limit }).unwrap();
        answer.models.iter().map(|m| m.model_id).collect::<Vec<_>>()
    };
    assert_eq!(models(None, None), (1..=10).collect::<Vec<_>>());
    assert_eq!(models(None, Some(99)).len(), 30);
    assert_eq!(models(Some(33), None), [34, 35]);
    let versions = |start_after, limit| {
        let msg = QueryMsg::Versions { model_id, start_after, limit };
        let answer: ModelVersionsResponse = f.ask(&msg).unwrap();
        answer.versions.iter().map(|v| v.version).collect::<Vec<_>>()
    };
    assert_eq!(versions(None, None), (1..=10).collect::<Vec<_>>());
    assert_eq!(versions(None, Some(99)).len(), 30);
    assert_eq!(versions(Some(30), None), [31, 32]);
}

#[test]
fn what_is_not_there_is_said_to_be_missing() {
    let f = fixture();
    let model_id = f.model_id;
    let missing: Vec<(QueryMsg, ContractError)> = vec![
        (QueryMsg::Model { model_id: 9 }, ContractError::ModelNotFound { model_id: 9 }),
        (QueryMsg::Version { model_id: 9, version: 1 }, ContractError::ModelNotFound { model_id: 9 }),
        (QueryMsg::Version { model_id, version: 1 }, ContractError::VersionNotFound { model_id, version: 1 }),
        (QueryMsg::Stale { model_id, version: 2 }, ContractError::VersionNotFound { model_id, version: 2 }),
        (
            QueryMsg::Versions { model_id: 9, start_after: None, limit: None },
            ContractError::ModelNotFound { model_id: 9 },
        ),
    ];
    for (msg, error) in missing {
        let refused = f.ask::<serde::de::IgnoredAny>(&msg).unwrap_err();
        assert!(refused.is(&error), "{refused}");
    }
}
