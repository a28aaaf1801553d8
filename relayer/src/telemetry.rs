//! Numbers for Prometheus, in its text format (version 0.0.4). Names follow Hermes where it has them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};

/// How a number moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
}

/// Every metric: name, kind, help.
const METRICS: [(&str, Kind, &str); 22] = [
    ("blocks_read_total", Kind::Counter, "Blocks read"),
    ("packets_sent_seen_total", Kind::Counter, "Packets seen leaving a chain"),
    ("messages_confirmed_total", Kind::Counter, "Packet messages that stand in a block, by kind"),
    ("messages_redundant_total", Kind::Counter, "Packet messages with which another relayer was faster"),
    ("messages_refused_total", Kind::Counter, "Packet messages that a chain refuses by themselves"),
    ("client_updates_submitted_total", Kind::Counter, "Headers given to clients"),
    ("transactions_confirmed_total", Kind::Counter, "Transactions that stand in a block"),
    ("gas_used_total", Kind::Counter, "Gas used by them"),
    ("broadcast_errors_total", Kind::Counter, "Transactions that failed, by code"),
    ("callback_failures_total", Kind::Counter, "Source callbacks that failed: such a payout needs a hand"),
    ("misbehaviour_total", Kind::Counter, "Headers on a client that differ from the chain's"),
    ("payouts_flushed_total", Kind::Counter, "Payouts of the gateway that this relayer has sent"),
    ("bounty_claims_total", Kind::Counter, "Claims of bounties"),
    ("payouts_in_flight", Kind::Gauge, "Payouts of the gateway on their way"),
    ("payouts_unresolved", Kind::Gauge, "Payouts whose end the gateway was not told"),
    ("backlog_size", Kind::Gauge, "Packets sent from a chain that are not done with"),
    ("backlog_oldest_sequence", Kind::Gauge, "Sequence of the oldest of them; 0 for none"),
    ("backlog_unknown", Kind::Gauge, "Of them: packets whose content was not found"),
    ("backlog_left_out", Kind::Gauge, "Of them: packets that the filter leaves out"),
    ("client_expiration_seconds", Kind::Gauge, "Time until the client on a chain expires"),
    ("wallet_balance", Kind::Gauge, "Coins of the key that pays, in base units"),
    ("alarms", Kind::Gauge, "1 while something hinders a chain, by code"),
];

type Series = BTreeMap<(&'static str, String), f64>;

/// The numbers, shared by clones.
#[derive(Clone, Debug, Default)]
pub struct Metrics(Arc<Mutex<Series>>);

impl Metrics {
    /// Adds to a counter; `labels` are written as Prometheus does, for example `chain="a-1"`.
    pub fn add(&self, name: &'static str, labels: impl Into<String>, more: u64) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *all.entry((name, labels.into())).or_default() += more as f64;
    }

    /// Sets a gauge.
    pub fn set(&self, name: &'static str, labels: impl Into<String>, value: f64) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert((name, labels.into()), value);
    }

    /// Removes all series of a gauge whose labels begin so.
    pub fn clear(&self, name: &'static str, labels: &str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|(n, l), _| *n != name || !l.starts_with(labels));
    }

    /// The sum of a metric's series whose labels contain a text.
    pub fn sum(&self, name: &str, label: &str) -> f64 {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().filter(|((n, l), _)| *n == name && l.contains(label)).map(|(_, v)| v).sum()
    }

    /// The text that Prometheus fetches.
    pub fn render(&self) -> String {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        for (name, kind, help) in METRICS {
            let kind = match kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
            };
            // Writing to a string cannot fail.
            let _ = writeln!(text, "# HELP openledger_relayer_{name} {help}.");
            let _ = writeln!(text, "# TYPE openledger_relayer_{name} {kind}");
            for ((n, labels), value) in all.iter().filter(|((n, _), _)| *n == name) {
                let _ = writeln!(text, "openledger_relayer_{n}{{{labels}}} {value}");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_written_under_their_help() {
        let metrics = Metrics::default();
        metrics.add("blocks_read_total", "chain=\"a-1\"", 2);
        metrics.add("blocks_read_total", "chain=\"a-1\"", 3);
        metrics.set("backlog_size", "chain=\"b-1\"", 7.0);
        let text = metrics.render();
        assert!(text.contains("# TYPE openledger_relayer_blocks_read_total counter\n"));
        assert!(text.contains("\nopenledger_relayer_blocks_read_total{chain=\"a-1\"} 5\n"));
        assert!(text.contains("\nopenledger_relayer_backlog_size{chain=\"b-1\"} 7\n"));
        metrics.clear("backlog_size", "chain=\"b-1\"");
        assert!(!metrics.render().contains("backlog_size{"));
    }
}
