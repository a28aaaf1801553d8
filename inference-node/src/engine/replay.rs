//! Replay of an answer by one teacher-forced pass.
//!
//! In the class `exact` every token must be the sampler's choice and every window's digest of hidden
//! vectors the one that was committed: equality, nothing else. In the class `tolerant-f32` three things
//! must hold: every token is what the sampler chooses from the recomputed logits, up to near ties; the
//! recomputed projections are those of the trace, up to rounding; and the committed root is that of tokens
//! and trace. Tokens alone miss small changes of the weights, hidden vectors alone miss who drew the token.
//! How the answer ended and its text are derived again as well.

use candle_core::{Device, Tensor};
use openledger_exact::sampler::Check;
use openledger_exact::stream::{ends_as, render};
use openledger_exact::trace::{
    commit_root, differing_windows, HiddenTrace, COMMIT_SCHEME, EXACT_COMMIT_SCHEME, PROJECTIONS, TRACE_BYTES,
};
use openledger_types::formats::{NumericClass, Outcome};
use openledger_types::merkle::Hash;

use super::error::{Error, Result};
use super::files::f32_values;
use super::generate::{not_a_number, GenRequest};
use super::model::{Class, Model};
use super::trace::rel_l2;

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
    /// The class that decides what must be equal.
    pub class: NumericClass,
    /// Tokens compared.
    pub tokens: usize,
    /// Tokens that lose by a margin within the tolerance.
    pub near_ties: usize,
    /// Tokens that the sampler does not choose: position and margin.
    pub mismatches: Vec<(usize, f64)>,
    /// Windows of the exact class whose digest is not the stored one, by number; all of them when the trace
    /// has another length.
    pub windows_differing: Vec<usize>,
    /// Largest relative distance between recomputed and stored projections in the tolerant class; infinite
    /// when the trace has another length. 0 in the exact class.
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
            && self.windows_differing.is_empty()
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
        if let Some(window) = self.windows_differing.first() {
            failures.push(format!(
                "hidden vectors of {} windows are not those that were committed, the first is window {window}",
                self.windows_differing.len()
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
        let mut constraint = self.constraint(&replay.request);
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
        let first = prompt.len() - 1;
        let (mut near_ties, mut mismatches, mut bad) = (0, Vec::new(), false);
        let mut hidden_trace = HiddenTrace::default();
        let mut hidden_rows = Vec::new();
        let exact = matches!(self.class, Class::Exact(_));
        self.teacher_forced(&input, first, &mut |at| {
            let i = at.index - first;
            let Some(token) = tokens.get(i).copied() else { return };
            bad |= at.hidden.iter().any(|x| !x.is_finite());
            // The draw alone decides in the exact class; margins are for the report.
            let logits = sampler.penalised(at.logits, &[prompt, tokens.get(..i).unwrap_or(&[])]);
            // Where a token was not let through none may follow it: every later one is a mismatch as well.
            let mask = constraint.as_mut().map(|constraint| constraint.mask());
            let barred = match &mask {
                Some(Ok(mask)) => !mask.has(token),
                Some(Err(_)) => true,
                None => false,
            };
            if let Some(constraint) = &mut constraint {
                constraint.take(token);
            }
            let mask = mask.and_then(|mask| mask.ok());
            let drawn = match exact {
                true => sampler.draw_among(&logits, i as u64, mask.as_deref()),
                false => None,
            };
            if barred {
                mismatches.push((i, f64::INFINITY));
            } else if !exact || drawn != Some(token) {
                match sampler.check(&logits, i as u64, token) {
                    None => bad = true,
                    Some(Check::Chosen) if !exact => {}
                    Some(Check::NearTie(_)) if !exact => near_ties += 1,
                    Some(Check::Chosen) => mismatches.push((i, 0.0)),
                    Some(Check::NearTie(margin) | Check::Mismatch(margin)) => mismatches.push((i, margin)),
                }
            }
            match exact {
                true => hidden_trace.push(at.hidden),
                false => hidden_rows.extend_from_slice(at.hidden),
            }
        })?;
        if bad {
            return Err(not_a_number());
        }
        let (mut windows_differing, mut distance) = (Vec::new(), (0.0, 0.0));
        // The root that the recomputed values give; in the tolerant class, that the stored ones give.
        let root = match &self.class {
            Class::Exact(_) => {
                let digests = hidden_trace.finish();
                windows_differing = differing_windows(&digests, &replay.trace);
                commit_root(EXACT_COMMIT_SCHEME, &replay.request.request_hash, tokens, &digests)
            }
            Class::Tolerant(own) => {
                let rows = tokens.len();
                let hidden = Tensor::from_vec(hidden_rows, (rows, self.config().hidden_size), &Device::Cpu)?;
                let projections = hidden.matmul(&own.directions.t()?)?.flatten_all()?.to_vec1::<f32>()?;
                distance = distances(&projections, &replay.trace, rows);
                commit_root(COMMIT_SCHEME, &replay.request.request_hash, tokens, &replay.trace)
            }
        };
        let (text, stopped) =
            render(&|token| self.tokenizer().bytes(token), tokens, &replay.request.stop, replay.outcome);
        Ok(ReplayReport {
            class: self.manifest().numeric_class,
            tokens: tokens.len(),
            near_ties,
            mismatches,
            windows_differing,
            rel_l2_max: distance.0,
            rel_l2_mean: distance.1,
            commit_root_equal: root == Some(replay.commit_root),
            outcome_equal: ends_as(
                tokens,
                stopped,
                self.config().eos_token_id,
                replay.request.decoding.max_tokens,
                replay.outcome,
            ),
            text,
        })
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
