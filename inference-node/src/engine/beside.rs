//! Models on one base: the same weights in memory, with nothing or an adapter added.

use std::path::Path;
use std::sync::Arc;

use openledger_exact::adapter::Adapter;
use openledger_types::formats::{Manifest, NumericClass};
use openledger_types::merkle::Hash;

use super::error::Result;
use super::exact::adapters::Adapted;
use super::files::{read_bounded, MANIFEST_FILE};
use super::model::{mismatch, parse_manifest, Class, Model, MAX_MANIFEST};
use super::ModelConfig;

impl Model {
    /// Loads a model on the same base as `self` from a folder with its `manifest.json` and, where it names one, its
    /// `adapter.safetensors`: weights and tokenizer are those in memory.
    ///
    /// # Errors
    /// `E-MODEL-007` when its manifest names another base, otherwise as [`Model::load`].
    pub fn load_beside(&self, dir: &Path) -> Result<Self> {
        let manifest_bytes = read_bounded(&dir.join(MANIFEST_FILE), MAX_MANIFEST)?;
        let manifest = parse_manifest(&manifest_bytes)?;
        let Class::Exact(net) = &self.class else {
            return Err(mismatch("models share weights in the class exact only".into()));
        };
        if !same_base(&manifest, &self.manifest) {
            return Err(mismatch("it rests on another base than the model in memory".into()));
        }
        let adapted = Adapted::open(dir, &manifest, &self.config, &self.adapters)?;
        check_size(&manifest, &self.config, adapted.as_ref())?;
        Ok(Model {
            manifest,
            manifest_bytes,
            config: self.config.clone(),
            tokenizer: self.tokenizer.clone(),
            chat_format: self.chat_format.clone(),
            vocabulary: self.vocabulary.clone(),
            class: Class::Exact(net.clone()),
            adapters: self.adapters.clone(),
            adapted,
        })
    }

    /// Whether both compute with the same weights in memory.
    pub(crate) fn shares_weights(&self, other: &Model) -> bool {
        matches!((&self.class, &other.class), (Class::Exact(a), Class::Exact(b)) if Arc::ptr_eq(a, b))
    }

    /// Root of the adapter; `None` where there is none.
    pub fn adapter_root(&self) -> Option<&Hash> {
        self.adapted.as_ref().map(Adapted::root)
    }

    /// Refuses a model on this base whose adapter its manifest says to be larger than all adapters in memory may be.
    ///
    /// # Errors
    /// `E-MODEL-015`.
    pub(crate) fn check_adapter_size(&self, manifest: &Manifest) -> Result<()> {
        self.adapters.check_manifest(manifest, &self.config)
    }

    /// What is added to the weights, from memory or from the folder.
    ///
    /// # Errors
    /// `E-MODEL-001`, `-003`, `-007` and `-014` when its file is no longer what it was.
    pub(crate) fn adapter(&self) -> Result<Option<Arc<Adapter>>> {
        self.adapted.as_ref().map(|adapted| adapted.get(&self.config)).transpose()
    }
}

/// Whether two models compute with the same weights, tokens and chats, so that only an adapter is between them.
pub(crate) fn same_base(a: &Manifest, b: &Manifest) -> bool {
    a.numeric_class == NumericClass::Exact
        && (a.numeric_class, &a.architecture, a.context) == (b.numeric_class, &b.architecture, b.context)
        && a.weights_root == b.weights_root
        && (&a.config_hash, &a.tokenizer_hash) == (&b.config_hash, &b.tokenizer_hash)
        && a.template_hash == b.template_hash
}

/// Holds context and parameters of a manifest, those of its adapter included, against the configuration.
pub(super) fn check_size(manifest: &Manifest, config: &ModelConfig, adapted: Option<&Adapted>) -> Result<()> {
    let added = adapted.map_or(0, Adapted::parameters);
    match u64::from(manifest.context) == config.max_position_embeddings as u64
        && manifest.parameters == config.parameters().saturating_add(added)
    {
        true => Ok(()),
        false => Err(mismatch("context or parameters differ from config.json".into())),
    }
}
