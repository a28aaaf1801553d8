//! `openledger-exact` for web pages (`web/app/src/lib/replay.ts`): the page replays an answer with the code that
//! nodes answer with.
//!
//! The C interface is that of `openledger-ingest-wasm`. A call is the length of a JSON document (u32, big-endian),
//! the document ([`Call`]), then four files one after the other, whose lengths the document names: manifest,
//! configuration, tokenizer, weights. The answer is a JSON document ([`Reply`]).

#[path = "../../ingest-wasm/src/abi.rs"]
mod abi;

pub use abi::{ol_alloc, ol_call, ol_free};

use openledger_exact::replay::{Answer, Files, Model, Report};
use openledger_exact::trace::EXACT_COMMIT_SCHEME;
use openledger_types::formats::{Decoding, Outcome};
use openledger_types::merkle::Hash;
use serde::{Deserialize, Serialize};

/// What a page asks: an answer as receipt and bundle give it. Hashes in hexadecimal.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// Bytes of manifest, configuration, tokenizer and weights.
    pub lengths: [usize; 4],
    /// The text that was to be continued.
    pub prompt: String,
    /// The answer ends before the first of these.
    pub stop: Vec<String>,
    /// How tokens are chosen.
    pub decoding: Decoding,
    /// Repetition penalty in thousandths, 1,000 for none.
    pub repetition_milli: u32,
    /// Seed of the sampler.
    pub seed: String,
    /// Hash of the request.
    pub request_hash: String,
    /// Root in the receipt.
    pub commit_root: String,
    /// Scheme in the receipt.
    pub commit_scheme: String,
    /// Tokens of the prompt by the receipt.
    pub tokens_in: usize,
    /// Tokens of the answer.
    pub tokens: Vec<u32>,
    /// The trace that was stored.
    pub trace: String,
    /// How it is said to have ended.
    pub outcome: Outcome,
    /// The answer's text.
    pub answer: String,
}

/// One check by its name in `web/app/src/lib/check.ts`.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    name: &'static str,
    holds: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    found: String,
}

/// What a page is told.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// What was compared.
    Checks(Vec<Check>),
    /// The answer could not be replayed.
    Error(String),
}

/// Answers one call.
pub fn answer(call: &[u8]) -> Reply {
    match replayed(call) {
        Ok(checks) => Reply::Checks(checks),
        Err(error) => Reply::Error(error),
    }
}

fn replayed(bytes: &[u8]) -> Result<Vec<Check>, String> {
    let short = || "the call is shorter than it says".to_string();
    let (length, rest) = bytes.split_first_chunk::<4>().ok_or_else(short)?;
    let (call, mut files) = rest.split_at_checked(u32::from_be_bytes(*length) as usize).ok_or_else(short)?;
    let call: Call = serde_json::from_slice(call).map_err(|e| format!("the call cannot be read: {e}"))?;
    let mut take = |length: usize| {
        let (file, after) = files.split_at_checked(length).ok_or_else(short)?;
        files = after;
        Ok::<_, String>(file)
    };
    let [manifest, config, tokenizer, weights] = call.lengths;
    let files = Files {
        manifest: take(manifest)?,
        config: take(config)?,
        tokenizer: take(tokenizer)?,
        weights: take(weights)?,
        // Models with an adapter are refused: the page asks a node.
        adapter: None,
    };
    let model = Model::load(files).map_err(|e| e.to_string())?;
    let asked = Answer {
        prompt: call.prompt.clone(),
        decoding: call.decoding,
        repetition_milli: call.repetition_milli,
        seed: hash(&call.seed)?,
        request_hash: hash(&call.request_hash)?,
        stop: call.stop.clone(),
        tokens: call.tokens.clone(),
        outcome: call.outcome,
        trace: hex::decode(&call.trace).map_err(|e| format!("the trace is not hexadecimal: {e}"))?,
        commit_root: hash(&call.commit_root)?,
    };
    let report = model.replay(&asked).map_err(|e| e.to_string())?;
    Ok(checks(&call, &report))
}

fn checks(call: &Call, report: &Report) -> Vec<Check> {
    let check = |name, holds: bool, found: String| Check {
        name,
        holds,
        found: if holds { String::new() } else { found },
    };
    let first =
        |list: &[usize]| list.first().map(|at| format!("{at} (+{})", list.len() - 1)).unwrap_or_default();
    let prompt = report.prompt_tokens;
    vec![
        // A model that loads is the one of the manifest.
        check("replay_model", true, String::new()),
        check("replay_prompt", prompt == call.tokens_in, prompt.to_string()),
        check("replay_tokens", report.mismatches.is_empty(), first(&report.mismatches)),
        check("replay_hidden", report.windows_differing.is_empty(), first(&report.windows_differing)),
        check(
            "replay_commit",
            report.commit_root_equal && call.commit_scheme == EXACT_COMMIT_SCHEME,
            call.commit_scheme.clone(),
        ),
        check("replay_text", report.outcome_equal && report.text == call.answer, report.text.clone()),
    ]
}

fn hash(text: &str) -> Result<Hash, String> {
    let mut hash = Hash::default();
    hex::decode_to_slice(text, &mut hash).map_err(|e| format!("{text} is no hash: {e}"))?;
    Ok(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_an_error_not_a_panic() {
        for call in [&b""[..], &[0, 0, 0, 9], &[0, 0, 0, 2, b'{', b'}'], &[255; 12]] {
            assert!(matches!(answer(call), Reply::Error(_)));
        }
    }
}
