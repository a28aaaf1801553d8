//! Answers, token by token, with candle-transformers' Llama and its cache.

use std::ops::ControlFlow;

use candle_core::{Device, Tensor};
use openledger_types::formats::{Decoding, Outcome};
use openledger_types::merkle::Hash;

use super::error::{Error, Result};
use super::files::f32_bytes;
use super::model::Model;
use super::sampler::Sampler;
use super::stream::TextStream;
use super::trace::{commit_root, TRACE_BYTES};

/// Most stop strings of a request.
pub const MAX_STOPS: usize = 4;
/// Most bytes of a stop string.
pub const MAX_STOP_BYTES: usize = 256;

/// What decides an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct GenRequest {
    /// Tokens of the prompt, from [`Model::encode_prompt`].
    pub prompt_tokens: Vec<u32>,
    /// How tokens are chosen, and how many at most.
    pub decoding: Decoding,
    /// Seed of the sampler (PROTOCOL S5).
    pub seed: [u8; 32],
    /// Hash of the request, part of every window of the commitment.
    pub request_hash: Hash,
    /// The answer ends before the first of these.
    pub stop: Vec<String>,
}

/// An answer with what is committed about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Generation {
    /// Tokens of the answer; the end-of-text token, if it came, is the last and is counted.
    pub tokens: Vec<u32>,
    /// The text that was delivered, without the stop string.
    pub text: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Root over the windows of 32 tokens.
    pub commit_root: Hash,
    /// The trace: [`TRACE_BYTES`] a token.
    pub trace: Vec<u8>,
}

impl Model {
    /// Writes the answer to `request`. After every token `deliver` gets the text that became certain
    /// (it may be empty); when it breaks, the answer ends there as [`Outcome::Cancelled`].
    ///
    /// # Errors
    /// `E-GEN-001` decoding, `E-GEN-002` too long, `E-GEN-003` prompt or stop strings, `E-GEN-004`
    /// when the model computes something that is not a number.
    pub fn generate(
        &self,
        request: &GenRequest,
        deliver: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Generation> {
        let sampler = self.check_request(request)?;
        let max_tokens = request.decoding.max_tokens as usize;
        let mut cache = self.cache.clone();
        let mut stream = TextStream::new(&request.stop);
        let (mut tokens, mut text, mut trace) = (Vec::new(), String::new(), Vec::new());
        let mut input = request.prompt_tokens.clone();
        let mut done = 0;
        let outcome = loop {
            let ids = Tensor::from_slice(&input, (1, input.len()), &Device::Cpu)?;
            let row = self.llama.forward(&ids, done, &mut cache)?.flatten_all()?.to_vec1::<f32>()?;
            done += input.len();
            let (logits, projections) = row.split_at(self.config().vocab_size.min(row.len()));
            let token = sampler.draw(logits, tokens.len() as u64).ok_or_else(not_a_number)?;
            tokens.push(token);
            trace.extend(f32_bytes(projections));
            let ended = token == self.config().eos_token_id;
            let mut piece = stream.push(self.tokenizer().bytes(token));
            let finished = ended || stream.stopped() || tokens.len() >= max_tokens;
            if finished {
                piece.push_str(&stream.finish());
            }
            text.push_str(&piece);
            let flow = deliver(&piece);
            if ended || stream.stopped() {
                break Outcome::Stop;
            }
            if finished {
                break Outcome::Length;
            }
            if flow.is_break() {
                break Outcome::Cancelled;
            }
            input = vec![token];
        };
        if trace.len() != tokens.len() * TRACE_BYTES {
            return Err(not_a_number());
        }
        let commit_root = commit_root(&request.request_hash, &tokens, &trace);
        Ok(Generation { tokens, text, outcome, commit_root, trace })
    }

    /// Refuses what this model cannot answer; the sampler for what it can.
    pub(super) fn check_request(&self, request: &GenRequest) -> Result<Sampler> {
        let sampler = Sampler::new(request.seed, &request.decoding)?;
        let refuse = |what: String| {
            Error::new(
                "E-GEN-003",
                what,
                "Encode the prompt with this model and use at most 4 short stop strings.",
            )
        };
        if request.prompt_tokens.is_empty() {
            return Err(refuse("the prompt has no tokens".into()));
        }
        if let Some(token) = request.prompt_tokens.iter().find(|t| **t as usize >= self.config().vocab_size) {
            return Err(refuse(format!("token {token} is outside the vocabulary")));
        }
        if request.stop.len() > MAX_STOPS
            || request.stop.iter().any(|s| s.is_empty() || s.len() > MAX_STOP_BYTES)
        {
            return Err(refuse(format!(
                "{} stop strings, or one that is empty or too long",
                request.stop.len()
            )));
        }
        let (prompt, answer) = (request.prompt_tokens.len(), request.decoding.max_tokens as usize);
        if prompt.saturating_add(answer) > self.context() {
            return Err(self.too_long(format!("a prompt of {prompt} tokens with an answer of {answer}")));
        }
        Ok(sampler)
    }
}

pub(super) fn not_a_number() -> Error {
    Error::new(
        "E-GEN-004",
        "the model computed something that is not a finite number",
        "The weights overflow on this prompt: use another version of the model.",
    )
}
