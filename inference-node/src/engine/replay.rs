//! Replay of an answer by one teacher-forced pass (class `tolerant-f32`).
//!
//! Three things must hold: every token is what the sampler chooses from the recomputed logits, up to
//! near ties; the recomputed projections are those of the trace, up to rounding; and the committed
//! root is that of tokens and trace. Tokens alone miss small changes of the weights, projections
//! alone miss who drew the token. How the answer ended and its text are derived again as well.

use openledger_types::formats::Outcome;
use openledger_types::merkle::Hash;

use super::error::{Error, Result};
use super::files::f32_values;
use super::generate::{not_a_number, GenRequest};
use super::model::Model;
use super::sampler::Check;
use super::stream::render;
use super::trace::{commit_root, rel_l2, PROJECTIONS, TRACE_BYTES};

/// Largest relative distance of a token's projections in the class `tolerant-f32`. Honest replays
/// stay below 2e-6, int8 weights above 1.6e-3.
pub const MAX_REL_L2: f64 = 1e-4;

/// An answer to be checked.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplayRequest {
    /// What was asked.
    pub request: GenRequest,
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
#[derive(Debug, Clone, PartialEq)]
pub struct ReplayReport {
    /// Tokens compared.
    pub tokens: usize,
    /// Tokens that lose by a margin within the tolerance.
    pub near_ties: usize,
    /// Tokens that the sampler does not choose: position and margin.
    pub mismatches: Vec<(usize, f64)>,
    /// Largest relative distance between recomputed and stored projections; infinite when the trace
    /// has another length.
    pub rel_l2_max: f64,
    /// Its mean over the tokens.
    pub rel_l2_mean: f64,
    /// Whether the committed root is that of tokens and trace.
    pub commit_root_equal: bool,
    /// Whether the answer ends where and how it is said to.
    pub outcome_equal: bool,
    /// The answer's text as it follows from the tokens.
    pub text: String,
}

impl ReplayReport {
    /// Whether everything holds.
    pub fn passes(&self) -> bool {
        self.mismatches.is_empty()
            && self.rel_l2_max <= MAX_REL_L2
            && self.commit_root_equal
            && self.outcome_equal
    }

    /// One line for each check that failed; empty when all hold.
    pub fn failures(&self) -> Vec<String> {
        let mut failures = Vec::new();
        if let Some((position, margin)) = self.mismatches.first() {
            failures.push(format!(
                "{} of {} tokens are not the sampler's choice, the first at {position} by {margin:.4}",
                self.mismatches.len(),
                self.tokens
            ));
        }
        // Written so that NaN fails.
        if !matches!(
            self.rel_l2_max.partial_cmp(&MAX_REL_L2),
            Some(std::cmp::Ordering::Less | std::cmp::Ordering::Equal)
        ) {
            failures
                .push(format!("projections differ by {:.2e}, allowed are {MAX_REL_L2:.0e}", self.rel_l2_max));
        }
        if !self.commit_root_equal {
            failures.push("the committed root is not that of tokens and trace".into());
        }
        if !self.outcome_equal {
            failures.push("the answer does not end where or how it is said to".into());
        }
        failures
    }
}

impl Model {
    /// Checks an answer by one pass over prompt and answer.
    ///
    /// # Errors
    /// As [`Model::generate`] for a request that could not have been answered, and `E-GEN-005` for an
    /// answer that is empty, too long or outside the vocabulary.
    pub fn replay(&self, replay: &ReplayRequest) -> Result<ReplayReport> {
        let sampler = self.check_request(&replay.request)?;
        let (prompt, tokens) = (&replay.request.prompt_tokens, &replay.tokens);
        let vocab = self.config().vocab_size;
        if tokens.is_empty()
            || tokens.len() > replay.request.decoding.max_tokens as usize
            || tokens.iter().any(|t| *t as usize >= vocab)
        {
            return Err(Error::new(
                "E-GEN-005",
                format!("an answer of {} tokens cannot belong to this request", tokens.len()),
                "Ask the node for the answer again, or dispute its receipt.",
            ));
        }
        // The last token is chosen, never read.
        let mut input = prompt.clone();
        input.extend(tokens.iter().take(tokens.len() - 1));
        let hidden = self.net().hidden(&input, 1)?.narrow(0, prompt.len() - 1, tokens.len())?.contiguous()?;
        let logits = self.net().logits(&hidden)?.flatten_all()?.to_vec1::<f32>()?;
        let projections = hidden.matmul(&self.directions.t()?)?.flatten_all()?.to_vec1::<f32>()?;

        let (mut near_ties, mut mismatches) = (0, Vec::new());
        for (i, (row, token)) in logits.chunks_exact(vocab).zip(tokens).enumerate() {
            match sampler.check(row, i as u64, *token).ok_or_else(not_a_number)? {
                Check::Chosen => {}
                Check::NearTie(_) => near_ties += 1,
                Check::Mismatch(margin) => mismatches.push((i, margin)),
            }
        }
        let (rel_l2_max, rel_l2_mean) = distances(&projections, &replay.trace, tokens.len());
        let (text, stopped) = render(self.tokenizer(), tokens, &replay.request.stop, replay.outcome);
        Ok(ReplayReport {
            tokens: tokens.len(),
            near_ties,
            mismatches,
            rel_l2_max,
            rel_l2_mean,
            commit_root_equal: commit_root(&replay.request.request_hash, tokens, &replay.trace)
                == replay.commit_root,
            outcome_equal: self.ends_as(replay, stopped),
            text,
        })
    }

    /// Whether the tokens end where the request makes them end, as `outcome` says.
    fn ends_as(&self, replay: &ReplayRequest, stopped: Option<usize>) -> bool {
        let len = replay.tokens.len();
        let end = replay.tokens.iter().position(|t| *t == self.config().eos_token_id).map(|i| i + 1);
        let full = len == replay.request.decoding.max_tokens as usize;
        match end.into_iter().chain(stopped).min() {
            Some(at) => at == len && replay.outcome == Outcome::Stop,
            None if full => replay.outcome == Outcome::Length,
            None => replay.outcome == Outcome::Cancelled,
        }
    }
}

/// Largest and mean relative distance, token by token.
fn distances(projections: &[f32], trace: &[u8], tokens: usize) -> (f64, f64) {
    if trace.len() != tokens * TRACE_BYTES {
        return (f64::INFINITY, f64::INFINITY);
    }
    let stored = f32_values(trace);
    let (mut max, mut sum) = (0f64, 0f64);
    for (a, b) in stored.chunks_exact(PROJECTIONS).zip(projections.chunks_exact(PROJECTIONS)) {
        let distance = rel_l2(a, b);
        // A trace that holds NaN is infinitely far from any other.
        let distance = if distance.is_nan() { f64::INFINITY } else { distance };
        max = max.max(distance);
        sum += distance;
    }
    (max, sum / tokens.max(1) as f64)
}
