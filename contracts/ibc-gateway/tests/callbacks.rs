//! What packets come to, and that nothing a callback brings can undo or double it.

use cosmwasm_std::{
    Addr, IbcAckCallbackMsg, IbcAcknowledgement, IbcEndpoint, IbcPacket, IbcSourceCallbackMsg, IbcTimeout,
    IbcTimeoutCallbackMsg, StdAck, Timestamp,
};
use openledger_testing::{Ack, CallbackMsg, Packet, CHANNEL};
use openledger_types::msg::gateway::PayoutState;

use crate::common::{attribute, Fixture};

/// A packet as another contract, port or channel could have sent it.
fn forged(f: &Fixture, port: &str, channel: &str, sequence: u64, sender: &str) -> IbcPacket {
    let data = format!(r#"{{"denom":"uopen","amount":"1","sender":"{sender}","receiver":"x","memo":""}}"#);
    let end = |port: &str, channel: &str| IbcEndpoint { port_id: port.into(), channel_id: channel.into() };
    let timeout = IbcTimeout::with_timestamp(Timestamp::from_seconds(f.world.height()));
    IbcPacket::new(data.into_bytes(), end(port, channel), end("transfer", "channel-99"), sequence, timeout)
}

fn timed_out(packet: IbcPacket) -> CallbackMsg {
    let msg = IbcTimeoutCallbackMsg::new(packet, Addr::unchecked("relayer"));
    CallbackMsg::Source(IbcSourceCallbackMsg::Timeout(msg))
}

fn acked(packet: IbcPacket, relayer: &Addr) -> CallbackMsg {
    let ack = IbcAcknowledgement::encode_json(&StdAck::success([1])).unwrap();
    let msg = IbcAckCallbackMsg::new(ack, packet, relayer.clone());
    CallbackMsg::Source(IbcSourceCallbackMsg::Acknowledgement(msg))
}

#[test]
fn success_settles_error_and_timeout_return_everything() {
    let mut f = Fixture::new();
    for (name, outcome) in [("a", 0), ("b", 1), ("c", 2)] {
        let account = f.contributor(name, 100_000);
        let packet = f.send(&account);
        let (done, event, back) = match outcome {
            0 => (f.acknowledge(&packet, Ack::Success), "payout_settled", 0),
            1 => (f.acknowledge(&packet, Ack::Error), "payout_refunded", 100_000),
            _ => (f.time_out(&packet), "payout_refunded", 100_000),
        };
        assert_eq!(attribute(&done, event, "account"), Some(account.to_string()));
        assert_eq!(f.accrued(&account), back);
        f.world.assert_invariants();
    }
}

#[test]
fn a_callback_that_comes_twice_does_nothing_the_second_time() {
    let mut f = Fixture::new();
    let bob = f.contributor("bob", 100_000);
    let packet = f.send(&bob);
    f.time_out(&packet);
    let gateway = f.world.gateway.to_string();
    let again = timed_out(forged(&f, "transfer", CHANNEL, packet.sequence, &gateway));
    for _ in 0..3 {
        let done = f.world.call_back(&gateway, &again).unwrap();
        assert!(attribute(&done, "wasm", "ignored").is_some());
    }
    assert_eq!((f.accrued(&bob), f.world.gateway_account(&bob).unwrap().failures), (100_000, 1));
    // Nor does a success turn the refund round.
    let relayer = f.relayer.clone();
    let msg = acked(forged(&f, "transfer", CHANNEL, packet.sequence, &gateway), &relayer);
    f.world.call_back(&gateway, &msg).unwrap();
    assert_eq!(f.state(1), PayoutState::Refunded);
    f.world.assert_invariants();
}

#[test]
fn finding_p14_only_packets_that_this_contract_sent_count() {
    let mut f = Fixture::new();
    let bob = f.contributor("bob", 100_000);
    let packet = f.send(&bob);
    let (gateway, stranger) = (f.world.gateway.to_string(), f.alice.to_string());
    for wrong in [
        forged(&f, "icahost", CHANNEL, packet.sequence, &gateway),
        forged(&f, "transfer", "channel-8", packet.sequence, &gateway),
        forged(&f, "transfer", CHANNEL, packet.sequence + 1, &gateway),
        forged(&f, "transfer", CHANNEL, packet.sequence, &stranger),
    ] {
        let done = f.world.call_back(&gateway, &timed_out(wrong.clone())).unwrap();
        assert!(attribute(&done, "wasm", "ignored").is_some(), "{wrong:?}");
        assert_eq!(f.state(1), PayoutState::InFlight);
    }
    // Data that is no JSON at all is no error either.
    let mut garbage = forged(&f, "transfer", CHANNEL, packet.sequence, &gateway);
    garbage.data = vec![0xff; 64].into();
    assert!(f.world.call_back(&gateway, &timed_out(garbage)).is_ok());
    assert_eq!(f.state(1), PayoutState::InFlight);
}

#[test]
fn an_acknowledgement_that_cannot_be_read_is_never_taken_for_a_refund() {
    let mut f = Fixture::new();
    let bob = f.contributor("bob", 100_000);
    let packet = f.send(&bob);
    let done = f.acknowledge(&packet, Ack::Garbage);
    assert_eq!(
        attribute(&done, "payout_unresolved", "reason").as_deref(),
        Some("unreadable acknowledgement")
    );
    assert_eq!((f.state(1), f.accrued(&bob)), (PayoutState::Unresolved, 0));
    f.world.assert_invariants();
}

#[test]
fn hostile_acknowledgement_bytes_never_make_the_callback_fail() {
    let mut f = Fixture::new();
    let bob = f.contributor("bob", 100_000);
    let packet: Packet = f.send(&bob);
    let (gateway, relayer) = (f.world.gateway.to_string(), f.relayer.clone());
    let deep = [b"[".repeat(100_000), b"]".repeat(100_000)].concat();
    let hostile: [&[u8]; 8] = [
        b"",
        b"{}",
        br#"{"result":1}"#,
        br#"{"result":"AQ==","error":"both"}"#,
        br#"{"error":{}}"#,
        b"\x00\x01\x02",
        &[b'"'; 100_000],
        &deep,
    ];
    for bytes in hostile {
        let msg = IbcAckCallbackMsg::new(
            IbcAcknowledgement::new(bytes),
            forged(&f, "transfer", CHANNEL, packet.sequence, &gateway),
            relayer.clone(),
        );
        let msg = CallbackMsg::Source(IbcSourceCallbackMsg::Acknowledgement(msg));
        assert!(f.world.call_back(&gateway, &msg).is_ok());
        assert_eq!(f.accrued(&bob), 0, "a refund was guessed");
    }
    assert_eq!(f.state(1), PayoutState::Unresolved);
    f.world.assert_invariants();
}
