//! Models: found on chain, put together from stored blobs, checked, indexed, kept in memory.

use std::collections::{BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use openledger_attribution::influence::Signature;
use openledger_attribution::{Document, Evidence, Index};
use openledger_types::api::{AnswerBundle, EvidencePiece};
use openledger_types::formats::{Manifest, ModelFile, Share, VersionRef};
use openledger_types::merkle::Hash;
use openledger_types::msg::model_registry::ModelVersionResponse;

use super::manifest::{check_manifest, check_size, write_folder};
use super::node::{blocking, lock, root_of, store_fault, LocalBlobs, Node};
use crate::attribution::{Asked, Attribution, INFLUENCE_FILE};
use crate::corpus::{self, BlobSource, CorpusDoc};
use crate::dispute::Computation;
use crate::engine::{
    same_base, whole_name, BatchSettings, Batcher, GenRequest, Generation, Model, ADAPTER_FILE,
};
use crate::fault::{Class, Fault, Result};
use crate::recompute::{check_answer, evidence_pieces, follows, recompute, Checks};
use crate::request::{self, parse, Endpoint};

/// Who earns an answer, with the evidence.
#[derive(Debug, Clone, PartialEq)]
pub struct Traced {
    /// Shares of the receipt.
    pub shares: Vec<Share>,
    /// Basis points without evidence.
    pub no_evidence: u16,
    /// The evidence.
    pub pieces: Vec<EvidencePiece>,
    /// Its root.
    pub root: Hash,
    /// Scheme of the signature, `none` where there is none.
    pub signature_scheme: String,
    /// The signature's bytes.
    pub signature: Vec<u8>,
    /// Its root.
    pub signature_root: Hash,
}

/// How long a model whose files are wrong is left alone.
const REST: Duration = Duration::from_secs(300);

/// What answers and traces, so that the server runs in tests without a trained model.
pub trait Answerer: Send + Sync {
    /// Most tokens of prompt and answer together.
    fn context(&self) -> usize;
    /// Reads a question as the model does: its tokens.
    fn read(&self, asked: &mut request::Asked) -> Result<Vec<u32>>;
    /// Writes an answer.
    fn generate(
        &self,
        request: &GenRequest,
        deliver: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Generation>;
    /// Finds what an answer rests on; contributions of `barred` are not cited.
    fn trace(&self, asked: &Asked, seed: &Hash, barred: &BTreeSet<u64>) -> Result<Traced>;
    /// Contributions that an answer cites by the signature that was posted with it, when those of `barred`
    /// may not be; none when the bundle cannot be read, which [`Answerer::replay`] says.
    fn cites(&self, bundle: &AnswerBundle, barred: &BTreeSet<u64>) -> Vec<u64>;
    /// Computes an answer again: one line for each thing that is not as its receipt says.
    fn replay(&self, bundle: &AnswerBundle, barred: &BTreeSet<u64>) -> Vec<String>;
    /// Computes every value of an answer again, for a dispute about it.
    fn computation(&self, bundle: &AnswerBundle) -> Result<Computation>;
    /// Whether an answer is the one that the model gives to its request; none where that cannot be said here.
    fn follows(&self, bundle: &AnswerBundle) -> Option<bool>;
}

/// A model with the indexes of the versions that it rests on.
pub struct Traceable {
    batcher: Arc<Batcher>,
    attribution: Attribution,
}

impl Answerer for Traceable {
    fn context(&self) -> usize {
        self.batcher.model().context()
    }

    fn read(&self, asked: &mut request::Asked) -> Result<Vec<u32>> {
        Ok(self.batcher.model().read(asked)?)
    }

    fn generate(
        &self,
        request: &GenRequest,
        deliver: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Generation> {
        Ok(self.batcher.generate(request, deliver)?)
    }

    fn cites(&self, bundle: &AnswerBundle, barred: &BTreeSet<u64>) -> Vec<u64> {
        let asked = Endpoint::of(&bundle.endpoint).and_then(|endpoint| parse(endpoint, &bundle.body));
        let seed = Hash::try_from(bundle.receipt.receipt.seed.as_slice());
        let (Ok(asked), Ok(signature), Ok(seed)) = (asked, Signature::parse(&bundle.signature), seed) else {
            return Vec::new();
        };
        let asked = Asked {
            prompt: &asked.prompt,
            prompt_tokens: &[],
            answer: &bundle.answer,
            tokens: &bundle.tokens,
        };
        let trace = self.attribution.evidence(&asked, &signature, &seed, barred);
        trace.shares.iter().map(|share| share.contribution_id).collect()
    }

    fn replay(&self, bundle: &AnswerBundle, barred: &BTreeSet<u64>) -> Vec<String> {
        let mut checks = Checks::default();
        check_answer(&mut checks, bundle);
        checks.0.extend(recompute(self.batcher.model(), &self.attribution, bundle, barred).checks.0);
        checks.failures()
    }

    fn computation(&self, bundle: &AnswerBundle) -> Result<Computation> {
        Computation::new(self.batcher.model(), bundle)
    }

    fn follows(&self, bundle: &AnswerBundle) -> Option<bool> {
        follows(self.batcher.model(), bundle)
    }

    fn trace(&self, asked: &Asked, seed: &Hash, barred: &BTreeSet<u64>) -> Result<Traced> {
        let signature = self.attribution.sign(self.batcher.model(), asked)?;
        let trace = self.attribution.evidence(asked, &signature, seed, barred);
        let pieces = evidence_pieces(&trace);
        let root = Evidence::new(&trace).root();
        Ok(Traced {
            shares: trace.shares,
            no_evidence: trace.no_evidence_bps,
            pieces,
            root,
            signature_scheme: self.attribution.signature_scheme().into(),
            signature_root: self.attribution.signature_root(&signature),
            signature: signature.to_bytes(),
        })
    }
}

/// A model version that is ready.
pub struct Loaded {
    /// What the chain says of it.
    pub info: ModelVersionResponse,
    /// Its manifest.
    pub manifest: Manifest,
    /// What answers.
    pub answerer: Box<dyn Answerer>,
}

/// A model's standing.
#[derive(Clone)]
pub enum Slot {
    /// Being put together.
    Loading,
    /// Ready.
    Ready(Arc<Loaded>),
    /// Not to be had now, with the reason in words.
    Missing(String),
}

/// All models.
#[derive(Default)]
pub struct Models {
    slots: Mutex<HashMap<(u64, u32), Slot>>,
    /// Contributor of each contribution that was loaded.
    owners: Mutex<HashMap<u64, String>>,
    /// One model on each base in memory, whose weights and workers serve all others on it.
    bases: RwLock<Vec<Arc<Batcher>>>,
    /// Height up to which each contribution may be cited, as far as it was asked for.
    citable: Mutex<HashMap<u64, u64>>,
    /// Models whose files are wrong, and since when that is known.
    refused: Mutex<HashMap<(u64, u32), Instant>>,
    /// Whether all that is stored here was looked at once since the start.
    looked: AtomicBool,
}

impl Models {
    /// A model that is ready.
    ///
    /// # Errors
    /// `E-NODE-004` unknown here, `-005` not ready yet.
    pub fn ready(&self, model_id: u64, version: u32) -> Result<Arc<Loaded>> {
        let named = format!("version {version} of model {model_id}");
        match lock(&self.slots).get(&(model_id, version)) {
            Some(Slot::Ready(loaded)) => Ok(loaded.clone()),
            Some(Slot::Loading) => Err(Fault::unavailable(
                "E-NODE-005",
                format!("{named} is being loaded"),
                "Try again in a few seconds.",
            )),
            Some(Slot::Missing(why)) => Err(Fault::unavailable(
                "E-NODE-005",
                format!("{named} is not ready: {why}"),
                "Ask the operator, or another node of the session.",
            )),
            None => Err(Fault::new(
                Class::NotFound,
                "E-NODE-004",
                format!("{named} is not served here"),
                "See GET /v1/models for what is.",
            )),
        }
    }

    /// Whether a model may be ready soon: it is being loaded, or what is stored was not looked at since the start.
    pub fn is_coming(&self, model_id: u64, version: u32) -> bool {
        match lock(&self.slots).get(&(model_id, version)) {
            Some(Slot::Ready(_)) => false,
            Some(Slot::Loading) => true,
            Some(Slot::Missing(_)) | None => !self.looked.load(Ordering::Relaxed),
        }
    }

    /// All that is stored here was looked at.
    pub fn looked(&self) {
        self.looked.store(true, Ordering::Relaxed);
    }

    /// Models that are ready, in order.
    pub fn all(&self) -> Vec<Arc<Loaded>> {
        let slots = lock(&self.slots);
        let mut ready: Vec<Arc<Loaded>> = slots
            .values()
            .filter_map(|slot| match slot {
                Slot::Ready(loaded) => Some(loaded.clone()),
                _ => None,
            })
            .collect();
        ready.sort_by_key(|loaded| (loaded.info.model_id, loaded.info.version));
        ready
    }

    /// Models that are not ready: (model, version, why).
    pub fn waiting(&self) -> Vec<(u64, u32, String)> {
        let slots = lock(&self.slots);
        let mut waiting: Vec<_> = slots
            .iter()
            .filter_map(|((id, version), slot)| match slot {
                Slot::Ready(_) => None,
                Slot::Loading => Some((*id, *version, "loading".to_string())),
                Slot::Missing(why) => Some((*id, *version, why.clone())),
            })
            .collect();
        waiting.sort();
        waiting
    }

    /// The newest version of a model that is ready.
    pub fn newest(&self, model_id: u64) -> Option<Arc<Loaded>> {
        self.all().into_iter().rfind(|loaded| loaded.info.model_id == model_id)
    }

    /// Makes a model ready.
    pub fn insert(&self, loaded: Loaded) {
        let key = (loaded.info.model_id, loaded.info.version);
        lock(&self.slots).insert(key, Slot::Ready(Arc::new(loaded)));
    }

    /// The contributor of a contribution, when it was seen.
    pub fn owner(&self, contribution_id: u64) -> Option<String> {
        lock(&self.owners).get(&contribution_id).cloned()
    }

    /// Remembers a contributor.
    pub fn remember_owner(&self, contribution_id: u64, contributor: String) {
        lock(&self.owners).insert(contribution_id, contributor);
    }

    /// Whether it is known that a contribution may be cited at a height.
    pub(super) fn is_citable(&self, contribution_id: u64, height: u64) -> bool {
        lock(&self.citable).get(&contribution_id).is_some_and(|until| height <= *until)
    }

    /// Remembers the height up to which a contribution may be cited.
    pub(super) fn remember_citable(&self, contribution_id: u64, until: u64) {
        lock(&self.citable).insert(contribution_id, until);
    }

    /// A model in memory on the same base as `manifest`'s.
    fn base_of(&self, manifest: &Manifest) -> Option<Arc<Batcher>> {
        let bases = self.bases.read().unwrap_or_else(PoisonError::into_inner);
        bases.iter().find(|base| same_base(base.model().manifest(), manifest)).cloned()
    }

    fn add_base(&self, batcher: &Arc<Batcher>) {
        self.bases.write().unwrap_or_else(PoisonError::into_inner).push(batcher.clone());
    }

    fn set(&self, key: (u64, u32), slot: Slot) {
        lock(&self.slots).insert(key, slot);
    }

    fn why(&self, key: (u64, u32)) -> Option<String> {
        match lock(&self.slots).get(&key) {
            Some(Slot::Missing(why)) => Some(why.clone()),
            _ => None,
        }
    }

    /// Leaves a model alone for [`REST`].
    fn rest(&self, key: (u64, u32)) {
        lock(&self.refused).insert(key, Instant::now());
    }

    fn rests(&self, key: (u64, u32)) -> bool {
        lock(&self.refused).get(&key).is_some_and(|since| since.elapsed() < REST)
    }

    fn is_ready(&self, key: (u64, u32)) -> bool {
        matches!(lock(&self.slots).get(&key), Some(Slot::Ready(_)))
    }
}

impl Node {
    /// One round of the model loop: loads what is wanted, stored here and not ready.
    pub async fn load_models(self: &Arc<Self>, scratch: &Path) -> Result<()> {
        let wanted = if self.settings.models.is_empty() {
            let models = self.chain.models().await?;
            models.iter().flat_map(|(id, latest)| (1..=*latest).map(|v| (*id, v))).collect()
        } else {
            self.settings.models.clone()
        };
        for key in wanted {
            if self.models.is_ready(key) || self.models.rests(key) {
                continue;
            }
            let Some(info) = self.chain.model_version(key.0, key.1).await? else {
                if !self.settings.models.is_empty() {
                    self.models.set(key, Slot::Missing("it is not registered".into()));
                }
                continue;
            };
            let Some(manifest) = self.stored(&root_of(&info.manifest)?).await? else {
                // Without a list of models, what was never uploaded here is none of this node's.
                if !self.settings.models.is_empty() {
                    self.models.set(key, Slot::Missing("its manifest was not uploaded".into()));
                }
                continue;
            };
            let why = self.models.why(key);
            let slot = match self.assemble(&info, manifest, scratch).await {
                Ok(loaded) => {
                    tracing::info!(model = key.0, version = key.1, "model ready");
                    Slot::Ready(Arc::new(loaded))
                }
                Err(fault) => {
                    // Once for each reason, not at every round.
                    if why.as_deref() != Some(&fault.to_string()) {
                        tracing::warn!(
                            model = key.0,
                            version = key.1,
                            code = fault.code,
                            "model not ready: {}",
                            fault.what
                        );
                    }
                    if fault.code.starts_with("E-MODEL") {
                        // What is stored is not this model: to write and read it at every round wears the disk.
                        self.models.rest(key);
                    }
                    Slot::Missing(fault.to_string())
                }
            };
            self.models.set(key, slot);
        }
        self.models.looked();
        self.metrics.models.store(self.models.all().len() as u64, Ordering::Relaxed);
        Ok(())
    }

    async fn assemble(
        &self,
        info: &ModelVersionResponse,
        manifest_bytes: Vec<u8>,
        scratch: &Path,
    ) -> Result<Loaded> {
        let manifest = check_manifest(info, &manifest_bytes)?;
        check_size(&manifest, self.settings.model_bytes)?;
        self.check_stored(&manifest).await?;
        self.models.set((info.model_id, info.version), Slot::Loading);
        let local = LocalBlobs(self.store.clone());
        let folder = scratch.join(format!("{}-{}", info.model_id, info.version));
        // Of a base in memory only the adapter is missing.
        let base = self.models.base_of(&manifest);
        if let Some(base) = &base {
            // Before the adapter is read from the store.
            base.model().check_adapter_size(&manifest)?;
        }
        let wanted: Vec<&ModelFile> = manifest
            .files
            .iter()
            .filter(|file| base.is_none() || whole_name(&file.name).0 == ADAPTER_FILE)
            .collect();
        write_folder(&folder, manifest_bytes, &wanted, &local).await?;
        let (path, beside, adapters) = (folder.clone(), base.clone(), self.adapters.clone());
        let device = self.settings.device;
        let model = blocking(move || match beside {
            Some(base) => Ok(base.model().load_beside(&path)?),
            None => Ok(Model::load_on(&path, &adapters, device)?),
        })
        .await?;
        let versions: Vec<VersionRef> = manifest.datanets.clone();
        let docs = corpus::load(self.chain.as_ref(), &versions, &local, &self.identities, &|_, _| {}).await?;
        for doc in &docs {
            self.models.remember_owner(doc.facts.contribution_id, doc.facts.contributor.clone());
        }
        let influence = match manifest.files.iter().find(|file| file.name == INFLUENCE_FILE) {
            Some(file) => Some(local.blob(&file.blob).await?),
            None => None,
        };
        let named = manifest.clone();
        let attribution = blocking(move || {
            let index = build_index(docs)?;
            Ok(Attribution::open(&named, index, influence.as_deref())?)
        })
        .await?;
        let settings = BatchSettings {
            workers: self.settings.workers,
            batch: self.settings.batch,
            // The node admits no more than this, whatever model they ask.
            queue: self.settings.queue.saturating_add(self.settings.together()),
            prefix_bytes: self.settings.prefix_bytes,
        };
        let model = Arc::new(model);
        let batcher = match base {
            Some(base) => Arc::new(base.beside(model)?),
            None => {
                let batcher = Arc::new(Batcher::start(model, settings, self.metrics.engine.clone())?);
                self.models.add_base(&batcher);
                batcher
            }
        };
        let answerer = Box::new(Traceable { batcher, attribution });
        Ok(Loaded { info: info.clone(), manifest, answerer })
    }

    /// Refuses a model of which a file or a contribution is not stored here yet, before anything of
    /// it is decrypted or loaded.
    async fn check_stored(&self, manifest: &Manifest) -> Result<()> {
        let mut blobs: Vec<(String, Hash)> = Vec::new();
        for file in &manifest.files {
            blobs.push((file.name.clone(), root_of(&file.blob)?));
        }
        for version in &manifest.datanets {
            for facts in corpus::leaves(self.chain.as_ref(), version).await? {
                blobs.push((format!("contribution {}", facts.contribution_id), root_of(&facts.blob)?));
            }
        }
        let store = self.store.clone();
        blocking(move || {
            let (mut missing, mut first) = (0usize, None);
            for (name, root) in blobs {
                if !store.has(&root).map_err(store_fault)? {
                    missing += 1;
                    first.get_or_insert(name);
                }
            }
            match first {
                None => Ok(()),
                Some(name) => Err(Fault::unavailable(
                    "E-NODE-034",
                    format!("{missing} of its blobs are not stored here, the first is {name}"),
                    "Upload them with PUT /v1/blobs/{root}.",
                )),
            }
        })
        .await
    }
}

/// The index over a corpus, as node and verifier build it.
///
/// # Errors
/// `E-NODE-032` when the texts cannot be indexed.
pub fn build_index(docs: Vec<CorpusDoc>) -> Result<Index> {
    let documents = docs
        .into_iter()
        .map(|doc| Document {
            contribution_id: doc.facts.contribution_id,
            contributor: doc.facts.contributor,
            priority: (doc.facts.priority.height, doc.facts.priority.tx_index),
            match_text: doc.match_text,
        })
        .collect();
    Index::build(documents).map_err(|e| {
        Fault::new(
            Class::Internal,
            "E-NODE-032",
            format!("the texts cannot be indexed: {e}"),
            "Serve a model that rests on fewer or smaller versions.",
        )
    })
}
