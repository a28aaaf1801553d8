//! Where blobs are kept: the trait, and the embedded store on redb.

use std::path::Path;

use openledger_merkle::Hash;
use redb::{Database, ReadableDatabase, ReadableTableMetadata, TableDefinition};

use crate::blob::blob_id;
use crate::error::StoreError;
use crate::fragments::fragment_root;

/// Most bytes of one entry. Larger files are cut into parts by their owner.
pub const MAX_BLOB_BYTES: usize = 1 << 30;

/// Most ids that one page of [`BlobStore::ids`] holds.
pub const MAX_PAGE: usize = 10_000;

/// Whether `id` names these bytes: as a blob, by the root over 16 KiB leaves, or as a fragment, by the root
/// over 1 KiB leaves. No bytes have another's name: that would be a collision of SHA-256.
fn names(id: &Hash, bytes: &[u8]) -> bool {
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

/// id (32 bytes) -> bytes of the blob.
const BLOBS: TableDefinition<Hash, &[u8]> = TableDefinition::new("blobs/1");

/// One file on one disk; one process at a time.
#[derive(Debug)]
pub struct RedbStore {
    database: Database,
}

impl RedbStore {
    /// Opens the store at `path`, making it when there is none. After a kill the file repairs
    /// itself: what was confirmed is there, what was not is gone.
    ///
    /// # Errors
    /// [`StoreError::InUse`], [`StoreError::Corrupt`], [`StoreError::DiskFull`] or [`StoreError::Io`].
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::with_database(Database::create(path).map_err(redb::Error::from)?)
    }

    /// A store in a database that is open already, beside tables of other names.
    pub fn with_database(database: Database) -> Result<Self, StoreError> {
        let store = RedbStore { database };
        // Made at once, so that readers never meet a missing table.
        store.write(|_| Ok(()))?;
        Ok(store)
    }

    fn write<T>(
        &self,
        change: impl FnOnce(&mut redb::Table<'_, Hash, &'static [u8]>) -> Result<T, redb::Error>,
    ) -> Result<T, StoreError> {
        let transaction = self.database.begin_write().map_err(redb::Error::from)?;
        let result = {
            let mut table = transaction.open_table(BLOBS).map_err(redb::Error::from)?;
            change(&mut table)?
        };
        transaction.commit().map_err(redb::Error::from)?;
        Ok(result)
    }

    fn read<T>(
        &self,
        look: impl FnOnce(&redb::ReadOnlyTable<Hash, &'static [u8]>) -> Result<T, redb::Error>,
    ) -> Result<T, StoreError> {
        let transaction = self.database.begin_read().map_err(redb::Error::from)?;
        let table = transaction.open_table(BLOBS).map_err(redb::Error::from)?;
        Ok(look(&table)?)
    }
}

impl BlobStore for RedbStore {
    fn put(&self, id: &Hash, bytes: &[u8]) -> Result<bool, StoreError> {
        if bytes.len() > MAX_BLOB_BYTES {
            return Err(StoreError::TooLarge { bytes: bytes.len(), limit: MAX_BLOB_BYTES });
        }
        if !names(id, bytes) {
            return Err(StoreError::WrongId);
        }
        // Compared byte by byte, so that a damaged entry is replaced; no write when it is the same.
        if self.read(|table| Ok(table.get(id)?.is_some_and(|entry| entry.value() == bytes)))? {
            return Ok(false);
        }
        self.write(|table| Ok(table.insert(id, bytes)?.is_none()))
    }

    fn get(&self, id: &Hash) -> Result<Option<Vec<u8>>, StoreError> {
        let found = self.read(|table| Ok(table.get(id)?.map(|entry| entry.value().to_vec())))?;
        match found {
            Some(bytes) if !names(id, &bytes) => Err(StoreError::Damaged { id: hex::encode(id) }),
            found => Ok(found),
        }
    }

    fn has(&self, id: &Hash) -> Result<bool, StoreError> {
        self.read(|table| Ok(table.get(id)?.is_some()))
    }

    fn size(&self, id: &Hash) -> Result<Option<u64>, StoreError> {
        self.read(|table| Ok(table.get(id)?.map(|entry| entry.value().len() as u64)))
    }

    fn len(&self) -> Result<u64, StoreError> {
        self.read(|table| Ok(table.len()?))
    }

    fn ids(&self, after: Option<&Hash>, limit: usize) -> Result<Vec<Hash>, StoreError> {
        use std::ops::Bound::{Excluded, Unbounded};
        let start = after.map_or(Unbounded, |id| Excluded(*id));
        self.read(|table| {
            let mut ids = Vec::new();
            for entry in table.range::<Hash>((start, Unbounded))?.take(limit.min(MAX_PAGE)) {
                ids.push(entry?.0.value());
            }
            Ok(ids)
        })
    }

    fn delete(&self, id: &Hash) -> Result<bool, StoreError> {
        self.write(|table| Ok(table.remove(id)?.is_some()))
    }
}
