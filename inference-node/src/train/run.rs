//! The training loop.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use candle_core::Tensor;
use cosmwasm_std::HexBinary;
use openledger_types::formats::VersionRef;
use openledger_types::merkle::Hash;
use sha2::{Digest, Sha256};

use super::checkpoint::{self, CurvePoint, State};
use super::corpus::{documents_hash, train_tokenizer, Corpus, Document, END_OF_TEXT_ID};
use super::counts;
use super::export::{self, Export, TrainingReceipt};
use super::optimizer::{diverged, Params};
use super::progress::{Phase, Progress};
use super::recipe::{Plan, Recipe};
use crate::engine::files::{read_bounded, write_atomic};
use crate::engine::net::Net;
use crate::engine::ops::{CrossEntropy, NO_TARGET};
use crate::engine::{Error, Result, Tokenizer, TOKENIZER_FILE};

/// Steps after which the speed is first known well enough to plan by it.
const PROBE: u64 = 10;

/// Says which documents the tokenizer beside it was trained on, while a run goes on.
const MARK_FILE: &str = "tokenizer.mark";

/// What came out of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainReport {
    /// The receipt, as written.
    pub receipt: TrainingReceipt,
    /// Hash of the manifest, as the chain takes it.
    pub manifest_hash: Hash,
    /// Parameters.
    pub parameters: u64,
    /// Tokens a second over the whole run.
    pub tokens_per_second: f64,
    /// The step at which a checkpoint was taken up, if one was.
    pub resumed_at: Option<u64>,
}

/// Trains a model on `documents` and writes it to `out_dir` (see the engine for the files).
///
/// A run that was cancelled or killed goes on from its checkpoint when it is started again with the
/// same recipe and documents; `cancel` is looked at after every step.
///
/// # Errors
/// `E-TRAIN-001` recipe, `-002` tokenizer, `-003` too little text, `-004` diverged, `-005` damaged
/// checkpoint, `-007` cancelled (with a checkpoint), `E-MODEL-001` disk.
pub fn train(
    recipe: &Recipe,
    documents: &[Document],
    datanets: &[VersionRef],
    out_dir: &Path,
    progress: &mut dyn FnMut(&Progress),
    cancel: &AtomicBool,
) -> Result<TrainReport> {
    recipe.validate()?;
    std::fs::create_dir_all(out_dir).map_err(|e| Error::file(out_dir, &e))?;
    let documents_hash = documents_hash(documents);
    progress(&Progress::phase(Phase::Tokenizer));
    let tokenizer_json = tokenizer_for(recipe, documents, &documents_hash, out_dir)?;
    let tokenizer = Tokenizer::parse(&tokenizer_json, recipe.vocab)?;
    progress(&Progress::phase(Phase::Encoding));
    let corpus = Corpus::new(recipe, &tokenizer, documents)?;
    let config = recipe.config(END_OF_TEXT_ID);
    let params = Params::init(&config, recipe.seed)?;
    // The network reads the parameters' own tensors, which are written in place.
    let net = Arc::new(Net::new(&config, |name| params.tensor(name))?);
    let network = |_: &Params| -> Result<Arc<Net>> { Ok(net.clone()) };
    let run = Run { recipe, documents, datanets, documents_hash, tokenizer: &tokenizer_json, out_dir };
    let done = run_steps(run, corpus, params, &network, &tokenizer_json, progress, cancel)?;

    progress(&Progress::phase(Phase::Writing));
    let tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)> =
        done.params.0.into_iter().map(|p| (p.name, (p.shape, p.values))).collect();
    let receipt = done.receipt;
    let export = Export {
        config: &config,
        tensors,
        tokenizer: &tokenizer_json,
        receipt: &receipt,
        curve: &done.state.curve,
    };
    let (manifest, manifest_hash) = export::write(out_dir, &export)?;
    finished(out_dir);
    Ok(TrainReport {
        manifest_hash,
        parameters: manifest.parameters,
        tokens_per_second: receipt.tokens_seen as f64 / receipt.seconds.max(1e-9),
        resumed_at: done.resumed_at,
        receipt,
    })
}

/// What a run is about.
pub(super) struct Run<'a> {
    pub recipe: &'a Recipe,
    pub documents: &'a [Document<'a>],
    pub datanets: &'a [VersionRef],
    pub documents_hash: Hash,
    /// The tokenizer's file.
    pub tokenizer: &'a [u8],
    pub out_dir: &'a Path,
}

/// A run that came to its end.
pub(super) struct Done {
    pub params: Params,
    pub state: State,
    pub receipt: TrainingReceipt,
    pub resumed_at: Option<u64>,
}

/// The network over parameters as they stand, asked for before every step.
pub(super) type Network<'a> = dyn Fn(&Params) -> Result<Arc<Net>> + 'a;

/// Takes up a checkpoint, if there is one of the same recipe, documents and `rest`, runs the steps that are left
/// and sums them up.
pub(super) fn run_steps(
    run: Run,
    mut corpus: Corpus,
    mut params: Params,
    network: &Network,
    rest: &[u8],
    progress: &mut dyn FnMut(&Progress),
    cancel: &AtomicBool,
) -> Result<Done> {
    let Run { recipe, documents, datanets, documents_hash, tokenizer, out_dir } = run;
    let fingerprint = fingerprint(recipe, &documents_hash, rest);
    let resumed = checkpoint::load(out_dir, &mut params, &fingerprint)?;
    let resumed_at = resumed.as_ref().map(|s| s.step);
    let mut state = resumed.unwrap_or_else(|| State { fingerprint, ..State::default() });
    steps(recipe, &mut corpus, network, &mut params, &mut state, out_dir, progress, cancel)?;
    let uses = corpus.uses(state.step * recipe.batch as u64);
    let training = counts::by_datanet(&uses, documents, datanets);
    let receipt = TrainingReceipt {
        format: 2,
        recipe: recipe.clone(),
        schedule: state.schedule.clone(),
        base_weights_root: None,
        datanets: datanets.to_vec(),
        documents_hash: HexBinary::from(&documents_hash),
        tokenizer_hash: HexBinary::from(&<[u8; 32]>::from(Sha256::digest(tokenizer))),
        documents: documents.len() as u64,
        bytes: documents.iter().map(|d| d.text.len() as u64).sum(),
        tokens: corpus.len() as u64,
        steps: state.step,
        tokens_seen: state.step * (recipe.batch * recipe.context) as u64,
        seconds: state.seconds,
        loss_first: mean(state.curve.iter().take(10)),
        loss_last: mean(state.curve.iter().rev().take(50)),
        training_root: HexBinary::from(&counts::root_of(&training)?),
        training,
    };
    Ok(Done { params, state, receipt, resumed_at })
}

/// The model is complete; a checkpoint that stays would only cost space.
pub(super) fn finished(out_dir: &Path) {
    let _ = std::fs::remove_file(checkpoint::path(out_dir));
    let _ = std::fs::remove_file(out_dir.join(MARK_FILE));
}

/// The tokenizer of an interrupted run of the same documents, else a new one, kept in `out_dir`.
fn tokenizer_for(recipe: &Recipe, documents: &[Document], hash: &Hash, out_dir: &Path) -> Result<Vec<u8>> {
    let path = out_dir.join(TOKENIZER_FILE);
    let mark_path = out_dir.join(MARK_FILE);
    let mark = format!("{} {} {}", hex::encode(hash), recipe.vocab, recipe.tokenizer_bytes);
    if checkpoint::path(out_dir).exists()
        && read_bounded(&mark_path, 1_024).is_ok_and(|m| m == mark.as_bytes())
    {
        if let Ok(json) = read_bounded(&path, 64 << 20) {
            if Tokenizer::parse(&json, recipe.vocab).is_ok() {
                return Ok(json);
            }
        }
    }
    let json = train_tokenizer(recipe, documents)?;
    write_atomic(&path, &json)?;
    write_atomic(&mark_path, mark.as_bytes())?;
    Ok(json)
}

fn fingerprint(recipe: &Recipe, documents_hash: &Hash, tokenizer: &[u8]) -> String {
    let mut hasher = Sha256::new();
    // Budgets may be changed between two starts of the same run.
    let recipe = Recipe { seconds: None, checkpoint_seconds: 0, ..recipe.clone() };
    hasher.update(format!("{recipe:?}"));
    hasher.update(documents_hash);
    hasher.update(tokenizer);
    hex::encode(hasher.finalize())
}

fn mean<'a>(points: impl Iterator<Item = &'a CurvePoint>) -> f32 {
    let losses: Vec<f32> = points.map(|p| p.loss).collect();
    losses.iter().sum::<f32>() / losses.len().max(1) as f32
}

/// Runs the steps that are left.
#[allow(clippy::too_many_arguments)]
fn steps(
    recipe: &Recipe,
    corpus: &mut Corpus,
    network: &Network,
    params: &mut Params,
    state: &mut State,
    out_dir: &Path,
    progress: &mut dyn FnMut(&Progress),
    cancel: &AtomicBool,
) -> Result<()> {
    let workers = Workers::new(recipe.shards)?;
    let before = (state.seconds, state.step);
    let clock = Instant::now();
    let mut saved = Instant::now();
    let mut pace = Pace::default();
    if state.schedule.is_empty() {
        state.schedule = match recipe.steps {
            _ if !recipe.schedule.is_empty() => recipe.schedule.clone(),
            Some(total) => vec![Plan { from: 0, total }],
            None => Vec::new(),
        };
    }
    let by_time = recipe.schedule.is_empty() && recipe.steps.is_none();
    let mut smooth = state.curve.last().map(|p| p.loss);
    loop {
        let total = state.schedule.last().map_or(u64::MAX, |plan| plan.total);
        if state.step >= total {
            return Ok(());
        }
        let started = Instant::now();
        let loss = step(recipe, corpus, network, params, state, &workers)?;
        state.seconds = before.0 + clock.elapsed().as_secs_f64();
        pace.add(started.elapsed());
        if by_time {
            plan(recipe, state, &pace);
        }
        let smoothed = smooth.map_or(loss, |s| s + 0.05 * (loss - s));
        smooth = Some(smoothed);
        let total = state.schedule.last().map_or(0, |plan| plan.total);
        let tokens = (state.step - before.1) * (recipe.batch * recipe.context) as u64;
        progress(&Progress {
            phase: Phase::Training,
            step: state.step,
            total,
            loss: smoothed,
            tokens_per_second: tokens as f64 / (state.seconds - before.0).max(1e-9),
            left: Duration::from_secs_f64(pace.seconds * total.saturating_sub(state.step) as f64),
        });
        let stop = cancel.load(Ordering::Relaxed);
        if stop || saved.elapsed().as_secs() >= recipe.checkpoint_seconds {
            checkpoint::save(out_dir, params, state)?;
            saved = Instant::now();
        }
        if stop {
            return Err(Error::new(
                "E-TRAIN-007",
                format!("training was stopped after {} steps", state.step),
                "Run the same command again to go on from the checkpoint.",
            )
            .retryable());
        }
    }
}

/// One step: shards side by side, derivatives added in the order of the shards.
pub(super) fn step(
    recipe: &Recipe,
    corpus: &mut Corpus,
    network: &Network,
    params: &mut Params,
    state: &mut State,
    workers: &Workers,
) -> Result<f32> {
    let rows = recipe.batch / recipe.shards;
    let mut jobs = Vec::with_capacity(recipe.shards);
    for shard in 0..recipe.shards {
        let (mut inputs, mut targets) = (Vec::new(), Vec::new());
        for row in 0..rows {
            let index = state.step * recipe.batch as u64 + (shard * rows + row) as u64;
            let (input, target) = corpus.sequence(index);
            inputs
                .extend(input.iter().map(|token| if *token == NO_TARGET { END_OF_TEXT_ID } else { *token }));
            targets.extend_from_slice(target);
        }
        jobs.push((inputs, targets));
    }
    let net = network(params)?;
    let done = workers.run(&jobs, |(inputs, targets)| shard(&net, params, inputs, targets, rows))?;
    let loss = done.iter().map(|(loss, _)| *loss).sum::<f32>() / recipe.shards as f32;
    if !loss.is_finite() {
        return Err(diverged());
    }
    let gradients: Vec<Vec<Tensor>> = done.into_iter().map(|(_, gradients)| gradients).collect();
    params.take_gradients(&gradients)?;
    let rate = recipe.rate(state.step, &state.schedule);
    params.update(recipe, rate, state.step)?;
    state.curve.push(CurvePoint { step: state.step, loss, rate: rate as f32 });
    state.step += 1;
    Ok(loss)
}

/// Loss and derivatives of one shard.
fn shard(
    net: &Net,
    params: &Params,
    inputs: &[u32],
    targets: &[u32],
    rows: usize,
) -> Result<(f32, Vec<Tensor>)> {
    let logits = net.logits(&net.hidden(inputs, rows)?)?;
    let op = CrossEntropy { targets: targets.to_vec(), derivative: Mutex::new(Vec::new()) };
    let loss = logits.apply_op1(op)?;
    let mut grads = loss.backward()?;
    let gradients = params
        .0
        .iter()
        .map(|p| grads.remove(p.var.as_tensor()).map_or_else(|| Ok(p.var.zeros_like()?), Ok))
        .collect::<Result<Vec<_>>>()?;
    Ok((loss.to_scalar::<f32>()?, gradients))
}

/// Plans the number of steps by the pace so far, again whenever the machine turned out faster or
/// slower by a twentieth; not in the last tenth, where the rate has to come to rest.
fn plan(recipe: &Recipe, state: &mut State, pace: &Pace) {
    let Some(seconds) = recipe.seconds.map(|s| s as f64) else { return };
    if pace.steps < PROBE || !pace.steps.is_multiple_of(PROBE) || pace.seconds <= 0.0 {
        return;
    }
    let planned = state.schedule.last().map(|plan| plan.total);
    if planned.is_some_and(|total| state.step * 10 >= total * 9) {
        return;
    }
    let left = ((seconds - state.seconds) / pace.seconds).floor().max(1.0) as u64;
    let total = state.step + left;
    if planned.is_none_or(|planned| total.abs_diff(planned) * 20 > planned) {
        state.schedule.push(Plan { from: state.step, total });
    }
}

/// Smoothed duration of a step.
#[derive(Default)]
struct Pace {
    steps: u64,
    seconds: f64,
}

impl Pace {
    fn add(&mut self, duration: Duration) {
        // A mean over the first steps, later one over about the last hundred.
        let weight = 1.0 / (self.steps + 1).min(100) as f64;
        self.seconds += weight * (duration.as_secs_f64() - self.seconds);
        self.steps += 1;
    }
}

/// Threads for shards. Each has a pool of one thread of its own, so that the matrix products inside
/// do not wait for one another; the result does not depend on their number.
pub(super) struct Workers(Vec<rayon::ThreadPool>);

impl Workers {
    pub(super) fn new(shards: usize) -> Result<Self> {
        let threads = candle_core::utils::get_num_threads().clamp(1, shards.max(1));
        let pools = (0..threads).map(|_| rayon::ThreadPoolBuilder::new().num_threads(1).build());
        let pools = pools.collect::<std::result::Result<Vec<_>, _>>().map_err(|e| {
            Error::new("E-TRAIN-008", format!("no thread can be started: {e}"), "Raise the limit of threads.")
                .retryable()
        })?;
        Ok(Workers(pools))
    }

    /// Runs `f` over `jobs` and returns the results in their order.
    fn run<J: Sync, R: Send>(&self, jobs: &[J], f: impl Fn(&J) -> Result<R> + Sync) -> Result<Vec<R>> {
        let each = jobs.len().div_ceil(self.0.len().max(1)).max(1);
        let results = std::thread::scope(|scope| {
            let handles: Vec<_> = jobs
                .chunks(each)
                .zip(&self.0)
                .map(|(part, pool)| {
                    let f = &f;
                    scope.spawn(move || pool.install(|| part.iter().map(f).collect::<Result<Vec<R>>>()))
                })
                .collect();
            handles
                .into_iter()
                .map(|handle| {
                    handle.join().unwrap_or_else(|_| {
                        Err(Error::new(
                            "E-TRAIN-008",
                            "a training thread ended unexpectedly",
                            "Start again: the checkpoint is kept.",
                        )
                        .retryable())
                    })
                })
                .collect::<Result<Vec<Vec<R>>>>()
        })?;
        Ok(results.into_iter().flatten().collect())
    }
}
