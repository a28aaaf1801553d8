//! What the storage contract draws and how blobs become fragments (PROTOCOL I3).

use openledger_merkle::{Hash, CONTENT_CHUNK};

use super::BlobRef;
use crate::encode::Preimage;

/// Bytes of a fragment's leaf: what one answer of a challenge shows.
pub const FRAGMENT_CHUNK: usize = CONTENT_CHUNK;

/// A fragment's length is a multiple of this many bytes, which every implementation of the code takes.
pub const FRAGMENT_STEP: u64 = 64;

/// Leaves and blocks that one price pays for: a GiB, kept for a million blocks.
pub const PRICE_UNIT: u128 = (1 << 20) * 1_000_000;

/// How a pack of blobs is cut into fragments.
#[cosmwasm_schema::cw_serde]
#[derive(Copy, Eq)]
pub struct Coding {
    /// Fragments that are enough to read the pack; 1 means that each fragment is the whole pack.
    pub data: u8,
    /// All fragments, one a node.
    pub total: u8,
}

impl Coding {
    /// The one coding that so many independent operators allow: Reed-Solomon with 4 of 8 from 8 on, else
    /// up to 3 whole copies; none without operators.
    pub fn for_operators(operators: u64) -> Option<Self> {
        match operators {
            0 => None,
            1..=7 => Some(Coding { data: 1, total: operators.min(3) as u8 }),
            _ => Some(Coding { data: 4, total: 8 }),
        }
    }

    /// Bytes of each fragment of a pack of `len` bytes: its part, rounded up to [`FRAGMENT_STEP`].
    pub fn fragment_len(&self, len: u64) -> u64 {
        len.div_ceil(u64::from(self.data.max(1))).div_ceil(FRAGMENT_STEP).saturating_mul(FRAGMENT_STEP)
    }

    /// Leaves of each fragment of a pack of `len` bytes.
    pub fn fragment_leaves(&self, len: u64) -> u64 {
        self.fragment_len(len).div_ceil(FRAGMENT_CHUNK as u64)
    }

    /// Different fragments: whole copies are all alike.
    pub fn roots(&self) -> usize {
        match self.data {
            1 => 1,
            _ => usize::from(self.total),
        }
    }
}

/// Name of a pack: the bytes of these contributions' blobs, one after the other.
///
/// `openledger/pack/1`: datanet u64, number of contributions u32, then for each: contribution u64, root
/// of its blob (32 bytes), length of its blob u64.
pub fn pack_id<'a>(datanet_id: u64, parts: impl ExactSizeIterator<Item = (u64, &'a BlobRef)>) -> Hash {
    let count = u32::try_from(parts.len()).unwrap_or(u32::MAX);
    let start = Preimage::new("openledger/pack/1").u64(datanet_id).u32(count);
    parts.fold(start, |preimage, (id, blob)| preimage.u64(id).bytes(&blob.root).u64(blob.len)).hash()
}

/// What decides who keeps an object: fixed when it is placed, so that nobody knows it before.
///
/// `openledger/placement/1`: chain id text, storage contract's address text, object u64, pack (32 bytes),
/// height u64, time of the block in nanoseconds u64.
pub fn placement_seed(
    chain_id: &str,
    contract: &str,
    object_id: u64,
    pack: &Hash,
    height: u64,
    nanos: u64,
) -> Hash {
    Preimage::new("openledger/placement/1")
        .text(chain_id)
        .text(contract)
        .u64(object_id)
        .bytes(pack)
        .u64(height)
        .u64(nanos)
        .hash()
}

/// A node's score for an object; the highest keep it (rendezvous hashing, Thaler and Ravishankar 1998).
/// Compared as bytes.
///
/// `openledger/storage-score/1`: seed of the placement (32 bytes), node u64.
pub fn storage_score(seed: &Hash, node_id: u64) -> Hash {
    Preimage::new("openledger/storage-score/1").bytes(seed).u64(node_id).hash()
}

/// The beacon of a draw.
///
/// `openledger/storage-beacon/1`: chain id text, storage contract's address text, beacon of the draw
/// before (32 bytes; zeros for the first), number of the draw u64, height u64, time of the block in
/// nanoseconds u64.
pub fn storage_beacon(
    chain_id: &str,
    contract: &str,
    before: &Hash,
    draw: u64,
    height: u64,
    nanos: u64,
) -> Hash {
    Preimage::new("openledger/storage-beacon/1")
        .text(chain_id)
        .text(contract)
        .bytes(before)
        .u64(draw)
        .u64(height)
        .u64(nanos)
        .hash()
}

/// The leaf, of all that a node keeps, that sample `number` of a draw asks for: the first 16 bytes of the
/// hash as a big-endian integer, modulo `leaves`. None when there are no leaves. The bias of the modulus
/// is below `leaves / 2^128`.
///
/// `openledger/storage-sample/1`: beacon (32 bytes), node u64, number u32.
pub fn storage_sample(beacon: &Hash, node_id: u64, number: u32, leaves: u64) -> Option<u64> {
    let hash = Preimage::new("openledger/storage-sample/1").bytes(beacon).u64(node_id).u32(number).hash();
    let (start, _) = hash.split_first_chunk::<16>()?;
    let leaf = u128::from_be_bytes(*start).checked_rem(u128::from(leaves))?;
    u64::try_from(leaf).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_i3_the_coding_follows_from_the_number_of_operators() {
        let coding = |operators| Coding::for_operators(operators).map(|c| (c.data, c.total));
        assert_eq!(coding(0), None);
        assert_eq!(
            (coding(1), coding(2), coding(3), coding(7)),
            (Some((1, 1)), Some((1, 2)), Some((1, 3)), Some((1, 3)))
        );
        assert_eq!((coding(8), coding(1_000)), (Some((4, 8)), Some((4, 8))));
    }

    #[test]
    fn fragments_cover_their_pack_and_waste_less_than_a_step_each() {
        let coding = Coding { data: 4, total: 8 };
        for len in [1, 63, 64, 255, 256, 257, 4_096, 1 << 20, 64 << 20] {
            let part = coding.fragment_len(len);
            assert!(
                part % FRAGMENT_STEP == 0 && part * 4 >= len && part * 4 < len + 4 * FRAGMENT_STEP,
                "{len}"
            );
        }
        assert_eq!(coding.fragment_leaves(4_096), 1);
        assert_eq!(coding.fragment_leaves(4_097), 2);
    }

    #[test]
    fn every_leaf_is_drawn_alike() {
        let beacon = [7; 32];
        let mut counts = [0u32; 10];
        for number in 0..10_000 {
            counts[storage_sample(&beacon, 3, number, 10).unwrap() as usize] += 1;
        }
        // Standard deviation 30; six of them would be met once in 10^8 runs.
        assert!(counts.iter().all(|count| (820..1_180).contains(count)), "{counts:?}");
        assert_eq!(storage_sample(&beacon, 3, 0, 0), None);
    }
}
