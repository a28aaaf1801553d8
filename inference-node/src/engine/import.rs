//! Models made elsewhere: a GGUF file, or a folder in Hugging Face's layout, becomes a folder with a manifest.

use std::path::Path;

use cosmwasm_std::HexBinary;
use openledger_attribution::SPAN_ONLY;
use openledger_types::formats::{training_root, Manifest, NumericClass, VersionRef};
use openledger_types::merkle::{Hash, ZERO_HASH};
use sha2::{Digest, Sha256};

use super::chat::CHAT_FILE;
use super::error::{Error, Result};
use super::files::{
    model_files, parse_weights, read_bounded, read_weights, weights_root, write_atomic, Weights, CONFIG_FILE,
    MANIFEST_FILE, TOKENIZER_FILE, WEIGHTS_FILE,
};
use super::gguf;
use super::model::{class_schemes, MAX_CONFIG, MAX_TOKENIZER};
use super::template;
use super::tokenizer::Tokenizer;
use openledger_exact::config::ModelConfig;
use openledger_exact::weights::ExactWeights;

/// What a manifest says beyond the files themselves.
pub(crate) struct About {
    pub name: String,
    pub class: NumericClass,
    pub datanets: Vec<VersionRef>,
    pub training_root: HexBinary,
}

/// The weights root of a model of this class, as its manifest states it.
///
/// # Errors
/// `E-MODEL-004` when the weights cannot be quantised.
pub(crate) fn root_of(class: NumericClass, config: &ModelConfig, weights: &Weights) -> Result<Hash> {
    Ok(match class {
        NumericClass::Exact => ExactWeights::new(config, weights)?.root(),
        _ => weights_root(weights),
    })
}

/// The manifest of a model whose files, `files`, begin with weights, configuration and tokenizer.
///
/// # Errors
/// `E-MODEL-004` when the weights cannot be quantised, `-010` for a class that is not served.
pub(crate) fn manifest(
    about: About,
    config: &ModelConfig,
    weights: &Weights,
    files: &[(&str, &[u8])],
) -> Result<Manifest> {
    let (sampler, commit_scheme) = class_schemes(about.class).ok_or_else(|| {
        Error::new(
            "E-MODEL-010",
            format!("the numeric class {} is not served", about.class.as_str()),
            "Use exact or tolerant-f32.",
        )
    })?;
    let root = root_of(about.class, config, weights)?;
    let sha = |name: &str| {
        let bytes = files.iter().find(|(file, _)| *file == name).map_or(&[][..], |(_, bytes)| bytes);
        HexBinary::from(&Hash::from(Sha256::digest(bytes)))
    };
    Ok(Manifest {
        format: 1,
        name: about.name,
        architecture: config.model_type.clone(),
        numeric_class: about.class,
        sampler: sampler.into(),
        commit_scheme: commit_scheme.into(),
        // Who trains adds the influence layer to what was written (`Model::add_influence`).
        attribution: SPAN_ONLY.into(),
        influence: None,
        weights_root: HexBinary::from(&root),
        tokenizer_hash: sha(TOKENIZER_FILE),
        config_hash: sha(CONFIG_FILE),
        template_hash: match files.iter().any(|(name, _)| *name == CHAT_FILE) {
            true => sha(CHAT_FILE),
            false => HexBinary::from(&ZERO_HASH),
        },
        adapter_root: HexBinary::from(&ZERO_HASH),
        context: u32::try_from(config.max_position_embeddings).unwrap_or(u32::MAX),
        parameters: config.parameters(),
        datanets: about.datanets,
        training_root: about.training_root,
        files: model_files(files),
    })
}

/// The manifest as it is written and hashed.
pub(crate) fn manifest_bytes(manifest: &Manifest) -> Result<Vec<u8>> {
    serde_json::to_vec_pretty(manifest).map_err(|e| {
        Error::new(
            "E-MODEL-008",
            format!("the manifest cannot be written: {e}"),
            "Report this with the model's configuration.",
        )
    })
}

/// Most bytes of a GGUF file.
const MAX_GGUF: u64 = 8 << 30;

/// Makes a model of the class `class` in `out` from a GGUF file (F32, F16, BF16, Q8_0), or from a folder
/// with `config.json`, `tokenizer.json` and `model.safetensors` (F32, F16, BF16). It rests on no datanet: what
/// it was trained on is not known here, and nobody is paid for it. Its chat template, if it brings one, becomes
/// a chat format (`engine/template.rs`).
///
/// # Errors
/// As [`super::Model::load`] for files that are damaged, too large or of a shape that is not supported;
/// `E-MODEL-011` for a GGUF file.
pub fn import(source: &Path, out: &Path, name: &str, class: NumericClass) -> Result<Manifest> {
    let (config_bytes, tokenizer_bytes, weights_bytes, jinja) = if source.is_dir() {
        let config_bytes = read_bounded(&source.join(CONFIG_FILE), MAX_CONFIG)?;
        let config = ModelConfig::parse(&config_bytes)?;
        let tokenizer_bytes = read_bounded(&source.join(TOKENIZER_FILE), MAX_TOKENIZER)?;
        let (weights_bytes, _) = read_weights(&source.join(WEIGHTS_FILE), &config)?;
        (config_bytes, tokenizer_bytes, weights_bytes, template::find(source)?)
    } else {
        let model = gguf::read(&read_bounded(source, MAX_GGUF)?)?;
        let config = serde_json::to_vec_pretty(&model.config).map_err(|e| {
            Error::new(
                "E-MODEL-002",
                format!("config.json cannot be written: {e}"),
                "Report this with the file.",
            )
        })?;
        (config, model.tokenizer.clone(), model.weights()?, model.chat_template.clone())
    };
    let config = ModelConfig::parse(&config_bytes)?;
    let tokenizer = Tokenizer::parse(&tokenizer_bytes, config.vocab_size)?;
    let chat = match jinja {
        Some(jinja) => {
            let name = |id: u32| tokenizer.control_name(id).unwrap_or_default();
            let begin = config.bos_token_id.map(name).unwrap_or_default();
            let format = template::derive(&jinja, begin, name(config.eos_token_id))?;
            Some(serde_json::to_vec_pretty(&format).map_err(template::refuse)?)
        }
        None => None,
    };
    let weights = parse_weights(&weights_bytes, &config)?;
    let mut files = vec![
        (WEIGHTS_FILE, weights_bytes.as_slice()),
        (CONFIG_FILE, config_bytes.as_slice()),
        (TOKENIZER_FILE, tokenizer_bytes.as_slice()),
    ];
    files.extend(chat.as_deref().map(|bytes| (CHAT_FILE, bytes)));
    // Trained on nothing that is known: the root over no trees.
    let root = HexBinary::from(&training_root(&[]));
    let about = About { name: name.into(), class, datanets: Vec::new(), training_root: root };
    let manifest = manifest(about, &config, &weights, &files)?;
    std::fs::create_dir_all(out).map_err(|e| Error::file(out, &e))?;
    for (name, bytes) in files {
        write_atomic(&out.join(name), bytes)?;
    }
    write_atomic(&out.join(MANIFEST_FILE), &manifest_bytes(&manifest)?)?;
    Ok(manifest)
}
