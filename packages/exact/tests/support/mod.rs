//! Small networks whose weights follow from a formula.

use openledger_exact::config::ModelConfig;
use openledger_exact::file::{Tensor, Weights};
use openledger_exact::weights::ExactWeights;
use serde_json::json;

/// A shape of `vocab` tokens and `hidden` values a row in two layers; Qwen3 has norms on its heads and a head of
/// its own.
pub fn config(qwen: bool, vocab: usize, hidden: usize) -> ModelConfig {
    let (architecture, kind) =
        if qwen { ("Qwen3ForCausalLM", "qwen3") } else { ("LlamaForCausalLM", "llama") };
    let config = json!({
        "architectures": [architecture], "model_type": kind, "hidden_size": hidden,
        "intermediate_size": hidden + 16, "head_dim": hidden / 4, "vocab_size": vocab, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "rms_norm_eps": 1e-5,
        "max_position_embeddings": 96, "eos_token_id": 0, "tie_word_embeddings": !qwen,
        "torch_dtype": "float32",
    });
    ModelConfig::parse(config.to_string().as_bytes()).unwrap()
}

/// Its weights; another `seed` gives others.
pub fn weights(config: &ModelConfig, seed: usize) -> ExactWeights {
    let tensors: Weights = config
        .tensors()
        .into_iter()
        .enumerate()
        .map(|(k, (name, shape))| {
            let value = |i: usize| (((i * 7_919 + (k + seed) * 104_729) % 1_009) as f32 - 504.0) / 2_000.0;
            let values = (0..shape.iter().product()).map(value).collect();
            (name, Tensor { shape, values })
        })
        .collect();
    ExactWeights::new(config, &tensors).unwrap()
}
