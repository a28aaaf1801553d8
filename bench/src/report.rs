//! What every measurement answers with.

use serde::Serialize;

use crate::host::Host;

/// The answer of one bench.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Name of the bench.
    pub name: String,
    /// The machine.
    pub host: Host,
    /// Runs of each measurement.
    pub runs: u64,
    /// The figures.
    pub metrics: Vec<Metric>,
}

/// One figure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Metric {
    /// Name.
    pub metric: String,
    /// Ours: the median of the runs.
    pub ours: f64,
    /// The peer's.
    pub peer: Option<f64>,
    /// Who the peer is.
    pub peer_name: Option<String>,
    /// How many times better ours is.
    pub ratio: Option<f64>,
    /// Unit of both.
    pub unit: &'static str,
    /// Least and most of our runs.
    pub spread: [f64; 2],
}

impl Metric {
    /// A figure out of several runs. Panics without any.
    pub fn of(metric: &str, unit: &'static str, mut runs: Vec<f64>) -> Self {
        runs.sort_by(f64::total_cmp);
        let (least, most) = (runs[0], runs[runs.len() - 1]);
        Metric {
            metric: metric.into(),
            ours: runs[runs.len() / 2],
            peer: None,
            peer_name: None,
            ratio: None,
            unit,
            spread: [least, most],
        }
    }

    /// With a peer, where more is better.
    pub fn beside(mut self, peer_name: &str, peer: f64) -> Self {
        self.ratio = (peer > 0.0).then(|| self.ours / peer);
        self.peer = Some(peer);
        self.peer_name = Some(peer_name.into());
        self
    }

    /// With a peer, of whose figure less is better as well.
    pub fn against(mut self, peer_name: &str, peer: f64) -> Self {
        self.ratio = (self.ours > 0.0).then(|| peer / self.ours);
        self.peer = Some(peer);
        self.peer_name = Some(peer_name.into());
        self
    }
}

impl Report {
    /// The figure of this name.
    pub fn figure(&self, metric: &str) -> Option<&Metric> {
        self.metrics.iter().find(|found| found.metric == metric)
    }

    /// A table for people.
    pub fn table(&self) -> String {
        let mut text = format!(
            "{} on {} cores of {}; load {} before, {} after; {} run(s)\n\n",
            self.name, self.host.cores, self.host.cpu, self.host.load_before, self.host.load_after, self.runs
        );
        for m in &self.metrics {
            let spread = format!("{} to {}", number(m.spread[0]), number(m.spread[1]));
            let peer = match (&m.peer_name, m.peer, m.ratio) {
                (Some(name), Some(peer), Some(ratio)) => {
                    format!("{} ({name}): {} times", number(peer), number(ratio))
                }
                _ => String::new(),
            };
            let line = format!("{:<28}{:>12} {:<5} {:<24}{peer}", m.metric, number(m.ours), m.unit, spread);
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// A number with thousands set apart, and a digit after the point where it is small.
pub fn number(value: f64) -> String {
    if value < 100.0 && value.fract() != 0.0 {
        return format!("{value:.2}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 && digit.is_ascii_digit() {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_the_median_and_keeps_its_spread() {
        let metric = Metric::of("settle_session", "gas", vec![3.0, 1.0, 2.0]);
        assert_eq!((metric.ours, metric.spread), (2.0, [1.0, 3.0]));
        assert_eq!(metric.against("naive", 1_600.0).ratio, Some(800.0));
    }

    #[test]
    fn numbers_are_written_for_people() {
        for (value, text) in [(1.906, "1.91"), (7.0, "7"), (999.0, "999"), (1_234_567.2, "1,234,567")] {
            assert_eq!(number(value), text);
        }
    }
}
