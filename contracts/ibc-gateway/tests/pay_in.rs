//! Sessions paid from another chain (P1).

use cosmwasm_std::{coin, Addr};
use openledger_ibc_gateway::ContractError;
use openledger_testing::{Ack, Incoming, Key, CHANNEL, PREFIX, ROUTE};
use openledger_types::msg::escrow::ExecuteMsg as EscrowMsg;
use openledger_types::msg::gateway::{
    AccountResponse, ExecuteMsg, PayInOrder, PayInOutcome, QueryMsg, RefundTo, Route,
};

use crate::common::{attribute, Fixture, OPEN};

/// What a pay-in brings.
const PAID: u128 = 300_000;
/// Opening fee of the profile.
const FEE: u128 = 5_000;

fn key() -> Key {
    Key::named("page of the payer")
}

/// The payer's address on the other chain.
fn home(f: &Fixture) -> String {
    f.world.remote_address("home of the payer")
}

fn good(f: &Fixture) -> String {
    f.memo(RefundTo::Remote(home(f)), f.order(&key(), 200_000))
}

/// Pays in with a memo and says what became of it.
fn pay(f: &mut Fixture, memo: String) -> (Incoming, PayInOutcome, Addr) {
    let incoming = f.incoming(PAID, memo);
    f.world.receive(&incoming).unwrap();
    let found = f.pay_in(&incoming).unwrap();
    f.world.assert_invariants();
    (incoming, found.outcome, Addr::unchecked(found.account))
}

fn booked(outcome: &PayInOutcome) -> &str {
    match outcome {
        PayInOutcome::Booked { reason } => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_transfer_opens_a_session_and_unused_coins_go_back_over_its_channel() {
    let mut f = Fixture::new();
    let memo = good(&f);
    let (_, outcome, payer) = pay(&mut f, memo);
    assert_eq!(outcome, PayInOutcome::Opened { session_id: 1 });
    let session = f.world.session(1).unwrap();
    assert_eq!((session.owner.as_str(), session.deposit.u128()), (payer.as_str(), PAID - FEE));
    assert_eq!(session.session_key, key().public());
    // The page ends the session with its key; anyone brings it.
    let (anyone, close) = (f.world.account("anyone"), f.close(&key(), 1));
    f.world.tell_gateway(&anyone, &close).unwrap();
    f.refund(1);
    let packet = f.send(&payer);
    assert_eq!((packet.channel_id.as_str(), &packet.receiver), (CHANNEL, &home(&f)));
    assert_eq!(packet.amount, coin(PAID - FEE - 500, OPEN));
    f.acknowledge(&packet, Ack::Success);
    f.world.assert_invariants();
}

#[test]
fn rule_p1_the_session_key_alone_ends_a_session_before_its_life_is_over() {
    let mut f = Fixture::new();
    let memo = good(&f);
    pay(&mut f, memo);
    let (alice, owner, escrow) = (f.alice.clone(), f.world.owner.clone(), f.world.escrow.clone());
    for sender in [&alice, &owner] {
        let close = EscrowMsg::RequestClose { session_id: 1 };
        assert!(f.world.execute(sender, &escrow, &close, &[]).is_err());
    }
    let stolen = f.close(&Key::named("somebody else"), 1);
    assert!(f.world.tell_gateway(&alice, &stolen).unwrap_err().is(&ContractError::BadSignature {}));
    // A signature for another session is none for this one.
    let ExecuteMsg::CloseSession { signature, .. } = f.close(&key(), 2) else { unreachable!() };
    let replayed = ExecuteMsg::CloseSession { session_id: 1, signature };
    assert!(f.world.tell_gateway(&alice, &replayed).unwrap_err().is(&ContractError::BadSignature {}));
    let close = f.close(&key(), 1);
    f.world.tell_gateway(&alice, &close).unwrap();
}

#[test]
fn attack_the_gateway_ends_no_session_that_it_did_not_open() {
    let mut f = Fixture::new();
    let (alice, model, node) = (f.alice.clone(), f.model, f.node.node_id);
    let client = f.world.open_session(&alice, model, &[(node, 200_000)]).unwrap();
    let close = f.close(&client.key, client.session_id);
    assert!(f.world.tell_gateway(&alice, &close).is_err(), "its key signs, its owner closes in the escrow");
    let (gateway, escrow) = (f.world.gateway.clone(), f.world.escrow.clone());
    let close = EscrowMsg::RequestClose { session_id: client.session_id };
    assert!(f.world.execute(&gateway, &escrow, &close, &[]).is_err());
}

#[test]
fn a_local_owner_gets_session_and_refund_here() {
    let mut f = Fixture::new();
    let bob = f.world.account("bob");
    let memo = f.memo(RefundTo::Local(bob.to_string()), f.order(&key(), 200_000));
    let (_, outcome, account) = pay(&mut f, memo);
    assert_eq!((outcome, &account), (PayInOutcome::Opened { session_id: 1 }, &bob));
    f.end_session(&bob, 1);
    assert_eq!(f.world.withdrawable(&bob).unwrap(), PAID - FEE);
    // A wrong order is booked to it, and it withdraws.
    let memo = f.memo(RefundTo::Local(bob.to_string()), f.order(&key(), 0));
    let (_, outcome, account) = pay(&mut f, memo);
    assert_eq!((booked(&outcome), &account), ("the escrow refused it", &bob));
    assert_eq!(f.accrued(&bob), PAID);
    f.world.tell_gateway(&bob, &ExecuteMsg::Withdraw { denoms: vec![OPEN.into()] }).unwrap();
}

#[test]
fn a_session_is_topped_up_from_another_chain() {
    let mut f = Fixture::new();
    let memo = good(&f);
    pay(&mut f, memo);
    let order = PayInOrder::TopUp { session_id: 1, node_id: f.node.node_id };
    let memo = f.memo(RefundTo::Remote(home(&f)), order);
    let (_, outcome, _) = pay(&mut f, memo);
    assert_eq!(outcome, PayInOutcome::ToppedUp { session_id: 1 });
    assert_eq!(f.world.session(1).unwrap().deposit.u128(), 2 * PAID - FEE);
    let order = PayInOrder::TopUp { session_id: 9, node_id: 1 };
    let memo = f.memo(RefundTo::Remote(home(&f)), order);
    let (_, outcome, payer) = pay(&mut f, memo);
    assert_eq!((booked(&outcome), f.accrued(&payer)), ("the escrow refused it", PAID));
}

#[test]
fn rule_p1_finding_p9_a_bad_memo_never_strands_a_coin() {
    let mut f = Fixture::new();
    let gateway = f.world.gateway.to_string();
    let (order, refund) = (f.order(&key(), 200_000), home(&f));
    let order = serde_json::to_string(&order).unwrap();
    let sender = f.world.remote_address("payer");
    let callback = format!(r#""dest_callback":{{"address":"{gateway}","gas_limit":"1000000"}}"#);
    let to_home = format!(r#""refund":{{"remote":"{refund}"}}"#);
    let to_sender = "the memo names no refund address";
    let unread = "the memo orders nothing that can be read";
    let not_there = "the refund address is none of the route's chain";
    let local = f.alice.to_string();
    let cases = [
        (String::new(), to_sender, &sender),
        (r#","openledger":null"#.into(), to_sender, &sender),
        (r#","openledger":[]"#.into(), to_sender, &sender),
        (r#","openledger":"open a session""#.into(), to_sender, &sender),
        (format!(r#","openledger":{{"order":{order}}}"#), to_sender, &sender),
        (format!(r#","openledger":{{"order":{order},"refund":{{"remote":"{local}"}}}}"#), not_there, &sender),
        (format!(r#","openledger":{{"order":{order},"refund":{{"remote":""}}}}"#), not_there, &sender),
        (
            format!(r#","openledger":{{"order":{order},"refund":{{"local":"{refund}"}}}}"#),
            "the local refund address is none",
            &sender,
        ),
        (format!(r#","openledger":{{{to_home}}}"#), unread, &refund),
        (format!(r#","openledger":{{"order":{{}},{to_home}}}"#), unread, &refund),
        (format!(r#","openledger":{{"order":{{"top_up":{{}}}},{to_home}}}"#), unread, &refund),
        (format!(r#","openledger":{{"order":{{"steal":{{}}}},{to_home}}}"#), unread, &refund),
    ];
    let mut held = std::collections::BTreeMap::<&String, u128>::new();
    for (rest, reason, back_to) in &cases {
        let (_, outcome, account) = pay(&mut f, format!("{{{callback}{rest}}}"));
        assert_eq!(booked(&outcome), *reason, "{rest}");
        assert_eq!(account, f.payer(back_to), "{rest}");
        *held.entry(*back_to).or_default() += PAID;
        assert_eq!(f.accrued(&account), held[back_to]);
    }
    // All of it goes back to where the memo, or else the packet, said.
    for (address, amount) in held {
        let payer = f.payer(address);
        let packet = f.send(&payer);
        assert_eq!((&packet.receiver, packet.amount.clone()), (address, coin(amount - 500, OPEN)));
        f.acknowledge(&packet, Ack::Success);
    }
    f.world.assert_invariants();
}

#[test]
fn rule_p1_an_order_that_the_escrow_refuses_is_booked_to_its_refund_address() {
    let mut f = Fixture::new();
    let wrong_model = match f.order(&key(), 200_000) {
        PayInOrder::OpenSession { session_key, nodes, model_version, blocks, .. } => {
            PayInOrder::OpenSession { model_id: 99, model_version, session_key, nodes, blocks }
        }
        other => other,
    };
    let mut paid = 0;
    for order in [f.order(&key(), PAID), f.order(&key(), 0), wrong_model] {
        let memo = f.memo(RefundTo::Remote(home(&f)), order);
        let (_, outcome, payer) = pay(&mut f, memo);
        paid += PAID;
        assert_eq!((booked(&outcome), f.accrued(&payer)), ("the escrow refused it", paid));
        assert_eq!(payer, f.payer(&home(&f)));
    }
}

#[test]
fn rule_p1_pay_ins_open_nothing_in_denoms_over_channels_or_routes_that_are_not_allowed() {
    let mut f = Fixture::new();
    let owner = f.world.owner.clone();
    let memo = good(&f);
    let denied = "sessions are not paid in this denom over this route";
    // Another denom.
    let mut incoming = f.incoming(PAID, memo.clone());
    incoming.amount.denom = "ibc/27394FB092D2ECCD56123C74F36E4C1F926001CEADA9CA97EA622B25F41E5EB2".into();
    f.world.receive(&incoming).unwrap();
    assert_eq!(booked(&f.pay_in(&incoming).unwrap().outcome), denied);
    // It goes back all the same, without a bounty: the route has no price for it.
    let payer = f.payer(&home(&f));
    let flush = ExecuteMsg::FlushPayouts {
        route: ROUTE.into(),
        denom: incoming.amount.denom.clone(),
        accounts: Some(vec![payer.to_string()]),
        start_after: None,
        limit: None,
    };
    f.world.tell_gateway(&owner, &flush).unwrap();
    let packet = f.newest_packet();
    assert_eq!((packet.amount.clone(), &packet.receiver), (incoming.amount, &home(&f)));
    f.acknowledge(&packet, Ack::Success);
    // The denom for payouts only.
    let mut route = f.world.route();
    route.denoms[0].pay_in = false;
    f.world.tell_gateway(&owner, &ExecuteMsg::SetRoute { route }).unwrap();
    let (_, outcome, _) = pay(&mut f, memo.clone());
    assert_eq!(booked(&outcome), denied);
    // A closed route; it refunds payers nevertheless.
    let route = Route { enabled: false, ..f.world.route() };
    f.world.tell_gateway(&owner, &ExecuteMsg::SetRoute { route }).unwrap();
    let (_, outcome, payer) = pay(&mut f, memo.clone());
    assert_eq!(booked(&outcome), "the route is closed");
    assert_eq!(f.send(&payer).amount, coin(2 * PAID - 500, OPEN));
    // A channel that is nobody's route: back to its sender over that channel.
    let mut incoming = f.incoming(PAID, memo);
    incoming.channel_id = "channel-1000".into();
    f.world.receive(&incoming).unwrap();
    let found = f.pay_in(&incoming).unwrap();
    assert_eq!(booked(&found.outcome), "the channel belongs to no route");
    let flush = ExecuteMsg::FlushPayouts {
        route: String::new(),
        denom: OPEN.into(),
        accounts: Some(vec![found.account]),
        start_after: None,
        limit: None,
    };
    f.world.tell_gateway(&owner, &flush).unwrap();
    let packet = f.world.packets("channel-1000").pop().unwrap();
    assert_eq!((packet.amount, packet.receiver), (coin(PAID, OPEN), incoming.sender));
    f.world.assert_invariants();
}

#[test]
fn rule_a1_a_pause_books_pay_ins_to_their_refund_address() {
    let mut f = Fixture::new();
    let owner = f.world.owner.clone();
    f.world.tell_gateway(&owner, &ExecuteMsg::SetPaused { paused: true }).unwrap();
    let memo = good(&f);
    let (_, outcome, payer) = pay(&mut f, memo);
    assert_eq!((booked(&outcome), f.accrued(&payer)), ("paused", PAID));
    // A pause of the escrow does the same.
    f.world.tell_gateway(&owner, &ExecuteMsg::SetPaused { paused: false }).unwrap();
    let escrow = f.world.escrow.clone();
    f.world.execute(&owner, &escrow, &EscrowMsg::SetPaused { paused: true }, &[]).unwrap();
    let memo = good(&f);
    let (_, outcome, payer) = pay(&mut f, memo);
    assert_eq!((booked(&outcome), f.accrued(&payer)), ("the escrow refused it", 2 * PAID));
}

#[test]
fn rule_p1_finding_p14_a_transfer_to_somebody_else_is_not_booked() {
    let mut f = Fixture::new();
    let memo = good(&f);
    let mut incoming = f.incoming(PAID, memo);
    incoming.receiver = f.alice.to_string();
    let done = f.world.receive(&incoming).unwrap();
    let reason = "the receiver of the transfer is not this contract";
    assert_eq!(attribute(&done, "wasm", "ignored").as_deref(), Some(reason));
    assert!(f.pay_in(&incoming).is_err());
    f.world.assert_invariants();
}

#[test]
fn rule_p1_coins_that_are_not_here_are_not_booked() {
    let mut f = Fixture::new();
    let memo = good(&f);
    let incoming = f.incoming(PAID, memo);
    let (gateway, callback) = (f.world.gateway.to_string(), incoming.callback());
    let done = f.world.call_back(&gateway, &callback).unwrap();
    assert_eq!(attribute(&done, "wasm", "ignored").as_deref(), Some("the coins are not here"));
    // Other people's coins do not count for it.
    let bob = f.contributor("bob", PAID);
    let packet = f.send(&bob);
    f.time_out(&packet);
    let done = f.world.call_back(&gateway, &callback).unwrap();
    assert_eq!(attribute(&done, "wasm", "ignored").as_deref(), Some("the coins are not here"));
    f.world.assert_invariants();
}

#[test]
fn a_packet_is_booked_once() {
    let mut f = Fixture::new();
    let memo = good(&f);
    let (incoming, ..) = pay(&mut f, memo);
    let gateway = f.world.gateway.clone();
    f.world.mint(&gateway, coin(PAID, OPEN));
    let done = f.world.call_back(gateway.as_str(), &incoming.callback()).unwrap();
    assert_eq!(attribute(&done, "wasm", "ignored").as_deref(), Some("the packet is booked"));
    assert!(f.world.session(2).is_err());
}

#[test]
fn rule_p1_the_remote_sender_authorises_nothing() {
    let mut f = Fixture::new();
    let bob = f.contributor("bob", 100_000);
    // A hostile chain names a local account, the gateway, and the payer's own address as its sender.
    for sender in [bob.to_string(), f.world.gateway.to_string(), home(&f)] {
        let mut incoming = f.incoming(PAID, "{}".into());
        incoming.sender = sender.clone();
        incoming.memo = format!(r#"{{"dest_callback":{{"address":"{}","gas_limit":"1"}}}}"#, f.world.gateway);
        f.world.receive(&incoming).unwrap();
        let account = Addr::unchecked(f.pay_in(&incoming).unwrap().account);
        assert_eq!(account, f.payer(&sender));
        assert!(account != bob && account != f.world.gateway);
    }
    assert_eq!(f.world.withdrawable(&bob).unwrap(), 100_000);
    f.world.assert_invariants();
}

#[test]
fn a_payers_refund_is_tried_again_for_ever_ever_more_rarely() {
    let mut f = Fixture::new();
    let memo = f.memo(RefundTo::Remote(home(&f)), f.order(&key(), 0));
    let (_, _, payer) = pay(&mut f, memo);
    let mut waited = 0;
    for _ in 0..f.world.profile.gateway.max_attempts + 2 {
        let packet = f.send(&payer);
        let height = f.world.height();
        f.time_out(&packet);
        f.wait_holdoff(&payer);
        assert!(f.world.height() - height > waited);
        waited = f.world.height() - height;
    }
    let packet = f.send(&payer);
    f.acknowledge(&packet, Ack::Success);
    f.world.assert_invariants();
}

#[test]
fn a_payers_account_follows_from_channel_and_address_and_has_a_fixed_preference() {
    let mut f = Fixture::new();
    let memo = good(&f);
    let (_, _, payer) = pay(&mut f, memo);
    let found: AccountResponse = f.ask(&QueryMsg::Account { address: payer.to_string() }).unwrap();
    let preference = found.preference.unwrap();
    assert!(preference.payer);
    assert_eq!(preference.channel_id.as_deref(), Some(CHANNEL));
    assert_eq!((preference.route.as_str(), preference.remote_addr), (ROUTE, home(&f)));
    assert!(home(&f).starts_with(PREFIX));
    // Another channel, another account.
    let msg = QueryMsg::RemoteAccount { channel_id: "channel-8".into(), address: home(&f) };
    let other: AccountResponse = f.ask(&msg).unwrap();
    assert!(other.address != payer.as_str() && other.preference.is_none());
}
