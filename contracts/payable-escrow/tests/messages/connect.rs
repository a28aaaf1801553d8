//! `Connect`, `Facts`, work records.

use openledger_contract::CommonError;
use openledger_payable_escrow::ContractError;
use openledger_types::faults::datanets_hash;
use openledger_types::msg::escrow::{ConnectionsResponse, ExecuteMsg, QueryMsg};

use crate::common::registry::Set;
use crate::common::suite::{FINAL, MIN_FEE};
use crate::common::{refused, Answer, Suite, OPEN};

#[test]
fn only_the_owner_names_the_contracts_that_are_believed() {
    let mut suite = Suite::new();
    let connections: ConnectionsResponse = suite.query(&QueryMsg::Connections {});
    assert_eq!(connections.referee, Some(suite.referee.to_string()));
    assert_eq!(connections.datanet, Some(suite.datanet.to_string()));
    let new = suite.address("new-referee");
    let msg = ExecuteMsg::Connect { datanet: suite.datanet.to_string(), referee: new.to_string() };
    let old = suite.referee.clone();
    for outsider in [suite.stranger.clone(), old.clone(), new.clone()] {
        refused(suite.call(&outsider, &msg), &CommonError::Unauthorized { role: "the owner" }.into());
    }
    let owner = suite.owner.clone();
    suite.call(&owner, &msg).unwrap();
    // The old one is believed no more.
    let attest = ExecuteMsg::Attest { node_id: 1, denom: OPEN.into(), epoch: 1 };
    refused(suite.call(&old, &attest), &CommonError::Unauthorized { role: "the referee" }.into());
    refused(suite.call(&new, &attest), &ContractError::RootNotWaiting { node_id: 1, epoch: 1 });
}

#[test]
fn facts_are_what_the_session_pinned_and_settled() {
    let mut suite = Suite::new();
    let user = suite.user(0);
    let mut client = suite.open(&user, 1, &[(1, 50_000)]);
    let facts = suite.facts(1, 1);
    assert_eq!((facts.settled_epoch, facts.settled_from, facts.log.count), (0, 0, 0));
    assert_eq!(facts.datanets_hash.as_slice(), datanets_hash(&[]));
    assert_eq!((facts.price_in.u128(), facts.price_out.u128(), facts.min_fee.u128()), (3, 7, MIN_FEE));
    assert_eq!((facts.floor_per_token.u128(), facts.data_bps), (5, 4_000));
    suite.answer(&mut client, 1, &Answer::plain(50, 50));
    suite.settle(1, OPEN);
    suite.answer(&mut client, 1, &Answer::plain(50, 50));
    suite.post(1, OPEN);
    let facts = suite.facts(1, 1);
    assert_eq!((facts.settled_epoch, facts.settled_from, facts.log.count), (2, 1, 2));
}

#[test]
fn rule_f3_an_operator_gains_no_record_from_a_session_it_paid_for() {
    let mut suite = Suite::new();
    let operator = suite.nodes[&1].operator.clone();
    let user = suite.user(0);
    use cw_multi_test::Executor;
    let gift = [cosmwasm_std::coin(60_000, OPEN)];
    suite.app.send_tokens(user.clone(), operator.clone(), &gift).unwrap();
    let mut own = suite.open(&operator, 1, &[(1, 50_000)]);
    let mut other = suite.open(&user, 1, &[(1, 50_000)]);
    suite.answer(&mut own, 1, &Answer::plain(100, 100));
    suite.answer(&mut own, 1, &Answer::plain(100, 100));
    suite.answer(&mut other, 1, &Answer::plain(70, 70));
    suite.settle(1, OPEN);
    let (node_id, work) = suite.told().work[0].clone();
    assert_eq!((node_id, work.answers, work.fees.u128(), work.epochs), (1, 1, 700, 1));
}

#[test]
fn work_under_roots_that_claims_made_final_is_told_later() {
    let mut suite = Suite::new();
    let user = suite.user(0);
    let mut client = suite.open(&user, 1, &[(1, 50_000)]);
    suite.answer(&mut client, 1, &Answer::plain(100, 100));
    suite.post(1, OPEN);
    suite.advance(FINAL);
    let claims = suite.nodes[&1].waiting.clone().unwrap().1.claims(1, OPEN);
    suite.claim(claims).unwrap();
    assert!(suite.told().work.is_empty());
    suite.finalize(1).unwrap();
    assert_eq!(suite.told().work.len(), 1);
    refused(suite.finalize(1), &ContractError::NoPendingRoot { node_id: 1 });
}

#[test]
fn finding_p8_a_node_registry_that_refuses_stops_no_finality() {
    let mut suite = Suite::new();
    let user = suite.user(0);
    let mut client = suite.open(&user, 1, &[(1, 50_000)]);
    suite.answer(&mut client, 1, &Answer::plain(100, 100));
    suite.post(1, OPEN);
    suite.advance(FINAL);
    let registry = suite.registry.clone();
    suite.set(&registry, &Set::Broken(true));
    suite.finalize(1).unwrap();
    assert!(suite.epoch(1, OPEN, 1).finalized);
    suite.assert_conserved();
}

#[test]
fn finding_p7_an_unknown_reply_is_an_error() {
    use cosmwasm_std::testing::{mock_dependencies, mock_env};
    use cosmwasm_std::{Binary, Reply, SubMsgResult};
    let mut deps = mock_dependencies();
    let reply = |id| Reply {
        id,
        payload: Binary::default(),
        gas_used: 0,
        result: SubMsgResult::Err("refused".into()),
    };
    let contract = openledger_payable_escrow::contract::reply;
    assert!(contract(deps.as_mut(), mock_env(), reply(1)).is_ok());
    assert!(contract(deps.as_mut(), mock_env(), reply(2)).is_err());
}
