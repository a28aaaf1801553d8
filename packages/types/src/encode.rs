//! The one encoding under every hash: a domain tag and length-prefixed fields.

use openledger_merkle::Hash;
use sha2::{Digest, Sha256};

/// Bytes to be hashed: `len(tag) ‖ tag ‖ len(field) ‖ field ‖ …`, every length 8 bytes big-endian,
/// integers big-endian at their fixed width. No two different lists of fields encode alike, and no
/// two formats share a tag.
#[derive(Clone, Debug)]
pub struct Preimage(Vec<u8>);

impl Preimage {
    /// Starts a preimage in the domain `tag`, for example `openledger/voucher/1`.
    pub fn new(tag: &str) -> Self {
        Preimage(Vec::with_capacity(256)).bytes(tag.as_bytes())
    }

    /// Appends a byte string.
    pub fn bytes(mut self, field: &[u8]) -> Self {
        self.0.extend_from_slice(&(field.len() as u64).to_be_bytes());
        self.0.extend_from_slice(field);
        self
    }

    /// Appends UTF-8 text.
    pub fn text(self, field: &str) -> Self {
        self.bytes(field.as_bytes())
    }

    /// Appends one byte.
    pub fn u8(self, field: u8) -> Self {
        self.bytes(&[field])
    }

    /// Appends a 16-bit integer.
    pub fn u16(self, field: u16) -> Self {
        self.bytes(&field.to_be_bytes())
    }

    /// Appends a 32-bit integer.
    pub fn u32(self, field: u32) -> Self {
        self.bytes(&field.to_be_bytes())
    }

    /// Appends a 64-bit integer.
    pub fn u64(self, field: u64) -> Self {
        self.bytes(&field.to_be_bytes())
    }

    /// Appends a 128-bit integer: amounts in base units.
    pub fn u128(self, field: u128) -> Self {
        self.bytes(&field.to_be_bytes())
    }

    /// The bytes, as data of a Merkle leaf.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }

    /// SHA-256 of the bytes.
    pub fn hash(self) -> Hash {
        Sha256::digest(&self.0).into()
    }
}
