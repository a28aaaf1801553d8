use openledger_types::msg::common::OwnershipResponse;
use openledger_types::msg::referee::{
    BlobKind, CasesResponse, ConfigResponse, DemandsResponse, QueryMsg, Subject,
};

use crate::common::{about_receipts, params, Suite, CASE_BOND};

#[test]
fn config_and_owner_are_told() {
    let suite = Suite::new();
    let config: ConfigResponse = suite.ask(&QueryMsg::Config {}).unwrap();
    assert_eq!(config.params, params());
    assert_eq!(
        (config.datanet, config.node_registry, config.escrow),
        (suite.datanet.to_string(), suite.nodes.to_string(), suite.escrow.to_string())
    );
    let owner: OwnershipResponse = suite.ask(&QueryMsg::Ownership {}).unwrap();
    assert_eq!(owner.owner, Some(suite.owner.to_string()));
}

#[test]
fn lists_are_paged() {
    let mut suite = Suite::new();
    let alice = suite.alice.clone();
    for epoch in 1..=35 {
        suite.post(epoch);
        suite.demand(&alice, epoch, BlobKind::Leaves, 0).unwrap();
        suite.open(&alice, about_receipts(epoch, &[1]), CASE_BOND).unwrap();
    }
    let demands = |start_after, limit| {
        let answer: DemandsResponse = suite.ask(&QueryMsg::Demands { start_after, limit }).unwrap();
        answer.demands.iter().map(|demand| demand.demand_id).collect::<Vec<_>>()
    };
    let cases = |start_after, limit| {
        let answer: CasesResponse = suite.ask(&QueryMsg::Cases { start_after, limit }).unwrap();
        answer.cases.iter().map(|case| case.case_id).collect::<Vec<_>>()
    };
    assert_eq!(demands(None, None), (1..=10).collect::<Vec<_>>());
    assert_eq!(demands(Some(30), Some(100)), (31..=35).collect::<Vec<_>>());
    assert_eq!(demands(None, Some(100)).len(), 30);
    assert_eq!(cases(None, None), (1..=10).collect::<Vec<_>>());
    assert_eq!(cases(Some(33), Some(2)), [34, 35]);
    assert_eq!(cases(None, Some(100)).len(), 30);
    let Subject::Receipts { receipts, .. } = suite.case(1).subject else { panic!() };
    assert!(receipts[0].path.is_empty(), "paths are checked, not kept");
    assert!(suite.ask::<cosmwasm_std::Empty>(&QueryMsg::Case { case_id: 99 }).is_err());
    assert!(suite.ask::<cosmwasm_std::Empty>(&QueryMsg::Demand { demand_id: 99 }).is_err());
}
