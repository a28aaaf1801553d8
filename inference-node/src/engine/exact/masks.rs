//! Masks of bound answers, made on threads of their own while steps are computed.
//!
//! A step's thread hands over the token that it drew and goes on; the mask of the next position is made meanwhile.
//! What a schema costs is thus waited for by its own answer only. There are as many such threads as workers, so a
//! step shares the processor with at most as many of them. Of answers that wait for a mask the one whose masks took
//! least so far is served first: a costly schema holds up a cheap one by one mask.

use std::collections::VecDeque;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use openledger_exact::constraint::{Constraint, Mask};

use super::batch::{lock, stopped};
use crate::engine::error::Result;

/// What binds one answer, shared by the step's thread and that of the masks.
pub(super) struct Bound {
    constraint: Mutex<(Constraint, Duration)>,
    mask: Mutex<Option<Result<Arc<Mask>>>>,
}

impl Bound {
    pub(super) fn new(constraint: Constraint) -> Self {
        Bound { constraint: Mutex::new((constraint, Duration::ZERO)), mask: Mutex::default() }
    }

    /// Whether the mask of the next position is there.
    pub(super) fn is_ready(&self) -> bool {
        lock(&self.mask).is_some()
    }

    /// The mask of the next position, once; `None` while it is being made.
    pub(super) fn take(&self) -> Option<Result<Arc<Mask>>> {
        lock(&self.mask).take()
    }
}

/// A mask to be made: after one more token, or the first.
struct Task {
    bound: Arc<Bound>,
    token: Option<u32>,
    /// What the answer's masks took so far.
    spent: Duration,
}

#[derive(Default)]
struct Tasks {
    waiting: VecDeque<Task>,
    closed: bool,
}

struct Shared {
    tasks: Mutex<Tasks>,
    wake: Condvar,
    /// Told that a mask is there.
    made: Box<dyn Fn() + Send + Sync>,
}

/// The threads; they end when this is dropped.
pub(super) struct Masks {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Masks {
    /// Starts `threads` threads that call `made` after each mask.
    ///
    /// # Errors
    /// `E-GEN-007` when no thread can be started.
    pub(super) fn start(threads: usize, made: impl Fn() + Send + Sync + 'static) -> Result<Self> {
        let shared = Arc::new(Shared { tasks: Mutex::default(), wake: Condvar::new(), made: Box::new(made) });
        let mut masks = Masks { shared: shared.clone(), threads: Vec::new() };
        for i in 0..threads.max(1) {
            let shared = shared.clone();
            let thread = std::thread::Builder::new().name(format!("masks-{i}")).spawn(move || work(&shared));
            masks.threads.push(thread.map_err(|e| stopped(&format!("no thread can be started: {e}")))?);
        }
        Ok(masks)
    }

    /// Where tasks are handed in.
    pub(super) fn sender(&self) -> Sender {
        Sender(self.shared.clone())
    }
}

impl Drop for Masks {
    fn drop(&mut self) {
        lock(&self.shared.tasks).closed = true;
        self.shared.wake.notify_all();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// Hands tasks to the threads.
#[derive(Clone)]
pub(super) struct Sender(Arc<Shared>);

impl Sender {
    /// Asks for the mask behind `token`, or for the first where it is none. An answer has one such task at a time.
    pub(super) fn send(&self, bound: &Arc<Bound>, token: Option<u32>) {
        // Nobody else holds it: the answer's mask before this one was taken.
        let spent = lock(&bound.constraint).1;
        lock(&self.0.tasks).waiting.push_back(Task { bound: bound.clone(), token, spent });
        self.0.wake.notify_one();
    }
}

fn work(shared: &Shared) {
    loop {
        let task = {
            let mut tasks = lock(&shared.tasks);
            loop {
                if tasks.closed {
                    return;
                }
                let cheapest = tasks.waiting.iter().enumerate().min_by_key(|(_, task)| task.spent);
                match cheapest.map(|(at, _)| at).and_then(|at| tasks.waiting.remove(at)) {
                    Some(task) => break task,
                    None => tasks = shared.wake.wait(tasks).unwrap_or_else(PoisonError::into_inner),
                }
            }
        };
        // Its answer is over: nobody else holds it.
        if Arc::strong_count(&task.bound) == 1 {
            continue;
        }
        let since = Instant::now();
        // A defect must not silence the other answers.
        let mask = catch_unwind(AssertUnwindSafe(|| {
            let mut held = lock(&task.bound.constraint);
            if let Some(token) = task.token {
                held.0.take(token);
            }
            let mask = held.0.mask();
            held.1 += since.elapsed();
            mask
        }));
        let mask = match mask {
            Ok(mask) => mask.map_err(Into::into),
            Err(_) => Err(stopped("the mask of a schema could not be made")),
        };
        *lock(&task.bound.mask) = Some(mask);
        drop(task);
        (shared.made)();
    }
}
