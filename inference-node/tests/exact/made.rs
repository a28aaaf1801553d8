//! Small models of made-up weights, as they come from elsewhere: a folder in Hugging Face's layout, a GGUF file. Both
//! have the same weights. Tests of the tool on a chain include this file.

use std::path::Path;

use openledger_exact::bpe::byte_table;
use openledger_node::engine::ModelConfig;
use openledger_numerics::{f16_to_f32, f32_to_f16};
use serde_json::{json, Map, Value};

const VOCABULARY: usize = 300;
const WIDTH: usize = 64;
const HEADS: usize = 4;
const KV_HEADS: usize = 2;

fn config(model_type: &str) -> Value {
    let class = if model_type == "llama" { "LlamaForCausalLM" } else { "Qwen3ForCausalLM" };
    let mut config = json!({
        "architectures": [class], "model_type": model_type, "hidden_size": WIDTH, "intermediate_size": 96,
        "vocab_size": VOCABULARY, "num_hidden_layers": 2, "num_attention_heads": HEADS, "num_key_value_heads": KV_HEADS,
        "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "max_position_embeddings": 128, "bos_token_id": 0,
        "eos_token_id": 0, "tie_word_embeddings": true, "hidden_act": "silu", "torch_dtype": "float32",
    });
    if model_type == "qwen3" {
        config["head_dim"] = 32.into();
    }
    config
}

/// Values that Q8_0 holds exactly: a half times a whole number, 127 times it among every 32.
fn value(tensor: usize, i: usize) -> f32 {
    let d = f16_to_f32(f32_to_f16(0.002 + ((i / 32 * 7 + tensor) % 13) as f32 * 0.0001));
    let q = if i.is_multiple_of(32) { 127 } else { ((i * 7_919 + tensor * 31) % 255) as i32 - 127 };
    d * q as f32
}

struct Made {
    name: String,
    shape: Vec<usize>,
    values: Vec<f32>,
}

fn tensors(model_type: &str) -> Vec<Made> {
    let parsed = ModelConfig::parse(config(model_type).to_string().as_bytes()).unwrap();
    let names = parsed.tensors().into_iter().enumerate();
    names
        .map(|(t, (name, shape))| {
            let n = shape.iter().product::<usize>();
            let norm = shape.len() == 1;
            let values =
                (0..n).map(|i| if norm { 1.0 + (i % 5) as f32 * 0.125 } else { value(t, i) }).collect();
            Made { name, shape, values }
        })
        .collect()
}

/// Byte-level BPE: the token that ends a text, the 256 bytes, and pairs that begin with an e.
fn tokenizer() -> Value {
    let bytes = byte_table();
    let mut vocab = Map::new();
    vocab.insert("<|endoftext|>".into(), 0.into());
    for (id, c) in (1..).zip(&bytes) {
        vocab.insert(c.to_string(), id.into());
    }
    let seconds = bytes.iter().filter(|c| c.is_ascii_lowercase() || **c == bytes[32]).chain(&bytes[48..64]);
    let merges: Vec<Value> = seconds.take(VOCABULARY - 257).map(|c| json!(["e", c.to_string()])).collect();
    for (id, pair) in (257..).zip(&merges) {
        vocab.insert(format!("e{}", pair[1].as_str().unwrap()), id.into());
    }
    assert_eq!(vocab.len(), VOCABULARY);
    json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null, "post_processor": null,
        "added_tokens": [{"id": 0, "content": "<|endoftext|>", "single_word": false, "lstrip": false,
            "rstrip": false, "normalized": false, "special": true}],
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
        "decoder": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
        "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": vocab, "merges": merges},
    })
}

/// A folder in Hugging Face's layout.
pub fn folder_of(model_type: &str, dir: &Path) {
    std::fs::write(dir.join("tokenizer.json"), tokenizer().to_string()).unwrap();
    std::fs::write(dir.join("config.json"), config(model_type).to_string()).unwrap();
    let made = tensors(model_type);
    let raw: Vec<Vec<u8>> =
        made.iter().map(|m| m.values.iter().flat_map(|v| v.to_le_bytes()).collect()).collect();
    let views = made.iter().zip(&raw).map(|(m, bytes)| {
        let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, m.shape.clone(), bytes);
        (m.name.clone(), view.unwrap())
    });
    std::fs::write(dir.join("model.safetensors"), safetensors::serialize(views, None).unwrap()).unwrap();
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

fn entry_u32(out: &mut Vec<u8>, key: &str, value: usize) {
    text(out, key);
    out.extend(4u32.to_le_bytes());
    out.extend((value as u32).to_le_bytes());
}

fn entry_f32(out: &mut Vec<u8>, key: &str, value: f32) {
    text(out, key);
    out.extend(6u32.to_le_bytes());
    out.extend(value.to_le_bytes());
}

fn entry_text(out: &mut Vec<u8>, key: &str, value: &str) {
    text(out, key);
    out.extend(8u32.to_le_bytes());
    text(out, value);
}

fn entry_texts(out: &mut Vec<u8>, key: &str, values: &[String]) {
    text(out, key);
    out.extend(9u32.to_le_bytes());
    out.extend(8u32.to_le_bytes());
    out.extend((values.len() as u64).to_le_bytes());
    values.iter().for_each(|value| text(out, value));
}

fn their_name(name: &str) -> String {
    name.replace("model.layers.", "blk.")
        .replace("model.embed_tokens", "token_embd")
        .replace("model.norm", "output_norm")
        .replace("input_layernorm", "attn_norm")
        .replace("post_attention_layernorm", "ffn_norm")
        .replace("self_attn.o_proj", "attn_output")
        .replace("self_attn.", "attn_")
        .replace("mlp.", "ffn_")
        .replace("_proj", "")
}

/// Rows as llama.cpp stores them: of each rotated head pair by pair.
fn paired(made: &Made, heads: usize) -> Vec<f32> {
    let columns = made.shape[1];
    let width = made.shape[0] / heads;
    let row = |r: usize| &made.values[r * columns..(r + 1) * columns];
    (0..heads)
        .flat_map(|h| (0..width).map(move |i| h * width + i / 2 + (i % 2) * width / 2))
        .flat_map(|r| row(r).to_vec())
        .collect()
}

/// A GGUF file of the same model: matrices in Q8_0, norms in F32.
pub fn gguf(model_type: &str) -> Vec<u8> {
    let tokenizer = tokenizer();
    let mut tokens = vec![String::new(); VOCABULARY];
    for (token, id) in tokenizer["model"]["vocab"].as_object().unwrap() {
        tokens[id.as_u64().unwrap() as usize] = token.clone();
    }
    for added in tokenizer["added_tokens"].as_array().unwrap() {
        tokens[added["id"].as_u64().unwrap() as usize] = added["content"].as_str().unwrap().into();
    }
    let merges: Vec<String> = tokenizer["model"]["merges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| match m.as_array() {
            Some(pair) => format!("{} {}", pair[0].as_str().unwrap(), pair[1].as_str().unwrap()),
            None => m.as_str().unwrap().to_string(),
        })
        .collect();
    let a = |name: &str| format!("{model_type}.{name}");
    let mut entries = Vec::new();
    entry_text(&mut entries, "general.architecture", model_type);
    for (key, value) in [
        ("embedding_length", WIDTH),
        ("feed_forward_length", 96),
        ("block_count", 2),
        ("attention.head_count", HEADS),
        ("attention.head_count_kv", KV_HEADS),
        ("context_length", 128),
        ("attention.key_length", if model_type == "qwen3" { 32 } else { WIDTH / HEADS }),
    ] {
        entry_u32(&mut entries, &a(key), value);
    }
    entry_f32(&mut entries, &a("attention.layer_norm_rms_epsilon"), 1e-5);
    entry_f32(&mut entries, &a("rope.freq_base"), 10_000.0);
    entry_text(&mut entries, "tokenizer.ggml.model", "gpt2");
    entry_texts(&mut entries, "tokenizer.ggml.tokens", &tokens);
    entry_texts(&mut entries, "tokenizer.ggml.merges", &merges);
    entry_u32(&mut entries, "tokenizer.ggml.bos_token_id", 0);
    entry_u32(&mut entries, "tokenizer.ggml.eos_token_id", 0);
    text(&mut entries, "tokenizer.ggml.token_type");
    entries.extend(9u32.to_le_bytes());
    entries.extend(5u32.to_le_bytes());
    entries.extend((VOCABULARY as u64).to_le_bytes());
    entries.extend((0..VOCABULARY).flat_map(|i| if i == 0 { 3i32 } else { 1 }.to_le_bytes()));

    let made = tensors(model_type);
    let (mut infos, mut data) = (Vec::new(), Vec::new());
    for m in &made {
        text(&mut infos, &their_name(&m.name));
        infos.extend((m.shape.len() as u32).to_le_bytes());
        m.shape.iter().rev().for_each(|size| infos.extend((*size as u64).to_le_bytes()));
        infos.extend(if m.shape.len() == 1 { 0u32 } else { 8 }.to_le_bytes());
        infos.extend((data.len() as u64).to_le_bytes());
        let values = match m.name.as_str() {
            n if model_type == "llama" && n.contains("q_proj") => paired(m, HEADS),
            n if model_type == "llama" && n.contains("k_proj") => paired(m, KV_HEADS),
            _ => m.values.clone(),
        };
        if m.shape.len() == 1 {
            data.extend(values.iter().flat_map(|v| v.to_le_bytes()));
        } else {
            for block in values.chunks(32) {
                let most = block.iter().fold(0f32, |a, x| a.max(x.abs()));
                let d = f32_to_f16(most / 127.0);
                data.extend(d.to_le_bytes());
                data.extend(block.iter().map(|x| (x / f16_to_f32(d)).round() as i8 as u8));
            }
        }
        data.resize(data.len().next_multiple_of(32), 0);
    }
    let mut file = b"GGUF".to_vec();
    file.extend(3u32.to_le_bytes());
    file.extend((made.len() as u64).to_le_bytes());
    file.extend(16u64.to_le_bytes());
    file.extend(entries);
    file.extend(infos);
    file.resize(file.len().next_multiple_of(32), 0);
    file.extend(data);
    file
}
