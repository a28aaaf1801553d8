//! What only the embedded store can meet: a kill, a second process, a full disk.

use std::error::Error;
use std::sync::Mutex;

use openledger_merkle::Hash;
use openledger_store::{blob_id, BlobStore, RedbStore, StoreError};
use redb::{Database, StorageBackend, TableDefinition};

type Outcome = Result<(), Box<dyn Error>>;

const BLOBS: TableDefinition<Hash, &[u8]> = TableDefinition::new("blobs/1");

#[test]
fn a_killed_process_loses_nothing_that_was_confirmed() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("blobs");
    let store = RedbStore::open(&path)?;
    for number in 0..12u8 {
        let bytes = vec![number; 5_000];
        store.put(&blob_id(&bytes), &bytes)?;
        // What a kill at this moment leaves on the disk: the file as it is, not closed.
        let left = folder.path().join(format!("left-{number}"));
        std::fs::copy(&path, &left)?;
        let reopened = RedbStore::open(&left)?;
        assert_eq!(reopened.len()?, u64::from(number) + 1);
        for earlier in 0..=number {
            let expected = vec![earlier; 5_000];
            assert_eq!(reopened.get(&blob_id(&expected))?, Some(expected));
        }
    }
    Ok(())
}

#[test]
fn an_uncommitted_write_is_gone_after_a_kill() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("blobs");
    let bytes = vec![1; 5_000];
    RedbStore::open(&path)?.put(&blob_id(&bytes), &bytes)?;
    let database = Database::create(&path)?;
    let write = database.begin_write()?;
    write.open_table(BLOBS)?.insert([9; 32], vec![0; 100_000].as_slice())?;
    let left = folder.path().join("left");
    std::fs::copy(&path, &left)?;
    let store = RedbStore::open(&left)?;
    assert_eq!(store.ids(None, 10)?, [blob_id(&bytes)]);
    assert_eq!(store.get(&blob_id(&bytes))?, Some(bytes));
    Ok(())
}

#[test]
fn a_second_process_and_a_foreign_file_are_told_apart() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("blobs");
    let _held = RedbStore::open(&path)?;
    assert!(matches!(RedbStore::open(&path), Err(StoreError::InUse)));
    let foreign = folder.path().join("foreign");
    std::fs::write(&foreign, vec![42; 10_000])?;
    assert!(matches!(RedbStore::open(&foreign), Err(StoreError::Corrupt(_))));
    assert!(matches!(RedbStore::open(&folder.path().join("no/such/folder")), Err(StoreError::Io(_))));
    Ok(())
}

/// A disk that holds `room` bytes.
#[derive(Debug)]
struct SmallDisk {
    bytes: Mutex<Vec<u8>>,
    room: u64,
}

impl SmallDisk {
    fn held(&self) -> Result<std::sync::MutexGuard<'_, Vec<u8>>, std::io::Error> {
        self.bytes.lock().map_err(|_| std::io::Error::other("poisoned"))
    }
}

impl StorageBackend for SmallDisk {
    fn len(&self) -> Result<u64, std::io::Error> {
        Ok(self.held()?.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), std::io::Error> {
        let held = self.held()?;
        let start = offset as usize;
        let part = held.get(start..start + out.len()).ok_or(std::io::Error::other("out of range"))?;
        out.copy_from_slice(part);
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<(), std::io::Error> {
        if len > self.room {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        self.held()?.resize(len as usize, 0);
        Ok(())
    }

    fn sync_data(&self) -> Result<(), std::io::Error> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), std::io::Error> {
        let mut held = self.held()?;
        let start = offset as usize;
        let part = held.get_mut(start..start + data.len()).ok_or(std::io::Error::other("out of range"))?;
        part.copy_from_slice(data);
        Ok(())
    }
}

#[test]
fn a_full_disk_is_an_error_of_its_own() -> Outcome {
    let disk = SmallDisk { bytes: Mutex::new(Vec::new()), room: 4 << 20 };
    let store = RedbStore::with_database(Database::builder().create_with_backend(disk)?)?;
    let bytes = vec![1; 8 << 20];
    let refused = store.put(&blob_id(&bytes), &bytes);
    assert!(matches!(&refused, Err(StoreError::DiskFull(_))), "{refused:?}");
    if let Err(error) = refused {
        assert_eq!((error.code(), error.retryable()), ("E-STORE-010", true));
    }
    Ok(())
}
