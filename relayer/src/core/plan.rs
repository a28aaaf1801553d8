//! Which messages are due between two chains.
//!
//! The rules are those of ibc-go v10 (`modules/core/04-channel/keeper`, `07-tendermint`), turned round:
//! a message is planned exactly when the chain, in the state seen, would take it. What is planned from
//! states that have moved on since is caught by simulation; nothing is paid for it.

use serde::Serialize;

use super::state::{EndState, IbcHeight, IbcPacket, Ordering, Phase, Side};

/// A client is refreshed when this part of its trusting period has passed.
const REFRESH_AT: u64 = 3;

/// A message that is due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// Give the client on `on` the other chain's header at `to`.
    UpdateClient {
        /// Chain that the message goes to.
        on: Side,
        /// Height of the header.
        to: IbcHeight,
    },
    /// Deliver a packet.
    Receive {
        /// Chain that the message goes to.
        on: Side,
        /// The packet.
        packet: IbcPacket,
    },
    /// Bring an acknowledgement back to the sender.
    Acknowledge {
        /// Chain that the message goes to.
        on: Side,
        /// The packet.
        packet: IbcPacket,
        /// What the receiver wrote.
        #[serde(with = "hex::serde")]
        acknowledgement: Vec<u8>,
    },
    /// Show the sender that a packet came too late.
    Timeout {
        /// Chain that the message goes to.
        on: Side,
        /// The packet.
        packet: IbcPacket,
    },
    /// Show the sender that the receiver's channel is closed.
    TimeoutOnClose {
        /// Chain that the message goes to.
        on: Side,
        /// The packet.
        packet: IbcPacket,
    },
}

impl Action {
    /// Chain that the message goes to.
    pub fn on(&self) -> Side {
        match self {
            Action::UpdateClient { on, .. }
            | Action::Receive { on, .. }
            | Action::Acknowledge { on, .. }
            | Action::Timeout { on, .. }
            | Action::TimeoutOnClose { on, .. } => *on,
        }
    }

    /// The packet, when the message is about one.
    pub fn packet(&self) -> Option<&IbcPacket> {
        match self {
            Action::UpdateClient { .. } => None,
            Action::Receive { packet, .. }
            | Action::Acknowledge { packet, .. }
            | Action::Timeout { packet, .. }
            | Action::TimeoutOnClose { packet, .. } => Some(packet),
        }
    }

    /// Word for logs and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Action::UpdateClient { .. } => "update_client",
            Action::Receive { .. } => "receive",
            Action::Acknowledge { .. } => "acknowledge",
            Action::Timeout { .. } => "timeout",
            Action::TimeoutOnClose { .. } => "timeout_on_close",
        }
    }
}

/// Why nothing can be done on a chain although packets may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Alarm {
    /// The client is frozen: governance has to replace it.
    ClientFrozen,
    /// The client has expired: governance has to replace it.
    ClientExpired,
    /// More than half of the client's trusting period has passed.
    ClientAgeing,
    /// The channel is ordered, which this relayer does not serve.
    Ordered,
    /// The client already knows a newer header than the endpoint has shown.
    EndpointBehind,
}

impl Alarm {
    /// Stable code of the alarm.
    pub fn code(self) -> &'static str {
        match self {
            Alarm::ClientFrozen => "E-RELAYER-200",
            Alarm::ClientExpired => "E-RELAYER-201",
            Alarm::ClientAgeing => "E-RELAYER-202",
            Alarm::Ordered => "E-RELAYER-203",
            Alarm::EndpointBehind => "E-RELAYER-204",
        }
    }

    /// What to do, in one sentence.
    pub fn advice(self) -> &'static str {
        match self {
            Alarm::ClientFrozen | Alarm::ClientExpired => {
                "propose MsgRecoverClient by the governance of the chain that holds the client"
            }
            Alarm::ClientAgeing => {
                "look why refreshing fails: key without coins, endpoint down, chain stopped"
            }
            Alarm::Ordered => "relay this channel with another relayer",
            Alarm::EndpointBehind => "use an endpoint that has caught up; the relayer tries again by itself",
        }
    }
}

/// What is due, in the order in which it is to be sent: on each chain the update of the client first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// Messages.
    pub actions: Vec<Action>,
    /// What hinders.
    pub alarms: Vec<(Side, Alarm)>,
}

/// Plans both directions at `now_ns` nanoseconds since 1970, by this machine's clock.
pub fn plan(a: &EndState, b: &EndState, now_ns: u64) -> Plan {
    let mut plan = Plan::default();
    plan_on(Side::A, a, b, now_ns, &mut plan);
    plan_on(Side::B, b, a, now_ns, &mut plan);
    plan
}

/// Plans what goes to `here`, proved by the state of `there`.
fn plan_on(on: Side, here: &EndState, there: &EndState, now_ns: u64, plan: &mut Plan) {
    // The next block here is later than the one seen; which clock is ahead does not matter.
    let now_here = now_ns.max(here.proof_time_ns);
    let client = &here.client;
    if client.frozen {
        return plan.alarms.push((on, Alarm::ClientFrozen));
    }
    if client.expired(now_here) {
        return plan.alarms.push((on, Alarm::ClientExpired));
    }
    let age = now_here.saturating_sub(client.latest_time_ns);
    if age > client.trusting_ns / 2 {
        plan.alarms.push((on, Alarm::ClientAgeing));
    }
    if client.latest > there.proof_height {
        return plan.alarms.push((on, Alarm::EndpointBehind));
    }
    let start = plan.actions.len();
    if here.ordering == Ordering::Ordered || there.ordering == Ordering::Ordered {
        plan.alarms.push((on, Alarm::Ordered));
    } else if here.connection_open {
        plan_packets(on, here, there, now_here, plan);
    }
    let needed = plan.actions.len() > start || age > client.trusting_ns / REFRESH_AT;
    if needed && client.latest < there.proof_height {
        plan.actions.insert(start, Action::UpdateClient { on, to: there.proof_height });
    }
}

fn plan_packets(on: Side, here: &EndState, there: &EndState, now_here: u64, plan: &mut Plan) {
    if here.channel == Phase::Open {
        let next = IbcHeight { height: here.proof_height.height.saturating_add(1), ..here.proof_height };
        for (sequence, packet) in &there.sent {
            if !here.received.contains(sequence) && !packet.elapsed(next, now_here) {
                plan.actions.push(Action::Receive { on, packet: packet.clone() });
            }
        }
    }
    for (sequence, packet) in &here.sent {
        if there.received.contains(sequence) {
            let Some(acknowledgement) = there.acknowledgements.get(sequence) else { continue };
            if here.channel == Phase::Open {
                let (packet, acknowledgement) = (packet.clone(), acknowledgement.clone());
                plan.actions.push(Action::Acknowledge { on, packet, acknowledgement });
            }
        } else if packet.elapsed(there.proof_height, there.proof_time_ns) {
            plan.actions.push(Action::Timeout { on, packet: packet.clone() });
        } else if there.channel == Phase::Closed {
            plan.actions.push(Action::TimeoutOnClose { on, packet: packet.clone() });
        }
    }
}
