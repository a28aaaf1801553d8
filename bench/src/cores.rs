//! Writing on all cores, on a machine at rest and on a busy one. By the clock: what waits for a core counts.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use openledger_node::engine::{BatchSettings, Batcher, Counters, Model};
use serde::Deserialize;

use crate::engine::request;
use crate::peer::measured;
use crate::report::Metric;

/// Tokens that each sequence writes.
const WRITTEN: usize = 128;
/// Other jobs on the busy machine, each of which never rests.
const SPINNING: usize = 2;

/// The peer's program, script and weights.
pub struct Peer<'a> {
    /// Python of an environment with the peer.
    pub python: &'a Path,
    /// Script that measures it.
    pub script: &'a Path,
    /// Weights.
    pub gguf: &'a PathBuf,
}

/// Tokens a second by the clock, with a sequence and a worker for every core.
fn ours(model: &Arc<Model>, cores: usize, seed: u8) -> Result<f64> {
    let settings = BatchSettings { workers: cores, batch: 1, queue: cores, prefix_bytes: 0 };
    let batcher = Batcher::start(model.clone(), settings, Arc::new(Counters::default()))?;
    let round = |written: usize| -> Result<(f64, usize)> {
        let started = Instant::now();
        let count = std::thread::scope(|scope| {
            let waiting: Vec<_> = (0..cores)
                .map(|i| {
                    let asked = request(32, written, seed.wrapping_mul(16).wrapping_add(i as u8));
                    let batcher = &batcher;
                    scope.spawn(move || batcher.generate(&asked, &mut |_| ControlFlow::Continue(())))
                })
                .collect();
            let mut count = 0;
            for thread in waiting {
                count += thread.join().map_err(|_| anyhow::anyhow!("a sequence ended early"))??.tokens.len();
            }
            anyhow::Ok(count)
        })?;
        Ok((started.elapsed().as_secs_f64(), count))
    };
    let (short, _) = round(1)?;
    let (whole, count) = round(WRITTEN + 1)?;
    Ok((count - cores) as f64 / (whole - short).max(0.005))
}

#[derive(Deserialize)]
struct Theirs {
    name: String,
    rate: f64,
}

fn theirs(peer: &Peer, cores: usize, threads: usize) -> Result<Theirs> {
    let (cores, threads) = (cores.to_string(), threads.to_string());
    let arguments = ["cores".as_ref(), peer.gguf.as_os_str(), cores.as_ref(), threads.as_ref()];
    measured(peer.python, peer.script, arguments)
}

/// Threads that never rest, until dropped.
struct Spinning(Arc<AtomicBool>, Vec<std::thread::JoinHandle<()>>);

impl Spinning {
    fn start(count: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let spin = |stop: Arc<AtomicBool>| {
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            })
        };
        let threads = (0..count).map(|_| spin(stop.clone())).collect();
        Spinning(stop, threads)
    }
}

impl Drop for Spinning {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
        self.1.drain(..).for_each(|thread| drop(thread.join()));
    }
}

/// Measures, printing nothing.
///
/// # Errors
/// Of the engine and the peer.
pub fn measure(model: &Arc<Model>, peer: Option<&Peer>, runs: usize) -> Result<Vec<Metric>> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    // A list of the peer's rates for each number of threads, at rest and busy.
    let mut at_rest: (Vec<f64>, Vec<Vec<f64>>) = (Vec::new(), vec![Vec::new(); cores]);
    let mut busy = at_rest.clone();
    let mut name = String::new();
    for run in 0..runs {
        for (spinning, found) in [(0, &mut at_rest), (SPINNING, &mut busy)] {
            let _others = Spinning::start(spinning);
            found.0.push(ours(model, cores, run as u8)?);
            let Some(peer) = peer else { continue };
            for (threads, rates) in (1..).zip(&mut found.1) {
                let measured = theirs(peer, cores, threads)?;
                rates.push(measured.rate);
                name = measured.name;
            }
        }
    }
    let median = |rates: &[f64]| (!rates.is_empty()).then(|| Metric::of("", "", rates.to_vec()).ours);
    let beside = |metric: &str, ours: Vec<f64>, theirs: Option<(usize, f64)>| {
        let metric = Metric::of(metric, "tok/s", ours);
        match theirs {
            Some((threads, rate)) => metric.beside(&format!("{name}, {threads} threads"), rate),
            None => metric,
        }
    };
    let of = |found: &[Vec<f64>], threads: usize| {
        found.get(threads - 1).and_then(|rates| median(rates)).map(|rate| (threads, rate))
    };
    let best = |found: &[Vec<f64>]| {
        (1..=cores).filter_map(|threads| of(found, threads)).max_by(|a, b| a.1.total_cmp(&b.1))
    };
    Ok(vec![
        beside("decode_all_cores_q8", at_rest.0.clone(), best(&at_rest.1)),
        beside("busy_host", busy.0.clone(), of(&busy.1, cores)),
        beside("busy_host_best", busy.0.clone(), best(&busy.1)),
    ])
}
