//! Encrypted, content-addressed blobs (DESIGN §5, §9).
//!
//! [`seal`] and [`open`] turn a content text into a blob and back; the blob's id is the root over
//! its 16 KiB leaves, so that any part of it can be checked, fetched and challenged by that id
//! alone. A [`BlobStore`] keeps blobs, sealed or public (model files), under their ids;
//! [`RedbStore`] is the embedded one, [`BucketStore`] lies in an S3-compatible bucket. Keys of a datanet are [`DatanetKey`]s, handed to a reader by
//! [`wrap_key`] and taken by [`unwrap_key`]; a [`Keyring`] has those before it as well.

mod blob;
mod bucket;
mod error;
mod fragments;
mod keyring;
mod keys;
mod redb_store;
mod store;

pub use blob::{blob_id, open, seal, Blob, BLOB_MAGIC, BLOB_TAG};
pub use bucket::{BucketStore, Credentials, S3Settings};
pub use error::StoreError;
pub use fragments::{fragment_leaf, fragment_root, fragments, restore};
pub use keyring::{Keyring, PastKey};
pub use keys::{unwrap_key, wrap_key, DatanetKey};
pub use redb_store::RedbStore;
pub use store::{move_all, BlobStore, Moved, MAX_BLOB_BYTES, MAX_PAGE};
