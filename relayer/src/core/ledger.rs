//! Moves one end's state on by what its chain's blocks report, between two complete reads.
//!
//! It is a short cut and no source of truth: a complete read replaces what was computed here, and every
//! state that goes into a message is proved before.

use super::state::{EndState, IbcPacket};
use crate::packet::{Kind, Packet, PacketEvent};

/// What a packet event changes at the end on whose chain it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A packet left.
    Sent(IbcPacket),
    /// A packet that was sent from here was acknowledged or timed out.
    Done(u64),
    /// A packet arrived.
    Received(u64),
    /// Its acknowledgement was written.
    Written(u64, Vec<u8>),
}

/// What a block's packet events change at the end `port`/`channel` of its chain, in their order. None
/// when an event about this end cannot be used: then only a complete read helps.
pub fn changes(events: &[PacketEvent], port: &str, channel: &str) -> Option<Vec<Change>> {
    let mut all = Vec::new();
    for event in events {
        let Packet::Channel(packet) = &event.packet else { continue };
        let sent_here = packet.src_port == port && packet.src_channel == channel;
        let received_here = packet.dst_port == port && packet.dst_channel == channel;
        let change = match event.event {
            Kind::SendPacket if sent_here => Change::Sent(IbcPacket::of_event(packet)?),
            Kind::AcknowledgePacket | Kind::TimeoutPacket if sent_here => Change::Done(packet.sequence),
            Kind::RecvPacket if received_here => Change::Received(packet.sequence),
            Kind::WriteAcknowledgement if received_here => {
                Change::Written(packet.sequence, packet.acknowledgement.clone()?)
            }
            _ => continue,
        };
        all.push(change);
    }
    Some(all)
}

/// Applies a change.
pub fn apply(state: &mut EndState, change: Change) {
    match change {
        Change::Sent(packet) => {
            state.sent.insert(packet.sequence, packet);
        }
        Change::Done(sequence) => {
            state.sent.remove(&sequence);
        }
        Change::Received(sequence) => {
            state.received.insert(sequence);
        }
        Change::Written(sequence, acknowledgement) => {
            state.received.insert(sequence);
            state.acknowledgements.insert(sequence, acknowledgement);
        }
    }
}
