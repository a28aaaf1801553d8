//! Attribution against ground truth: provenance of planted facts, the span trace against brute force, and
//! influence against retraining. Never mix the two questions: provenance asks who wrote it (rank), influence
//! what would change without it (LDS).

mod attacks;
mod corpus;
mod ground;
mod infinigram;
mod influence;
mod planted;
mod rivals;
mod spans;
mod stats;

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::report::Metric;

/// How much is measured.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Small sizes, for a first look.
    pub quick: bool,
    /// A file of plays, the second corpus of influence.
    pub plays: Option<PathBuf>,
    /// Folder in which finished trainings are kept, each under its recipe's hash.
    pub cache: PathBuf,
    /// Folder for what peers read; their scores are read from it as well.
    pub exchange: PathBuf,
}

/// All figures that this program makes itself, and those of peers whose scores lie in the exchange folder.
///
/// # Errors
/// When a training fails or the disk is full.
pub fn measure(settings: &Settings) -> Result<Vec<Metric>> {
    std::fs::create_dir_all(&settings.cache)?;
    std::fs::create_dir_all(&settings.exchange)?;
    let mut metrics = spans::measure(settings)?;
    metrics.extend(planted::measure(settings)?);
    metrics.extend(influence::measure(settings)?);
    metrics.extend(attacks::measure(settings)?);
    Ok(metrics)
}

/// Scores that a peer wrote: one row a query, one column a document.
fn peer_scores(exchange: &Path, name: &str) -> Option<Vec<Vec<f64>>> {
    let text = std::fs::read_to_string(exchange.join(format!("{name}.json"))).ok()?;
    serde_json::from_str(&text).ok()
}
