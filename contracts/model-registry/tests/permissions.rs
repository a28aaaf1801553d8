//! Who may send what; no message takes coins.

use cosmwasm_std::coin;
use openledger_contract::CommonError;
use openledger_types::msg::common::OwnershipAction;
use openledger_types::msg::model_registry::ExecuteMsg;

use crate::common::{fixture, Fixture};

/// Every message and who may send it (`*`: anyone).
fn table(f: &Fixture) -> Vec<(ExecuteMsg, &'static str)> {
    let model_id = f.model_id;
    vec![
        (ExecuteMsg::RegisterModel { name: "x".into(), description: "y".into() }, "*"),
        (ExecuteMsg::RegisterVersion { model_id, version: f.version() }, "developer"),
        (ExecuteMsg::Deprecate { model_id, version: 1 }, "developer"),
        (ExecuteMsg::UpdateParams { params: f.world.profile.model_registry.clone() }, "governance"),
        (ExecuteMsg::SetPaused { paused: false }, "governance"),
        (
            ExecuteMsg::UpdateOwnership(OwnershipAction::Propose { new_owner: f.bob.to_string() }),
            "governance",
        ),
        (ExecuteMsg::UpdateOwnership(OwnershipAction::Cancel {}), "governance"),
        (ExecuteMsg::UpdateOwnership(OwnershipAction::Renounce {}), "governance"),
    ]
}

#[test]
fn every_message_is_refused_to_every_other_role() {
    for number in 0..table(&fixture()).len() {
        // Governance last: one of its messages gives the contract up.
        let mut f = fixture();
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
