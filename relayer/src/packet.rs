//! Packet events of ibc-go, read from what a block reports. Pure: no network, clock or file.
//!
//! The types `send_packet`, `recv_packet`, `write_acknowledgement`, `acknowledge_packet` and
//! `timeout_packet` can come from the IBC module only: x/wasm puts `wasm` before the type of every
//! event that a contract chooses. Packets that contracts send appear here like all others, and so do
//! those of proposals, which stand outside of transactions. Transactions that failed are left out:
//! what they did was undone.
//!
//! Attribute names: ibc-go v10, `modules/core/04-channel/types/events.go` and `.../v2/types/events.go`.

use openledger_client::{BlockEvents, Event};
use serde::{Deserialize, Serialize, Serializer};

/// What happened to a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It was sent from this chain.
    SendPacket,
    /// It was received on this chain.
    RecvPacket,
    /// This chain, which received it, wrote its acknowledgement.
    WriteAcknowledgement,
    /// This chain, which sent it, took the acknowledgement.
    AcknowledgePacket,
    /// This chain, which sent it, took it back after its timeout.
    TimeoutPacket,
}

impl Kind {
    fn of(event_type: &str) -> Option<Self> {
        Some(match event_type {
            "send_packet" => Kind::SendPacket,
            "recv_packet" => Kind::RecvPacket,
            "write_acknowledgement" => Kind::WriteAcknowledgement,
            "acknowledge_packet" => Kind::AcknowledgePacket,
            "timeout_packet" => Kind::TimeoutPacket,
            _ => return None,
        })
    }

    /// The event type.
    pub fn name(self) -> &'static str {
        match self {
            Kind::SendPacket => "send_packet",
            Kind::RecvPacket => "recv_packet",
            Kind::WriteAcknowledgement => "write_acknowledgement",
            Kind::AcknowledgePacket => "acknowledge_packet",
            Kind::TimeoutPacket => "timeout_packet",
        }
    }
}

/// Order of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ordering {
    /// Packets arrive in any order.
    Unordered,
    /// Packets arrive in the order of their sequences; a timeout closes the channel.
    Ordered,
}

/// A height of the chain that receives; 0-0 means that there is no timeout by height.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct IbcHeight {
    /// Number at the end of the chain id.
    pub revision: u64,
    /// Height within it.
    pub height: u64,
}

impl IbcHeight {
    /// Reads `revision-height`; none for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        let (revision, height) = text.trim().split_once('-')?;
        Some(IbcHeight { revision: revision.parse().ok()?, height: height.parse().ok()? })
    }
}

/// A packet over a channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChannelPacket {
    /// Number of the packet on its channel.
    pub sequence: u64,
    /// Port of the sender.
    pub src_port: String,
    /// Channel of the sender.
    pub src_channel: String,
    /// Port of the receiver.
    pub dst_port: String,
    /// Channel of the receiver.
    pub dst_channel: String,
    /// Order of the channel.
    pub ordering: Ordering,
    /// Connection on this chain.
    pub connection: String,
    /// Height of the receiving chain from which the packet is refused.
    pub timeout_height: IbcHeight,
    /// Time of the receiving chain from which the packet is refused, in nanoseconds since 1970; 0
    /// for none.
    pub timeout_timestamp: u64,
    /// Data; the events of the acknowledgement taken and of the timeout carry none.
    #[serde(serialize_with = "hex_or_null")]
    pub data: Option<Vec<u8>>,
    /// Acknowledgement, when it was written.
    #[serde(serialize_with = "hex_or_null")]
    pub acknowledgement: Option<Vec<u8>>,
}

/// A packet between clients, without a channel (IBC version 2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClientPacket {
    /// Number of the packet between the two clients.
    pub sequence: u64,
    /// Client on the sending chain.
    pub src_client: String,
    /// Client on the receiving chain.
    pub dst_client: String,
    /// Time from which the packet is refused, in seconds since 1970.
    pub timeout_timestamp: u64,
    /// Encoded `ibc.core.channel.v2.Packet`.
    #[serde(serialize_with = "hex")]
    pub packet: Vec<u8>,
    /// Encoded acknowledgement, when it was written.
    #[serde(serialize_with = "hex_or_null")]
    pub acknowledgement: Option<Vec<u8>>,
}

/// A packet of either version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "ibc")]
pub enum Packet {
    /// Over a channel.
    #[serde(rename = "v1")]
    Channel(ChannelPacket),
    /// Between clients.
    #[serde(rename = "v2")]
    Client(ClientPacket),
}

/// A packet event with its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PacketEvent {
    /// Height.
    pub height: u64,
    /// Index of the transaction in its block; none for events of the block itself.
    pub tx_index: Option<usize>,
    /// Index of the event within the transaction, or within the block's own.
    pub event_index: usize,
    /// What happened.
    pub event: Kind,
    /// The packet.
    #[serde(flatten)]
    pub packet: Packet,
}

/// Why a packet event cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// An attribute is missing.
    #[error("{event} has no attribute {key}")]
    Missing {
        /// Type of the event.
        event: &'static str,
        /// Key of the attribute.
        key: &'static str,
    },
    /// An attribute has a value of another form.
    #[error("{event} has {key} = {value:?}, which is not {expected}")]
    Value {
        /// Type of the event.
        event: &'static str,
        /// Key of the attribute.
        key: &'static str,
        /// Its value, cut to 80 characters.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
}

/// All packet events of a block, in order. One that cannot be read is an error for the whole block,
/// so that none is left out silently.
pub fn packets_of(block: &BlockEvents) -> Result<Vec<PacketEvent>, PacketError> {
    let mut found = Vec::new();
    let own = std::iter::once((None, &block.block));
    let txs =
        block.txs.iter().enumerate().filter(|(_, tx)| tx.code == 0).map(|(i, tx)| (Some(i), &tx.events));
    for (tx_index, events) in txs.chain(own) {
        for (event_index, event) in events.iter().enumerate() {
            if let Some((kind, packet)) = parse(event)? {
                found.push(PacketEvent { height: block.height, tx_index, event_index, event: kind, packet });
            }
        }
    }
    Ok(found)
}

/// Reads one event; none when it is not about a packet.
pub fn parse(event: &Event) -> Result<Option<(Kind, Packet)>, PacketError> {
    let Some(kind) = Kind::of(&event.kind) else { return Ok(None) };
    let read = Reader { event, name: kind.name() };
    let packet = if event.attribute("packet_source_client").is_some() {
        Packet::Client(read.client_packet(kind)?)
    } else {
        Packet::Channel(read.channel_packet(kind)?)
    };
    Ok(Some((kind, packet)))
}

struct Reader<'a> {
    event: &'a Event,
    name: &'static str,
}

impl Reader<'_> {
    fn channel_packet(&self, kind: Kind) -> Result<ChannelPacket, PacketError> {
        let carries_data = matches!(kind, Kind::SendPacket | Kind::RecvPacket | Kind::WriteAcknowledgement);
        let written = kind == Kind::WriteAcknowledgement;
        Ok(ChannelPacket {
            sequence: self.number("packet_sequence")?,
            src_port: self.name_of("packet_src_port")?,
            src_channel: self.name_of("packet_src_channel")?,
            dst_port: self.name_of("packet_dst_port")?,
            dst_channel: self.name_of("packet_dst_channel")?,
            ordering: self.ordering("packet_channel_ordering")?,
            connection: self.name_of("connection_id")?,
            timeout_height: self.height("packet_timeout_height")?,
            timeout_timestamp: self.number("packet_timeout_timestamp")?,
            data: carries_data.then(|| self.bytes("packet_data_hex")).transpose()?,
            acknowledgement: written.then(|| self.bytes("packet_ack_hex")).transpose()?,
        })
    }

    fn client_packet(&self, kind: Kind) -> Result<ClientPacket, PacketError> {
        let written = kind == Kind::WriteAcknowledgement;
        Ok(ClientPacket {
            sequence: self.number("packet_sequence")?,
            src_client: self.name_of("packet_source_client")?,
            dst_client: self.name_of("packet_dest_client")?,
            timeout_timestamp: self.number("packet_timeout_timestamp")?,
            packet: self.bytes("encoded_packet_hex")?,
            acknowledgement: written.then(|| self.bytes("encoded_acknowledgement_hex")).transpose()?,
        })
    }

    fn text(&self, key: &'static str) -> Result<&str, PacketError> {
        self.event.attribute(key).ok_or(PacketError::Missing { event: self.name, key })
    }

    fn bad(&self, key: &'static str, value: &str, expected: &'static str) -> PacketError {
        PacketError::Value { event: self.name, key, value: value.chars().take(80).collect(), expected }
    }

    /// An identifier (ICS-24): never empty, at most 128 characters of a small alphabet.
    fn name_of(&self, key: &'static str) -> Result<String, PacketError> {
        let value = self.text(key)?;
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._+-#[]<>".contains(&b);
        if value.is_empty() || value.len() > 128 || !value.bytes().all(allowed) {
            return Err(self.bad(key, value, "an identifier"));
        }
        Ok(value.to_string())
    }

    fn number(&self, key: &'static str) -> Result<u64, PacketError> {
        let value = self.text(key)?;
        value.parse().map_err(|_| self.bad(key, value, "a number of 64 bits"))
    }

    fn height(&self, key: &'static str) -> Result<IbcHeight, PacketError> {
        let value = self.text(key)?;
        IbcHeight::parse(value).ok_or_else(|| self.bad(key, value, "a height like 1-100"))
    }

    fn ordering(&self, key: &'static str) -> Result<Ordering, PacketError> {
        match self.text(key)? {
            "ORDER_UNORDERED" => Ok(Ordering::Unordered),
            "ORDER_ORDERED" => Ok(Ordering::Ordered),
            other => Err(self.bad(key, other, "ORDER_UNORDERED or ORDER_ORDERED")),
        }
    }

    fn bytes(&self, key: &'static str) -> Result<Vec<u8>, PacketError> {
        let value = self.text(key)?;
        hex::decode(value).map_err(|_| self.bad(key, value, "hexadecimal"))
    }
}

fn hex<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&hex::encode(bytes))
}

fn hex_or_null<S: Serializer>(bytes: &Option<Vec<u8>>, to: S) -> Result<S::Ok, S::Error> {
    match bytes {
        Some(bytes) => hex(bytes, to),
        None => to.serialize_none(),
    }
}

impl std::fmt::Display for PacketEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ", self.height)?;
        match self.tx_index {
            Some(index) => write!(f, "tx {index} ")?,
            None => write!(f, "block ")?,
        }
        write!(f, "{} ", self.event.name())?;
        match &self.packet {
            Packet::Channel(p) => write!(
                f,
                "#{} {}/{} -> {}/{} over {}",
                p.sequence, p.src_port, p.src_channel, p.dst_port, p.dst_channel, p.connection
            ),
            Packet::Client(p) => write!(f, "#{} {} -> {} (v2)", p.sequence, p.src_client, p.dst_client),
        }
    }
}
