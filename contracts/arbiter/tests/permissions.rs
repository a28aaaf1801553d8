//! Who may send what, and with which coins.

use openledger_types::msg::arbiter::{ExecuteMsg, Params, QueryMsg, TotalsResponse};
use openledger_types::msg::common::{InvariantsResponse, OwnershipAction};
use openledger_types::msg::referee::ReceiptFault;
use openledger_types::packed::HashPath;

use crate::suite::{Suite, RIGHT};

#[path = "../../../packages/contract/tests/tables.rs"]
mod tables;

/// Every message and who may send it; nobody named: anyone. `by_node`: the node opened the dispute.
fn messages(suite: &Suite, case_id: u64) -> Vec<(ExecuteMsg, &'static [&'static str])> {
    let node: &[&str] = &["node"];
    let owner: &[&str] = &["owner"];
    let (tokens, digests) = (vec![1], vec![0; 32]);
    vec![
        (suite.opening(case_id + 1), &["node", "challenger"]),
        (ExecuteMsg::Contest { case_id }, node),
        (
            ExecuteMsg::Answer {
                case_id,
                tokens: tokens.clone(),
                digests: digests.clone().into(),
                trace_root: [1; 32].into(),
            },
            node,
        ),
        (ExecuteMsg::Show { case_id, hashes: HashPath::default() }, node),
        (ExecuteMsg::Pick { case_id, index: 0 }, &["challenger"]),
        (
            ExecuteMsg::Step {
                case_id,
                prompt: vec![1],
                tokens,
                digests: digests.into(),
                openings: Default::default(),
            },
            node,
        ),
        (ExecuteMsg::Expire { case_id }, &[]),
        (ExecuteMsg::UpdateParams { params: Params { move_blocks: 5 } }, owner),
        (
            ExecuteMsg::UpdateOwnership(OwnershipAction::Propose { new_owner: suite.challenger.to_string() }),
            owner,
        ),
    ]
}

#[test]
fn every_message_is_refused_to_every_other_role() {
    for role in ["node", "challenger", "stranger", "owner"] {
        let mut suite = Suite::new(RIGHT);
        let first = suite.case(ReceiptFault::Output);
        let challenger = suite.challenger.clone();
        let msg = suite.opening(first);
        suite.tell(&challenger, &msg).unwrap();
        let sender = match role {
            "node" => suite.node.operator.clone(),
            "challenger" => challenger,
            "owner" => suite.world.owner.clone(),
            _ => suite.world.account("stranger"),
        };
        let mut table = messages(&suite, first);
        // There is one case: who may open is asked of a suite without a dispute.
        let (_, openers) = table.remove(0);
        for (msg, allowed) in table.into_iter().rev() {
            let sent = suite.tell(&sender, &msg);
            let unauthorized = sent.is_err_and(|refused| refused.to_string().contains("unauthorized"));
            let may = allowed.is_empty() || allowed.contains(&role);
            assert_eq!(unauthorized, !may, "{role}: {msg:?}");
        }
        let mut suite = Suite::new(RIGHT);
        let case_id = suite.case(ReceiptFault::Output);
        let msg = suite.opening(case_id);
        let sent = suite.tell(&sender, &msg);
        assert_eq!(sent.is_ok(), openers.contains(&role), "{role}: {sent:?}");
    }
}

#[test]
fn every_message_has_a_row() {
    let table = messages(&Suite::new(RIGHT), 1);
    assert_eq!(tables::told(table.iter().map(|(msg, ..)| msg)), tables::all::<ExecuteMsg>());
}

#[test]
fn finding_p5_no_message_takes_coins() {
    let mut suite = Suite::new(RIGHT);
    let (arbiter, owner) = (suite.arbiter.clone(), suite.world.owner.clone());
    let one = suite.world.coins(1);
    suite.world.mint(&owner, one[0].clone());
    for (msg, _) in messages(&suite, 1) {
        let refused = suite.world.execute(&owner, &arbiter, &msg, &one).unwrap_err().to_string();
        assert!(refused.contains("coins") || refused.contains("funds"), "{refused}");
    }
}

#[test]
fn no_window_is_empty() {
    let mut suite = Suite::new(RIGHT);
    let owner = suite.world.owner.clone();
    assert!(suite.tell(&owner, &ExecuteMsg::UpdateParams { params: Params { move_blocks: 0 } }).is_err());
}

#[test]
fn rule_a2_nothing_is_owed_and_coins_sent_past_the_messages_are_surplus() {
    let mut suite = Suite::new(RIGHT);
    let arbiter = suite.arbiter.clone();
    let query = QueryMsg::Invariants {};
    let found: InvariantsResponse = suite.world.query(&arbiter, &query).unwrap();
    assert!(found.holds && found.denoms[0].balance.is_zero() && found.denoms[0].terms.is_empty());
    let coin = suite.world.coins(7)[0].clone();
    suite.world.mint(&arbiter, coin);
    let found: InvariantsResponse = suite.world.query(&arbiter, &query).unwrap();
    assert!(found.holds);
    assert_eq!(found.denoms[0].surplus.to_string(), "7");
    // A counter that is off is told.
    let totals = TotalsResponse { opened: 1, ..Default::default() };
    openledger_arbiter::state::TOTALS
        .save(&mut *suite.world.app.contract_storage_mut(&arbiter), &totals)
        .unwrap();
    let found: InvariantsResponse = suite.world.query(&arbiter, &query).unwrap();
    assert!(!found.holds && found.broken.len() == 1);
}
