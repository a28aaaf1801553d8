//! Adapters in memory: read from a model's folder when they are first asked for, the least recently used leaving
//! when they are more than a number of bytes.
//!
//! One cache serves all bases: a root names its base. An adapter that leaves the cache stays in memory until the last
//! answer that is computed with it has ended. Who asks for one that is being read waits for that reading; readers are
//! the requesters' own threads, never those of the steps.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use openledger_exact::adapter::{max_file_bytes, Adapter, ADAPTER_FILE};
use openledger_exact::config::ModelConfig;
use openledger_types::formats::Manifest;
use openledger_types::merkle::{Hash, ZERO_HASH};

use crate::engine::error::{Error, Result};
use crate::engine::files::read_bounded;
use crate::engine::model::mismatch;

/// Bytes of adapters that stay in memory when nobody says otherwise.
pub const ADAPTER_BYTES: usize = 256 << 20;

/// What a cache of adapters counts.
#[derive(Debug, Default)]
pub struct AdapterCounters {
    /// Requests whose adapter was in memory, or was being read for another.
    pub hits: AtomicU64,
    /// Adapters read from the disk.
    pub loads: AtomicU64,
}

#[derive(Default)]
struct Inner {
    clock: u64,
    bytes: usize,
    held: HashMap<Hash, (Arc<Adapter>, u64)>,
    by_use: BTreeMap<u64, Hash>,
}

/// What one reading comes to; nothing while it is under way.
#[derive(Default)]
struct Reading {
    found: Mutex<Option<Result<Arc<Adapter>>>>,
    over: Condvar,
}

/// Adapters in memory by their roots.
pub struct Adapters {
    most: usize,
    counters: Arc<AdapterCounters>,
    inner: Mutex<Inner>,
    /// Adapters that are being read.
    readings: Mutex<HashMap<Hash, Arc<Reading>>>,
}

/// A lock whose holder panicked still guards a plain value.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends a reading, also one that panicked, and gives what it found to those who wait.
struct Ending<'a> {
    cache: &'a Adapters,
    root: &'a Hash,
    reading: Arc<Reading>,
    found: Option<Result<Arc<Adapter>>>,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        let found = self.found.take().unwrap_or_else(|| Err(broken_off()));
        *held(&self.reading.found) = Some(found);
        held(&self.cache.readings).remove(self.root);
        self.reading.over.notify_all();
    }
}

fn broken_off() -> Error {
    Error::new("E-MODEL-016", "the reading of an adapter broke off", "Send the same request again.")
        .retryable()
}

impl Adapters {
    /// A cache of at most `most` bytes.
    pub fn new(most: usize, counters: Arc<AdapterCounters>) -> Self {
        Adapters { most, counters, inner: Mutex::default(), readings: Mutex::default() }
    }

    /// The adapter `root`, by `load` where it is not held. Of those who ask at the same time one reads, and all get
    /// what it found; nobody who asks for another adapter waits.
    fn get(&self, root: &Hash, load: impl FnOnce() -> Result<Adapter>) -> Result<Arc<Adapter>> {
        let (reading, mine) = {
            let mut readings = held(&self.readings);
            // What was read is held before its reading is over: who finds neither has to read.
            if let Some(adapter) = self.touch(root) {
                self.counters.hits.fetch_add(1, Relaxed);
                return Ok(adapter);
            }
            match readings.get(root) {
                Some(reading) => (reading.clone(), false),
                None => {
                    let reading = Arc::new(Reading::default());
                    readings.insert(*root, reading.clone());
                    (reading, true)
                }
            }
        };
        if mine {
            let mut ending = Ending { cache: self, root, reading, found: None };
            let found = load().map(Arc::new);
            if let Ok(adapter) = &found {
                self.loaded(*root, adapter);
            }
            ending.found = Some(found.clone());
            return found;
        }
        self.counters.hits.fetch_add(1, Relaxed);
        let mut found = held(&reading.found);
        loop {
            match &*found {
                Some(found) => return found.clone(),
                None => found = reading.over.wait(found).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    /// Refuses, by what the manifest says, an adapter that never fits.
    pub(crate) fn check_manifest(&self, manifest: &Manifest, config: &ModelConfig) -> Result<()> {
        // A parameter is a byte in memory, and a little more for its row.
        self.check_fits(&manifest.name, manifest.parameters.saturating_sub(config.parameters()))
    }

    /// Refuses an adapter of `bytes` that never fits, by the model's name.
    fn check_fits(&self, name: &str, bytes: u64) -> Result<()> {
        if bytes <= self.most as u64 {
            return Ok(());
        }
        Err(Error::new(
            "E-MODEL-015",
            format!(
                "the adapter of {name:?} takes at least {bytes} bytes, all adapters may take {}",
                self.most
            ),
            "Raise adapter_mib in the node's configuration, or do not serve this model.",
        ))
    }

    /// Takes in an adapter that was read.
    fn loaded(&self, root: Hash, adapter: &Arc<Adapter>) {
        self.counters.loads.fetch_add(1, Relaxed);
        self.hold(root, adapter);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        held(&self.inner)
    }

    fn touch(&self, root: &Hash) -> Option<Arc<Adapter>> {
        let mut inner = self.lock();
        inner.clock += 1;
        let now = inner.clock;
        let (adapter, used) = inner.held.get_mut(root)?;
        let (adapter, before) = (adapter.clone(), std::mem::replace(used, now));
        inner.by_use.remove(&before);
        inner.by_use.insert(now, *root);
        Some(adapter)
    }

    fn hold(&self, root: Hash, adapter: &Arc<Adapter>) {
        let bytes = adapter.bytes();
        let mut inner = self.lock();
        if bytes > self.most || inner.held.contains_key(&root) {
            return;
        }
        while inner.bytes + bytes > self.most {
            let Some((_, oldest)) = inner.by_use.pop_first() else { break };
            if let Some((left, _)) = inner.held.remove(&oldest) {
                inner.bytes -= left.bytes();
            }
        }
        inner.clock += 1;
        let now = inner.clock;
        inner.bytes += bytes;
        inner.held.insert(root, (adapter.clone(), now));
        inner.by_use.insert(now, root);
    }
}

/// Where a model's adapter is to be had.
#[derive(Clone)]
pub(crate) struct Adapted {
    root: Hash,
    base: Hash,
    parameters: u64,
    file: PathBuf,
    cache: Arc<Adapters>,
}

impl Adapted {
    /// The adapter that `manifest` names, from the folder `dir`; `None` where it names none. It is read and held
    /// against the manifest once, and again whenever it comes back into memory.
    ///
    /// # Errors
    /// `E-MODEL-015` for an adapter that is larger than the cache, where its manifest says so before it is read;
    /// `E-MODEL-001` and `-003` for the file, `-014` for an adapter that does not fit the network, `-007` for another
    /// root or base.
    pub(crate) fn open(
        dir: &Path,
        manifest: &Manifest,
        config: &ModelConfig,
        cache: &Arc<Adapters>,
    ) -> Result<Option<Self>> {
        let hash = |bytes: &[u8], what: &str| {
            Hash::try_from(bytes).map_err(|_| mismatch(format!("{what} has not 32 bytes")))
        };
        let root = hash(&manifest.adapter_root, "adapter_root")?;
        if root == ZERO_HASH {
            return Ok(None);
        }
        let base = hash(&manifest.weights_root, "weights_root")?;
        cache.check_manifest(manifest, config)?;
        let file = dir.join(ADAPTER_FILE);
        let mut own = Adapted { root, base, parameters: 0, file, cache: cache.clone() };
        // Read even where another model has it in memory: a wrong file shows now, not when it is next needed.
        let adapter = Arc::new(own.read(config)?);
        cache.check_fits(&manifest.name, adapter.bytes() as u64)?;
        own.parameters = adapter.parameters();
        cache.loaded(root, &adapter);
        Ok(Some(own))
    }

    /// Its root.
    pub(crate) fn root(&self) -> &Hash {
        &self.root
    }

    /// Its parameters.
    pub(crate) fn parameters(&self) -> u64 {
        self.parameters
    }

    /// The adapter, from memory or from the disk.
    ///
    /// # Errors
    /// As [`Adapted::open`], and `E-MODEL-016` when the thread that read it for all broke off.
    pub(crate) fn get(&self, config: &ModelConfig) -> Result<Arc<Adapter>> {
        self.cache.get(&self.root, || self.read(config))
    }

    /// The adapter from the disk, held against root and base.
    fn read(&self, config: &ModelConfig) -> Result<Adapter> {
        let bytes = read_bounded(&self.file, max_file_bytes(config))?;
        let adapter = Adapter::parse(&bytes, config)?;
        match (adapter.base() == &self.base, adapter.root() == &self.root) {
            (true, true) => Ok(adapter),
            (false, _) => Err(mismatch(format!("{ADAPTER_FILE} belongs to another base"))),
            (_, false) => Err(mismatch(format!("{ADAPTER_FILE} has another root"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use openledger_exact::adapter::{tensor_names, write, Target};
    use openledger_exact::file::Tensor;

    fn config() -> ModelConfig {
        let config = serde_json::json!({
            "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 32,
            "intermediate_size": 32, "vocab_size": 2, "num_hidden_layers": 1, "num_attention_heads": 1,
            "rms_norm_eps": 1e-5, "max_position_embeddings": 64, "eos_token_id": 0,
        });
        ModelConfig::parse(config.to_string().as_bytes()).unwrap()
    }

    fn adapter(value: f32) -> Adapter {
        let [a, b] = tensor_names(0, Target::Query);
        let tensor = |shape: [usize; 2]| Tensor { shape: shape.to_vec(), values: vec![value; 64] };
        let tensors = [(a, tensor([2, 32])), (b, tensor([32, 2]))].into();
        Adapter::parse(&write(&tensors, &[1; 32], 2, 4.0).unwrap(), &config()).unwrap()
    }

    #[test]
    fn node_attack_14_adapters_are_bounded_by_bytes_and_the_oldest_leaves() {
        let one = adapter(1.0).bytes();
        let cache = Adapters::new(one * 3, Arc::default());
        let get = |n: u8| cache.get(&[n; 32], || Ok(adapter(f32::from(n)))).unwrap();
        for n in 1..=3 {
            get(n);
        }
        let first = get(1);
        get(4);
        let counts = || (cache.counters.hits.load(Relaxed), cache.counters.loads.load(Relaxed));
        assert_eq!(counts(), (1, 4));
        assert!(Arc::ptr_eq(&first, &get(1)));
        // The second was used longest ago.
        get(2);
        assert_eq!(counts(), (2, 5));
        for n in 10..60 {
            get(n);
            let inner = cache.lock();
            assert!(inner.bytes <= one * 3 && inner.held.len() == inner.by_use.len());
            assert_eq!(inner.bytes, inner.held.values().map(|(a, _)| a.bytes()).sum::<usize>());
        }
        // A load that fails leaves nothing behind: the next one reads again.
        let small = Adapters::new(one, Arc::default());
        assert!(small.get(&[2; 32], || Err(mismatch("no".into()))).is_err());
        assert_eq!((small.counters.loads.load(Relaxed), held(&small.readings).len()), (0, 0));
        small.get(&[2; 32], || Ok(adapter(1.0))).unwrap();
        // One that is larger than the cache is named and refused.
        let refused = Adapters::new(one - 1, Arc::default()).check_fits("mine", one as u64).unwrap_err();
        assert!(refused.code == "E-MODEL-015" && refused.what.contains("\"mine\""), "{refused}");
        assert!(small.check_fits("mine", one as u64).is_ok());
    }

    /// `count` threads that ask for the same adapter, of which the first one's reading waits until all others have
    /// asked.
    fn together(
        cache: &Adapters,
        count: usize,
        load: &(dyn Fn() -> Result<Adapter> + Sync),
    ) -> Vec<Result<Arc<Adapter>>> {
        let waiting = || held(&cache.readings).values().map(Arc::strong_count).sum::<usize>();
        std::thread::scope(|scope| {
            let ask = || {
                cache.get(&[7; 32], || {
                    // The table holds one, the reader one, and each who waits one.
                    while waiting() < count + 1 {
                        std::thread::yield_now();
                    }
                    load()
                })
            };
            let threads: Vec<_> = (0..count).map(|_| scope.spawn(ask)).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|_| Err(mismatch("panic".into()))))
                .collect()
        })
    }

    #[test]
    fn a_cold_adapter_that_many_ask_for_is_read_once() {
        let cache = Adapters::new(1 << 20, Arc::default());
        let found = together(&cache, 8, &|| Ok(adapter(1.0)));
        let first = found[0].as_ref().unwrap();
        assert!(found.iter().all(|other| Arc::ptr_eq(first, other.as_ref().unwrap())));
        assert_eq!((cache.counters.loads.load(Relaxed), cache.counters.hits.load(Relaxed)), (1, 7));
        assert!(held(&cache.readings).is_empty());
    }

    #[test]
    fn a_reading_that_fails_or_panics_frees_all_who_wait_for_it() {
        let cache = Adapters::new(1 << 20, Arc::default());
        let found = together(&cache, 4, &|| Err(mismatch("torn".into())));
        assert!(found.iter().all(|found| found.as_ref().unwrap_err().code == "E-MODEL-007"));
        let found = together(&cache, 4, &|| panic!("a defect"));
        let told =
            found.iter().filter(|found| found.as_ref().is_err_and(|e| e.code == "E-MODEL-016" && e.retry));
        assert_eq!(told.count(), 3);
        // It is read again afterwards.
        assert!(cache.get(&[7; 32], || Ok(adapter(1.0))).is_ok());
    }
}
