//! Who may send which message.

use cosmwasm_std::{Addr, Uint128};
use openledger_types::msg::common::{Amount, OwnershipAction};
use openledger_types::msg::escrow::ExecuteMsg;

use crate::common::suite::params;
use crate::common::{Answer, Suite, OPEN};

/// Whether a refusal is for lack of permission.
fn is_unauthorized(suite: &mut Suite, sender: &Addr, msg: &ExecuteMsg) -> bool {
    suite.call(sender, msg).is_err_and(|error| {
        let text = error.to_string();
        text.contains("unauthorized: only") || text.contains("no change of owner is proposed")
    })
}

#[test]
fn the_table_of_permissions() {
    // Session 1 of user 0 with node 1, which has something to settle; user 1 is proposed as owner.
    let scene = || {
        let mut suite = Suite::new();
        let user = suite.user(0);
        let mut client = suite.open(&user, 1, &[(1, 50_000)]);
        suite.answer(&mut client, 1, &Answer::plain(100, 100));
        let owner = suite.owner.clone();
        let new_owner = suite.user(1).to_string();
        let propose = ExecuteMsg::UpdateOwnership(OwnershipAction::Propose { new_owner });
        suite.call(&owner, &propose).unwrap();
        suite
    };
    let suite = scene();
    let post = suite.draft(1, OPEN, &[]).unwrap().msg();
    let amount = Amount { denom: OPEN.into(), amount: Uint128::one() };
    let to = suite.owner.to_string();
    let propose = OwnershipAction::Propose { new_owner: to.clone() };
    // Columns: owner, session's owner, proposed owner, operator, hot address, stranger.
    let everyone = [true; 6];
    let owner = [true, false, false, false, false, false];
    let table: [(ExecuteMsg, [bool; 6]); 13] = [
        (post, [false, false, false, true, true, false]),
        (ExecuteMsg::Finalize { node_id: 1 }, everyone),
        (ExecuteMsg::Claim { claims: vec![] }, everyone),
        (ExecuteMsg::Withdraw { denoms: vec![OPEN.into()] }, everyone),
        (ExecuteMsg::RequestClose { session_id: 1 }, [false, true, false, false, false, false]),
        (ExecuteMsg::Refund { session_id: 1 }, everyone),
        (ExecuteMsg::SpendTreasury { to, amount }, owner),
        (ExecuteMsg::UpdateParams { params: params() }, owner),
        (ExecuteMsg::SetPaused { paused: true }, owner),
        (ExecuteMsg::UpdateOwnership(propose), owner),
        (ExecuteMsg::UpdateOwnership(OwnershipAction::Accept {}), [false, false, true, false, false, false]),
        (ExecuteMsg::UpdateOwnership(OwnershipAction::Cancel {}), owner),
        (ExecuteMsg::UpdateOwnership(OwnershipAction::Renounce {}), owner),
    ];
    for (msg, allowed) in table {
        for (column, allowed) in allowed.into_iter().enumerate() {
            let mut suite = scene();
            let node = &suite.nodes[&1];
            let senders = [
                suite.owner.clone(),
                suite.user(0),
                suite.user(1),
                node.operator.clone(),
                node.hot.clone(),
                suite.stranger.clone(),
            ];
            let refused = is_unauthorized(&mut suite, &senders[column], &msg);
            assert_eq!(refused, !allowed, "{msg:?} by sender {column}");
        }
    }
}
