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

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;
    use crate::core::state::{ClientView, Phase};
    use crate::packet::{ChannelPacket, IbcHeight, Ordering};

    const OWN: &str = "channel-3";
    const OTHER: &str = "channel-8";

    fn event(kind: Kind, sequence: u64, src: &str, dst: &str) -> PacketEvent {
        let has_data = matches!(kind, Kind::SendPacket | Kind::RecvPacket | Kind::WriteAcknowledgement);
        PacketEvent {
            height: 7,
            tx_index: Some(0),
            event_index: 0,
            event: kind,
            packet: Packet::Channel(ChannelPacket {
                sequence,
                src_port: "transfer".into(),
                src_channel: src.into(),
                dst_port: "transfer".into(),
                dst_channel: dst.into(),
                ordering: Ordering::Unordered,
                connection: "connection-0".into(),
                timeout_height: IbcHeight { revision: 0, height: 0 },
                timeout_timestamp: 9,
                data: has_data.then(|| sequence.to_be_bytes().to_vec()),
                acknowledgement: (kind == Kind::WriteAcknowledgement).then(|| vec![1, sequence as u8]),
            }),
        }
    }

    fn empty() -> EndState {
        let zero = IbcHeight { revision: 1, height: 1 };
        EndState {
            proof_height: zero,
            proof_time_ns: 1,
            client: ClientView { latest: zero, latest_time_ns: 1, trusting_ns: 1, frozen: false },
            connection_open: true,
            channel: Phase::Open,
            ordering: Ordering::Unordered,
            sent: BTreeMap::new(),
            received: BTreeSet::new(),
            acknowledgements: BTreeMap::new(),
        }
    }

    proptest! {
        /// A chain's own bookkeeping, and what its events make of a state, are the same after every block,
        /// whatever happens on its other channels.
        #[test]
        fn events_lead_to_the_state_that_the_chain_has(
            history in prop::collection::vec((0u8..6, 1u64..9), 0..60),
        ) {
            let (mut chain, mut seen) = (empty(), empty());
            for (what, sequence) in history {
                let packet = |kind| IbcPacket::of_event(match &event(kind, sequence, OWN, OTHER).packet {
                    Packet::Channel(packet) => packet,
                    Packet::Client(_) => unreachable!(),
                });
                let events = match what {
                    0 if !chain.sent.contains_key(&sequence) => {
                        chain.sent.insert(sequence, packet(Kind::SendPacket).unwrap());
                        vec![event(Kind::SendPacket, sequence, OWN, OTHER)]
                    }
                    1 | 2 if chain.sent.remove(&sequence).is_some() => {
                        let kind = if what == 1 { Kind::AcknowledgePacket } else { Kind::TimeoutPacket };
                        vec![event(kind, sequence, OWN, OTHER)]
                    }
                    3 if chain.received.insert(sequence) => {
                        chain.acknowledgements.insert(sequence, vec![1, sequence as u8]);
                        vec![
                            event(Kind::RecvPacket, sequence, OTHER, OWN),
                            event(Kind::WriteAcknowledgement, sequence, OTHER, OWN),
                        ]
                    }
                    // Another channel, with the same numbers.
                    4 => vec![event(Kind::SendPacket, sequence, "channel-0", OTHER)],
                    5 => vec![event(Kind::RecvPacket, sequence, OTHER, "channel-0")],
                    _ => continue,
                };
                for change in changes(&events, "transfer", OWN).unwrap() {
                    apply(&mut seen, change);
                }
                prop_assert_eq!(&seen, &chain);
            }
        }
    }

    #[test]
    fn an_event_without_its_content_asks_for_a_complete_read() {
        for kind in [Kind::SendPacket, Kind::WriteAcknowledgement] {
            let (src, dst) = if kind == Kind::SendPacket { (OWN, OTHER) } else { (OTHER, OWN) };
            let mut broken = event(kind, 1, src, dst);
            if let Packet::Channel(packet) = &mut broken.packet {
                (packet.data, packet.acknowledgement) = (None, None);
            }
            assert_eq!(changes(&[broken.clone()], "transfer", OWN), None);
            assert_eq!(changes(&[broken], "transfer", "channel-0"), Some(vec![]));
        }
    }
}
