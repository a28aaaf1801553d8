//! The embedded store, on redb.

use std::path::Path;

use openledger_merkle::Hash;
use redb::{Database, ReadableDatabase, ReadableTableMetadata, TableDefinition};

use crate::error::StoreError;
use crate::store::{check, names, BlobStore, MAX_PAGE};

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
        check(id, bytes)?;
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
