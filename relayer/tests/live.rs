//! Against a running development chain: `testnet/devnet up`, then
//! `OPENLEDGER_TEST_RPC=http://127.0.0.1:26650 cargo test -p openledger-relayer --test live`.
//! `OPENLEDGER_TEST_CHAIN_ID` names another chain than openledger-1. Without the first variable the
//! test passes without a check and says so.
//!
//! One chain is enough for real packets: ibc-go's client 09-localhost lets the chain talk to itself
//! over `connection-localhost`, with one byte in place of a proof.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use openledger_client::{Any, Chain, ChainConfig, Key, Signer, TxResult};
use openledger_relayer::config::{Config, EXAMPLE};
use openledger_relayer::cursor::CursorFile;
use openledger_relayer::health::{self, Level};
use openledger_relayer::packet::{ChannelPacket, Kind, Packet, PacketEvent};
use openledger_relayer::scan::{scan, Range};
use prost::Message;

/// What 09-localhost takes in place of a proof.
const PROOF: [u8; 1] = [1];

#[derive(Clone, PartialEq, Message)]
struct Height {
    #[prost(uint64, tag = "1")]
    revision_number: u64,
    #[prost(uint64, tag = "2")]
    revision_height: u64,
}

#[derive(Clone, PartialEq, Message)]
struct Counterparty {
    #[prost(string, tag = "1")]
    port_id: String,
    #[prost(string, tag = "2")]
    channel_id: String,
}

#[derive(Clone, PartialEq, Message)]
struct Channel {
    #[prost(int32, tag = "1")]
    state: i32,
    #[prost(int32, tag = "2")]
    ordering: i32,
    #[prost(message, optional, tag = "3")]
    counterparty: Option<Counterparty>,
    #[prost(string, repeated, tag = "4")]
    connection_hops: Vec<String>,
    #[prost(string, tag = "5")]
    version: String,
}

#[derive(Clone, PartialEq, Message)]
struct OpenInit {
    #[prost(string, tag = "1")]
    port_id: String,
    #[prost(message, optional, tag = "2")]
    channel: Option<Channel>,
    #[prost(string, tag = "3")]
    signer: String,
}

#[derive(Clone, PartialEq, Message)]
struct OpenTry {
    #[prost(string, tag = "1")]
    port_id: String,
    #[prost(message, optional, tag = "3")]
    channel: Option<Channel>,
    #[prost(string, tag = "4")]
    counterparty_version: String,
    #[prost(bytes = "vec", tag = "5")]
    proof_init: Vec<u8>,
    #[prost(message, optional, tag = "6")]
    proof_height: Option<Height>,
    #[prost(string, tag = "7")]
    signer: String,
}

#[derive(Clone, PartialEq, Message)]
struct OpenAck {
    #[prost(string, tag = "1")]
    port_id: String,
    #[prost(string, tag = "2")]
    channel_id: String,
    #[prost(string, tag = "3")]
    counterparty_channel_id: String,
    #[prost(string, tag = "4")]
    counterparty_version: String,
    #[prost(bytes = "vec", tag = "5")]
    proof_try: Vec<u8>,
    #[prost(message, optional, tag = "6")]
    proof_height: Option<Height>,
    #[prost(string, tag = "7")]
    signer: String,
}

#[derive(Clone, PartialEq, Message)]
struct OpenConfirm {
    #[prost(string, tag = "1")]
    port_id: String,
    #[prost(string, tag = "2")]
    channel_id: String,
    #[prost(bytes = "vec", tag = "3")]
    proof_ack: Vec<u8>,
    #[prost(message, optional, tag = "4")]
    proof_height: Option<Height>,
    #[prost(string, tag = "5")]
    signer: String,
}

#[derive(Clone, PartialEq, Message)]
struct Coin {
    #[prost(string, tag = "1")]
    denom: String,
    #[prost(string, tag = "2")]
    amount: String,
}

#[derive(Clone, PartialEq, Message)]
struct Transfer {
    #[prost(string, tag = "1")]
    source_port: String,
    #[prost(string, tag = "2")]
    source_channel: String,
    #[prost(message, optional, tag = "3")]
    token: Option<Coin>,
    #[prost(string, tag = "4")]
    sender: String,
    #[prost(string, tag = "5")]
    receiver: String,
    #[prost(message, optional, tag = "6")]
    timeout_height: Option<Height>,
    #[prost(uint64, tag = "7")]
    timeout_timestamp: u64,
}

#[derive(Clone, PartialEq, Message)]
struct ProtoPacket {
    #[prost(uint64, tag = "1")]
    sequence: u64,
    #[prost(string, tag = "2")]
    source_port: String,
    #[prost(string, tag = "3")]
    source_channel: String,
    #[prost(string, tag = "4")]
    destination_port: String,
    #[prost(string, tag = "5")]
    destination_channel: String,
    #[prost(bytes = "vec", tag = "6")]
    data: Vec<u8>,
    #[prost(message, optional, tag = "7")]
    timeout_height: Option<Height>,
    #[prost(uint64, tag = "8")]
    timeout_timestamp: u64,
}

#[derive(Clone, PartialEq, Message)]
struct Recv {
    #[prost(message, optional, tag = "1")]
    packet: Option<ProtoPacket>,
    #[prost(bytes = "vec", tag = "2")]
    proof_commitment: Vec<u8>,
    #[prost(message, optional, tag = "3")]
    proof_height: Option<Height>,
    #[prost(string, tag = "4")]
    signer: String,
}

#[derive(Clone, PartialEq, Message)]
struct Acknowledgement {
    #[prost(message, optional, tag = "1")]
    packet: Option<ProtoPacket>,
    #[prost(bytes = "vec", tag = "2")]
    acknowledgement: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    proof_acked: Vec<u8>,
    #[prost(message, optional, tag = "4")]
    proof_height: Option<Height>,
    #[prost(string, tag = "5")]
    signer: String,
}

#[derive(Clone, PartialEq, Message)]
struct Timeout {
    #[prost(message, optional, tag = "1")]
    packet: Option<ProtoPacket>,
    #[prost(bytes = "vec", tag = "2")]
    proof_unreceived: Vec<u8>,
    #[prost(message, optional, tag = "3")]
    proof_height: Option<Height>,
    #[prost(uint64, tag = "4")]
    next_sequence_recv: u64,
    #[prost(string, tag = "5")]
    signer: String,
}

fn height() -> Option<Height> {
    Some(Height { revision_number: 1, revision_height: 1 })
}

fn channel(state: i32, counterparty: &str) -> Option<Channel> {
    Some(Channel {
        state,
        ordering: 1,
        counterparty: Some(Counterparty { port_id: "transfer".into(), channel_id: counterparty.into() }),
        connection_hops: vec!["connection-localhost".into()],
        version: "ics20-1".into(),
    })
}

async fn send<M: Message>(signer: &Signer, name: &str, message: &M) -> TxResult {
    let any = Any { type_url: format!("/ibc.{name}"), value: message.encode_to_vec() };
    signer.broadcast(vec![any], "").await.unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn now_ns() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()).unwrap()
}

fn over_channel(event: &PacketEvent) -> &ChannelPacket {
    match &event.packet {
        Packet::Channel(packet) => packet,
        other => panic!("{other:?}"),
    }
}

/// The packet as messages carry it, out of its `send_packet` event.
fn to_proto(event: &PacketEvent) -> Option<ProtoPacket> {
    let p = over_channel(event).clone();
    Some(ProtoPacket {
        sequence: p.sequence,
        source_port: p.src_port,
        source_channel: p.src_channel,
        destination_port: p.dst_port,
        destination_channel: p.dst_channel,
        data: p.data.unwrap(),
        timeout_height: Some(Height {
            revision_number: p.timeout_height.revision,
            revision_height: p.timeout_height.height,
        }),
        timeout_timestamp: p.timeout_timestamp,
    })
}

/// Opens an unordered transfer channel from the chain to itself; answers with both ends.
async fn open_channel(alice: &Signer) -> (String, String) {
    let signer = alice.address().to_string();
    let port_id = || "transfer".to_string();
    let init = OpenInit { port_id: port_id(), channel: channel(1, ""), signer: signer.clone() };
    let result = send(alice, "core.channel.v1.MsgChannelOpenInit", &init).await;
    let near = result.attribute("channel_open_init", "channel_id").unwrap().to_string();
    let open_try = OpenTry {
        port_id: port_id(),
        channel: channel(2, &near),
        counterparty_version: "ics20-1".into(),
        proof_init: PROOF.to_vec(),
        proof_height: height(),
        signer: signer.clone(),
    };
    let result = send(alice, "core.channel.v1.MsgChannelOpenTry", &open_try).await;
    let far = result.attribute("channel_open_try", "channel_id").unwrap().to_string();
    let ack = OpenAck {
        port_id: port_id(),
        channel_id: near.clone(),
        counterparty_channel_id: far.clone(),
        counterparty_version: "ics20-1".into(),
        proof_try: PROOF.to_vec(),
        proof_height: height(),
        signer: signer.clone(),
    };
    send(alice, "core.channel.v1.MsgChannelOpenAck", &ack).await;
    let confirm = OpenConfirm {
        port_id: port_id(),
        channel_id: far.clone(),
        proof_ack: PROOF.to_vec(),
        proof_height: height(),
        signer,
    };
    send(alice, "core.channel.v1.MsgChannelOpenConfirm", &confirm).await;
    (near, far)
}

async fn transfer(alice: &Signer, near: &str, timeout_timestamp: u64) -> TxResult {
    let message = Transfer {
        source_port: "transfer".into(),
        source_channel: near.into(),
        token: Some(Coin { denom: "uopen".into(), amount: "5".into() }),
        sender: alice.address().into(),
        receiver: alice.address().into(),
        timeout_height: Some(Height::default()),
        timeout_timestamp,
    };
    send(alice, "applications.transfer.v1.MsgTransfer", &message).await
}

async fn read(chain: &Chain, file: &CursorFile, range: Range) -> Vec<PacketEvent> {
    let mut all = Vec::new();
    scan(chain, file, range, |packets| {
        all.extend_from_slice(packets);
        Ok(())
    })
    .await
    .unwrap();
    all
}

#[tokio::test]
async fn packets_of_a_live_chain_are_read_once_and_in_order() {
    let Ok(rpc) = std::env::var("OPENLEDGER_TEST_RPC") else {
        eprintln!("skipped: OPENLEDGER_TEST_RPC is not set");
        return;
    };
    let chain_id = std::env::var("OPENLEDGER_TEST_CHAIN_ID").unwrap_or_else(|_| "openledger-1".into());
    let chain = Chain::connect(ChainConfig::new(chain_id.clone(), rpc.clone())).await.unwrap();
    let path = "../testnet/dev-accounts.json";
    let accounts: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let accounts = accounts["accounts"].as_array().unwrap();
    let auditor = accounts.iter().find(|a| a["name"] == "auditor").unwrap();
    let alice = chain.signer(Key::from_mnemonic(auditor["mnemonic"].as_str().unwrap()).unwrap()).unwrap();
    let signer = alice.address().to_string();
    let start = chain.latest_height().await.unwrap() + 1;
    let folder = tempfile::tempdir().unwrap();
    let file = CursorFile::new(folder.path(), &chain_id);

    let (near, far) = open_channel(&alice).await;
    let sent = transfer(&alice, &near, now_ns() + 3_600_000_000_000).await;
    let seen = read(&chain, &file, Range { from: Some(start), to: Some(sent.height) }).await;
    assert_eq!(seen.iter().map(|e| e.event).collect::<Vec<_>>(), vec![Kind::SendPacket]);
    let packet = over_channel(&seen[0]);
    assert_eq!((packet.src_channel.as_str(), packet.dst_channel.as_str()), (near.as_str(), far.as_str()));
    assert_eq!((packet.sequence, packet.connection.as_str()), (1, "connection-localhost"));

    let recv = Recv {
        packet: to_proto(&seen[0]),
        proof_commitment: PROOF.to_vec(),
        proof_height: height(),
        signer: signer.clone(),
    };
    let received = send(&alice, "core.channel.v1.MsgRecvPacket", &recv).await;
    let seen_there = read(&chain, &file, Range { from: None, to: Some(received.height) }).await;
    let kinds: Vec<Kind> = seen_there.iter().map(|e| e.event).collect();
    assert_eq!(kinds, vec![Kind::RecvPacket, Kind::WriteAcknowledgement]);
    let acknowledgement = over_channel(&seen_there[1]).acknowledgement.clone().unwrap();
    assert_eq!(acknowledgement, br#"{"result":"AQ=="}"#);
    let message = Acknowledgement {
        packet: to_proto(&seen[0]),
        acknowledgement,
        proof_acked: PROOF.to_vec(),
        proof_height: height(),
        signer: signer.clone(),
    };
    let acknowledged = send(&alice, "core.channel.v1.MsgAcknowledgement", &message).await;

    let late = transfer(&alice, &near, now_ns() + 3_000_000_000).await;
    let back = read(&chain, &file, Range { from: None, to: Some(late.height) }).await;
    assert_eq!(
        back.iter().map(|e| e.event).collect::<Vec<_>>(),
        vec![Kind::AcknowledgePacket, Kind::SendPacket]
    );
    tokio::time::sleep(Duration::from_secs(4)).await;
    let message = Timeout {
        packet: to_proto(&back[1]),
        proof_unreceived: PROOF.to_vec(),
        proof_height: height(),
        next_sequence_recv: 1,
        signer,
    };
    let timed_out = send(&alice, "core.channel.v1.MsgTimeout", &message).await;

    // A fresh cursor sees all of it again; one that stands at the end sees nothing twice.
    let fresh = CursorFile::new(&folder.path().join("fresh"), &chain_id);
    let all = read(&chain, &fresh, Range { from: Some(start), to: Some(timed_out.height) }).await;
    let kinds: Vec<&str> = all.iter().map(|e| e.event.name()).collect();
    let expected = [
        "send_packet",
        "recv_packet",
        "write_acknowledgement",
        "acknowledge_packet",
        "send_packet",
        "timeout_packet",
    ];
    assert_eq!(kinds, expected);
    assert!(all.iter().all(|e| e.tx_index.is_some()));
    let next = fresh.load().unwrap().unwrap().next_height;
    assert_eq!(next, timed_out.height + 1);
    assert!(read(&chain, &fresh, Range { from: None, to: Some(next) }).await.is_empty());

    // Blocks are never left out, and a chain with another history is not gone on with.
    let nothing = |_: &[PacketEvent]| Ok(());
    let gap = scan(&chain, &fresh, Range { from: Some(next + 5), to: None }, nothing).await.unwrap_err();
    assert_eq!(gap.code(), "E-RELAYER-022");
    let full = |_: &[PacketEvent]| Err(std::io::Error::other("the disk is full"));
    let before = CursorFile::new(&folder.path().join("full"), &chain_id);
    let range = Range { from: Some(sent.height), to: Some(sent.height) };
    assert_eq!(scan(&chain, &before, range, full).await.unwrap_err().code(), "E-RELAYER-026");
    assert_eq!(before.load().unwrap(), None);
    let mut cursor = fresh.load().unwrap().unwrap();
    cursor.last_hash = "00".repeat(32);
    fresh.save(&cursor).unwrap();
    let other = scan(&chain, &fresh, Range::default(), nothing).await.unwrap_err();
    assert_eq!(other.code(), "E-RELAYER-021");

    let text = EXAMPLE.replace("openledger-1", &chain_id).replace("http://127.0.0.1:26650", &rpc);
    let config = Config::parse(&text, folder.path()).unwrap();
    let report = health::check(&config.chains[0]).await;
    eprintln!("{report:#?}");
    assert!(report.findings.iter().any(|f| f.code == "E-RELAYER-105" && f.level == Level::Ok));

    // The fixture of the unit tests comes from here.
    if let Ok(to) = std::env::var("OPENLEDGER_RECORD") {
        let mut blocks = Vec::new();
        for height in [sent.height, received.height, acknowledged.height, timed_out.height] {
            blocks.push(chain.block_events(height).await.unwrap());
        }
        std::fs::write(to, serde_json::to_vec_pretty(&blocks).unwrap()).unwrap();
    }
}
