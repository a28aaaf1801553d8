//! Models: train from sealed versions, register, show.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cosmwasm_std::Uint128;
use openledger_attribution::{Index, Weights};
use openledger_client::contracts::Reader;
use openledger_client::Signer;
use openledger_node::attribution::Source;
use openledger_node::corpus::{self, HttpBlobs, Identities};
use openledger_node::engine::{import, whole_name, Model, MANIFEST_FILE};
use openledger_node::serve::build_index;
use openledger_node::train::{
    self, Calibrate, Calibration, Heldout, Progress, Recipe, TrainReport, TrainingReceipt, RECEIPT_FILE,
};
use openledger_types::api::NodeInfo;
use openledger_types::formats::{manifest_hash, BlobRef, Manifest, NumericClass, VersionRef};
use openledger_types::merkle::ZERO_HASH;
use openledger_types::money::Split;
use openledger_types::msg::model_registry::{
    ExecuteMsg, ModelResponse, ModelVersionResponse, NewVersion, Parent, TrainedOn,
};
use serde::{Deserialize, Serialize};

use crate::context::{make_private_dir, read_json, write_json, Context};
use crate::error::{Class, CliError, Result};
use crate::model_files::{self, plain_name};
use crate::{node_http, progress};

/// Most bytes of held-out text that a model is measured on, unless told otherwise.
pub const HELDOUT_BYTES: usize = 256 << 10;
/// Questions of a calibration, half of them to fit weights, half to judge.
const CALIBRATION_QUESTIONS: usize = 24;
/// How long a node may take to load and index a model that was uploaded.
const READY: Duration = Duration::from_secs(300);
/// Remembers, beside the model, what was registered, so that a second run goes on.
const REGISTRATION_FILE: &str = "registration.json";

/// What to train.
#[derive(Clone, Debug)]
pub struct TrainArgs {
    /// Sealed versions: (datanet, version).
    pub versions: Vec<(u64, u32)>,
    /// Folder for the model.
    pub out: PathBuf,
    /// How.
    pub recipe: Recipe,
    /// The model that an adapter is trained for, when the recipe has one.
    pub base: Option<Base>,
    /// Texts that the model has not seen, on which it is measured; none when empty.
    pub heldout: Vec<String>,
    /// Most bytes of them that are taken.
    pub heldout_bytes: usize,
    /// What the layers of attribution weigh, for models of public datanets.
    pub weights: Weights,
    /// Fit the weights by so many small trainings without a half of the data, and as many without a tenth.
    pub calibrate: Option<usize>,
    /// Base URL of the node that keeps the blobs.
    pub node: String,
}

/// Where a base is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Base {
    /// In this folder.
    Folder(PathBuf),
    /// Registered: model and version. It is fetched from the node.
    Registered(u64, u32),
}

/// A trained model.
#[derive(Clone, Debug)]
pub struct Trained {
    /// Its folder.
    pub dir: PathBuf,
    /// Versions that it rests on.
    pub datanets: Vec<VersionRef>,
    /// What the run reports.
    pub report: TrainReport,
    /// Bits a byte on the held-out text.
    pub heldout: Option<Heldout>,
    /// Where the weights of the layers are from, if they were fitted.
    pub calibration: Option<Calibration>,
}

impl Trained {
    /// The figures of the run, for people and programs.
    pub fn figures(&self) -> serde_json::Value {
        let receipt = &self.report.receipt;
        serde_json::json!({
            "dir": self.dir,
            "datanets": self.datanets,
            "documents": receipt.documents,
            "bytes": receipt.bytes,
            "parameters": self.report.parameters,
            "steps": receipt.steps,
            "seconds": receipt.seconds,
            "tokens_per_second": self.report.tokens_per_second,
            "loss_first": receipt.loss_first,
            "loss_last": receipt.loss_last,
            "manifest_hash": hex::encode(self.report.manifest_hash),
            "resumed_at": self.report.resumed_at,
            "heldout": self.heldout,
            "calibration": self.calibration,
        })
    }
}

/// Loads sealed versions, checks them against the chain, and trains on them. Ctrl-C stops after the
/// current step and leaves a checkpoint, from which the same call goes on.
///
/// # Errors
/// When a version cannot be loaded or does not match the chain, the recipe cannot be trained, the disk
/// is full, or training was stopped.
pub async fn train(ctx: &Context, args: TrainArgs) -> Result<Trained> {
    let reader = ctx.reader().await?;
    let mut wanted = args.versions;
    wanted.sort_unstable();
    let mut datanets = Vec::with_capacity(wanted.len());
    for (datanet_id, version) in wanted {
        if datanets.iter().any(|d: &VersionRef| d.datanet_id == datanet_id) {
            return Err(CliError::usage(format!("datanet {datanet_id} is named twice")));
        }
        datanets.push(reader.version(datanet_id, version).await?.version);
    }
    if datanets.is_empty() {
        return Err(CliError::usage("name at least one sealed version, as DATANET:VERSION"));
    }
    if args.base.is_some() != args.recipe.adapter.is_some() {
        return Err(CliError::usage("an adapter needs both --base and a recipe with [adapter]"));
    }
    let base = match args.base {
        None => None,
        Some(Base::Folder(dir)) => Some(dir),
        Some(Base::Registered(id, version)) => {
            Some(model_files::base(ctx, &reader, (id, version), &args.node).await?)
        }
    };
    let docs = load_corpus(ctx, &reader, &datanets, &args.node).await?;

    let cancel = Arc::new(AtomicBool::new(false));
    let stop = {
        let cancel = cancel.clone();
        tokio::spawn(async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                cancel.store(true, Ordering::Relaxed);
            }
        })
    };
    let (recipe, out, heldout, most) = (args.recipe, args.out.clone(), args.heldout, args.heldout_bytes);
    let mut on_progress: Box<dyn FnMut(&Progress) + Send> = match ctx.progress {
        true => Box::new(train::bar()),
        false => Box::new(|_| {}),
    };
    let (versions, mut weights) = (datanets.clone(), args.weights);
    let trials = args.calibrate.map(|trainings| (trainings, ctx.home.join("calibration")));
    // The influence index tells which tokens a document holds: it is made of public documents only.
    let mut public = true;
    for version in &datanets {
        public &= reader.datanet(version.datanet_id).await?.public_identity.is_some();
    }
    let bar = progress::bar(ctx, 0, "indexing influence");
    let fitting = progress::bar(ctx, 0, "fitting weights");
    let done = blocking(move || {
        // A copy is stored, but never trained on (rule D3): its credit belongs to the first.
        let texts = build_index(docs.clone())?;
        let docs: Vec<_> =
            docs.into_iter().filter(|doc| !texts.is_left_out(doc.facts.contribution_id)).collect();
        let documents: Vec<train::Document> = docs
            .iter()
            .map(|doc| train::Document {
                contribution_id: doc.facts.contribution_id,
                datanet_id: doc.facts.datanet_id,
                text: &doc.content,
            })
            .collect();
        let sources: Vec<Source> = docs
            .iter()
            .map(|doc| Source { contribution_id: doc.facts.contribution_id, text: &doc.content })
            .collect();
        let mut calibration = None;
        // Before the long training, as it fails where the data is too small.
        if let Some((trainings, cache)) = trials.as_ref().filter(|_| public) {
            let asked = Calibrate {
                recipe: &recipe,
                sources: &sources,
                trainings: *trainings,
                questions: CALIBRATION_QUESTIONS,
                cache,
            };
            let shown = |done, all| {
                fitting.set_length(all);
                fitting.set_position(done);
            };
            let found = train::calibrate(&asked, &shown, &cancel)?;
            weights = found.weights();
            calibration = Some(found);
        }
        fitting.finish_and_clear();
        let mut report = match base {
            None => train::train(&recipe, &documents, &versions, &out, &mut on_progress, &cancel)?,
            Some(base) => {
                let show = &mut on_progress;
                train::train_adapter(&recipe, &base, &documents, &versions, &out, show, &cancel)?
            }
        };
        if public {
            let shown = |done, all| {
                bar.set_length(all);
                bar.set_position(done);
            };
            report.manifest_hash =
                Model::add_influence(&out, &sources, &texts, weights, calibration.as_ref(), &shown)?;
        }
        bar.finish_and_clear();
        let measured = match heldout.is_empty() {
            true => None,
            false => {
                let training: Vec<&str> = docs.iter().map(|doc| doc.content.as_str()).collect();
                let texts: Vec<&str> = heldout.iter().map(String::as_str).collect();
                Some(train::evaluate(&Model::load(&out)?, &training, &texts, most)?)
            }
        };
        Ok((report, measured, calibration))
    })
    .await;
    stop.abort();
    let (report, heldout, calibration) = done?;
    Ok(Trained { dir: args.out, datanets, report, heldout, calibration })
}

/// The documents of sealed versions, checked against the chain, with the keys that this home folder
/// holds. Public datanets need none.
///
/// # Errors
/// Of the chain, the node, or class verification when anything does not match the chain.
pub async fn load_corpus(
    ctx: &Context,
    reader: &Reader,
    versions: &[VersionRef],
    node: &str,
) -> Result<Vec<corpus::CorpusDoc>> {
    let mut identities = Identities::default();
    for version in versions {
        if let Some(key) = crate::readers::newest_here(ctx, reader, version.datanet_id).await? {
            identities.own.insert(version.datanet_id, key);
        }
    }
    let total = versions.iter().map(|v| v.size).sum();
    let bar = progress::bar(ctx, total, "reading the data");
    let blobs = HttpBlobs::new(node)?;
    let docs = corpus::load(reader, versions, &blobs, &identities, &|_, _| bar.inc(1)).await;
    bar.finish_and_clear();
    Ok(docs?)
}

/// What to register.
#[derive(Clone, Debug)]
pub struct RegisterArgs {
    /// The model's folder.
    pub dir: PathBuf,
    /// Model that gets a new version; a new model when absent.
    pub model_id: Option<u64>,
    /// Name of a new model.
    pub name: String,
    /// What a new model is for.
    pub description: String,
    /// Price of a prompt token, in base units.
    pub price_in: u128,
    /// Price of an answer token, in base units.
    pub price_out: u128,
    /// How a fee is divided; its protocol part is the one that the registry demands.
    pub split: Split,
    /// Model versions that it rests on, sorted by (model, version).
    pub parents: Vec<Parent>,
    /// What versions that rest on it owe its developer, in basis points of the fee.
    pub royalty_bps: u16,
    /// Base URL of the node that will serve it.
    pub node: String,
}

/// A registered version, ready at the node.
#[derive(Clone, Debug, Serialize)]
pub struct Registered {
    /// Model.
    pub model_id: u64,
    /// Version.
    pub version: u32,
    /// Transactions, in order; none of an earlier run.
    pub txs: Vec<String>,
}

/// What was registered from a folder, kept in it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Registration {
    chain_id: String,
    registry: String,
    manifest_hash: String,
    model_id: u64,
    version: Option<u32>,
}

/// The folder of a model that is registered: `path` itself when it has a manifest, else what is made of the
/// GGUF file or Hugging Face folder there, in this home folder.
///
/// # Errors
/// When it is no model, or no class is named for one from elsewhere.
pub async fn folder(
    ctx: &Context,
    path: PathBuf,
    name: &str,
    class: Option<NumericClass>,
) -> Result<PathBuf> {
    if path.join(MANIFEST_FILE).is_file() {
        return Ok(path);
    }
    let class = class.ok_or_else(|| {
        CliError::usage(format!(
            "{} has no {MANIFEST_FILE}: to import it, say how exactly its answers repeat (--class exact)",
            path.display()
        ))
    })?;
    crate::context::check_name(name)?;
    let out = ctx.home.join("models").join(name);
    make_private_dir(&out)?;
    let (to, name) = (out.clone(), name.to_string());
    blocking(move || Ok(import(&path, &to, &name, class)?)).await?;
    Ok(out)
}

/// Registers the model in a folder, uploads its files and waits until the node serves it. A run that
/// was stopped goes on where it was.
///
/// # Errors
/// When the folder is no model, the chain refuses, or the node does not take or load the files.
pub async fn register(ctx: &Context, signer: &Signer, args: RegisterArgs) -> Result<Registered> {
    let reader = ctx.reader().await?;
    let registry = reader.contracts().model_registry.clone();
    let mut parents = args.parents;
    parents.sort_by_key(|parent| (parent.model_id, parent.version));
    let (manifest_bytes, manifest) = read_manifest(&args.dir)?;
    let params = reader.model_config().await?.params;
    if args.split.protocol != params.protocol_bps || !args.split.is_whole() {
        return Err(CliError::usage(format!(
            "the parts must be 10,000 together with {} for the protocol, not {}+{}+{}+{}",
            params.protocol_bps, args.split.protocol, args.split.developer, args.split.node, args.split.data
        )));
    }
    check_base(&reader, &manifest, &parents).await?;
    let hash = manifest_hash(&manifest_bytes);
    let note = args.dir.join(REGISTRATION_FILE);
    let mut txs = Vec::new();
    let earlier = read_json::<Registration>(&note).ok().filter(|r| {
        r.chain_id == signer.chain().config().chain_id
            && r.registry == registry
            && r.manifest_hash == hex::encode(hash)
            && args.model_id.is_none_or(|id| id == r.model_id)
    });
    let mut registration = match (earlier, args.model_id) {
        (Some(earlier), _) => earlier,
        (None, given) => {
            let model_id = match given {
                Some(model_id) => model_id,
                None => {
                    let msg = ExecuteMsg::RegisterModel { name: args.name, description: args.description };
                    let result = signer.execute(&registry, &msg, &[]).await?;
                    let model_id = result.contract_number(&registry, "model_id");
                    txs.push(result.hash);
                    model_id.ok_or_else(|| crate::datanet::silent("model_id"))?
                }
            };
            let registration = Registration {
                chain_id: signer.chain().config().chain_id.clone(),
                registry: registry.clone(),
                manifest_hash: hex::encode(hash),
                model_id,
                version: None,
            };
            write_json(&note, &registration)?;
            registration
        }
    };
    let model_id = registration.model_id;
    let version = match registration.version {
        Some(version) => version,
        None => {
            let msg = ExecuteMsg::RegisterVersion {
                model_id,
                version: NewVersion {
                    manifest_hash: (&hash).into(),
                    manifest: BlobRef::of(&manifest_bytes),
                    weights_root: manifest.weights_root.clone(),
                    training_root: manifest.training_root.clone(),
                    numeric_class: manifest.numeric_class,
                    datanets: trained_on(&args.dir, &manifest)?,
                    parents,
                    royalty_bps: args.royalty_bps,
                    denom: crate::context::DENOM.into(),
                    price_in: Uint128::new(args.price_in),
                    price_out: Uint128::new(args.price_out),
                    split: args.split,
                },
            };
            let result = signer.execute(&registry, &msg, &[]).await?;
            let version = result.contract_number(&registry, "version").and_then(|v| u32::try_from(v).ok());
            txs.push(result.hash);
            let version = version.ok_or_else(|| crate::datanet::silent("version"))?;
            registration.version = Some(version);
            write_json(&note, &registration)?;
            version
        }
    };
    upload(ctx, &args.dir, manifest_bytes, &manifest, (model_id, version), &args.node).await?;
    wait_ready(ctx, (model_id, version), &args.node).await?;
    Ok(Registered { model_id, version, txs })
}

/// An adapter's base must be among its parents, so that the base's developer is paid (rule L11).
async fn check_base(reader: &Reader, manifest: &Manifest, parents: &[Parent]) -> Result<()> {
    if manifest.adapter_root.as_slice() == ZERO_HASH {
        return Ok(());
    }
    for parent in parents {
        let version = reader.model_version(parent.model_id, parent.version).await?;
        if version.weights_root == manifest.weights_root {
            return Ok(());
        }
    }
    Err(CliError::usage("no parent has the weights of the adapter's base: name it by --parent MODEL:VERSION"))
}

/// The training receipt of a model's folder, as the run wrote it.
///
/// # Errors
/// When it is not the file that the manifest names, or is of another release.
pub fn training_receipt(dir: &Path, manifest: &Manifest) -> Result<TrainingReceipt> {
    let path = dir.join(RECEIPT_FILE);
    let bytes = std::fs::read(&path).map_err(|e| CliError::file(&path, e))?;
    parse_training(manifest, &bytes)
}

/// A training receipt, held against the manifest.
///
/// # Errors
/// As [`training_receipt`].
pub fn parse_training(manifest: &Manifest, bytes: &[u8]) -> Result<TrainingReceipt> {
    let wrong = |what: String| {
        CliError::new(
            Class::Verification,
            "E-CLI-046",
            format!("the training receipt {what}"),
            "use the receipt of this very model, made by this release: train again if there is none",
        )
    };
    let named = manifest.files.iter().find(|file| file.name == RECEIPT_FILE);
    if named.is_none_or(|file| file.blob != BlobRef::of(bytes)) {
        return Err(wrong("is not the file that the manifest names".into()));
    }
    let receipt: TrainingReceipt =
        serde_json::from_slice(bytes).map_err(|e| wrong(format!("cannot be read: {e}")))?;
    let root = train::root_of(&receipt.training)?;
    if receipt.training_root != manifest.training_root || manifest.training_root.as_slice() != root {
        return Err(wrong("has other counts than the manifest's root".into()));
    }
    Ok(receipt)
}

/// The versions of a manifest, each with the root of its training counts.
fn trained_on(dir: &Path, manifest: &Manifest) -> Result<Vec<TrainedOn>> {
    // A model from elsewhere rests on no datanet and has no training receipt.
    if manifest.datanets.is_empty() {
        return Ok(Vec::new());
    }
    let receipt = training_receipt(dir, manifest)?;
    manifest
        .datanets
        .iter()
        .map(|version| {
            let of = receipt.training.iter().find(|of| of.datanet_id == version.datanet_id);
            let of = of.ok_or_else(|| {
                CliError::usage(format!("the training receipt leaves datanet {} out", version.datanet_id))
            })?;
            let training = of.root()?;
            Ok(TrainedOn { datanet_id: version.datanet_id, version: version.version, training })
        })
        .collect()
}

/// Gives the manifest, then its files, to a node.
async fn upload(
    ctx: &Context,
    dir: &Path,
    manifest_bytes: Vec<u8>,
    manifest: &Manifest,
    key: (u64, u32),
    node: &str,
) -> Result<()> {
    let reference = format!("model:{}:{}", key.0, key.1);
    let bar = progress::bar(ctx, manifest.files.len() as u64 + 1, "uploading the model");
    // The node takes a file only after the manifest that names it.
    let root = BlobRef::of(&manifest_bytes).root.to_hex();
    node_http::put_blob(&ctx.http, node, &root, &reference, manifest_bytes).await?;
    bar.inc(1);
    // Parts of one file follow each other.
    let mut open: Option<(PathBuf, File)> = None;
    for file in &manifest.files {
        let path = dir.join(plain_name(whole_name(&file.name).0)?);
        if open.as_ref().is_none_or(|(current, _)| *current != path) {
            open = Some((path.clone(), File::open(&path).map_err(|e| CliError::file(&path, e))?));
        }
        let mut bytes = Vec::new();
        if let Some((_, whole)) = &mut open {
            let part = whole.take(file.blob.len).read_to_end(&mut bytes);
            part.map_err(|e| CliError::file(&path, e))?;
        }
        if BlobRef::of(&bytes) != file.blob {
            return Err(CliError::file(&path, "is not the file that manifest.json names"));
        }
        node_http::put_blob(&ctx.http, node, &file.blob.root.to_hex(), &reference, bytes).await?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}

/// Waits until a node lists a model as ready.
async fn wait_ready(ctx: &Context, key: (u64, u32), node: &str) -> Result<()> {
    let url = format!("{node}/v1/node");
    let started = Instant::now();
    loop {
        let info: NodeInfo = node_http::get_json(&ctx.http, &url).await?;
        if info.models.contains(&key) {
            return Ok(());
        }
        if started.elapsed() > READY {
            return Err(CliError::new(
                Class::Node,
                "E-CLI-080",
                format!("{node} does not serve model {}:{} after {} s", key.0, key.1, READY.as_secs()),
                "look into the node's log: it says why a model is not ready",
            )
            .retry());
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// The manifest of a model's folder: its bytes as hashed, and what they say.
fn read_manifest(dir: &Path) -> Result<(Vec<u8>, Manifest)> {
    let path = dir.join(MANIFEST_FILE);
    let bytes = std::fs::read(&path).map_err(|e| CliError {
        advice: "name the folder that `openledger model train` wrote".into(),
        ..CliError::file(&path, e)
    })?;
    let manifest = serde_json::from_slice(&bytes).map_err(|e| CliError::file(&path, e))?;
    Ok((bytes, manifest))
}

/// Runs what keeps a processor busy off the threads of the network.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> openledger_node::fault::Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Ok(done?),
        Err(error) => Err(CliError::new(
            Class::File,
            "E-CLI-081",
            format!("the work ended unexpectedly: {error}"),
            "run the command again; report it if it happens twice",
        )
        .retry()),
    }
}

/// A model with its versions.
#[derive(Clone, Debug, Serialize)]
pub struct Shown {
    /// The model.
    pub model: ModelResponse,
    /// The version asked for, the newest when none was; none before the first.
    pub version: Option<ModelVersionResponse>,
}

/// Shows a model and one of its versions, the newest unless told.
///
/// # Errors
/// When there is none of this number.
pub async fn show(ctx: &Context, model_id: u64, version: Option<u32>) -> Result<Shown> {
    let reader = ctx.reader().await?;
    let model = reader.model(model_id).await?;
    let version = match version.unwrap_or(model.latest_version) {
        0 => None,
        number => Some(reader.model_version(model_id, number).await?),
    };
    Ok(Shown { model, version })
}

/// All models.
///
/// # Errors
/// When the chain cannot be reached.
pub async fn list(ctx: &Context) -> Result<Vec<ModelResponse>> {
    Ok(ctx.reader().await?.models().await?)
}

/// The index over the data of a model version, checked against the chain: for tracing answers without the
/// model.
///
/// # Errors
/// As [`load_corpus`].
pub async fn index(ctx: &Context, model_id: u64, version: u32, node: &str) -> Result<Index> {
    let reader = ctx.reader().await?;
    let datanets = reader.model_version(model_id, version).await?.datanets;
    let docs = load_corpus(ctx, &reader, &datanets, node).await?;
    blocking(move || build_index(docs)).await
}
