//! Choice of the next token: Gumbel-max from a seed that the client's signed request fixes
//! (PROTOCOL S5, samplers `gumbel-chacha8/1` and, in the exact class, `gumbel-chacha8/2` to `/4`).
//!
//! The noise of token `v` at position `i` of the answer (from 0) is
//! `g = -ln(-ln((w + 0.5) / 2^32))`, where `w` is word `v % 16` of block `v / 16` of ChaCha8 keyed by
//! the seed, stream `i`. The token is the one with the largest `logit / T + g`, ties to the lower id,
//! among those that top-k, then top-p (over the softmax of what top-k left) let through; both rank
//! equal logits by the lower id. Temperature 0 takes the largest logit. All of it in f64, with the
//! logarithm and the exponential of `openledger_numerics`, whose bits are the same everywhere.
//!
//! `gumbel-chacha8/3` is `/2` with a repetition penalty p before all that: the logit l of each token that
//! stands in prompt or answer already becomes `l / p` above 0 and `l * p` below, once however often it stands
//! there, computed in f64 and rounded to f32. With p = 1 both draw the same.
//!
//! `gumbel-chacha8/4` is `/3` with the schema that a request may name: behind the penalty and before top-k only
//! the tokens of [`crate::constraint`]'s mask are left. Without a schema both draw the same.

use std::borrow::Cow;
use std::sync::OnceLock;

use openledger_numerics::{exp, ln};
use openledger_types::formats::Decoding;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::constraint::Mask;
use crate::error::{Error, Result};

/// Repetition penalty, in thousandths, that changes nothing.
pub const NO_PENALTY: u32 = 1_000;
/// Largest repetition penalty, in thousandths.
pub const MAX_PENALTY: u32 = 2_000;

/// Name of the tolerant class's sampler, as it stands in manifests.
pub const SAMPLER: &str = "gumbel-chacha8/1";

/// Name of the exact class's sampler: canonical logarithm and exponential are part of it, the repetition penalty
/// and the masks of schemas.
pub const EXACT_SAMPLER: &str = "gumbel-chacha8/4";

/// Name of the exact class's sampler in models made before it knew schemas.
pub const EXACT_SAMPLER_UNBOUND: &str = "gumbel-chacha8/3";

/// Name of the exact class's sampler in models made before it knew a repetition penalty.
pub const EXACT_SAMPLER_PLAIN: &str = "gumbel-chacha8/2";

/// Whether this is a name of the exact class's sampler.
pub fn is_exact(sampler: &str) -> bool {
    knows_penalty(sampler) || sampler == EXACT_SAMPLER_PLAIN
}

/// Whether the sampler of this name has a repetition penalty.
pub fn knows_penalty(sampler: &str) -> bool {
    [EXACT_SAMPLER, EXACT_SAMPLER_UNBOUND].contains(&sampler)
}

/// Whether the sampler of this name can be bound by a schema.
pub fn knows_schemas(sampler: &str) -> bool {
    sampler == EXACT_SAMPLER
}

/// Post-Gumbel margin up to which a replay in the class `tolerant-f32` accepts another token.
pub const NEAR_TIE: f64 = 1e-3;

/// Probability by which the border of top-p may move in a replay.
const TOP_P_SLACK: f64 = 1e-4;

/// Draws the tokens of one answer.
pub struct Sampler {
    seed: [u8; 32],
    temperature: f64,
    top_k: usize,
    top_p: f64,
    penalty: f64,
}

/// What a replay finds about one token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Check {
    /// It is the sampler's choice.
    Chosen,
    /// Another token wins by at most [`NEAR_TIE`]: allowed in the tolerant class.
    NearTie(f64),
    /// Another token wins by this margin (infinite when top-k or top-p exclude the token).
    Mismatch(f64),
}

impl Sampler {
    /// A sampler for `decoding`; refuses values outside their range.
    pub fn new(seed: [u8; 32], decoding: &Decoding) -> Result<Self> {
        let refuse = |what: String| {
            Error::new(
                "E-GEN-001",
                what,
                "Use temperature 0 to 10, top_p above 0 to 1 and at least one token.",
            )
        };
        if decoding.temperature_milli > 10_000 {
            return Err(refuse(format!(
                "temperature {} thousandths is above 10",
                decoding.temperature_milli
            )));
        }
        if decoding.top_p_milli == 0 || decoding.top_p_milli > 1_000 {
            return Err(refuse(format!(
                "top_p of {} thousandths is not within 1 to 1000",
                decoding.top_p_milli
            )));
        }
        if decoding.max_tokens == 0 {
            return Err(refuse("max_tokens is 0".into()));
        }
        Ok(Sampler {
            seed,
            temperature: f64::from(decoding.temperature_milli) / 1_000.0,
            top_k: decoding.top_k as usize,
            top_p: f64::from(decoding.top_p_milli) / 1_000.0,
            penalty: 1.0,
        })
    }

    /// The same with a repetition penalty in thousandths, see the module's description.
    ///
    /// # Errors
    /// `E-GEN-001` outside 1 to 2.
    pub fn with_penalty(mut self, repetition_milli: u32) -> Result<Self> {
        if !(NO_PENALTY..=MAX_PENALTY).contains(&repetition_milli) {
            return Err(Error::new(
                "E-GEN-001",
                format!("a repetition penalty of {repetition_milli} thousandths is not within 1 to 2"),
                "Use a repetition_penalty within 1 and 2.",
            ));
        }
        self.penalty = f64::from(repetition_milli) / 1_000.0;
        Ok(self)
    }

    /// The logits after the repetition penalty, when `seen` stand in prompt and answer already.
    pub fn penalised<'a>(&self, logits: &'a [f32], seen: &[&[u32]]) -> Cow<'a, [f32]> {
        if self.penalty == 1.0 {
            return Cow::Borrowed(logits);
        }
        let mut penalised = logits.to_vec();
        let mut done = vec![false; logits.len()];
        for id in seen.iter().copied().flatten().map(|id| *id as usize) {
            let (Some(logit), Some(done)) = (penalised.get_mut(id), done.get_mut(id)) else { continue };
            if !std::mem::replace(done, true) {
                let value = f64::from(*logit);
                *logit = (if value > 0.0 { value / self.penalty } else { value * self.penalty }) as f32;
            }
        }
        Cow::Owned(penalised)
    }

    /// The token at `position` of the answer; `None` when a logit is not a finite number.
    pub fn draw(&self, logits: &[f32], position: u64) -> Option<u32> {
        self.draw_among(logits, position, None)
    }

    /// The same among the tokens that `mask` lets through; `None` also when it lets none through.
    pub fn draw_among(&self, logits: &[f32], position: u64, mask: Option<&Mask>) -> Option<u32> {
        if logits.is_empty() || logits.iter().any(|l| !l.is_finite()) {
            return None;
        }
        let through = |id: u32| mask.is_none_or(|mask| mask.has(id));
        let allowed = self.ranked(logits, mask).map(|order| {
            let kept = self.kept(logits, &order, 0.0);
            let mut mask = vec![false; logits.len()];
            order.iter().take(kept).filter_map(|id| mask.get_mut(*id as usize).map(|m| *m = true)).count();
            mask
        });
        if self.temperature == 0.0 {
            let mut found: Option<(u32, f32)> = None;
            for (id, logit) in (0u32..).zip(logits).filter(|(id, _)| through(*id)) {
                if found.is_none_or(|(_, top)| *logit > top) {
                    found = Some((id, *logit));
                }
            }
            return found.map(|(id, _)| id);
        }
        let bounds = bounds();
        let mut rng = ChaCha8Rng::from_seed(self.seed);
        rng.set_stream(position);
        let mut found: Option<(u32, f64)> = None;
        for (id, logit) in logits.iter().enumerate() {
            let word = rng.next_u32();
            let (scaled, top) = (self.scaled(*logit), found.map_or(f64::NEG_INFINITY, |(_, top)| top));
            // Most tokens cannot win whatever their noise within its bound: they need no logarithm.
            let bound = bounds.get((word >> 24) as usize).copied().unwrap_or(f64::INFINITY);
            let kept = allowed.as_ref().is_none_or(|mask| mask.get(id) == Some(&true));
            if scaled + bound < top || !kept || !through(id as u32) {
                continue;
            }
            let score = scaled + gumbel(word);
            if score > top {
                found = Some((id as u32, score));
            }
        }
        found.map(|(id, _)| id)
    }

    /// Whether `token` is the choice at `position` by these recomputed logits, up to the tolerance
    /// of the class; `None` when a logit is not finite or the token is outside the vocabulary.
    pub fn check(&self, logits: &[f32], position: u64, token: u32) -> Option<Check> {
        let scores = self.scores(logits, position)?;
        let score = *scores.get(token as usize)?;
        let (mut surely, mut perhaps) = (None, None);
        if let Some(order) = self.ranked(logits, None) {
            // Rounding may move a token across the border of top-k or top-p. `surely` holds what
            // stays inside wherever the border falls within the tolerance, `perhaps` what may be.
            let inner = self.border(logits, &order, -TOP_P_SLACK, NEAR_TIE);
            let outer = self.border(logits, &order, TOP_P_SLACK, -NEAR_TIE);
            let mask = |border: f64| logits.iter().map(|l| self.scaled(*l) >= border).collect::<Vec<bool>>();
            surely = Some(mask(inner));
            perhaps = Some(mask(outer));
        }
        if perhaps.as_ref().is_some_and(|mask: &Vec<bool>| mask.get(token as usize) != Some(&true)) {
            return Some(Check::Mismatch(f64::INFINITY));
        }
        let Some((winner, best)) = best(&scores, surely.as_deref()) else {
            return Some(Check::Chosen);
        };
        let margin = best - score;
        Some(if winner == token || margin < 0.0 {
            Check::Chosen
        } else if margin <= NEAR_TIE {
            Check::NearTie(margin)
        } else {
            Check::Mismatch(margin)
        })
    }

    fn scaled(&self, logit: f32) -> f64 {
        if self.temperature == 0.0 {
            f64::from(logit)
        } else {
            f64::from(logit) / self.temperature
        }
    }

    /// Scaled logit plus noise of every token.
    fn scores(&self, logits: &[f32], position: u64) -> Option<Vec<f64>> {
        if logits.is_empty() || logits.iter().any(|l| !l.is_finite()) {
            return None;
        }
        if self.temperature == 0.0 {
            return Some(logits.iter().map(|l| f64::from(*l)).collect());
        }
        let mut rng = ChaCha8Rng::from_seed(self.seed);
        rng.set_stream(position);
        Some(logits.iter().map(|l| self.scaled(*l) + gumbel(rng.next_u32())).collect())
    }

    /// Ids that `mask` lets through from the largest logit down, when top-k or top-p is in force.
    fn ranked(&self, logits: &[f32], mask: Option<&Mask>) -> Option<Vec<u32>> {
        let limits_k = self.top_k > 0 && self.top_k < logits.len();
        if self.temperature == 0.0 || (!limits_k && self.top_p >= 1.0) {
            return None;
        }
        let mut order: Vec<(u32, f32)> = (0u32..).zip(logits.iter().copied()).collect();
        if let Some(mask) = mask {
            order.retain(|(id, _)| mask.has(*id));
        }
        order.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        Some(order.into_iter().map(|(id, _)| id).collect())
    }

    /// How many of the ranked tokens are let through, with the border of top-p moved by `slack`.
    fn kept(&self, logits: &[f32], order: &[u32], slack: f64) -> usize {
        let logit = |id: u32| logits.get(id as usize).map_or(f64::NEG_INFINITY, |l| self.scaled(*l));
        let k = if self.top_k == 0 { order.len() } else { self.top_k.min(order.len()) };
        if self.top_p >= 1.0 {
            return k;
        }
        let largest = order.first().map_or(0.0, |id| logit(*id));
        let weights: Vec<f64> = order.iter().take(k).map(|id| exp(logit(*id) - largest)).collect();
        let total: f64 = weights.iter().sum();
        let mut sum = 0.0;
        for (i, weight) in weights.iter().enumerate() {
            sum += weight / total;
            if sum >= self.top_p + slack {
                return i + 1;
            }
        }
        k
    }

    /// The scaled logit from which on tokens count as inside, with both borders moved.
    fn border(&self, logits: &[f32], order: &[u32], slack_p: f64, slack_logit: f64) -> f64 {
        let kept = self.kept(logits, order, slack_p).max(1);
        let last = order.get(kept - 1).and_then(|id| logits.get(*id as usize));
        last.map_or(f64::NEG_INFINITY, |l| self.scaled(*l)) + slack_logit
    }
}

/// The standard Gumbel variate of a 32-bit word.
fn gumbel(word: u32) -> f64 {
    let u = (f64::from(word) + 0.5) / 4_294_967_296.0;
    -ln(-ln(u))
}

/// For each first byte of a word, a value that its noise does not exceed.
fn bounds() -> &'static [f64; 256] {
    static BOUNDS: OnceLock<[f64; 256]> = OnceLock::new();
    // The noise rises with the word; the margin is far above what rounding can do to that.
    BOUNDS.get_or_init(|| std::array::from_fn(|byte| gumbel(((byte as u32) << 24) | 0x00ff_ffff) + 1e-9))
}

/// The largest score among the allowed, ties to the lower id.
fn best(scores: &[f64], allowed: Option<&[bool]>) -> Option<(u32, f64)> {
    let mut best: Option<(u32, f64)> = None;
    for (id, score) in scores.iter().enumerate() {
        if allowed.is_some_and(|mask| mask.get(id) != Some(&true)) {
            continue;
        }
        if best.is_none_or(|(_, top)| *score > top) {
            best = Some((id as u32, *score));
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repetition_penalty_lowers_each_seen_token_once() {
        let plain = Sampler::new([1; 32], &decoding(0, 0, 1000)).unwrap();
        let logits = [2.0, -1.0, 0.0, 3.0];
        assert!(matches!(plain.penalised(&logits, &[&[3, 3]]), Cow::Borrowed(_)));
        let sampler = plain.with_penalty(1_600).unwrap();
        let penalised = sampler.penalised(&logits, &[&[3, 1], &[3, 9]]);
        assert_eq!(penalised.as_ref(), [2.0, -1.6, 0.0, 1.875]);
        assert_eq!(sampler.draw(&penalised, 0), Some(0));
        for outside in [0, 999, 2_001] {
            let sampler = Sampler::new([1; 32], &decoding(0, 0, 1000)).unwrap();
            assert_eq!(sampler.with_penalty(outside).err().unwrap().code, "E-GEN-001");
        }
    }

    #[test]
    fn names_say_what_a_sampler_knows() {
        for (name, exact, penalty, schemas) in [
            (SAMPLER, false, false, false),
            (EXACT_SAMPLER_PLAIN, true, false, false),
            (EXACT_SAMPLER_UNBOUND, true, true, false),
            (EXACT_SAMPLER, true, true, true),
            ("gumbel-chacha8/5", false, false, false),
        ] {
            assert_eq!((is_exact(name), knows_penalty(name), knows_schemas(name)), (exact, penalty, schemas));
        }
    }

    #[test]
    fn a_masked_token_is_as_one_without_weight() {
        for (temperature, top_k, top_p) in
            [(0, 0, 1000), (800, 0, 1000), (1000, 7, 1000), (1200, 0, 900), (700, 20, 600)]
        {
            let sampler = Sampler::new([3; 32], &decoding(temperature, top_k, top_p)).unwrap();
            for position in 0..200u64 {
                let logits: Vec<f32> =
                    (0..90u64).map(|i| ((i * 31 + position * 17) % 41) as f32 * 0.21).collect();
                let mut mask = Mask::none(90);
                (0..90u32).filter(|i| (u64::from(*i) * 7 + position) % 4 == 0).for_each(|i| mask.allow(i));
                let sunk: Vec<f32> =
                    (0u32..).zip(&logits).map(|(i, l)| if mask.has(i) { *l } else { -1e30 }).collect();
                let masked = sampler.draw_among(&logits, position, Some(&mask));
                assert!(masked.is_some_and(|token| mask.has(token)));
                assert_eq!(masked, sampler.draw(&sunk, position));
                assert_eq!(sampler.draw_among(&logits, position, Some(&Mask::none(90))), None);
            }
        }
    }

    fn decoding(temperature_milli: u32, top_k: u32, top_p_milli: u32) -> Decoding {
        Decoding { temperature_milli, top_k, top_p_milli, max_tokens: 1 }
    }

    #[test]
    fn rule_s5_one_draw_is_recomputed_from_its_block_alone() {
        let seed = [7; 32];
        let logits: Vec<f32> = (0..100).map(|i| (i % 13) as f32 * 0.3).collect();
        let sampler = Sampler::new(seed, &decoding(800, 0, 1000)).unwrap();
        for position in [0u64, 1, 77] {
            let mut scores = Vec::new();
            for id in 0..100u32 {
                let mut rng = ChaCha8Rng::from_seed(seed);
                rng.set_stream(position);
                rng.set_word_pos(u128::from(id / 16) * 16 + u128::from(id % 16));
                scores.push(f64::from(logits[id as usize]) / 0.8 + gumbel(rng.next_u32()));
            }
            let expected = best(&scores, None).unwrap().0;
            assert_eq!(sampler.draw(&logits, position), Some(expected));
            assert_eq!(sampler.check(&logits, position, expected), Some(Check::Chosen));
        }
    }

    #[test]
    fn what_is_left_out_could_not_have_won() {
        for position in 0..200 {
            let flat = position % 2 == 0;
            let logits: Vec<f32> = (0..600)
                .map(|i| if flat { 0.0 } else { ((i * 7_919 + position) % 1_009) as f32 * 0.02 })
                .collect();
            let sampler = Sampler::new([5; 32], &decoding(900, 0, 1000)).unwrap();
            let scores = sampler.scores(&logits, position).unwrap();
            assert_eq!(sampler.draw(&logits, position), best(&scores, None).map(|(id, _)| id));
        }
    }

    #[test]
    fn greedy_takes_the_lower_id_of_equals() {
        let sampler = Sampler::new([0; 32], &decoding(0, 0, 1000)).unwrap();
        assert_eq!(sampler.draw(&[1.0, 3.0, 3.0, 2.0], 0), Some(1));
        assert_eq!(sampler.check(&[1.0, 3.0, 3.0, 2.0], 0, 2), Some(Check::NearTie(0.0)));
        assert_eq!(sampler.check(&[1.0, 3.0, 3.0, 2.0], 0, 3), Some(Check::Mismatch(1.0)));
        assert_eq!(sampler.draw(&[1.0, f32::NAN], 0), None);
    }

    #[test]
    fn top_k_and_top_p_let_only_the_likeliest_through() {
        let logits = [0.0, 5.0, 5.0, 4.9, -1.0];
        let mut seen = std::collections::BTreeSet::new();
        for position in 0..500 {
            let k = Sampler::new([1; 32], &decoding(1000, 2, 1000)).unwrap();
            let id = k.draw(&logits, position).unwrap();
            assert!(id == 1 || id == 2);
            assert_eq!(k.check(&logits, position, 4), Some(Check::Mismatch(f64::INFINITY)));
            let p = Sampler::new([1; 32], &decoding(1000, 0, 300)).unwrap();
            assert_eq!(p.draw(&logits, position), Some(1));
            seen.insert(id);
        }
        assert_eq!(seen.len(), 2);
    }

    #[test]
    fn frequencies_follow_the_softmax() {
        let logits = [0.0f32, 1.0, 2.0];
        let sampler = Sampler::new([9; 32], &decoding(1000, 0, 1000)).unwrap();
        let mut counts = [0f64; 3];
        for position in 0..20_000 {
            counts[sampler.draw(&logits, position).unwrap() as usize] += 1.0;
        }
        let total: f64 = logits.iter().map(|l| f64::from(*l).exp()).sum();
        for (logit, count) in logits.iter().zip(counts) {
            assert!((f64::from(*logit).exp() / total - count / 20_000.0).abs() < 0.015);
        }
    }

    #[test]
    fn values_outside_their_range_are_refused() {
        for bad in [decoding(10_001, 0, 1000), decoding(0, 0, 0), decoding(0, 0, 1001)] {
            assert_eq!(Sampler::new([0; 32], &bad).err().unwrap().code, "E-GEN-001");
        }
    }
}
