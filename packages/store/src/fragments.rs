//! Packs and their fragments: whole copies, or a Reed-Solomon code of which any `data` of `total`
//! fragments give the pack back (docs/storage.md).
//!
//! A pack is filled up with zeros to `data` parts of the same length, a multiple of 64 bytes; the first
//! `data` fragments are these parts. The others are the code of `reed-solomon-simd` (Leopard, GF(2^16),
//! Lin, Al-Naffouri, Han and Chung 2016), whose field and basis are fixed: the same pack gives the same
//! fragments on every machine. A fragment's root is that over its 1 KiB leaves.

use openledger_merkle::{chunk_path, chunk_root, Hash};
use openledger_types::formats::{Coding, FRAGMENT_CHUNK};
use reed_solomon_simd::{ReedSolomonDecoder, ReedSolomonEncoder};

use crate::error::StoreError;

/// Root of a fragment.
pub fn fragment_root(fragment: &[u8]) -> Hash {
    chunk_root(fragment, FRAGMENT_CHUNK)
}

/// Leaf `index` of a fragment with its path; none when there is no such leaf.
pub fn fragment_leaf(fragment: &[u8], index: u64) -> Option<(&[u8], Vec<Hash>)> {
    let path = chunk_path(fragment, FRAGMENT_CHUNK, index)?;
    let leaf = fragment.chunks(FRAGMENT_CHUNK).nth(usize::try_from(index).ok()?)?;
    Some((leaf, path))
}

/// The different fragments of a pack: one where they are whole copies, else `total`.
///
/// # Errors
/// [`StoreError::Coding`] for an empty pack and for a coding that does not exist.
pub fn fragments(pack: &[u8], coding: Coding) -> Result<Vec<Vec<u8>>, StoreError> {
    let part = part_len(pack.len(), coding)?;
    let mut parts: Vec<Vec<u8>> = pack
        .chunks(part)
        .map(|bytes| {
            let mut bytes = bytes.to_vec();
            bytes.resize(part, 0);
            bytes
        })
        .collect();
    parts.resize(usize::from(coding.data), vec![0; part]);
    if coding.data > 1 {
        let (data, parity) = (usize::from(coding.data), usize::from(coding.total - coding.data));
        let mut encoder = ReedSolomonEncoder::new(data, parity, part).map_err(code)?;
        for bytes in &parts {
            encoder.add_original_shard(bytes).map_err(code)?;
        }
        let encoded = encoder.encode().map_err(code)?;
        parts.extend(encoded.recovery_iter().map(<[u8]>::to_vec));
    }
    Ok(parts)
}

/// The pack of `len` bytes out of `data` or more of its fragments with their slots. Their bytes must have
/// been checked against their roots: one wrong fragment gives another pack.
///
/// # Errors
/// [`StoreError::Coding`] when there are too few, or some of another length.
pub fn restore(len: u64, coding: Coding, found: &[(u8, Vec<u8>)]) -> Result<Vec<u8>, StoreError> {
    let bad = StoreError::Coding;
    let len = usize::try_from(len).map_err(|_| bad("the pack is too long for this machine"))?;
    let part = part_len(len, coding)?;
    if found.iter().any(|(slot, bytes)| bytes.len() != part || *slot >= coding.total) {
        return Err(bad("a fragment has another length or slot than the pack gives it"));
    }
    let mut parts: Vec<Option<&[u8]>> = vec![None; usize::from(coding.data)];
    for (slot, bytes) in found {
        let slot = if coding.data == 1 { 0 } else { usize::from(*slot) };
        if let Some(place) = parts.get_mut(slot) {
            *place = Some(bytes);
        }
    }
    let mut pack = Vec::with_capacity(part.saturating_mul(parts.len()));
    if parts.iter().all(Option::is_some) {
        parts.iter().flatten().for_each(|bytes| pack.extend_from_slice(bytes));
    } else {
        let (data, parity) = (usize::from(coding.data), usize::from(coding.total - coding.data));
        if data == 1 {
            return Err(bad("no fragment was found"));
        }
        let mut decoder = ReedSolomonDecoder::new(data, parity, part).map_err(code)?;
        let mut distinct: Vec<&(u8, Vec<u8>)> = found.iter().collect();
        distinct.sort_by_key(|(slot, _)| *slot);
        distinct.dedup_by_key(|(slot, _)| *slot);
        for (slot, bytes) in distinct {
            let slot = usize::from(*slot);
            match slot.checked_sub(data) {
                None => decoder.add_original_shard(slot, bytes).map_err(code)?,
                Some(parity) => decoder.add_recovery_shard(parity, bytes).map_err(code)?,
            }
        }
        let decoded = decoder.decode().map_err(code)?;
        for (slot, known) in parts.iter().enumerate() {
            let bytes = known.or_else(|| decoded.restored_original(slot));
            pack.extend_from_slice(bytes.ok_or(bad("the code gave a part too few"))?);
        }
    }
    pack.truncate(len);
    Ok(pack)
}

fn code(_: reed_solomon_simd::Error) -> StoreError {
    StoreError::Coding("too few fragments were found, or of another length")
}

fn part_len(len: usize, coding: Coding) -> Result<usize, StoreError> {
    if len == 0 || coding.data == 0 || coding.total < coding.data {
        return Err(StoreError::Coding("a pack has at least one byte, and a coding at least one fragment"));
    }
    usize::try_from(coding.fragment_len(len as u64))
        .map_err(|_| StoreError::Coding("the pack is too long for this machine"))
}
