//! The weights at a start: `model.q8` where it is there and right, otherwise the published file, from which it is
//! made anew.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use openledger_exact::config::ModelConfig;
use openledger_exact::prepared::{prepared_len, read_prepared, write_prepared, PREPARED_FILE};
use openledger_exact::weights::ExactWeights;
use openledger_types::formats::{Manifest, NumericClass};
use openledger_types::merkle::Hash;

use super::error::Result;
use super::files::{read_bounded, read_weights, weights_root, Weights, WEIGHTS_FILE};
use super::model::mismatch;

/// Weights that have the manifest's root.
pub(crate) enum Checked {
    /// Of the class exact, from `model.q8`.
    Kept(ExactWeights),
    /// Of the class exact, made from the published file.
    Made(ExactWeights, Vec<u8>),
    /// As they were published.
    Published(Weights, Vec<u8>),
}

impl Checked {
    /// Reads the weights in `dir` and holds them against the manifest's root.
    ///
    /// # Errors
    /// `E-MODEL-001`, `-003` and `-004` for the published file, `-007` when its root is another.
    pub(crate) fn load(dir: &Path, config: &ModelConfig, manifest: &Manifest) -> Result<Self> {
        let root = manifest.weights_root.as_slice();
        let exact = manifest.numeric_class == NumericClass::Exact;
        if let (true, Ok(root)) = (exact, Hash::try_from(root)) {
            if let Some(weights) = read(dir, config, &root) {
                return Ok(Checked::Kept(weights));
            }
        }
        let (bytes, published) = read_weights(&dir.join(WEIGHTS_FILE), config)?;
        let (found, checked) = if exact {
            let weights = ExactWeights::new(config, &published)?;
            (weights.root_with(threads()), Checked::Made(weights, bytes))
        } else {
            (weights_root(&published), Checked::Published(published, bytes))
        };
        match root == found {
            true => Ok(checked),
            false => Err(mismatch(format!("{WEIGHTS_FILE} has another root"))),
        }
    }

    /// The published file's bytes, where it was read.
    pub(crate) fn bytes(&self) -> Option<&Vec<u8>> {
        match self {
            Checked::Kept(_) => None,
            Checked::Made(_, bytes) | Checked::Published(_, bytes) => Some(bytes),
        }
    }
}

/// Threads that read and hash.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The weights of the root `root` from the file in `dir`; `None` when there is none, or a damaged or foreign
/// one, which is said in the log.
fn read(dir: &Path, config: &ModelConfig, root: &Hash) -> Option<ExactWeights> {
    let path = dir.join(PREPARED_FILE);
    if !path.exists() {
        return None;
    }
    let read = read_bounded(&path, prepared_len(config)?).and_then(|bytes| {
        let weights = read_prepared(config, root, &bytes, threads())?;
        Ok(weights)
    });
    read.inspect_err(|error| tracing::warn!(path = %path.display(), %error, "made anew")).ok()
}

/// Writes the file of `weights` into `dir`. That it cannot be written costs time at the next start and
/// nothing else, and is said in the log.
pub(crate) fn keep(dir: &Path, weights: &ExactWeights, root: &Hash) {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let path = dir.join(PREPARED_FILE);
    // Starts at the same time each write a file of their own; the last one stays. Nothing is synced: what a
    // power cut leaves is found by its root.
    let own = format!("{PREPARED_FILE}.{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let own = dir.join(own);
    let write = || -> std::io::Result<()> {
        let mut out = BufWriter::with_capacity(1 << 20, fs::File::create(&own)?);
        write_prepared(weights, root, &mut out)?;
        out.flush()?;
        fs::rename(&own, &path)
    };
    if let Err(error) = write() {
        // The file may not have been made at all.
        let _ = fs::remove_file(&own);
        tracing::warn!(path = %path.display(), %error, "not kept, the next start makes it again");
    }
}
