//! Blobs in a bucket of an S3-compatible service, one object each, through the crate `object_store`.
//!
//! | object | what |
//! |---|---|
//! | `PREFIX/owner` | text: whose prefix it is; written once |
//! | `PREFIX/probe` | written and deleted when the store is opened |
//! | `PREFIX/blobs/1/ID` | bytes of the blob or fragment; ID in hexadecimal, 64 digits |
//!
//! The bucket is the only record of what is kept: there is no index beside it that could differ. An object is
//! put by one request, so it is there whole or not at all. Why so: docs/adr/0026.

mod fault;
mod settings;
mod transport;

use std::future::Future;
use std::sync::{mpsc, Arc};

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutResult};
use openledger_merkle::Hash;
use tokio::runtime::Runtime;

pub use settings::{Credentials, S3Settings};

use crate::error::StoreError;
use crate::store::{check, names, BlobStore, MAX_PAGE};

/// Most bytes of the text that says whose a prefix is.
const MAX_OWNER: usize = 1 << 10;

/// Blobs in a bucket. Calls block; requests run on two threads of the store's own, so that it can be called
/// from any thread.
#[derive(Debug)]
pub struct BucketStore {
    objects: Arc<dyn ObjectStore>,
    prefix: Path,
    /// None only while it is dropped.
    runtime: Option<Runtime>,
}

impl BucketStore {
    /// Opens the prefix of an S3-compatible bucket for `owner`, one line of text that names the node. A prefix
    /// without owner becomes this one's. An object is written and deleted, so that what the credentials may not
    /// do is known at once.
    ///
    /// # Errors
    /// [`StoreError::Settings`], [`StoreError::Unreachable`], [`StoreError::NoBucket`],
    /// [`StoreError::Refused`], [`StoreError::NotErased`], [`StoreError::Taken`] or [`StoreError::Remote`].
    pub fn open(settings: &S3Settings, credentials: &Credentials, owner: &str) -> Result<Self, StoreError> {
        Self::over(Arc::new(settings.client(credentials)?), &settings.prefix, owner)
    }

    /// The same over any store of objects.
    ///
    /// # Errors
    /// As for [`BucketStore::open`].
    pub fn over(objects: Arc<dyn ObjectStore>, prefix: &str, owner: &str) -> Result<Self, StoreError> {
        let prefix = Path::parse(prefix).map_err(|error| StoreError::Settings(error.to_string()))?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("bucket")
            .enable_all()
            .build()
            .map_err(|error| StoreError::Io(error.to_string()))?;
        let store = BucketStore { objects, prefix, runtime: Some(runtime) };
        store.probe()?;
        store.take(owner)?;
        Ok(store)
    }

    /// Writes and deletes an object.
    fn probe(&self) -> Result<(), StoreError> {
        let (objects, place) = (self.objects.clone(), self.prefix.clone().join("probe"));
        self.run(async move {
            put_whole(objects.as_ref(), &place, b"openledger".to_vec()).await?;
            erase(objects.as_ref(), &place).await.map(drop)
        })
    }

    /// Makes the prefix this owner's, unless it is another's.
    fn take(&self, owner: &str) -> Result<(), StoreError> {
        let (objects, place) = (self.objects.clone(), self.prefix.clone().join("owner"));
        let owner = owner.trim().to_owned();
        self.run(async move {
            let mut found = read(objects.as_ref(), &place).await?;
            if found.is_none() {
                let bytes = owner.clone().into_bytes();
                match objects.put_opts(&place, bytes.into(), PutMode::Create.into()).await {
                    Ok(_) | Err(Error::AlreadyExists { .. }) => {}
                    Err(error) => return Err(fault::of(&error)),
                }
                // Read again: another node may have been faster.
                found = read(objects.as_ref(), &place).await?;
            }
            match found {
                Some(text) if text == owner.as_bytes() => Ok(()),
                Some(text) => {
                    let text = text.get(..text.len().min(MAX_OWNER)).unwrap_or_default();
                    Err(StoreError::Taken(fault::shown(&String::from_utf8_lossy(text))))
                }
                None => Err(StoreError::Remote("an object that was written is not there".to_owned())),
            }
        })
    }

    fn folder(&self) -> Path {
        self.prefix.clone().join("blobs").join("1")
    }

    fn place(&self, id: &Hash) -> Path {
        self.folder().join(hex::encode(id))
    }

    /// Runs requests on the store's own threads and waits for what they give.
    fn run<T: Send + 'static>(
        &self,
        requests: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (sender, receiver) = mpsc::sync_channel(1);
        let runtime = self.runtime.as_ref().ok_or(StoreError::Closed)?;
        // Nobody waits any more only when the waiting thread ended.
        runtime.spawn(async move { drop(sender.send(requests.await)) });
        receiver.recv().map_err(|_| StoreError::Closed)?
    }
}

impl Drop for BucketStore {
    /// Without waiting: a store may be dropped on a thread that must not block.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl BlobStore for BucketStore {
    fn put(&self, id: &Hash, bytes: &[u8]) -> Result<bool, StoreError> {
        check(id, bytes)?;
        let (objects, place, bytes) = (self.objects.clone(), self.place(id), bytes.to_vec());
        self.run(async move {
            // Compared byte by byte, so that a damaged object is replaced; no write when it is the same.
            let there = read(objects.as_ref(), &place).await?;
            if there.as_ref().is_some_and(|there| *there == bytes) {
                return Ok(false);
            }
            put_whole(objects.as_ref(), &place, bytes).await?;
            Ok(there.is_none())
        })
    }

    fn get(&self, id: &Hash) -> Result<Option<Vec<u8>>, StoreError> {
        let (objects, place) = (self.objects.clone(), self.place(id));
        let found = self.run(async move { read(objects.as_ref(), &place).await })?;
        match found {
            Some(bytes) if !names(id, &bytes) => Err(StoreError::Damaged { id: hex::encode(id) }),
            found => Ok(found),
        }
    }

    fn has(&self, id: &Hash) -> Result<bool, StoreError> {
        Ok(self.size(id)?.is_some())
    }

    fn size(&self, id: &Hash) -> Result<Option<u64>, StoreError> {
        let (objects, place) = (self.objects.clone(), self.place(id));
        self.run(async move { size(objects.as_ref(), &place).await })
    }

    fn len(&self) -> Result<u64, StoreError> {
        let (objects, folder) = (self.objects.clone(), self.folder());
        self.run(async move {
            let mut list = objects.list(Some(&folder));
            let mut count = 0u64;
            while let Some(found) = list.try_next().await.map_err(|e| fault::of(&e))? {
                count += u64::from(id_of(&found.location).is_some());
            }
            Ok(count)
        })
    }

    fn ids(&self, after: Option<&Hash>, limit: usize) -> Result<Vec<Hash>, StoreError> {
        let limit = limit.min(MAX_PAGE);
        let (objects, folder) = (self.objects.clone(), self.folder());
        let after = after.copied();
        self.run(async move {
            let mut list = match after {
                Some(id) => objects.list_with_offset(Some(&folder), &folder.clone().join(hex::encode(id))),
                None => objects.list(Some(&folder)),
            };
            let (mut ids, mut last) = (Vec::new(), after);
            while ids.len() < limit {
                let Some(found) = list.try_next().await.map_err(|e| fault::of(&e))? else { break };
                let Some(id) = id_of(&found.location) else { continue };
                // Pages rest on the order in which S3 lists; a service without it would skip entries.
                if last.is_some_and(|last| last >= id) {
                    return Err(StoreError::Remote("it lists objects out of order".to_owned()));
                }
                last = Some(id);
                ids.push(id);
            }
            Ok(ids)
        })
    }

    fn delete(&self, id: &Hash) -> Result<bool, StoreError> {
        let (objects, place) = (self.objects.clone(), self.place(id));
        self.run(async move { erase(objects.as_ref(), &place).await })
    }
}

/// The id that an object's place says, if it is a blob's.
fn id_of(place: &Path) -> Option<Hash> {
    let mut id = Hash::default();
    hex::decode_to_slice(place.filename()?, &mut id).ok()?;
    Some(id)
}

async fn size(objects: &dyn ObjectStore, place: &Path) -> Result<Option<u64>, StoreError> {
    fault::unless_missing(objects.head(place).await.map(|meta| meta.size))
}

async fn read(objects: &dyn ObjectStore, place: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    let Some(found) = fault::unless_missing(objects.get(place).await)? else { return Ok(None) };
    let bytes = found.bytes().await.map_err(|e| fault::of(&e))?;
    Ok(Some(bytes.into()))
}

/// Puts an object, and has the service say that all of it is there and that it can be erased.
async fn put_whole(objects: &dyn ObjectStore, place: &Path, bytes: Vec<u8>) -> Result<(), StoreError> {
    let sent = bytes.len() as u64;
    let PutResult { version, .. } =
        objects.put(place, bytes.into()).await.map_err(|error| fault::of(&error))?;
    // `null` is the version of objects put while versioning is suspended; deleting it deletes its bytes.
    if version.is_some_and(|version| version != "null") {
        erase(objects, place).await?;
        return Err(StoreError::NotErased("it has versioning"));
    }
    let arrived = size(objects, place).await?.unwrap_or(0);
    if arrived != sent {
        erase(objects, place).await?;
        return Err(StoreError::PartialUpload { sent, arrived });
    }
    Ok(())
}

/// Deletes an object and has the service say that it is gone; false when there was none.
async fn erase(objects: &dyn ObjectStore, place: &Path) -> Result<bool, StoreError> {
    if size(objects, place).await?.is_none() {
        return Ok(false);
    }
    fault::unless_missing(objects.delete(place).await)?;
    match size(objects, place).await? {
        None => Ok(true),
        Some(_) => Err(StoreError::NotErased("an object is still there after its deletion")),
    }
}
