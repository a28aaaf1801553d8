//! Who may send what, and with which coins.

use cosmwasm_std::{coin, Addr, Uint128};
use openledger_contract::CommonError;
use openledger_testing::{register_msg, Key};
use openledger_types::msg::common::OwnershipAction;
use openledger_types::msg::node_registry::{DeclaredWork, ExecuteMsg, RecordedWork};

use crate::common::{fixture, plan, slash, Fixture, BOND};

#[path = "../../../packages/contract/tests/tables.rs"]
mod tables;

const OWNER: &[&str] = &["governance"];
const OPERATOR: &[&str] = &["operator"];
const RUNNER: &[&str] = &["operator", "hot address"];
const COURT: &[&str] = &["escrow", "referee", "storage"];
const REFEREE: &[&str] = &["referee"];
const ANYONE: &[&str] = &[];

/// A node of Alice's with a hot address.
fn with_hot() -> (Fixture, Addr) {
    let mut f = fixture();
    let (alice, hot) = (f.alice.clone(), f.world.account("hot"));
    let msg = ExecuteMsg::UpdateNode {
        node_id: f.node_id,
        endpoint: None,
        moniker: None,
        hot_addr: Some(hot.to_string()),
        age_recipient: None,
        roles: None,
    };
    f.send(&alice, &msg).unwrap();
    (f, hot)
}

/// Every message, who may send it (nobody named: anyone) and whether it takes coins.
fn table(f: &Fixture) -> Vec<(ExecuteMsg, &'static [&'static str], bool)> {
    let (node_id, bob) = (f.node_id, f.bob.to_string());
    let update = ExecuteMsg::UpdateNode {
        node_id,
        endpoint: None,
        moniker: Some("renamed".into()),
        hot_addr: None,
        age_recipient: None,
        roles: None,
    };
    let propose = OwnershipAction::Propose { new_owner: bob.clone() };
    let offer = ExecuteMsg::Offer { node_id, model_id: 1, version: 1, price_in: None, price_out: None };
    let spend = ExecuteMsg::SpendTreasury { to: bob.clone(), amount: Uint128::one() };
    let connect =
        ExecuteMsg::Connect { model_registry: bob.clone(), escrow: bob.clone(), referee: bob.clone() };
    vec![
        (register_msg(&f.world, &f.bob, "other", &Key::named("other")), ANYONE, true),
        (ExecuteMsg::AddBond { node_id }, ANYONE, true),
        (update, OPERATOR, false),
        (f.rotate(&f.alice, "next"), OPERATOR, false),
        (ExecuteMsg::RenewKey { node_id }, OPERATOR, false),
        (offer, RUNNER, false),
        (ExecuteMsg::StopOffer { node_id, model_id: 1, version: 1 }, RUNNER, false),
        (ExecuteMsg::ReportWork { node_id, work: DeclaredWork::default() }, RUNNER, false),
        (ExecuteMsg::Unjail { node_id }, OPERATOR, false),
        (ExecuteMsg::RecordWork { node_id, work: RecordedWork::default() }, COURT, false),
        (slash(node_id, 1, None), COURT, false),
        (plan(node_id, 1, None), REFEREE, false),
        (ExecuteMsg::ExecuteCut { cut_id: 1 }, ANYONE, false),
        (ExecuteMsg::VetoCut { cut_id: 1 }, OWNER, false),
        (ExecuteMsg::Freeze { node_id, open: true }, REFEREE, false),
        (ExecuteMsg::Freeze { node_id, open: false }, REFEREE, false),
        (ExecuteMsg::WithdrawRewards {}, ANYONE, false),
        (spend, OWNER, false),
        (connect, OWNER, false),
        (ExecuteMsg::ConnectStorage { storage: bob }, OWNER, false),
        (ExecuteMsg::Unbond { node_id }, OPERATOR, false),
        (ExecuteMsg::WithdrawBond { node_id }, OPERATOR, false),
        (ExecuteMsg::UpdateParams { params: f.params() }, OWNER, false),
        (ExecuteMsg::SetPaused { paused: false }, OWNER, false),
        (ExecuteMsg::UpdateOwnership(propose), OWNER, false),
        (ExecuteMsg::UpdateOwnership(OwnershipAction::Cancel {}), OWNER, false),
        (ExecuteMsg::UpdateOwnership(OwnershipAction::Renounce {}), OWNER, false),
    ]
}

fn roles(f: &mut Fixture, hot: Addr) -> Vec<(&'static str, Addr)> {
    // Governance last: one of its messages gives the contract up.
    vec![
        ("operator", f.alice.clone()),
        ("hot address", hot),
        ("another operator", f.bob.clone()),
        ("stranger", f.world.account("stranger")),
        ("model registry", f.world.model_registry.clone()),
        ("datanet", f.world.datanet.clone()),
        ("escrow", f.world.escrow.clone()),
        ("referee", f.world.referee.clone()),
        ("storage", f.world.storage.clone()),
        ("governance", f.world.owner.clone()),
    ]
}

#[test]
fn every_message_is_refused_to_every_other_role() {
    for number in 0..table(&fixture()).len() {
        let (mut f, hot) = with_hot();
        let (msg, allowed, takes_coins) = table(&f).swap_remove(number);
        for (role, sender) in roles(&mut f, hot) {
            f.world.mint(&sender, coin(BOND, "uopen"));
            let sent = if takes_coins { f.pay(&sender, &msg, BOND) } else { f.send(&sender, &msg) };
            let unauthorized = sent.is_err_and(|refused| refused.0.starts_with("unauthorized"));
            assert_eq!(unauthorized, !allowed.is_empty() && !allowed.contains(&role), "{role}: {msg:?}");
        }
    }
}

#[test]
fn finding_p5_messages_without_a_price_take_no_coins() {
    let (mut f, hot) = with_hot();
    let registry = f.world.node_registry.clone();
    let senders = roles(&mut f, hot);
    for (msg, allowed, takes_coins) in table(&f) {
        if takes_coins {
            continue;
        }
        let (_, sender) =
            senders.iter().find(|(role, _)| allowed.is_empty() || allowed.contains(role)).unwrap();
        f.world.mint(sender, coin(5, "uother"));
        f.world.mint(sender, coin(5, "uopen"));
        for funds in
            [vec![coin(1, "uopen")], vec![coin(1, "uother")], vec![coin(1, "uopen"), coin(1, "uother")]]
        {
            let refused = f.world.execute(sender, &registry, &msg, &funds).unwrap_err();
            assert!(refused.is(&CommonError::NonPayable {}), "{msg:?}: {refused}");
        }
    }
}

#[test]
fn every_message_has_a_row() {
    let table = table(&fixture());
    assert_eq!(tables::told(table.iter().map(|(msg, ..)| msg)), tables::all::<ExecuteMsg>());
}
