//! What people and monitors see of a path.

use serde::Serialize;

use super::snapshot::Snapshot;
use super::{label, Relay};
use crate::core::filter::Transfer;
use crate::core::plan::{Alarm, Plan};
use crate::core::state::Side;
use crate::link::{now_ns, Linked};

/// What the relayer knows of a path, for people and monitors.
#[derive(Clone, Debug, Default, Serialize)]
pub struct View {
    /// The path's ends.
    pub path: Option<Linked>,
    /// Seconds since 1970 of the last round that read both chains.
    pub read_at: u64,
    /// The error of the last round; empty when it went well.
    pub error: String,
    /// Packets on their way from the first chain and from the second.
    pub backlog: [usize; 2],
    /// Seconds until the client on each chain expires.
    pub client_seconds: [u64; 2],
    /// Codes of what hinders.
    pub alarms: Vec<(Side, &'static str)>,
    /// Payouts of the gateway that are on their way.
    pub payouts: Vec<PayoutView>,
}

/// A payout that is on its way.
#[derive(Clone, Debug, Serialize)]
pub struct PayoutView {
    /// Sequence on the channel.
    pub sequence: u64,
    /// Account on the other chain.
    pub receiver: String,
    /// Whole number of base units.
    pub amount: String,
    /// Denom as the packet carries it.
    pub denom: String,
    /// `sent`, `received` or `acknowledged`, as the other chain says.
    pub state: &'static str,
    /// Time of refusal in nanoseconds since 1970.
    pub timeout_timestamp: u64,
}

impl Relay {
    /// Publishes what was read and planned.
    pub(super) fn show(&self, a: &Snapshot, b: &Snapshot, plan: &Plan) {
        let now = now_ns();
        for (side, snapshot) in [(Side::A, a), (Side::B, b)] {
            let id = self.chain(side).id();
            let waiting = snapshot.state.sent.len() + snapshot.unknown.len();
            let oldest = snapshot.state.sent.keys().next().copied().unwrap_or(0);
            self.metrics.set("backlog_size", label(id), waiting as f64);
            self.metrics.set("backlog_oldest_sequence", label(id), oldest as f64);
            self.metrics.set("backlog_unknown", label(id), snapshot.unknown.len() as f64);
            self.metrics.set("backlog_left_out", label(id), snapshot.left_out as f64);
            let left = snapshot.state.client.left_ns(now) / 1_000_000_000;
            self.metrics.set("client_expiration_seconds", label(id), left as f64);
            self.metrics.clear("alarms", &label(id));
        }
        for (side, alarm) in &plan.alarms {
            let id = self.chain(*side).id();
            self.metrics.set("alarms", format!("{},code=\"{}\"", label(id), alarm.code()), 1.0);
            if *alarm != Alarm::EndpointBehind {
                tracing::error!(chain = id, code = alarm.code(), ?alarm, advice = alarm.advice(), "alarm");
            }
        }
        self.view.send_modify(|view| {
            view.read_at = now / 1_000_000_000;
            view.error.clear();
            view.backlog = [a.state.sent.len(), b.state.sent.len()];
            view.client_seconds = [a, b].map(|s| s.state.client.left_ns(now) / 1_000_000_000);
            view.alarms = plan.alarms.iter().map(|(side, alarm)| (*side, alarm.code())).collect();
            view.payouts = self.payouts(a, b);
        });
    }

    fn payouts(&self, a: &Snapshot, b: &Snapshot) -> Vec<PayoutView> {
        let Some(gateway) = &self.gateway else { return Vec::new() };
        let packets = a.state.sent.values().filter_map(|p| Some((p, Transfer::of(p)?)));
        packets
            .filter(|(_, transfer)| transfer.sender == *gateway)
            .map(|(packet, transfer)| PayoutView {
                sequence: packet.sequence,
                receiver: transfer.receiver,
                amount: transfer.amount,
                denom: transfer.denom,
                state: if b.state.acknowledgements.contains_key(&packet.sequence) {
                    "acknowledged"
                } else if b.state.received.contains(&packet.sequence) {
                    "received"
                } else {
                    "sent"
                },
                timeout_timestamp: packet.timeout_timestamp,
            })
            .collect()
    }
}
