//! secp256k1 keys from numbers.

use cosmwasm_std::HexBinary;
use k256::ecdsa::signature::hazmat::PrehashSigner;
use k256::ecdsa::{Signature, SigningKey};
use openledger_merkle::{leaf_hash, Hash};

/// A key.
#[derive(Clone, Debug)]
pub struct Key(SigningKey);

impl Key {
    /// Always the same key for the same name.
    pub fn named(name: &str) -> Self {
        Key(SigningKey::from_slice(&leaf_hash(name.as_bytes())).unwrap())
    }

    /// The compressed public key.
    pub fn public(&self) -> HexBinary {
        HexBinary::from(self.0.verifying_key().to_encoded_point(true).as_bytes())
    }

    /// A canonical signature over a digest.
    pub fn sign(&self, digest: &Hash) -> HexBinary {
        let signature: Signature = self.0.sign_prehash(digest).unwrap();
        let signature = signature.normalize_s().unwrap_or(signature);
        HexBinary::from(signature.to_bytes().as_slice())
    }
}

/// The other form of a signature: valid on the curve, refused by the protocol.
pub fn high_s(signature: &HexBinary) -> HexBinary {
    let signature = Signature::from_slice(signature).unwrap();
    let (r, s) = signature.split_scalars();
    let high = Signature::from_scalars(r.to_bytes(), (-s).to_bytes()).unwrap();
    HexBinary::from(high.to_bytes().as_slice())
}
