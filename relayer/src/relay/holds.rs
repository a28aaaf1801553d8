//! Packets that a chain refuses are tried again later and later, so that one that can never pass costs
//! neither time nor the others' place.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::core::plan::Action;
use crate::core::state::Side;

/// Pause after the first refusal; it doubles with each.
const FIRST: Duration = Duration::from_secs(2);
/// Longest pause.
const LONGEST: Duration = Duration::from_secs(600);

type Key = (Side, &'static str, String, u64);

/// What is held off, in memory: a restart tries everything again.
#[derive(Debug, Default)]
pub struct Holds {
    packets: BTreeMap<Key, (u32, Instant)>,
    chains: BTreeMap<Side, Instant>,
}

fn key(action: &Action) -> Option<Key> {
    let packet = action.packet()?;
    Some((action.on(), action.name(), packet.src_channel.clone(), packet.sequence))
}

impl Holds {
    /// Whether an action may be tried now.
    pub fn allows(&self, action: &Action, now: Instant) -> bool {
        let free = |until: &Instant| *until <= now;
        self.chains.get(&action.on()).is_none_or(free)
            && key(action).is_none_or(|k| self.packets.get(&k).is_none_or(|(_, until)| free(until)))
    }

    /// The chain has refused an action; says for how long it is held off.
    pub fn refused(&mut self, action: &Action, now: Instant) -> Duration {
        let Some(key) = key(action) else { return Duration::ZERO };
        let times = self.packets.get(&key).map_or(0, |(times, _)| *times);
        let pause = FIRST.saturating_mul(1u32.checked_shl(times.min(20)).unwrap_or(1)).min(LONGEST);
        self.packets.insert(key, (times.saturating_add(1), now + pause));
        pause
    }

    /// Nothing is sent to a chain for a while: its key has no coins, for example.
    pub fn stop(&mut self, side: Side, pause: Duration, now: Instant) {
        self.chains.insert(side, now + pause);
    }

    /// Forgets packets of which nothing was heard for long.
    pub fn clean(&mut self, now: Instant) {
        self.packets.retain(|_, (_, until)| *until + LONGEST > now);
    }

    /// Forgets packets that are done with.
    pub fn done(&mut self, action: &Action) {
        if let Some(key) = key(action) {
            self.packets.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::state::IbcPacket;

    #[test]
    fn pauses_grow_up_to_a_limit_and_touch_one_packet() {
        let receive = |sequence| Action::Receive { on: Side::B, packet: IbcPacket::sample(sequence) };
        let (mut holds, now) = (Holds::default(), Instant::now());
        let pauses: Vec<u64> = (0..12).map(|_| holds.refused(&receive(1), now).as_secs()).collect();
        assert_eq!(pauses[..4], [2, 4, 8, 16]);
        assert_eq!(pauses[11], 600);
        assert!(!holds.allows(&receive(1), now) && holds.allows(&receive(2), now));
        assert!(holds.allows(&receive(1), now + LONGEST));
        holds.done(&receive(1));
        assert!(holds.allows(&receive(1), now));
        holds.stop(Side::B, FIRST, now);
        assert!(!holds.allows(&receive(2), now) && holds.allows(&receive(2), now + FIRST));
    }
}
