//! Models in GGUF files (llama.cpp): tensors in F32, F16, BF16 and Q8_0, tokenizers of byte-level BPE.
//!
//! Layout (ggml's `docs/gguf.md`, versions 2 and 3), all little-endian: `GGUF`, u32 version, u64 tensors, u64
//! entries; entries: key text, u32 type, value; tensors: name text, u32 dimensions, u64 each (columns
//! first), u32 type, u64 offset from the start of the data; padding to the alignment; the data. A text is
//! u64 length, bytes. Nothing is allocated by a number in the file before the bytes for it are there.

use std::collections::BTreeMap;

use serde_json::{json, Value as Json};

use super::error::{Error, Result};
use super::files::f32_bytes;
use openledger_exact::config::ModelConfig;

/// Most entries, tensors and dimensions of a file.
const MAX_ENTRIES: u64 = 4_096;
const MAX_TENSORS: u64 = 16_384;
const MAX_DIMENSIONS: u32 = 4;

fn refuse(what: impl std::fmt::Display) -> Error {
    Error::new(
        "E-MODEL-011",
        format!("GGUF file refused: {what}"),
        "Use a Llama, SmolLM or Qwen3 model in F32, F16, BF16 or Q8_0 with a byte-level BPE tokenizer.",
    )
}

/// A value of an entry, as far as models need it.
#[derive(Debug, Clone, PartialEq)]
enum Value {
    Whole(u64),
    Real(f64),
    Text(String),
    Texts(Vec<String>),
    Wholes(Vec<i64>),
    Other,
}

#[derive(Debug, Clone)]
struct Tensor {
    /// Rows first.
    shape: Vec<usize>,
    kind: u32,
    offset: u64,
}

/// A model read from a GGUF file, in the layout of Hugging Face.
pub(crate) struct Imported {
    pub config: ModelConfig,
    pub tokenizer: Vec<u8>,
    /// Jinja, when the file brings one.
    pub chat_template: Option<String>,
    pub tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
}

/// Reads bytes in order, never beyond their end.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, n: u64) -> Result<&'a [u8]> {
        let n = usize::try_from(n).map_err(|_| refuse("a length is absurd"))?;
        let (taken, rest) = self.0.split_at_checked(n).ok_or_else(|| refuse("it ends early"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.take(N as u64)?.try_into().map_err(|_| refuse("it ends early"))
    }

    fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn text(&mut self) -> Result<String> {
        let length = self.u64()?;
        String::from_utf8(self.take(length)?.to_vec()).map_err(|_| refuse("a text is not UTF-8"))
    }

    /// A number of one of the plain types; `None` for texts, arrays and unknown types.
    fn plain(&mut self, kind: u32) -> Result<Option<Value>> {
        let signed = |x: i64| u64::try_from(x).map_or(Value::Other, Value::Whole);
        Ok(Some(match kind {
            0 | 7 => Value::Whole(u64::from(self.array::<1>()?[0])),
            1 => signed(i64::from(i8::from_le_bytes(self.array()?))),
            2 => Value::Whole(u64::from(u16::from_le_bytes(self.array()?))),
            3 => signed(i64::from(i16::from_le_bytes(self.array()?))),
            4 => Value::Whole(u64::from(self.u32()?)),
            5 => signed(i64::from(i32::from_le_bytes(self.array()?))),
            6 => Value::Real(f64::from(f32::from_le_bytes(self.array()?))),
            10 => Value::Whole(self.u64()?),
            11 => signed(i64::from_le_bytes(self.array()?)),
            12 => Value::Real(f64::from_le_bytes(self.array()?)),
            _ => return Ok(None),
        }))
    }

    fn value(&mut self, kind: u32) -> Result<Value> {
        match kind {
            8 => Ok(Value::Text(self.text()?)),
            9 => {
                let (kind, count) = (self.u32()?, self.u64()?);
                match kind {
                    8 => {
                        let mut texts = Vec::new();
                        for _ in 0..count {
                            texts.push(self.text()?);
                        }
                        Ok(Value::Texts(texts))
                    }
                    5 => {
                        let mut wholes = Vec::new();
                        for _ in 0..count {
                            wholes.push(i64::from(i32::from_le_bytes(self.array()?)));
                        }
                        Ok(Value::Wholes(wholes))
                    }
                    _ => {
                        for _ in 0..count {
                            self.plain(kind)?.ok_or_else(|| refuse(format!("arrays of type {kind}")))?;
                        }
                        Ok(Value::Other)
                    }
                }
            }
            _ => self.plain(kind)?.ok_or_else(|| refuse(format!("values of type {kind}"))),
        }
    }
}

struct Entries(BTreeMap<String, Value>);

impl Entries {
    fn whole(&self, key: &str) -> Result<Option<usize>> {
        match self.0.get(key) {
            None => Ok(None),
            Some(Value::Whole(x)) => {
                usize::try_from(*x).map(Some).map_err(|_| refuse(format!("{key} is too large")))
            }
            Some(_) => Err(refuse(format!("{key} is no whole number"))),
        }
    }

    fn needed(&self, key: &str) -> Result<usize> {
        self.whole(key)?.ok_or_else(|| refuse(format!("{key} is missing")))
    }

    fn real(&self, key: &str) -> Option<f64> {
        match self.0.get(key) {
            Some(Value::Real(x)) => Some(*x),
            _ => None,
        }
    }

    fn text(&self, key: &str) -> &str {
        match self.0.get(key) {
            Some(Value::Text(text)) => text,
            _ => "",
        }
    }

    fn texts(&self, key: &str) -> Result<&[String]> {
        match self.0.get(key) {
            Some(Value::Texts(texts)) => Ok(texts),
            _ => Err(refuse(format!("{key} is missing"))),
        }
    }
}

/// Reads a model.
///
/// # Errors
/// `E-MODEL-011` for a file that is damaged or holds what is not supported, `-002` for a shape that is not.
pub(crate) fn read(bytes: &[u8]) -> Result<Imported> {
    let mut cursor = Cursor(bytes);
    if cursor.take(4)? != b"GGUF" {
        return Err(refuse("it does not begin with GGUF"));
    }
    let version = cursor.u32()?;
    if !(2..=3).contains(&version) {
        return Err(refuse(format!("version {version}")));
    }
    let (tensor_count, entry_count) = (cursor.u64()?, cursor.u64()?);
    if tensor_count > MAX_TENSORS || entry_count > MAX_ENTRIES {
        return Err(refuse(format!("{tensor_count} tensors and {entry_count} entries")));
    }
    let mut entries = Entries(BTreeMap::new());
    for _ in 0..entry_count {
        let (key, kind) = (cursor.text()?, cursor.u32()?);
        let value = cursor.value(kind)?;
        if entries.0.insert(key.clone(), value).is_some() {
            return Err(refuse(format!("{key} stands twice")));
        }
    }
    let mut tensors = BTreeMap::new();
    for _ in 0..tensor_count {
        let (name, dimensions) = (cursor.text()?, cursor.u32()?);
        if dimensions == 0 || dimensions > MAX_DIMENSIONS {
            return Err(refuse(format!("{name} has {dimensions} dimensions")));
        }
        let mut shape = Vec::new();
        for _ in 0..dimensions {
            let size = usize::try_from(cursor.u64()?).map_err(|_| refuse(format!("{name} is too large")))?;
            shape.insert(0, size);
        }
        let (kind, offset) = (cursor.u32()?, cursor.u64()?);
        if tensors.insert(name.clone(), Tensor { shape, kind, offset }).is_some() {
            return Err(refuse(format!("{name} stands twice")));
        }
    }
    let alignment = entries.whole("general.alignment")?.unwrap_or(32);
    if !alignment.is_power_of_two() || alignment > 1 << 20 {
        return Err(refuse(format!("an alignment of {alignment}")));
    }
    let start = (bytes.len() - cursor.0.len()).next_multiple_of(alignment);
    let data = bytes.get(start..).ok_or_else(|| refuse("it ends early"))?;
    let config = config(&entries, tensors.contains_key("output.weight"))?;
    let tokenizer = tokenizer(&entries, config.vocab_size)?;
    let mut converted = BTreeMap::new();
    let wanted = config.tensors();
    if tensors.len() != wanted.len() {
        return Err(refuse(format!("{} tensors instead of {}", tensors.len(), wanted.len())));
    }
    for (name, shape) in wanted {
        let theirs = their_name(&name);
        let tensor = tensors.get(&theirs).ok_or_else(|| refuse(format!("{theirs} is missing")))?;
        if tensor.shape != shape {
            return Err(refuse(format!("{theirs} is {:?}, not {shape:?}", tensor.shape)));
        }
        let mut values = values(data, tensor, &theirs)?;
        if config.model_type == "llama" {
            let heads = match name.rsplit('.').nth(1) {
                Some("q_proj") => config.num_attention_heads,
                Some("k_proj") => config.kv_heads(),
                _ => 0,
            };
            if heads > 0 {
                values = unpair(&values, heads, config.head_dim(), config.hidden_size);
            }
        }
        converted.insert(name, (shape, values));
    }
    let chat_template = Some(entries.text("tokenizer.chat_template")).filter(|text| !text.is_empty());
    let chat_template = chat_template.map(String::from);
    Ok(Imported { config, tokenizer, chat_template, tensors: converted })
}

fn config(entries: &Entries, own_head: bool) -> Result<ModelConfig> {
    let architecture = entries.text("general.architecture").to_string();
    let class = match architecture.as_str() {
        "llama" => "LlamaForCausalLM",
        "qwen3" => "Qwen3ForCausalLM",
        other => return Err(refuse(format!("the architecture {other:?}"))),
    };
    let key = |name: &str| format!("{architecture}.{name}");
    for scaled in ["rope.scaling.type", "rope.scaling.factor"] {
        if entries.0.get(&key(scaled)).is_some_and(|v| *v != Value::Text("none".into())) {
            return Err(refuse("positions are scaled"));
        }
    }
    let token = |name: &str| entries.whole(&format!("tokenizer.ggml.{name}_token_id"));
    let token_id = |id: usize| u32::try_from(id).map_err(|_| refuse("a token's number is too large"));
    let heads = entries.needed(&key("attention.head_count"))?;
    let config = ModelConfig {
        architectures: vec![class.into()],
        model_type: architecture.clone(),
        hidden_size: entries.needed(&key("embedding_length"))?,
        intermediate_size: entries.needed(&key("feed_forward_length"))?,
        vocab_size: entries.texts("tokenizer.ggml.tokens")?.len(),
        num_hidden_layers: entries.needed(&key("block_count"))?,
        num_attention_heads: heads,
        num_key_value_heads: Some(entries.whole(&key("attention.head_count_kv"))?.unwrap_or(heads)),
        head_dim: entries.whole(&key("attention.key_length"))?,
        // f32 in the file: its shortest decimal is the number that was meant.
        rms_norm_eps: entries.real(&key("attention.layer_norm_rms_epsilon")).map_or(1e-5, shortest),
        rope_theta: entries.real(&key("rope.freq_base")).map_or(10_000.0, shortest),
        max_position_embeddings: entries.needed(&key("context_length"))?.min(65_536),
        bos_token_id: token("bos")?.map(token_id).transpose()?,
        eos_token_id: token_id(token("eos")?.ok_or_else(|| refuse("no token ends a text"))?)?,
        tie_word_embeddings: !own_head,
        hidden_act: "silu".into(),
        torch_dtype: "float32".into(),
        rope_scaling: None,
        attention_bias: false,
        mlp_bias: false,
        use_sliding_window: false,
    };
    config.validate()?;
    Ok(config)
}

/// The f64 that an f32's shortest decimal names.
fn shortest(x: f64) -> f64 {
    (x as f32).to_string().parse().unwrap_or(x)
}

/// The name that llama.cpp gives a tensor.
fn their_name(name: &str) -> String {
    let plain = match name {
        "model.embed_tokens.weight" => "token_embd.weight",
        "model.norm.weight" => "output_norm.weight",
        "lm_head.weight" => "output.weight",
        _ => "",
    };
    if !plain.is_empty() {
        return plain.into();
    }
    let rest = name.trim_start_matches("model.layers.").trim_end_matches(".weight");
    let (layer, part) = rest.split_once('.').unwrap_or(("", rest));
    let part = match part {
        "input_layernorm" => "attn_norm",
        "post_attention_layernorm" => "ffn_norm",
        "self_attn.q_proj" => "attn_q",
        "self_attn.k_proj" => "attn_k",
        "self_attn.v_proj" => "attn_v",
        "self_attn.o_proj" => "attn_output",
        "self_attn.q_norm" => "attn_q_norm",
        "self_attn.k_norm" => "attn_k_norm",
        "mlp.gate_proj" => "ffn_gate",
        "mlp.up_proj" => "ffn_up",
        "mlp.down_proj" => "ffn_down",
        other => other,
    };
    format!("blk.{layer}.{part}.weight")
}

/// A tensor's values as f32; its bytes must lie in the file.
fn values(data: &[u8], tensor: &Tensor, name: &str) -> Result<Vec<f32>> {
    let count = tensor.shape.iter().try_fold(1usize, |n, size| n.checked_mul(*size));
    let count = count.ok_or_else(|| refuse(format!("{name} is too large")))?;
    let bytes = match tensor.kind {
        0 => count.checked_mul(4),
        1 | 30 => count.checked_mul(2),
        8 if tensor.shape.last().is_some_and(|columns| columns.is_multiple_of(32)) => {
            (count / 32).checked_mul(34)
        }
        other => return Err(refuse(format!("{name} has type {other}"))),
    };
    let start = usize::try_from(tensor.offset).ok();
    let range = start.zip(bytes).and_then(|(start, bytes)| Some(start..start.checked_add(bytes)?));
    let bytes = range.and_then(|range| data.get(range));
    let bytes = bytes.ok_or_else(|| refuse(format!("{name} lies outside the file")))?;
    let pairs = || bytes.chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]]));
    let values: Vec<f32> = match tensor.kind {
        0 => super::files::f32_values(bytes),
        1 => pairs().map(openledger_numerics::f16_to_f32).collect(),
        30 => pairs().map(|b| f32::from_bits(u32::from(b) << 16)).collect(),
        _ => bytes
            .chunks_exact(34)
            .flat_map(|block| {
                let d = openledger_numerics::f16_to_f32(u16::from_le_bytes([block[0], block[1]]));
                block.iter().skip(2).map(move |q| d * f32::from(i8::from_le_bytes([*q])))
            })
            .collect(),
    };
    match values.iter().all(|x| x.is_finite()) {
        true => Ok(values),
        false => Err(refuse(format!("{name} holds a value that is not a finite number"))),
    }
}

/// llama.cpp stores the rows of a rotated head pair by pair, Hugging Face half by half.
fn unpair(values: &[f32], heads: usize, width: usize, columns: usize) -> Vec<f32> {
    let mut out = Vec::with_capacity(values.len());
    for head in 0..heads {
        for half in 0..2 {
            for i in 0..width / 2 {
                let row = head * width + 2 * i + half;
                out.extend_from_slice(values.get(row * columns..(row + 1) * columns).unwrap_or(&[]));
            }
        }
    }
    out
}

/// `tokenizer.json` from the file's entries.
fn tokenizer(entries: &Entries, vocab: usize) -> Result<Vec<u8>> {
    let model = entries.text("tokenizer.ggml.model");
    if model != "gpt2" {
        return Err(refuse(format!("a tokenizer of kind {model:?}")));
    }
    let bytes = |regex: bool| json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": regex});
    let split = |digits: &str| {
        let pattern = format!(
            "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{{L}}\\p{{N}}]?\\p{{L}}+|{digits}| ?[^\\s\\p{{L}}\\p{{N}}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
        );
        let split =
            json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false});
        json!({"type": "Sequence", "pretokenizers": [split, bytes(false)]})
    };
    let pre_tokenizer = match entries.text("tokenizer.ggml.pre") {
        "" | "default" | "gpt-2" => bytes(true),
        "smollm" => {
            json!({"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": true}, bytes(true)]})
        }
        "qwen2" => split("\\p{N}"),
        "llama-bpe" => split("\\p{N}{1,3}"),
        other => return Err(refuse(format!("the pre-tokenizer {other:?}"))),
    };
    let tokens = entries.texts("tokenizer.ggml.tokens")?;
    let kinds = match entries.0.get("tokenizer.ggml.token_type") {
        Some(Value::Wholes(kinds)) => kinds.as_slice(),
        _ => &[],
    };
    if tokens.len() != vocab {
        return Err(refuse("tokens and vocabulary differ in number"));
    }
    let mut vocabulary = serde_json::Map::new();
    let mut special = Vec::new();
    for (id, token) in tokens.iter().enumerate() {
        // 1 is a usual token, 3 one that controls, 4 one that a user added.
        if matches!(kinds.get(id), Some(2..=5)) {
            special.push(json!({"id": id, "content": token, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}));
        }
        if vocabulary.insert(token.clone(), Json::from(id)).is_some() {
            return Err(refuse(format!("the token {token:?} stands twice")));
        }
    }
    let json = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": special, "normalizer": null,
        "pre_tokenizer": pre_tokenizer, "post_processor": null, "decoder": bytes(true),
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": vocabulary, "merges": entries.texts("tokenizer.ggml.merges")?,
        },
    });
    serde_json::to_vec(&json).map_err(refuse)
}

impl Imported {
    /// The tensors as a safetensors file in f32.
    pub(crate) fn weights(&self) -> Result<Vec<u8>> {
        let raw: Vec<(&String, &Vec<usize>, Vec<u8>)> =
            self.tensors.iter().map(|(name, (shape, values))| (name, shape, f32_bytes(values))).collect();
        let mut views = Vec::with_capacity(raw.len());
        for (name, shape, bytes) in &raw {
            let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, (*shape).clone(), bytes);
            views.push((name.as_str(), view.map_err(refuse)?));
        }
        safetensors::serialize(views, None).map_err(refuse)
    }
}
