//! Speed of training beside PyTorch, on the same shapes with the same batch and optimiser, on one thread.
//!
//! Network, operations and optimiser are the trainer's; the corpus, its tokenizer and checkpoints are left out
//! on both sides. Times are CPU time of the process, so that a busy host does not decide.

use std::path::PathBuf;

use anyhow::{ensure, Result};
use openledger_node::train::{Experiment, Recipe};
use serde::{Deserialize, Serialize};

use crate::engine::timed;
use crate::peer::measured;
use crate::report::Metric;

/// What to measure.
pub struct Setting {
    /// Python of an environment with PyTorch.
    pub python: PathBuf,
    /// Script that measures it.
    pub script: PathBuf,
    /// Runs.
    pub runs: usize,
}

/// A shape, as the peer's script takes it.
#[derive(Serialize)]
pub struct Shape {
    #[serde(skip)]
    name: &'static str,
    layers: usize,
    dim: usize,
    heads: usize,
    ffn: usize,
    vocab: usize,
    context: usize,
    batch: usize,
    /// Steps before the measured ones.
    warm: u64,
    /// Steps that are measured.
    steps: u64,
}

impl Shape {
    /// Parameters; the output head is the embedding table.
    fn parameters(&self) -> usize {
        let block = 4 * self.dim * self.dim + 3 * self.dim * self.ffn + 2 * self.dim;
        self.layers * block + self.vocab * self.dim + self.dim
    }

    /// The trainer's recipe for it.
    pub fn recipe(&self, steps: u64) -> Recipe {
        Recipe {
            name: self.name.into(),
            vocab: self.vocab,
            dim: self.dim,
            layers: self.layers,
            heads: self.heads,
            ffn: self.ffn,
            context: self.context,
            batch: self.batch,
            shards: 1,
            steps: Some(steps),
            ..Recipe::tiny()
        }
    }
}

/// The shapes of 0.8, 3 and 11 million parameters.
pub fn shapes() -> [Shape; 3] {
    let shape = |name, layers, dim, heads, ffn, (context, batch, steps)| Shape {
        name,
        layers,
        dim,
        heads,
        ffn,
        vocab: 512,
        context,
        batch,
        warm: 2,
        steps,
    };
    [
        shape("train_0.8M", 4, 128, 4, 320, (64, 12, 40)),
        shape("train_3M", 4, 256, 4, 640, (128, 8, 12)),
        shape("train_11M", 6, 384, 6, 1_024, (128, 8, 6)),
    ]
}

/// What the peer's script prints.
#[derive(Deserialize)]
struct Peer {
    name: String,
    parameters: usize,
    speed: f64,
}

/// Texts of words that are drawn, each longer than a context.
pub fn texts(count: usize) -> Vec<String> {
    let mut state = 1u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as usize
    };
    let syllables = ["ka", "lo", "mi", "ne", "ru", "sa", "te", "vo", "wi", "zu", "ba", "do"];
    let mut text = || {
        let mut text = String::new();
        while text.len() < 2_000 {
            (0..2 + next() % 3).for_each(|_| text.push_str(syllables[next() % syllables.len()]));
            text.push(' ');
        }
        text
    };
    (0..count).map(|_| text()).collect()
}

/// Measures, printing nothing.
///
/// # Errors
/// When more than one thread would compute, or the peer fails.
pub fn measure(setting: &Setting) -> Result<Vec<Metric>> {
    ensure!(
        std::env::var("RAYON_NUM_THREADS").as_deref() == Ok("1"),
        "training is measured on one thread: set RAYON_NUM_THREADS=1, as scripts/bench does"
    );
    let mut metrics = Vec::new();
    for shape in shapes() {
        let texts = texts(2 * shape.batch);
        let warm = Experiment::new(&shape.recipe(shape.warm), &texts)?;
        let whole = Experiment::new(&shape.recipe(shape.warm + shape.steps), &texts)?;
        let keep = vec![true; texts.len()];
        let trained = (shape.steps as usize * shape.batch * shape.context) as f64;
        let (mut ours, mut theirs, mut peer_name) = (Vec::new(), Vec::new(), String::new());
        for _ in 0..setting.runs {
            let (before, _) = timed(|| Ok(warm.train(&keep)?))?;
            let (all, _) = timed(|| Ok(whole.train(&keep)?))?;
            ours.push(trained / (all - before).max(0.005));
            let peer: Peer = measured(&setting.python, &setting.script, [serde_json::to_string(&shape)?])?;
            ensure!(peer.parameters == shape.parameters(), "the peer trains another shape");
            theirs.push(peer.speed);
            peer_name = peer.name;
        }
        let theirs = Metric::of("", "", theirs).ours;
        metrics.push(Metric::of(shape.name, "tok/s", ours).beside(&peer_name, theirs));
    }
    Ok(metrics)
}
