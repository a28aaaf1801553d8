//! Answers, token by token: in the exact class with its own network, in the tolerant class with
//! candle-transformers' Llama and its cache.

use std::ops::ControlFlow;
use std::sync::Arc;

use candle_core::Tensor;
use openledger_exact::cache::Cache;
use openledger_exact::constraint::Constraint;
use openledger_exact::net::{Piece, Read, Workspace, CHUNK};
use openledger_exact::sampler::{knows_penalty, knows_schemas, Sampler, NO_PENALTY};
use openledger_exact::schema::Schema;
use openledger_exact::stream::TextStream;
use openledger_exact::trace::{commit_root, HiddenTrace, COMMIT_SCHEME, EXACT_COMMIT_SCHEME};
use openledger_types::formats::{Decoding, NumericClass, Outcome};
use openledger_types::merkle::Hash;

use super::error::{Error, Result};
use super::files::f32_bytes;
use super::model::{Class, Model, Tolerant};

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
    /// Repetition penalty in thousandths, 1,000 for none.
    pub repetition_milli: u32,
    /// What the answer is bound by, if anything.
    pub schema: Option<Arc<Schema>>,
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
    /// The trace of the model's commitment scheme.
    pub trace: Vec<u8>,
}

/// An answer that grows token by token: text, end, trace. One for both classes and for both ways to serve.
pub(crate) struct Writer<'a> {
    request: &'a GenRequest,
    model: &'a Model,
    stream: TextStream<'a>,
    tokens: Vec<u32>,
    text: String,
    trace: Trace,
    outcome: Option<Outcome>,
}

enum Trace {
    /// Projections as bytes.
    Projections(Vec<u8>),
    /// Hidden vectors, hashed window by window.
    Hidden(HiddenTrace),
}

impl<'a> Writer<'a> {
    pub(crate) fn new(model: &'a Model, request: &'a GenRequest) -> Self {
        let trace = match model.manifest().numeric_class {
            NumericClass::Exact => Trace::Hidden(HiddenTrace::default()),
            _ => Trace::Projections(Vec::new()),
        };
        let stream = TextStream::new(&request.stop);
        Writer { request, model, stream, tokens: Vec::new(), text: String::new(), trace, outcome: None }
    }

    /// Takes a token and what was observed when it was chosen (the hidden vector, or its projections);
    /// whether the answer goes on.
    ///
    /// # Errors
    /// `E-GEN-004` when the observed values are not finite.
    pub(crate) fn take(
        &mut self,
        token: u32,
        observed: &[f32],
        deliver: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<bool> {
        if observed.iter().any(|x| !x.is_finite()) {
            return Err(not_a_number());
        }
        self.tokens.push(token);
        match &mut self.trace {
            Trace::Projections(bytes) => bytes.extend(f32_bytes(observed)),
            Trace::Hidden(trace) => trace.push(observed),
        }
        let ended = token == self.model.config().eos_token_id;
        let mut piece = self.stream.push(self.model.tokenizer().bytes(token));
        let full = self.tokens.len() >= self.request.decoding.max_tokens as usize;
        if ended || self.stream.stopped() || full {
            piece.push_str(&self.stream.finish());
        }
        self.text.push_str(&piece);
        let flow = deliver(&piece);
        self.outcome = if ended || self.stream.stopped() {
            Some(Outcome::Stop)
        } else if full {
            Some(Outcome::Length)
        } else if flow.is_break() {
            Some(Outcome::Cancelled)
        } else {
            None
        };
        Ok(self.outcome.is_none())
    }

    /// Tokens taken so far.
    pub(crate) fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// The answer with its commitment.
    pub(crate) fn finish(self) -> Result<Generation> {
        let (scheme, trace) = match self.trace {
            Trace::Projections(bytes) => (COMMIT_SCHEME, bytes),
            Trace::Hidden(trace) => (EXACT_COMMIT_SCHEME, trace.finish()),
        };
        let commit_root =
            commit_root(scheme, &self.request.request_hash, &self.tokens, &trace).ok_or_else(not_a_number)?;
        let outcome = self.outcome.unwrap_or(Outcome::Cancelled);
        Ok(Generation { tokens: self.tokens, text: self.text, outcome, commit_root, trace })
    }
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
        let mut constraint = self.constraint(request);
        let mut writer = Writer::new(self, request);
        match &self.class {
            Class::Tolerant(net) => self.generate_tolerant(net, request, &sampler, &mut writer, deliver)?,
            Class::Exact(net) => {
                let (mut cache, mut room) = (Cache::new(net.shape()), Workspace::default());
                let adapter = self.adapter()?;
                let (adapter, prompt) = (adapter.as_deref(), &request.prompt_tokens);
                let mut next = Err(not_a_number());
                let last = prompt.len() - 1;
                let pieces = (CHUNK, last);
                net.read_adapted(adapter, &mut cache, prompt, pieces, &mut room, &mut |_, hidden, logits| {
                    let logits = sampler.penalised(logits, &[prompt]);
                    next = drawn(&sampler, constraint.as_mut(), &logits, 0)
                        .map(|token| (token, hidden.to_vec()));
                });
                let mut position = 0;
                loop {
                    let (token, hidden) = next?;
                    if !writer.take(token, &hidden, deliver)? {
                        break;
                    }
                    position += 1;
                    net.step(
                        &mut [Piece { cache: &mut cache, tokens: &[token], read: Read::Last, adapter }],
                        &mut room,
                    );
                    let (hidden, logits) = room.rows(net).next().ok_or_else(not_a_number)?;
                    let logits = sampler.penalised(logits, &[prompt, writer.tokens()]);
                    next = drawn(&sampler, constraint.as_mut(), &logits, position)
                        .map(|token| (token, hidden.to_vec()));
                }
            }
        }
        writer.finish()
    }

    fn generate_tolerant(
        &self,
        net: &Tolerant,
        request: &GenRequest,
        sampler: &Sampler,
        writer: &mut Writer,
        deliver: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<()> {
        let mut cache = net.cache.clone();
        let mut input = request.prompt_tokens.clone();
        let (mut done, mut position) = (0, 0);
        loop {
            let ids = Tensor::from_slice(&input, (1, input.len()), &net.device)?;
            let row = net.llama.forward(&ids, done, &mut cache)?.flatten_all()?.to_vec1::<f32>()?;
            done += input.len();
            let (logits, projections) = row.split_at(self.config().vocab_size.min(row.len()));
            let token = sampler.draw(logits, position).ok_or_else(not_a_number)?;
            position += 1;
            if !writer.take(token, projections, deliver)? {
                return Ok(());
            }
            input = vec![token];
        }
    }

    /// Refuses a repetition penalty where the model's sampler has none: the manifest says how tokens are
    /// drawn, and a replay by an older release must find the same.
    pub(crate) fn check_penalty(&self, repetition_milli: u32) -> Result<()> {
        if repetition_milli == NO_PENALTY || knows_penalty(&self.manifest().sampler) {
            return Ok(());
        }
        Err(Error::new(
            "E-GEN-001",
            format!("the sampler {} of this model has no repetition penalty", self.manifest().sampler),
            "Leave repetition_penalty out.",
        ))
    }

    /// Refuses a schema where the model's sampler knows none, for the same reason.
    pub(crate) fn check_schema(&self, bound: bool) -> Result<()> {
        if !bound || knows_schemas(&self.manifest().sampler) {
            return Ok(());
        }
        Err(Error::new(
            "E-GEN-001",
            format!("the sampler {} of this model cannot be bound by a schema", self.manifest().sampler),
            "Leave response_format out, or ask a newer model of the class exact.",
        ))
    }

    /// What binds the answer to `request`, at its beginning.
    pub(crate) fn constraint(&self, request: &GenRequest) -> Option<Constraint> {
        request.schema.clone().map(|schema| Constraint::new(schema, self.vocabulary().clone()))
    }

    /// Refuses what this model cannot answer; the sampler for what it can.
    pub(crate) fn check_request(&self, request: &GenRequest) -> Result<Sampler> {
        self.check_penalty(request.repetition_milli)?;
        self.check_schema(request.schema.is_some())?;
        let sampler =
            Sampler::new(request.seed, &request.decoding)?.with_penalty(request.repetition_milli)?;
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

/// The next token of an answer of the exact class, from logits after the penalty; what binds the answer goes on
/// with it.
///
/// # Errors
/// `E-GEN-004` for logits that are not finite, `E-GEN-009` where no token may follow.
pub(crate) fn drawn(
    sampler: &Sampler,
    constraint: Option<&mut Constraint>,
    logits: &[f32],
    position: u64,
) -> Result<u32> {
    let Some(constraint) = constraint else { return sampler.draw(logits, position).ok_or_else(not_a_number) };
    let mask = constraint.mask()?;
    let token = sampler.draw_among(logits, position, Some(&mask)).ok_or_else(not_a_number)?;
    constraint.take(token);
    Ok(token)
}

pub(crate) fn not_a_number() -> Error {
    Error::new(
        "E-GEN-004",
        "the model computed something that is not a finite number",
        "The weights overflow on this prompt: use another version of the model.",
    )
}
