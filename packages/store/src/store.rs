//! What every store does, and how one is emptied into another.

use openledger_merkle::Hash;

use crate::blob::blob_id;
use crate::error::StoreError;
use crate::fragments::fragment_root;

/// Most bytes of one entry. Larger files are cut into parts by their owner.
pub const MAX_BLOB_BYTES: usize = 1 << 30;

/// Most ids that one page of [`BlobStore::ids`] holds.
pub const MAX_PAGE: usize = 10_000;

/// Whether `id` names these bytes: as a blob, by the root over 16 KiB leaves, or as a fragment, by the root
/// over 1 KiB leaves. No bytes have another's name: that would be a collision of SHA-256.
pub(crate) fn names(id: &Hash, bytes: &[u8]) -> bool {
    blob_id(bytes) == *id || fragment_root(bytes) == *id
}

/// Blobs and fragments under their ids. Sealed and public blobs (model files) are kept alike; a store
/// never sees a key.
pub trait BlobStore {
    /// Stores `bytes`, which must have this id; false when they were there already. When the call
    /// returns, they survive a kill or a power cut.
    fn put(&self, id: &Hash, bytes: &[u8]) -> Result<bool, StoreError>;

    /// The blob with this id. Its root is computed anew: damage is an error, never wrong bytes.
    fn get(&self, id: &Hash) -> Result<Option<Vec<u8>>, StoreError>;

    /// Whether there is an entry with this id (its bytes are not checked).
    fn has(&self, id: &Hash) -> Result<bool, StoreError>;

    /// Bytes of the blob with this id (they are not checked).
    fn size(&self, id: &Hash) -> Result<Option<u64>, StoreError>;

    /// Number of entries.
    fn len(&self) -> Result<u64, StoreError>;

    /// Whether there are no entries.
    fn is_empty(&self) -> Result<bool, StoreError> {
        Ok(self.len()? == 0)
    }

    /// Ids in ascending order, those after `after`, at most `limit` and [`MAX_PAGE`] of them.
    fn ids(&self, after: Option<&Hash>, limit: usize) -> Result<Vec<Hash>, StoreError>;

    /// Removes an entry; false when there was none.
    fn delete(&self, id: &Hash) -> Result<bool, StoreError>;
}

/// Refuses bytes that no store takes under `id`.
///
/// # Errors
/// [`StoreError::TooLarge`] and [`StoreError::WrongId`].
pub(crate) fn check(id: &Hash, bytes: &[u8]) -> Result<(), StoreError> {
    if bytes.len() > MAX_BLOB_BYTES {
        return Err(StoreError::TooLarge { bytes: bytes.len(), limit: MAX_BLOB_BYTES });
    }
    match names(id, bytes) {
        true => Ok(()),
        false => Err(StoreError::WrongId),
    }
}

/// What [`move_all`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moved {
    /// Entries that are in the new store and no more in the old one.
    pub entries: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Ids of entries that were damaged; they stay where they were.
    pub damaged: Vec<Hash>,
}

/// Empties one store into another, entry by entry: each is read, checked, confirmed by the new store and
/// only then removed from the old one. Called again after whatever broke it off, it goes on there.
///
/// # Errors
/// The first of either store, but for damage.
pub fn move_all(from: &dyn BlobStore, to: &dyn BlobStore) -> Result<Moved, StoreError> {
    let mut moved = Moved::default();
    let mut last: Option<Hash> = None;
    loop {
        let page = from.ids(last.as_ref(), MAX_PAGE)?;
        let Some(end) = page.last() else { return Ok(moved) };
        last = Some(*end);
        for id in page {
            match from.get(&id) {
                Ok(Some(bytes)) => {
                    to.put(&id, &bytes)?;
                    from.delete(&id)?;
                    moved.entries += 1;
                    moved.bytes += bytes.len() as u64;
                }
                Ok(None) => {}
                Err(StoreError::Damaged { .. }) => moved.damaged.push(id),
                Err(error) => return Err(error),
            }
        }
    }
}
