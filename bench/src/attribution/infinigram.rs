//! The same words and answers for infini-gram, and what it found (bench/peers/infinigram.py).

use std::collections::HashMap;

use anyhow::{Context, Result};
use openledger_attribution::{Index, RunKind, COPY_WORDS};
use openledger_ingest::{match_text, match_words};
use serde::Deserialize;
use serde_json::json;

use super::Settings;

/// What the peer reports.
#[derive(Debug, Deserialize)]
pub struct Peer {
    /// Seconds to build its index from tokens.
    pub build_s: f64,
    /// Bytes of its index on disk by tokens.
    pub bytes_per_token: f64,
    /// Median microseconds of `attribute`.
    pub trace_us: f64,
    /// By answer: first word, words, and how often they occur.
    pub spans: Vec<Vec<(usize, usize, usize)>>,
}

/// Stands before each document in the peer's tokens, and for a word that no document has.
const SEPARATOR: u16 = u16::MAX;
const UNKNOWN: u16 = SEPARATOR - 1;

/// Writes what the peer reads, and gives what it wrote for the same answers in an earlier run.
pub fn exchange(settings: &Settings, index: &Index, answers: &[String]) -> Result<Option<Peer>> {
    let folder = settings.exchange.join("infinigram");
    std::fs::create_dir_all(&folder)?;
    let mut ids: HashMap<&str, u16> = HashMap::new();
    let (mut tokens, mut offsets): (Vec<u8>, Vec<u8>) = Default::default();
    for document in index.documents() {
        offsets.extend((tokens.len() as u64).to_le_bytes());
        tokens.extend(SEPARATOR.to_le_bytes());
        for (_, word) in match_words(&document.match_text) {
            let next = u16::try_from(ids.len()).ok().filter(|id| *id < UNKNOWN);
            let id = match ids.get(word) {
                Some(id) => *id,
                None => *ids.entry(word).or_insert(next.context("more words than 16 bits number")?),
            };
            tokens.extend(id.to_le_bytes());
        }
    }
    let asked: Vec<Vec<u16>> = answers
        .iter()
        .map(|answer| {
            let text = match_text(answer);
            match_words(&text).map(|(_, word)| ids.get(word).copied().unwrap_or(UNKNOWN)).collect()
        })
        .collect();
    let asked = serde_json::to_vec(&json!(asked))?;
    let found = match std::fs::read(folder.join("answers.json")).is_ok_and(|before| before == asked) {
        true => std::fs::read(folder.join("found.json")).ok(),
        false => None,
    };
    std::fs::write(folder.join("tokenized.0"), &tokens)?;
    std::fs::write(folder.join("offset.0"), &offsets)?;
    std::fs::write(folder.join("answers.json"), &asked)?;
    Ok(found.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

/// Of a hundred words, how many the longest match has the same length for with both; in copies, whether it
/// has 16 words or more.
pub fn agreement(index: &Index, answers: &[String], peer: &Peer) -> f64 {
    let (mut equal, mut all) = (0usize, 0usize);
    for (answer, spans) in answers.iter().zip(&peer.spans) {
        let trace = index.trace("", answer, &[0; 32]);
        for (number, token) in trace.tokens.iter().enumerate() {
            let covering = spans.iter().filter(|(start, len, _)| (*start..start + len).contains(&number));
            let theirs = covering.map(|(_, len, _)| *len).max().unwrap_or(0);
            let run = &trace.runs[token.run];
            equal += usize::from(match run.kind {
                RunKind::Copy => theirs >= COPY_WORDS,
                _ => theirs == run.matched,
            });
            all += 1;
        }
    }
    100.0 * equal as f64 / all.max(1) as f64
}
