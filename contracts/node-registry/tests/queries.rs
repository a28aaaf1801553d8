use openledger_node_registry::ContractError;
use openledger_testing::Key;
use openledger_types::msg::node_registry::{NodesResponse, QueryMsg};

use crate::common::fixture;

#[test]
fn finding_p4_lists_are_bounded_and_go_on_where_they_stopped() {
    let mut f = fixture();
    let bob = f.bob.clone();
    for number in 1..35 {
        f.world.register_node(&bob, "node", &Key::named(&format!("node {number}"))).unwrap();
    }
    let nodes = |start_after, limit| {
        let answer: NodesResponse = f.ask(&QueryMsg::Nodes { start_after, limit }).unwrap();
        answer.nodes.iter().map(|n| n.node_id).collect::<Vec<_>>()
    };
    assert_eq!(nodes(None, None), (1..=10).collect::<Vec<_>>());
    assert_eq!(nodes(None, Some(99)).len(), 30);
    assert_eq!(nodes(Some(33), None), [34, 35]);
}

#[test]
fn what_is_not_there_is_said_to_be_missing() {
    let f = fixture();
    for msg in [
        QueryMsg::Node { node_id: 9 },
        QueryMsg::NodeKey { node_id: 9, height: 1 },
        QueryMsg::Work { node_id: 9 },
        QueryMsg::AuditWeight { node_id: 9 },
    ] {
        let refused = f.ask::<serde::de::IgnoredAny>(&msg).unwrap_err();
        assert!(refused.is(&ContractError::NodeNotFound { node_id: 9 }), "{refused}");
    }
    let refused = f.ask::<serde::de::IgnoredAny>(&QueryMsg::Cut { cut_id: 9 }).unwrap_err();
    assert!(refused.is(&ContractError::CutNotFound { cut_id: 9 }), "{refused}");
    assert!(f.ask::<serde::de::IgnoredAny>(&QueryMsg::Rewards { address: "x".into() }).is_err());
}
