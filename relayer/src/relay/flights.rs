//! Messages that were handed to a chain and do not show in the state that is planned from yet.

use std::collections::BTreeMap;

use crate::core::plan::Action;
use crate::core::state::Side;
use crate::submit::Sent;

/// Kind of message and sequence; 0 for the update of a client.
type Key = (Side, &'static str, u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flight {
    /// Its transaction is on its way.
    Flying,
    /// It stands in the block at this height, or was found to be done by then.
    Landed(u64),
}

/// What is on its way, in memory: a restart reads the chains.
#[derive(Debug, Default)]
pub struct Flights(BTreeMap<Key, Flight>);

fn key(action: &Action) -> Key {
    (action.on(), action.name(), action.packet().map_or(0, |p| p.sequence))
}

fn update_key(side: Side) -> Key {
    (side, "update_client", 0)
}

impl Flights {
    /// Whether an action is not on its way.
    pub fn allows(&self, action: &Action) -> bool {
        !self.0.contains_key(&key(action))
    }

    /// Packet messages on their way to a chain.
    pub fn flying(&self, side: Side) -> usize {
        let here = self.0.iter().filter(|((on, _, sequence), _)| *on == side && *sequence > 0);
        here.filter(|(_, flight)| **flight == Flight::Flying).count()
    }

    /// A batch sets out; an empty one brings a header to the client.
    pub fn start(&mut self, side: Side, batch: &[Action]) {
        if batch.is_empty() {
            self.0.insert(update_key(side), Flight::Flying);
        }
        self.0.extend(batch.iter().map(|action| (key(action), Flight::Flying)));
    }

    /// A batch has come back; the chain's state is known up to `applied`. What was not sent is free to be
    /// planned again.
    pub fn land(&mut self, side: Side, batch: &[Action], sent: &Sent, applied: u64) {
        if batch.is_empty() {
            self.0.remove(&update_key(side));
        }
        for action in batch {
            self.0.remove(&key(action));
        }
        let height = sent.txs.iter().map(|tx| tx.height).max().unwrap_or(applied);
        if batch.is_empty() && !sent.txs.is_empty() {
            self.0.insert(update_key(side), Flight::Landed(height));
        }
        self.0.extend(sent.done.iter().map(|action| (key(action), Flight::Landed(height))));
        // Another relayer was faster: its transaction stands in a block that is read next.
        let soon = applied.saturating_add(2);
        self.0.extend(sent.redundant.iter().map(|action| (key(action), Flight::Landed(soon))));
    }

    /// Forgets what the states show, read up to these heights.
    pub fn clean(&mut self, near: u64, far: u64) {
        self.0.retain(|(side, _, _), flight| match flight {
            Flight::Flying => true,
            Flight::Landed(height) => *height > if *side == Side::A { near } else { far },
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::state::IbcPacket;

    fn receive(sequence: u64) -> Action {
        Action::Receive { on: Side::B, packet: IbcPacket::sample(sequence) }
    }

    #[test]
    fn a_message_is_not_sent_twice_before_its_state_is_read() {
        let mut flights = Flights::default();
        let batch = vec![receive(1), receive(2)];
        flights.start(Side::B, &batch);
        assert!(!flights.allows(&receive(1)) && flights.allows(&receive(3)));
        assert_eq!((flights.flying(Side::B), flights.flying(Side::A)), (2, 0));
        let sent = Sent { redundant: vec![receive(1)], ..Sent::default() };
        flights.land(Side::B, &batch, &sent, 7);
        // What was not sent is due again at once; what another has done when the state shows it.
        assert!(flights.allows(&receive(2)) && !flights.allows(&receive(1)));
        flights.clean(100, 8);
        assert!(!flights.allows(&receive(1)));
        flights.clean(0, 9);
        assert!(flights.allows(&receive(1)));
        assert_eq!(flights.flying(Side::B), 0);
    }
}
