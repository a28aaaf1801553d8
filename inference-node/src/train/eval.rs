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
    let sums: Vec<f64> = windows
        .par_iter()
        .map(|(tokens, first)| window_bits(model, tokens, *first))
        .collect::<Result<_>>()?;
    Ok(sums.iter().sum())
}

/// Bits of the tokens from `first` on, each predicted from all before it.
fn window_bits(model: &Model, tokens: &[u32], first: usize) -> Result<f64> {
    let read = tokens.get(..tokens.len().saturating_sub(1)).unwrap_or(&[]);
    let mut sum = 0.0;
    model.teacher_forced(read, first.saturating_sub(1), &mut |at| {
        if let Some(target) = tokens.get(at.index + 1) {
            sum += bits(at.logits, *target).unwrap_or(f64::INFINITY);
        }
    })?;
    Ok(sum)
}
