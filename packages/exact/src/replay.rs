//! Replay of an answer of the exact class by one pass over prompt and answer, where there is no node: every
//! token must be the sampler's choice, every window's digest the one that was committed.

use openledger_numerics::Path;
use openledger_types::formats::{Decoding, Manifest, NumericClass, Outcome};
use openledger_types::merkle::{Hash, ZERO_HASH};
use sha2::{Digest, Sha256};

use crate::adapter::Adapter;
use crate::bpe::Bpe;
use crate::cache::Cache;
use crate::config::ModelConfig;
use crate::error::{Error, Result};
use crate::file::parse_weights;
use crate::net::{ExactNet, Workspace, REPLAY_CHUNK};
use crate::sampler::{is_exact, knows_penalty, Sampler, NO_PENALTY};
use crate::stream::{ends_as, render};
use crate::trace::{commit_root, differing_windows, HiddenTrace, EXACT_COMMIT_SCHEME};
use crate::weights::ExactWeights;

/// A model's files as they were published.
#[derive(Debug, Clone, Copy)]
pub struct Files<'a> {
    /// `manifest.json`; the caller has held it against the hash on chain.
    pub manifest: &'a [u8],
    /// `config.json`.
    pub config: &'a [u8],
    /// `tokenizer.json`.
    pub tokenizer: &'a [u8],
    /// `model.safetensors`.
    pub weights: &'a [u8],
    /// `adapter.safetensors`, where the model has an adapter.
    pub adapter: Option<&'a [u8]>,
}

/// A model that replays.
pub struct Model {
    config: ModelConfig,
    tokenizer: Bpe,
    net: ExactNet,
    adapter: Option<Adapter>,
    /// Whether the manifest's sampler has a repetition penalty.
    penalises: bool,
}

/// An answer to be checked, as receipt and bundle give it.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The text that was to be continued.
    pub prompt: String,
    /// How tokens are chosen, and how many at most.
    pub decoding: Decoding,
    /// Seed of the sampler (PROTOCOL S5).
    pub seed: Hash,
    /// Hash of the request.
    pub request_hash: Hash,
    /// The answer ends before the first of these.
    pub stop: Vec<String>,
    /// Repetition penalty in thousandths, [`NO_PENALTY`] for none.
    pub repetition_milli: u32,
    /// Tokens of the answer.
    pub tokens: Vec<u32>,
    /// How it is said to have ended.
    pub outcome: Outcome,
    /// The trace that was stored.
    pub trace: Vec<u8>,
    /// The root in the receipt.
    pub commit_root: Hash,
}

/// What a replay found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// Positions whose token is not the sampler's choice.
    pub mismatches: Vec<usize>,
    /// Windows whose hidden vectors are not those committed.
    pub windows_differing: Vec<usize>,
    /// Whether recomputed tokens and hidden vectors give the committed root.
    pub commit_root_equal: bool,
    /// Whether the answer ends where and how it is said to.
    pub outcome_equal: bool,
    /// The answer's text as it follows from the tokens.
    pub text: String,
}

fn mismatch(what: &str) -> Error {
    Error::new(
        "E-MODEL-007",
        format!("the files do not match their manifest: {what}"),
        "Fetch the model again from another node.",
    )
}

fn unanswerable(what: String) -> Error {
    Error::new("E-GEN-005", what, "Ask the node for the answer again, or dispute its receipt.")
}

impl Model {
    /// Reads a model and holds every file against the manifest: hashes, shape, root of the int8 weights.
    ///
    /// # Errors
    /// `E-MODEL-002` configuration, `-004` weights, `-005` tokenizer, `-007` hashes, `-008` manifest, `-014` adapter.
    pub fn load(files: Files<'_>) -> Result<Self> {
        let refuse = |what: String| {
            Error::new("E-MODEL-008", format!("manifest.json refused: {what}"), "Use openledger verify.")
        };
        let manifest: Manifest = serde_json::from_slice(files.manifest).map_err(|e| refuse(e.to_string()))?;
        if manifest.format != 1
            || manifest.numeric_class != NumericClass::Exact
            || !is_exact(&manifest.sampler)
            || manifest.commit_scheme != EXACT_COMMIT_SCHEME
        {
            return Err(refuse("it is not of the class exact".into()));
        }
        if manifest.template_hash.as_slice() != ZERO_HASH {
            return Err(refuse("chat templates are not replayed here".into()));
        }
        if (manifest.adapter_root.as_slice() != ZERO_HASH) != files.adapter.is_some() {
            return Err(refuse("it names an adapter that is not here, or none that is".into()));
        }
        let hashes = [(files.config, &manifest.config_hash), (files.tokenizer, &manifest.tokenizer_hash)];
        if hashes.iter().any(|(bytes, expected)| expected.as_slice() != Sha256::digest(bytes).as_slice()) {
            return Err(mismatch("configuration or tokenizer"));
        }
        let config = ModelConfig::parse(files.config)?;
        let adapter = files.adapter.map(|bytes| Adapter::parse(bytes, &config)).transpose()?;
        let added = adapter.as_ref().map_or(0, Adapter::parameters);
        if u64::from(manifest.context) != config.max_position_embeddings as u64
            || manifest.parameters != config.parameters() + added
        {
            return Err(mismatch("context or parameters"));
        }
        let tokenizer = Bpe::parse(files.tokenizer, config.vocab_size)?;
        let weights = ExactWeights::new(&config, &parse_weights(files.weights, &config)?)?;
        if manifest.weights_root.as_slice() != weights.root() {
            return Err(mismatch("root of the weights"));
        }
        let of_it = |adapter: &Adapter| {
            manifest.adapter_root.as_slice() == adapter.root()
                && manifest.weights_root.as_slice() == adapter.base()
        };
        if !adapter.as_ref().is_none_or(of_it) {
            return Err(mismatch("root of the adapter, or of its base"));
        }
        let net = ExactNet::new(&config, weights, Path::best());
        Ok(Model { config, tokenizer, net, adapter, penalises: knows_penalty(&manifest.sampler) })
    }

    /// Checks an answer.
    ///
    /// # Errors
    /// `E-GEN-001` for a decoding out of range, `E-GEN-005` for an answer that cannot belong to its request.
    pub fn replay(&self, answer: &Answer) -> Result<Report> {
        if answer.repetition_milli != NO_PENALTY && !self.penalises {
            return Err(unanswerable("the model's sampler has no repetition penalty".into()));
        }
        let sampler = Sampler::new(answer.seed, &answer.decoding)?.with_penalty(answer.repetition_milli)?;
        let mut input = vec![self.config.bos_token_id.unwrap_or(self.config.eos_token_id)];
        input.extend(self.tokenizer.encode(&answer.prompt));
        let prompt_tokens = input.len();
        let tokens = &answer.tokens;
        let read = prompt_tokens + tokens.len();
        if tokens.is_empty()
            || tokens.len() > answer.decoding.max_tokens as usize
            || read > self.config.max_position_embeddings
            || tokens.iter().any(|t| *t as usize >= self.config.vocab_size)
        {
            return Err(unanswerable(format!(
                "an answer of {} tokens does not fit its request",
                tokens.len()
            )));
        }
        // The last token is chosen, never read.
        input.extend(tokens.iter().take(tokens.len() - 1));
        let first = prompt_tokens - 1;
        let (mut trace, mut mismatches) = (HiddenTrace::default(), Vec::new());
        let (mut cache, mut room) = (Cache::new(self.net.shape()), Workspace::default());
        let (prompt, pieces) = (&input[..prompt_tokens], (REPLAY_CHUNK, first));
        let adapter = self.adapter.as_ref();
        self.net.read_adapted(
            adapter,
            &mut cache,
            &input,
            pieces,
            &mut room,
            &mut |index, hidden, logits| {
                let at = index - first;
                let logits = sampler.penalised(logits, &[prompt, &tokens[..at.min(tokens.len())]]);
                if sampler.draw(&logits, at as u64) != tokens.get(at).copied() {
                    mismatches.push(at);
                }
                trace.push(hidden);
            },
        );
        let digests = trace.finish();
        let root = commit_root(EXACT_COMMIT_SCHEME, &answer.request_hash, tokens, &digests);
        let (text, stopped) =
            render(&|token| self.tokenizer.bytes(token), tokens, &answer.stop, answer.outcome);
        Ok(Report {
            prompt_tokens,
            mismatches,
            windows_differing: differing_windows(&digests, &answer.trace),
            commit_root_equal: root == Some(answer.commit_root),
            outcome_equal: ends_as(
                tokens,
                stopped,
                self.config.eos_token_id,
                answer.decoding.max_tokens,
                answer.outcome,
            ),
            text,
        })
    }
}
