//! Who may send what, and with which coins.

use cosmwasm_std::{coin, HexBinary, Uint128};
use openledger_contract::CommonError;
use openledger_testing::{datanet_msg, Batch, Document};
use openledger_types::msg::common::OwnershipAction;
use openledger_types::msg::datanet::ExecuteMsg;

use crate::common::{fixture, Fixture};

/// Every message, who may send it (`*`: anyone) and whether it takes coins.
fn table(f: &Fixture, batch: &Batch) -> Vec<(ExecuteMsg, &'static str, bool)> {
    let datanet_id = f.datanet_id;
    let params = f.world.profile.datanet.clone();
    let wrapped = HexBinary::from(vec![1; 10]);
    vec![
        (datanet_msg("x"), "*", false),
        (ExecuteMsg::Commit { datanet_id, root: batch.root(), count: 1 }, "*", true),
        (ExecuteMsg::Reveal { commit_id: 1, items: batch.items() }, "committer", false),
        (ExecuteMsg::ExpireCommit { commit_id: 1 }, "*", false),
        (ExecuteMsg::Seal { datanet_id, up_to: None, limit: None }, "datanet owner", false),
        (ExecuteMsg::GrantKey { datanet_id, node_id: 1, wrapped }, "datanet owner", false),
        (ExecuteMsg::WithdrawBonds {}, "*", false),
        (ExecuteMsg::SpendTreasury { to: f.bob.to_string(), amount: Uint128::one() }, "governance", false),
        (ExecuteMsg::UpdateParams { params }, "governance", false),
        (ExecuteMsg::SetPaused { paused: false }, "governance", false),
        (
            ExecuteMsg::UpdateOwnership(OwnershipAction::Propose { new_owner: f.bob.to_string() }),
            "governance",
            false,
        ),
        (ExecuteMsg::UpdateOwnership(OwnershipAction::Cancel {}), "governance", false),
    ]
}

/// A commit of Bob's is open; Alice owns the datanet.
fn scene() -> (Fixture, Batch) {
    let mut f = fixture();
    let (bob, datanet_id) = (f.bob.clone(), f.datanet_id);
    let batch = Batch::new(&bob, Document::generate(1, 1));
    f.world.commit(&bob, datanet_id, &batch).unwrap();
    (f, batch)
}

#[test]
fn every_message_is_refused_to_every_other_role() {
    for number in 0.. {
        let (mut f, batch) = scene();
        let roles = [
            ("governance", f.world.owner.clone()),
            ("datanet owner", f.alice.clone()),
            ("committer", f.bob.clone()),
            ("stranger", f.world.account("stranger")),
        ];
        let Some((msg, allowed, takes_coins)) = table(&f, &batch).into_iter().nth(number) else {
            break;
        };
        let funds = if takes_coins { f.world.coins(crate::common::BOND) } else { vec![] };
        for (role, sender) in roles {
            let datanet = f.world.datanet.clone();
            let sent = f.world.execute(&sender, &datanet, &msg, &funds);
            let unauthorized = sent.is_err_and(|refused| refused.0.starts_with("unauthorized"));
            assert_eq!(unauthorized, allowed != "*" && allowed != role, "{role}: {msg:?}");
        }
    }
}

#[test]
fn finding_p5_messages_without_a_price_take_no_coins() {
    let (mut f, batch) = scene();
    let (owner, alice, bob) = (f.world.owner.clone(), f.alice.clone(), f.bob.clone());
    let datanet = f.world.datanet.clone();
    for (msg, allowed, takes_coins) in table(&f, &batch) {
        if takes_coins {
            continue;
        }
        let sender = match allowed {
            "governance" => &owner,
            "committer" => &bob,
            _ => &alice,
        };
        f.world.mint(sender, coin(5, "uother"));
        for funds in
            [vec![coin(1, "uopen")], vec![coin(1, "uother")], vec![coin(1, "uopen"), coin(1, "uother")]]
        {
            let refused = f.world.execute(sender, &datanet, &msg, &funds).unwrap_err();
            assert!(refused.is(&CommonError::NonPayable {}), "{msg:?}: {refused}");
        }
    }
}
