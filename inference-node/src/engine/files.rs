//! The model's folder: bounded reads, atomic writes, weights and their root.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io::{Read, Write};
use std::path::Path;

use openledger_exact::config::ModelConfig;
pub use openledger_exact::file::WEIGHTS_FILE;
pub(crate) use openledger_exact::file::{f32_bytes, f32_values, parse_weights, Weights};
use openledger_types::formats::{weights_row_leaf, BlobRef, ModelFile};
use openledger_types::merkle::{Hash, Tree};
use safetensors::tensor::TensorView;
use safetensors::Dtype;

use super::error::{Error, Result};

/// Name of the configuration's file.
pub const CONFIG_FILE: &str = "config.json";
/// Name of the tokenizer's file.
pub const TOKENIZER_FILE: &str = "tokenizer.json";
/// Name of the manifest's file.
pub const MANIFEST_FILE: &str = "manifest.json";

/// Most bytes of a blob that holds a file or a part of one; nodes take blobs of at most 64 MiB.
const PART: usize = 48 << 20;

/// The files of a manifest: a large one as parts, `NAME.part-0001` and so on, which follow each other.
pub(crate) fn model_files(files: &[(&str, &[u8])]) -> Vec<ModelFile> {
    let mut all = Vec::new();
    for (name, bytes) in files {
        if bytes.len() <= PART {
            all.push(ModelFile { name: (*name).to_string(), blob: BlobRef::of(bytes) });
            continue;
        }
        all.extend(bytes.chunks(PART).zip(1..).map(|(part, number)| ModelFile {
            name: format!("{name}.part-{number:04}"),
            blob: BlobRef::of(part),
        }));
    }
    all
}

/// Name of the whole file that a file of a manifest is or is a part of, and the part's number from 1.
pub fn whole_name(name: &str) -> (&str, Option<u32>) {
    let part = name.rsplit_once(".part-").and_then(|(whole, number)| {
        let digits = number.len() == 4 && number.bytes().all(|b| b.is_ascii_digit());
        number.parse().ok().filter(|number| digits && *number > 0).map(|number| (whole, Some(number)))
    });
    part.unwrap_or((name, None))
}

/// For each file or part, in the order of the manifest, the whole file that it belongs to and whether it goes on with
/// that one's end.
///
/// # Errors
/// `E-MODEL-008` when parts are missing, mixed or in another order.
pub fn joined(names: &[String]) -> Result<Vec<(String, bool)>> {
    let mut places: Vec<(String, bool)> = Vec::with_capacity(names.len());
    let mut begun = HashSet::new();
    let mut next = None;
    for name in names {
        let (base, part) = whole_name(name);
        let follows = match (part, &next) {
            (None | Some(1), _) => begun.insert(base),
            (Some(number), Some((current, expected))) => base == *current && number == *expected,
            (Some(_), None) => false,
        };
        if !follows {
            return Err(Error::new(
                "E-MODEL-008",
                format!("manifest.json refused: the file {name} stands twice or out of order"),
                "Import the model again with this release.",
            ));
        }
        next = part.map(|number| (base, number + 1));
        places.push((base.to_string(), part.is_some_and(|number| number > 1)));
    }
    Ok(places)
}

/// Most bytes of a safetensors header.
const MAX_HEADER: u64 = 1 << 20;

/// Reads a whole file of at most `max` bytes; a larger one is refused before it is read.
pub(crate) fn read_bounded(path: &Path, max: u64) -> Result<Vec<u8>> {
    let file = fs::File::open(path).map_err(|e| Error::file(path, &e))?;
    let len = file.metadata().map_err(|e| Error::file(path, &e))?.len();
    if len > max {
        return Err(too_large(path, len, max));
    }
    let mut bytes = Vec::with_capacity(len as usize);
    // The file may grow while it is read.
    file.take(max + 1).read_to_end(&mut bytes).map_err(|e| Error::file(path, &e))?;
    if bytes.len() as u64 > max {
        return Err(too_large(path, bytes.len() as u64, max));
    }
    Ok(bytes)
}

fn too_large(path: &Path, len: u64, max: u64) -> Error {
    Error::new(
        "E-MODEL-003",
        format!("{} has {len} bytes, allowed are {max}", path.display()),
        "The file does not belong to this model: fetch the model again.",
    )
}

/// Writes a file so that it is either the old one or the whole new one, also after a kill.
pub(crate) fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = Path::new(&partial);
    let write = || -> std::io::Result<()> {
        let mut file = fs::File::create(partial)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(partial, path)
    };
    write().map_err(|e| Error::file(path, &e))
}

fn bad_weights(what: String) -> Error {
    Error::new(
        "E-MODEL-004",
        format!("{WEIGHTS_FILE} refused: {what}"),
        "The weights are damaged or of another model: fetch the model again and compare its manifest.",
    )
}

/// Reads the weights that `config` asks for: exactly its tensors, in its shapes, finite; read
/// as f32.
pub(crate) fn read_weights(path: &Path, config: &ModelConfig) -> Result<(Vec<u8>, Weights)> {
    let expected = config.parameters() * 4;
    let bytes = read_bounded(path, expected + MAX_HEADER + 8)?;
    let weights = parse_weights(&bytes, config)?;
    Ok((bytes, weights))
}

/// Tensors as a safetensors file.
pub(crate) fn weights_bytes(
    tensors: &BTreeMap<String, (Vec<usize>, Vec<f32>)>,
    metadata: HashMap<String, String>,
) -> Result<Vec<u8>> {
    let raw: Vec<(&String, &Vec<usize>, Vec<u8>)> =
        tensors.iter().map(|(name, (shape, values))| (name, shape, f32_bytes(values))).collect();
    let mut views = Vec::with_capacity(raw.len());
    for (name, shape, bytes) in &raw {
        let view =
            TensorView::new(Dtype::F32, (*shape).clone(), bytes).map_err(|e| bad_weights(e.to_string()))?;
        views.push((name.as_str(), view));
    }
    safetensors::serialize(views, Some(metadata)).map_err(|e| bad_weights(e.to_string()))
}

/// Root over all output rows of all tensors (`openledger/row/1`).
pub(crate) fn weights_root(weights: &Weights) -> Hash {
    let mut leaves = Vec::new();
    for (name, tensor) in weights {
        let columns = tensor.shape.last().copied().unwrap_or(1).max(1);
        for (row, values) in tensor.values.chunks(columns).enumerate() {
            leaves.push(weights_row_leaf(name, row as u64, &f32_bytes(values)));
        }
    }
    Tree::new(leaves).unwrap_or_else(Tree::empty).root()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_file_is_kept_in_parts_that_give_it_back() {
        let large = vec![7u8; PART + 5];
        let files = model_files(&[("model.safetensors", &large), ("config.json", b"{}")]);
        let names: Vec<&str> = files.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(names, ["model.safetensors.part-0001", "model.safetensors.part-0002", "config.json"]);
        let names: Vec<String> = names.into_iter().map(String::from).collect();
        let places = joined(&names).unwrap();
        let places: Vec<(&str, bool)> = places.iter().map(|(name, goes_on)| (&name[..], *goes_on)).collect();
        assert_eq!(
            places,
            [("model.safetensors", false), ("model.safetensors", true), ("config.json", false)]
        );
        let [a, b, c] = <[String; 3]>::try_from(names).unwrap();
        for bad in
            [vec![b.clone()], vec![a.clone(), c.clone(), b.clone()], vec![a.clone(), a], vec![c.clone(), c]]
        {
            assert_eq!(joined(&bad).unwrap_err().code, "E-MODEL-008");
        }
        for plain in ["a.part-1", "a.part-0000", "part-0001x", "model.safetensors"] {
            assert_eq!(whole_name(plain), (plain, None));
        }
    }
}
