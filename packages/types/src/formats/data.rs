//! Commits, contributions and versions of datanets (PROTOCOL D1, D2).

use cosmwasm_schema::cw_serde;
use cosmwasm_std::HexBinary;
use openledger_merkle::{leaf_hash, Hash};

use crate::encode::Preimage;

/// Leaf of a commit: binds the bytes to their owner before anybody else sees them (D1).
///
/// `openledger/commit/1`: salt (32 bytes), owner (bech32 text), SHA-256 of the raw bytes.
pub fn commit_leaf(salt: &Hash, owner: &str, raw_hash: &Hash) -> Hash {
    leaf_hash(&Preimage::new("openledger/commit/1").bytes(salt).text(owner).bytes(raw_hash).finish())
}

/// When a commit was mined; the earlier of two is the origin (D2). Ordered by height, then index.
#[cw_serde]
#[derive(Copy, Eq, PartialOrd, Ord, Hash)]
pub struct Priority {
    /// Block height.
    pub height: u64,
    /// Index of the transaction in its block.
    pub tx_index: u32,
}

/// What a contributor allows to be done with a contribution, beside its licence.
#[cw_serde]
#[derive(Copy, Eq)]
pub struct Uses {
    /// Training on it.
    pub train: bool,
    /// Citing it in answers.
    pub answer: bool,
    /// Either for money.
    pub commercial: bool,
}

impl Uses {
    /// Everything is allowed.
    pub const ALL: Uses = Uses { train: true, answer: true, commercial: true };

    /// The byte in the leaf: 1 train, 2 answer, 4 commercial, added.
    pub fn code(self) -> u8 {
        u8::from(self.train) | u8::from(self.answer) << 1 | u8::from(self.commercial) << 2
    }

    /// The uses of a code; none when it has other bits.
    pub fn from_code(code: u8) -> Option<Self> {
        let has = |bit: u8| code & bit != 0;
        (code < 8).then(|| Uses { train: has(1), answer: has(2), commercial: has(4) })
    }

    /// Whether a paid answer may cite it.
    pub fn allows_paid_answers(self) -> bool {
        self.answer && self.commercial
    }
}

impl Default for Uses {
    /// What contributions of the first release allow, which said nothing.
    fn default() -> Self {
        Uses::ALL
    }
}

/// What the chain knows of a contribution; the facts that a version's root commits.
#[cw_serde]
pub struct ContributionFacts {
    /// Datanet that it was given to.
    pub datanet_id: u64,
    /// Chain-wide number of the contribution, from 1.
    pub contribution_id: u64,
    /// Contributor's address, who owns its earnings.
    pub contributor: String,
    /// Its place in the chain-wide order of commits.
    pub priority: Priority,
    /// Root over 1 KiB chunks of the content text (32 bytes).
    pub content_root: HexBinary,
    /// Bytes of content text.
    pub content_len: u64,
    /// Root over 1 KiB chunks of the match text (32 bytes).
    pub match_root: HexBinary,
    /// Bytes of match text.
    pub match_len: u64,
    /// SHA-256 of the match text (32 bytes), unique over all datanets.
    pub match_hash: HexBinary,
    /// The ciphertext that holds the content text.
    pub blob: crate::formats::BlobRef,
    /// Media type of the content, for example `text/plain`.
    pub media: String,
    /// SPDX expression of its licence.
    pub license: String,
    /// What may be done with it.
    #[serde(default)]
    pub uses: Uses,
}

impl ContributionFacts {
    /// Leaf of the version tree as the first release wrote it; such leaves come first in their trees
    /// and allow every use. See `legacy_leaves` of a datanet.
    ///
    /// `openledger/contribution/1`: the fields of [`Self::leaf`] up to the license.
    pub fn legacy_leaf(&self) -> Hash {
        leaf_hash(&self.preimage("openledger/contribution/1").finish())
    }

    fn preimage(&self, tag: &str) -> Preimage {
        Preimage::new(tag)
            .u64(self.datanet_id)
            .u64(self.contribution_id)
            .text(&self.contributor)
            .u64(self.priority.height)
            .u32(self.priority.tx_index)
            .bytes(&self.content_root)
            .u64(self.content_len)
            .bytes(&self.match_root)
            .u64(self.match_len)
            .bytes(&self.match_hash)
            .bytes(&self.blob.root)
            .u64(self.blob.len)
            .text(&self.media)
            .text(&self.license)
    }

    /// Leaf of the version tree.
    ///
    /// `openledger/contribution/2`: datanet u64, contribution u64, contributor text, height u64,
    /// tx index u32, content root, content length u64, match root, match length u64, match hash,
    /// blob root, blob length u64, media text, license text, uses u8.
    pub fn leaf(&self) -> Hash {
        leaf_hash(&self.preimage("openledger/contribution/2").u8(self.uses.code()).finish())
    }
}

/// A sealed version of a datanet, as models and receipts name it.
#[cw_serde]
pub struct VersionRef {
    /// Datanet.
    pub datanet_id: u64,
    /// Number of the version, from 1.
    pub version: u32,
    /// Root over the contribution leaves (32 bytes).
    pub root: HexBinary,
    /// Number of leaves; versions only grow, so the older is a prefix of the newer.
    pub size: u64,
}

impl VersionRef {
    /// `openledger/version/1`: datanet u64, version u32, root, size u64.
    pub fn hash(&self) -> Hash {
        Preimage::new("openledger/version/1")
            .u64(self.datanet_id)
            .u32(self.version)
            .bytes(&self.root)
            .u64(self.size)
            .hash()
    }
}

/// Leaf of a datanet's log of withdrawals (D4). The log only grows; a version commits its size and
/// root, so that the absence of a withdrawn contribution from that version is a path in the log.
///
/// `openledger/withdrawal/1`: datanet u64, contribution u64, height of the withdrawal u64.
pub fn withdrawal_leaf(datanet_id: u64, contribution_id: u64, height: u64) -> Hash {
    leaf_hash(
        &Preimage::new("openledger/withdrawal/1").u64(datanet_id).u64(contribution_id).u64(height).finish(),
    )
}
