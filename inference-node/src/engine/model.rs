//! A model in memory, checked against its manifest.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::llama::{Cache, Llama};
use openledger_types::formats::{manifest_hash, BlobRef, Manifest, NumericClass};
use openledger_types::merkle::{Hash, ZERO_HASH};
use sha2::{Digest, Sha256};

use super::config::ModelConfig;
use super::error::{Error, Result};
use super::files::{
    read_bounded, read_weights, weights_root, Weights, CONFIG_FILE, MANIFEST_FILE, TOKENIZER_FILE,
    WEIGHTS_FILE,
};
use super::net::Net;
use super::sampler::SAMPLER;
use super::tokenizer::Tokenizer;
use super::trace::{directions, COMMIT_SCHEME, PROJECTIONS};

const MAX_CONFIG: u64 = 64 << 10;
const MAX_MANIFEST: u64 = 1 << 20;
const MAX_TOKENIZER: u64 = 64 << 20;

/// A loaded model: serves ([`Model::generate`]), replays ([`Model::replay`]) and scores texts. Shared
/// between threads; each answer has a cache of its own.
pub struct Model {
    manifest: Manifest,
    manifest_bytes: Vec<u8>,
    config: ModelConfig,
    tokenizer: Tokenizer,
    /// candle-transformers' network, with the trace's directions under its output head.
    pub(super) llama: Llama,
    /// Angles and an empty cache, cloned for every answer.
    pub(super) cache: Cache,
    net: Net,
    /// The trace's directions, (32, hidden).
    pub(super) directions: Tensor,
}

fn mismatch(what: String) -> Error {
    Error::new(
        "E-MODEL-007",
        format!("the folder does not match its manifest: {what}"),
        "Fetch the model again; do not serve it as it is.",
    )
}

impl Model {
    /// Loads a folder with `manifest.json`, `config.json`, `tokenizer.json` and `model.safetensors`.
    /// Sizes, shapes and hashes are checked before anything is used.
    ///
    /// # Errors
    /// `E-MODEL-001` unreadable, `-002` configuration, `-003` file too large, `-004` weights, `-005`
    /// tokenizer, `-007` hashes, `-008` manifest.
    pub fn load(dir: &Path) -> Result<Self> {
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
        if u64::from(manifest.context) != config.max_position_embeddings as u64
            || manifest.parameters != config.parameters()
        {
            return Err(mismatch("context or parameters differ from config.json".into()));
        }
        let tokenizer = Tokenizer::parse(&tokenizer_bytes, config.vocab_size)?;
        let (weights_bytes, weights) = read_weights(&dir.join(WEIGHTS_FILE), &config)?;
        if manifest.weights_root.as_slice() != weights_root(&weights)? {
            return Err(mismatch(format!("{WEIGHTS_FILE} has another root")));
        }
        for file in &manifest.files {
            let bytes = match file.name.as_str() {
                CONFIG_FILE => &config_bytes,
                TOKENIZER_FILE => &tokenizer_bytes,
                WEIGHTS_FILE => &weights_bytes,
                _ => continue,
            };
            if BlobRef::of(bytes) != file.blob {
                return Err(mismatch(format!("{} is another blob", file.name)));
            }
        }
        tracing::info!(
            model = %manifest.name,
            parameters = manifest.parameters,
            class = manifest.numeric_class.as_str(),
            // Threads of one matrix product, set by RAYON_NUM_THREADS.
            threads = candle_core::utils::get_num_threads(),
            "model loaded"
        );
        let (llama, cache, directions) = serving_network(&config, &weights)?;
        let net = Net::new(&config, |name| weights.get(name).cloned())?;
        Ok(Model { manifest, manifest_bytes, config, tokenizer, llama, cache, net, directions })
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

    /// The text of `tokens`.
    pub fn decode(&self, tokens: &[u32]) -> String {
        self.tokenizer.decode(tokens)
    }

    /// The network for all positions at once.
    pub(crate) fn net(&self) -> &Net {
        &self.net
    }

    pub(super) fn too_long(&self, what: String) -> Error {
        Error::new(
            "E-GEN-002",
            format!("{what} does not fit the context of {} tokens with its answer", self.context()),
            "Shorten the prompt or ask for fewer tokens.",
        )
    }
}

fn parse_manifest(bytes: &[u8]) -> Result<Manifest> {
    let refuse = |what: String| {
        Error::new(
            "E-MODEL-008",
            format!("manifest.json refused: {what}"),
            "Use a model that this version of the node supports.",
        )
    };
    let manifest: Manifest = serde_json::from_slice(bytes).map_err(|e| refuse(e.to_string()))?;
    if manifest.format != 1 || manifest.architecture != "llama" {
        return Err(refuse("format or architecture is unknown".into()));
    }
    if manifest.numeric_class != NumericClass::TolerantF32
        || manifest.sampler != SAMPLER
        || manifest.commit_scheme != COMMIT_SCHEME
    {
        return Err(refuse("numeric class, sampler or commitment scheme is not supported".into()));
    }
    if manifest.template_hash.as_slice() != ZERO_HASH || manifest.adapter_root.as_slice() != ZERO_HASH {
        return Err(refuse("chat templates and adapters are not supported".into()));
    }
    Ok(manifest)
}

/// candle-transformers' Llama whose output head has 32 rows more than the vocabulary: the trace's
/// directions. The embedding table gets as many rows of zeros, which no token names.
fn serving_network(config: &ModelConfig, weights: &Weights) -> Result<(Llama, Cache, Tensor)> {
    let missing = || Error::new("E-MODEL-004", "a tensor is missing", "Fetch the model again.");
    let directions = directions(config.hidden_size)?;
    let embed = weights.get("model.embed_tokens.weight").ok_or_else(missing)?;
    let head = if config.tie_word_embeddings { Some(embed) } else { weights.get("lm_head.weight") };
    let head = head.ok_or_else(missing)?;
    let mut tensors: HashMap<String, Tensor> =
        weights.iter().map(|(name, tensor)| (name.clone(), tensor.clone())).collect();
    tensors.insert("lm_head.weight".into(), Tensor::cat(&[head, &directions], 0)?);
    tensors.insert("model.embed_tokens.weight".into(), Tensor::cat(&[embed, &directions.zeros_like()?], 0)?);
    let shape = config.for_serving(config.vocab_size + PROJECTIONS);
    let llama = Llama::load(VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu), &shape)?;
    let cache = Cache::new(true, DType::F32, &shape, &Device::Cpu)?;
    Ok((llama, cache, directions))
}
