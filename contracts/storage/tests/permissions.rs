//! Who may send what.

use openledger_types::msg::common::OwnershipAction;
use openledger_types::msg::storage::ExecuteMsg;

use crate::common::Suite;

/// Every message with the roles that may send it; nobody named means anyone. Exhaustive: a new message
/// must be put here.
fn messages(suite: &Suite) -> Vec<(ExecuteMsg, Vec<&'static str>)> {
    let (datanet_id, node_id, object_id) = (suite.datanet_id, suite.storers[0].0, 1);
    let all = vec![
        ExecuteMsg::Fund { parts: vec![] },
        ExecuteMsg::AnnounceExit { datanet_id },
        ExecuteMsg::Exit { datanet_id },
        ExecuteMsg::SetPrice { datanet_id, price: None },
        ExecuteMsg::Enroll { node_id, capacity: 1 },
        ExecuteMsg::Leave { node_id },
        ExecuteMsg::Delist { node_id },
        ExecuteMsg::Place { datanet_id, contributions: suite.ids.clone(), roots: vec![vec![1; 32].into()] },
        ExecuteMsg::Nominate { object_id, nominees: vec![] },
        ExecuteMsg::Accept { node_id, slots: vec![(1, 0)] },
        ExecuteMsg::Draw {},
        ExecuteMsg::Prove { node_id, answers: vec![] },
        ExecuteMsg::ReportMiss { node_id },
        ExecuteMsg::Vacate { node_id, positions: vec![] },
        ExecuteMsg::Sweep { node_id, positions: vec![] },
        ExecuteMsg::Claim { node_id, positions: vec![] },
        ExecuteMsg::Retire { object_id, contribution_id: None },
        ExecuteMsg::UpdateParams { params: suite.params() },
        ExecuteMsg::SetPaused { paused: true },
        ExecuteMsg::UpdateOwnership(OwnershipAction::Cancel {}),
    ];
    all.into_iter()
        .map(|msg| {
            let roles = match &msg {
                ExecuteMsg::Fund { .. }
                | ExecuteMsg::AnnounceExit { .. }
                | ExecuteMsg::Exit { .. }
                | ExecuteMsg::Delist { .. }
                | ExecuteMsg::Nominate { .. }
                | ExecuteMsg::Draw {}
                | ExecuteMsg::Prove { .. }
                | ExecuteMsg::ReportMiss { .. }
                | ExecuteMsg::Vacate { .. }
                | ExecuteMsg::Sweep { .. }
                | ExecuteMsg::Claim { .. }
                | ExecuteMsg::Retire { .. } => vec![],
                ExecuteMsg::SetPrice { .. } | ExecuteMsg::Place { .. } => vec!["datanet owner"],
                ExecuteMsg::Enroll { .. } | ExecuteMsg::Leave { .. } | ExecuteMsg::Accept { .. } => {
                    vec!["operator"]
                }
                ExecuteMsg::UpdateParams { .. }
                | ExecuteMsg::SetPaused { .. }
                | ExecuteMsg::UpdateOwnership(_) => vec!["owner"],
            };
            (msg, roles)
        })
        .collect()
}

#[test]
fn every_message_is_refused_to_every_other_role() {
    for number in 0..messages(&Suite::new(3)).len() {
        let mut suite = Suite::new(3);
        for role in ["stranger", "other operator", "contract", "operator", "datanet owner", "owner"] {
            let sender = match role {
                "operator" => suite.storers[0].1.clone(),
                "other operator" => suite.storers[1].1.clone(),
                "datanet owner" => suite.alice.clone(),
                "owner" => suite.world.owner.clone(),
                "contract" => suite.world.escrow.clone(),
                _ => suite.bob.clone(),
            };
            let (msg, allowed) = messages(&suite).swap_remove(number);
            let sent = suite.tell(&sender, msg.clone());
            let unauthorized = sent.is_err_and(|refused| refused.0.contains("unauthorized"));
            let may = allowed.is_empty() || allowed.contains(&role);
            assert_eq!(unauthorized, !may, "{role}: {msg:?}");
        }
    }
}
