//! Builds the messages of IBC. Every proof in them was checked before.

use ibc_proto::ibc::core::channel::v1::{
    Channel, Counterparty as ChannelCounterparty, MsgAcknowledgement, MsgChannelOpenAck,
    MsgChannelOpenConfirm, MsgChannelOpenInit, MsgChannelOpenTry, MsgRecvPacket, MsgTimeout,
    MsgTimeoutOnClose, Packet,
};
use ibc_proto::ibc::core::client::v1::{Height, MsgCreateClient, MsgUpdateClient};
use ibc_proto::ibc::core::commitment::v1::MerklePrefix;
use ibc_proto::ibc::core::connection::v1::{
    ConnectionEnd, Counterparty as ConnectionCounterparty, MsgConnectionOpenAck, MsgConnectionOpenConfirm,
    MsgConnectionOpenInit, MsgConnectionOpenTry, Version,
};
use ibc_proto::ibc::lightclients::tendermint::v1::{
    ClientState as TmClientState, ConsensusState as TmConsensusState, Header as TmHeader,
};
use openledger_client::proto::prost::{Message, Name};
use openledger_client::Any;

use super::light::height_to_proto;
use super::proof::Proved;
use crate::core::state::{IbcHeight, IbcPacket};

/// Prefix of all paths of IBC in a Cosmos chain's state.
const PREFIX: &[u8] = b"ibc";

fn any<M: Message + Name>(message: &M) -> Any {
    Any { type_url: M::type_url(), value: message.encode_to_vec() }
}

fn inner_any<M: Message + Name>(message: &M) -> tendermint_proto::google::protobuf::Any {
    tendermint_proto::google::protobuf::Any { type_url: M::type_url(), value: message.encode_to_vec() }
}

fn prefix() -> Option<MerklePrefix> {
    Some(MerklePrefix { key_prefix: PREFIX.to_vec() })
}

/// The packet as messages carry it.
pub fn packet_to_proto(packet: &IbcPacket) -> Packet {
    Packet {
        sequence: packet.sequence,
        source_port: packet.src_port.clone(),
        source_channel: packet.src_channel.clone(),
        destination_port: packet.dst_port.clone(),
        destination_channel: packet.dst_channel.clone(),
        data: packet.data.clone(),
        timeout_height: Some(height_to_proto(packet.timeout_height)),
        timeout_timestamp: packet.timeout_timestamp,
    }
}

/// A proof with the height of the header that it leads to.
#[derive(Clone, Debug)]
pub struct At<'a> {
    /// The proof.
    pub proved: &'a Proved,
    /// Height of the header.
    pub height: IbcHeight,
}

impl At<'_> {
    fn parts(&self) -> (Vec<u8>, Option<Height>) {
        (self.proved.proof.clone(), Some(height_to_proto(self.height)))
    }
}

/// `MsgCreateClient`.
pub fn create_client(state: &TmClientState, consensus: &TmConsensusState, signer: &str) -> Any {
    any(&MsgCreateClient {
        client_state: Some(inner_any(state)),
        consensus_state: Some(inner_any(consensus)),
        signer: signer.into(),
    })
}

/// `MsgUpdateClient` with a header.
pub fn update_client(client: &str, header: &TmHeader, signer: &str) -> Any {
    any(&MsgUpdateClient {
        client_id: client.into(),
        client_message: Some(inner_any(header)),
        signer: signer.into(),
    })
}

/// `MsgRecvPacket`; the proof is that of the packet's commitment.
pub fn receive(packet: &IbcPacket, at: &At, signer: &str) -> Any {
    let (proof_commitment, proof_height) = at.parts();
    let packet = Some(packet_to_proto(packet));
    any(&MsgRecvPacket { packet, proof_commitment, proof_height, signer: signer.into() })
}

/// `MsgAcknowledgement`; the proof is that of the acknowledgement's commitment.
pub fn acknowledge(packet: &IbcPacket, acknowledgement: &[u8], at: &At, signer: &str) -> Any {
    let (proof_acked, proof_height) = at.parts();
    any(&MsgAcknowledgement {
        packet: Some(packet_to_proto(packet)),
        acknowledgement: acknowledgement.to_vec(),
        proof_acked,
        proof_height,
        signer: signer.into(),
    })
}

/// `MsgTimeout` on an unordered channel; the proof is that there is no receipt.
pub fn timeout(packet: &IbcPacket, at: &At, signer: &str) -> Any {
    let (proof_unreceived, proof_height) = at.parts();
    any(&MsgTimeout {
        packet: Some(packet_to_proto(packet)),
        proof_unreceived,
        proof_height,
        // Not looked at on unordered channels, but 0 is refused.
        next_sequence_recv: 1,
        signer: signer.into(),
    })
}

/// `MsgTimeoutOnClose` on an unordered channel; `closed` proves the other end's state.
pub fn timeout_on_close(packet: &IbcPacket, at: &At, closed: &Proved, signer: &str) -> Any {
    let (proof_unreceived, proof_height) = at.parts();
    any(&MsgTimeoutOnClose {
        packet: Some(packet_to_proto(packet)),
        proof_unreceived,
        proof_close: closed.proof.clone(),
        proof_height,
        next_sequence_recv: 1,
        signer: signer.into(),
        counterparty_upgrade_sequence: 0,
    })
}

/// The connection version that every release of ibc-go speaks.
pub fn connection_version() -> Version {
    Version { identifier: "1".into(), features: vec!["ORDER_ORDERED".into(), "ORDER_UNORDERED".into()] }
}

/// `MsgConnectionOpenInit`.
pub fn connection_init(client: &str, other_client: &str, signer: &str) -> Any {
    any(&MsgConnectionOpenInit {
        client_id: client.into(),
        counterparty: Some(ConnectionCounterparty {
            client_id: other_client.into(),
            connection_id: String::new(),
            prefix: prefix(),
        }),
        version: Some(connection_version()),
        delay_period: 0,
        signer: signer.into(),
    })
}

/// `MsgConnectionOpenTry` for the other chain's connection `of`, whose end is `end`.
#[allow(deprecated)] // Fields that ibc-go no longer reads stay empty.
pub fn connection_try(client: &str, of: &str, end: &ConnectionEnd, at: &At, signer: &str) -> Any {
    let (proof_init, proof_height) = at.parts();
    any(&MsgConnectionOpenTry {
        client_id: client.into(),
        counterparty: Some(ConnectionCounterparty {
            client_id: end.client_id.clone(),
            connection_id: of.into(),
            prefix: prefix(),
        }),
        delay_period: end.delay_period,
        counterparty_versions: end.versions.clone(),
        proof_init,
        proof_height,
        consensus_height: Some(Height::default()),
        signer: signer.into(),
        ..MsgConnectionOpenTry::default()
    })
}

/// `MsgConnectionOpenAck` with the version that the other end has chosen.
#[allow(deprecated)] // Fields that ibc-go no longer reads stay empty.
pub fn connection_ack(own: &str, other: &str, version: Version, at: &At, signer: &str) -> Any {
    let (proof_try, proof_height) = at.parts();
    any(&MsgConnectionOpenAck {
        connection_id: own.into(),
        counterparty_connection_id: other.into(),
        version: Some(version),
        proof_try,
        proof_height,
        consensus_height: Some(Height::default()),
        signer: signer.into(),
        ..MsgConnectionOpenAck::default()
    })
}

/// `MsgConnectionOpenConfirm`.
pub fn connection_confirm(own: &str, at: &At, signer: &str) -> Any {
    let (proof_ack, proof_height) = at.parts();
    any(&MsgConnectionOpenConfirm {
        connection_id: own.into(),
        proof_ack,
        proof_height,
        signer: signer.into(),
    })
}

/// Which channel is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelKind {
    /// Port at both ends.
    pub port: String,
    /// Version of the application.
    pub version: String,
}

impl ChannelKind {
    /// A channel of ICS-20.
    pub fn transfer() -> Self {
        ChannelKind { port: "transfer".into(), version: "ics20-1".into() }
    }

    fn end(&self, state: i32, connection: &str, other: &str) -> Option<Channel> {
        Some(Channel {
            state,
            ordering: 1,
            counterparty: Some(ChannelCounterparty { port_id: self.port.clone(), channel_id: other.into() }),
            connection_hops: vec![connection.into()],
            version: self.version.clone(),
            upgrade_sequence: 0,
        })
    }
}

/// `MsgChannelOpenInit` of an unordered channel.
pub fn channel_init(kind: &ChannelKind, connection: &str, signer: &str) -> Any {
    let channel = kind.end(1, connection, "");
    any(&MsgChannelOpenInit { port_id: kind.port.clone(), channel, signer: signer.into() })
}

/// `MsgChannelOpenTry` for the other chain's channel `of`.
#[allow(deprecated)] // A field that ibc-go no longer reads stays empty.
pub fn channel_try(kind: &ChannelKind, connection: &str, of: &str, at: &At, signer: &str) -> Any {
    let (proof_init, proof_height) = at.parts();
    any(&MsgChannelOpenTry {
        port_id: kind.port.clone(),
        channel: kind.end(2, connection, of),
        counterparty_version: kind.version.clone(),
        proof_init,
        proof_height,
        signer: signer.into(),
        ..MsgChannelOpenTry::default()
    })
}

/// `MsgChannelOpenAck`.
pub fn channel_ack(kind: &ChannelKind, own: &str, other: &str, at: &At, signer: &str) -> Any {
    let (proof_try, proof_height) = at.parts();
    any(&MsgChannelOpenAck {
        port_id: kind.port.clone(),
        channel_id: own.into(),
        counterparty_channel_id: other.into(),
        counterparty_version: kind.version.clone(),
        proof_try,
        proof_height,
        signer: signer.into(),
    })
}

/// `MsgChannelOpenConfirm`.
pub fn channel_confirm(kind: &ChannelKind, own: &str, at: &At, signer: &str) -> Any {
    let (proof_ack, proof_height) = at.parts();
    any(&MsgChannelOpenConfirm {
        port_id: kind.port.clone(),
        channel_id: own.into(),
        proof_ack,
        proof_height,
        signer: signer.into(),
    })
}
