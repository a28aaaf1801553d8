use cosmwasm_std::Uint128;
use openledger_contract::CommonError;
use openledger_types::msg::common::{OwnershipAction, OwnershipResponse};
use openledger_types::msg::node_registry::{
    ConfigResponse, ConnectionsResponse, ExecuteMsg, Params, QueryMsg,
};

use crate::common::fixture;

#[test]
fn no_parameter_may_disable_its_rule() {
    let mut f = fixture();
    let owner = f.world.owner.clone();
    let good = f.params();
    let wrong: Vec<(&str, Params)> = vec![
        ("min_bond", Params { min_bond: Uint128::zero(), ..good.clone() }),
        ("unbonding_blocks", Params { unbonding_blocks: 0, ..good.clone() }),
        ("unbonding_blocks", Params { unbonding_blocks: u64::MAX, ..good.clone() }),
        ("key_blocks", Params { key_blocks: 0, ..good.clone() }),
        ("key_blocks", Params { key_blocks: u64::MAX, ..good.clone() }),
        ("jail_blocks", Params { jail_blocks: 0, ..good.clone() }),
        ("epoch_blocks", Params { epoch_blocks: 0, ..good.clone() }),
        ("veto_blocks", Params { veto_blocks: 0, ..good.clone() }),
        ("finder_bps", Params { finder_bps: 0, ..good.clone() }),
        ("finder_bps", Params { finder_bps: 10_000, ..good.clone() }),
        ("finder_bps", Params { finder_bps: 6_001, burn_bps: 4_000, ..good.clone() }),
        ("burn_bps", Params { burn_bps: 0, ..good.clone() }),
        ("burn_bps", Params { burn_bps: 10_001, ..good.clone() }),
        ("voted_cut_bps", Params { voted_cut_bps: 0, ..good.clone() }),
        ("voted_cut_bps", Params { voted_cut_bps: 10_001, ..good.clone() }),
        ("denom", Params { denom: "uother".into(), ..good.clone() }),
        ("denom", Params { denom: "-".into(), ..good.clone() }),
    ];
    for (name, params) in wrong {
        let refused = f.send(&owner, &ExecuteMsg::UpdateParams { params }).unwrap_err();
        assert!(refused.0.contains(name), "{name}: {refused}");
    }
    let params = Params { min_bond: Uint128::new(5), finder_bps: 6_000, ..good };
    f.send(&owner, &ExecuteMsg::UpdateParams { params: params.clone() }).unwrap();
    assert_eq!(f.ask::<ConfigResponse>(&QueryMsg::Config {}).unwrap().params, params);
}

#[test]
fn rule_f5_unbonding_is_longer_than_epoch_and_veto() {
    let mut f = fixture();
    let owner = f.world.owner.clone();
    let good = f.params();
    let windows = good.epoch_blocks + good.veto_blocks;
    let refused = Params { unbonding_blocks: windows, ..good.clone() };
    let refused = f.send(&owner, &ExecuteMsg::UpdateParams { params: refused }).unwrap_err();
    assert!(refused.0.contains("unbonding_blocks"), "{refused}");
    let params = Params { unbonding_blocks: windows + 1, ..good };
    f.send(&owner, &ExecuteMsg::UpdateParams { params }).unwrap();
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

#[test]
fn finding_p1_connections_are_addresses_and_only_they_are_believed() {
    let mut f = fixture();
    let (owner, bob) = (f.world.owner.clone(), f.bob.to_string());
    let connect = |model_registry: &str, escrow: &str, referee: &str| ExecuteMsg::Connect {
        model_registry: model_registry.into(),
        escrow: escrow.into(),
        referee: referee.into(),
    };
    let capitals = bob.to_uppercase();
    for wrong in [
        connect("x", &bob, &bob),
        connect(&bob, "", &bob),
        connect(&bob, &bob, "cosmos1x"),
        connect(&capitals, &bob, &bob),
    ] {
        assert!(f.send(&owner, &wrong).is_err());
    }
    let known: ConnectionsResponse = f.ask(&QueryMsg::Connections {}).unwrap();
    assert_eq!(known.referee, Some(f.world.referee.to_string()));
    f.send(&owner, &connect(&bob, &bob, &bob)).unwrap();
    let known: ConnectionsResponse = f.ask(&QueryMsg::Connections {}).unwrap();
    let bob = Some(bob);
    // The storage contract is connected by a message of its own, and stays.
    let storage = Some(f.world.storage.to_string());
    let expected =
        ConnectionsResponse { model_registry: bob.clone(), escrow: bob.clone(), referee: bob, storage };
    assert_eq!(known, expected);
    let node_id = f.node_id;
    assert!(f.referee(&crate::common::slash(node_id, 1, None)).unwrap_err().0.starts_with("unauthorized"));
}
