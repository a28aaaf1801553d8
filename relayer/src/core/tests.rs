//! Properties of the planner against a model of ibc-go's checks, written from its keepers and not from
//! the planner: what is planned is taken, what is due is planned, and a random history of two chains
//! ends with every packet either acknowledged or timed out, never both.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::batch::{pack, select, Limits};
use super::filter::{receive_callback_gas, return_callback_gas, Filter, MAX_CALLBACK_GAS};
use super::plan::{plan, Action, Alarm};
use super::state::{
    acknowledgement_commitment, ClientView, EndState, IbcHeight, IbcPacket, Ordering, Phase, Side,
};

const SECOND: u64 = 1_000_000_000;

fn packet(sequence: u64, timeout_height: u64, timeout_timestamp: u64) -> IbcPacket {
    IbcPacket {
        dst_channel: "channel-1".into(),
        data: b"{}".to_vec(),
        timeout_height: IbcHeight { revision: u64::from(timeout_height > 0), height: timeout_height },
        timeout_timestamp,
        ..IbcPacket::sample(sequence)
    }
}

prop_compose! {
    fn client()(height in 1u64..60, time in 0u64..120, trusting in 1u64..200, frozen in prop::bool::weighted(0.1))
        -> ClientView {
        ClientView {
            latest: IbcHeight { revision: 1, height },
            latest_time_ns: time * SECOND,
            trusting_ns: trusting * SECOND,
            frozen,
        }
    }
}

fn phase() -> impl Strategy<Value = Phase> {
    prop_oneof![6 => Just(Phase::Open), 2 => Just(Phase::Closed), 1 => Just(Phase::TryOpen), 1 => Just(Phase::Init)]
}

prop_compose! {
    fn end()(
        height in 2u64..60,
        time in 0u64..120,
        client in client(),
        connection_open in prop::bool::weighted(0.9),
        channel in phase(),
        ordered in prop::bool::weighted(0.1),
        sent in prop::collection::btree_map(1u64..12, (prop_oneof![Just(0u64), 1u64..60], prop_oneof![Just(0u64), 1u64..150]), 0..8),
        received in prop::collection::btree_set(1u64..12, 0..8),
        acked in prop::collection::btree_set(1u64..12, 0..8),
    ) -> EndState {
        EndState {
            proof_height: IbcHeight { revision: 1, height },
            proof_time_ns: time * SECOND,
            client,
            connection_open,
            channel,
            ordering: if ordered { Ordering::Ordered } else { Ordering::Unordered },
            sent: sent.into_iter().map(|(s, (h, t))| (s, packet(s, h, t * SECOND))).collect(),
            acknowledgements: acked.intersection(&received).map(|s| (*s, vec![1])).collect(),
            received,
        }
    }
}

/// Whether the chain `here` takes the action in a block at height `proof_height + 1` and time `now`,
/// when the actions before it were taken. `known`: heights of `there` that its client has.
fn accepts(
    action: &Action,
    here: &EndState,
    there: &EndState,
    now: u64,
    known: &mut BTreeSet<IbcHeight>,
) -> Result<(), String> {
    let status = |why: &str| Err(format!("{why}: {action:?}"));
    if here.client.frozen || here.client.latest_time_ns + here.client.trusting_ns <= now {
        return status("client not active");
    }
    if let Action::UpdateClient { to, .. } = action {
        if *to <= here.client.latest {
            return status("header not newer");
        }
        known.insert(*to);
        return Ok(());
    }
    if !known.contains(&there.proof_height) {
        return status("no consensus state at the proof's height");
    }
    if !here.connection_open || here.ordering == Ordering::Ordered {
        return status("connection or order");
    }
    let elapsed = |p: &IbcPacket, h: IbcHeight, t: u64| {
        (p.timeout_height.height > 0 && h >= p.timeout_height)
            || (p.timeout_timestamp > 0 && t >= p.timeout_timestamp)
    };
    match action {
        Action::UpdateClient { .. } => Ok(()),
        Action::Receive { packet, .. } => {
            let next = IbcHeight { height: here.proof_height.height + 1, ..here.proof_height };
            if here.channel != Phase::Open {
                return status("channel not open");
            }
            if elapsed(packet, next, now) {
                return status("packet timeout elapsed");
            }
            if there.sent.get(&packet.sequence) != Some(packet) {
                return status("no commitment");
            }
            if here.received.contains(&packet.sequence) {
                return status("redundant");
            }
            Ok(())
        }
        Action::Acknowledge { packet, acknowledgement, .. } => {
            if here.channel != Phase::Open {
                return status("channel not open");
            }
            if here.sent.get(&packet.sequence) != Some(packet) {
                return status("redundant");
            }
            if there.acknowledgements.get(&packet.sequence) != Some(acknowledgement) {
                return status("no acknowledgement");
            }
            Ok(())
        }
        Action::Timeout { packet, .. } | Action::TimeoutOnClose { packet, .. } => {
            if here.sent.get(&packet.sequence) != Some(packet) {
                return status("redundant");
            }
            if there.received.contains(&packet.sequence) {
                return status("packet was received");
            }
            let reached = elapsed(packet, there.proof_height, there.proof_time_ns);
            match action {
                Action::Timeout { .. } if !reached => status("timeout not reached"),
                Action::TimeoutOnClose { .. } if there.channel != Phase::Closed => status("not closed"),
                _ => Ok(()),
            }
        }
    }
}

proptest! {
    /// Never a message that the chain would refuse.
    #[test]
    fn the_chains_take_all_that_is_planned(a in end(), b in end(), now in 0u64..150) {
        let now = now * SECOND;
        let planned = plan(&a, &b, now);
        for side in [Side::A, Side::B] {
            let (here, there) = if side == Side::A { (&a, &b) } else { (&b, &a) };
            let mut known = BTreeSet::from([here.client.latest]);
            let now_here = now.max(here.proof_time_ns);
            for action in planned.actions.iter().filter(|x| x.on() == side) {
                let taken = accepts(action, here, there, now_here, &mut known);
                prop_assert!(taken.is_ok(), "{taken:?}");
            }
            // And none twice.
            let keys: Vec<_> = planned.actions.iter().filter(|x| x.on() == side).map(|x| (x.name(), x.packet().map(|p| p.sequence))).collect();
            prop_assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len());
        }
    }

    /// Always a message for each packet that is due: whatever the model takes is planned, or an alarm
    /// says why not.
    #[test]
    fn all_that_the_chains_would_take_is_planned(a in end(), b in end(), now in 0u64..150) {
        let now = now * SECOND;
        let planned = plan(&a, &b, now);
        for side in [Side::A, Side::B] {
            let (here, there) = if side == Side::A { (&a, &b) } else { (&b, &a) };
            let now_here = now.max(here.proof_time_ns);
            let alarmed = planned.alarms.iter().any(|(s, alarm)| *s == side && *alarm != Alarm::ClientAgeing);
            if here.client.latest > there.proof_height || alarmed {
                continue;
            }
            let mut candidates = Vec::new();
            for p in there.sent.values() {
                candidates.push(Action::Receive { on: side, packet: p.clone() });
            }
            for p in here.sent.values() {
                if let Some(bytes) = there.acknowledgements.get(&p.sequence) {
                    candidates.push(Action::Acknowledge { on: side, packet: p.clone(), acknowledgement: bytes.clone() });
                }
                candidates.push(Action::Timeout { on: side, packet: p.clone() });
                candidates.push(Action::TimeoutOnClose { on: side, packet: p.clone() });
            }
            for action in candidates {
                let mut known = BTreeSet::from([here.client.latest, there.proof_height]);
                if accepts(&action, here, there, now_here, &mut known).is_ok() {
                    // A packet that has timed out needs no second way back.
                    let other_way = matches!(&action, Action::TimeoutOnClose { packet, .. }
                        if planned.actions.contains(&Action::Timeout { on: side, packet: packet.clone() }));
                    prop_assert!(other_way || planned.actions.contains(&action), "{action:?}");
                }
            }
        }
    }

    /// A client is refreshed before it expires, whether packets wait or not.
    #[test]
    fn a_client_is_refreshed_after_a_third_of_its_period(a in end(), b in end(), now in 0u64..150) {
        let now = (now * SECOND).max(a.proof_time_ns);
        let age = now.saturating_sub(a.client.latest_time_ns);
        let planned = plan(&a, &b, now);
        let refreshed = planned.actions.iter().any(|x| matches!(x, Action::UpdateClient { on: Side::A, .. }));
        let active = !a.client.frozen && a.client.latest_time_ns + a.client.trusting_ns > now;
        if active && age > a.client.trusting_ns / 3 && a.client.latest < b.proof_height {
            prop_assert!(refreshed);
        }
        if !active {
            prop_assert!(!planned.actions.iter().any(|x| x.on() == Side::A));
            prop_assert!(planned.alarms.iter().any(|(s, _)| *s == Side::A));
        }
    }

    /// Random histories: sends, delays, other relayers and a channel that closes. Value is conserved.
    #[test]
    fn every_packet_ends_once(steps in prop::collection::vec((0u8..6, 1u64..8), 1..40)) {
        let mut world = World::new();
        for (what, amount) in steps {
            world.step(what, amount);
        }
        // Then the relayer has its way until nothing is left that can be done.
        for _ in 0..60 {
            world.tick(2);
            world.relay(usize::MAX);
        }
        for ((from, sequence), endings) in &world.endings {
            // An acknowledgement needs the sender's channel open: over a closed one it stays out for ever.
            let end = &world.ends[*from];
            let stuck = end.channel != Phase::Open && end.sent.contains_key(sequence);
            prop_assert_eq!(*endings, u32::from(!stuck), "{} {}", from, sequence);
        }
        prop_assert!(world.both.is_empty(), "received and timed out: {:?}", world.both);
    }

    /// A transaction keeps to its limits, and no message is lost on the way into one.
    #[test]
    fn packing_keeps_limits_and_messages(sizes in prop::collection::vec(0usize..40_000, 0..60), messages in 1usize..20) {
        let actions: Vec<Action> = sizes.iter().enumerate().map(|(i, size)| {
            let packet = IbcPacket { data: vec![0; *size], ..packet(i as u64 + 1, 0, 1) };
            Action::Receive { on: Side::B, packet }
        }).collect();
        let limits = Limits { messages, gas: 3_000_000, bytes: 100_000 };
        let batches = pack(actions.clone(), limits);
        for batch in &batches {
            prop_assert!(batch.len() <= messages);
            let bytes: usize = batch.iter().map(|a| a.packet().unwrap().data.len()).sum();
            prop_assert!(bytes <= limits.bytes || batch.len() == 1);
        }
        prop_assert_eq!(batches.concat(), actions);
    }

    /// A fresh packet is in the next round however large the backlog is, and so is the oldest.
    #[test]
    fn a_backlog_hides_no_fresh_packet(count in 1u64..400, limit in 2usize..100) {
        let actions: Vec<Action> =
            (1..=count).map(|s| Action::Receive { on: Side::B, packet: packet(s, 0, 1) }).collect();
        let chosen = select(actions, limit);
        let sequences: Vec<u64> = chosen.iter().map(|a| a.packet().unwrap().sequence).collect();
        prop_assert_eq!(sequences.len(), limit.min(count as usize));
        prop_assert!(sequences.contains(&1) && sequences.contains(&count));
        prop_assert!(sequences.windows(2).all(|w| w[0] < w[1]));
    }

    /// Hostile data makes neither filter nor gas estimate fail.
    #[test]
    fn hostile_data_is_only_data(data in prop::collection::vec(any::<u8>(), 0..300), memo in ".{0,80}") {
        let raw = IbcPacket { data, ..packet(1, 0, 1) };
        let json = serde_json::json!({"denom":"u","amount":"1","sender":"s","receiver":"r","memo":memo});
        let text = IbcPacket { data: serde_json::to_vec(&json).unwrap(), ..packet(1, 0, 1) };
        for p in [raw, text] {
            let _ = Filter::default().allows(&p);
            prop_assert!(receive_callback_gas(&p) <= MAX_CALLBACK_GAS && return_callback_gas(&p) <= MAX_CALLBACK_GAS);
        }
    }
}

/// Two chains that obey the model, with what became of every packet.
struct World {
    ends: [EndState; 2],
    next: [u64; 2],
    endings: BTreeMap<(usize, u64), u32>,
    both: Vec<(usize, u64)>,
    /// Every packet that was ever received, by sender.
    ever_received: BTreeSet<(usize, u64)>,
}

impl World {
    fn new() -> Self {
        let end = EndState {
            proof_height: IbcHeight { revision: 1, height: 10 },
            proof_time_ns: 10 * SECOND,
            client: ClientView {
                latest: IbcHeight { revision: 1, height: 5 },
                latest_time_ns: 5 * SECOND,
                trusting_ns: 1_000_000 * SECOND,
                frozen: false,
            },
            connection_open: true,
            channel: Phase::Open,
            ordering: Ordering::Unordered,
            sent: BTreeMap::new(),
            received: BTreeSet::new(),
            acknowledgements: BTreeMap::new(),
        };
        World {
            ends: [end.clone(), end],
            next: [1, 1],
            endings: BTreeMap::new(),
            both: Vec::new(),
            ever_received: BTreeSet::new(),
        }
    }

    fn tick(&mut self, blocks: u64) {
        for end in &mut self.ends {
            end.proof_height.height += blocks;
            end.proof_time_ns += blocks * SECOND;
        }
    }

    fn step(&mut self, what: u8, amount: u64) {
        match what {
            0 | 1 => {
                let from = usize::from(what);
                if self.ends[from].channel == Phase::Open {
                    let sequence = self.next[from];
                    self.next[from] += 1;
                    let end = &mut self.ends[from];
                    let timeout = end.proof_time_ns + amount * 3 * SECOND;
                    end.sent.insert(sequence, packet(sequence, 0, timeout));
                    self.endings.insert((from, sequence), 0);
                }
            }
            2 => self.tick(amount),
            3 => self.relay(amount as usize),
            4 => self.relay(usize::MAX),
            // Rare: both ends close, as after a vote.
            _ if amount == 7 => {
                self.ends[1].channel = Phase::Closed;
            }
            _ => {}
        }
    }

    /// The relayer is killed after `limit` messages; what was sent took effect.
    fn relay(&mut self, limit: usize) {
        let now = self.ends[0].proof_time_ns;
        let (a, b) = (self.ends[0].clone(), self.ends[1].clone());
        for action in plan(&a, &b, now).actions.into_iter().take(limit) {
            let here = usize::from(action.on() == Side::B);
            let there = 1 - here;
            match action {
                Action::UpdateClient { to, .. } => {
                    let time = self.ends[there].proof_time_ns;
                    let client = &mut self.ends[here].client;
                    (client.latest, client.latest_time_ns) = (to, time);
                }
                Action::Receive { packet, .. } => {
                    if self.ends[here].received.insert(packet.sequence) {
                        self.ends[here].acknowledgements.insert(packet.sequence, vec![1]);
                        self.ever_received.insert((there, packet.sequence));
                    }
                }
                Action::Acknowledge { packet, .. } => {
                    if self.ends[here].sent.remove(&packet.sequence).is_some() {
                        *self.endings.get_mut(&(here, packet.sequence)).unwrap() += 1;
                    }
                }
                Action::Timeout { packet, .. } | Action::TimeoutOnClose { packet, .. } => {
                    if self.ends[here].sent.remove(&packet.sequence).is_some() {
                        *self.endings.get_mut(&(here, packet.sequence)).unwrap() += 1;
                        if self.ever_received.contains(&(here, packet.sequence)) {
                            self.both.push((here, packet.sequence));
                        }
                    }
                }
            }
        }
    }
}

/// Commitments as ibc-go makes them: the first vector is `TestCommitPacket`'s form, recomputed by hand.
#[test]
fn commitments_follow_ibc_go() {
    use sha2::{Digest, Sha256};
    let p = IbcPacket { data: b"packet".to_vec(), ..packet(1, 7, 9) };
    let mut bytes = Vec::new();
    bytes.extend([0, 0, 0, 0, 0, 0, 0, 9]);
    bytes.extend([0, 0, 0, 0, 0, 0, 0, 1]);
    bytes.extend([0, 0, 0, 0, 0, 0, 0, 7]);
    bytes.extend(Sha256::digest(b"packet"));
    assert_eq!(p.commitment().to_vec(), Sha256::digest(&bytes).to_vec());
    assert_eq!(acknowledgement_commitment(b"x").to_vec(), Sha256::digest(b"x").to_vec());
}

#[test]
fn callbacks_ask_for_gas_in_the_memo() {
    let with = |memo: &str| {
        let json = serde_json::json!({"denom":"u","amount":"1","sender":"s","receiver":"r","memo":memo});
        IbcPacket { data: serde_json::to_vec(&json).unwrap(), ..packet(1, 0, 1) }
    };
    let memo = r#"{"src_callback":{"address":"x","gas_limit":"300000"}}"#;
    assert_eq!((return_callback_gas(&with(memo)), receive_callback_gas(&with(memo))), (300_000, 0));
    assert_eq!(receive_callback_gas(&with(r#"{"dest_callback":{"address":"x"}}"#)), MAX_CALLBACK_GAS);
    assert_eq!(return_callback_gas(&with("thanks")), 0);
}

#[test]
fn payouts_only_serves_the_named_accounts() {
    let from = |sender: &str, receiver: &str| {
        let json =
            serde_json::json!({"denom":"u","amount":"1","sender":sender,"receiver":receiver,"memo":""});
        IbcPacket { data: serde_json::to_vec(&json).unwrap(), ..packet(1, 0, 1) }
    };
    let only = Filter { accounts: vec!["gateway".into()], ..Filter::default() };
    assert!(only.allows(&from("gateway", "x")) && only.allows(&from("x", "gateway")));
    assert!(!only.allows(&from("x", "y")) && Filter::default().allows(&from("x", "y")));
    let short = Filter { max_receiver: 3, ..Filter::default() };
    assert!(!short.allows(&from("x", "long")));
}
