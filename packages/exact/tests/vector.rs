//! A small model that answers, and its answer computed again. What both give is frozen in `vectors/replay.json`,
//! which the page's module runs as well (`web/app/tests/replay.test.ts`).

use std::collections::HashMap;

use cosmwasm_std::HexBinary;
use openledger_exact::bpe::{byte_table, Bpe};
use openledger_exact::cache::Cache;
use openledger_exact::config::ModelConfig;
use openledger_exact::file::{f32_bytes, parse_weights};
use openledger_exact::net::{ExactNet, Workspace, CHUNK};
use openledger_exact::replay::{Answer, Files, Model, Report};
use openledger_exact::sampler::{Sampler, EXACT_SAMPLER_UNBOUND, NO_PENALTY};
use openledger_exact::stream::render;
use openledger_exact::trace::{commit_root, HiddenTrace, EXACT_COMMIT_SCHEME};
use openledger_exact::weights::ExactWeights;
use openledger_numerics::Path;
use openledger_types::formats::{Decoding, Manifest, NumericClass, Outcome};
use openledger_types::merkle::ZERO_HASH;
use safetensors::tensor::TensorView;
use safetensors::Dtype;
use serde_json::{json, Value};
use sha2::{Digest, Sha256};

const VOCAB: usize = 260;
const PROMPT: &str = "fn main() { the caf\u{e9} }";
const TOKENS: u32 = 40;

struct Made {
    manifest: Vec<u8>,
    config: Vec<u8>,
    tokenizer: Vec<u8>,
    weights: Vec<u8>,
}

impl Made {
    fn files(&self) -> Files<'_> {
        Files {
            manifest: &self.manifest,
            config: &self.config,
            tokenizer: &self.tokenizer,
            weights: &self.weights,
            adapter: None,
        }
    }
}

/// A model whose weights follow from a formula.
fn made() -> Made {
    let config = serde_json::to_vec(&json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 32, "intermediate_size": 48,
        "vocab_size": VOCAB, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "rms_norm_eps": 1e-5, "max_position_embeddings": 96, "eos_token_id": 0, "tie_word_embeddings": true,
        "torch_dtype": "float32",
    }))
    .unwrap();
    let shape = ModelConfig::parse(&config).unwrap();
    let mut vocab = serde_json::Map::new();
    vocab.insert("<|endoftext|>".into(), json!(0));
    for (byte, character) in (1u32..).zip(byte_table()) {
        vocab.insert(character.to_string(), json!(byte));
    }
    let merges = [("t", "h"), ("th", "e"), ("f", "n")];
    for (id, (a, b)) in (257u32..).zip(merges) {
        vocab.insert(format!("{a}{b}"), json!(id));
    }
    let tokenizer = serde_json::to_vec(&json!({
        "added_tokens": [{ "id": 0, "content": "<|endoftext|>", "special": true }],
        "pre_tokenizer": { "type": "ByteLevel", "add_prefix_space": false, "use_regex": true },
        "model": { "type": "BPE", "vocab": vocab, "merges": merges.map(|(a, b)| format!("{a} {b}")) },
    }))
    .unwrap();
    let raw: Vec<(String, Vec<usize>, Vec<u8>)> = shape
        .tensors()
        .into_iter()
        .enumerate()
        .map(|(k, (name, dims))| {
            let value = |i: usize| (((i * 7_919 + k * 104_729) % 1_009) as f32 - 504.0) / 2_000.0;
            let values: Vec<f32> = (0..dims.iter().product()).map(value).collect();
            (name, dims, f32_bytes(&values))
        })
        .collect();
    let views = raw.iter().map(|(name, dims, bytes)| {
        (name.as_str(), TensorView::new(Dtype::F32, dims.clone(), bytes).unwrap())
    });
    let weights = safetensors::serialize(views, None::<HashMap<String, String>>).unwrap();
    let root = ExactWeights::new(&shape, &parse_weights(&weights, &shape).unwrap()).unwrap().root();
    let sha = |bytes: &[u8]| HexBinary::from(Sha256::digest(bytes).as_slice());
    let manifest = Manifest {
        format: 1,
        name: "replay".into(),
        architecture: "llama".into(),
        numeric_class: NumericClass::Exact,
        sampler: EXACT_SAMPLER_UNBOUND.into(),
        commit_scheme: EXACT_COMMIT_SCHEME.into(),
        attribution: "span/1".into(),
        influence: None,
        weights_root: HexBinary::from(&root),
        tokenizer_hash: sha(&tokenizer),
        config_hash: sha(&config),
        template_hash: HexBinary::from(&ZERO_HASH),
        adapter_root: HexBinary::from(&ZERO_HASH),
        context: 96,
        parameters: shape.parameters(),
        datanets: Vec::new(),
        training_root: HexBinary::from(&ZERO_HASH),
        files: Vec::new(),
    };
    Made { manifest: serde_json::to_vec(&manifest).unwrap(), config, tokenizer, weights }
}

/// The model's answer, written token by token.
fn answered(made: &Made) -> (Answer, String) {
    let config = ModelConfig::parse(&made.config).unwrap();
    let weights = ExactWeights::new(&config, &parse_weights(&made.weights, &config).unwrap()).unwrap();
    let net = ExactNet::new(&config, weights, Path::SCALAR);
    let tokenizer = Bpe::parse(&made.tokenizer, VOCAB).unwrap();
    let decoding = Decoding { temperature_milli: 800, top_k: 0, top_p_milli: 950, max_tokens: TOKENS };
    let sampler = Sampler::new([7; 32], &decoding).unwrap();
    let mut text = vec![0];
    text.extend(tokenizer.encode(PROMPT));
    let (mut cache, mut room, mut trace) =
        (Cache::new(net.shape()), Workspace::default(), HiddenTrace::default());
    let (mut tokens, mut unread) = (Vec::new(), text);
    while tokens.len() < TOKENS as usize {
        let mut last = None;
        let from = unread.len() - 1;
        net.read_text(&mut cache, &unread, (CHUNK, from), &mut room, &mut |_, hidden, logits| {
            last = sampler.draw(logits, tokens.len() as u64);
            trace.push(hidden);
        });
        unread = vec![last.unwrap()];
        tokens.extend(&unread);
        if tokens.last() == Some(&0) {
            break;
        }
    }
    let outcome = if tokens.last() == Some(&0) { Outcome::Stop } else { Outcome::Length };
    let trace = trace.finish();
    let (text, _) = render(&|token| tokenizer.bytes(token), &tokens, &[], outcome);
    let answer = Answer {
        prompt: PROMPT.into(),
        decoding,
        seed: [7; 32],
        request_hash: [9; 32],
        stop: Vec::new(),
        repetition_milli: NO_PENALTY,
        commit_root: commit_root(EXACT_COMMIT_SCHEME, &[9; 32], &tokens, &trace).unwrap(),
        tokens,
        outcome,
        trace,
    };
    (answer, text)
}

fn holds(report: &Report, text: &str) -> bool {
    report.mismatches.is_empty()
        && report.windows_differing.is_empty()
        && report.commit_root_equal
        && report.outcome_equal
        && report.text == text
}

fn hex(bytes: &[u8]) -> String {
    HexBinary::from(bytes).to_hex()
}

#[test]
fn an_answer_replays_and_is_the_frozen_one() {
    let made = made();
    let model = Model::load(made.files()).unwrap();
    let (answer, text) = answered(&made);
    let report = model.replay(&answer).unwrap();
    assert!(holds(&report, &text), "{report:?}");
    let computed = json!({
        "files": [hex(&made.manifest), hex(&made.config), hex(&made.tokenizer), hex(&made.weights)],
        "call": {
            "prompt": PROMPT, "stop": [], "decoding": answer.decoding, "repetition_milli": answer.repetition_milli, "seed": hex(&answer.seed),
            "request_hash": hex(&answer.request_hash), "commit_root": hex(&answer.commit_root),
            "commit_scheme": EXACT_COMMIT_SCHEME, "tokens_in": report.prompt_tokens, "tokens": answer.tokens,
            "trace": hex(&answer.trace), "outcome": answer.outcome, "answer": text,
        },
    });
    let path = "vectors/replay.json";
    if std::env::var_os("OPENLEDGER_WRITE_VECTORS").is_some() {
        std::fs::write(path, format!("{computed}\n")).unwrap();
    }
    let frozen: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(frozen["call"], computed["call"], "an answer changed: the class exact never does");
    assert_eq!(frozen, computed);
}

#[test]
fn node_attack_what_was_changed_does_not_replay() {
    let made = made();
    let model = Model::load(made.files()).unwrap();
    let (answer, text) = answered(&made);
    let mut other = answer.clone();
    other.tokens[5] ^= 1;
    let report = model.replay(&other).unwrap();
    assert_eq!(report.mismatches.first(), Some(&5));
    assert!(!report.commit_root_equal && !report.windows_differing.is_empty());
    for change in [
        |a: &mut Answer| a.seed[0] ^= 1,
        |a: &mut Answer| a.trace[40] ^= 1,
        |a: &mut Answer| a.commit_root[0] ^= 1,
        |a: &mut Answer| a.outcome = Outcome::Cancelled,
        |a: &mut Answer| a.prompt.push(' '),
        |a: &mut Answer| a.decoding.temperature_milli = 1_900,
    ] {
        let mut other = answer.clone();
        change(&mut other);
        assert!(!holds(&model.replay(&other).unwrap(), &text));
    }
    let mut other = answer.clone();
    other.tokens.clear();
    assert_eq!(model.replay(&other).err().unwrap().code, "E-GEN-005");
}

#[test]
fn node_attack_files_that_differ_from_the_manifest_are_refused() {
    let honest = made();
    let mut made = made();
    let end = made.weights.len() - 2;
    made.weights[end] ^= 0x40;
    assert_eq!(Model::load(made.files()).err().unwrap().code, "E-MODEL-007");
    let mut made = Made { weights: honest.weights.clone(), ..made };
    made.tokenizer.push(b' ');
    assert_eq!(Model::load(made.files()).err().unwrap().code, "E-MODEL-007");
    made.tokenizer.pop();
    made.manifest = String::from_utf8(made.manifest).unwrap().replace("\"exact\"", "\"tolerant-f32\"").into();
    assert_eq!(Model::load(made.files()).err().unwrap().code, "E-MODEL-008");
}
