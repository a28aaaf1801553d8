//! What can go wrong with blobs and their store, for operators.

use std::io::ErrorKind;

/// An error with a stable code, whether trying again helps, and advice.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A key or recipient that cannot be read.
    #[error("not an X25519 {what} in age's form: {reason}")]
    Key {
        /// `recipient`, `identity` or `wrapped key`.
        what: &'static str,
        /// What the parser says; never the key.
        reason: String,
    },
    /// The bytes are no blob of this format.
    #[error("not a blob: {0}")]
    Format(&'static str),
    /// The key does not open the blob, or somebody changed the blob.
    #[error("the blob does not open with this key for this datanet and content root")]
    Decrypt,
    /// A past key of a datanet does not come out of the key after it.
    #[error("key {number} of the datanet does not open with the key after it")]
    Link {
        /// Number of the past key, from 0.
        number: usize,
    },
    /// The blob opened, but its text is not the one that was committed.
    #[error("the text in the blob has another content root than the one committed")]
    ContentRoot,
    /// Encryption failed: the text is too long for the cipher.
    #[error("the text could not be encrypted")]
    Encrypt,
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes: {0}")]
    Random(String),
    /// The bytes to be stored do not have the id that was given for them.
    #[error("the bytes have another id than the one given")]
    WrongId,
    /// More bytes than one entry of a store may have.
    #[error("the blob has {bytes} bytes, more than {limit}")]
    TooLarge {
        /// Bytes given.
        bytes: usize,
        /// Limit.
        limit: usize,
    },
    /// A stored entry does not have its id any more.
    #[error("the stored blob {id} is damaged")]
    Damaged {
        /// Id in hexadecimal.
        id: String,
    },
    /// The disk, or the quota on it, is full. Nothing of the failed write remains.
    #[error("the disk is full: {0}")]
    DiskFull(String),
    /// Another process holds the store.
    #[error("the store is in use by another process")]
    InUse,
    /// The file is no store, or damaged beyond what its log repairs.
    #[error("the store's file is damaged or of another kind: {0}")]
    Corrupt(String),
    /// An earlier write failed, so the store closed itself.
    #[error("the store closed itself after a failed write")]
    Closed,
    /// Fragments that give no pack, or a pack that gives no fragments.
    #[error("the pack cannot be put together: {0}")]
    Coding(&'static str),
    /// A bucket's service answered what is no answer of such a service, or refused for a reason of its own.
    #[error("the bucket cannot be used: {0}")]
    Remote(String),
    /// A bucket's service does not answer, or says that it is overloaded, after several tries.
    #[error("the bucket's service does not answer: {0}")]
    Unreachable(String),
    /// There is no such bucket.
    #[error("there is no such bucket: {0}")]
    NoBucket(String),
    /// The service refuses the credentials, or what they may do.
    #[error("the bucket's service refuses the credentials: {0}")]
    Refused(String),
    /// What arrived in the bucket is not as long as what was sent. Nothing of it remains.
    #[error("of {sent} bytes {arrived} arrived in the bucket")]
    PartialUpload {
        /// Bytes sent.
        sent: u64,
        /// Bytes that the service counts.
        arrived: u64,
    },
    /// The bucket keeps what is deleted from it.
    #[error("the bucket keeps what is deleted: {0}")]
    NotErased(&'static str),
    /// Another node keeps its blobs under the same prefix.
    #[error("the prefix belongs to {0}")]
    Taken(String),
    /// Settings or credentials that cannot be used.
    #[error("{0}")]
    Settings(String),
    /// Another error of the file system.
    #[error("the store's file cannot be used: {0}")]
    Io(String),
}

impl StoreError {
    /// Stable code.
    pub fn code(&self) -> &'static str {
        match self {
            StoreError::Key { .. } => "E-STORE-001",
            StoreError::Format(_) => "E-STORE-002",
            StoreError::Decrypt => "E-STORE-003",
            StoreError::ContentRoot => "E-STORE-004",
            StoreError::Encrypt => "E-STORE-005",
            StoreError::Random(_) => "E-STORE-006",
            StoreError::WrongId => "E-STORE-007",
            StoreError::TooLarge { .. } => "E-STORE-008",
            StoreError::Damaged { .. } => "E-STORE-009",
            StoreError::DiskFull(_) => "E-STORE-010",
            StoreError::InUse => "E-STORE-011",
            StoreError::Corrupt(_) => "E-STORE-012",
            StoreError::Closed => "E-STORE-013",
            StoreError::Io(_) => "E-STORE-014",
            StoreError::Coding(_) => "E-STORE-015",
            StoreError::Remote(_) => "E-STORE-016",
            StoreError::Unreachable(_) => "E-STORE-017",
            StoreError::NoBucket(_) => "E-STORE-018",
            StoreError::Refused(_) => "E-STORE-019",
            StoreError::PartialUpload { .. } => "E-STORE-020",
            StoreError::NotErased(_) => "E-STORE-021",
            StoreError::Taken(_) => "E-STORE-022",
            StoreError::Settings(_) => "E-STORE-023",
            StoreError::Link { .. } => "E-STORE-024",
        }
    }

    /// Whether the same call may succeed later, once the advice was followed.
    pub fn retryable(&self) -> bool {
        matches!(
            self,
            StoreError::Random(_)
                | StoreError::DiskFull(_)
                | StoreError::InUse
                | StoreError::Closed
                | StoreError::Io(_)
                | StoreError::Coding(_)
                | StoreError::Remote(_)
                | StoreError::Unreachable(_)
                | StoreError::PartialUpload { .. }
        )
    }

    /// One sentence: what to do.
    pub fn advice(&self) -> &'static str {
        match self {
            StoreError::Key { .. } => {
                "Give the key as age prints it: age1… for a recipient, AGE-SECRET-KEY-1… for an identity."
            }
            StoreError::Format(_) => "Fetch the blob again and check it against its id.",
            StoreError::Decrypt => "Check that the key belongs to this datanet, then fetch the blob again.",
            StoreError::Link { .. } => {
                "Ask the datanet's owner, who rotated the key, for that key: what was sealed for it stays closed."
            }
            StoreError::ContentRoot => {
                "Do not use the text; report the contribution, whose commitment is false."
            }
            StoreError::Encrypt | StoreError::TooLarge { .. } => {
                "Split the content into several contributions or files."
            }
            StoreError::Random(_) => "Try again when the system has finished starting.",
            StoreError::WrongId => "Fetch the bytes again; they were damaged or exchanged on their way.",
            StoreError::Damaged { .. } => {
                "Store the blob again from another holder; the damaged copy is then replaced."
            }
            StoreError::DiskFull(_) => "Free space on the disk, reopen the store and try again.",
            StoreError::InUse => "Stop the other process that has this data folder open.",
            StoreError::Corrupt(_) => "Move the file away and fetch the blobs again from other holders.",
            StoreError::Closed => "Reopen the store; everything that was confirmed is still there.",
            StoreError::Coding(_) => "Fetch more fragments from other holders, then try again.",
            StoreError::Remote(_) => {
                "Check the endpoint and region of the bucket and the service's own log, then try again."
            }
            StoreError::Unreachable(_) => {
                "Check the endpoint, the network and the service's state; the node tries again by itself."
            }
            StoreError::NoBucket(_) => "Make the bucket, or correct its name and region in the config.",
            StoreError::Refused(_) => {
                "Give credentials that may get, put, delete and list objects of the bucket, and check the clock."
            }
            StoreError::PartialUpload { .. } => {
                "Try again; if it repeats, look for a proxy between the node and the bucket."
            }
            StoreError::NotErased(_) => {
                "Use a bucket without versioning and object lock: withdrawn data must be erased."
            }
            StoreError::Taken(_) => {
                "Give every node a prefix of its own; delete the object `owner` when that node is gone."
            }
            StoreError::Settings(_) => "Correct the section [storage.s3] of the config, or the credentials.",
            StoreError::Io(_) => {
                "Check the path, its permissions and the disk's health, then reopen the store."
            }
        }
    }
}

fn from_io(error: &std::io::Error) -> StoreError {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            StoreError::DiskFull(error.to_string())
        }
        ErrorKind::InvalidData => StoreError::Corrupt(error.to_string()),
        _ => StoreError::Io(error.to_string()),
    }
}

impl From<redb::Error> for StoreError {
    fn from(error: redb::Error) -> Self {
        match error {
            redb::Error::Io(io) => from_io(&io),
            redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => StoreError::InUse,
            redb::Error::PreviousIo | redb::Error::DatabaseClosed => StoreError::Closed,
            redb::Error::ValueTooLarge(bytes) => {
                StoreError::TooLarge { bytes, limit: crate::store::MAX_BLOB_BYTES }
            }
            other => StoreError::Corrupt(other.to_string()),
        }
    }
}
