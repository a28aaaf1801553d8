//! Sealed blobs and wrapped keys.

use age::secrecy::ExposeSecret;
use openledger_merkle::{chunk_root, Hash, BLOB_CHUNK, CONTENT_CHUNK};
use openledger_store::{blob_id, open, seal, unwrap_key, wrap_key, DatanetKey, StoreError, BLOB_MAGIC};
use proptest::prelude::*;

type Outcome = Result<(), StoreError>;

fn root(text: &[u8]) -> Hash {
    chunk_root(text, CONTENT_CHUNK)
}

#[test]
fn a_sealed_text_comes_back() -> Outcome {
    let key = DatanetKey::generate();
    for length in [0, 1, 1024, 16_384, 40_000] {
        let text = vec![b'x'; length];
        let blob = seal(&key.recipient(), 7, &root(&text), &text)?;
        assert_eq!(blob.id, chunk_root(&blob.bytes, BLOB_CHUNK));
        assert_eq!(blob.reference().root.as_slice(), blob.id);
        assert_eq!(blob.reference().len, blob.bytes.len() as u64);
        assert_eq!(open(&key, 7, &root(&text), &blob.bytes)?, text);
    }
    Ok(())
}

#[test]
fn the_layout_is_the_documented_one() -> Outcome {
    let key = DatanetKey::generate();
    let text = b"the text itself must not be seen";
    let bytes = seal(&key.recipient(), 7, &root(text), text)?.bytes;
    assert_eq!(&bytes[..4], BLOB_MAGIC);
    let wrap = usize::from(u16::from_be_bytes([bytes[4], bytes[5]]));
    assert!(bytes[6..].starts_with(b"age-encryption.org/v1\n-> X25519 "));
    assert_eq!(bytes.len(), 6 + wrap + 24 + text.len() + 16);
    assert!(!bytes.windows(8).any(|window| window == &text[..8]));
    assert_ne!(seal(&key.recipient(), 7, &root(text), text)?.bytes, bytes, "key and nonce are fresh");
    Ok(())
}

#[test]
fn a_change_at_any_byte_is_noticed() -> Outcome {
    let key = DatanetKey::generate();
    let text = b"short text";
    let blob = seal(&key.recipient(), 7, &root(text), text)?;
    for at in 0..blob.bytes.len() {
        let mut bytes = blob.bytes.clone();
        bytes[at] ^= 0x04;
        assert_ne!(blob_id(&bytes), blob.id);
        let refused = open(&key, 7, &root(text), &bytes);
        assert!(
            matches!(refused, Err(StoreError::Decrypt | StoreError::Format(_))),
            "byte {at}: {refused:?}"
        );
    }
    Ok(())
}

#[test]
fn a_blob_cut_at_any_byte_or_lengthened_is_refused() -> Outcome {
    let key = DatanetKey::generate();
    let text = b"short text";
    let blob = seal(&key.recipient(), 7, &root(text), text)?;
    for length in 0..blob.bytes.len() {
        assert!(open(&key, 7, &root(text), &blob.bytes[..length]).is_err(), "{length} bytes");
    }
    assert!(open(&key, 7, &root(text), &[&blob.bytes[..], b"x"].concat()).is_err());
    Ok(())
}

#[test]
fn another_key_datanet_or_root_does_not_open_it() -> Outcome {
    let key = DatanetKey::generate();
    let text = b"short text";
    let blob = seal(&key.recipient(), 7, &root(text), text)?;
    assert!(matches!(open(&DatanetKey::generate(), 7, &root(text), &blob.bytes), Err(StoreError::Decrypt)));
    assert!(matches!(open(&key, 8, &root(text), &blob.bytes), Err(StoreError::Decrypt)));
    assert!(matches!(open(&key, 7, &root(b"other"), &blob.bytes), Err(StoreError::Decrypt)));
    Ok(())
}

#[test]
fn a_text_that_is_not_the_committed_one_is_neither_sealed_nor_opened() -> Outcome {
    use chacha20poly1305::aead::{Aead, Payload};
    use chacha20poly1305::{KeyInit, XChaCha20Poly1305};
    let key = DatanetKey::generate();
    let committed = root(b"what was committed");
    assert!(matches!(seal(&key.recipient(), 7, &committed, b"something else"), Err(StoreError::ContentRoot)));
    // A dishonest contributor writes the blob by hand.
    let recipient = key.recipient().parse::<age::x25519::Recipient>().map_err(|_| StoreError::Encrypt)?;
    let wrap = age::encrypt(&recipient, &[5; 32]).map_err(|_| StoreError::Encrypt)?;
    let aad = [b"openledger/blob/1".as_slice(), &7u64.to_be_bytes(), &committed].concat();
    let ciphertext = XChaCha20Poly1305::new(&[5; 32].into())
        .encrypt(&[0; 24].into(), Payload { msg: b"something else", aad: &aad })
        .map_err(|_| StoreError::Encrypt)?;
    let bytes =
        [b"OLB1".as_slice(), &(wrap.len() as u16).to_be_bytes(), &wrap, &[0; 24], &ciphertext].concat();
    assert!(matches!(open(&key, 7, &committed, &bytes), Err(StoreError::ContentRoot)));
    Ok(())
}

#[test]
fn a_datanet_key_reaches_its_reader_only() -> Outcome {
    let (key, reader, stranger) = (DatanetKey::generate(), DatanetKey::generate(), DatanetKey::generate());
    let wrapped = wrap_key(&key, &reader.recipient())?;
    let taken = unwrap_key(&reader, &wrapped)?;
    assert_eq!(taken.recipient(), key.recipient());
    assert!(matches!(unwrap_key(&stranger, &wrapped), Err(StoreError::Decrypt)));
    for at in 0..wrapped.len() {
        let mut changed = wrapped.clone();
        changed[at] ^= 0x04;
        assert!(unwrap_key(&reader, &changed).is_err(), "byte {at}");
    }
    Ok(())
}

#[test]
fn keys_are_read_as_written_and_never_shown() -> Outcome {
    let key = DatanetKey::generate();
    let secret = key.to_secret_string();
    let again: DatanetKey = secret.expose_secret().parse()?;
    assert_eq!(again.recipient(), key.recipient());
    assert!(!format!("{key:?}").contains("SECRET"));
    assert!(matches!("AGE-SECRET-KEY-1NONSENSE".parse::<DatanetKey>(), Err(StoreError::Key { .. })));
    for wrong in ["", "age1", "openledger1qqqq", secret.expose_secret()] {
        let refused = wrap_key(&key, wrong).err();
        assert!(matches!(refused, Some(StoreError::Key { what: "recipient", .. })));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_text_comes_back(text in prop::collection::vec(any::<u8>(), 0..5000), datanet: u64) {
        let key = DatanetKey::generate();
        let blob = seal(&key.recipient(), datanet, &root(&text), &text);
        prop_assert!(blob.is_ok());
        if let Ok(blob) = blob {
            prop_assert_eq!(open(&key, datanet, &root(&text), &blob.bytes).ok(), Some(text));
        }
    }

    #[test]
    fn arbitrary_bytes_are_refused_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let key = DatanetKey::generate();
        prop_assert!(open(&key, 1, &[0; 32], &bytes).is_err());
        prop_assert!(open(&key, 1, &[0; 32], &[b"OLB1".as_slice(), &bytes].concat()).is_err());
        prop_assert!(unwrap_key(&key, &bytes).is_err());
    }
}
