use cosmwasm_std::Uint128;
use openledger_contract::CommonError;
use openledger_types::msg::common::{OwnershipAction, OwnershipResponse};
use openledger_types::msg::node_registry::{ConfigResponse, ExecuteMsg, Params, QueryMsg};

use crate::common::fixture;

#[test]
fn no_parameter_may_disable_its_rule() {
    let mut f = fixture();
    let owner = f.world.owner.clone();
    let good = f.world.profile.node_registry.clone();
    let wrong: Vec<(&str, Params)> = vec![
        ("min_bond", Params { min_bond: Uint128::zero(), ..good.clone() }),
        ("unbonding_blocks", Params { unbonding_blocks: 0, ..good.clone() }),
        ("unbonding_blocks", Params { unbonding_blocks: u64::MAX, ..good.clone() }),
        ("denom", Params { denom: "uother".into(), ..good.clone() }),
        ("denom", Params { denom: "-".into(), ..good.clone() }),
    ];
    for (name, params) in wrong {
        let refused = f.send(&owner, &ExecuteMsg::UpdateParams { params }).unwrap_err();
        assert!(refused.0.contains(name), "{name}: {refused}");
    }
    let params = Params { min_bond: Uint128::new(5), ..good };
    f.send(&owner, &ExecuteMsg::UpdateParams { params: params.clone() }).unwrap();
    assert_eq!(f.ask::<ConfigResponse>(&QueryMsg::Config {}).unwrap().params, params);
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
