//! What every handler and loop of a node shares.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use openledger_store::{BlobStore, StoreError};
use openledger_types::formats::BlobRef;
use openledger_types::merkle::Hash;
use openledger_types::msg::escrow::{ConfigResponse, SessionResponse};
use openledger_types::msg::node_registry::{Offer, Role};
use tokio::sync::{watch, Semaphore};

use super::chain::ChainView;
use super::keys::SigningKeys;
use super::metrics::Metrics;
use super::models::Models;
use super::payment::Payee;
use super::settle::SettleState;
use crate::corpus::{Answer, BlobSource, Identities};
use crate::engine::{Adapters, Place};
use crate::fault::{Class, Fault, Result};
use crate::journal::Journal;

/// Where blobs are kept.
pub type Store = Arc<dyn BlobStore + Send + Sync>;

/// Numbers that an operator may set.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Threads that compute answers of the exact class, for each model.
    pub workers: usize,
    /// Answers that each of them computes together.
    pub batch: usize,
    /// Bytes of keys and values that each model keeps for prompts that begin alike.
    pub prefix_bytes: usize,
    /// Bytes of adapters that stay in memory, over all models.
    pub adapter_bytes: usize,
    /// Most bytes of one model's files; a larger one is not loaded.
    pub model_bytes: u64,
    /// Requests that may wait beside them; further ones get 429.
    pub queue: usize,
    /// Longest time for which a session, height or setting read from the chain is used again.
    pub cache: Duration,
    /// Blocks after which a session with unsettled receipts is settled.
    pub settle_after_blocks: u64,
    /// Blocks that must lie between two settlements asked for by a client.
    pub settle_least_blocks: u64,
    /// Blocks before the end of a session's life from which it is settled and takes no requests.
    pub expiry_margin_blocks: u64,
    /// Pause between two rounds of the loops.
    pub tick: Duration,
    /// Which models to serve; all that are stored here when empty.
    pub models: Vec<(u64, u32)>,
    /// Where answers of the class `tolerant-f32` are computed.
    pub device: Place,
    /// Origins whose pages may read answers; `*` for all.
    pub origins: Vec<String>,
    /// What the node does, as it is registered.
    pub roles: Vec<Role>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            workers: 1,
            batch: 8,
            prefix_bytes: 64 << 20,
            adapter_bytes: crate::engine::ADAPTER_BYTES,
            model_bytes: 8 << 30,
            queue: 16,
            cache: Duration::from_millis(1_000),
            settle_after_blocks: 720,
            settle_least_blocks: 2,
            expiry_margin_blocks: 20,
            tick: Duration::from_millis(1_000),
            models: Vec::new(),
            device: Place::Cpu,
            origins: vec!["*".into()],
            roles: vec![Role::Inference, Role::Storage],
        }
    }
}

impl Settings {
    /// Answers made at once.
    pub fn together(&self) -> usize {
        self.workers.max(1).saturating_mul(self.batch.max(1)).min(100_000)
    }
}

/// Offers of this node by (model, version), with when each was read.
type Offers = HashMap<(u64, u32), (Instant, Option<Offer>)>;

/// A node at work.
pub struct Node {
    /// The chain.
    pub chain: Arc<dyn ChainView>,
    /// Vouchers, receipts, epochs.
    pub journal: Journal,
    /// Blobs.
    pub store: Store,
    /// Keys that sign receipts; each session says which.
    pub keys: SigningKeys,
    /// Who is paid here.
    pub payee: Payee,
    /// Keys of datanets.
    pub identities: Identities,
    /// Numbers.
    pub settings: Settings,
    /// Counters.
    pub metrics: Metrics,
    /// Adapters in memory.
    pub(super) adapters: Arc<Adapters>,
    /// Models and whether they are ready.
    pub models: Models,
    /// State of the settle loop; held while it works.
    pub settle: tokio::sync::Mutex<SettleState>,
    /// Sessions for which a client asked for a settlement.
    pub settle_asked: Mutex<HashSet<u64>>,
    /// Answers made at once.
    pub workers: Arc<Semaphore>,
    /// Answers made at once or waiting.
    pub admission: Arc<Semaphore>,
    /// Uploads at once.
    pub uploads: Semaphore,
    /// Replays for others at once.
    pub replays: Semaphore,
    /// Requests being answered; the channel closes when it is over.
    pub(super) running: Mutex<HashMap<(u64, u64), watch::Receiver<()>>>,
    /// Requests that no attempt can answer.
    pub(super) hopeless: Mutex<HashSet<(u64, u64)>>,
    draining: AtomicBool,
    sessions: Mutex<HashMap<u64, (Instant, Arc<SessionResponse>)>>,
    height: Mutex<Option<(Instant, u64)>>,
    config: Mutex<Option<(Instant, Arc<ConfigResponse>)>>,
    offers: Mutex<Offers>,
}

/// A lock whose holder panicked still guards a plain value.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sessions kept in the cache.
const MAX_CACHED: usize = 10_000;

impl Node {
    /// Puts a node together; nothing runs yet. `node_key` is the key in force, `keys` holds it and the
    /// older ones.
    #[allow(clippy::too_many_arguments)]
    pub fn new(
        chain: Arc<dyn ChainView>,
        journal: Journal,
        store: Store,
        node_key: [u8; 33],
        keys: SigningKeys,
        node_id: u64,
        identities: Identities,
        settings: Settings,
    ) -> Arc<Self> {
        let payee = Payee {
            chain_id: chain.chain_id().to_string(),
            escrow: chain.escrow().to_string(),
            node_id,
            node_key,
        };
        let together = settings.together();
        let metrics = Metrics::default();
        let adapters = Arc::new(Adapters::new(settings.adapter_bytes, metrics.adapters.clone()));
        Arc::new(Node {
            chain,
            journal,
            store,
            keys,
            payee,
            identities,
            metrics,
            adapters,
            models: Models::default(),
            settle: tokio::sync::Mutex::new(SettleState::default()),
            settle_asked: Mutex::default(),
            workers: Arc::new(Semaphore::new(together)),
            admission: Arc::new(Semaphore::new(together.saturating_add(settings.queue).min(100_000))),
            uploads: Semaphore::new(16),
            replays: Semaphore::new(1),
            running: Mutex::default(),
            hopeless: Mutex::default(),
            draining: AtomicBool::new(false),
            sessions: Mutex::default(),
            height: Mutex::default(),
            config: Mutex::default(),
            offers: Mutex::default(),
            settings,
        })
    }

    /// Whether it is registered for a role.
    pub fn is(&self, role: Role) -> bool {
        self.settings.roles.contains(&role)
    }

    /// Takes no further requests.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether the node is about to stop.
    pub fn draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Runs journal work away from the threads that serve connections.
    pub async fn with_journal<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Journal) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let node = self.clone();
        blocking(move || work(&node.journal)).await
    }

    /// The newest height, at most one cache time old.
    pub async fn height(&self) -> Result<u64> {
        if let Some((at, height)) = *lock(&self.height) {
            if at.elapsed() < self.settings.cache {
                return Ok(height);
            }
        }
        self.fresh_height().await
    }

    /// The newest height, asked now.
    pub async fn fresh_height(&self) -> Result<u64> {
        let height = self.chain.height().await?;
        *lock(&self.height) = Some((Instant::now(), height));
        self.metrics.height.store(height, Ordering::Relaxed);
        Ok(height)
    }

    /// The escrow's bounds, at most a minute old.
    pub async fn escrow_config(&self) -> Result<Arc<ConfigResponse>> {
        if let Some((at, config)) = &*lock(&self.config) {
            if at.elapsed() < Duration::from_secs(60) {
                return Ok(config.clone());
            }
        }
        let config = Arc::new(self.chain.escrow_config().await?);
        *lock(&self.config) = Some((Instant::now(), config.clone()));
        Ok(config)
    }

    /// This node's offer of a model version, at most one cache time old; none when it makes none.
    pub async fn offer(&self, model_id: u64, version: u32) -> Result<Option<Offer>> {
        let key = (model_id, version);
        if let Some((at, offer)) = lock(&self.offers).get(&key) {
            if at.elapsed() < self.settings.cache {
                return Ok(offer.clone());
            }
        }
        let offer = self.chain.offer(model_id, version).await?;
        lock(&self.offers).insert(key, (Instant::now(), offer.clone()));
        Ok(offer)
    }

    /// A session, at most one cache time old.
    ///
    /// # Errors
    /// `E-PAY-004` when there is none.
    pub async fn session(&self, session_id: u64) -> Result<Arc<SessionResponse>> {
        if let Some((at, session)) = lock(&self.sessions).get(&session_id) {
            if at.elapsed() < self.settings.cache {
                return Ok(session.clone());
            }
        }
        self.fresh_session(session_id).await
    }

    /// A session, asked now.
    ///
    /// # Errors
    /// `E-PAY-004` when there is none.
    pub async fn fresh_session(&self, session_id: u64) -> Result<Arc<SessionResponse>> {
        let session = self.chain.session(session_id).await?.ok_or_else(|| {
            Fault::new(
                Class::NotFound,
                "E-PAY-004",
                format!("session {session_id} does not exist on {}", self.payee.chain_id),
                "Open a session first. One opened a moment ago is known when this node's chain has its block: \
                 try again in a few seconds.",
            )
            .retryable()
        })?;
        let session = Arc::new(session);
        let mut cache = lock(&self.sessions);
        if cache.len() >= MAX_CACHED {
            let keep = self.settings.cache;
            cache.retain(|_, (at, _)| at.elapsed() < keep);
        }
        cache.insert(session_id, (Instant::now(), session.clone()));
        Ok(session)
    }

    /// A blob of the store; none when it is not there.
    pub async fn stored(&self, root: &Hash) -> Result<Option<Vec<u8>>> {
        let (store, root) = (self.store.clone(), *root);
        blocking(move || store.get(&root).map_err(store_fault)).await
    }

    /// Puts a blob into the store.
    pub async fn keep(&self, bytes: Vec<u8>) -> Result<BlobRef> {
        let store = self.store.clone();
        blocking(move || {
            let blob = BlobRef::of(&bytes);
            store.put(&root_of(&blob)?, &bytes).map_err(store_fault)?;
            Ok(blob)
        })
        .await
    }
}

/// Runs blocking work on a thread for it.
///
/// # Errors
/// Those of the work; `E-NODE-050` when its thread panicked.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|e| {
        Err(Fault::new(
            Class::Internal,
            "E-NODE-050",
            format!("a task ended early: {e}"),
            "Report this with the log; what was confirmed is kept, and no request is charged without a receipt.",
        ))
    })
}

/// An error of the store in this crate's form.
pub(crate) fn store_fault(error: StoreError) -> Fault {
    let class = if error.retryable() { Class::Unavailable } else { Class::Internal };
    Fault {
        code: error.code(),
        class,
        what: error.to_string(),
        advice: error.advice(),
        retry: error.retryable(),
    }
}

/// The root of a reference as a hash.
pub(crate) fn root_of(blob: &BlobRef) -> Result<Hash> {
    blob.root.as_slice().try_into().map_err(|_| {
        Fault::invalid("E-NODE-021", "the root of a blob must have 32 bytes", "Give 64 hexadecimal digits.")
    })
}

/// Blobs of the node's own store.
pub struct LocalBlobs(pub Store);

impl BlobSource for LocalBlobs {
    fn blob<'a>(&'a self, blob: &'a BlobRef) -> Answer<'a, Vec<u8>> {
        Box::pin(async move {
            let root = root_of(blob)?;
            let store = self.0.clone();
            let found = blocking(move || store.get(&root).map_err(store_fault)).await?;
            found.filter(|bytes| bytes.len() as u64 == blob.len).ok_or_else(|| {
                Fault::new(
                    Class::NotFound,
                    "E-CORPUS-012",
                    format!("blob {} is not stored here", blob.root),
                    "Upload it with PUT /v1/blobs/{root}.",
                )
                .retryable()
            })
        })
    }
}
