//! A model in memory, checked against its manifest.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::llama::{Cache, Config as LlamaShape, Llama};
use openledger_numerics::Path as CpuPath;
use openledger_types::formats::{manifest_hash, BlobRef, Manifest, NumericClass};
use openledger_types::merkle::{Hash, ZERO_HASH};
use sha2::{Digest, Sha256};

use openledger_exact::adapter::{max_file_bytes, ADAPTER_FILE};
use openledger_exact::cache;
use openledger_exact::config::ModelConfig;
use openledger_exact::constraint::Vocabulary;
use openledger_exact::net::{ExactNet, Workspace, REPLAY_CHUNK};
use openledger_exact::sampler::{is_exact, EXACT_SAMPLER, SAMPLER};
use openledger_exact::trace::{COMMIT_SCHEME, EXACT_COMMIT_SCHEME, PROJECTIONS};
use openledger_exact::weights::ExactWeights;

use super::beside::check_size;
use super::chat::{ChatFormat, CHAT_FILE, MAX_CHAT_FORMAT};
use super::device::Place;
use super::error::{Error, Result};
use super::exact::adapters::{Adapted, Adapters};
use super::files::{
    read_bounded, whole_name, Weights, CONFIG_FILE, MANIFEST_FILE, TOKENIZER_FILE, WEIGHTS_FILE,
};
use super::net::Net;
use super::prepared::{self, Checked};
use super::tokenizer::Tokenizer;
use super::trace::directions;
use crate::request::Asked;

pub(crate) const MAX_CONFIG: u64 = 64 << 10;
pub(super) const MAX_MANIFEST: u64 = 1 << 20;
pub(crate) const MAX_TOKENIZER: u64 = 64 << 20;

/// A loaded model: serves ([`Model::generate`]), replays ([`Model::replay`]) and scores texts. Shared
/// between threads; each answer has a cache of its own.
pub struct Model {
    pub(super) manifest: Manifest,
    pub(super) manifest_bytes: Vec<u8>,
    pub(super) config: ModelConfig,
    pub(super) tokenizer: Arc<Tokenizer>,
    pub(super) chat_format: Option<ChatFormat>,
    /// Its tokens as masks of schemas need them, made when the first such request comes; one of all adapters.
    pub(super) vocabulary: Arc<OnceLock<Arc<Vocabulary>>>,
    pub(super) class: Class,
    /// Adapters in memory, also those of other models.
    pub(super) adapters: Arc<Adapters>,
    pub(super) adapted: Option<Adapted>,
}

/// What computes, by the manifest's numeric class.
pub(crate) enum Class {
    /// `exact`.
    Exact(Arc<ExactNet>),
    /// `tolerant-f32`.
    Tolerant(Box<Tolerant>),
}

/// The networks of the tolerant class.
pub(crate) struct Tolerant {
    /// candle-transformers' network, with the trace's directions under its output head.
    pub(super) llama: Llama,
    /// Angles and an empty cache, cloned for every answer.
    pub(super) cache: Cache,
    /// Where `llama` and `cache` are; all else is computed by the processor.
    pub(super) device: Device,
    /// For all positions at once.
    pub(super) net: Net,
    /// The trace's directions, (32, hidden).
    pub(super) directions: Tensor,
}

/// What a pass over a given text shows at one of its positions.
#[derive(Debug, Clone, Copy)]
pub struct Position<'a> {
    /// Number of the token that was read last, from 0; the values predict the one after it.
    pub index: usize,
    /// The hidden vector that the output head reads, after the last norm.
    pub hidden: &'a [f32],
    /// A logit for each token of the vocabulary.
    pub logits: &'a [f32],
}

pub(super) fn mismatch(what: String) -> Error {
    Error::new(
        "E-MODEL-007",
        format!("the folder does not match its manifest: {what}"),
        "Fetch the model again; do not serve it as it is.",
    )
}

impl Model {
    /// Loads a folder with `manifest.json`, `config.json`, `tokenizer.json` and `model.safetensors`, and
    /// `adapter.safetensors` where the manifest names one. Sizes, shapes and hashes are checked before anything is
    /// used.
    ///
    /// # Errors
    /// `E-MODEL-001` unreadable, `-002` configuration, `-003` file too large, `-004` weights, `-005`
    /// tokenizer, `-007` hashes, `-008` manifest, `-014` adapter.
    pub fn load(dir: &Path) -> Result<Self> {
        // Whoever has one model keeps its adapter, whatever a node's limit would be: an answer stays verifiable.
        Self::load_with(dir, &Arc::new(Adapters::new(usize::MAX, Arc::default())))
    }

    /// The same with its adapter kept in `adapters`, as are those of all models that are loaded beside it.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn load_with(dir: &Path, adapters: &Arc<Adapters>) -> Result<Self> {
        Self::load_on(dir, adapters, Place::Cpu)
    }

    /// The same, whose answers are computed at `place` where it is of the class `tolerant-f32`.
    ///
    /// # Errors
    /// As [`Model::load`], and `E-MODEL-017` when there is no such place.
    pub fn load_on(dir: &Path, adapters: &Arc<Adapters>, place: Place) -> Result<Self> {
        let manifest_bytes = read_bounded(&dir.join(MANIFEST_FILE), MAX_MANIFEST)?;
        let manifest = parse_manifest(&manifest_bytes)?;
        let config_bytes = read_bounded(&dir.join(CONFIG_FILE), MAX_CONFIG)?;
        let tokenizer_bytes = read_bounded(&dir.join(TOKENIZER_FILE), MAX_TOKENIZER)?;
        let hashes = [
            (CONFIG_FILE, &config_bytes, &manifest.config_hash),
            (TOKENIZER_FILE, &tokenizer_bytes, &manifest.tokenizer_hash),
        ];
        for (name, bytes, expected) in hashes {
            let hash: Hash = Sha256::digest(bytes).into();
            if expected.as_slice() != hash {
                return Err(mismatch(format!("{name} has another hash")));
            }
        }
        let config = ModelConfig::parse(&config_bytes)?;
        let adapted = Adapted::open(dir, &manifest, &config, adapters)?;
        check_size(&manifest, &config, adapted.as_ref())?;
        let tokenizer = Tokenizer::parse(&tokenizer_bytes, config.vocab_size)?;
        let chat_format = match manifest.template_hash.as_slice() == ZERO_HASH {
            true => None,
            false => {
                let bytes = read_bounded(&dir.join(CHAT_FILE), MAX_CHAT_FORMAT)?;
                if manifest.template_hash.as_slice() != Hash::from(Sha256::digest(&bytes)) {
                    return Err(mismatch(format!("{CHAT_FILE} has another hash")));
                }
                Some(ChatFormat::parse(&bytes)?)
            }
        };
        let weights = Checked::load(dir, &config, &manifest)?;
        let adapter_bytes = match &adapted {
            Some(_) => Some(read_bounded(&dir.join(ADAPTER_FILE), max_file_bytes(&config))?),
            None => None,
        };
        let mut whole = vec![(CONFIG_FILE, &config_bytes, 0), (TOKENIZER_FILE, &tokenizer_bytes, 0)];
        whole.extend(weights.bytes().map(|bytes| (WEIGHTS_FILE, bytes, 0)));
        whole.extend(adapter_bytes.as_ref().map(|bytes| (ADAPTER_FILE, bytes, 0)));
        for file in &manifest.files {
            let name = whole_name(&file.name).0;
            let Some((_, bytes, done)) = whole.iter_mut().find(|(known, ..)| *known == name) else {
                continue;
            };
            let end = usize::try_from(file.blob.len).ok().and_then(|len| len.checked_add(*done));
            let part = end.and_then(|end| bytes.get(*done..end));
            if part.is_none_or(|part| BlobRef::of(part) != file.blob) {
                return Err(mismatch(format!("{} is another blob", file.name)));
            }
            *done = end.unwrap_or(*done);
        }
        if let Some((name, ..)) = whole.iter().find(|(_, bytes, done)| *done > 0 && *done != bytes.len()) {
            return Err(mismatch(format!("the manifest names a part of {name} only")));
        }
        if let (Checked::Made(exact, _), Ok(root)) =
            (&weights, Hash::try_from(manifest.weights_root.as_slice()))
        {
            prepared::keep(dir, exact, &root);
        }
        let class = match weights {
            Checked::Kept(exact) | Checked::Made(exact, _) => {
                let path = chosen_path()?;
                tracing::info!(
                    model = %manifest.name,
                    parameters = manifest.parameters,
                    class = manifest.numeric_class.as_str(),
                    cpu_path = path.name(),
                    bytes = exact.bytes(),
                    "model loaded"
                );
                Class::Exact(Arc::new(ExactNet::new(&config, exact, path)))
            }
            Checked::Published(weights, _) => {
                tracing::info!(
                    model = %manifest.name,
                    parameters = manifest.parameters,
                    class = manifest.numeric_class.as_str(),
                    // Threads of one matrix product, set by RAYON_NUM_THREADS.
                    threads = candle_core::utils::get_num_threads(),
                    device = %place,
                    "model loaded"
                );
                Class::Tolerant(Box::new(tolerant(&config, &weights, place)?))
            }
        };
        let tokenizer = Arc::new(tokenizer);
        Ok(Model {
            manifest,
            manifest_bytes,
            config,
            tokenizer,
            chat_format,
            vocabulary: Arc::default(),
            class,
            adapters: adapters.clone(),
            adapted,
        })
    }

    /// The processor's path that the exact class computes on; `None` in the tolerant class.
    pub fn cpu_path(&self) -> Option<&'static str> {
        match &self.class {
            Class::Exact(net) => Some(net.path().name()),
            Class::Tolerant(_) => None,
        }
    }

    /// The same model on another path of this processor, which changes its speed and nothing else; `None`
    /// in the tolerant class, and where another model shares its weights.
    pub fn on_path(mut self, path: CpuPath) -> Option<Self> {
        match &mut self.class {
            Class::Exact(net) => Arc::get_mut(net)?.set_path(path),
            Class::Tolerant(_) => return None,
        }
        Some(self)
    }

    /// The exact class's int8 weights; `None` in the tolerant class.
    pub fn exact_weights(&self) -> Option<&ExactWeights> {
        match &self.class {
            Class::Exact(net) => Some(net.weights()),
            Class::Tolerant(_) => None,
        }
    }

    /// Bytes of the exact class's int8 weights in memory.
    pub fn quantized_bytes(&self) -> Option<usize> {
        self.exact_weights().map(ExactWeights::bytes)
    }

    /// Reads `tokens` as they are (teacher forcing) and shows every position from `from` on. In the exact
    /// class the values are, bit for bit, those that generating showed at the same positions.
    ///
    /// # Errors
    /// `E-MODEL-006` when the tokens are none, more than the context, or outside the vocabulary.
    pub fn teacher_forced(
        &self,
        tokens: &[u32],
        from: usize,
        visit: &mut dyn FnMut(Position<'_>),
    ) -> Result<()> {
        self.check_text(tokens)?;
        match &self.class {
            Class::Exact(net) => {
                let (mut cache, mut room) = (cache::Cache::new(net.shape()), Workspace::default());
                let (adapter, pieces) = (self.adapter()?, (REPLAY_CHUNK, from));
                let adapter = adapter.as_deref();
                net.read_adapted(
                    adapter,
                    &mut cache,
                    tokens,
                    pieces,
                    &mut room,
                    &mut |index, hidden, logits| {
                        visit(Position { index, hidden, logits });
                    },
                );
            }
            Class::Tolerant(own) => {
                let hidden = own.net.hidden(tokens, 1)?;
                let count = tokens.len().saturating_sub(from);
                if count == 0 {
                    return Ok(());
                }
                let hidden = hidden.narrow(0, from, count)?.contiguous()?;
                let logits = own.net.logits(&hidden)?.flatten_all()?.to_vec1::<f32>()?;
                let hidden = hidden.flatten_all()?.to_vec1::<f32>()?;
                let rows = hidden
                    .chunks_exact(self.config.hidden_size)
                    .zip(logits.chunks_exact(self.config.vocab_size));
                for (i, (hidden, logits)) in rows.enumerate() {
                    visit(Position { index: from + i, hidden, logits });
                }
            }
        }
        Ok(())
    }

    /// Hidden vectors and logits of every position of `tokens`, read in pieces of `chunk` tokens; for tests
    /// and measurements of the exact class, where the pieces must change nothing.
    ///
    /// # Errors
    /// As [`Model::teacher_forced`], and `E-MODEL-002` in the tolerant class.
    pub fn read_in_chunks(&self, tokens: &[u32], chunk: usize) -> Result<Vec<f32>> {
        self.check_text(tokens)?;
        let Class::Exact(net) = &self.class else {
            return Err(Error::new(
                "E-MODEL-002",
                "the tolerant class reads a text at once",
                "Use a model of the class exact.",
            ));
        };
        let (mut cache, mut room) = (cache::Cache::new(net.shape()), Workspace::default());
        let (mut all, adapter) = (Vec::new(), self.adapter()?);
        let adapter = adapter.as_deref();
        net.read_adapted(adapter, &mut cache, tokens, (chunk, 0), &mut room, &mut |_, hidden, logits| {
            all.extend_from_slice(hidden);
            all.extend_from_slice(logits);
        });
        Ok(all)
    }

    /// Refuses tokens that cannot be read.
    fn check_text(&self, tokens: &[u32]) -> Result<()> {
        let outside = tokens.iter().find(|t| **t as usize >= self.config.vocab_size);
        if tokens.is_empty() || tokens.len() > self.context() || outside.is_some() {
            return Err(Error::new(
                "E-MODEL-006",
                match outside {
                    Some(token) => format!("token {token} is outside the vocabulary"),
                    None => format!("{} tokens do not fit the context of {}", tokens.len(), self.context()),
                },
                "Encode the text with this model's own tokenizer and shorten it to the context.",
            ));
        }
        Ok(())
    }

    /// The manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The manifest's bytes, as they are hashed and published.
    pub fn manifest_bytes(&self) -> &[u8] {
        &self.manifest_bytes
    }

    /// Hash of the manifest's bytes, as it stands on chain.
    pub fn manifest_hash(&self) -> Hash {
        manifest_hash(&self.manifest_bytes)
    }

    /// Shape of the network.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Its tokens as masks of schemas need them.
    pub fn vocabulary(&self) -> &Arc<Vocabulary> {
        let (size, end) = (self.config.vocab_size, self.config.eos_token_id);
        self.vocabulary.get_or_init(|| Arc::new(Vocabulary::new(size, end, |id| self.tokenizer.bytes(id))))
    }

    /// Most tokens of prompt and answer together.
    pub fn context(&self) -> usize {
        self.config.max_position_embeddings
    }

    /// Tokens of `text`; [`Model::decode`] gives it back unchanged.
    ///
    /// # Errors
    /// `E-MODEL-005` when the tokenizer fails.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        self.tokenizer.encode(text)
    }

    /// The tokens that ask for a continuation of `text`: the token that starts a text, then its own.
    ///
    /// # Errors
    /// `E-GEN-002` when it leaves no room for an answer; a text that cannot fit is refused before it
    /// is encoded.
    pub fn encode_prompt(&self, text: &str) -> Result<Vec<u32>> {
        let room = self.context().saturating_sub(2);
        if text.len() > room.saturating_mul(self.tokenizer.longest().max(1)) {
            return Err(self.too_long(format!("a prompt of {} bytes", text.len())));
        }
        let mut tokens = vec![self.config.bos_token_id.unwrap_or(self.config.eos_token_id)];
        tokens.extend(self.encode(text)?);
        if tokens.len() >= self.context() {
            return Err(self.too_long(format!("a prompt of {} tokens", tokens.len())));
        }
        Ok(tokens)
    }

    /// Reads a question: its tokens, with a chat in the model's own format where it has one.
    ///
    /// # Errors
    /// `E-GEN-001` for a repetition penalty or a schema that the model's sampler does not know, `E-GEN-002` as
    /// [`Model::encode_prompt`].
    pub fn read(&self, asked: &mut Asked) -> Result<Vec<u32>> {
        self.check_penalty(asked.repetition_milli)?;
        self.check_schema(asked.schema.is_some())?;
        let (Some(format), Some(chat)) = (&self.chat_format, &asked.chat) else {
            return self.encode_prompt(&asked.prompt);
        };
        let most = self.context().saturating_mul(self.tokenizer.longest().max(1));
        if chat.messages.iter().map(|m| m.content.len()).sum::<usize>() > most {
            return Err(self.too_long(format!("a chat of more than {most} bytes")));
        }
        let tokens = format.encode(chat, &self.tokenizer)?;
        if tokens.len() >= self.context() {
            return Err(self.too_long(format!("a chat of {} tokens", tokens.len())));
        }
        asked.without_usual_stop();
        Ok(tokens)
    }

    /// The chat format, when the model has one of its own.
    pub fn chat_format(&self) -> Option<&ChatFormat> {
        self.chat_format.as_ref()
    }

    /// The text of `tokens`.
    pub fn decode(&self, tokens: &[u32]) -> String {
        self.tokenizer.decode(tokens)
    }

    pub(super) fn too_long(&self, what: String) -> Error {
        Error::new(
            "E-GEN-002",
            format!("{what} does not fit the context of {} tokens with its answer", self.context()),
            "Shorten the prompt or ask for fewer tokens.",
        )
    }
}

pub(super) fn parse_manifest(bytes: &[u8]) -> Result<Manifest> {
    let refuse = |what: String| {
        Error::new(
            "E-MODEL-008",
            format!("manifest.json refused: {what}"),
            "Use a model that this version of the node supports.",
        )
    };
    let manifest: Manifest = serde_json::from_slice(bytes).map_err(|e| refuse(e.to_string()))?;
    if manifest.format != 1 || !["llama", "qwen3"].contains(&manifest.architecture.as_str()) {
        return Err(refuse("format or architecture is unknown".into()));
    }
    let (sampler, scheme) = class_schemes(manifest.numeric_class).ok_or_else(|| {
        refuse(format!("the numeric class {} is not supported", manifest.numeric_class.as_str()))
    })?;
    let older = manifest.numeric_class == NumericClass::Exact && is_exact(&manifest.sampler);
    if (manifest.sampler != sampler && !older) || manifest.commit_scheme != scheme {
        return Err(refuse("sampler or commitment scheme is not that of its numeric class".into()));
    }
    if manifest.adapter_root.as_slice() != ZERO_HASH && manifest.numeric_class != NumericClass::Exact {
        return Err(refuse("adapters are served in the class exact only".into()));
    }
    Ok(manifest)
}

/// Sampler and commitment scheme of a numeric class that this engine computes.
pub(crate) fn class_schemes(class: NumericClass) -> Option<(&'static str, &'static str)> {
    match class {
        NumericClass::Exact => Some((EXACT_SAMPLER, EXACT_COMMIT_SCHEME)),
        NumericClass::TolerantF32 => Some((SAMPLER, COMMIT_SCHEME)),
        NumericClass::TolerantBf16 => None,
    }
}

/// The processor's fastest path, or the one that the environment variable `OPENLEDGER_CPU_PATH` names.
fn chosen_path() -> Result<CpuPath> {
    let Ok(name) = std::env::var("OPENLEDGER_CPU_PATH") else { return Ok(CpuPath::best()) };
    CpuPath::available().find(|path| path.name() == name).ok_or_else(|| {
        let names: Vec<&str> = CpuPath::available().map(CpuPath::name).collect();
        Error::new(
            "E-MODEL-009",
            format!("OPENLEDGER_CPU_PATH is {name:?}, this processor has {}", names.join(", ")),
            "Unset the variable to use the fastest path.",
        )
    })
}

fn tolerant(config: &ModelConfig, weights: &Weights, place: Place) -> Result<Tolerant> {
    let device = place.open()?;
    let plain =
        config.model_type == "llama" && config.head_dim() * config.num_attention_heads == config.hidden_size;
    if !plain {
        return Err(Error::new(
            "E-MODEL-002",
            format!("config.json refused: {} is served in the class exact only", config.model_type),
            "Import the model in the class exact.",
        ));
    }
    let tensors: HashMap<String, Tensor> = weights
        .iter()
        .map(|(name, of)| {
            Ok((name.clone(), Tensor::from_vec(of.values.clone(), of.shape.clone(), &Device::Cpu)?))
        })
        .collect::<Result<_>>()?;
    let (llama, cache, directions) = serving_network(config, &tensors, &device)?;
    let net = Net::new(config, |name| tensors.get(name).cloned())?;
    Ok(Tolerant { llama, cache, device, net, directions })
}

/// candle-transformers' Llama whose output head has 32 rows more than the vocabulary: the trace's
/// directions. The embedding table gets as many rows of zeros, which no token names.
fn serving_network(
    config: &ModelConfig,
    weights: &HashMap<String, Tensor>,
    device: &Device,
) -> Result<(Llama, Cache, Tensor)> {
    let missing = || Error::new("E-MODEL-004", "a tensor is missing", "Fetch the model again.");
    let directions = directions(config.hidden_size)?;
    let embed = weights.get("model.embed_tokens.weight").ok_or_else(missing)?;
    let head = if config.tie_word_embeddings { Some(embed) } else { weights.get("lm_head.weight") };
    let head = head.ok_or_else(missing)?;
    let mut tensors = weights.clone();
    tensors.insert("lm_head.weight".into(), Tensor::cat(&[head, &directions], 0)?);
    tensors.insert("model.embed_tokens.weight".into(), Tensor::cat(&[embed, &directions.zeros_like()?], 0)?);
    let shape = llama_shape(config, config.vocab_size + PROJECTIONS);
    let llama = Llama::load(VarBuilder::from_tensors(tensors, DType::F32, device), &shape)?;
    let cache = Cache::new(true, DType::F32, &shape, device)?;
    Ok((llama, cache, directions))
}

/// The shape as candle-transformers takes it, with `rows` output rows and a head of its own (see the trace
/// module for why).
pub(super) fn llama_shape(config: &ModelConfig, rows: usize) -> LlamaShape {
    LlamaShape {
        hidden_size: config.hidden_size,
        intermediate_size: config.intermediate_size,
        vocab_size: rows,
        num_hidden_layers: config.num_hidden_layers,
        num_attention_heads: config.num_attention_heads,
        num_key_value_heads: config.kv_heads(),
        use_flash_attn: false,
        rms_norm_eps: config.rms_norm_eps,
        rope_theta: config.rope_theta as f32,
        bos_token_id: config.bos_token_id,
        eos_token_id: None,
        rope_scaling: None,
        max_position_embeddings: config.max_position_embeddings,
        tie_word_embeddings: false,
    }
}
