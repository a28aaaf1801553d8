//! The packet events of a real chain, and of broken ones.
//!
//! `fixtures/localhost-channel.json` holds the events of four blocks of a development chain (wasmd
//! 0.61.14, ibc-go 10.5.0), recorded by `tests/live.rs` with `OPENLEDGER_RECORD=FILE`: a transfer is
//! sent, received, acknowledged; another times out. `fixtures/payout.json` holds a block of `scripts/demo --ibc`
//! in which the gateway, a contract, sends a payout.

use openledger_client::{Attribute, BlockEvents, Event, TxEvents};
use openledger_relayer::core::filter::{receive_callback_gas, return_callback_gas, Transfer};
use openledger_relayer::core::state::IbcPacket;
use openledger_relayer::packet::{packets_of, parse, ClientPacket, Kind, Ordering, Packet, PacketError};
use proptest::prelude::*;

fn recorded() -> Vec<BlockEvents> {
    serde_json::from_str(include_str!("fixtures/localhost-channel.json")).unwrap()
}

fn event(kind: &str, attributes: &[(&str, &str)]) -> Event {
    let attributes =
        attributes.iter().map(|(k, v)| Attribute { key: (*k).into(), value: (*v).into() }).collect();
    Event { kind: kind.into(), attributes }
}

/// The first recorded event of a kind.
fn recorded_event(kind: Kind) -> Event {
    let blocks = recorded();
    let mut events = blocks.iter().flat_map(|b| &b.txs).flat_map(|tx| &tx.events);
    events.find(|e| e.kind == kind.name()).unwrap().clone()
}

#[test]
fn the_recorded_life_of_two_packets_is_read() {
    let found: Vec<_> = recorded().iter().flat_map(|b| packets_of(b).unwrap()).collect();
    let kinds: Vec<Kind> = found.iter().map(|e| e.event).collect();
    let life = [Kind::SendPacket, Kind::RecvPacket, Kind::WriteAcknowledgement, Kind::AcknowledgePacket];
    assert_eq!(kinds[..4], life);
    assert_eq!(kinds[4], Kind::TimeoutPacket);
    let Packet::Channel(sent) = &found[0].packet else { panic!("{:?}", found[0]) };
    assert_eq!((sent.sequence, sent.ordering), (1, Ordering::Unordered));
    assert_eq!((sent.src_port.as_str(), sent.dst_port.as_str()), ("transfer", "transfer"));
    assert_eq!((sent.timeout_height.revision, sent.timeout_height.height), (0, 0));
    let data: serde_json::Value = serde_json::from_slice(sent.data.as_deref().unwrap()).unwrap();
    assert_eq!((data["denom"].as_str(), data["amount"].as_str()), (Some("uopen"), Some("5")));
    let Packet::Channel(written) = &found[2].packet else { panic!("{:?}", found[2]) };
    assert_eq!(written.acknowledgement.as_deref(), Some(br#"{"result":"AQ=="}"#.as_slice()));
    let Packet::Channel(acknowledged) = &found[3].packet else { panic!("{:?}", found[3]) };
    assert_eq!((&acknowledged.data, &acknowledged.acknowledgement), (&None, &None));
    for event in &found[..4] {
        let Packet::Channel(packet) = &event.packet else { panic!("{event:?}") };
        assert_eq!((packet.sequence, &packet.src_channel), (sent.sequence, &sent.src_channel));
    }
}

#[test]
fn a_recorded_packet_of_a_contract_is_read() {
    let blocks: Vec<BlockEvents> = serde_json::from_str(include_str!("fixtures/payout.json")).unwrap();
    let found: Vec<_> = blocks.iter().flat_map(|b| packets_of(b).unwrap()).collect();
    assert_eq!(found.iter().map(|e| e.event).collect::<Vec<_>>(), [Kind::SendPacket]);
    let Packet::Channel(sent) = &found[0].packet else { panic!("{:?}", found[0]) };
    let packet = IbcPacket::of_event(sent).unwrap();
    let transfer = Transfer::of(&packet).unwrap();
    let events = blocks[0].txs.iter().flat_map(|tx| &tx.events);
    let gateway = events.filter(|e| e.kind == "wasm-payout_sent");
    let gateway: Vec<_> = gateway.filter_map(|e| e.attribute("_contract_address")).collect();
    assert_eq!(gateway, [transfer.sender.as_str()]);
    // The gas that its callback may use on the way back is kept.
    assert_eq!((return_callback_gas(&packet), receive_callback_gas(&packet)), (300_000, 0));
}

#[test]
fn packets_of_proposals_are_seen_and_those_of_failed_transactions_are_not() {
    let send = recorded_event(Kind::SendPacket);
    let block = BlockEvents {
        height: 9,
        txs: vec![
            TxEvents { code: 5, events: vec![send.clone()] },
            TxEvents { code: 0, events: vec![event("message", &[]), send.clone()] },
        ],
        block: vec![send],
    };
    let places: Vec<_> =
        packets_of(&block).unwrap().iter().map(|p| (p.height, p.tx_index, p.event_index)).collect();
    assert_eq!(places, vec![(9, Some(1), 1), (9, None, 0)]);
}

#[test]
fn what_a_contract_calls_a_packet_is_none() {
    assert_eq!(parse(&event("wasm-send_packet", &[("packet_sequence", "1")])), Ok(None));
    assert_eq!(parse(&event("wasm", &[("packet_sequence", "1")])), Ok(None));
}

#[test]
fn a_packet_event_that_cannot_be_read_is_an_error_for_its_block() {
    for kind in [
        Kind::SendPacket,
        Kind::RecvPacket,
        Kind::WriteAcknowledgement,
        Kind::AcknowledgePacket,
        Kind::TimeoutPacket,
    ] {
        let good = recorded_event(kind);
        assert!(parse(&good).unwrap().is_some());
        let needed = good.attributes.iter().filter(|a| a.key != "packet_connection" && a.key != "msg_index");
        for attribute in needed {
            let mut broken = good.clone();
            broken.attributes.retain(|a| a.key != attribute.key);
            let error = parse(&broken).unwrap_err();
            assert!(matches!(&error, PacketError::Missing { key, .. } if *key == attribute.key), "{error}");
            let mut broken = good.clone();
            for a in &mut broken.attributes {
                if a.key == attribute.key {
                    a.value = "no such value!".into();
                }
            }
            let error = parse(&broken).unwrap_err();
            assert!(matches!(&error, PacketError::Value { key, .. } if *key == attribute.key), "{error}");
        }
        let block = BlockEvents { height: 1, txs: vec![], block: vec![event(kind.name(), &[]), good] };
        assert!(packets_of(&block).is_err());
    }
}

#[test]
fn packets_between_clients_are_told_from_those_over_channels() {
    // Made after ibc-go v10 modules/core/04-channel/v2/keeper/events.go.
    let attributes = [
        ("packet_source_client", "07-tendermint-0"),
        ("packet_dest_client", "07-tendermint-3"),
        ("packet_sequence", "4"),
        ("packet_timeout_timestamp", "1800000000"),
        ("encoded_packet_hex", "0a0b"),
        ("encoded_acknowledgement_hex", "0c"),
    ];
    let expected = |acknowledgement| {
        Packet::Client(ClientPacket {
            sequence: 4,
            src_client: "07-tendermint-0".into(),
            dst_client: "07-tendermint-3".into(),
            timeout_timestamp: 1_800_000_000,
            packet: vec![0x0a, 0x0b],
            acknowledgement,
        })
    };
    let sent = parse(&event("send_packet", &attributes[..5])).unwrap();
    assert_eq!(sent, Some((Kind::SendPacket, expected(None))));
    let written = parse(&event("write_acknowledgement", &attributes)).unwrap();
    assert_eq!(written, Some((Kind::WriteAcknowledgement, expected(Some(vec![0x0c])))));
    assert!(parse(&event("write_acknowledgement", &attributes[..5])).is_err());
}

#[test]
fn errors_stay_small_enough_to_be_passed_about() {
    let size = std::mem::size_of::<openledger_relayer::error::Error>();
    assert!(size < 128, "{size}");
}

#[test]
fn the_json_of_an_event_is_flat_and_its_bytes_are_hexadecimal() {
    let blocks = recorded();
    let found = packets_of(&blocks[0]).unwrap();
    let json = serde_json::to_value(&found[0]).unwrap();
    assert_eq!((json["ibc"].as_str(), json["event"].as_str()), (Some("v1"), Some("send_packet")));
    assert_eq!(json["sequence"], 1);
    assert!(hex::decode(json["data"].as_str().unwrap()).is_ok());
    assert!(json["acknowledgement"].is_null());
}

proptest! {
    #[test]
    fn no_attributes_make_the_reader_panic(
        kind in prop::sample::select(vec!["send_packet", "write_acknowledgement", "timeout_packet", "x"]),
        pairs in prop::collection::vec(
            (prop::sample::select(vec![
                "packet_sequence", "packet_src_port", "packet_src_channel", "packet_dst_port", "packet_dst_channel",
                "packet_channel_ordering", "connection_id", "packet_timeout_height", "packet_timeout_timestamp",
                "packet_data_hex", "packet_ack_hex", "packet_source_client", "encoded_packet_hex",
            ]), "(.{0,12}|[0-9]{0,22}|[0-9]{1,3}-[0-9]{0,22}|ORDER_ORDERED|[0-9a-f]{0,8})"),
            0..16,
        ),
    ) {
        let attributes: Vec<(&str, &str)> = pairs.iter().map(|(k, v)| (*k, v.as_str())).collect();
        let _ = parse(&event(kind, &attributes));
    }
}
