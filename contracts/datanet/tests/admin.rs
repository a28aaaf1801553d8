use cosmwasm_std::Uint128;
use openledger_contract::CommonError;
use openledger_testing::{Batch, Document};
use openledger_types::msg::common::{OwnershipAction, OwnershipResponse};
use openledger_types::msg::datanet::{ConfigResponse, ExecuteMsg, Params, QueryMsg};

use crate::common::{fixture, BOND, REVEAL, WINDOW};

#[test]
fn no_parameter_may_disable_its_rule() {
    let mut f = fixture();
    let owner = f.world.owner.clone();
    let good = f.world.profile.datanet.clone();
    let wrong: Vec<(&str, Params)> = vec![
        ("commit_bond", Params { commit_bond: Uint128::zero(), ..good.clone() }),
        ("reveal_blocks", Params { reveal_blocks: 0, ..good.clone() }),
        ("reveal_blocks", Params { reveal_blocks: u64::MAX, ..good.clone() }),
        ("acceptance_blocks", Params { acceptance_blocks: 0, ..good.clone() }),
        ("access_blocks", Params { access_blocks: 0, ..good.clone() }),
        ("developer_bond", Params { developer_bond: Uint128::zero(), ..good.clone() }),
        ("finder_bps", Params { finder_bps: 0, ..good.clone() }),
        ("finder_bps", Params { finder_bps: 9_000, burn_bps: 1_001, ..good.clone() }),
        ("burn_bps", Params { burn_bps: 0, ..good.clone() }),
        ("burn_bps", Params { burn_bps: 10_001, ..good.clone() }),
        ("withdrawal_grace", Params { withdrawal_grace: 0, ..good.clone() }),
        ("denom", Params { denom: String::new(), ..good.clone() }),
        ("denom", Params { denom: "uother".into(), ..good.clone() }),
    ];
    for (name, params) in wrong {
        let refused = f.send(&owner, &ExecuteMsg::UpdateParams { params }).unwrap_err();
        assert!(refused.0.contains(name), "{name}: {refused}");
    }
    let params = Params { reveal_blocks: 50, ..good };
    f.send(&owner, &ExecuteMsg::UpdateParams { params: params.clone() }).unwrap();
    assert_eq!(f.ask::<ConfigResponse>(&QueryMsg::Config {}).unwrap().params, params);
}

#[test]
fn an_open_commit_keeps_its_terms() {
    let mut f = fixture();
    let (owner, bob, datanet_id) = (f.world.owner.clone(), f.bob.clone(), f.datanet_id);
    let batch = Batch::new(&bob, Document::generate(1, 1));
    let commit_id = f.world.commit(&bob, datanet_id, &batch).unwrap();
    let mut params = f.world.profile.datanet.clone();
    params.commit_bond = Uint128::new(7 * BOND);
    params.reveal_blocks = 1;
    params.acceptance_blocks = 1_000;
    f.send(&owner, &ExecuteMsg::UpdateParams { params }).unwrap();
    f.world.advance(REVEAL);
    f.world.reveal(&bob, commit_id, batch.items()).unwrap();
    assert_eq!((f.term("bonds_held"), f.term("bonds_at_stake")), (0, BOND));
    f.world.advance(WINDOW);
    assert!(f.world.release_bonds(&bob, commit_id).is_err(), "the window is the one of the commit");
    f.world.advance(1);
    f.world.release_bonds(&bob, commit_id).unwrap();
}

#[test]
fn finding_p12_ownership_moves_in_two_steps() {
    let mut f = fixture();
    let (owner, alice, bob) = (f.world.owner.clone(), f.alice.clone(), f.bob.clone());
    let step = ExecuteMsg::UpdateOwnership;
    let propose = |to: &str| OwnershipAction::Propose { new_owner: to.into() };
    f.send(&owner, &step(propose(alice.as_str()))).unwrap();
    let refused = f.send(&bob, &step(OwnershipAction::Accept {})).unwrap_err();
    assert!(refused.is(&CommonError::NoPendingOwner {}));
    f.send(&owner, &step(OwnershipAction::Cancel {})).unwrap();
    assert!(f.send(&alice, &step(OwnershipAction::Accept {})).is_err());
    f.send(&owner, &step(propose(alice.as_str()))).unwrap();
    let still = f.ask::<OwnershipResponse>(&QueryMsg::Ownership {}).unwrap();
    assert_eq!(still, OwnershipResponse { owner: Some(owner.to_string()), pending: Some(alice.to_string()) });
    f.send(&alice, &step(OwnershipAction::Accept {})).unwrap();
    assert!(f.send(&owner, &ExecuteMsg::SetPaused { paused: true }).is_err());
    assert!(f.send(&alice, &step(propose(&bob.to_string().to_uppercase()))).is_err());
    f.send(&alice, &step(OwnershipAction::Renounce {})).unwrap();
    assert!(f.send(&alice, &ExecuteMsg::SetPaused { paused: true }).is_err());
    assert_eq!(f.ask::<OwnershipResponse>(&QueryMsg::Ownership {}).unwrap().owner, None);
}
