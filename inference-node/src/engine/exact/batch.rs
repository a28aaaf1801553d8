//! Many requests at once: they join and leave a running batch between two steps.
//!
//! Each worker is one thread with a batch of its own and waits for no other. A step computes one token for
//! every sequence that writes and at most [`CHUNK`] tokens of prompts. What a request gets is, bit for bit,
//! what it would get alone. Text, stop strings and hashing are the requester's work, on its own thread; what may
//! follow in an answer that a schema binds is found on threads of `masks`. An answer whose mask is late sits out
//! steps until it is there; no other waits for it.

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
use openledger_exact::constraint::Mask;
use openledger_exact::net::{ExactNet, Piece, Read, Workspace, CHUNK};
use openledger_exact::sampler::Sampler;
use openledger_types::merkle::{Hash, ZERO_HASH};

use super::masks::{Bound, Masks, Sender};
use super::prefix::Prefixes;
use crate::engine::error::{Error, Result};
use crate::engine::generate::{not_a_number, GenRequest, Generation, Writer};
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
    /// Of these, such that waited for the mask of their schema.
    pub late_masks: AtomicU64,
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
    bound: Option<Arc<Bound>>,
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
    /// Logits after the penalty and hidden vector of the next token, while its mask is being made.
    late: Option<(Vec<f32>, Vec<f32>)>,
}

impl Sequence {
    /// Whether there is anything to do for it now.
    fn goes_on(&self) -> bool {
        let ready = || self.job.bound.as_ref().is_none_or(|bound| bound.is_ready());
        self.late.is_none() || ready() || self.job.left.load(Relaxed)
    }
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
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The workers of one base, for all models on it.
struct Pool {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    masks: Masks,
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
        let told = shared.clone();
        let masks = Masks::start(settings.workers, move || {
            // Whoever is about to wait has not seen the mask, or hears this.
            drop(lock(&told.queue));
            told.wake.notify_all();
        })?;
        let mut pool = Pool { shared: shared.clone(), threads: Vec::new(), masks };
        for i in 0..settings.workers.max(1) {
            let (shared, masks) = (shared.clone(), pool.masks.sender());
            let thread =
                std::thread::Builder::new().name(format!("batch-{i}")).spawn(move || work(&shared, &masks));
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
        let bound = self.model.constraint(request).map(|constraint| Arc::new(Bound::new(constraint)));
        let job = Job {
            tokens: request.prompt_tokens.clone(),
            prompt: request.prompt_tokens.len(),
            // Read here, on the requester's thread: a cold adapter delays nobody else.
            adapter: self.model.adapter()?,
            sampler,
            bound: bound.clone(),
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
        // All: one that is woken may have no room.
        shared.wake.notify_all();
        if let Some(bound) = bound {
            pool.masks.sender().send(&bound, None);
        }
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

pub(super) fn stopped(what: &str) -> Error {
    Error::new("E-GEN-007", what, "Send the same request again.").retryable()
}

/// One worker, until the queue is closed and empty.
fn work(shared: &Shared, masks: &Sender) {
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
        let step = catch_unwind(AssertUnwindSafe(|| advance(shared, masks, &mut live, &mut room)));
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
    loop {
        while live.len() < shared.settings.batch.max(1) {
            let Some(job) = queue.jobs.pop_front() else { break };
            let cache = lock(&shared.prefixes).begin(&job.adapter_root(), &job.tokens);
            let done = cache.len();
            shared.counters.cached_tokens.fetch_add(done as u64, Relaxed);
            live.push(Sequence { job, cache, done, last: None, late: None });
        }
        shared.counters.waiting.store(queue.jobs.len() as u64, Relaxed);
        if live.iter().any(Sequence::goes_on) {
            return true;
        }
        if live.is_empty() && queue.closed {
            return false;
        }
        queue = shared.wake.wait(queue).unwrap_or_else(PoisonError::into_inner);
    }
}

/// One step for the whole batch.
fn advance(shared: &Shared, masks: &Sender, live: &mut Vec<Sequence>, room: &mut Workspace) {
    let (net, counters) = (&*shared.net, &shared.counters);
    draw_late(shared, masks, live);
    let mut budget = CHUNK;
    let mut parts = Vec::with_capacity(live.len());
    for (i, sequence) in live.iter_mut().enumerate() {
        let Sequence { job, cache, done, .. } = sequence;
        let behind = job.tokens.len() - *done;
        let reading = *done < job.prompt;
        let count = if reading { behind.min(budget) } else { behind };
        // Also one whose next token is not drawn yet.
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
    if parts.is_empty() {
        return;
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
        let job = &sequence.job;
        if job.tokens.len() == job.prompt {
            let mut prefixes = lock(&shared.prefixes);
            prefixes.keep(&job.adapter_root(), &job.tokens, &sequence.cache);
            counters.pages.store(prefixes.len() as u64, Relaxed);
        }
        let Some((hidden, logits)) = rows.next() else {
            let _ = job.events.send(Event::Failed(not_a_number()));
            over.push(i);
            continue;
        };
        let logits = job.sampler.penalised(logits, &[&job.tokens]);
        let mask = match job.bound.as_ref().map(|bound| bound.take()) {
            None => None,
            Some(Some(mask)) => Some(mask),
            Some(None) => {
                counters.late_masks.fetch_add(1, Relaxed);
                sequence.late = Some((logits.into_owned(), hidden.to_vec()));
                continue;
            }
        };
        if !draw(counters, masks, sequence, &logits, hidden, mask) {
            over.push(i);
        }
    }
    end(shared, live, over);
}

/// Draws the tokens whose masks were late and are there now.
fn draw_late(shared: &Shared, masks: &Sender, live: &mut Vec<Sequence>) {
    let mut over = Vec::new();
    for (i, sequence) in live.iter_mut().enumerate() {
        let Some((logits, hidden)) = sequence.late.take() else { continue };
        match sequence.job.bound.as_ref().and_then(|bound| bound.take()) {
            None => sequence.late = Some((logits, hidden)),
            mask => {
                if !draw(&shared.counters, masks, sequence, &logits, &hidden, mask) {
                    over.push(i);
                }
            }
        }
    }
    end(shared, live, over);
}

/// Draws a sequence's next token from logits after the penalty and tells the requester; whether it goes on.
fn draw(
    counters: &Counters,
    masks: &Sender,
    sequence: &mut Sequence,
    logits: &[f32],
    hidden: &[f32],
    mask: Option<Result<Arc<Mask>>>,
) -> bool {
    let job = &mut sequence.job;
    let position = job.tokens.len() - job.prompt;
    let token = mask.transpose().and_then(|mask| {
        job.sampler.draw_among(logits, position as u64, mask.as_deref()).ok_or_else(not_a_number)
    });
    let (event, mut goes_on) = match token {
        Ok(token) => {
            job.tokens.push(token);
            counters.written_tokens.fetch_add(1, Relaxed);
            (Event::Token(token, hidden.to_vec()), token != job.end && position + 1 < job.most)
        }
        Err(error) => (Event::Failed(error), false),
    };
    let now = Instant::now();
    if let Some(last) = sequence.last.replace(now) {
        counters.gap(now - last);
    }
    goes_on &= job.events.send(event).is_ok();
    if let Some(bound) = job.bound.as_ref().filter(|_| goes_on) {
        masks.send(bound, job.tokens.last().copied());
    }
    goes_on
}

/// Takes ended sequences out of the batch, by their places.
fn end(shared: &Shared, live: &mut Vec<Sequence>, mut over: Vec<usize>) {
    over.sort_unstable();
    for i in over.into_iter().rev() {
        let ended = live.swap_remove(i);
        // A chat goes on from here.
        let mut prefixes = lock(&shared.prefixes);
        prefixes.keep(&ended.job.adapter_root(), &ended.job.tokens, &ended.cache);
        shared.counters.pages.store(prefixes.len() as u64, Relaxed);
    }
}
