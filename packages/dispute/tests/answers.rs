//! Small networks and their answers. The arbiter's tests include this file.

use std::collections::BTreeMap;

use openledger_dispute::layout::{Layout, Statement};
use openledger_dispute::trace::{Rows, Trace};
use openledger_exact::cache::Cache;
use openledger_exact::config::ModelConfig;
use openledger_exact::file::Tensor;
use openledger_exact::net::{ExactNet, Workspace};
use openledger_exact::sampler::Sampler;
use openledger_exact::trace::HiddenTrace;
use openledger_exact::weights::ExactWeights;
use openledger_merkle::Hash;
use openledger_numerics::Path;
use openledger_types::formats::Decoding;

/// A Llama, or with `qwen` a Qwen3 whose heads are no multiple of 16 wide.
pub fn config(qwen: bool) -> ModelConfig {
    ModelConfig::parse(config_text(qwen).as_bytes()).unwrap()
}

/// Its `config.json`.
pub fn config_text(qwen: bool) -> String {
    let (kind, name) = if qwen { ("qwen3", "Qwen3ForCausalLM") } else { ("llama", "LlamaForCausalLM") };
    format!(
        r#"{{"architectures":["{name}"],"model_type":"{kind}","hidden_size":32,"intermediate_size":40,
        "vocab_size":50,"num_hidden_layers":2,"num_attention_heads":2,"num_key_value_heads":1,
        "head_dim":{},"rms_norm_eps":1e-5,"max_position_embeddings":64,"eos_token_id":0,
        "tie_word_embeddings":{qwen}}}"#,
        if qwen { 12 } else { 16 }
    )
}

/// Weights that follow from a seed.
pub fn weights(config: &ModelConfig, seed: u64) -> ExactWeights {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) as f32 / 8_388_608.0 - 1.0) * 0.6
    };
    let tensors = config.tensors().into_iter().map(|(name, shape)| {
        let values = (0..shape.iter().product()).map(|_| next()).collect();
        (name, Tensor { shape, values })
    });
    ExactWeights::new(config, &tensors.collect::<BTreeMap<_, _>>()).unwrap()
}

/// An answer as the engine gives it with the weights of `seed`, drawn from `drawn_from`, and a trace of it.
pub fn answered_by(
    config: &ModelConfig,
    rows: &Rows,
    seed: u64,
    (prompt, answer): (usize, usize),
    drawn_from: Hash,
) -> Trace {
    let decoding = Decoding { temperature_milli: 900, top_k: 0, top_p_milli: 950, max_tokens: 48 };
    let mut statement = Statement {
        prompt: (0..prompt as u32).map(|i| (i * 7 + 3) % 50).collect(),
        answer: Vec::new(),
        digests: Vec::new(),
        decoding,
        repetition_milli: 1_200,
        seed: drawn_from,
    };
    let net = ExactNet::new(config, weights(config, seed), Path::best());
    let sampler = Sampler::new(statement.seed, &decoding).unwrap().with_penalty(1_200).unwrap();
    let (mut cache, mut room, mut trace) =
        (Cache::new(net.shape()), Workspace::default(), HiddenTrace::default());
    let mut input = statement.prompt.clone();
    while statement.answer.len() < answer {
        let at = statement.answer.len();
        let last = input.len() - 1;
        net.read_text(&mut cache, &input, (64, last), &mut room, &mut |_, hidden, logits| {
            let logits = sampler.penalised(logits, &[&statement.prompt, &statement.answer]);
            statement.answer.push(sampler.draw(&logits, at as u64).unwrap());
            trace.push(hidden);
        });
        input = vec![*statement.answer.last().unwrap()];
    }
    statement.digests = trace.finish().chunks(32).map(|d| d.try_into().unwrap()).collect();
    let layout = Layout::new(config, &statement).unwrap();
    Trace::new(layout, statement, rows).unwrap()
}
