//! The influence index of a model: one pass over all of its documents.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use cosmwasm_std::HexBinary;
use openledger_attribution::influence::{Builder, InfluenceIndex, Passage, Raw, Statistics};
use openledger_attribution::{Index, Weights};
use openledger_store::MAX_BLOB_BYTES;
use openledger_types::formats::{manifest_hash, BlobRef, InfluenceParams, Manifest, ModelFile};
use openledger_types::merkle::Hash;
use rayon::prelude::*;

use super::Readout;
use crate::engine::files::write_atomic;
use crate::engine::import::manifest_bytes;
use crate::engine::{Error, Model, Result, MANIFEST_FILE};
use crate::train::{Calibration, CALIBRATION_FILE};

/// Name of the influence index in a model's folder.
pub const INFLUENCE_FILE: &str = "influence.bin";

/// Positions from which second moments, clip and scale are taken.
const SAMPLE: usize = 1 << 16;
/// Parts into which the sample is divided; sums depend on it, so it is fixed.
const PARTS: usize = 8;

/// A document that a model was trained on.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// Contribution.
    pub contribution_id: u64,
    /// Content text.
    pub text: &'a str,
}

/// A stretch of a document that is read in one pass.
struct Window {
    /// Read, and at each position predicted from.
    tokens: Vec<u32>,
    /// What follows each position.
    labels: Vec<Option<u32>>,
}

/// The windows of a document: as many positions as the model reads at once, one after the other. The
/// token at its end says nothing of its content, so it is no label.
fn windows(model: &dyn Readout, text: &str) -> Result<Vec<Window>> {
    let labels = model.document_tokens(text)?;
    let mut tokens = Vec::with_capacity(labels.len());
    tokens.push(model.start_token());
    tokens.extend(labels.iter().take(labels.len().saturating_sub(1)));
    let size = model.window().max(1);
    let windows = tokens.chunks(size).zip(labels.chunks(size));
    Ok(windows
        .map(|(tokens, labels)| Window {
            tokens: tokens.to_vec(),
            labels: labels.iter().map(|label| Some(*label)).collect(),
        })
        .collect())
}

/// Computes a window and hands it to `use_it`.
fn with_passage<T>(model: &dyn Readout, window: &Window, use_it: impl FnOnce(&Passage) -> T) -> Result<T> {
    let found = model.positions(&window.tokens, 0)?;
    Ok(use_it(&Passage { hidden: &found.hidden, logits: &found.logits, labels: &window.labels }))
}

/// Rows of one document.
fn rows(model: &dyn Readout, builder: &Builder, windows: &[Window]) -> Result<Raw> {
    let mut sum = Raw::new();
    for window in windows {
        let segments = with_passage(model, window, |passage| builder.segments(passage))?;
        builder.add(&mut sum, &segments);
    }
    Ok(sum)
}

/// Makes the influence index of a model over its documents; `progress` is told (done, all) documents.
///
/// Second moments, clip and scale come from at most 65,536 positions, taken evenly from all documents;
/// the documents' rows from one pass over everything.
///
/// # Errors
/// `E-TRAIN-010` without any text, and those of the model.
pub fn build(
    model: &dyn Readout,
    documents: &[Source<'_>],
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<InfluenceIndex> {
    let cut: Vec<(u64, Vec<Window>)> = documents
        .par_iter()
        .map(|document| Ok((document.contribution_id, windows(model, document.text)?)))
        .collect::<Result<_>>()?;
    let all: Vec<&Window> = cut.iter().flat_map(|(_, windows)| windows).collect();
    let positions: usize = all.iter().map(|window| window.labels.len()).sum();
    if positions == 0 {
        return Err(Error::new(
            "E-TRAIN-010",
            "the documents have no text whose influence could be indexed",
            "Train on documents with text, or without the influence layer.",
        ));
    }
    let sample: Vec<&Window> = all.iter().step_by(positions.div_ceil(SAMPLE)).copied().collect();
    let parts: Vec<Statistics> = sample
        .par_chunks(sample.len().div_ceil(PARTS))
        .map(|part| {
            let mut statistics = Statistics::new(model.width(), model.vocabulary());
            for window in part {
                with_passage(model, window, |passage| statistics.add(passage))?;
            }
            Ok(statistics)
        })
        .collect::<Result<_>>()?;
    let mut statistics = Statistics::new(model.width(), model.vocabulary());
    parts.iter().for_each(|part| statistics.merge(part));
    let builder = statistics.builder();
    let segments: Vec<Vec<Raw>> = sample
        .par_iter()
        .map(|window| with_passage(model, window, |passage| builder.segments(passage)))
        .collect::<Result<_>>()?;
    let builder = builder.calibrated(&segments.concat());
    let done = AtomicU64::new(0);
    let documents: BTreeMap<u64, Raw> = cut
        .par_iter()
        .map(|(id, windows)| {
            let rows = rows(model, &builder, windows)?;
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, cut.len() as u64);
            Ok((*id, rows))
        })
        .collect::<Result<_>>()?;
    Ok(builder.index(&documents))
}

/// Contributions among `documents` whose rows in the index are not those that the model gives.
///
/// # Errors
/// Those of the model.
pub fn check_documents(
    model: &dyn Readout,
    index: &InfluenceIndex,
    documents: &[Source<'_>],
) -> Result<BTreeSet<u64>> {
    Ok(index.differing(&rows_of(model, index, documents)?, model.agreement()))
}

/// Rows of documents, made as the index says, before they are rounded.
///
/// # Errors
/// Those of the model.
fn rows_of(
    model: &dyn Readout,
    index: &InfluenceIndex,
    documents: &[Source<'_>],
) -> Result<BTreeMap<u64, Raw>> {
    let builder = Builder::of(index);
    documents
        .par_iter()
        .map(|document| {
            let windows = windows(model, document.text)?;
            Ok((document.contribution_id, rows(model, &builder, &windows)?))
        })
        .collect()
}

/// The index with further documents, as if the model had been trained on them: what was there keeps its rows to the
/// bit, and the new ones get those that the model gives them now.
///
/// # Errors
/// Those of the model.
pub fn with_documents(
    model: &dyn Readout,
    index: &InfluenceIndex,
    documents: &[Source<'_>],
) -> Result<InfluenceIndex> {
    let scale = f64::from(index.parameters.scale);
    let mut all: BTreeMap<u64, Raw> = index.documents().iter().map(|(id, _)| (*id, Raw::new())).collect();
    for (slot, list) in index.lists() {
        for (document, row) in list {
            let Some((id, exponent)) = index.documents().get(*document as usize) else { continue };
            let unit = scale * f64::from(1u32 << *exponent);
            all.entry(*id).or_default().insert(slot, row.map(|value| f64::from(value) * unit));
        }
    }
    all.extend(rows_of(model, index, documents)?);
    Ok(InfluenceIndex::new(index.scheme(), index.parameters.clone(), &all))
}

impl Model {
    /// Gives the model in `dir` the influence layer: writes the index and the manifest that commits it.
    /// `texts` is the index over all its texts; a calibration, which says where the weights are from, becomes a
    /// file of the model. Says the manifest's hash.
    ///
    /// # Errors
    /// Those of [`Model::load`], [`build`] and of the disk.
    pub fn add_influence(
        dir: &Path,
        documents: &[Source<'_>],
        texts: &Index,
        weights: Weights,
        calibration: Option<&Calibration>,
        progress: &(dyn Fn(u64, u64) + Sync),
    ) -> Result<Hash> {
        let model = Model::load(dir)?;
        let index = build(&model, documents, progress)?;
        let bytes = index.to_bytes();
        if bytes.len() > MAX_BLOB_BYTES {
            return Err(Error::new(
                "E-TRAIN-011",
                format!("the influence index has {} bytes, a blob at most {MAX_BLOB_BYTES}", bytes.len()),
                "Train on fewer documents, or publish the model without the influence layer.",
            ));
        }
        write_atomic(&dir.join(INFLUENCE_FILE), &bytes)?;
        let mut manifest: Manifest = model.manifest().clone();
        manifest.attribution = weights.scheme().into();
        manifest.influence = Some(InfluenceParams {
            index_root: HexBinary::from(&index.root()),
            influence_weight: weights.influence,
            lexical_weight: weights.lexical,
            span_weight: weights.span,
            chance_bps: if weights.lexical == 0 { 0 } else { texts.chance() },
        });
        manifest.files.retain(|file| file.name != INFLUENCE_FILE);
        manifest.files.push(ModelFile { name: INFLUENCE_FILE.into(), blob: BlobRef::of(&bytes) });
        manifest.files.retain(|file| file.name != CALIBRATION_FILE);
        if let Some(calibration) = calibration {
            let bytes = serde_json::to_vec_pretty(calibration).map_err(|e| {
                Error::new("E-TRAIN-006", format!("the calibration cannot be written: {e}"), "Report this.")
            })?;
            write_atomic(&dir.join(CALIBRATION_FILE), &bytes)?;
            manifest.files.push(ModelFile { name: CALIBRATION_FILE.into(), blob: BlobRef::of(&bytes) });
        }
        let bytes = manifest_bytes(&manifest)?;
        write_atomic(&dir.join(MANIFEST_FILE), &bytes)?;
        Ok(manifest_hash(&bytes))
    }
}
