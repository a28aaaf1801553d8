//! A model's manifest and files: held against the chain and bounded before anything is read, then written to disk
//! part by part. Anyone can register a model; what this node makes of it costs one part's memory.

use std::collections::HashSet;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use openledger_attribution::{SPAN_ONLY, THREE_LAYERS, THREE_LAYERS_FLOORED, TWO_LAYERS};
use openledger_types::formats::{manifest_hash, BlobRef, Manifest, ModelFile};
use openledger_types::msg::model_registry::ModelVersionResponse;

use super::node::blocking;
use crate::corpus::{BlobSource, MAX_BLOB};
use crate::engine::{joined, MANIFEST_FILE};
use crate::fault::{Class, Fault, Result};

/// Names of the attribution schemes that this node computes.
pub const ATTRIBUTION: [&str; 4] = [SPAN_ONLY, TWO_LAYERS, THREE_LAYERS_FLOORED, THREE_LAYERS];

/// Most bytes of a manifest.
pub(super) const MAX_MANIFEST: u64 = 4 << 20;
/// Most files and parts of a model: 192 GiB in parts of 48 MiB.
const MAX_FILES: usize = 4_096;

/// The manifest, held against everything that the chain says of it.
///
/// # Errors
/// `E-NODE-030` naming what differs; `-035` when its files are too many or too large, or one stands twice.
pub fn check_manifest(info: &ModelVersionResponse, bytes: &[u8]) -> Result<Manifest> {
    let differs = |what: &str| {
        Fault::new(
            Class::Internal,
            "E-NODE-030",
            format!(
                "the manifest of model {}:{} differs from the chain: {what}",
                info.model_id, info.version
            ),
            "Upload the manifest that was registered.",
        )
    };
    if bytes.len() as u64 > MAX_MANIFEST {
        return Err(too_large(format!("the manifest has {} bytes, allowed are {MAX_MANIFEST}", bytes.len())));
    }
    if BlobRef::of(bytes) != info.manifest || info.manifest_hash.as_slice() != manifest_hash(bytes) {
        return Err(differs("its bytes"));
    }
    let manifest: Manifest = serde_json::from_slice(bytes).map_err(|e| differs(&e.to_string()))?;
    if manifest.datanets != info.datanets {
        return Err(differs("datanets"));
    }
    if manifest.weights_root != info.weights_root || manifest.training_root != info.training_root {
        return Err(differs("weights or training root"));
    }
    if manifest.numeric_class != info.numeric_class {
        return Err(differs("numeric class"));
    }
    if !ATTRIBUTION.contains(&manifest.attribution.as_str()) {
        return Err(differs("an attribution scheme that this node does not compute"));
    }
    check_files(&manifest.files)?;
    Ok(manifest)
}

fn too_large(what: String) -> Fault {
    Fault::new(
        Class::TooLarge,
        "E-NODE-035",
        what,
        "Import the model with this release, which writes each file once, in parts of 48 MiB.",
    )
}

/// Files that are named once each, not too many, none larger than a blob may be.
fn check_files(files: &[ModelFile]) -> Result<()> {
    if files.len() > MAX_FILES {
        return Err(too_large(format!("the manifest names {} files, allowed are {MAX_FILES}", files.len())));
    }
    let mut names = HashSet::new();
    for file in files {
        if !names.insert(file.name.as_str()) {
            return Err(too_large(format!("the manifest names the file {:?} twice", file.name)));
        }
        if file.blob.len > MAX_BLOB {
            let len = file.blob.len;
            return Err(too_large(format!(
                "the file {:?} has {len} bytes, allowed are {MAX_BLOB}",
                file.name
            )));
        }
    }
    Ok(())
}

/// Refuses a model whose files are more than this node's operator allows, before any of them is read.
///
/// # Errors
/// `E-NODE-036`.
pub(super) fn check_size(manifest: &Manifest, most: u64) -> Result<()> {
    let total = manifest.files.iter().fold(0u64, |sum, file| sum.saturating_add(file.blob.len));
    if total <= most {
        return Ok(());
    }
    Err(Fault::new(
        Class::TooLarge,
        "E-NODE-036",
        format!("the model's files have {total} bytes together, allowed are {most}"),
        "Raise model_mib in [serve] if this machine has the memory, or name the models to serve in models.",
    ))
}

/// A file's name that stays inside its folder.
fn safe_name(name: &str) -> Result<String> {
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    if name.is_empty() || name.len() > 128 || name.starts_with('.') || !plain {
        return Err(Fault::new(
            Class::Internal,
            "E-NODE-031",
            format!("the manifest names a file {name:?}"),
            "Train the model with a release whose files have plain names.",
        ));
    }
    Ok(name.to_string())
}

/// Writes a model's folder, one part after the other. Its files are checked against their hashes by who loads it.
///
/// # Errors
/// `E-MODEL-008`, `E-NODE-031` before anything is read; `-033` the disk; `E-CORPUS-012` a part that is not there.
pub(super) async fn write_folder(
    folder: &Path,
    manifest: Vec<u8>,
    files: &[&ModelFile],
    blobs: &dyn BlobSource,
) -> Result<()> {
    let mut names = vec![MANIFEST_FILE.to_string()];
    for file in files {
        names.push(safe_name(&file.name)?);
    }
    let mut places = joined(&names)?.into_iter();
    let path = folder.to_path_buf();
    blocking(move || std::fs::create_dir_all(&path).map_err(|e| disk(&path, &e))).await?;
    // The manifest is the first of the places.
    places.next();
    add(folder.join(MANIFEST_FILE), false, manifest).await?;
    for (file, (name, goes_on)) in files.iter().zip(places) {
        add(folder.join(name), goes_on, blobs.blob(&file.blob).await?).await?;
    }
    Ok(())
}

/// Writes a file anew, or adds to it.
async fn add(path: PathBuf, goes_on: bool, bytes: Vec<u8>) -> Result<()> {
    blocking(move || {
        let mut options = OpenOptions::new();
        let options = match goes_on {
            true => options.append(true),
            false => options.write(true).create(true).truncate(true),
        };
        let written = options.open(&path).and_then(|mut file| file.write_all(&bytes));
        written.map_err(|e| disk(&path, &e))
    })
    .await
}

fn disk(path: &Path, error: &std::io::Error) -> Fault {
    Fault::unavailable(
        "E-NODE-033",
        format!("{}: {error}", path.display()),
        "Check that the disk is not full and is writable.",
    )
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::corpus::Answer;

    fn file(name: &str, len: u64) -> ModelFile {
        ModelFile { name: name.into(), blob: BlobRef { len, ..BlobRef::of(b"one blob") } }
    }

    #[test]
    fn node_attack_a_manifest_with_too_many_twice_named_or_huge_files_is_refused_unread() {
        let many = |count: usize| (0..count).map(|n| file(&format!("f{n}"), 8)).collect::<Vec<_>>();
        assert!(check_files(&many(MAX_FILES)).is_ok());
        let code = |files: &[ModelFile]| check_files(files).unwrap_err().code;
        assert_eq!(code(&many(MAX_FILES + 1)), "E-NODE-035");
        assert_eq!(code(&[file("a", 8), file("b", 8), file("a", 8)]), "E-NODE-035");
        assert_eq!(code(&[file("a", MAX_BLOB + 1)]), "E-NODE-035");
        assert!(check_files(&[file("a", MAX_BLOB)]).is_ok());
    }

    #[test]
    fn node_attack_one_blob_under_a_thousand_names_is_refused_by_the_sum() {
        let info = serde_json::json!({
            "format": 1, "name": "m", "architecture": "llama", "numeric_class": "exact", "sampler": "s",
            "commit_scheme": "c", "attribution": SPAN_ONLY, "weights_root": "", "tokenizer_hash": "",
            "config_hash": "", "template_hash": "", "adapter_root": "", "context": 1, "parameters": 1,
            "datanets": [], "training_root": "", "files": []
        });
        let mut manifest: Manifest = serde_json::from_value(info).unwrap();
        manifest.files = (0..1_000).map(|n| file(&format!("f{n}"), MAX_BLOB)).collect();
        assert!(check_files(&manifest.files).is_ok());
        assert_eq!(check_size(&manifest, 1_000 * MAX_BLOB - 1).unwrap_err().code, "E-NODE-036");
        assert!(check_size(&manifest, 1_000 * MAX_BLOB).is_ok());
        manifest.files = vec![file("a", u64::MAX), file("b", u64::MAX)];
        assert_eq!(check_size(&manifest, 1 << 40).unwrap_err().code, "E-NODE-036");
    }

    /// Every blob is its own length in digits.
    struct Lengths(AtomicUsize);

    impl BlobSource for Lengths {
        fn blob<'a>(&'a self, blob: &'a BlobRef) -> Answer<'a, Vec<u8>> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Box::pin(async move { Ok(blob.len.to_string().into_bytes()) })
        }
    }

    #[tokio::test]
    async fn parts_are_written_one_after_the_other_and_a_folder_of_before_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Lengths(AtomicUsize::default());
        let files = [file("a.json", 1), file("w.part-0001", 2), file("w.part-0002", 3), file("t", 4)];
        let files: Vec<&ModelFile> = files.iter().collect();
        for _ in 0..2 {
            write_folder(dir.path(), b"m".to_vec(), &files, &blobs).await.unwrap();
        }
        let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
        assert_eq!([read("manifest.json"), read("a.json"), read("w"), read("t")], ["m", "1", "23", "4"]);
        // Refused before a single blob is read.
        let before = blobs.0.load(Ordering::Relaxed);
        for (bad, code) in [
            (file("w.part-0002", 1), "E-MODEL-008"),
            (file("manifest.json", 1), "E-MODEL-008"),
            (file("../x", 1), "E-NODE-031"),
        ] {
            let refused = write_folder(dir.path(), b"m".to_vec(), &[files[0], &bad], &blobs).await;
            assert_eq!(refused.unwrap_err().code, code);
        }
        assert_eq!(blobs.0.load(Ordering::Relaxed), before);
    }
}
