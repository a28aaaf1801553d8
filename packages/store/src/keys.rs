//! Keys of datanets: X25519 identities of the age format, kept in memory that is wiped when freed.

use std::fmt;
use std::str::FromStr;

use age::secrecy::{ExposeSecret, SecretBox, SecretString};
use age::x25519::{Identity, Recipient};

use crate::error::StoreError;

/// The key that opens every sealed blob of a datanet, or that of a reader it is wrapped for.
#[derive(Clone)]
pub struct DatanetKey(pub(crate) Identity);

impl DatanetKey {
    /// A new key from the operating system's random numbers.
    pub fn generate() -> Self {
        DatanetKey(Identity::generate())
    }

    /// The key as age prints it (`AGE-SECRET-KEY-1…`), wiped when dropped. For key files only.
    pub fn to_secret_string(&self) -> SecretString {
        self.0.to_string()
    }

    /// The public half (`age1…`), for which blobs are sealed and keys wrapped.
    pub fn recipient(&self) -> String {
        self.0.to_public().to_string()
    }
}

impl FromStr for DatanetKey {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        Identity::from_str(text.trim())
            .map(DatanetKey)
            .map_err(|reason| StoreError::Key { what: "identity", reason: reason.to_owned() })
    }
}

impl fmt::Debug for DatanetKey {
    /// Shows the public half only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatanetKey({})", self.recipient())
    }
}

pub(crate) fn parse_recipient(text: &str) -> Result<Recipient, StoreError> {
    Recipient::from_str(text.trim())
        .map_err(|reason| StoreError::Key { what: "recipient", reason: reason.to_owned() })
}

/// Wraps a datanet's key for a reader: an age file whose only content is the key.
///
/// # Errors
/// [`StoreError::Key`] when `reader` is no recipient.
pub fn wrap_key(key: &DatanetKey, reader: &str) -> Result<Vec<u8>, StoreError> {
    let reader = parse_recipient(reader)?;
    let secret = key.to_secret_string();
    age::encrypt(&reader, secret.expose_secret().as_bytes()).map_err(|_| StoreError::Encrypt)
}

/// Takes a datanet's key out of what [`wrap_key`] wrote for this reader.
///
/// # Errors
/// [`StoreError::Decrypt`] when it was wrapped for somebody else or changed; [`StoreError::Key`]
/// when it holds no key.
pub fn unwrap_key(reader: &DatanetKey, wrapped: &[u8]) -> Result<DatanetKey, StoreError> {
    let plain = age::decrypt(&reader.0, wrapped).map_err(|_| StoreError::Decrypt)?;
    let plain = SecretBox::new(Box::new(plain));
    let text = std::str::from_utf8(plain.expose_secret())
        .map_err(|_| StoreError::Key { what: "wrapped key", reason: "not text".to_owned() })?;
    text.parse()
}
