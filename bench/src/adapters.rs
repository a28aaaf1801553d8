//! What many adapters on one base cost: steps of eight sequences that each have another adapter beside steps in which
//! all have the same one, and adapters that are read from the disk.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use openledger_exact::adapter::{tensor_names, write, Adapter, Target, ADAPTER_FILE};
use openledger_exact::cache::Cache;
use openledger_exact::config::ModelConfig;
use openledger_exact::file::{Tensor, Weights};
use openledger_exact::net::{ExactNet, Piece, Read, Workspace};
use openledger_exact::weights::ExactWeights;
use openledger_numerics::Path as CpuPath;
use serde_json::json;

use crate::engine::timed;
use crate::report::Metric;

/// Sequences of a step.
const BATCH: usize = 8;
/// Adapters in memory.
const ADAPTERS: usize = 64;
/// Adapters on the disk.
const ON_DISK: usize = 1_000;
/// Rank, and the products that are adapted: PEFT's usual ones for this shape.
const RANK: usize = 8;
const TARGETS: [Target; 2] = [Target::Query, Target::Value];
/// Steps of a measurement.
const STEPS: usize = 48;

/// The shape that `scripts/bench engine` measures: 125M parameters.
fn shape() -> Result<ModelConfig> {
    let config = json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 768,
        "intermediate_size": 2048, "vocab_size": 32_000, "num_hidden_layers": 12, "num_attention_heads": 12,
        "rms_norm_eps": 1e-5, "max_position_embeddings": 2048, "eos_token_id": 2, "tie_word_embeddings": true,
    });
    Ok(ModelConfig::parse(config.to_string().as_bytes())?)
}

/// Values that follow from a seed; speed does not depend on them.
fn values(count: usize, seed: usize) -> Vec<f32> {
    (0..count).map(|i| (((i * 7_919 + seed * 104_729) % 1_009) as f32 - 504.0) / 20_000.0).collect()
}

fn file_of(config: &ModelConfig, seed: usize) -> Result<Vec<u8>> {
    let mut tensors = BTreeMap::new();
    for layer in 0..config.num_hidden_layers {
        for target in TARGETS {
            let [outputs, inputs] = target.shape(config);
            let [a, b] = tensor_names(layer, target);
            for (name, shape) in [(a, vec![RANK, inputs]), (b, vec![outputs, RANK])] {
                let values = values(shape.iter().product(), seed + layer);
                tensors.insert(name, Tensor { shape, values });
            }
        }
    }
    Ok(write(&tensors, &[0; 32], RANK, 16.0)?)
}

/// CPU time a token of steps in which sequence i has the adapter `of(step, i)`.
fn per_token<'a>(net: &ExactNet, of: &dyn Fn(usize, usize) -> Option<&'a Adapter>) -> Result<f64> {
    let mut caches: Vec<Cache> = (0..BATCH).map(|_| Cache::new(net.shape())).collect();
    let mut room = Workspace::default();
    let (seconds, ()) = timed(|| {
        for step in 0..STEPS {
            let tokens = [step as u32 + 300];
            let mut pieces: Vec<Piece> = caches
                .iter_mut()
                .enumerate()
                .map(|(i, cache)| Piece { cache, tokens: &tokens, read: Read::Last, adapter: of(step, i) })
                .collect();
            net.step(&mut pieces, &mut room);
        }
        Ok(())
    })?;
    Ok(seconds / (STEPS * BATCH) as f64)
}

/// Measures in `scratch`, printing nothing.
///
/// # Errors
/// Those of the disk and of the engine.
pub fn measure(runs: usize, scratch: &Path) -> Result<Vec<Metric>> {
    let config = shape()?;
    let weights: Weights = config
        .tensors()
        .into_iter()
        .enumerate()
        .map(|(seed, (name, shape))| {
            let values = values(shape.iter().product(), seed);
            (name, Tensor { shape, values })
        })
        .collect();
    let net = ExactNet::new(&config, ExactWeights::new(&config, &weights)?, CpuPath::best());
    drop(weights);
    let adapters: Vec<Adapter> = (0..ADAPTERS)
        .map(|seed| Ok(Adapter::parse(&file_of(&config, seed)?, &config)?))
        .collect::<Result<_>>()?;
    let (mut none, mut one, mut share) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..runs {
        let plain = per_token(&net, &|_, _| None)?;
        let same = per_token(&net, &|_, _| adapters.first())?;
        // Another eight of the adapters in every step.
        let mixed = per_token(&net, &|step, i| adapters.get((step * BATCH + i) % ADAPTERS))?;
        none.push(1.0 / plain);
        one.push(1.0 / same);
        share.push(same / mixed);
    }

    std::fs::create_dir_all(scratch).with_context(|| format!("{} cannot be made", scratch.display()))?;
    let file = |i: usize| scratch.join(format!("{i}-{ADAPTER_FILE}"));
    for i in 0..ON_DISK {
        std::fs::write(file(i), file_of(&config, ADAPTERS + i)?).context("an adapter cannot be written")?;
    }
    let mut cold = Vec::with_capacity(ON_DISK);
    for i in 0..ON_DISK {
        // Each once, in an order that is not that of writing.
        let path = file(i * 617 % ON_DISK);
        let started = Instant::now();
        let adapter = Adapter::parse(&std::fs::read(&path).context("an adapter cannot be read")?, &config)?;
        std::hint::black_box(adapter.root());
        cold.push(started.elapsed().as_secs_f64() * 1_000.0);
    }
    std::fs::remove_dir_all(scratch).with_context(|| format!("{} cannot be removed", scratch.display()))?;
    let p95 = |of: &[f64]| {
        let mut sorted = of.to_vec();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() * 95 / 100).copied().unwrap_or(0.0)
    };
    let tenth = ON_DISK / 10;
    Ok(vec![
        Metric::of("streams_8_without_adapter", "tok/s", none),
        Metric::of("streams_8_one_adapter", "tok/s", one),
        Metric::of("adapters_64", "", share),
        Metric::of("adapter_cold_p95_ms", "ms", vec![p95(&cold)]),
        Metric::of("adapter_cold_p95_first_100_ms", "ms", vec![p95(&cold[..tenth])]),
        Metric::of("adapter_cold_p95_last_100_ms", "ms", vec![p95(&cold[ON_DISK - tenth..])]),
    ])
}
