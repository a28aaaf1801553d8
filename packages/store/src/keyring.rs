//! The keys of a datanet that a reader has: one that was wrapped for it, and all before it.
//!
//! A datanet's key is rotated when a reader leaves: blobs that are sealed afterwards open with the new
//! key alone. Earlier blobs stay as they are, since their ids are part of sealed versions and who left
//! could have kept their bytes. So each rotation wraps the key before for the new one ([`wrap_key`]), and
//! a reader goes back from the key that it was given, link by link. There is no way forward.
//!
//! [`wrap_key`]: crate::wrap_key

use openledger_merkle::Hash;

use crate::blob::open;
use crate::error::StoreError;
use crate::keys::{unwrap_key, DatanetKey};

/// A key that is not in force any more, as a rotation leaves it on chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastKey {
    /// Its age recipient.
    pub recipient: String,
    /// Its identity, wrapped for the recipient of the next key.
    pub wrapped: Vec<u8>,
}

/// Keys of one datanet, the newest first; at least one.
#[derive(Clone, Debug)]
pub struct Keyring(Vec<DatanetKey>);

impl From<DatanetKey> for Keyring {
    fn from(key: DatanetKey) -> Self {
        Keyring(vec![key])
    }
}

impl Keyring {
    /// `newest` and the keys before it. `past` are those keys, the oldest first; the last of them was
    /// wrapped for `newest`.
    ///
    /// # Errors
    /// [`StoreError::Link`] with the number of the first key that does not come out of the one after it.
    pub fn unwind(newest: DatanetKey, past: &[PastKey]) -> Result<Self, StoreError> {
        let mut keys = vec![newest];
        for (number, link) in past.iter().enumerate().rev() {
            let found = keys.last().map(|next| unwrap_key(next, &link.wrapped));
            match found {
                Some(Ok(key)) if key.recipient() == link.recipient => keys.push(key),
                _ => return Err(StoreError::Link { number }),
            }
        }
        Ok(Keyring(keys))
    }

    /// How many keys it has.
    pub fn keys(&self) -> usize {
        self.0.len()
    }

    /// Opens a blob with whichever key it was sealed for, see [`open`].
    ///
    /// # Errors
    /// [`StoreError::Decrypt`] when none of the keys opens it; those of [`open`].
    pub fn open(&self, datanet_id: u64, content_root: &Hash, blob: &[u8]) -> Result<Vec<u8>, StoreError> {
        for key in &self.0 {
            match open(key, datanet_id, content_root, blob) {
                Err(StoreError::Decrypt) => {}
                done => return done,
            }
        }
        Err(StoreError::Decrypt)
    }
}
