//! Keys that sign receipts: the one in force, and older ones for sessions that pinned them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use openledger_client::{keyfile, Key};

use crate::corpus::chain_fault;
use crate::fault::Result;

/// The signing keys of a node. A rotation adds a key to the folder and takes none away, so that every
/// session can be answered with the key that it pinned; a key that was added while the node runs is
/// found when the first session asks for it.
#[derive(Debug)]
pub struct SigningKeys {
    known: Mutex<BTreeMap<[u8; 33], Key>>,
    folder: Option<PathBuf>,
}

impl SigningKeys {
    /// One key, for ever.
    pub fn single(key: Key) -> Self {
        SigningKeys { known: Mutex::new(BTreeMap::from([(key.public_key(), key)])), folder: None }
    }

    /// `first` and every key file in `folder`, which may be missing.
    ///
    /// # Errors
    /// `E-CLIENT-…` when a key file cannot be used.
    pub fn open(first: Key, folder: &Path) -> Result<Self> {
        let keys = SigningKeys { folder: Some(folder.to_path_buf()), ..Self::single(first) };
        keys.read_folder()?;
        Ok(keys)
    }

    /// The key whose public half this is; none when it is not held here.
    pub fn find(&self, public_key: &[u8]) -> Option<Key> {
        let public_key: [u8; 33] = public_key.try_into().ok()?;
        if let Some(key) = self.lock().get(&public_key) {
            return Some(key.clone());
        }
        if let Err(fault) = self.read_folder() {
            tracing::warn!(code = fault.code, "{}", fault.what);
        }
        self.lock().get(&public_key).cloned()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<[u8; 33], Key>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_folder(&self) -> Result<()> {
        let Some(folder) = &self.folder else { return Ok(()) };
        // Without a rotation there is no folder.
        let Ok(entries) = std::fs::read_dir(folder) else { return Ok(()) };
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            if path.extension().is_some_and(|extension| extension == "key") {
                let key = keyfile::load(&path, None).map_err(chain_fault)?;
                self.lock().insert(key.public_key(), key);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_added_by_a_rotation_is_found_and_the_old_one_stays() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("signing");
        let (old, new) = (Key::from_bytes(&[1; 32]).unwrap(), Key::from_bytes(&[2; 32]).unwrap());
        let keys = SigningKeys::open(old.clone(), &folder).unwrap();
        assert!(keys.find(&new.public_key()).is_none());
        std::fs::create_dir(&folder).unwrap();
        keyfile::save(&new, &folder.join("2.key"), None).unwrap();
        assert_eq!(keys.find(&new.public_key()).unwrap().public_key(), new.public_key());
        assert_eq!(keys.find(&old.public_key()).unwrap().public_key(), old.public_key());
        assert!(keys.find(&[0; 12]).is_none());
    }
}
