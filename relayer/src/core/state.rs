//! States of two chains, as the planner compares them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::packet::ChannelPacket;
pub use crate::packet::{IbcHeight, Ordering};

/// One of the two ends of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The first chain of the path.
    A,
    /// The second.
    B,
}

impl Side {
    /// The opposite end.
    pub fn other(self) -> Self {
        match self {
            Side::A => Side::B,
            Side::B => Side::A,
        }
    }
}

/// A packet as ICS-4 defines it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IbcPacket {
    /// Number of the packet on its channel, from 1.
    pub sequence: u64,
    /// Port of the sender.
    pub src_port: String,
    /// Channel of the sender.
    pub src_channel: String,
    /// Port of the receiver.
    pub dst_port: String,
    /// Channel of the receiver.
    pub dst_channel: String,
    /// What the application sends.
    #[serde(with = "hex::serde")]
    pub data: Vec<u8>,
    /// Height of the receiving chain from which the packet is refused; 0-0 for none.
    pub timeout_height: IbcHeight,
    /// Time from which the packet is refused, in nanoseconds since 1970; 0 for none.
    pub timeout_timestamp: u64,
}

impl IbcPacket {
    /// A packet for tests, from one first channel to the other.
    #[cfg(test)]
    pub(crate) fn sample(sequence: u64) -> Self {
        IbcPacket {
            sequence,
            src_port: "transfer".into(),
            src_channel: "channel-0".into(),
            dst_port: "transfer".into(),
            dst_channel: "channel-0".into(),
            data: Vec::new(),
            timeout_height: IbcHeight { revision: 0, height: 0 },
            timeout_timestamp: 1,
        }
    }

    /// The packet of a `send_packet` event; none when the event carries no data.
    pub fn of_event(event: &ChannelPacket) -> Option<Self> {
        Some(IbcPacket {
            sequence: event.sequence,
            src_port: event.src_port.clone(),
            src_channel: event.src_channel.clone(),
            dst_port: event.dst_port.clone(),
            dst_channel: event.dst_channel.clone(),
            data: event.data.clone()?,
            timeout_height: event.timeout_height,
            timeout_timestamp: event.timeout_timestamp,
        })
    }

    /// What the sending chain stores of the packet: SHA-256 over the timeout's timestamp, revision and
    /// height, each as eight bytes big-endian, and the SHA-256 of the data (ibc-go v10,
    /// `modules/core/04-channel/types/packet.go`, `CommitPacket`).
    pub fn commitment(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.timeout_timestamp.to_be_bytes());
        hash.update(self.timeout_height.revision.to_be_bytes());
        hash.update(self.timeout_height.height.to_be_bytes());
        hash.update(Sha256::digest(&self.data));
        hash.finalize().into()
    }

    /// Whether the packet is refused by a block of this height and time (ICS-4, ibc-go `Timeout.Elapsed`).
    pub fn elapsed(&self, height: IbcHeight, time_ns: u64) -> bool {
        let limit = self.timeout_height;
        let by_height = limit != IbcHeight { revision: 0, height: 0 } && height >= limit;
        by_height || (self.timeout_timestamp != 0 && time_ns >= self.timeout_timestamp)
    }
}

/// What the receiving chain stores of an acknowledgement: its SHA-256.
pub fn acknowledgement_commitment(acknowledgement: &[u8]) -> [u8; 32] {
    Sha256::digest(acknowledgement).into()
}

/// The light client on one chain that follows the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientView {
    /// Newest height of the other chain that it knows.
    pub latest: IbcHeight,
    /// Time of the header at that height, in nanoseconds since 1970.
    pub latest_time_ns: u64,
    /// How long it trusts a header, in nanoseconds.
    pub trusting_ns: u64,
    /// Whether misbehaviour has frozen it.
    pub frozen: bool,
}

impl ClientView {
    /// Whether the client can no longer be updated by a relayer.
    pub fn expired(&self, now_ns: u64) -> bool {
        self.latest_time_ns.saturating_add(self.trusting_ns) <= now_ns
    }

    /// Nanoseconds until it expires.
    pub fn left_ns(&self, now_ns: u64) -> u64 {
        self.latest_time_ns.saturating_add(self.trusting_ns).saturating_sub(now_ns)
    }
}

/// State of a connection or channel end (ICS-3, ICS-4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The first step was done here.
    Init,
    /// The second step was done here.
    TryOpen,
    /// In use.
    Open,
    /// Channels only: closed for ever.
    Closed,
}

/// What one chain says, all of it at one height.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndState {
    /// Height of the header that proves the state: one more than the state's own.
    pub proof_height: IbcHeight,
    /// Time of that header, in nanoseconds since 1970.
    pub proof_time_ns: u64,
    /// The client here that follows the other chain.
    pub client: ClientView,
    /// Whether the connection under the channel is open here.
    pub connection_open: bool,
    /// State of the channel here.
    pub channel: Phase,
    /// Order of the channel.
    pub ordering: Ordering,
    /// Packets sent from here whose commitment still stands.
    pub sent: BTreeMap<u64, IbcPacket>,
    /// Of the packets that the other end has sent: those received here.
    pub received: BTreeSet<u64>,
    /// Of those: the acknowledgements written here that are known.
    pub acknowledgements: BTreeMap<u64, Vec<u8>>,
}
