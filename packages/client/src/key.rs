//! secp256k1 keys: of accounts, sessions and nodes.

use std::fmt;

use bip32::{DerivationPath, Mnemonic, XPrv};
use k256::ecdsa::signature::hazmat::{PrehashSigner, PrehashVerifier};
use k256::ecdsa::{Signature, SigningKey, VerifyingKey};
use openledger_types::signature::is_canonical;
use rand::TryRngCore;

use crate::error::{Error, Result};

/// Path of the first account by SLIP-44 coin type 118, as every Cosmos wallet derives it.
const PATH: &str = "m/44'/118'/0'/0/0";

/// A secret key. The memory is wiped when it is dropped; it never prints its secret.
#[derive(Clone)]
pub struct Key(SigningKey);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key(public {})", hex::encode(self.public_key()))
    }
}

impl Key {
    /// The first account of an English BIP-39 mnemonic of 24 words, at `m/44'/118'/0'/0/0`.
    pub fn from_mnemonic(words: &str) -> Result<Self> {
        let words: Vec<&str> = words.split_whitespace().collect();
        let phrase = Mnemonic::new(words.join(" "), Default::default())
            .map_err(|_| Error::Key(format!("{} words that are no mnemonic of 24 words", words.len())))?;
        let path: DerivationPath = PATH.parse().map_err(|e: bip32::Error| Error::Key(e.to_string()))?;
        let derived =
            XPrv::derive_from_path(phrase.to_seed(""), &path).map_err(|e| Error::Key(e.to_string()))?;
        Ok(Key(derived.private_key().clone()))
    }

    /// A new key with the mnemonic that brings it back.
    pub fn generate() -> Result<(Self, String)> {
        let mut entropy = [0u8; 32];
        fill(&mut entropy)?;
        let words = Mnemonic::from_entropy(entropy, Default::default()).phrase().to_string();
        Ok((Key::from_mnemonic(&words)?, words))
    }

    /// A new key from the operating system's random source, without a mnemonic: for sessions and
    /// nodes.
    pub fn random() -> Result<Self> {
        loop {
            let mut bytes = [0u8; 32];
            fill(&mut bytes)?;
            // One draw in 2^128 is no scalar of the group.
            if let Ok(key) = Key::from_bytes(&bytes) {
                return Ok(key);
            }
        }
    }

    /// A key from its 32 bytes, big-endian.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self> {
        SigningKey::from_slice(bytes).map(Key).map_err(|_| Error::Key("not a scalar of secp256k1".into()))
    }

    /// A key from 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Result<Self> {
        let bytes = hex::decode(text.trim()).map_err(|_| Error::Key("not hexadecimal".into()))?;
        let bytes: [u8; 32] =
            bytes.try_into().map_err(|b: Vec<u8>| Error::Key(format!("{} bytes instead of 32", b.len())))?;
        Key::from_bytes(&bytes)
    }

    /// The secret as 64 hexadecimal digits.
    pub fn secret_hex(&self) -> String {
        hex::encode(self.0.to_bytes())
    }

    /// The compressed public key (33 bytes).
    pub fn public_key(&self) -> [u8; 33] {
        let point = self.0.verifying_key().to_encoded_point(true);
        let mut key = [0u8; 33];
        for (to, from) in key.iter_mut().zip(point.as_bytes()) {
            *to = *from;
        }
        key
    }

    /// The account's address: bech32 of RIPEMD-160 of SHA-256 of the public key.
    pub fn address(&self, prefix: &str) -> Result<String> {
        address_of(&self.public_key(), prefix)
    }

    /// Signs a SHA-256 digest: RFC 6979, `r ‖ s` with low `s`. The scheme has no value for one
    /// digest in 2^256; the answer is then 64 zero bytes, which no verifier takes.
    pub fn sign_digest(&self, digest: &[u8; 32]) -> [u8; 64] {
        let signed: std::result::Result<Signature, _> = self.0.sign_prehash(digest);
        let mut out = [0u8; 64];
        if let Ok(signature) = signed {
            let signature = signature.normalize_s().unwrap_or(signature);
            out.copy_from_slice(&signature.to_bytes());
        }
        out
    }
}

/// Whether `signature` (64 bytes, low `s`) is one of `digest` by the compressed `public_key`.
pub fn verify_digest(public_key: &[u8], digest: &[u8; 32], signature: &[u8]) -> bool {
    if public_key.len() != 33 || !is_canonical(signature) {
        return false;
    }
    let (Ok(key), Ok(signature)) =
        (VerifyingKey::from_sec1_bytes(public_key), Signature::from_slice(signature))
    else {
        return false;
    };
    key.verify_prehash(digest, &signature).is_ok()
}

/// The address of the account with this compressed public key.
pub fn address_of(public_key: &[u8], prefix: &str) -> Result<String> {
    let key = VerifyingKey::from_sec1_bytes(public_key)
        .map_err(|_| Error::Key("not a point of secp256k1".into()))?;
    cosmrs::crypto::PublicKey::from(key)
        .account_id(prefix)
        .map(|id| id.to_string())
        .map_err(|e| Error::Config { field: "prefix", reason: e.to_string() })
}

fn fill(bytes: &mut [u8]) -> Result<()> {
    rand::rngs::OsRng.try_fill_bytes(bytes).map_err(|e| Error::Key(format!("no random source: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    /// Account `deployer` of the development chain; its address was made by `openledgerd keys add`.
    const WORDS: &str = "actress sketch win corn mad you differ syrup stable distance palm advance hurdle \
                         solution muffin about chicken fringe circle symbol chuckle until word differ";
    const ADDRESS: &str = "openledger139f5az79ausxfkdmg0d3g7vwl7edmvtxyys2x3";

    #[test]
    fn a_mnemonic_makes_the_address_that_the_chain_makes() {
        let key = Key::from_mnemonic(WORDS).unwrap();
        assert_eq!(key.address("openledger").unwrap(), ADDRESS);
        assert_eq!(address_of(&key.public_key(), "openledger").unwrap(), ADDRESS);
        let spaced = format!("  {}\n", WORDS.replace(' ', "   "));
        assert_eq!(Key::from_mnemonic(&spaced).unwrap().public_key(), key.public_key());
    }

    #[test]
    fn the_cosmos_vector_of_23_times_abandon_holds() {
        // The well-known mnemonic of zero entropy; address as CosmJS and gaiad derive it.
        let words = format!("{}art", "abandon ".repeat(23));
        let key = Key::from_mnemonic(&words).unwrap();
        assert_eq!(key.address("cosmos").unwrap(), "cosmos1r5v5srda7xfth3hn2s26txvrcrntldjumt8mhl");
    }

    #[test]
    fn a_new_key_comes_back_from_its_words_and_from_its_hex() {
        let (key, words) = Key::generate().unwrap();
        assert_eq!(words.split(' ').count(), 24);
        assert_eq!(Key::from_mnemonic(&words).unwrap().secret_hex(), key.secret_hex());
        assert_eq!(Key::from_hex(&key.secret_hex()).unwrap().public_key(), key.public_key());
        assert_ne!(Key::random().unwrap().secret_hex(), Key::random().unwrap().secret_hex());
    }

    #[test]
    fn bad_secrets_are_refused() {
        for words in ["", "abandon", &"abandon ".repeat(24), "what is this"] {
            assert!(Key::from_mnemonic(words).is_err(), "{words}");
        }
        for text in ["", "00", "zz", &"00".repeat(32), &"ff".repeat(32), &"11".repeat(33)] {
            assert!(Key::from_hex(text).is_err(), "{text}");
        }
    }

    #[test]
    fn signatures_verify_have_low_s_and_one_form() {
        let key = Key::from_hex(&"42".repeat(32)).unwrap();
        for n in 0u32..200 {
            let digest: [u8; 32] = Sha256::digest(n.to_be_bytes()).into();
            let signature = key.sign_digest(&digest);
            assert!(is_canonical(&signature));
            assert!(verify_digest(&key.public_key(), &digest, &signature));
            let mut other = digest;
            other[0] ^= 1;
            assert!(!verify_digest(&key.public_key(), &other, &signature));
            // The twin with high s is a signature by the mathematics, and refused by the rule.
            let parsed = Signature::from_slice(&signature).unwrap();
            let (r, s) = parsed.split_scalars();
            let high = Signature::from_scalars(r.to_bytes(), (-*s).to_bytes()).unwrap();
            assert!(!verify_digest(&key.public_key(), &digest, &high.to_bytes()));
        }
    }

    #[test]
    fn verification_of_rubbish_is_false() {
        let digest = [7u8; 32];
        let key = Key::random().unwrap();
        let signature = key.sign_digest(&digest);
        assert!(!verify_digest(&[], &digest, &signature));
        assert!(!verify_digest(&[2; 33], &digest, &signature));
        assert!(!verify_digest(&key.public_key(), &digest, &[]));
        assert!(!verify_digest(&key.public_key(), &digest, &[0; 64]));
        assert!(!verify_digest(&key.public_key(), &digest, &signature[..63]));
    }

    #[test]
    fn a_key_never_prints_its_secret() {
        let key = Key::random().unwrap();
        assert!(!format!("{key:?}").contains(&key.secret_hex()));
    }
}
