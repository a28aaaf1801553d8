//! How well a model that is trained here predicts text that it has not seen, beside byte models and `xz -9` of the
//! same text.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::{ensure, Context, Result};
use openledger::demo::corpus::{folder, DataOptions, SourceDoc};
use openledger_node::engine::Model;
use openledger_node::train::{evaluate, train, Document, Recipe};
use sha2::{Digest, Sha256};

use crate::report::Metric;

/// Bytes of held-out text that are measured.
const MEASURED: usize = 400_000;
/// One page in so many is held out.
const HELD_OUT: u8 = 20;

/// What to train on, and how long.
pub struct Setting {
    /// Data, as `scripts/demo --data` takes it.
    pub data: DataOptions,
    /// Seconds of training, on all cores.
    pub seconds: u64,
    /// Steps in place of seconds, where other work shares the machine.
    pub steps: Option<u64>,
    /// Folder of the model; a run that was stopped goes on in it.
    pub out: std::path::PathBuf,
}

/// The recipe: 3 million parameters.
fn recipe(setting: &Setting) -> Recipe {
    Recipe {
        name: "openledger-quality".into(),
        dim: 192,
        layers: 6,
        heads: 6,
        ffn: 512,
        batch: 8,
        learning_rate: 3e-3,
        seconds: setting.steps.is_none().then_some(setting.seconds),
        steps: setting.steps,
        ..Recipe::default()
    }
}

/// Whether a document is held out: all documents of a contributor are, or none, so that no part of a page that is
/// measured was seen.
fn held_out(document: &SourceDoc) -> bool {
    Sha256::digest(document.contributor.as_bytes())[0] % HELD_OUT == 0
}

/// Trains, then measures.
///
/// # Errors
/// Of the data, the trainer and the disk.
pub fn measure(setting: &Setting) -> Result<Vec<Metric>> {
    let corpus = folder(&setting.data)?;
    let text = |d: &SourceDoc| String::from_utf8(d.bytes.clone()).context("a document is not UTF-8");
    let (held, kept): (Vec<_>, Vec<_>) = corpus.docs.iter().partition(|d| held_out(d));
    let held: Vec<String> = held.into_iter().map(text).collect::<Result<_>>()?;
    let kept: Vec<String> = kept.into_iter().map(text).collect::<Result<_>>()?;
    ensure!(!held.is_empty() && !kept.is_empty(), "too few contributors to hold some of them out");
    let documents: Vec<Document> = (1..)
        .zip(&kept)
        .map(|(contribution_id, text)| Document { contribution_id, datanet_id: 1, text })
        .collect();

    let mut said = Instant::now();
    let report = train(
        &recipe(setting),
        &documents,
        &[],
        &setting.out,
        &mut |progress| {
            if said.elapsed() >= Duration::from_secs(30) {
                said = Instant::now();
                let (step, all, loss, speed) =
                    (progress.step, progress.total, progress.loss, progress.tokens_per_second);
                let left = progress.left.as_secs();
                eprintln!("step {step} of {all}, loss {loss:.3}, {speed:.0} tok/s, {left} s left");
            }
        },
        &AtomicBool::new(false),
    )?;
    let model = Model::load(Path::new(&setting.out))?;
    let (training, texts): (Vec<&str>, Vec<&str>) =
        (kept.iter().map(String::as_str).collect(), held.iter().map(String::as_str).collect());
    let found = evaluate(&model, &training, &texts, MEASURED)?;
    let ours = |name: &str| Metric::of(name, "bits", vec![found.bits_per_byte]);
    let mut metrics = vec![
        ours("bits_per_byte").against("interpolated byte 5-gram", found.five_gram),
        ours("bits_per_byte").against("interpolated byte trigram", found.trigram),
    ];
    if let Some(xz) = found.xz {
        metrics.push(ours("bits_per_byte").against("xz -9 of the held-out text", xz));
    }
    metrics.push(Metric::of("heldout_bytes", "", vec![found.bytes as f64]));
    metrics.push(Metric::of("heldout_documents", "", vec![found.documents as f64]));
    metrics.push(Metric::of("training_bytes", "", vec![kept.iter().map(String::len).sum::<usize>() as f64]));
    metrics.push(Metric::of("parameters", "", vec![report.parameters as f64]));
    metrics.push(Metric::of("training", "tok/s", vec![report.tokens_per_second]));
    Ok(metrics)
}
