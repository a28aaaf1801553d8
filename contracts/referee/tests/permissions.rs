//! Who may send what.

use openledger_types::msg::common::OwnershipAction;
use openledger_types::msg::referee::ExecuteMsg;

use crate::common::Suite;
use crate::funds::{messages, Coins};

#[path = "../../../packages/contract/tests/tables.rs"]
mod tables;

#[test]
fn every_message_is_refused_to_every_other_role() {
    for number in 0..messages(&Suite::new()).len() {
        // The owner last: one of its messages gives the contract up.
        for role in ["operator", "hot key", "another auditor", "node", "stranger", "contract", "owner"] {
            let mut suite = Suite::new();
            let sender = match role {
                "operator" => suite.operator(11),
                "hot key" => suite.hot(11),
                "another auditor" => suite.operator(12),
                "node" => suite.operator(crate::common::NODE),
                "owner" => suite.owner.clone(),
                "contract" => suite.escrow.clone(),
                _ => suite.alice.clone(),
            };
            let (msg, allowed, coins) = messages(&suite).swap_remove(number);
            if role == "contract" && coins != Coins::None {
                continue;
            }
            let sent = suite.send(&sender, &msg, &coins.funds());
            let unauthorized = sent.is_err_and(|refused| refused.to_string().contains("unauthorized"));
            let may = allowed.is_empty() || allowed.contains(&role);
            assert_eq!(unauthorized, !may, "{role}: {msg:?}");
        }
    }
}

#[test]
fn finding_p12_ownership_changes_in_two_steps() {
    let mut suite = Suite::new();
    let (owner, alice, bob) = (suite.owner.clone(), suite.alice.clone(), suite.bob.clone());
    let propose = OwnershipAction::Propose { new_owner: alice.to_string() };
    suite.act(&owner, &ExecuteMsg::UpdateOwnership(propose)).unwrap();
    let accept = ExecuteMsg::UpdateOwnership(OwnershipAction::Accept {});
    assert!(suite.act(&bob, &accept).is_err());
    suite.act(&alice, &accept).unwrap();
    let renounce = ExecuteMsg::UpdateOwnership(OwnershipAction::Renounce {});
    assert!(suite.act(&owner, &renounce).is_err());
    suite.act(&alice, &renounce).unwrap();
    assert!(suite.act(&alice, &renounce).is_err());
}

#[test]
fn every_message_has_a_row() {
    let table = messages(&Suite::new());
    assert_eq!(tables::told(table.iter().map(|(msg, ..)| msg)), tables::all::<ExecuteMsg>());
}
