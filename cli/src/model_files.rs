//! A registered model's files from a node into a folder, each held against the manifest that stands on chain.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use openledger_client::contracts::Reader;
use openledger_node::engine::{whole_name, MANIFEST_FILE};
use openledger_node::serve::check_manifest;
use openledger_types::formats::{BlobRef, Manifest, NumericClass};
use openledger_types::msg::model_registry::ModelVersionResponse;

use crate::context::{make_private_dir, write_private, Context};
use crate::error::{Class, CliError, Result};
use crate::{node_http, progress};

/// Fetches the files of a model version from `node` into the folder `dir`, the manifest last: a folder with a
/// manifest has all of them. What they hold is checked by who loads the model.
///
/// # Errors
/// Of node or disk; class verification when a file does not match manifest or chain.
pub async fn fetch(
    ctx: &Context,
    version: &ModelVersionResponse,
    node: &str,
    dir: &Path,
) -> Result<Manifest> {
    let manifest_bytes = node_http::get_blob(&ctx.http, node, &version.manifest.root.to_hex()).await?;
    let manifest = check_manifest(version, &manifest_bytes)?;
    let bar = progress::bar(ctx, manifest.files.len() as u64, "fetching the model");
    make_private_dir(dir)?;
    for file in &manifest.files {
        let (whole, part) = whole_name(&file.name);
        let path = dir.join(plain_name(whole)?);
        let bytes = node_http::get_blob(&ctx.http, node, &file.blob.root.to_hex()).await?;
        if bytes.len() as u64 != file.blob.len {
            return Err(CliError::new(
                Class::Verification,
                "E-CLI-065",
                format!("{} has {} bytes, the manifest says {}", file.name, bytes.len(), file.blob.len),
                "do not use this model: its manifest is wrong",
            ));
        }
        match part {
            // Parts follow each other; the whole is checked when it is loaded.
            Some(number) if number > 1 => {
                let mut whole = OpenOptions::new().append(true).open(&path);
                let added = whole
                    .as_mut()
                    .map_err(|e| std::io::Error::from(e.kind()))
                    .and_then(|f| f.write_all(&bytes));
                added.map_err(|e| CliError::file(&path, e))?;
            }
            _ => write_private(&path, &bytes)?,
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    write_private(&dir.join(MANIFEST_FILE), &manifest_bytes)?;
    Ok(manifest)
}

/// The folder of a registered model that an adapter is trained for: fetched from `node`, or what is in this home
/// folder from an earlier call.
///
/// # Errors
/// Usage for a model that has no adapters; otherwise as [`fetch`].
pub async fn base(ctx: &Context, reader: &Reader, key: (u64, u32), node: &str) -> Result<PathBuf> {
    let version = reader.model_version(key.0, key.1).await?;
    check_class(key, version.numeric_class)?;
    let dir = ctx.home.join("models").join(format!("registered-{}-{}", key.0, key.1));
    let have = std::fs::read(dir.join(MANIFEST_FILE));
    if !have.is_ok_and(|bytes| BlobRef::of(&bytes) == version.manifest) {
        make_private_dir(&ctx.home.join("models"))?;
        fetch(ctx, &version, node.trim_end_matches('/'), &dir).await?;
    }
    Ok(dir)
}

/// Refuses a base on which no adapter can be served, before anything of it is fetched.
fn check_class(key: (u64, u32), class: NumericClass) -> Result<()> {
    match class {
        NumericClass::Exact => Ok(()),
        other => Err(CliError::usage(format!(
            "model {}:{} is of the class {}: adapters are trained for models of the class exact",
            key.0,
            key.1,
            other.as_str()
        ))),
    }
}

/// A file's name, if it cannot leave its folder.
///
/// # Errors
/// Class verification for any other name.
pub(crate) fn plain_name(name: &str) -> Result<&str> {
    let plain = !name.is_empty()
        && name.len() <= 128
        && !name.starts_with('.')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    match plain {
        true => Ok(name),
        false => Err(CliError::new(
            Class::Verification,
            "E-CLI-064",
            format!("the manifest names a file {name:?}"),
            "do not use this model: its files have no plain names",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_cannot_name_files_outside_its_folder() {
        for good in ["model.safetensors", "config.json", "a-b_c"] {
            assert!(plain_name(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "../x", "a/b", "a\\b", ".hidden", "/etc/passwd", &"a".repeat(129)] {
            assert!(plain_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_base_is_of_the_class_exact() {
        assert!(check_class((3, 2), NumericClass::Exact).is_ok());
        let refused = check_class((3, 2), NumericClass::TolerantF32).unwrap_err();
        assert!(refused.message.contains("3:2") && refused.message.contains("tolerant-f32"), "{refused}");
    }
}
