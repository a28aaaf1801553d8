use openledger_contract::CommonError;
use openledger_types::msg::common::{OwnershipAction, OwnershipResponse};
use openledger_types::msg::model_registry::{ConfigResponse, ExecuteMsg, Params, QueryMsg};

use crate::common::fixture;

#[test]
fn no_parameter_may_disable_its_rule() {
    let mut f = fixture();
    let owner = f.world.owner.clone();
    let fine = f.world.profile.model_registry.clone();
    let changed = |change: fn(&mut Params)| {
        let mut params = fine.clone();
        change(&mut params);
        params
    };
    for params in [
        changed(|p| p.min_data_bps = 0),
        changed(|p| p.min_data_bps = 10_001),
        changed(|p| p.min_data_bps = 9_501),
        changed(|p| p.protocol_bps = 0),
        changed(|p| p.protocol_bps = 10_001),
        changed(|p| p.max_royalty_bps = 0),
        changed(|p| p.max_royalty_bps = 10_001),
        changed(|p| p.price_notice = 0),
        changed(|p| p.price_notice = u64::MAX),
    ] {
        let refused = f.send(&owner, &ExecuteMsg::UpdateParams { params: params.clone() }).unwrap_err();
        assert!(refused.0.starts_with("parameter"), "{params:?}: {refused}");
    }
    let params = Params { min_data_bps: 9_500, protocol_bps: 500, max_royalty_bps: 10_000, price_notice: 1 };
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
