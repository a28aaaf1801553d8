use openledger_contract::CommonError;
use openledger_types::msg::common::{OwnershipAction, OwnershipResponse};
use openledger_types::msg::model_registry::{ConfigResponse, ExecuteMsg, Params, QueryMsg};

use crate::common::fixture;

#[test]
fn no_parameter_may_disable_its_rule() {
    let mut f = fixture();
    let owner = f.world.owner.clone();
    for (min_data_bps, protocol_bps) in [(0, 500), (3_000, 0), (10_001, 500), (3_000, 10_001), (9_501, 500)] {
        let params = Params { min_data_bps, protocol_bps };
        assert!(f.send(&owner, &ExecuteMsg::UpdateParams { params }).is_err());
    }
    let params = Params { min_data_bps: 9_500, protocol_bps: 500 };
    f.send(&owner, &ExecuteMsg::UpdateParams { params: params.clone() }).unwrap();
    let config: ConfigResponse = f.ask(&QueryMsg::Config {}).unwrap();
    assert_eq!(config.params, params);
    assert_eq!(config.datanet, f.world.datanet.to_string());
}

#[test]
fn finding_p12_ownership_moves_in_two_steps() {
    let mut f = fixture();
    let (owner, alice, bob) = (f.world.owner.clone(), f.alice.clone(), f.bob.clone());
    let step = ExecuteMsg::UpdateOwnership;
    let propose = step(OwnershipAction::Propose { new_owner: alice.to_string() });
    f.send(&owner, &propose).unwrap();
    let refused = f.send(&bob, &step(OwnershipAction::Accept {})).unwrap_err();
    assert!(refused.is(&CommonError::NoPendingOwner {}));
    f.send(&alice, &step(OwnershipAction::Accept {})).unwrap();
    assert!(f.send(&owner, &ExecuteMsg::SetPaused { paused: true }).is_err());
    let ownership: OwnershipResponse = f.ask(&QueryMsg::Ownership {}).unwrap();
    assert_eq!(ownership, OwnershipResponse { owner: Some(alice.to_string()), pending: None });
}
