//! Counters for Prometheus, in its text format.

use std::fmt::Write;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::Arc;
use std::time::Duration;

use openledger_numerics::Path;

use crate::engine::{AdapterCounters, Counters, GAP_BOUNDS};

/// Upper bounds of the time to the first token, in milliseconds.
const BOUNDS: [u64; 9] = [10, 25, 50, 100, 250, 500, 1_000, 5_000, 30_000];

/// Everything that is counted since the start.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Requests to the endpoints of answers.
    pub requests: AtomicU64,
    /// Of these, refused for any reason.
    pub refused: AtomicU64,
    /// Of these, for want of payment.
    pub unpaid: AtomicU64,
    /// Vouchers written to the journal.
    pub vouchers: AtomicU64,
    /// Receipts signed.
    pub receipts: AtomicU64,
    /// Answers that ended because the client left.
    pub cancelled: AtomicU64,
    /// Tokens read.
    pub tokens_in: AtomicU64,
    /// Tokens written.
    pub tokens_out: AtomicU64,
    /// Fees of the receipts, in base units, up to 64 bits.
    pub fees: AtomicU64,
    /// Answers that failed in the engine or the journal.
    pub failures: AtomicU64,
    /// Epochs posted.
    pub epochs_posted: AtomicU64,
    /// Epochs made final.
    pub epochs_final: AtomicU64,
    /// Settlements and finalizations that failed.
    pub settle_failures: AtomicU64,
    /// Calls to the chain that failed in the loops.
    pub chain_failures: AtomicU64,
    /// Roots of other nodes attested.
    pub audit_attestations: AtomicU64,
    /// Answers of other nodes computed again.
    pub audit_replays: AtomicU64,
    /// Roots of other nodes found wrong.
    pub audit_findings: AtomicU64,
    /// Cases opened about answers of other nodes.
    pub audit_cases: AtomicU64,
    /// Of these, decided against the accused.
    pub audit_convictions: AtomicU64,
    /// Requests that wait or are answered now.
    pub queue: AtomicI64,
    /// Newest height seen.
    pub height: AtomicU64,
    /// Models that are ready.
    pub models: AtomicU64,
    /// What the exact class's engine counts, over all models.
    pub engine: Arc<Counters>,
    /// What the cache of adapters counts.
    pub adapters: Arc<AdapterCounters>,
    first_token: [AtomicU64; BOUNDS.len() + 1],
    first_token_ms: AtomicU64,
}

impl Metrics {
    /// Counts a time to the first token.
    pub fn first_token(&self, time: Duration) {
        let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let slot = BOUNDS.partition_point(|bound| *bound < ms);
        if let Some(counter) = self.first_token.get(slot) {
            counter.fetch_add(1, Relaxed);
        }
        self.first_token_ms.fetch_add(ms, Relaxed);
    }

    /// The text that Prometheus reads.
    pub fn render(&self) -> String {
        let mut out = String::with_capacity(4096);
        let counters = [
            ("requests_total", "Requests to the endpoints of answers.", &self.requests),
            ("requests_refused_total", "Requests refused for any reason.", &self.refused),
            ("requests_unpaid_total", "Requests refused for want of payment.", &self.unpaid),
            ("vouchers_total", "Vouchers written to the journal.", &self.vouchers),
            ("receipts_total", "Receipts signed.", &self.receipts),
            ("cancelled_total", "Answers that ended because the client left.", &self.cancelled),
            ("tokens_in_total", "Tokens of prompts.", &self.tokens_in),
            ("tokens_out_total", "Tokens of answers.", &self.tokens_out),
            ("fees_total", "Fees of the receipts, in base units.", &self.fees),
            ("failures_total", "Answers that failed in the engine or the journal.", &self.failures),
            ("epochs_posted_total", "Epochs posted.", &self.epochs_posted),
            ("epochs_final_total", "Epochs made final.", &self.epochs_final),
            ("settle_failures_total", "Settlements and finalizations that failed.", &self.settle_failures),
            ("audit_attestations_total", "Roots of other nodes attested.", &self.audit_attestations),
            ("audit_replays_total", "Answers of other nodes computed again.", &self.audit_replays),
            ("audit_findings_total", "Roots of other nodes found wrong.", &self.audit_findings),
            ("audit_cases_total", "Cases opened about answers of other nodes.", &self.audit_cases),
            ("audit_convictions_total", "Of these, decided against the accused.", &self.audit_convictions),
            ("chain_failures_total", "Calls to the chain that failed in the loops.", &self.chain_failures),
        ];
        for (name, help, value) in counters {
            line(&mut out, name, help, "counter", &value.load(Relaxed).to_string());
        }
        line(
            &mut out,
            "queue",
            "Requests that wait or are answered now.",
            "gauge",
            &self.queue.load(Relaxed).to_string(),
        );
        line(&mut out, "height", "Newest height seen.", "gauge", &self.height.load(Relaxed).to_string());
        line(&mut out, "models", "Models that are ready.", "gauge", &self.models.load(Relaxed).to_string());
        self.render_engine(&mut out);
        histogram(
            &mut out,
            ("first_token_seconds", "Time from a paid request to its first token."),
            (&BOUNDS, &self.first_token, &self.first_token_ms),
            1e3,
        );
        let engine = &self.engine;
        histogram(
            &mut out,
            ("token_gap_seconds", "Time between two tokens of an answer of the exact class."),
            (&GAP_BOUNDS, &engine.gaps, &engine.gap_us),
            1e6,
        );
        out
    }

    fn render_engine(&self, out: &mut String) {
        let e = &self.engine;
        let counters = [
            ("engine_steps_total", "Steps of the exact class's engine.", &e.steps),
            ("engine_sequences_total", "Sequences in these steps: by steps, the mean batch.", &e.sequences),
            ("engine_prompt_tokens_total", "Tokens of prompts computed.", &e.prompt_tokens),
            ("engine_cached_tokens_total", "Tokens of prompts found in the cache.", &e.cached_tokens),
            ("adapter_hits_total", "Requests whose adapter was in memory.", &self.adapters.hits),
            ("adapter_loads_total", "Adapters read from the disk.", &self.adapters.loads),
            ("engine_written_tokens_total", "Tokens written.", &e.written_tokens),
            ("engine_late_masks_total", "Tokens that waited for the mask of their schema.", &e.late_masks),
            ("engine_refused_total", "Requests that the engine's queue had no room for.", &e.refused),
        ];
        for (name, help, value) in counters {
            line(out, name, help, "counter", &value.load(Relaxed).to_string());
        }
        let gauges = [
            ("engine_waiting", "Requests in the engine's queue.", &e.waiting),
            ("engine_batch", "Sequences computed together now.", &e.live),
            ("engine_cache_pages", "Pages of keys and values in the cache.", &e.pages),
        ];
        for (name, help, value) in gauges {
            line(out, name, help, "gauge", &value.load(Relaxed).to_string());
        }
        let name = "openledger_node_cpu_path_info";
        let _ = writeln!(out, "# HELP {name} The processor's path that the exact class is computed on.");
        let _ = writeln!(out, "# TYPE {name} gauge");
        let _ = writeln!(out, "{name}{{path=\"{}\"}} 1", Path::best().name());
    }
}

/// A histogram: bounds, counters (one more than bounds) and the sum of the values, in units of which
/// `second` are a second.
fn histogram(
    out: &mut String,
    (name, help): (&str, &str),
    (bounds, counters, sum): (&[u64], &[AtomicU64], &AtomicU64),
    second: f64,
) {
    let name = format!("openledger_node_{name}");
    // Writing to a String cannot fail.
    let _ = writeln!(out, "# HELP {name} {help}");
    let _ = writeln!(out, "# TYPE {name} histogram");
    let mut total = 0;
    for (bound, counter) in bounds.iter().zip(counters) {
        total += counter.load(Relaxed);
        let _ = writeln!(out, "{name}_bucket{{le=\"{}\"}} {total}", *bound as f64 / second);
    }
    total += counters.last().map_or(0, |c| c.load(Relaxed));
    let _ = writeln!(out, "{name}_bucket{{le=\"+Inf\"}} {total}");
    let _ = writeln!(out, "{name}_sum {}", sum.load(Relaxed) as f64 / second);
    let _ = writeln!(out, "{name}_count {total}");
}

fn line(out: &mut String, name: &str, help: &str, kind: &str, value: &str) {
    let _ = writeln!(out, "# HELP openledger_node_{name} {help}");
    let _ = writeln!(out, "# TYPE openledger_node_{name} {kind}");
    let _ = writeln!(out, "openledger_node_{name} {value}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_histogram_is_cumulative() {
        let metrics = Metrics::default();
        for ms in [1, 10, 11, 900, 100_000] {
            metrics.first_token(Duration::from_millis(ms));
        }
        let text = metrics.render();
        assert!(text.contains("first_token_seconds_bucket{le=\"0.01\"} 2\n"), "{text}");
        assert!(text.contains("first_token_seconds_bucket{le=\"1\"} 4\n"));
        assert!(text.contains("first_token_seconds_bucket{le=\"+Inf\"} 5\n"));
        assert!(text.contains("first_token_seconds_count 5\n"));
        assert!(text.contains("openledger_node_requests_total 0\n"));
    }
}
