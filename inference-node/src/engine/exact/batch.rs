//! Many requests at once: they join and leave a running batch between two steps.
//!
//! Each worker is one thread with a batch of its own and waits for no other. A step computes one token for
//! every sequence that writes and at most [`CHUNK`] tokens of prompts. What a request gets is, bit for bit,
//! what it would get alone. Text, stop strings and hashing are the requester's work, on its own thread.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use openledger_exact::adapter::Adapter;
use openledger_exact::cache::Cache;
use openledger_exact::constraint::Constraint;
use openledger_exact::net::{ExactNet, Piece, Read, Workspace, CHUNK};
use openledger_exact::sampler::Sampler;
use openledger_types::merkle::{Hash, ZERO_HASH};

use super::prefix::Prefixes;
use crate::engine::error::{Error, Result};
use crate::engine::generate::{drawn, not_a_number, GenRequest, Generation, Writer};
use crate::engine::model::{Class, Model};

/// Numbers that an operator may set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchSettings {
    /// Threads that compute, each with a batch of its own.
    pub workers: usize,
    /// Sequences of a batch.
    pub batch: usize,
    /// Requests that may wait; further ones are refused.
    pub queue: usize,
    /// Bytes of keys and values kept for texts that begin alike.
    pub prefix_bytes: usize,
}

impl Default for BatchSettings {
    fn default() -> Self {
        BatchSettings { workers: 1, batch: 8, queue: 64, prefix_bytes: 64 << 20 }
    }
}

/// Upper bounds of the time between two tokens, in microseconds.
pub(crate) const GAP_BOUNDS: [u64; 9] = [500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 500_000];

/// What the engine counts since its start.
#[derive(Debug, Default)]
pub struct Counters {
    /// Steps computed.
    pub steps: AtomicU64,
    /// Sequences in these steps, added up: by steps, the mean batch.
    pub sequences: AtomicU64,
    /// Tokens of prompts computed.
    pub prompt_tokens: AtomicU64,
    /// Tokens of prompts found in the cache.
    pub cached_tokens: AtomicU64,
    /// Tokens written.
    pub written_tokens: AtomicU64,
    /// Requests that wait.
    pub waiting: AtomicU64,
    /// Requests being answered.
    pub live: AtomicU64,
    /// Requests refused because the queue was full.
    pub refused: AtomicU64,
    /// Pages in the cache.
    pub pages: AtomicU64,
    /// Times between two tokens, by bound.
    pub(crate) gaps: [AtomicU64; GAP_BOUNDS.len() + 1],
    /// Their sum, in microseconds.
    pub(crate) gap_us: AtomicU64,
}

impl Counters {
    fn gap(&self, time: Duration) {
        let us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        if let Some(slot) = self.gaps.get(GAP_BOUNDS.partition_point(|bound| *bound < us)) {
            slot.fetch_add(1, Relaxed);
        }
        self.gap_us.fetch_add(us, Relaxed);
    }
}

/// What a worker sends to a requester.
enum Event {
    Token(u32, Vec<f32>),
    Failed(Error),
}

/// A request that waits or is answered.
struct Job {
    tokens: Vec<u32>,
    prompt: usize,
    adapter: Option<Arc<Adapter>>,
    sampler: Sampler,
    constraint: Option<Constraint>,
    most: usize,
    end: u32,
    events: mpsc::Sender<Event>,
    /// Set by the requester when it wants no more.
    left: Arc<AtomicBool>,
}

impl Job {
    /// Root of its adapter, zeros for none.
    fn adapter_root(&self) -> Hash {
        self.adapter.as_ref().map_or(ZERO_HASH, |adapter| *adapter.root())
    }
}

/// A request in a batch.
struct Sequence {
    job: Job,
    cache: Cache,
    /// Tokens of `job.tokens` that the cache holds.
    done: usize,
    last: Option<Instant>,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    closed: bool,
}

struct Shared {
    net: Arc<ExactNet>,
    settings: BatchSettings,
    queue: Mutex<Queue>,
    wake: Condvar,
    prefixes: Mutex<Prefixes>,
    counters: Arc<Counters>,
}

/// A lock whose holder panicked still guards a plain value.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The workers of one base, for all models on it.
struct Pool {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// Serves one model to many requesters, together with those of other models on the same base
/// ([`Batcher::beside`]). In the tolerant class each request is computed by its own thread.
pub struct Batcher {
    pool: Option<Arc<Pool>>,
    model: Arc<Model>,
}

impl Batcher {
    /// Starts the workers.
    ///
    /// # Errors
    /// `E-GEN-007` when no thread can be started.
    pub fn start(model: Arc<Model>, settings: BatchSettings, counters: Arc<Counters>) -> Result<Self> {
        let Class::Exact(net) = &model.class else {
            return Ok(Batcher { pool: None, model });
        };
        let shared = Arc::new(Shared {
            prefixes: Mutex::new(Prefixes::new(net.shape(), settings.prefix_bytes)),
            net: net.clone(),
            settings,
            queue: Mutex::default(),
            wake: Condvar::new(),
            counters,
        });
        let mut pool = Pool { shared: shared.clone(), threads: Vec::new() };
        for i in 0..settings.workers.max(1) {
            let shared = shared.clone();
            let thread = std::thread::Builder::new().name(format!("batch-{i}")).spawn(move || work(&shared));
            pool.threads.push(thread.map_err(|e| stopped(&format!("no thread can be started: {e}")))?);
        }
        Ok(Batcher { pool: Some(Arc::new(pool)), model })
    }

    /// Serves `model`, which was loaded beside this one's ([`Model::load_beside`]), with the same workers: requests of
    /// both are computed in the same steps.
    ///
    /// # Errors
    /// `E-GEN-008` when the models do not share their weights.
    pub fn beside(&self, model: Arc<Model>) -> Result<Self> {
        if !self.model.shares_weights(&model) {
            return Err(Error::new(
                "E-GEN-008",
                "models of different weights cannot be computed together",
                "Load the model beside the one whose workers it shall use.",
            ));
        }
        Ok(Batcher { pool: self.pool.clone(), model })
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Answers one request together with the others; see [`Model::generate`].
    ///
    /// # Errors
    /// As there, and `E-GEN-006` when too many wait, `E-GEN-007` when the engine stops.
    pub fn generate(
        &self,
        request: &GenRequest,
        deliver: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Generation> {
        let Some(pool) = &self.pool else { return self.model.generate(request, deliver) };
        let shared = &pool.shared;
        let sampler = self.model.check_request(request)?;
        let (events, received) = mpsc::channel();
        let left = Arc::new(AtomicBool::new(false));
        let job = Job {
            tokens: request.prompt_tokens.clone(),
            prompt: request.prompt_tokens.len(),
            // Read here, on the requester's thread: a cold adapter delays nobody else.
            adapter: self.model.adapter()?,
            sampler,
            constraint: self.model.constraint(request),
            most: request.decoding.max_tokens as usize,
            end: self.model.config().eos_token_id,
            events,
            left: left.clone(),
        };
        {
            let mut queue = lock(&shared.queue);
            if queue.jobs.len() >= shared.settings.queue {
                shared.counters.refused.fetch_add(1, Relaxed);
                let what = format!("{} requests wait already", queue.jobs.len());
                return Err(Error::new("E-GEN-006", what, "Try again in a few seconds.").retryable());
            }
            if queue.closed {
                return Err(stopped("the engine stops"));
            }
            queue.jobs.push_back(job);
            shared.counters.waiting.store(queue.jobs.len() as u64, Relaxed);
        }
        shared.wake.notify_one();
        // However this ends, the worker learns that nobody waits any more.
        let _leave = Leave(left);
        let mut writer = Writer::new(&self.model, request);
        loop {
            match received.recv() {
                Ok(Event::Token(token, hidden)) => {
                    if !writer.take(token, &hidden, deliver)? {
                        return writer.finish();
                    }
                }
                Ok(Event::Failed(error)) => return Err(error),
                Err(_) => return Err(stopped("the engine stopped before the answer was finished")),
            }
        }
    }
}

impl Drop for Pool {
    /// Answers under way are finished; then the workers end.
    fn drop(&mut self) {
        lock(&self.shared.queue).closed = true;
        self.shared.wake.notify_all();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

struct Leave(Arc<AtomicBool>);

impl Drop for Leave {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

fn stopped(what: &str) -> Error {
    Error::new("E-GEN-007", what, "Send the same request again.").retryable()
}

/// One worker, until the queue is closed and empty.
fn work(shared: &Shared) {
    let mut live: Vec<Sequence> = Vec::new();
    let mut room = Workspace::default();
    loop {
        if !admit(shared, &mut live) {
            return;
        }
        live.retain(|sequence| !sequence.job.left.load(Relaxed));
        shared.counters.live.store(live.len() as u64, Relaxed);
        if live.is_empty() {
            continue;
        }
        // A defect in one step must not silence the node: its requests fail, later ones are served.
        let step = catch_unwind(AssertUnwindSafe(|| advance(shared, &mut live, &mut room)));
        if step.is_err() {
            for sequence in live.drain(..) {
                let _ = sequence.job.events.send(Event::Failed(stopped("a step of the engine ended early")));
            }
            room = Workspace::default();
        }
    }
}

/// Fills the batch from the queue; waits while there is nothing to do. False when it is over.
fn admit(shared: &Shared, live: &mut Vec<Sequence>) -> bool {
    let mut queue = lock(&shared.queue);
    while queue.jobs.is_empty() && live.is_empty() {
        if queue.closed {
            return false;
        }
        queue = shared.wake.wait(queue).unwrap_or_else(PoisonError::into_inner);
    }
    while live.len() < shared.settings.batch.max(1) {
        let Some(job) = queue.jobs.pop_front() else { break };
        let cache = lock(&shared.prefixes).begin(&job.adapter_root(), &job.tokens);
        let done = cache.len();
        shared.counters.cached_tokens.fetch_add(done as u64, Relaxed);
        live.push(Sequence { job, cache, done, last: None });
    }
    shared.counters.waiting.store(queue.jobs.len() as u64, Relaxed);
    true
}

/// One step for the whole batch.
fn advance(shared: &Shared, live: &mut Vec<Sequence>, room: &mut Workspace) {
    let (net, counters) = (&*shared.net, &shared.counters);
    let mut budget = CHUNK;
    let mut parts = Vec::with_capacity(live.len());
    for (i, sequence) in live.iter_mut().enumerate() {
        let Sequence { job, cache, done, .. } = sequence;
        let behind = job.tokens.len() - *done;
        let reading = *done < job.prompt;
        let count = if reading { behind.min(budget) } else { behind };
        if count == 0 {
            continue;
        }
        if reading {
            budget -= count;
            counters.prompt_tokens.fetch_add(count as u64, Relaxed);
        }
        let read = if count == behind { Read::Last } else { Read::None };
        let tokens = job.tokens.get(*done..*done + count).unwrap_or(&[]);
        let adapter = job.adapter.as_deref();
        parts.push((job.adapter_root(), (i, count, read), Piece { cache, tokens, read, adapter }));
    }
    // Those of one adapter side by side, which computes their rows together; the order changes no bit.
    parts.sort_by_key(|(root, ..)| *root);
    // Which sequences take part, with how many tokens.
    let (taking, mut pieces): (Vec<_>, Vec<_>) =
        parts.into_iter().map(|(_, taking, piece)| (taking, piece)).unzip();
    net.step(&mut pieces, room);
    counters.steps.fetch_add(1, Relaxed);
    counters.sequences.fetch_add(taking.len() as u64, Relaxed);
    let mut rows = room.rows(net);
    let mut over = Vec::new();
    for (i, count, read) in taking {
        let Some(sequence) = live.get_mut(i) else { continue };
        sequence.done += count;
        if read != Read::Last {
            continue;
        }
        let job = &mut sequence.job;
        let position = job.tokens.len() - job.prompt;
        if position == 0 {
            let mut prefixes = lock(&shared.prefixes);
            prefixes.keep(&job.adapter_root(), &job.tokens, &sequence.cache);
            counters.pages.store(prefixes.len() as u64, Relaxed);
        }
        let next = rows.next().ok_or_else(not_a_number).and_then(|(hidden, logits)| {
            let logits = job.sampler.penalised(logits, &[&job.tokens]);
            let token = drawn(&job.sampler, job.constraint.as_mut(), &logits, position as u64)?;
            Ok((token, hidden))
        });
        let event = match next {
            Ok((token, hidden)) => {
                job.tokens.push(token);
                counters.written_tokens.fetch_add(1, Relaxed);
                if token == job.end || position + 1 >= job.most {
                    over.push(i);
                }
                Event::Token(token, hidden.to_vec())
            }
            Err(error) => {
                over.push(i);
                Event::Failed(error)
            }
        };
        let now = Instant::now();
        if let Some(last) = sequence.last.replace(now) {
            counters.gap(now - last);
        }
        if job.events.send(event).is_err() {
            over.push(i);
        }
    }
    over.sort_unstable();
    over.dedup();
    for i in over.into_iter().rev() {
        let ended = live.swap_remove(i);
        // A chat goes on from here.
        let mut prefixes = lock(&shared.prefixes);
        prefixes.keep(&ended.job.adapter_root(), &ended.job.tokens, &ended.cache);
        counters.pages.store(prefixes.len() as u64, Relaxed);
    }
}
