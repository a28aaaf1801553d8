//! A trained model as files: weights, configuration, tokenizer, receipt, curve, card, manifest.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::path::Path;

use cosmwasm_std::HexBinary;
use openledger_attribution::SPAN_ONLY;
use openledger_exact::adapter::{Adapter, ADAPTER_FILE};
use openledger_types::formats::{manifest_hash, Manifest, VersionRef};
use openledger_types::merkle::Hash;
use serde::{Deserialize, Serialize};

use super::card::{card, CARD_FILE};
use super::checkpoint::CurvePoint;
use super::counts::DatanetUses;
use super::recipe::{Plan, Recipe};
use crate::engine::files::{model_files, parse_weights, weights_bytes, write_atomic};
use crate::engine::import::{self, About};
use crate::engine::{Error, ModelConfig, Result, CONFIG_FILE, MANIFEST_FILE, TOKENIZER_FILE, WEIGHTS_FILE};

/// Name of the training receipt's file.
pub const RECEIPT_FILE: &str = "training_receipt.json";
/// Name of the loss curve's files, with `.csv` and `.svg`.
pub const CURVE_FILE: &str = "loss_curve";

/// How a model came about, enough to repeat it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainingReceipt {
    /// Version of this document: 2.
    pub format: u32,
    /// The recipe as given.
    pub recipe: Recipe,
    /// The plans that the run followed; put into the recipe, they repeat it.
    pub schedule: Vec<Plan>,
    /// Root of the weights that an adapter was trained for; none for a whole model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_weights_root: Option<HexBinary>,
    /// Sealed versions trained on.
    pub datanets: Vec<VersionRef>,
    /// SHA-256 over ids, lengths and texts of the documents in their order.
    pub documents_hash: HexBinary,
    /// SHA-256 of the tokenizer's file.
    pub tokenizer_hash: HexBinary,
    /// Documents and their bytes.
    pub documents: u64,
    /// Bytes of the documents.
    pub bytes: u64,
    /// Tokens of the documents.
    pub tokens: u64,
    /// Steps done.
    pub steps: u64,
    /// Tokens trained on, repetitions counted.
    pub tokens_seen: u64,
    /// Seconds of training.
    pub seconds: f64,
    /// Loss of the first steps, nats a token.
    pub loss_first: f32,
    /// Loss of the last steps, nats a token.
    pub loss_last: f32,
    /// Over `training` (`openledger/training-root/1`).
    pub training_root: HexBinary,
    /// How often training saw each contribution, by datanet.
    pub training: Vec<DatanetUses>,
}

/// Everything that is written at the end of a run.
pub(crate) struct Export<'a> {
    pub config: &'a ModelConfig,
    pub tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
    pub tokenizer: &'a [u8],
    pub receipt: &'a TrainingReceipt,
    pub curve: &'a [CurvePoint],
}

/// Everything that is written at the end of an adapter's run.
pub(crate) struct AdapterExport<'a> {
    pub base: &'a Manifest,
    /// The base's files that decide its answers.
    pub files: Vec<(&'a str, &'a [u8])>,
    pub adapter: &'a Adapter,
    pub adapter_bytes: &'a [u8],
    pub receipt: &'a TrainingReceipt,
    pub curve: &'a [CurvePoint],
}

/// Writes a base with its adapter as a model's folder, the manifest last, and returns the manifest's hash. The
/// base's files keep their bytes, hence their blobs: whoever has the base has them already.
pub(crate) fn write_adapter(dir: &Path, export: &AdapterExport) -> Result<(Manifest, Hash)> {
    let receipt = json(export.receipt)?;
    let (curve_name, curve) = (format!("{CURVE_FILE}.csv"), curve_csv(export.curve));
    let mut files = export.files.clone();
    files.push((ADAPTER_FILE, export.adapter_bytes));
    files.push((RECEIPT_FILE, receipt.as_slice()));
    files.push((curve_name.as_str(), curve.as_bytes()));
    for (name, bytes) in &files {
        write_atomic(&dir.join(name), bytes)?;
    }
    write_atomic(&dir.join(format!("{CURVE_FILE}.svg")), curve_svg(export.curve).as_bytes())?;
    let manifest = Manifest {
        name: export.receipt.recipe.name.clone(),
        attribution: SPAN_ONLY.into(),
        influence: None,
        adapter_root: HexBinary::from(export.adapter.root()),
        parameters: export.base.parameters.saturating_add(export.adapter.parameters()),
        datanets: export.receipt.datanets.clone(),
        training_root: export.receipt.training_root.clone(),
        files: model_files(&files),
        ..export.base.clone()
    };
    write_manifest(dir, manifest, export.receipt)
}

/// Writes the model card, then the manifest.
fn write_manifest(dir: &Path, manifest: Manifest, receipt: &TrainingReceipt) -> Result<(Manifest, Hash)> {
    write_atomic(&dir.join(CARD_FILE), card(&manifest, receipt).as_bytes())?;
    let bytes = import::manifest_bytes(&manifest)?;
    write_atomic(&dir.join(MANIFEST_FILE), &bytes)?;
    Ok((manifest, manifest_hash(&bytes)))
}

fn json<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    serde_json::to_vec_pretty(value).map_err(|e| {
        Error::new(
            "E-TRAIN-006",
            format!("a document cannot be written: {e}"),
            "Report this with the recipe.",
        )
    })
}

/// Writes the model's folder, the manifest last, and returns the manifest's hash.
pub(crate) fn write(dir: &Path, export: &Export) -> Result<(Manifest, Hash)> {
    let metadata = HashMap::from([("format".to_string(), "pt".to_string())]);
    let weights = weights_bytes(&export.tensors, metadata)?;
    let parsed = parse_weights(&weights, export.config)?;
    let config = json(export.config)?;
    let receipt = json(export.receipt)?;
    let (curve_name, curve) = (format!("{CURVE_FILE}.csv"), curve_csv(export.curve));
    let files = [
        (WEIGHTS_FILE, weights.as_slice()),
        (CONFIG_FILE, config.as_slice()),
        (TOKENIZER_FILE, export.tokenizer),
        (RECEIPT_FILE, receipt.as_slice()),
        (curve_name.as_str(), curve.as_bytes()),
    ];
    for (name, bytes) in files {
        write_atomic(&dir.join(name), bytes)?;
    }
    write_atomic(&dir.join(format!("{CURVE_FILE}.svg")), curve_svg(export.curve).as_bytes())?;
    let about = About {
        name: export.receipt.recipe.name.clone(),
        class: export.receipt.recipe.numeric_class,
        datanets: export.receipt.datanets.clone(),
        training_root: export.receipt.training_root.clone(),
    };
    let manifest = import::manifest(about, export.config, &parsed, &files)?;
    write_manifest(dir, manifest, export.receipt)
}

fn curve_csv(curve: &[CurvePoint]) -> String {
    let mut csv = String::from("step,loss,learning_rate\n");
    for point in curve {
        let _ = writeln!(csv, "{},{},{}", point.step, point.loss, point.rate);
    }
    csv
}

/// The smoothed curve as a picture of 640 by 240.
fn curve_svg(curve: &[CurvePoint]) -> String {
    let every = (curve.len() / 300).max(1);
    let means: Vec<f32> =
        curve.chunks(every).map(|c| c.iter().map(|p| p.loss).sum::<f32>() / c.len() as f32).collect();
    let (low, high) = means.iter().fold((f32::MAX, f32::MIN), |(l, h), x| (l.min(*x), h.max(*x)));
    let span = (high - low).max(1e-6);
    let mut points = String::new();
    for (i, mean) in means.iter().enumerate() {
        let x = 40.0 + 580.0 * i as f32 / (means.len().max(2) - 1) as f32;
        let _ = write!(points, "{x:.1},{:.1} ", 20.0 + 190.0 * (high - mean) / span);
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 640 240\" font-family=\"sans-serif\" font-size=\"11\">\
         <rect width=\"640\" height=\"240\" fill=\"#fff\"/>\
         <polyline points=\"{points}\" fill=\"none\" stroke=\"#246\" stroke-width=\"1.5\"/>\
         <text x=\"4\" y=\"24\">{high:.2}</text><text x=\"4\" y=\"213\">{low:.2}</text>\
         <text x=\"40\" y=\"232\">loss (nats a token) over {} steps</text></svg>\n",
        curve.len()
    )
}
