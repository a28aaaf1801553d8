//! Preferences and sending.

use cosmwasm_std::{coin, Addr};
use openledger_contract::CommonError;
use openledger_ibc_gateway::ContractError;
use openledger_testing::{Ack, CHANNEL, ROUTE};
use openledger_types::msg::gateway::{ExecuteMsg, Memo, PayoutState, QueryMsg, Route};

use crate::common::{attribute, attributes, Fixture, OPEN};

#[test]
fn earnings_go_to_the_address_that_the_account_named() {
    let mut f = Fixture::new();
    let bob = f.contributor("bob", 200_000);
    let before = f.world.withdrawable(&bob).unwrap();
    let done = f.world.flush(&[&bob]).unwrap();
    let packet = f.newest_packet();
    // 1 % is 2,000, above the route's most of 500.
    assert_eq!((packet.amount.clone(), packet.sequence), (coin(before - 500, OPEN), 1));
    assert_eq!(packet.receiver, f.world.remote_address(bob.as_str()));
    let memo: Memo = serde_json::from_str(&packet.memo).unwrap();
    let callback = memo.src_callback.unwrap();
    assert_eq!((callback.address, callback.gas_limit.as_str()), (f.world.gateway.to_string(), "300000"));
    for (key, value) in [("payout_id", "1"), ("sequence", "1"), ("channel_id", CHANNEL), ("attempt", "1")] {
        assert_eq!(attribute(&done, "payout_sent", key).as_deref(), Some(value), "{key}");
    }
    let payout = f.world.payout(1).unwrap();
    assert_eq!((payout.state, payout.sequence, payout.bounty.u128()), (PayoutState::InFlight, Some(1), 500));
    assert_eq!(f.world.withdrawable(&bob).unwrap(), 0);
    f.acknowledge(&packet, Ack::Success);
    assert_eq!(f.state(1), PayoutState::Settled);
    f.world.assert_invariants();
}

#[test]
fn many_accounts_are_sent_in_one_message_and_drawn_by_one_transfer() {
    let mut f = Fixture::new();
    let accounts: Vec<Addr> = (0..20).map(|n| f.contributor(&format!("c{n}"), 100_000)).collect();
    let done = f.world.flush(&accounts.iter().collect::<Vec<_>>()).unwrap();
    assert_eq!(f.world.packets(CHANNEL).len(), 20);
    assert_eq!(attributes(&done, "wasm", "accounts"), ["20"]);
    f.world.assert_invariants();
}

#[test]
fn attack_nobody_sends_for_an_account_that_did_not_ask_for_it() {
    let mut f = Fixture::new();
    let bob = f.world.account("bob");
    f.earn(&bob, 100_000);
    let done = f.world.flush(&[&bob]).unwrap();
    assert_eq!(
        attribute(&done, "payout_skipped", "reason").as_deref(),
        Some("its preference is another route, or none")
    );
    assert_eq!(f.world.withdrawable(&bob).unwrap(), 100_000);
    // Nor after it changed its mind.
    f.prefer(&bob).unwrap();
    f.world.tell_gateway(&bob, &ExecuteMsg::ClearPreference {}).unwrap();
    f.world.flush(&[&bob]).unwrap();
    assert!(f.world.packets(CHANNEL).is_empty());
    assert_eq!(f.world.withdrawable(&bob).unwrap(), 100_000);
    let twice = f.world.tell_gateway(&bob, &ExecuteMsg::ClearPreference {}).unwrap_err();
    assert!(twice.is(&ContractError::NoPreference {}));
}

#[test]
fn addresses_are_checked_by_checksum_prefix_and_length() {
    let mut f = Fixture::new();
    let good = f.world.remote_address("bob");
    let (local, upper) = (f.alice.to_string(), good.to_uppercase());
    let mut typo = good.clone();
    typo.replace_range(10..11, if &good[10..11] == "q" { "p" } else { "q" });
    let alice = f.alice.clone();
    for wrong in [local, upper, typo, String::new(), "other1".into(), r#"other1","memo":"x"#.into()] {
        let msg = ExecuteMsg::SetPreference { route: ROUTE.into(), remote_addr: wrong.clone() };
        let refused = f.world.tell_gateway(&alice, &msg).unwrap_err();
        assert!(refused.0.contains("remote_addr"), "{wrong}: {refused}");
    }
    let msg = ExecuteMsg::SetPreference { route: "nowhere".into(), remote_addr: good };
    let refused = f.world.tell_gateway(&alice, &msg).unwrap_err();
    assert!(refused.is(&ContractError::RouteNotFound { name: "nowhere".into() }));
}

#[test]
fn a_payout_waits_for_the_minimum_of_its_route() {
    let mut f = Fixture::new();
    let owner = f.world.owner.clone();
    let mut route = f.world.route();
    route.denoms[0].min_payout = 150_000u128.into();
    f.world.tell_gateway(&owner, &ExecuteMsg::SetRoute { route }).unwrap();
    let bob = f.contributor("bob", 100_000);
    let done = f.world.flush(&[&bob]).unwrap();
    assert_eq!(attribute(&done, "payout_skipped", "reason").as_deref(), Some("below the route's minimum"));
    f.earn(&bob, 100_000);
    assert_eq!(f.send(&bob).amount, coin(199_500, OPEN));
}

#[test]
fn one_payout_at_a_time_and_an_account_named_twice_is_sent_once() {
    let mut f = Fixture::new();
    let bob = f.contributor("bob", 100_000);
    let done = f.world.flush(&[&bob, &bob]).unwrap();
    assert_eq!(attribute(&done, "wasm", "sent").as_deref(), Some("1"));
    f.earn(&bob, 100_000);
    let done = f.world.flush(&[&bob]).unwrap();
    assert_eq!(attribute(&done, "payout_skipped", "reason").as_deref(), Some("a payout is open"));
    let packet = f.newest_packet();
    f.acknowledge(&packet, Ack::Success);
    assert_eq!(f.send(&bob).sequence, 2);
    f.world.assert_invariants();
}

#[test]
fn a_route_is_walked_page_by_page() {
    let mut f = Fixture::new();
    let mut accounts: Vec<Addr> = (0..5).map(|n| f.contributor(&format!("c{n}"), 100_000)).collect();
    accounts.sort();
    let (anyone, mut after, mut sent) = (f.world.account("anyone"), None, 0);
    loop {
        let msg = ExecuteMsg::FlushPayouts {
            route: ROUTE.into(),
            denom: OPEN.into(),
            accounts: None,
            start_after: after,
            limit: Some(2),
        };
        let done = f.world.tell_gateway(&anyone, &msg).unwrap();
        sent += attribute(&done, "wasm", "sent").unwrap().parse::<u32>().unwrap();
        after = attribute(&done, "wasm", "next").filter(|next| !next.is_empty());
        if after.is_none() {
            break;
        }
    }
    assert_eq!((sent, f.world.packets(CHANNEL).len()), (5, 5));
    let none = ExecuteMsg::FlushPayouts {
        route: ROUTE.into(),
        denom: OPEN.into(),
        accounts: Some(vec![]),
        start_after: None,
        limit: None,
    };
    let refused = f.world.tell_gateway(&anyone, &none).unwrap_err();
    assert!(refused.is(&ContractError::BadBatch { list: "accounts", reason: "give 1 to 20" }));
}

#[test]
fn rule_a2_a_transfer_that_cannot_be_sent_reverts_alone_and_its_coins_stay_here() {
    let mut f = Fixture::new();
    let bob = f.contributor("bob", 100_000);
    f.world.close_channel(CHANNEL, true);
    let done = f.world.flush(&[&bob]).unwrap();
    assert_eq!(attribute(&done, "payout_refunded", "reason").as_deref(), Some("not sent"));
    assert_eq!((f.state(1), f.accrued(&bob)), (PayoutState::Refunded, 100_000));
    assert_eq!(f.world.payout(1).unwrap().sequence, None);
    // In a hold-off, so a closed channel does not burn gas in every block.
    f.world.close_channel(CHANNEL, false);
    let done = f.world.flush(&[&bob]).unwrap();
    assert_eq!(attribute(&done, "payout_skipped", "reason").as_deref(), Some("in a hold-off"));
    f.wait_holdoff(&bob);
    let packet = f.send(&bob);
    assert_eq!(f.world.payout(2).unwrap().attempt, 2);
    f.acknowledge(&packet, Ack::Success);
    f.world.assert_invariants();
}

#[test]
fn after_too_many_failures_the_account_names_its_address_again_or_withdraws_here() {
    let mut f = Fixture::new();
    let bob = f.contributor("bob", 100_000);
    let most = f.world.profile.gateway.max_attempts;
    for failure in 1..=most {
        let packet = f.send(&bob);
        f.acknowledge(&packet, Ack::Error);
        assert_eq!(f.world.gateway_account(&bob).unwrap().failures, failure);
        if failure < most {
            f.wait_holdoff(&bob);
        }
    }
    assert_eq!(f.world.gateway_account(&bob).unwrap().next_attempt, None);
    f.world.advance(f.world.profile.gateway.holdoff_blocks << 16);
    let done = f.world.flush(&[&bob]).unwrap();
    let reason = "too many failures: it sets its address again, or withdraws";
    assert_eq!(attribute(&done, "payout_skipped", "reason").as_deref(), Some(reason));
    // A new address starts afresh, one hold-off later.
    f.prefer(&bob).unwrap();
    let done = f.world.flush(&[&bob]).unwrap();
    assert_eq!(attribute(&done, "payout_skipped", "reason").as_deref(), Some("in a hold-off"));
    f.wait_holdoff(&bob);
    let packet = f.send(&bob);
    f.time_out(&packet);
    // And the coins can be taken here at any moment.
    let before = f.world.balance(&bob);
    f.world.tell_gateway(&bob, &ExecuteMsg::Withdraw { denoms: vec![OPEN.into()] }).unwrap();
    assert_eq!(f.world.balance(&bob) - before, 100_000);
    let refused = f.world.tell_gateway(&bob, &ExecuteMsg::Withdraw { denoms: vec![OPEN.into()] });
    assert!(refused.unwrap_err().is(&ContractError::NothingToWithdraw {}));
    f.world.assert_invariants();
}

#[test]
fn rule_a1_neither_pause_nor_a_closed_route_keeps_coins_here() {
    let mut f = Fixture::new();
    let (bob, owner) = (f.contributor("bob", 100_000), f.world.owner.clone());
    let packet = f.send(&bob);
    f.time_out(&packet);
    f.world.tell_gateway(&owner, &ExecuteMsg::SetPaused { paused: true }).unwrap();
    let route = Route { enabled: false, ..f.world.route() };
    f.world.tell_gateway(&owner, &ExecuteMsg::SetRoute { route }).unwrap();
    f.wait_holdoff(&bob);
    let done = f.world.flush(&[&bob]).unwrap();
    assert_eq!(attribute(&done, "payout_skipped", "reason").as_deref(), Some("the route is closed"));
    f.world.tell_gateway(&owner, &ExecuteMsg::SetRoute { route: f.world.route() }).unwrap();
    // The pause alone stops nothing of it.
    let packet = f.send(&bob);
    f.acknowledge(&packet, Ack::Error);
    f.prefer(&bob).unwrap();
    f.world.tell_gateway(&bob, &ExecuteMsg::Withdraw { denoms: vec![OPEN.into()] }).unwrap();
    assert_eq!(f.accrued(&bob), 0);
    f.world.assert_invariants();
}

#[test]
fn attack_the_escrow_lets_nobody_else_draw_and_the_gateway_no_more_than_there_is() {
    use openledger_types::msg::escrow::{Draw, ExecuteMsg as EscrowMsg};
    let mut f = Fixture::new();
    let bob = f.contributor("bob", 100_000);
    let (escrow, gateway, owner) = (f.world.escrow.clone(), f.world.gateway.clone(), f.world.owner.clone());
    let draw = |amount: u128, times: usize| EscrowMsg::DrawAccrued {
        denom: OPEN.into(),
        draws: vec![Draw { account: bob.to_string(), amount: amount.into() }; times],
    };
    for outsider in [f.alice.clone(), bob.clone(), owner.clone()] {
        let refused = f.world.execute(&outsider, &escrow, &draw(1, 1), &[]).unwrap_err();
        assert!(refused.is(&CommonError::Unauthorized { role: "the gateway" }));
    }
    for wrong in [draw(100_001, 1), draw(0, 1), draw(1, 2), draw(1, 0), draw(1, 21)] {
        assert!(f.world.execute(&gateway, &escrow, &wrong, &[]).is_err(), "{wrong:?}");
    }
    assert_eq!(f.world.withdrawable(&bob).unwrap(), 100_000);
    // Disconnected, the gateway draws nothing, and accounts withdraw in the escrow as before.
    f.world.execute(&owner, &escrow, &EscrowMsg::ConnectGateway { gateway: None }, &[]).unwrap();
    assert!(f.world.flush(&[&bob]).is_err());
    f.world.withdraw(&bob).unwrap();
    f.world.assert_invariants();
}

#[test]
fn attack_a_packet_number_is_never_given_to_two_payouts() {
    use cosmwasm_std::testing::{mock_dependencies, mock_env};
    use cosmwasm_std::{MsgResponse, Reply, SubMsgResponse, SubMsgResult};
    use openledger_ibc_gateway::contract::reply;
    use openledger_ibc_gateway::state::{Payout, PACKETS, PAYOUTS};
    let mut deps = mock_dependencies();
    let payout = Payout {
        account: Addr::unchecked("bob"),
        route: ROUTE.into(),
        channel_id: CHANNEL.into(),
        sequence: None,
        remote_addr: "other1".into(),
        denom: OPEN.into(),
        amount: 9u128.into(),
        bounty: 1u128.into(),
        state: PayoutState::InFlight,
        attempt: 1,
        sent_at: 1,
        timeout: 1,
    };
    for id in [1, 2] {
        PAYOUTS.save(&mut deps.storage, id, &payout).unwrap();
    }
    let answered = |id: u64, payout_id: u64, value: &[u8]| {
        #[allow(deprecated)]
        let response = SubMsgResponse {
            events: vec![],
            data: None,
            msg_responses: vec![MsgResponse { type_url: "/unknown".into(), value: value.into() }],
        };
        let payload = payout_id.to_be_bytes().into();
        Reply { id, payload, gas_used: 0, result: SubMsgResult::Ok(response) }
    };
    reply(deps.as_mut(), mock_env(), answered(1, 1, &[8, 5])).unwrap();
    let twice = reply(deps.as_mut(), mock_env(), answered(1, 2, &[8, 5])).unwrap_err();
    assert!(matches!(twice, ContractError::DuplicatePacket { sequence: 5, .. }));
    let unreadable = reply(deps.as_mut(), mock_env(), answered(1, 2, &[])).unwrap_err();
    assert!(matches!(unreadable, ContractError::UnreadableReply {}));
    let unknown = reply(deps.as_mut(), mock_env(), answered(3, 2, &[8, 6])).unwrap_err();
    assert!(matches!(unknown, ContractError::UnknownReply { id: 3 }));
    assert_eq!(PACKETS.load(&deps.storage, (CHANNEL, 5)).unwrap(), 1);
}

#[test]
fn a_payout_is_found_by_its_packet_while_it_is_open() {
    let mut f = Fixture::new();
    let bob = f.contributor("bob", 100_000);
    let packet = f.send(&bob);
    let msg = QueryMsg::PacketPayout { channel_id: CHANNEL.into(), sequence: packet.sequence };
    let found: openledger_types::msg::gateway::PayoutResponse = f.ask(&msg).unwrap();
    assert_eq!(found.payout_id, 1);
    f.acknowledge(&packet, Ack::Success);
    assert!(f.ask::<openledger_types::msg::gateway::PayoutResponse>(&msg).is_err());
}
