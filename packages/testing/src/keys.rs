//! Keys that tests can name.

use bech32::{Bech32, Hrp};
use cosmwasm_std::HexBinary;
use k256::ecdsa::signature::hazmat::PrehashSigner;
use k256::ecdsa::{Signature, SigningKey};
use openledger_merkle::Hash;
use sha2::{Digest, Sha256};

/// A secp256k1 key made from a name: the same name, the same key.
#[derive(Clone)]
pub struct Key(SigningKey);

impl Key {
    /// The key of this name.
    pub fn named(name: &str) -> Self {
        let mut secret = Sha256::digest(name.as_bytes());
        loop {
            match SigningKey::from_slice(&secret) {
                Ok(key) => return Key(key),
                // Above the group's order, which no hash has been seen to be.
                Err(_) => secret = Sha256::digest(secret),
            }
        }
    }

    /// The compressed public key (33 bytes).
    pub fn public(&self) -> HexBinary {
        HexBinary::from(self.0.verifying_key().to_encoded_point(true).as_bytes())
    }

    /// Signs a digest; `s` is in the lower half.
    pub fn sign(&self, digest: &Hash) -> HexBinary {
        let signature: Signature = self.0.sign_prehash(digest).expect("32 bytes can be signed");
        let signature = signature.normalize_s().unwrap_or(signature);
        HexBinary::from(&signature.to_bytes()[..])
    }
}

/// An age recipient made from a name. Nobody has its identity; the contracts check its form only.
pub fn age_recipient(name: &str) -> String {
    let prefix = Hrp::parse("age").expect("a prefix of letters");
    bech32::encode::<Bech32>(prefix, &Sha256::digest(name.as_bytes())).expect("32 bytes fit")
}
