//! Adapters in memory: read from a model's folder when they are first asked for, the least recently used leaving
//! when they are more than a number of bytes.
//!
//! One cache serves all bases: a root names its base. An adapter that leaves the cache stays in memory until the last answer that is
//! computed with it has ended.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use openledger_exact::adapter::{max_file_bytes, Adapter, ADAPTER_FILE};
use openledger_exact::config::ModelConfig;
use openledger_types::formats::Manifest;
use openledger_types::merkle::{Hash, ZERO_HASH};

use crate::engine::error::Result;
use crate::engine::files::read_bounded;
use crate::engine::model::mismatch;

/// Bytes of adapters that stay in memory when nobody says otherwise.
pub const ADAPTER_BYTES: usize = 256 << 20;

/// What a cache of adapters counts.
#[derive(Debug, Default)]
pub struct AdapterCounters {
    /// Requests whose adapter was in memory.
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

/// Adapters in memory by their roots.
pub struct Adapters {
    most: usize,
    counters: Arc<AdapterCounters>,
    inner: Mutex<Inner>,
}

impl Adapters {
    /// A cache of at most `most` bytes.
    pub fn new(most: usize, counters: Arc<AdapterCounters>) -> Self {
        Adapters { most, counters, inner: Mutex::default() }
    }

    /// The adapter `root`, by `load` where it is not held. Nothing waits for a disk: two who ask at the same time may
    /// both read it.
    fn get(&self, root: &Hash, load: impl FnOnce() -> Result<Adapter>) -> Result<Arc<Adapter>> {
        if let Some(adapter) = self.touch(root) {
            self.counters.hits.fetch_add(1, Relaxed);
            return Ok(adapter);
        }
        let adapter = Arc::new(load()?);
        self.loaded(*root, &adapter);
        Ok(adapter)
    }

    /// Takes in an adapter that was read.
    fn loaded(&self, root: Hash, adapter: &Arc<Adapter>) {
        self.counters.loads.fetch_add(1, Relaxed);
        self.hold(root, adapter);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
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
    /// `E-MODEL-001` and `-003` for the file, `-014` for an adapter that does not fit the network, `-007` for
    /// another root or base.
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
        let file = dir.join(ADAPTER_FILE);
        let mut own = Adapted { root, base, parameters: 0, file, cache: cache.clone() };
        // Read even where another model has it in memory: a wrong file shows now, not when it is next needed.
        let adapter = Arc::new(own.read(config)?);
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
    /// As [`Adapted::open`].
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
        // One that is larger than the cache is served and not held.
        let small = Adapters::new(one - 1, Arc::default());
        small.get(&[1; 32], || Ok(adapter(1.0))).unwrap();
        assert_eq!(small.lock().held.len(), 0);
        // A load that fails leaves nothing behind.
        assert!(small.get(&[2; 32], || Err(mismatch("no".into()))).is_err());
        assert_eq!(small.counters.loads.load(Relaxed), 1);
    }
}
