//! What every store does: each test runs over the embedded store, over a bucket in memory and over a bucket of
//! an S3-like service, through the client that nodes use.

use std::error::Error;
use std::sync::Arc;

use object_store::memory::InMemory;
use object_store::ObjectStoreExt;
use openledger_merkle::Hash;
use openledger_store::{
    blob_id, fragment_root, fragments, move_all, BlobStore, BucketStore, Moved, RedbStore, StoreError,
};
use openledger_types::formats::Coding;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use redb::{Database, TableDefinition};

use crate::s3::Service;

type Outcome = Result<(), Box<dyn Error>>;

/// A place for a store, in which it can be opened again and damaged.
trait Place {
    fn new() -> Self;
    fn open(&self) -> Result<Box<dyn BlobStore>, StoreError>;
    /// Exchanges the bytes under an id behind the store's back; no store is open.
    fn exchange(&self, id: &Hash, bytes: &[u8]) -> Outcome;
}

struct Embedded(tempfile::TempDir);

impl Place for Embedded {
    fn new() -> Self {
        Embedded(tempfile::tempdir().unwrap())
    }

    fn open(&self) -> Result<Box<dyn BlobStore>, StoreError> {
        Ok(Box::new(RedbStore::open(&self.0.path().join("blobs"))?))
    }

    fn exchange(&self, id: &Hash, bytes: &[u8]) -> Outcome {
        let table: TableDefinition<Hash, &[u8]> = TableDefinition::new("blobs/1");
        let database = Database::create(self.0.path().join("blobs"))?;
        let write = database.begin_write()?;
        write.open_table(table)?.insert(id, bytes)?;
        write.commit()?;
        Ok(())
    }
}

struct Memory(Arc<InMemory>);

impl Place for Memory {
    fn new() -> Self {
        Memory(Arc::new(InMemory::new()))
    }

    fn open(&self) -> Result<Box<dyn BlobStore>, StoreError> {
        Ok(Box::new(BucketStore::over(self.0.clone(), "a/node", "node 7")?))
    }

    fn exchange(&self, id: &Hash, bytes: &[u8]) -> Outcome {
        let place = format!("a/node/blobs/1/{}", hex::encode(id)).into();
        let put = self.0.put(&place, bytes.to_vec().into());
        tokio::runtime::Builder::new_current_thread().build()?.block_on(put)?;
        Ok(())
    }
}

impl Place for Service {
    fn new() -> Self {
        Service::start()
    }

    fn open(&self) -> Result<Box<dyn BlobStore>, StoreError> {
        Ok(Box::new(self.store("node 7")?))
    }

    fn exchange(&self, id: &Hash, bytes: &[u8]) -> Outcome {
        self.write(&format!("nodes/7/blobs/1/{}", hex::encode(id)), bytes.to_vec());
        Ok(())
    }
}

/// Each test over each place.
macro_rules! over_every_store {
    ($($name:ident)*) => {
        mod embedded { $( #[test] fn $name() -> super::Outcome { super::$name::<super::Embedded>() } )* }
        mod bucket_in_memory { $( #[test] fn $name() -> super::Outcome { super::$name::<super::Memory>() } )* }
        mod bucket_of_a_service { $( #[test] fn $name() -> super::Outcome { super::$name::<super::Service>() } )* }
    };
}

over_every_store! {
    what_is_put_is_there_until_it_is_deleted
    bytes_under_a_wrong_id_are_refused
    ids_come_in_pages
    a_changed_entry_is_noticed_at_read_and_healed_by_put
    fragments_are_kept_under_their_roots
    a_store_behaves_like_a_map
    an_empty_blob_is_a_blob
    a_store_is_emptied_into_another
}

fn what_is_put_is_there_until_it_is_deleted<P: Place>() -> Outcome {
    let place = P::new();
    let store = place.open()?;
    assert!(store.is_empty()?);
    let bytes = vec![3; 40_000];
    let id = blob_id(&bytes);
    assert!(store.put(&id, &bytes)?);
    assert!(!store.put(&id, &bytes)?);
    assert_eq!((store.has(&id)?, store.size(&id)?, store.len()?), (true, Some(40_000), 1));
    assert_eq!(store.get(&id)?, Some(bytes));
    assert!(store.delete(&id)?);
    assert!(!store.delete(&id)?);
    assert_eq!((store.has(&id)?, store.get(&id)?, store.size(&id)?, store.len()?), (false, None, None, 0));
    Ok(())
}

fn bytes_under_a_wrong_id_are_refused<P: Place>() -> Outcome {
    let place = P::new();
    let store = place.open()?;
    assert!(matches!(store.put(&[1; 32], b"bytes"), Err(StoreError::WrongId)));
    assert!(store.is_empty()?);
    Ok(())
}

fn ids_come_in_pages<P: Place>() -> Outcome {
    let place = P::new();
    let store = place.open()?;
    let mut expected = Vec::new();
    for number in 0..25u8 {
        let bytes = [number; 10];
        store.put(&blob_id(&bytes), &bytes)?;
        expected.push(blob_id(&bytes));
    }
    expected.sort_unstable();
    let mut seen: Vec<Hash> = Vec::new();
    loop {
        let page = store.ids(seen.last(), 10)?;
        if page.is_empty() {
            break;
        }
        seen.extend(page);
    }
    assert_eq!(seen, expected);
    assert!(store.ids(None, 0)?.is_empty());
    Ok(())
}

fn a_changed_entry_is_noticed_at_read_and_healed_by_put<P: Place>() -> Outcome {
    let place = P::new();
    let bytes = vec![7; 20_000];
    let id = blob_id(&bytes);
    place.open()?.put(&id, &bytes)?;
    for damaged in [[&bytes[..19_999], &[6]].concat(), bytes[..10_000].to_vec(), Vec::new()] {
        place.exchange(&id, &damaged)?;
        let store = place.open()?;
        let refused = store.get(&id);
        assert!(
            matches!(&refused, Err(StoreError::Damaged { id: shown }) if *shown == hex::encode(id)),
            "{refused:?}"
        );
        assert!(!store.put(&id, &bytes)?, "an entry was there");
        assert_eq!(store.get(&id)?.as_ref(), Some(&bytes));
    }
    Ok(())
}

fn fragments_are_kept_under_their_roots<P: Place>() -> Outcome {
    let place = P::new();
    let store = place.open()?;
    let fragment = &fragments(&[7; 50_000], Coding { data: 4, total: 8 })?[6];
    let root = fragment_root(fragment);
    assert!(store.put(&root, fragment)?);
    assert_eq!(store.get(&root)?.as_ref(), Some(fragment));
    assert!(matches!(store.put(&[1; 32], fragment), Err(StoreError::WrongId)));
    Ok(())
}

fn an_empty_blob_is_a_blob<P: Place>() -> Outcome {
    let place = P::new();
    let store = place.open()?;
    let id = blob_id(&[]);
    assert!(store.put(&id, &[])?);
    assert_eq!((store.get(&id)?, store.size(&id)?), (Some(Vec::new()), Some(0)));
    assert!(store.delete(&id)?);
    Ok(())
}

fn a_store_behaves_like_a_map<P: Place>() -> Outcome {
    let steps = prop::collection::vec((0u8..8, any::<bool>()), 1..30);
    TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(12) }).run(&steps, |steps| {
        let place = P::new();
        let fail = |error: StoreError| TestCaseError::fail(error.to_string());
        let mut model = std::collections::BTreeMap::new();
        let mut store = place.open().map_err(fail)?;
        for (index, (number, put)) in steps.into_iter().enumerate() {
            let bytes = vec![number; usize::from(number) * 3_000];
            let id = blob_id(&bytes);
            if put {
                let new = store.put(&id, &bytes).map_err(fail)?;
                prop_assert_eq!(new, model.insert(id, bytes).is_none());
            } else {
                let gone = store.delete(&id).map_err(fail)?;
                prop_assert_eq!(gone, model.remove(&id).is_some());
            }
            if index % 7 == 6 {
                drop(store);
                store = place.open().map_err(fail)?;
            }
            prop_assert_eq!(store.ids(None, 100).map_err(fail)?, model.keys().copied().collect::<Vec<_>>());
        }
        for (id, bytes) in model {
            prop_assert_eq!(store.get(&id).map_err(fail)?, Some(bytes));
        }
        Ok(())
    })?;
    Ok(())
}

fn a_store_is_emptied_into_another<P: Place>() -> Outcome {
    let (old, new) = (P::new(), Memory::new());
    let blobs: Vec<Vec<u8>> = (0..9u8).map(|number| vec![number; 2_000]).collect();
    let damaged = blob_id(&blobs[4]);
    let store = old.open()?;
    for bytes in &blobs {
        store.put(&blob_id(bytes), bytes)?;
    }
    drop(store);
    old.exchange(&damaged, b"other bytes")?;

    let (from, to) = (old.open()?, new.open()?);
    // One of them is there already, as after a move that was broken off.
    to.put(&blob_id(&blobs[0]), &blobs[0])?;
    let moved = move_all(from.as_ref(), to.as_ref())?;
    assert_eq!(moved, Moved { entries: 8, bytes: 16_000, damaged: vec![damaged] });
    assert_eq!((from.ids(None, 10)?, to.len()?), (vec![damaged], 8));
    for bytes in blobs.iter().filter(|bytes| blob_id(bytes) != damaged) {
        assert_eq!(to.get(&blob_id(bytes))?.as_ref(), Some(bytes));
    }
    Ok(())
}
