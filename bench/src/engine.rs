//! Speed of the exact class beside llama.cpp, on the same weights.
//!
//! Times are CPU time of the process, so that a busy host does not decide: tokens per CPU-second. The peer
//! is measured by `bench/peers/llama_cpp.py` in the same way, in turn with ours.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{ensure, Context, Result};
use openledger_node::engine::{
    import, BatchSettings, Batcher, Counters, GenRequest, Generation, Json, Model, ReplayRequest, Schema,
    PREPARED_FILE,
};
use openledger_numerics::{dot, Path as CpuPath};
use openledger_types::formats::{Decoding, NumericClass};
use serde::Deserialize;

use crate::honest::SCHEMA;
use crate::peer::measured;
use crate::report::Metric;

/// Tokens of the prompt before writing, and tokens written.
const PROMPT: usize = 256;
const WRITTEN: usize = 128;
/// Sequences that are written together.
const STREAMS: usize = 8;

/// What to measure.
pub struct Setting {
    /// GGUF file (Q8_0) with the weights.
    pub gguf: PathBuf,
    /// Python of an environment with the peer; none where it cannot be had.
    pub python: Option<PathBuf>,
    /// Script that measures the peer.
    pub script: PathBuf,
    /// Runs.
    pub runs: usize,
}

/// The peer's figures of one run, in tokens per CPU-second.
#[derive(Deserialize)]
struct Peer {
    name: String,
    decode: f64,
    prefill_256: f64,
    prefill_1024: f64,
    streams: Option<f64>,
}

/// CPU time of this process so far, in seconds.
fn cpu_seconds() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").context("CPU time is read from /proc")?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks = |i: usize| fields.get(i).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0);
    // User and system time in hundredths of a second (proc(5), fields 14 and 15).
    Ok((ticks(11) + ticks(12)) / 100.0)
}

/// CPU time of `work` in seconds, and what it gives.
///
/// # Errors
/// Those of `work`.
pub fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<(f64, T)> {
    let before = cpu_seconds()?;
    let done = work()?;
    Ok(((cpu_seconds()? - before).max(0.005), done))
}

/// A request of `tokens` and for `written` tokens, whose sampling follows from its seed.
pub fn request(tokens: usize, written: usize, seed: u8) -> GenRequest {
    GenRequest {
        // Any tokens will do: the weights are random.
        prompt_tokens: (0..tokens as u32).map(|i| (i * 7_919 + u32::from(seed) * 31) % 4_000 + 300).collect(),
        decoding: Decoding {
            temperature_milli: 1_000,
            top_k: 0,
            top_p_milli: 1_000,
            max_tokens: written as u32,
        },
        seed: [seed; 32],
        request_hash: [1; 32],
        stop: Vec::new(),
        repetition_milli: 1_000,
        schema: None,
    }
}

fn answer(model: &Model, request: &GenRequest) -> Result<Generation> {
    Ok(model.generate(request, &mut |_| ControlFlow::Continue(()))?)
}

/// Measures, printing nothing.
///
/// # Errors
/// When the file is no model that can be imported, or the peer fails.
pub fn measure(setting: &Setting) -> Result<Vec<Metric>> {
    let folder = setting.gguf.with_extension("model");
    import(&setting.gguf, &folder, "bench", NumericClass::Exact)?;
    let kept = folder.join(PREPARED_FILE);
    if kept.exists() {
        std::fs::remove_file(&kept).with_context(|| format!("{} cannot be removed", kept.display()))?;
    }
    let load = || -> Result<(f64, Model)> {
        let started = std::time::Instant::now();
        let model = Model::load(&folder)?;
        Ok((started.elapsed().as_secs_f64() * 1_000.0, model))
    };
    // The first start makes the file of int8 rows that later ones read.
    let (ready_first, _) = load()?;
    let mut ready: Vec<f64> = Vec::new();
    for _ in 0..setting.runs {
        ready.push(load()?.0);
    }
    let model = Arc::new(load()?.1);
    let bytes = model.quantized_bytes().unwrap_or(0) as f64;
    let embedding = model.config().vocab_size as f64 * model.config().hidden_size as f64 * 1.125;
    let per_token = if model.config().tie_word_embeddings { bytes } else { bytes - embedding };

    let mut runs: Vec<(&'static str, Vec<f64>)> = Vec::new();
    let mut note = |name: &'static str, value: f64| match runs.iter_mut().find(|(n, _)| *n == name) {
        Some((_, values)) => values.push(value),
        None => runs.push((name, vec![value])),
    };
    let mut peers: Vec<Peer> = Vec::new();
    let stream: Vec<f32> = vec![1.0; 32 << 20];
    let json: Json = serde_json::from_str(SCHEMA)?;
    let schema = Arc::new(Schema::read(&json)?);
    for run in 0..setting.runs {
        let seed = run as u8;
        // The roof: reading memory that no cache holds.
        let (halves, path) = (stream.split_at(stream.len() / 2), CpuPath::best());
        let (seconds, sum) =
            timed(|| Ok((0..8).map(|_| f64::from(dot(path, halves.0, halves.1))).sum::<f64>()))?;
        ensure!(sum > 0.0, "the stream was not read");
        let roof = 8.0 * (stream.len() * 4) as f64 / seconds;

        let (short, _) = timed(|| answer(&model, &request(PROMPT, 1, seed)))?;
        let (whole, full) = timed(|| answer(&model, &request(PROMPT, WRITTEN + 1, seed)))?;
        let written = (full.tokens.len() - 1) as f64;
        let decode = written / (whole - short).max(0.005);
        note("decode_1_thread_q8", decode);
        note("memory_roof_share", decode * per_token / roof);
        let bound = GenRequest { schema: Some(schema.clone()), ..request(PROMPT, WRITTEN + 1, seed) };
        let (seconds, bound) = timed(|| answer(&model, &bound))?;
        note("bound_decode_share", (bound.tokens.len() - 1) as f64 / (seconds - short).max(0.005) / decode);
        let (seconds, _) = timed(|| answer(&model, &request(256, 1, seed)))?;
        note("prefill_256", 256.0 / seconds);
        let (seconds, _) = timed(|| answer(&model, &request(1_024, 1, seed)))?;
        note("prefill_1024", 1_024.0 / seconds);

        let asked = request(PROMPT, WRITTEN + 1, seed);
        let replay = ReplayRequest {
            request: asked,
            tokens: full.tokens,
            outcome: full.outcome,
            trace: full.trace,
            commit_root: full.commit_root,
        };
        let (seconds, report) = timed(|| Ok(model.replay(&replay)?))?;
        ensure!(report.passes(), "an honest answer does not replay: {:?}", report.failures());
        note("replay_share", seconds / whole);

        let settings = BatchSettings { workers: 1, batch: STREAMS, queue: STREAMS, prefix_bytes: 0 };
        let batcher = Batcher::start(model.clone(), settings, Arc::new(Counters::default()))?;
        let (short, _) = timed(|| streams(&batcher, 1, seed))?;
        let (whole, count) = timed(|| streams(&batcher, WRITTEN + 1, seed))?;
        note("streams_8", (count - STREAMS) as f64 / (whole - short).max(0.005));

        if let Some(python) = &setting.python {
            let arguments = ["measure".as_ref(), setting.gguf.as_os_str()];
            peers.push(measured(python, &setting.script, arguments)?);
        }
    }
    // Digests of 32 hidden vectors, beside what writing 32 tokens takes.
    let hidden = vec![0.5f32; model.config().hidden_size * 32];
    let (seconds, _) = timed(|| {
        for _ in 0..2_000 {
            std::hint::black_box(openledger_types::formats::hidden_digest(std::hint::black_box(&hidden)));
        }
        Ok(())
    })?;
    let decode = runs.iter().find(|(n, _)| *n == "decode_1_thread_q8").map_or(vec![], |(_, v)| v.clone());
    let share = seconds / 2_000.0 / 32.0 * Metric::of("", "", decode).ours;

    let mut metrics = Vec::new();
    for (name, values) in runs {
        let unit = if name.ends_with("_share") { "" } else { "tok/s" };
        let metric = Metric::of(name, unit, values);
        let theirs = |of: fn(&Peer) -> Option<f64>| -> Option<f64> {
            let values: Vec<f64> = peers.iter().filter_map(of).collect();
            (!values.is_empty()).then(|| Metric::of("", "", values).ours)
        };
        let theirs = match name {
            "decode_1_thread_q8" => theirs(|p| Some(p.decode)),
            "prefill_256" => theirs(|p| Some(p.prefill_256)),
            "prefill_1024" => theirs(|p| Some(p.prefill_1024)),
            "streams_8" => theirs(|p| p.streams),
            _ => None,
        };
        metrics.push(match (theirs, peers.first()) {
            (Some(theirs), Some(peer)) => metric.beside(&peer.name, theirs),
            _ => metric,
        });
    }
    metrics.push(Metric::of("commitment_share", "", vec![share]));
    metrics.push(Metric::of("ready_first_ms", "ms", vec![ready_first]));
    metrics.push(Metric::of("ready_ms", "ms", ready));
    metrics.push(crate::resident::measure(&folder, setting.runs)?);
    let of_cores = setting.python.as_ref().map(|python| crate::cores::Peer {
        python,
        script: &setting.script,
        gguf: &setting.gguf,
    });
    metrics.extend(crate::cores::measure(&model, of_cores.as_ref(), setting.runs)?);
    let scratch = setting.gguf.with_extension("adapters");
    metrics.extend(crate::adapters::measure(setting.runs, &scratch)?);
    Ok(metrics)
}

/// Writes with all streams at once; how many tokens were written in all.
fn streams(batcher: &Batcher, written: usize, seed: u8) -> Result<usize> {
    std::thread::scope(|scope| {
        let waiting: Vec<_> = (0..STREAMS)
            .map(|i| {
                let request = request(32, written, seed.wrapping_mul(16).wrapping_add(i as u8));
                scope.spawn(move || batcher.generate(&request, &mut |_| ControlFlow::Continue(())))
            })
            .collect();
        let mut count = 0;
        for thread in waiting {
            let done = thread.join().map_err(|_| anyhow::anyhow!("a stream ended early"))?;
            count += done?.tokens.len();
        }
        Ok(count)
    })
}
