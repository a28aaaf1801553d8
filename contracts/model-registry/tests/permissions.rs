//! Who may send what; no message takes coins.

use cosmwasm_std::{coin, HexBinary, Uint128};
use openledger_contract::CommonError;
use openledger_testing::TrainingTree;
use openledger_types::msg::common::OwnershipAction;
use openledger_types::msg::model_registry::ExecuteMsg;

use crate::common::{fixture, Fixture};

#[path = "../../../packages/contract/tests/tables.rs"]
mod tables;

/// Every message and who may send it (`*`: anyone).
fn table(f: &Fixture) -> Vec<(ExecuteMsg, &'static str)> {
    let (model_id, price) = (f.model_id, Uint128::new(100));
    let developer = |action| ExecuteMsg::UpdateDeveloper { model_id, action };
    vec![
        (ExecuteMsg::RegisterModel { name: "x".into(), description: "y".into() }, "*"),
        (ExecuteMsg::RegisterVersion { model_id, version: f.version() }, "developer"),
        (ExecuteMsg::Deprecate { model_id, version: 1 }, "developer"),
        (ExecuteMsg::SetPrice { model_id, version: 1, price_in: price, price_out: price }, "developer"),
        (developer(OwnershipAction::Propose { new_owner: f.alice.to_string() }), "developer"),
        (developer(OwnershipAction::Cancel {}), "developer"),
        (developer(OwnershipAction::Renounce {}), "developer"),
        // Refused to whom nothing was proposed, in words of its own.
        (developer(OwnershipAction::Accept {}), "*"),
        (ExecuteMsg::MarkStale { model_id, version: 1 }, "*"),
        (
            ExecuteMsg::ProveTraining {
                model_id,
                version: 1,
                datanet_id: 1,
                items: TrainingTree::new(&[(1, 1)]).items(),
            },
            "*",
        ),
        (ExecuteMsg::UpdateParams { params: f.world.profile.model_registry.clone() }, "governance"),
        (ExecuteMsg::SetPaused { paused: false }, "governance"),
        (
            ExecuteMsg::UpdateOwnership(OwnershipAction::Propose { new_owner: f.bob.to_string() }),
            "governance",
        ),
        (ExecuteMsg::UpdateOwnership(OwnershipAction::Accept {}), "*"),
        (ExecuteMsg::UpdateOwnership(OwnershipAction::Cancel {}), "governance"),
        (ExecuteMsg::UpdateOwnership(OwnershipAction::Renounce {}), "governance"),
    ]
}

#[test]
fn every_message_is_refused_to_every_other_role() {
    for number in 0..table(&fixture()).len() {
        // Governance last: one of its messages gives the contract up.
        let mut f = fixture();
        f.register(|v| v.manifest_hash = HexBinary::from([7u8; 32])).unwrap();
        let roles = [
            ("developer", f.bob.clone()),
            ("datanet owner", f.alice.clone()),
            ("stranger", f.world.account("stranger")),
            ("governance", f.world.owner.clone()),
        ];
        let (msg, allowed) = table(&f).swap_remove(number);
        for (role, sender) in roles {
            let sent = f.send(&sender, &msg);
            let unauthorized = sent.is_err_and(|refused| refused.0.starts_with("unauthorized"));
            assert_eq!(unauthorized, allowed != "*" && allowed != role, "{role}: {msg:?}");
        }
    }
}

#[test]
fn finding_p5_no_message_takes_coins() {
    let mut f = fixture();
    let (owner, bob, registry) = (f.world.owner.clone(), f.bob.clone(), f.world.model_registry.clone());
    for (msg, allowed) in table(&f) {
        let sender = if allowed == "governance" { &owner } else { &bob };
        f.world.mint(sender, coin(5, "uother"));
        for funds in
            [vec![coin(1, "uopen")], vec![coin(1, "uother")], vec![coin(1, "uopen"), coin(1, "uother")]]
        {
            let refused = f.world.execute(sender, &registry, &msg, &funds).unwrap_err();
            assert!(refused.is(&CommonError::NonPayable {}), "{msg:?}: {refused}");
        }
    }
}

#[test]
fn rule_a1_pause_stops_new_models_and_versions_only() {
    let mut f = fixture();
    f.register(|v| v.manifest_hash = HexBinary::from([7u8; 32])).unwrap();
    let (owner, bob) = (f.world.owner.clone(), f.bob.clone());
    f.send(&owner, &ExecuteMsg::SetPaused { paused: true }).unwrap();
    for (msg, allowed) in table(&f) {
        // What lifts the pause or gives the contract up is not tried here.
        if allowed == "governance" {
            continue;
        }
        let new_work = matches!(msg, ExecuteMsg::RegisterModel { .. } | ExecuteMsg::RegisterVersion { .. });
        let paused = f.send(&bob, &msg).is_err_and(|refused| refused.is(&CommonError::Paused {}));
        assert_eq!(paused, new_work, "{msg:?}");
    }
}

#[test]
fn every_message_has_a_row() {
    let table = table(&fixture());
    assert_eq!(tables::told(table.iter().map(|(msg, _)| msg)), tables::all::<ExecuteMsg>());
}
