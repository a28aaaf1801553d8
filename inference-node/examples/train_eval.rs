//! Trains on the text files of a folder and prints how well the model predicts held-out ones.
//!
//! `cargo run -p openledger-node --example train_eval -- DIR [--seconds N | --steps N] [key=value …]`
//! takes every twentieth file out. Keys: `lr`, `batch`, `shards`, `beta2`, `dim`, `layers`, `ffn`, `vocab`, `out`.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use openledger_node::engine::Model;
use openledger_node::train::{evaluate, train, Document, Phase, Recipe};

fn files(dir: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            files(&path, found)?;
        } else if path.extension().is_some_and(|e| e == "txt" || e == "rs" || e == "md") {
            found.push(path);
        }
    }
    Ok(())
}

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let dir =
        arguments.next().ok_or_else(|| anyhow::anyhow!("usage: train_eval DIR [--seconds N] [key=value]"))?;
    let mut recipe = Recipe::default();
    let mut out = std::env::temp_dir().join("openledger-train-eval");
    while let Some(argument) = arguments.next() {
        let (key, value) = match argument.split_once('=') {
            Some((key, value)) => (key.to_string(), value.to_string()),
            None => (argument, arguments.next().unwrap_or_default()),
        };
        match key.trim_start_matches("--") {
            "seconds" => recipe.seconds = Some(value.parse()?),
            "steps" => recipe.steps = Some(value.parse()?),
            "lr" => recipe.learning_rate = value.parse()?,
            "batch" => recipe.batch = value.parse()?,
            "shards" => recipe.shards = value.parse()?,
            "beta2" => recipe.beta2 = value.parse()?,
            "dim" => recipe.dim = value.parse()?,
            "layers" => recipe.layers = value.parse()?,
            "ffn" => recipe.ffn = value.parse()?,
            "vocab" => recipe.vocab = value.parse()?,
            "context" => recipe.context = value.parse()?,
            "warmup" => recipe.warmup = value.parse()?,
            "out" => out = value.into(),
            other => anyhow::bail!("unknown key {other}"),
        }
    }
    let mut paths = Vec::new();
    files(Path::new(&dir), &mut paths)?;
    paths.sort();
    let texts: Vec<String> = paths.iter().filter_map(|p| std::fs::read_to_string(p).ok()).collect();
    let (mut training, mut heldout) = (Vec::new(), Vec::new());
    for (i, text) in texts.iter().enumerate() {
        if i % 20 == 7 {
            heldout.push(text.as_str());
        } else {
            training.push(text.as_str());
        }
    }
    let documents: Vec<Document> = training
        .iter()
        .enumerate()
        .map(|(i, text)| Document { contribution_id: i as u64 + 1, datanet_id: 1, text })
        .collect();
    let started = Instant::now();
    let mut shown = Instant::now();
    let mut progress = |p: &openledger_node::train::Progress| {
        if p.phase != Phase::Training {
            println!("{:>6.1} s  {:?}", started.elapsed().as_secs_f64(), p.phase);
        } else if shown.elapsed().as_secs() >= 5 {
            shown = Instant::now();
            println!(
                "{:>6.1} s  step {}/{}  loss {:.3}  {:.0} tok/s  {} s left",
                started.elapsed().as_secs_f64(),
                p.step,
                p.total,
                p.loss,
                p.tokens_per_second,
                p.left.as_secs()
            );
        }
    };
    let report = train(&recipe, &documents, &[], &out, &mut progress, &AtomicBool::new(false))?;
    println!(
        "{} parameters, {} steps, {} tokens of {} ({} bytes), {:.1} s, {:.0} tok/s, loss {:.3} to {:.3}",
        report.parameters,
        report.receipt.steps,
        report.receipt.tokens_seen,
        report.receipt.tokens,
        report.receipt.bytes,
        report.receipt.seconds,
        report.tokens_per_second,
        report.receipt.loss_first,
        report.receipt.loss_last
    );
    let model = Model::load(&out)?;
    println!("{:>6.1} s  loaded", started.elapsed().as_secs_f64());
    println!("{:#?}", evaluate(&model, &training, &heldout, 300_000)?);
    println!("{:>6.1} s  evaluated", started.elapsed().as_secs_f64());
    Ok(())
}
