//! What decides a training run.

use openledger_types::formats::NumericClass;
use serde::{Deserialize, Serialize};

use crate::engine::{class_schemes, Error, ModelConfig, Result};

/// From step `from` on, the run is planned to end after `total` steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// First step that follows this plan.
    pub from: u64,
    /// Steps in all.
    pub total: u64,
}

/// What a low-rank adapter adds to its base: the section `[adapter]` of a recipe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdapterRecipe {
    /// Rows of every A, 1 to 256.
    pub rank: usize,
    /// What is added counts alpha / rank times.
    pub alpha: f32,
    /// Products of every layer that it adds to: `q_proj`, `k_proj`, `v_proj`, `o_proj`, `gate_proj`, `up_proj`,
    /// `down_proj`.
    pub targets: Vec<String>,
}

/// A training run: shape, data order, optimiser, budget. With the same documents, tokenizer and
/// `schedule` it gives the same weights on the same kind of processor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// Name of the model in its manifest.
    pub name: String,
    /// How exactly its answers repeat: `exact` or `tolerant-f32`. Training is the same.
    #[serde(default = "before_it_was_named")]
    pub numeric_class: NumericClass,
    /// Seed of the first weights and of the order of the data.
    pub seed: u64,
    /// Tokens in the vocabulary, at least 257.
    pub vocab: usize,
    /// Bytes of text that the tokenizer is trained on, at most.
    pub tokenizer_bytes: usize,
    /// Width of the residual stream.
    pub dim: usize,
    /// Blocks.
    pub layers: usize,
    /// Heads of attention.
    pub heads: usize,
    /// Width inside the feed-forward block.
    pub ffn: usize,
    /// Tokens of a sequence; also the context of the model.
    pub context: usize,
    /// Sequences of a step.
    pub batch: usize,
    /// Parts in which a step is computed side by side; part of the recipe because sums depend on it.
    pub shards: usize,
    /// Seconds of training, when `steps` is not given.
    pub seconds: Option<u64>,
    /// Steps of training.
    pub steps: Option<u64>,
    /// Plans of a finished run, to repeat it step by step; replaces `seconds` and `steps`.
    pub schedule: Vec<Plan>,
    /// Largest learning rate.
    pub learning_rate: f64,
    /// The learning rate's end, as a part of the largest.
    pub floor: f64,
    /// Steps over which the learning rate rises.
    pub warmup: u64,
    /// Decay of AdamW's first moment.
    pub beta1: f64,
    /// Decay of AdamW's second moment.
    pub beta2: f64,
    /// Decay of matrices a step, times the learning rate.
    pub weight_decay: f64,
    /// Largest norm of all derivatives together.
    pub clip: f64,
    /// Seconds between checkpoints.
    pub checkpoint_seconds: u64,
    /// An adapter of a base in place of a whole model; the shape above is then the base's.
    #[serde(default)]
    pub adapter: Option<AdapterRecipe>,
}

/// The class of receipts written before recipes named it.
fn before_it_was_named() -> NumericClass {
    NumericClass::TolerantF32
}

impl Default for Recipe {
    /// The demo's recipe: 1.05 M parameters, three minutes on two cores.
    fn default() -> Self {
        Recipe {
            name: "openledger-demo".into(),
            numeric_class: NumericClass::Exact,
            seed: 1,
            vocab: 2_048,
            tokenizer_bytes: 4 << 20,
            dim: 128,
            layers: 4,
            heads: 4,
            ffn: 344,
            context: 256,
            batch: 8,
            shards: 2,
            seconds: Some(180),
            steps: None,
            schedule: Vec::new(),
            learning_rate: 4e-3,
            floor: 0.02,
            warmup: 50,
            beta1: 0.9,
            beta2: 0.98,
            weight_decay: 0.1,
            clip: 1.0,
            checkpoint_seconds: 30,
            adapter: None,
        }
    }
}

impl Recipe {
    /// A model of seconds, for tests.
    pub fn tiny() -> Self {
        Recipe {
            name: "tiny".into(),
            vocab: 300,
            tokenizer_bytes: 1 << 16,
            dim: 32,
            layers: 2,
            heads: 2,
            ffn: 64,
            context: 64,
            batch: 4,
            seconds: None,
            steps: Some(30),
            learning_rate: 1e-2,
            warmup: 5,
            ..Recipe::default()
        }
    }

    /// Refuses what cannot be trained.
    pub fn validate(&self) -> Result<()> {
        let refuse = |what: &str| {
            Err(Error::new(
                "E-TRAIN-001",
                format!("recipe refused: {what}"),
                "Correct the recipe and start again.",
            ))
        };
        if self.vocab < 257 || self.vocab > 65_536 {
            return refuse("vocab is not within 257 to 65536");
        }
        if self.context < 8 || self.batch == 0 || self.batch > 4_096 {
            return refuse("context is below 8 or batch not within 1 to 4096");
        }
        if self.shards == 0 || !self.batch.is_multiple_of(self.shards) {
            return refuse("batch does not divide by shards");
        }
        if self.steps.is_none() && self.seconds.is_none() && self.schedule.is_empty() {
            return refuse("neither seconds nor steps nor a schedule is given");
        }
        if self.steps == Some(0) || self.seconds == Some(0) || self.steps.is_some_and(|s| s > 10_000_000) {
            return refuse("steps or seconds are 0 or absurdly many");
        }
        if self.schedule.iter().any(|p| p.total <= p.from || p.total > 10_000_000)
            || self.schedule.windows(2).any(|p| p[1].from <= p[0].from)
        {
            return refuse("the schedule does not rise");
        }
        // Each step looks at all plans.
        if self.schedule.len() > 10_000 {
            return refuse("the schedule has more than 10000 plans");
        }
        if class_schemes(self.numeric_class).is_none() {
            return refuse("the numeric class is neither exact nor tolerant-f32");
        }
        let unit = |x: f64| (0.0..1.0).contains(&x);
        if !unit(self.beta1) || !unit(self.beta2) || !unit(self.floor) || !unit(self.weight_decay) {
            return refuse("beta1, beta2, floor or weight_decay is not within 0 to 1");
        }
        if !(self.learning_rate > 0.0 && self.learning_rate < 1.0 && self.clip > 0.0) {
            return refuse("learning_rate or clip is out of range");
        }
        Ok(self.config(0).validate()?)
    }

    /// Bytes that a step may need at once, counted high: parameters with moments and derivatives, and what every
    /// position leaves behind for the way back. Of a recipe that was not checked the figure may be the largest there is.
    pub(crate) fn step_bytes(&self) -> u64 {
        let of = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let times = |counts: &[usize]| counts.iter().fold(1u64, |all, count| all.saturating_mul(of(*count)));
        let sum = |parts: &[u64]| parts.iter().fold(0u64, |all, part| all.saturating_add(*part));
        // Inputs, outputs and their derivatives of one block at one position.
        let block =
            sum(&[times(&[32, self.dim]), times(&[8, self.ffn]), times(&[4, self.heads, self.context])]);
        let position =
            sum(&[block.saturating_mul(of(self.layers)), times(&[4, self.vocab]), times(&[8, self.dim])]);
        let matrices = sum(&[times(&[4, self.dim, self.dim]), times(&[3, self.dim, self.ffn])]);
        let parameters = sum(&[matrices.saturating_mul(of(self.layers)), times(&[self.vocab, self.dim])]);
        // Weights twice, two moments, a sum, and the derivatives of every shard.
        let held = parameters.saturating_mul(of(self.shards).saturating_add(6));
        sum(&[times(&[self.batch, self.context]).saturating_mul(position), held]).saturating_mul(4)
    }

    /// The network's shape; `eos` is the token between documents.
    pub(crate) fn config(&self, eos: u32) -> ModelConfig {
        ModelConfig {
            architectures: vec!["LlamaForCausalLM".into()],
            model_type: "llama".into(),
            hidden_size: self.dim,
            intermediate_size: self.ffn,
            vocab_size: self.vocab,
            num_hidden_layers: self.layers,
            num_attention_heads: self.heads,
            num_key_value_heads: Some(self.heads),
            head_dim: None,
            rms_norm_eps: 1e-5,
            rope_theta: 10_000.0,
            max_position_embeddings: self.context,
            bos_token_id: Some(eos),
            eos_token_id: eos,
            tie_word_embeddings: true,
            hidden_act: "silu".into(),
            torch_dtype: "float32".into(),
            rope_scaling: None,
            attention_bias: false,
            mlp_bias: false,
            use_sliding_window: false,
        }
    }

    /// Learning rate of `step` under `schedule`: a linear rise, then a cosine over the progress. A
    /// new plan goes on from the progress reached and spreads the rest over the steps left.
    pub(crate) fn rate(&self, step: u64, schedule: &[Plan]) -> f64 {
        let rise = ((step + 1) as f64 / self.warmup.max(1) as f64).min(1.0);
        let progress = progress(step, schedule);
        let cosine = 0.5 * (1.0 + (std::f64::consts::PI * progress).cos());
        self.learning_rate * rise * (self.floor + (1.0 - self.floor) * cosine)
    }
}

/// Part of the run that is done at `step`, 0 to 1.
fn progress(step: u64, schedule: &[Plan]) -> f64 {
    let mut done = 0.0;
    for (i, plan) in schedule.iter().enumerate() {
        if step < plan.from {
            break;
        }
        let until = schedule.get(i + 1).map_or(step, |next| next.from.min(step));
        let left = plan.total.saturating_sub(plan.from).max(1) as f64;
        done += (1.0 - done) * ((until - plan.from) as f64 / left).min(1.0);
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_rises_and_falls_smoothly_through_new_plans() {
        let recipe = Recipe { warmup: 10, learning_rate: 1.0, floor: 0.0, ..Recipe::default() };
        let schedule = [Plan { from: 0, total: 100 }, Plan { from: 50, total: 80 }];
        assert!((recipe.rate(0, &schedule) - 0.1).abs() < 1e-9);
        assert!((progress(50, &schedule) - 0.5).abs() < 1e-9);
        assert!((progress(65, &schedule) - 0.75).abs() < 1e-9);
        assert!((progress(80, &schedule) - 1.0).abs() < 1e-9);
        assert!(recipe.rate(79, &schedule) < 0.01);
    }

    #[test]
    fn impossible_recipes_are_refused() {
        Recipe::default().validate().unwrap();
        Recipe::tiny().validate().unwrap();
        for bad in [
            Recipe { vocab: 10, ..Recipe::tiny() },
            Recipe { shards: 3, ..Recipe::tiny() },
            Recipe { steps: None, ..Recipe::tiny() },
            Recipe { dim: 33, ..Recipe::tiny() },
            Recipe { learning_rate: f64::NAN, ..Recipe::tiny() },
            Recipe { schedule: vec![Plan { from: 5, total: 5 }], ..Recipe::tiny() },
        ] {
            assert!(bad.validate().is_err(), "{bad:?}");
        }
    }
}
