//! Attribution against ground truth: provenance of planted facts, the span trace against brute force, and
//! influence against retraining. Never mix the two questions: provenance asks who wrote it (rank), influence
//! what would change without it (LDS).

mod attackers;
mod attacks;
mod averaged;
mod ceiling;
mod contributors;
mod corpus;
mod exchange;
mod ground;
mod infinigram;
mod influence;
mod methods;
mod planted;
mod plots;
#[path = "../../../packages/attribution/examples/prose/mod.rs"]
mod prose;
mod questions;
mod rivals;
mod serving_mix;
mod spans;
mod stats;
mod tail_patch;

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::report::Metric;

/// A part of the measurements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// The span trace against brute force and infini-gram, and what it costs.
    Spans,
    /// Provenance of planted facts.
    Planted,
    /// Influence against training again.
    Influence,
    /// Influence against the mean of trainings from several seeds.
    Averaged,
    /// What attacks gain.
    Attacks,
}

/// How much is measured.
#[derive(Clone, Debug)]
pub struct Settings {
    /// One part alone.
    pub part: Option<Part>,
    /// Small sizes, for a first look.
    pub quick: bool,
    /// A file of plays, the second corpus of influence.
    pub plays: Option<PathBuf>,
    /// Of influence one corpus alone.
    pub corpus: Option<String>,
    /// Folder in which finished trainings are kept, each under its recipe's hash.
    pub cache: PathBuf,
    /// Folder for what peers read; their scores are read from it as well.
    pub exchange: PathBuf,
    /// Folder for the figures of influence as SVG.
    pub plots: Option<PathBuf>,
}

/// All figures that this program makes itself, and those of peers whose scores lie in the exchange folder.
///
/// # Errors
/// When a training fails or the disk is full.
pub fn measure(settings: &Settings) -> Result<Vec<Metric>> {
    std::fs::create_dir_all(&settings.cache)?;
    std::fs::create_dir_all(&settings.exchange)?;
    let mut metrics = Vec::new();
    type Measure = fn(&Settings) -> Result<Vec<Metric>>;
    let parts: [(Part, Measure); 5] = [
        (Part::Spans, spans::measure),
        (Part::Planted, planted::measure),
        (Part::Influence, influence::measure),
        (Part::Averaged, averaged::measure),
        (Part::Attacks, attacks::measure),
    ];
    for (part, measure) in parts {
        if settings.part.is_none_or(|only| only == part) {
            metrics.extend(measure(settings)?);
        }
    }
    if let Some(folder) = &settings.plots {
        plots::write(folder, &metrics)?;
    }
    Ok(metrics)
}

/// Scores that a peer wrote: one row a query, one column a document.
fn peer_scores(exchange: &Path, name: &str) -> Option<Vec<Vec<f64>>> {
    let text = std::fs::read_to_string(exchange.join(format!("{name}.json"))).ok()?;
    serde_json::from_str(&text).ok()
}
