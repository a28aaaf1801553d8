//! The network itself, for training and for replay: all positions of many sequences at once.
//!
//! Serving uses candle-transformers' Llama with its cache; that one answers for the last position
//! only and hides the last hidden vectors. This forward pass works on the same tensors (a test holds
//! the two together) and is at the same time a second implementation against which answers are
//! replayed.

use std::sync::Arc;

use candle_core::{DType, Device, Tensor, Var};

use super::error::{Error, Result};
use super::ops::{CausalSoftmax, MergeHeads, RmsNorm, Rotary, SplitHeads, SwiGlu};
use openledger_exact::config::ModelConfig;

struct Layer {
    norm_1: Tensor,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    o: Tensor,
    norm_2: Tensor,
    gate: Tensor,
    up: Tensor,
    down: Tensor,
}

/// A Llama network over given tensors, which it shares and does not copy.
pub(crate) struct Net {
    config: ModelConfig,
    embed: Tensor,
    layers: Vec<Layer>,
    norm: Tensor,
    head: Tensor,
    rotary: Arc<Rotary>,
}

/// Where a linear layer is tapped: what it read, (N, in), and a variable of zeros that is added to what it wrote,
/// (N, out), so that the derivative by the variable is the derivative by what was written.
pub(crate) struct Tap {
    pub input: Tensor,
    pub probe: Var,
}

/// A linear layer as a block calls it.
type Linear<'a> = dyn FnMut(&Tensor, &Tensor) -> candle_core::Result<Tensor> + 'a;

/// `x · wᵀ` for activations (N, in) and weights (out, in).
fn linear(x: &Tensor, w: &Tensor) -> candle_core::Result<Tensor> {
    x.matmul(&w.t()?)
}

impl Net {
    /// Builds the network; `tensor` gives a tensor by its name in the safetensors file.
    pub(crate) fn new(config: &ModelConfig, tensor: impl Fn(&str) -> Option<Tensor>) -> Result<Self> {
        let get = |name: String| {
            tensor(&name).ok_or_else(|| {
                Error::new(
                    "E-MODEL-004",
                    format!("{name} is missing"),
                    "Fetch the model again: a tensor is missing.",
                )
            })
        };
        let layers = (0..config.num_hidden_layers)
            .map(|i| {
                let part = |name: &str| get(format!("model.layers.{i}.{name}.weight"));
                Ok(Layer {
                    norm_1: part("input_layernorm")?,
                    q: part("self_attn.q_proj")?,
                    k: part("self_attn.k_proj")?,
                    v: part("self_attn.v_proj")?,
                    o: part("self_attn.o_proj")?,
                    norm_2: part("post_attention_layernorm")?,
                    gate: part("mlp.gate_proj")?,
                    up: part("mlp.up_proj")?,
                    down: part("mlp.down_proj")?,
                })
            })
            .collect::<Result<Vec<_>>>()?;
        let embed = get("model.embed_tokens.weight".into())?;
        let head = if config.tie_word_embeddings { embed.clone() } else { get("lm_head.weight".into())? };
        let rotary = Rotary::new(config.max_position_embeddings, config.head_dim(), config.rope_theta as f32);
        Ok(Net {
            config: config.clone(),
            embed,
            layers,
            norm: get("model.norm.weight".into())?,
            head,
            rotary: Arc::new(rotary),
        })
    }

    /// Hidden vectors after the last norm, (batch * len, hidden), of `batch` sequences of `len`
    /// tokens, one after the other in `tokens`.
    pub(crate) fn hidden(&self, tokens: &[u32], batch: usize) -> Result<Tensor> {
        let len = self.check(tokens, batch)?;
        Ok(self.forward(tokens, batch, len)?)
    }

    /// The length of each of `batch` sequences, where they fit the model.
    fn check(&self, tokens: &[u32], batch: usize) -> Result<usize> {
        let len = tokens.len().checked_div(batch).unwrap_or(0);
        if len == 0 || len * batch != tokens.len() || len > self.config.max_position_embeddings {
            return Err(Error::new(
                "E-MODEL-006",
                format!("{batch} sequences of {len} tokens do not fit the context"),
                "Shorten the text to the model's context.",
            ));
        }
        if let Some(token) = tokens.iter().find(|t| **t as usize >= self.config.vocab_size) {
            return Err(Error::new(
                "E-MODEL-006",
                format!("token {token} is outside the vocabulary"),
                "Encode the text with this model's own tokenizer.",
            ));
        }
        Ok(len)
    }

    /// Logits (N, vocabulary) of hidden vectors (N, hidden).
    pub(crate) fn logits(&self, hidden: &Tensor) -> Result<Tensor> {
        Ok(linear(hidden, &self.head)?)
    }

    /// Logits (N, vocabulary) of one sequence, with the linear layers of the last block and the head tapped: query,
    /// key, value, output, gate, up, down, head. Derivatives end at what the last block reads.
    pub(crate) fn tapped(&self, tokens: &[u32]) -> Result<(Tensor, Vec<Tap>)> {
        self.check(tokens, 1)?;
        let mut taps = Vec::new();
        let mut tapped = |x: &Tensor, w: &Tensor| {
            let y = linear(x, &w.detach())?;
            let probe = Var::zeros(y.shape(), DType::F32, &Device::Cpu)?;
            let y = (y + probe.as_tensor())?;
            taps.push(Tap { input: x.clone(), probe });
            Ok(y)
        };
        let (before, last) = self.layers.split_at(self.layers.len().saturating_sub(1));
        let mut x = self.embedded(tokens)?;
        for layer in before {
            x = self.block(layer, &x, 1, tokens.len(), &mut linear)?;
        }
        x = x.detach();
        for layer in last {
            x = self.block(layer, &x, 1, tokens.len(), &mut tapped)?;
        }
        let logits = tapped(&self.normed(&x, &self.norm)?, &self.head)?;
        Ok((logits, taps))
    }

    fn embedded(&self, tokens: &[u32]) -> candle_core::Result<Tensor> {
        self.embed.index_select(&Tensor::from_slice(tokens, tokens.len(), &Device::Cpu)?, 0)
    }

    fn normed(&self, x: &Tensor, w: &Tensor) -> candle_core::Result<Tensor> {
        x.apply_op2(w, RmsNorm { eps: self.config.rms_norm_eps as f32 })
    }

    fn forward(&self, tokens: &[u32], batch: usize, len: usize) -> candle_core::Result<Tensor> {
        let mut x = self.embedded(tokens)?;
        for layer in &self.layers {
            x = self.block(layer, &x, batch, len, &mut linear)?;
        }
        self.normed(&x, &self.norm)
    }

    fn block(
        &self,
        layer: &Layer,
        x: &Tensor,
        batch: usize,
        len: usize,
        linear: &mut Linear,
    ) -> candle_core::Result<Tensor> {
        let a = self.attention(layer, &self.normed(x, &layer.norm_1)?, batch, len, linear)?;
        let x = (x + a)?;
        let h = self.normed(&x, &layer.norm_2)?;
        let h = linear(&h, &layer.gate)?.apply_op2(&linear(&h, &layer.up)?, SwiGlu)?;
        x + linear(&h, &layer.down)?
    }

    fn attention(
        &self,
        layer: &Layer,
        x: &Tensor,
        batch: usize,
        len: usize,
        linear: &mut Linear,
    ) -> candle_core::Result<Tensor> {
        let (heads, kv_heads, width) =
            (self.config.num_attention_heads, self.config.kv_heads(), self.config.head_dim());
        let split = |heads, rotary| SplitHeads { batch, len, heads, width, rotary };
        let q = linear(x, &layer.q)?.apply_op1(split(heads, Some(self.rotary.clone())))?;
        let k = linear(x, &layer.k)?.apply_op1(split(kv_heads, Some(self.rotary.clone())))?;
        let v = linear(x, &layer.v)?.apply_op1(split(kv_heads, None))?;
        let (k, v) = (self.repeat(k)?, self.repeat(v)?);
        let scores = q.matmul(&k.t()?)?;
        let weights = scores.apply_op1(CausalSoftmax { scale: 1.0 / (width as f32).sqrt() })?;
        let mixed = weights.matmul(&v)?.apply_op1(MergeHeads(split(heads, None)))?;
        linear(&mixed, &layer.o)
    }

    /// Gives every head its keys or values where several share them.
    fn repeat(&self, x: Tensor) -> candle_core::Result<Tensor> {
        let times = self.config.num_attention_heads / self.config.kv_heads().max(1);
        if times == 1 {
            return Ok(x);
        }
        let (batch, heads, len, width) = x.dims4()?;
        x.unsqueeze(2)?.expand((batch, heads, times, len, width))?.contiguous()?.reshape((
            batch,
            heads * times,
            len,
            width,
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use candle_core::DType;
    use candle_nn::VarBuilder;
    use candle_transformers::models::llama::{Cache, Llama};

    use super::*;
    use crate::train::Recipe;

    #[test]
    fn both_networks_compute_the_same_logits() {
        // Shared keys and values, and a head of its own: what the demo's models do not have.
        let mut config = Recipe::tiny().config(0);
        config.num_attention_heads = 4;
        config.num_key_value_heads = Some(2);
        config.tie_word_embeddings = false;
        config.validate().unwrap();
        let tensors: HashMap<String, Tensor> = config
            .tensors()
            .into_iter()
            .enumerate()
            .map(|(k, (name, shape))| {
                let n = shape.iter().product::<usize>();
                let values: Vec<f32> =
                    (0..n).map(|i| (((i * 7_919 + k * 104_729) % 1_009) as f32 - 504.0) / 1_000.0).collect();
                (name, Tensor::from_vec(values, shape, &Device::Cpu).unwrap())
            })
            .collect();
        let net = Net::new(&config, |name| tensors.get(name).cloned()).unwrap();
        let shape = crate::engine::model::llama_shape(&config, config.vocab_size);
        let llama =
            Llama::load(VarBuilder::from_tensors(tensors.clone(), DType::F32, &Device::Cpu), &shape).unwrap();
        let tokens: Vec<u32> = (0..40).map(|i| i * 31 % 300).collect();
        let mine = net.logits(&net.hidden(&tokens, 1).unwrap()).unwrap().to_vec2::<f32>().unwrap();
        let mut cache = Cache::new(true, DType::F32, &shape, &Device::Cpu).unwrap();
        let (mut done, mut worst) = (0, 0f32);
        // A prompt at once, then token by token through the cache.
        for until in [25, 26, 27, 40] {
            for end in if until == 40 { 28..=40 } else { until..=until } {
                let ids = Tensor::from_slice(&tokens[done..end], (1, end - done), &Device::Cpu).unwrap();
                let theirs = llama
                    .forward(&ids, done, &mut cache)
                    .unwrap()
                    .flatten_all()
                    .unwrap()
                    .to_vec1::<f32>()
                    .unwrap();
                for (a, b) in mine[end - 1].iter().zip(&theirs) {
                    worst = worst.max((a - b).abs());
                }
                done = end;
            }
        }
        let size = mine[39].iter().fold(0f32, |m, x| m.max(x.abs()));
        assert!(size > 0.5 && worst < 1e-4, "logits up to {size} differ by {worst}");
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let config = Recipe::tiny().config(0);
        let zero = |name: &str| {
            let (_, shape) = config.tensors().into_iter().find(|(n, _)| n == name)?;
            Tensor::zeros(shape, DType::F32, &Device::Cpu).ok()
        };
        let net = Net::new(&config, zero).unwrap();
        for (tokens, batch) in
            [(vec![], 1), (vec![1; 65], 1), (vec![1, 2, 3], 2), (vec![300], 1), (vec![1], 0)]
        {
            assert_eq!(net.hidden(&tokens, batch).unwrap_err().code, "E-MODEL-006");
        }
        assert_eq!(Net::new(&config, |_| None).err().unwrap().code, "E-MODEL-004");
    }
}
