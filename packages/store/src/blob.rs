//! The bytes of a sealed blob. Written and read here only.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 4 | magic `OLB1` |
//! | 4 | 2 | `w`, length of the wrapped key, unsigned big-endian |
//! | 6 | `w` | wrapped key: an age file (age-encryption.org/v1, one X25519 stanza) that holds the 32 bytes of the content key |
//! | 6 + `w` | 24 | nonce, random |
//! | 30 + `w` | rest | content text under XChaCha20-Poly1305 with the content key; its last 16 bytes are the tag |
//!
//! Associated data of the cipher: `openledger/blob/1` (ASCII), datanet id (8 bytes, big-endian),
//! content root (32 bytes). A blob thus opens only as the contribution it was made for. The blob's
//! id is the root over its 16 KiB leaves, which covers every byte. Sealing twice gives two blobs
//! with two ids: key and nonce are fresh each time.

use age::secrecy::{ExposeSecret, SecretBox};
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use openledger_merkle::{chunk_root, Hash, BLOB_CHUNK, CONTENT_CHUNK};
use openledger_types::formats::BlobRef;
use rand::rngs::OsRng;
use rand::TryRngCore;

use crate::error::StoreError;
use crate::keys::{parse_recipient, DatanetKey};

/// First bytes of a sealed blob.
pub const BLOB_MAGIC: &[u8; 4] = b"OLB1";

/// Domain tag in the associated data.
pub const BLOB_TAG: &str = "openledger/blob/1";

const KEY_LEN: usize = 32;
const NONCE_LEN: usize = 24;

/// A sealed blob and its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// Root over the 16 KiB leaves of `bytes`.
    pub id: Hash,
    /// What is stored and sent.
    pub bytes: Vec<u8>,
}

impl Blob {
    /// The reference that a contribution carries.
    pub fn reference(&self) -> BlobRef {
        BlobRef::of(&self.bytes)
    }
}

/// Id of a blob, sealed or public: the root over its 16 KiB leaves.
pub fn blob_id(bytes: &[u8]) -> Hash {
    chunk_root(bytes, BLOB_CHUNK)
}

/// Seals a content text for a datanet's recipient (`age1…`).
///
/// # Errors
/// [`StoreError::Key`] when `recipient` is none, [`StoreError::ContentRoot`] when `content_root` is
/// not that of `plaintext`, [`StoreError::Random`] without random numbers.
pub fn seal(
    recipient: &str,
    datanet_id: u64,
    content_root: &Hash,
    plaintext: &[u8],
) -> Result<Blob, StoreError> {
    let recipient = parse_recipient(recipient)?;
    if chunk_root(plaintext, CONTENT_CHUNK) != *content_root {
        return Err(StoreError::ContentRoot);
    }
    let mut nonce = [0u8; NONCE_LEN];
    random(&mut nonce)?;
    let mut key = SecretBox::new(Box::new([0u8; KEY_LEN]));
    random(age::secrecy::ExposeSecretMut::expose_secret_mut(&mut key))?;

    let wrap = age::encrypt(&recipient, key.expose_secret()).map_err(|_| StoreError::Encrypt)?;
    let wrap_len = u16::try_from(wrap.len()).map_err(|_| StoreError::Encrypt)?;
    let aad = associated_data(datanet_id, content_root);
    let ciphertext = XChaCha20Poly1305::new(key.expose_secret().into())
        .encrypt(XNonce::from_slice(&nonce), Payload { msg: plaintext, aad: &aad })
        .map_err(|_| StoreError::Encrypt)?;

    let mut bytes = Vec::with_capacity(6 + wrap.len() + NONCE_LEN + ciphertext.len());
    bytes.extend_from_slice(BLOB_MAGIC);
    bytes.extend_from_slice(&wrap_len.to_be_bytes());
    bytes.extend_from_slice(&wrap);
    bytes.extend_from_slice(&nonce);
    bytes.extend_from_slice(&ciphertext);
    Ok(Blob { id: blob_id(&bytes), bytes })
}

/// Opens a sealed blob and checks that its text is the one committed.
///
/// # Errors
/// [`StoreError::Format`] for bytes that are no blob, [`StoreError::Decrypt`] for another key,
/// datanet or content root, or a changed blob, [`StoreError::ContentRoot`] when the contributor
/// committed to another text than it sealed.
pub fn open(
    key: &DatanetKey,
    datanet_id: u64,
    content_root: &Hash,
    blob: &[u8],
) -> Result<Vec<u8>, StoreError> {
    let rest = blob.strip_prefix(BLOB_MAGIC).ok_or(StoreError::Format("it does not begin with OLB1"))?;
    let (wrap_len, rest) =
        rest.split_first_chunk::<2>().ok_or(StoreError::Format("it ends in its header"))?;
    let (wrap, rest) = rest
        .split_at_checked(usize::from(u16::from_be_bytes(*wrap_len)))
        .ok_or(StoreError::Format("it ends in its wrapped key"))?;
    let (nonce, ciphertext) =
        rest.split_first_chunk::<NONCE_LEN>().ok_or(StoreError::Format("it ends in its nonce"))?;

    let content_key = SecretBox::new(Box::new(age::decrypt(&key.0, wrap).map_err(|_| StoreError::Decrypt)?));
    let cipher = XChaCha20Poly1305::new_from_slice(content_key.expose_secret())
        .map_err(|_| StoreError::Format("its content key has not 32 bytes"))?;
    let aad = associated_data(datanet_id, content_root);
    let plaintext = cipher
        .decrypt(XNonce::from_slice(nonce), Payload { msg: ciphertext, aad: &aad })
        .map_err(|_| StoreError::Decrypt)?;
    if chunk_root(&plaintext, CONTENT_CHUNK) != *content_root {
        return Err(StoreError::ContentRoot);
    }
    Ok(plaintext)
}

fn associated_data(datanet_id: u64, content_root: &Hash) -> Vec<u8> {
    [BLOB_TAG.as_bytes(), &datanet_id.to_be_bytes(), content_root].concat()
}

fn random(bytes: &mut [u8]) -> Result<(), StoreError> {
    OsRng.try_fill_bytes(bytes).map_err(|error| StoreError::Random(error.to_string()))
}
