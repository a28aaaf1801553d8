//! What every signature of the protocol has in common: secp256k1 ECDSA over a SHA-256 digest, 64
//! bytes `r ‖ s`, `s` in the lower half of the group order so that a signature has one form only.

/// Half of the order of secp256k1, rounded down, big-endian (SEC 2 §2.4.1).
const HALF_ORDER: [u8; 32] = [
    0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x5d,
    0x57, 0x6e, 0x73, 0x57, 0xa4, 0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0,
];

/// Whether `signature` has 64 bytes and a low `s`.
pub fn is_canonical(signature: &[u8]) -> bool {
    signature.len() == 64 && signature[32..] <= HALF_ORDER[..]
}

/// Whether `key` looks like a compressed public key (33 bytes, 02 or 03 first). The curve check is
/// left to the verification of a signature.
pub fn is_compressed_key(key: &[u8]) -> bool {
    key.len() == 33 && (key[0] == 2 || key[0] == 3)
}
