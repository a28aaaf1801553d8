//! The network's shape: `config.json` in the layout of Hugging Face's `LlamaForCausalLM` (also SmolLM) and
//! `Qwen3ForCausalLM`.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Most parameters this engine loads; 4 bytes each.
const MAX_PARAMETERS: u64 = 2_000_000_000;

/// Shape of a network. Fields that other tools write and that do not change an answer are
/// ignored; those that do are checked in [`ModelConfig::parse`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelConfig {
    /// `["LlamaForCausalLM"]` or `["Qwen3ForCausalLM"]`.
    pub architectures: Vec<String>,
    /// `llama` or `qwen3`.
    pub model_type: String,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width inside the feed-forward block.
    pub intermediate_size: usize,
    /// Tokens in the vocabulary.
    pub vocab_size: usize,
    /// Blocks.
    pub num_hidden_layers: usize,
    /// Heads of attention.
    pub num_attention_heads: usize,
    /// Heads of keys and values; as many as heads when absent.
    #[serde(default)]
    pub num_key_value_heads: Option<usize>,
    /// Width of a head; hidden size by heads when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_dim: Option<usize>,
    /// Added under the root of RMSNorm.
    pub rms_norm_eps: f64,
    /// Base of the rotary embedding.
    #[serde(default = "default_theta")]
    pub rope_theta: f64,
    /// Most tokens of prompt and answer together.
    pub max_position_embeddings: usize,
    /// Token that starts a text.
    #[serde(default)]
    pub bos_token_id: Option<u32>,
    /// Token that ends a text.
    pub eos_token_id: u32,
    /// Whether the output head is the embedding table.
    #[serde(default)]
    pub tie_word_embeddings: bool,
    /// Activation: `silu`.
    #[serde(default = "default_act")]
    pub hidden_act: String,
    /// Type of the weights' file: `float32`, `float16` or `bfloat16`; computed with as f32 or int8.
    #[serde(default = "default_dtype", alias = "dtype")]
    pub torch_dtype: String,
    /// Scaling of the rotary embedding: none is supported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rope_scaling: Option<serde_json::Value>,
    /// Biases in attention: not supported.
    #[serde(default)]
    pub attention_bias: bool,
    /// Biases in the feed-forward block: not supported.
    #[serde(default)]
    pub mlp_bias: bool,
    /// A window of attention: not supported.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub use_sliding_window: bool,
}

fn default_theta() -> f64 {
    10_000.0
}

fn default_act() -> String {
    "silu".into()
}

fn default_dtype() -> String {
    "float32".into()
}

fn refuse(what: String) -> Error {
    Error::new(
        "E-MODEL-002",
        format!("config.json refused: {what}"),
        "Use a Llama, SmolLM or Qwen3 model without biases and scaled positions (docs/models.md).",
    )
}

impl ModelConfig {
    /// Reads and checks `config.json`. Nothing has been allocated by its figures before they are
    /// known to lie within bounds.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let config: ModelConfig = serde_json::from_slice(bytes).map_err(|e| refuse(e.to_string()))?;
        config.validate()?;
        Ok(config)
    }

    /// Refuses shapes that this engine does not run.
    pub fn validate(&self) -> Result<()> {
        let bounded = |name: &str, value: usize, max: usize| {
            if value == 0 || value > max {
                return Err(refuse(format!("{name} is {value}, allowed are 1 to {max}")));
            }
            Ok(())
        };
        let named = match self.model_type.as_str() {
            "llama" => "LlamaForCausalLM",
            "qwen3" => "Qwen3ForCausalLM",
            other => return Err(refuse(format!("the architecture {other:?} is not supported"))),
        };
        if self.architectures != [named] {
            return Err(refuse(format!("the architecture is not {named}")));
        }
        bounded("hidden_size", self.hidden_size, 16_384)?;
        bounded("intermediate_size", self.intermediate_size, 65_536)?;
        bounded("vocab_size", self.vocab_size, 1_000_000)?;
        bounded("num_hidden_layers", self.num_hidden_layers, 256)?;
        bounded("num_attention_heads", self.num_attention_heads, 256)?;
        bounded("num_key_value_heads", self.kv_heads(), self.num_attention_heads)?;
        bounded("max_position_embeddings", self.max_position_embeddings, 65_536)?;
        bounded("head_dim", self.head_dim(), 1_024)?;
        let divides = self.head_dim.is_some() || self.hidden_size % self.num_attention_heads == 0;
        if !divides || self.head_dim() % 2 != 0 {
            return Err(refuse("hidden_size does not divide into heads of even width".into()));
        }
        if self.num_attention_heads % self.kv_heads() != 0 {
            return Err(refuse("heads do not divide by heads of keys and values".into()));
        }
        if !(1e-12..=1e-1).contains(&self.rms_norm_eps) {
            return Err(refuse(format!("rms_norm_eps is {}", self.rms_norm_eps)));
        }
        if !(1.0..=1e9).contains(&self.rope_theta) {
            return Err(refuse(format!("rope_theta is {}", self.rope_theta)));
        }
        for token in self.bos_token_id.into_iter().chain([self.eos_token_id]) {
            if token as usize >= self.vocab_size {
                return Err(refuse(format!("token {token} is outside the vocabulary")));
            }
        }
        if self.hidden_act != "silu"
            || !["float32", "float16", "bfloat16"].contains(&self.torch_dtype.as_str())
        {
            return Err(refuse("only silu with float32, float16 or bfloat16 is supported".into()));
        }
        if self.rope_scaling.is_some() || self.attention_bias || self.mlp_bias || self.use_sliding_window {
            return Err(refuse("rope_scaling, biases and sliding windows are not supported".into()));
        }
        if self.parameters() > MAX_PARAMETERS {
            return Err(refuse(format!("{} parameters are more than {MAX_PARAMETERS}", self.parameters())));
        }
        Ok(())
    }

    /// Heads of keys and values.
    pub fn kv_heads(&self) -> usize {
        self.num_key_value_heads.unwrap_or(self.num_attention_heads)
    }

    /// Width of a head.
    pub fn head_dim(&self) -> usize {
        if let Some(width) = self.head_dim {
            return width;
        }
        self.hidden_size.checked_div(self.num_attention_heads).unwrap_or(0)
    }

    /// Whether queries and keys of each head have a norm (Qwen3).
    pub fn has_head_norms(&self) -> bool {
        self.model_type == "qwen3"
    }

    /// Every tensor of the model with its shape, in the order of the names as bytes.
    pub fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let (d, f, v) = (self.hidden_size, self.intermediate_size, self.vocab_size);
        let (kv, qo) = (self.head_dim() * self.kv_heads(), self.head_dim() * self.num_attention_heads);
        let mut tensors = vec![
            ("model.embed_tokens.weight".to_string(), vec![v, d]),
            ("model.norm.weight".to_string(), vec![d]),
        ];
        if !self.tie_word_embeddings {
            tensors.push(("lm_head.weight".into(), vec![v, d]));
        }
        for layer in 0..self.num_hidden_layers {
            let parts: [(&str, Vec<usize>); 9] = [
                ("input_layernorm", vec![d]),
                ("post_attention_layernorm", vec![d]),
                ("self_attn.q_proj", vec![qo, d]),
                ("self_attn.k_proj", vec![kv, d]),
                ("self_attn.v_proj", vec![kv, d]),
                ("self_attn.o_proj", vec![d, qo]),
                ("mlp.gate_proj", vec![f, d]),
                ("mlp.up_proj", vec![f, d]),
                ("mlp.down_proj", vec![d, f]),
            ];
            for (name, shape) in parts {
                tensors.push((format!("model.layers.{layer}.{name}.weight"), shape));
            }
            for name in ["self_attn.q_norm", "self_attn.k_norm"] {
                if self.has_head_norms() {
                    let width = self.head_dim();
                    tensors.push((format!("model.layers.{layer}.{name}.weight"), vec![width]));
                }
            }
        }
        tensors.sort();
        tensors
    }

    /// Parameters of the model.
    pub fn parameters(&self) -> u64 {
        let (d, f, v) = (self.hidden_size as u64, self.intermediate_size as u64, self.vocab_size as u64);
        let width = self.head_dim() as u64;
        let (kv, qo) = (width * self.kv_heads() as u64, width * self.num_attention_heads as u64);
        let norms = if self.has_head_norms() { 2 * width } else { 0 };
        let layer = 2 * d + norms + 2 * qo * d + 2 * kv * d + 3 * f * d;
        let heads = if self.tie_word_embeddings { 1 } else { 2 };
        heads * v * d + d + layer * self.num_hidden_layers as u64
    }
}
