//! Who may send what, and with which coins.

use cosmwasm_std::coin;
use openledger_contract::CommonError;
use openledger_testing::{register_msg, Key};
use openledger_types::msg::common::OwnershipAction;
use openledger_types::msg::node_registry::ExecuteMsg;

use crate::common::{fixture, Fixture, BOND};

/// Every message, who may send it (`*`: anyone) and whether it takes coins.
fn table(f: &Fixture) -> Vec<(ExecuteMsg, &'static str, bool)> {
    let node_id = f.node_id;
    let update =
        ExecuteMsg::UpdateNode { node_id, endpoint: None, moniker: Some("renamed".into()), hot_addr: None };
    let node_key = Key::named("next").public();
    let propose = OwnershipAction::Propose { new_owner: f.bob.to_string() };
    vec![
        (register_msg("other", &Key::named("other")), "*", true),
        (ExecuteMsg::AddBond { node_id }, "*", true),
        (update, "operator", false),
        (ExecuteMsg::RotateKey { node_id, node_key }, "operator", false),
        (ExecuteMsg::Unbond { node_id }, "operator", false),
        (ExecuteMsg::WithdrawBond { node_id }, "operator", false),
        (ExecuteMsg::UpdateParams { params: f.world.profile.node_registry.clone() }, "governance", false),
        (ExecuteMsg::SetPaused { paused: false }, "governance", false),
        (ExecuteMsg::UpdateOwnership(propose), "governance", false),
        (ExecuteMsg::UpdateOwnership(OwnershipAction::Cancel {}), "governance", false),
        (ExecuteMsg::UpdateOwnership(OwnershipAction::Renounce {}), "governance", false),
    ]
}

#[test]
fn every_message_is_refused_to_every_other_role() {
    for number in 0..table(&fixture()).len() {
        // Governance last: one of its messages gives the contract up.
        let mut f = fixture();
        let roles = [
            ("operator", f.alice.clone()),
            ("another operator", f.bob.clone()),
            ("stranger", f.world.account("stranger")),
            ("governance", f.world.owner.clone()),
        ];
        let (msg, allowed, takes_coins) = table(&f).swap_remove(number);
        for (role, sender) in roles {
            let sent = if takes_coins { f.pay(&sender, &msg, BOND) } else { f.send(&sender, &msg) };
            let unauthorized = sent.is_err_and(|refused| refused.0.starts_with("unauthorized"));
            assert_eq!(unauthorized, allowed != "*" && allowed != role, "{role}: {msg:?}");
        }
    }
}

#[test]
fn finding_p5_messages_without_a_price_take_no_coins() {
    let mut f = fixture();
    let (owner, alice, registry) = (f.world.owner.clone(), f.alice.clone(), f.world.node_registry.clone());
    for (msg, allowed, takes_coins) in table(&f) {
        if takes_coins {
            continue;
        }
        let sender = if allowed == "governance" { &owner } else { &alice };
        f.world.mint(sender, coin(5, "uother"));
        for funds in
            [vec![coin(1, "uopen")], vec![coin(1, "uother")], vec![coin(1, "uopen"), coin(1, "uother")]]
        {
            let refused = f.world.execute(sender, &registry, &msg, &funds).unwrap_err();
            assert!(refused.is(&CommonError::NonPayable {}), "{msg:?}: {refused}");
        }
    }
}
