//! Keys before and after rotations, and the vector of docs/formats.md.

use openledger_merkle::{chunk_root, CONTENT_CHUNK};
use openledger_store::{open, seal, unwrap_key, wrap_key, DatanetKey, Keyring, PastKey, StoreError};
use proptest::prelude::*;
use serde::Deserialize;

/// `rotations` rotations of a key: all keys, and the links between them.
fn rotated(rotations: usize) -> (Vec<DatanetKey>, Vec<PastKey>) {
    let keys: Vec<DatanetKey> = (0..=rotations).map(|_| DatanetKey::generate()).collect();
    let link = |pair: &[DatanetKey]| PastKey {
        recipient: pair[0].recipient(),
        wrapped: wrap_key(&pair[0], &pair[1].recipient()).unwrap(),
    };
    let past = keys.windows(2).map(link).collect();
    (keys, past)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_keyring_opens_what_was_sealed_up_to_its_key_and_nothing_later(
        rotations in 0usize..5,
        text in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let (keys, past) = rotated(rotations);
        let root = chunk_root(&text, CONTENT_CHUNK);
        let blobs: Vec<Vec<u8>> =
            keys.iter().map(|key| seal(&key.recipient(), 7, &root, &text).unwrap().bytes).collect();
        for (held, key) in keys.iter().enumerate() {
            let ring = Keyring::unwind(key.clone(), &past[..held]).unwrap();
            prop_assert_eq!(ring.keys(), held + 1);
            for (number, blob) in blobs.iter().enumerate() {
                match ring.open(7, &root, blob) {
                    Ok(found) => prop_assert!(number <= held && found == text),
                    Err(StoreError::Decrypt) => prop_assert!(number > held),
                    Err(other) => prop_assert!(false, "{other}"),
                }
            }
        }
    }
}

#[test]
fn a_link_of_another_key_or_for_another_key_is_named() {
    let (keys, past) = rotated(3);
    let stranger = DatanetKey::generate();
    let newest = || keys[3].clone();
    assert!(Keyring::unwind(newest(), &past).is_ok());
    for at in 0..3 {
        let other_key = wrap_key(&stranger, &keys[at + 1].recipient()).unwrap();
        let other_reader = wrap_key(&keys[at], &stranger.recipient()).unwrap();
        for wrapped in [other_key, other_reader, vec![0; 200], vec![]] {
            let mut broken = past.clone();
            broken[at].wrapped = wrapped;
            let refused = Keyring::unwind(newest(), &broken);
            assert!(matches!(refused, Err(StoreError::Link { number }) if number == at), "{refused:?}");
        }
    }
    // A ring that ends one key too early takes no link for another.
    assert!(matches!(Keyring::unwind(newest(), &past[..2]), Err(StoreError::Link { number: 1 })));
}

#[test]
fn a_blob_that_was_changed_opens_with_no_key() {
    let (keys, past) = rotated(2);
    let root = chunk_root(b"text", CONTENT_CHUNK);
    let mut blob = seal(&keys[0].recipient(), 7, &root, b"text").unwrap().bytes;
    let ring = Keyring::unwind(keys[2].clone(), &past).unwrap();
    assert_eq!(ring.open(7, &root, &blob).unwrap(), b"text");
    if let Some(last) = blob.last_mut() {
        *last ^= 1;
    }
    assert!(matches!(ring.open(7, &root, &blob), Err(StoreError::Decrypt)));
    assert!(matches!(ring.open(7, &root, b"junk"), Err(StoreError::Format(_))));
}

/// Vectors of wrapped keys and blobs, which every implementation opens.
#[derive(Deserialize)]
struct Vectors {
    datanet_id: u64,
    text: String,
    content_root: String,
    keys: Vec<KeyVector>,
    reader: ReaderVector,
}

#[derive(Deserialize)]
struct KeyVector {
    identity: String,
    recipient: String,
    /// Wrapped for the next key; none for the key in force.
    wrapped: Option<String>,
    blob: String,
    blob_id: String,
}

#[derive(Deserialize)]
struct ReaderVector {
    identity: String,
    wrapped: String,
}

#[test]
fn the_vectors_of_rotated_keys_open() {
    let vectors: Vectors = serde_json::from_str(include_str!("../vectors/keys.json")).unwrap();
    let root: [u8; 32] = hex::decode(&vectors.content_root).unwrap().try_into().unwrap();
    assert_eq!(chunk_root(vectors.text.as_bytes(), CONTENT_CHUNK), root);
    let keys: Vec<DatanetKey> = vectors.keys.iter().map(|key| key.identity.parse().unwrap()).collect();
    let past: Vec<PastKey> = vectors
        .keys
        .iter()
        .filter_map(|key| {
            let wrapped = hex::decode(key.wrapped.as_ref()?).unwrap();
            Some(PastKey { recipient: key.recipient.clone(), wrapped })
        })
        .collect();
    assert_eq!((keys.len(), past.len()), (3, 2));

    let reader: DatanetKey = vectors.reader.identity.parse().unwrap();
    let newest = unwrap_key(&reader, &hex::decode(&vectors.reader.wrapped).unwrap()).unwrap();
    assert_eq!(newest.recipient(), vectors.keys[2].recipient);
    let ring = Keyring::unwind(newest, &past).unwrap();
    for (key, vector) in keys.iter().zip(&vectors.keys) {
        let blob = hex::decode(&vector.blob).unwrap();
        assert_eq!(key.recipient(), vector.recipient);
        assert_eq!(hex::encode(openledger_store::blob_id(&blob)), vector.blob_id);
        let text = vectors.text.as_bytes();
        assert_eq!(open(key, vectors.datanet_id, &root, &blob).unwrap(), text);
        assert_eq!(ring.open(vectors.datanet_id, &root, &blob).unwrap(), text);
    }
}
