//! How well a model predicts text that it has not seen, beside byte models of the same training text.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::ngram::{xz_len, Ngram};
use crate::engine::ops::bits;
use crate::engine::{Model, Result};

/// Bits a byte on held-out text; less is better.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Heldout {
    /// The model.
    pub bits_per_byte: f64,
    /// Interpolated byte trigram (two bytes of context) of the training text.
    pub trigram: f64,
    /// Interpolated byte 5-gram (four bytes of context) of the training text.
    pub five_gram: f64,
    /// `xz -9` of the held-out text alone; absent where the command is missing.
    pub xz: Option<f64>,
    /// Bytes that all of them were measured on.
    pub bytes: u64,
    /// Documents that these come from.
    pub documents: u64,
}

/// Sequences that are scored together.
const BATCH: usize = 8;

/// Measures `model` and the byte models on at most `max_bytes` of `heldout`, taken evenly from the
/// beginnings of its documents.
///
/// # Errors
/// `E-MODEL-005` or `-900` when a text cannot be scored.
pub fn evaluate(model: &Model, training: &[&str], heldout: &[&str], max_bytes: usize) -> Result<Heldout> {
    let sample = sample(heldout, max_bytes);
    let bytes: usize = sample.iter().map(|t| t.len()).sum();
    let per_byte = |bits: f64| bits / bytes.max(1) as f64;
    let ngram = Ngram::new(5, training.iter().copied(), sample.iter().copied());
    Ok(Heldout {
        bits_per_byte: per_byte(model_bits(model, &sample)?),
        trigram: per_byte(ngram.bits(3, sample.iter().copied())),
        five_gram: per_byte(ngram.bits(5, sample.iter().copied())),
        xz: xz_len(sample.concat().as_bytes()).map(|len| per_byte(8.0 * len as f64)),
        bytes: bytes as u64,
        documents: sample.len() as u64,
    })
}

/// The same share of every document, from its beginning.
fn sample<'a>(documents: &[&'a str], max_bytes: usize) -> Vec<&'a str> {
    let total: usize = documents.iter().map(|d| d.len()).sum();
    let share = (max_bytes as f64 / total.max(1) as f64).min(1.0);
    documents
        .iter()
        .map(|text| {
            let mut end = text.len().min((text.len() as f64 * share).ceil() as usize);
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            text.get(..end).unwrap_or("")
        })
        .filter(|text| !text.is_empty())
        .collect()
}

/// Bits that `texts` cost under the model: every token is predicted from at least half a context of
/// the same text where there is as much before it.
pub fn model_bits(model: &Model, texts: &[&str]) -> Result<f64> {
    let context = model.context();
    let start = model.config().bos_token_id.unwrap_or(model.config().eos_token_id);
    // Windows of a whole context that overlap by half: (tokens, first position that counts).
    let mut windows: Vec<(Vec<u32>, usize)> = Vec::new();
    let encoded: Vec<Vec<u32>> = texts.par_iter().map(|t| model.encode(t)).collect::<Result<_>>()?;
    for ids in encoded {
        let mut tokens = vec![start];
        tokens.extend(ids);
        let mut scored = 1;
        while scored < tokens.len() {
            let from = if scored == 1 { 0 } else { scored - context / 2 };
            let until = (from + context + 1).min(tokens.len());
            windows.push((tokens.get(from..until).unwrap_or(&[]).to_vec(), scored - from));
            scored = until;
        }
    }
    // Equal lengths stand together, so that little is padded.
    windows.sort_by_key(|(tokens, _)| tokens.len());
    let sums: Vec<f64> =
        windows.par_chunks(BATCH).map(|group| group_bits(model, group, start)).collect::<Result<_>>()?;
    Ok(sums.iter().sum())
}

fn group_bits(model: &Model, group: &[(Vec<u32>, usize)], pad: u32) -> Result<f64> {
    let len = group.iter().map(|(tokens, _)| tokens.len().saturating_sub(1)).max().unwrap_or(0);
    let mut input = Vec::with_capacity(len * group.len());
    for (tokens, _) in group {
        let read = tokens.len().saturating_sub(1);
        input.extend(tokens.iter().take(read));
        // What is read after the end of a text changes nothing before it.
        input.extend(std::iter::repeat_n(pad, len - read));
    }
    let vocab = model.config().vocab_size;
    let logits =
        model.net().logits(&model.net().hidden(&input, group.len())?)?.flatten_all()?.to_vec1::<f32>()?;
    let mut sum = 0.0;
    for ((tokens, first), rows) in group.iter().zip(logits.chunks_exact(len * vocab)) {
        for (i, target) in tokens.iter().enumerate().skip(*first) {
            let row = rows.get((i - 1) * vocab..i * vocab).unwrap_or(&[]);
            sum += bits(row, *target).unwrap_or(f64::INFINITY);
        }
    }
    Ok(sum)
}
