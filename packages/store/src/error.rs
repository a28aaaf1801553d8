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
    /// An object store that does not answer, or refuses.
    #[error("the object store cannot be used: {0}")]
    Remote(String),
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
                "Check the store's address, bucket and credentials and that it is reachable, then try again."
            }
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
                StoreError::TooLarge { bytes, limit: crate::redb_store::MAX_BLOB_BYTES }
            }
            other => StoreError::Corrupt(other.to_string()),
        }
    }
}
