//! What peers read: the model's weights, the passages as tokens and as text; and what they are held to.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::json;

use super::ground::World;

/// Models of an ensemble for the peers that take one; the first is the one that is judged.
const MODELS: u64 = 10;

/// Removes the scores that peers made of another model or other texts.
fn forget(exchange: &Path, name: &str) -> Result<()> {
    for entry in std::fs::read_dir(exchange)? {
        let path = entry?.path();
        let file = path.file_name().and_then(|file| file.to_str()).unwrap_or_default();
        let scores = file.strip_prefix(&format!("influence_{name}.")).is_some_and(|rest| rest != "in.json");
        if scores && file.ends_with(".json") {
            std::fs::remove_file(&path).with_context(|| format!("{} cannot be removed", path.display()))?;
        }
    }
    Ok(())
}

/// Writes for peers, into the exchange folder, `influence_NAME.in.json` (texts) and the folder `influence_NAME`:
/// `config.json`, `tokens.json` (passages, and our logits of the first question, by which a peer proves that its
/// model is this one) and `model_0.safetensors` to `model_9.safetensors`, the judged model and nine trained from
/// other seeds, kept under their recipes' hashes.
///
/// # Errors
/// When a training fails or the disk is full.
pub fn write(exchange: &Path, cache: &Path, world: &World) -> Result<()> {
    let World { name, experiment, model, queries, .. } = world;
    let texts = |passages: &[Vec<u32>]| passages.iter().map(|p| experiment.decode(p)).collect::<Vec<_>>();
    let given = json!({ "documents": texts(experiment.passages()), "queries": texts(queries) });
    std::fs::write(exchange.join(format!("influence_{name}.in.json")), serde_json::to_vec(&given)?)?;
    let folder = exchange.join(format!("influence_{name}"));
    std::fs::create_dir_all(&folder)?;
    let first = queries.first().context("there is no question")?;
    let tokens = json!({
        "documents": experiment.passages(),
        "queries": queries,
        "logits": model.positions(first)?.logits,
    });
    let tokens = serde_json::to_vec(&tokens)?;
    // Scores of peers are kept as trainings are; they are of these tokens and, as the logits show, of this model.
    if std::fs::read(folder.join("tokens.json")).ok().as_ref() != Some(&tokens) {
        forget(exchange, name)?;
        std::fs::write(folder.join("tokens.json"), tokens)?;
    }
    std::fs::write(folder.join("config.json"), serde_json::to_vec(&experiment.config())?)?;
    std::fs::write(folder.join("model_0.safetensors"), model.weights()?)?;
    let all = vec![true; experiment.passages().len()];
    for seed in 1..MODELS {
        let other = experiment.with_seed(1_000 + seed);
        let kept: PathBuf = cache.join(format!("{}.safetensors", other.fingerprint(&all)));
        if !kept.exists() {
            let part = kept.with_extension("part");
            std::fs::write(&part, other.train(&all)?.weights()?)?;
            std::fs::rename(&part, &kept)?;
        }
        std::fs::copy(&kept, folder.join(format!("model_{seed}.safetensors")))?;
    }
    Ok(())
}
