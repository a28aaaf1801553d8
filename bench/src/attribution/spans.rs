//! E4 and speed: the span trace against brute force, and what it costs.

use std::collections::BTreeSet;
use std::hint::black_box;
use std::time::Instant;

use anyhow::{ensure, Result};
use openledger_attribution::influence::{InfluenceIndex, Parameters, Row, Signature, RANK, READOUT};
use openledger_attribution::{Answer, Document, Index, Layers, Method, RunKind, Weights};

use openledger_ingest::match_words;

use super::corpus::{generated, Numbers};
use super::{infinigram, prose, Settings};
use crate::report::Metric;

const SEED: [u8; 32] = [3; 32];

fn documents(contributors: usize, each: usize, sentences: usize, seed: u64) -> Vec<Document> {
    let texts = generated(contributors, each, sentences, seed);
    numbered(texts.into_iter().map(|doc| (format!("contributor{}", doc.contributor), doc.text)))
}

/// So many megabytes of text, the same that the example `span_speed` measures: 12 million words in 72.
fn at_size(megabytes: u64) -> Vec<Document> {
    numbered(prose::prose(megabytes))
}

/// Documents of (contributor, text), numbered from 1 in the order of their priority.
fn numbered(texts: impl IntoIterator<Item = (String, String)>) -> Vec<Document> {
    (1u64..)
        .zip(texts)
        .map(|(id, (contributor, text))| Document {
            contribution_id: id,
            contributor,
            priority: (id, 0),
            match_text: openledger_ingest::match_text(&text),
        })
        .collect()
}

/// An answer of about `words` words, out of stretches of the documents and words of nobody.
fn answer(documents: &[Document], words: usize, seed: u64) -> String {
    let mut numbers = Numbers(seed);
    let mut text: Vec<&str> = Vec::new();
    while text.len() < words {
        let source = &documents[numbers.below(documents.len() as u64) as usize];
        let all: Vec<&str> = source.match_text.split(' ').collect();
        let from = numbers.below(all.len() as u64) as usize;
        text.extend(all.iter().skip(from).take(1 + numbers.below(24) as usize));
    }
    text.truncate(words);
    text.join(" ")
}

pub fn measure(settings: &Settings) -> Result<Vec<Metric>> {
    let mut metrics = vec![agreement(settings)?];
    let documents = at_size(if settings.quick { 20 } else { 72 });
    let (mut builds, mut index) = (Vec::new(), None);
    for _ in 0..if settings.quick { 1 } else { 3 } {
        let copy = documents.clone();
        let since = Instant::now();
        index = Some(Index::build(copy)?);
        builds.push(since.elapsed().as_secs_f64());
    }
    let Some(index) = index else { return Ok(metrics) };
    let tokens = index.tokens() as f64;
    let answers: Vec<String> = (0..200).map(|seed| answer(&documents, 128, seed)).collect();
    let peer = infinigram::exchange(settings, &index, &answers)?;
    let beside = |metric: Metric, figure: Option<f64>| match figure {
        Some(figure) => metric.against("infini-gram", figure),
        None => metric,
    };
    metrics.push(Metric::of("index_tokens", "words", vec![tokens]));
    metrics.push(beside(Metric::of("index_build_s", "s", builds), peer.as_ref().map(|p| p.build_s)));
    let bytes = Metric::of("index_bytes_per_token", "B", vec![index.bytes() as f64 / tokens]);
    metrics.push(beside(bytes, peer.as_ref().map(|p| p.bytes_per_token)));
    if let Some(peer) = &peer {
        let agreement = infinigram::agreement(&index, &answers, peer);
        metrics.push(Metric::of("agreement_infinigram", "%", vec![agreement]));
    }
    let mut times = Vec::new();
    for answer in &answers {
        let since = Instant::now();
        black_box(index.trace("", answer, &SEED));
        times.push(since.elapsed().as_secs_f64() * 1e6);
    }
    metrics.push(beside(Metric::of("span_trace_us", "us", times), peer.map(|p| p.trace_us)));
    // As many rows as 25,000 documents of 84 have.
    metrics.extend(layer_b(index, &answers, if settings.quick { 385_000 } else { 2_100_000 })?);
    Ok(metrics)
}

/// E4: kind of every word of an answer by the index and by looking everywhere.
fn agreement(settings: &Settings) -> Result<Metric> {
    let documents = documents(12, if settings.quick { 20 } else { 200 }, 6, 5);
    let index = Index::build(documents.clone())?;
    // Words, as the index takes them: what stands between two words is no part of either.
    let kept: Vec<Vec<&str>> = documents
        .iter()
        .filter(|d| index.document(d.contribution_id).is_some())
        .map(|d| match_words(&d.match_text).map(|(_, word)| word).collect())
        .collect();
    let holds = |phrase: &[&str]| kept.iter().any(|words| words.windows(phrase.len()).any(|w| w == phrase));
    let (mut equal, mut all) = (0usize, 0usize);
    for seed in 0..if settings.quick { 20 } else { 200 } {
        let text = answer(&documents, 64, 1_000 + seed);
        let trace = index.trace("", &text, &SEED);
        let words: Vec<&str> = trace.tokens.iter().map(|t| &trace.match_text[t.start..t.end]).collect();
        // In a window of 16 words of a document: a copy. In none as a single word: unknown.
        let mut copied = vec![false; words.len()];
        for (start, window) in words.windows(openledger_attribution::COPY_WORDS).enumerate() {
            if holds(window) {
                copied[start..start + window.len()].fill(true);
            }
        }
        for (number, word) in words.iter().enumerate() {
            let found = trace.runs[trace.tokens[number].run].kind;
            let expected = match copied[number] {
                true => found == RunKind::Copy,
                false if holds(&[*word]) => {
                    matches!(found, RunKind::Phrase | RunKind::Common)
                }
                false => found == RunKind::Unknown,
            };
            equal += usize::from(expected);
            all += 1;
        }
    }
    ensure!(all > 0, "no word was compared");
    Ok(Metric::of("agreement_brute_force", "%", vec![100.0 * equal as f64 / all as f64]))
}

/// Products over so many rows of all documents, and a whole verification from the posted signature.
fn layer_b(index: Index, answers: &[String], rows: usize) -> Result<Vec<Metric>> {
    const SLOTS: u64 = 2_048;
    let mut numbers = Numbers(7);
    let mut row = || -> Row { std::array::from_fn(|_| (numbers.below(200) as i16 - 100) as i8) };
    let ids: Vec<u64> = index.documents().iter().map(|d| d.contribution_id).collect();
    let each = rows / ids.len().max(1);
    let parameters = Parameters {
        width: 1,
        slots: SLOTS as usize,
        projection: vec![0.0; RANK],
        gains: vec![1.0; SLOTS as usize],
        clip: 1.0,
        scale: 1.0,
    };
    let mut picks = Numbers(8);
    let raw = ids
        .iter()
        .map(|id| {
            let rows = (0..each).map(|_| (picks.below(SLOTS) as u32, row().map(f64::from)));
            (*id, rows.collect())
        })
        .collect();
    let influence = InfluenceIndex::new(READOUT, parameters, &raw);
    let signatures: Vec<Signature> = (0..answers.len())
        .map(|_| Signature::new((0..90).map(|_| (picks.below(SLOTS) as u32, row())).collect()))
        .collect();
    let (mut products, mut whole) = (Vec::new(), Vec::new());
    for signature in &signatures {
        let since = Instant::now();
        black_box(influence.influence(signature));
        products.push(since.elapsed().as_secs_f64() * 1e3);
    }
    let rows = influence.rows() as f64;
    let layers = Layers::new(index, influence, Weights::default())?;
    for (text, signature) in answers.iter().zip(&signatures) {
        let since = Instant::now();
        black_box(layers.evidence(&Answer {
            prompt: "",
            text,
            signature,
            seed: &SEED,
            barred: &BTreeSet::new(),
        }));
        whole.push(since.elapsed().as_secs_f64() * 1e3);
    }
    Ok(vec![
        Metric::of("layer_b_rows", "rows", vec![rows]),
        Metric::of("layer_b_ms", "ms", products),
        Metric::of("v1_ms", "ms", whole),
    ])
}
