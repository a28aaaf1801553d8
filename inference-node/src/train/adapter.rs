//! Training of a low-rank adapter (LoRA, arXiv 2106.09685) on a base that stays as it is.
//!
//! Every product that is adapted has the weights W + s * B A, with A drawn at the beginning and B zero, so that the
//! first step starts at the base. The same network, operations, optimiser and checkpoints as for whole models are
//! used; only A and B are parameters. Training computes in f32 on the published weights; what is served are int8 rows
//! of W, A and B.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::Arc;

use candle_core::{Device, Tensor};
use cosmwasm_std::HexBinary;
use openledger_exact::adapter::{check_alpha, tensor_names, write, Adapter, Target, MAX_RANK};
use openledger_exact::file;
use openledger_types::formats::{Manifest, NumericClass, VersionRef};
use openledger_types::merkle::Hash;

use super::corpus::{documents_hash, Corpus, Document};
use super::export::{self, AdapterExport};
use super::optimizer::Params;
use super::progress::{Phase, Progress};
use super::recipe::{AdapterRecipe, Recipe};
use super::run::{run_steps, Run, TrainReport};
use crate::engine::files::{read_bounded, read_weights, Weights};
use crate::engine::net::Net;
use crate::engine::{
    Error, Model, ModelConfig, Result, Tokenizer, CHAT_FILE, CONFIG_FILE, TOKENIZER_FILE, WEIGHTS_FILE,
};

fn refuse(what: impl std::fmt::Display) -> Error {
    Error::new("E-TRAIN-015", format!("no adapter can be trained: {what}"), "Choose another base or recipe.")
}

impl AdapterRecipe {
    /// The products that it adds to.
    ///
    /// # Errors
    /// `E-TRAIN-015` for rank, alpha or targets out of range.
    fn targets(&self) -> Result<Vec<Target>> {
        if !(1..=MAX_RANK).contains(&self.rank) {
            return Err(refuse(format!("the rank is not within 1 and {MAX_RANK}")));
        }
        if !check_alpha(self.alpha) {
            return Err(refuse("alpha is not within 0.001 and 65536"));
        }
        let named = |name: &String| {
            let target = Target::ALL.into_iter().find(|target| target.name() == name);
            target.ok_or_else(|| refuse(format!("there is no product {name:?}")))
        };
        let mut targets = self.targets.iter().map(named).collect::<Result<Vec<_>>>()?;
        targets.sort_unstable();
        targets.dedup();
        match targets.is_empty() {
            true => Err(refuse("it names no product")),
            false => Ok(targets),
        }
    }
}

/// A base in memory.
struct Base {
    manifest: Manifest,
    config: ModelConfig,
    root: Hash,
    /// Its files by name, as they are published again with the adapter.
    files: Vec<(&'static str, Vec<u8>)>,
    tensors: HashMap<String, Tensor>,
}

impl Base {
    fn load(dir: &Path) -> Result<Self> {
        // Holds every file against the manifest.
        let model = Model::load(dir)?;
        let (manifest, config) = (model.manifest().clone(), model.config().clone());
        if manifest.numeric_class != NumericClass::Exact || model.adapter_root().is_some() {
            return Err(refuse("the base is not of the class exact, or has an adapter itself"));
        }
        if config.model_type != "llama"
            || config.head_dim() * config.num_attention_heads != config.hidden_size
        {
            return Err(refuse(format!("a base of the shape {} is not trained here", config.model_type)));
        }
        let root =
            Hash::try_from(manifest.weights_root.as_slice()).map_err(|_| refuse("the base has no root"))?;
        let (bytes, weights) = read_weights(&dir.join(WEIGHTS_FILE), &config)?;
        // The file that training starts from must be the one that the manifest stands for.
        let rows = openledger_exact::weights::ExactWeights::new(&config, &weights)?;
        if rows.root() != root {
            return Err(refuse(format!("{WEIGHTS_FILE} of the base has another root")));
        }
        let mut files = vec![(WEIGHTS_FILE, bytes)];
        for name in [CONFIG_FILE, TOKENIZER_FILE] {
            files.push((name, read_bounded(&dir.join(name), 64 << 20)?));
        }
        if model.chat_format().is_some() {
            files.push((CHAT_FILE, read_bounded(&dir.join(CHAT_FILE), 1 << 20)?));
        }
        let tensors = tensors(weights)?;
        Ok(Base { manifest, config, root, files, tensors })
    }

    fn file(&self, wanted: &str) -> &[u8] {
        self.files.iter().find(|(name, _)| *name == wanted).map_or(&[], |(_, bytes)| bytes)
    }

    /// The recipe with the base's shape in it; budget, batch and optimiser stay as given.
    fn recipe(&self, given: &Recipe) -> Recipe {
        Recipe {
            numeric_class: NumericClass::Exact,
            vocab: self.config.vocab_size,
            dim: self.config.hidden_size,
            layers: self.config.num_hidden_layers,
            heads: self.config.num_attention_heads,
            ffn: self.config.intermediate_size,
            context: given.context.min(self.config.max_position_embeddings),
            ..given.clone()
        }
    }
}

fn tensors(weights: Weights) -> Result<HashMap<String, Tensor>> {
    let tensor = |(name, of): (String, file::Tensor)| -> Result<(String, Tensor)> {
        Ok((name, Tensor::from_vec(of.values, of.shape, &Device::Cpu)?))
    };
    weights.into_iter().map(tensor).collect()
}

/// Trains an adapter on `documents` for the model in the folder `base` and writes both as a model to `out_dir`: the
/// base's own files beside `adapter.safetensors`. `recipe.adapter` says what is added; the shape is the base's.
///
/// A run that was cancelled or killed goes on from its checkpoint as in [`super::train`].
///
/// # Errors
/// `E-TRAIN-015` for a base or an adapter that cannot be trained, otherwise as [`super::train`] and [`Model::load`].
pub fn train_adapter(
    recipe: &Recipe,
    base: &Path,
    documents: &[Document],
    datanets: &[VersionRef],
    out_dir: &Path,
    progress: &mut dyn FnMut(&Progress),
    cancel: &AtomicBool,
) -> Result<TrainReport> {
    let own = recipe.adapter.as_ref().ok_or_else(|| refuse("the recipe has no [adapter]"))?;
    let targets = own.targets()?;
    let base = Base::load(base)?;
    let recipe = base.recipe(recipe);
    recipe.validate()?;
    std::fs::create_dir_all(out_dir).map_err(|e| Error::file(out_dir, &e))?;
    let documents_hash = documents_hash(documents);
    progress(&Progress::phase(Phase::Encoding));
    let tokenizer_json = base.file(TOKENIZER_FILE);
    let tokenizer = Tokenizer::parse(tokenizer_json, base.config.vocab_size)?;
    let corpus = Corpus::separated(&recipe, &tokenizer, documents, base.config.eos_token_id)?;
    let params = Params::low_rank(&base.config, &targets, own.rank, recipe.seed)?;
    let scale = f64::from(own.alpha) / own.rank as f64;
    let network = |params: &Params| -> Result<Arc<Net>> { Ok(Arc::new(adapted(&base, params, scale)?)) };
    // What a checkpoint has to be of: the recipe, the documents, the tokenizer and the base.
    let rest = [tokenizer_json, &base.root].concat();
    let run =
        Run { recipe: &recipe, documents, datanets, documents_hash, tokenizer: tokenizer_json, out_dir };
    let done = run_steps(run, corpus, params, &network, &rest, progress, cancel)?;

    progress(&Progress::phase(Phase::Writing));
    let trained: BTreeMap<String, file::Tensor> = done
        .params
        .0
        .into_iter()
        .map(|p| (p.name, file::Tensor { shape: p.shape, values: p.values }))
        .collect();
    let mut receipt = done.receipt;
    receipt.base_weights_root = Some(HexBinary::from(&base.root));
    let bytes = write(&trained, &base.root, own.rank, own.alpha)?;
    let adapter = Adapter::parse(&bytes, &base.config)?;
    let export = AdapterExport {
        base: &base.manifest,
        files: base.files.iter().map(|(name, bytes)| (*name, bytes.as_slice())).collect(),
        adapter: &adapter,
        adapter_bytes: &bytes,
        receipt: &receipt,
        curve: &done.state.curve,
    };
    let (manifest, manifest_hash) = export::write_adapter(out_dir, &export)?;
    super::run::finished(out_dir);
    Ok(TrainReport {
        manifest_hash,
        parameters: manifest.parameters,
        tokens_per_second: receipt.tokens_seen as f64 / receipt.seconds.max(1e-9),
        resumed_at: done.resumed_at,
        receipt,
    })
}

/// The base's network with W + s * B A where there are A and B.
fn adapted(base: &Base, params: &Params, scale: f64) -> Result<Net> {
    let mut changed = HashMap::new();
    for layer in 0..base.config.num_hidden_layers {
        for target in Target::ALL {
            let [a, b] = tensor_names(layer, target).map(|name| params.tensor(&name));
            let name = format!("{}.weight", target.module(layer));
            if let (Some(a), Some(b), Some(frozen)) = (a, b, base.tensors.get(&name)) {
                changed.insert(name, (frozen + (b.matmul(&a)? * scale)?)?);
            }
        }
    }
    Net::new(&base.config, |name| changed.get(name).or_else(|| base.tensors.get(name)).cloned())
}
