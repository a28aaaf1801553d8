//! One-step proofs of faults (PROTOCOL F1): documents from which anyone sees that a node cheated,
//! without holding anything and without a vote.
//!
//! A proof is judged in two halves. [`Fault::judge`] is pure: it looks at signatures, paths and
//! arithmetic only, and trusts what the filer states of the escrow's state ([`Stated`]). The escrow
//! then confirms exactly that statement ([`Conviction`]), by hash, and refuses the whole transaction
//! when it differs. So the judge needs no queries, and the escrow needs to know no fault.

use cosmwasm_schema::cw_serde;
use cosmwasm_std::{HexBinary, Uint128};
use openledger_merkle::Hash;

use crate::api::EvidencePiece;
use crate::encode::Preimage;
use crate::formats::{
    ContributionFacts, Detail, EpochCommit, LedgerLeaf, SignedReceipt, SumRoot, SumStep,
};

/// What the escrow knows of a session and one of its nodes, as far as faults need it. Answer to the
/// escrow's `Facts`.
#[cw_serde]
pub struct SessionFacts {
    /// Session.
    pub session_id: u64,
    /// Node.
    pub node_id: u64,
    /// Key that signs its receipts (33 bytes), pinned.
    pub node_key: HexBinary,
    /// Denom.
    pub denom: String,
    /// Model.
    pub model_id: u64,
    /// Version.
    pub model_version: u32,
    /// [`datanets_hash`] of the model's datanet versions, pinned (32 bytes; zeros for sessions of the
    /// first release, which pinned none).
    pub datanets_hash: HexBinary,
    /// Price of a prompt token, pinned.
    pub price_in: Uint128,
    /// Price of an answer token, pinned.
    pub price_out: Uint128,
    /// Least fee of an answer, pinned.
    pub min_fee: Uint128,
    /// Least fee for each token of an answer, pinned (D5).
    pub floor_per_token: Uint128,
    /// The data's part of a fee, in basis points, pinned.
    pub data_bps: u16,
    /// Height of the opening.
    pub opened_at: u64,
    /// Log of the receipts settled so far.
    pub log: SumRoot,
    /// Receipts that were settled before the newest settlement.
    pub settled_from: u64,
    /// Epoch of the newest settlement, of this node in the session's denom; 0 before the first.
    pub settled_epoch: u64,
}

impl SessionFacts {
    /// `openledger/session-facts/1`: session u64, node u64, key, denom text, model u64, version u32,
    /// datanets hash, price in u128, price out u128, least fee u128, floor u128, data u16, opened
    /// u64, log root, sum u128 and count u64, settled from u64, settled epoch u64.
    pub fn hash(&self) -> Hash {
        Preimage::new("openledger/session-facts/1")
            .u64(self.session_id)
            .u64(self.node_id)
            .bytes(&self.node_key)
            .text(&self.denom)
            .u64(self.model_id)
            .u32(self.model_version)
            .bytes(&self.datanets_hash)
            .u128(self.price_in.u128())
            .u128(self.price_out.u128())
            .u128(self.min_fee.u128())
            .u128(self.floor_per_token.u128())
            .u16(self.data_bps)
            .u64(self.opened_at)
            .bytes(&self.log.hash)
            .u128(self.log.sum.u128())
            .u64(self.log.count)
            .u64(self.settled_from)
            .u64(self.settled_epoch)
            .hash()
    }
}

/// Hash of the datanet versions that a session pins.
///
/// `openledger/datanets/1`: version hashes one after the other (one field).
pub fn datanets_hash(versions: &[crate::formats::VersionRef]) -> Hash {
    let mut field = Vec::with_capacity(versions.len() * 32);
    for version in versions {
        field.extend_from_slice(&version.hash());
    }
    Preimage::new("openledger/datanets/1").bytes(&field).hash()
}

/// What the filer of a proof says of the escrow's state.
#[cw_serde]
#[derive(Default)]
pub struct Stated {
    /// Commitment of the root that is at fault.
    pub commit: Option<EpochCommit>,
    /// Session that is at fault.
    pub session: Option<SessionFacts>,
}

/// What the escrow is asked to confirm.
#[cw_serde]
pub struct Conviction {
    /// Node.
    pub node_id: u64,
    /// Denom.
    pub denom: String,
    /// (epoch, hash of its commitment): void it when it is not final.
    pub root: Option<(u64, HexBinary)>,
    /// (session, hash of its facts).
    pub session: Option<(u64, HexBinary)>,
    /// Name of the fault.
    pub fault: String,
}

/// Neighbouring chunks of a text with their paths.
#[cw_serde]
pub struct ChunkRange {
    /// Number of the first chunk.
    pub first: u64,
    /// One or two chunks of 1 KiB, the last of the text may be shorter.
    pub chunks: Vec<cosmwasm_std::Binary>,
    /// Path of each.
    pub paths: Vec<Vec<HexBinary>>,
}

/// A contribution as a sealed version holds it.
#[cw_serde]
pub struct ContributionAt {
    /// Which of the receipt's datanet versions.
    pub datanet: u32,
    /// The facts.
    pub facts: ContributionFacts,
    /// Position in the version tree.
    pub index: u64,
    /// Path.
    pub path: Vec<HexBinary>,
}

/// A leaf of an epoch's receipts tree with its place.
#[cw_serde]
pub struct ReceiptAt {
    /// Receipt's id (32 bytes).
    pub receipt_id: HexBinary,
    /// Session.
    pub session_id: u64,
    /// Sequence.
    pub sequence: u64,
    /// Fee.
    pub fee: Uint128,
    /// Position.
    pub index: u64,
    /// Path.
    pub path: Vec<SumStep>,
}

/// A leaf of a ledger with its place.
#[cw_serde]
pub struct LeafAt {
    /// The leaf.
    pub leaf: LedgerLeaf,
    /// Position.
    pub index: u64,
    /// Path.
    pub path: Vec<SumStep>,
}

/// A detail of a leaf with its place.
#[cw_serde]
pub struct DetailAt {
    /// The detail.
    pub detail: Detail,
    /// Position.
    pub index: u64,
    /// Path.
    pub path: Vec<SumStep>,
}

/// Where something stands in a sorted tree, or would stand: between two neighbours, of which one is
/// missing at either end. Both are missing only in an empty tree.
#[cw_serde]
pub enum Place<T> {
    /// Here.
    At(T),
    /// Nowhere.
    Absent {
        /// The last one before it.
        left: Option<T>,
        /// The first one after it.
        right: Option<T>,
    },
}

/// A one-step proof.
// A proof lives once, in one call: the size of its largest form costs nothing.
#[allow(clippy::large_enum_variant)]
#[cw_serde]
pub enum Fault {
    /// A piece of evidence whose bytes differ in answer and source. States: session.
    FalseSpan {
        /// The receipt.
        receipt: SignedReceipt,
        /// Root over the chunks of the answer's match text (32 bytes): leaf 0 of the evidence.
        answer_root: HexBinary,
        /// Bytes of the answer's match text.
        answer_len: u64,
        /// Path of leaf 0.
        header_path: Vec<HexBinary>,
        /// The piece.
        piece: EvidencePiece,
        /// Its position in the evidence, from 1.
        index: u64,
        /// Leaves of the evidence.
        count: u64,
        /// Its path.
        path: Vec<HexBinary>,
        /// The answer's chunks that hold the piece.
        answer: ChunkRange,
        /// The contribution.
        source: ContributionAt,
        /// Its chunks that hold the piece.
        text: ChunkRange,
    },
    /// A receipt whose fee, seed, height, model, datanets or shares do not follow from the pinned
    /// terms. States: session.
    Arithmetic {
        /// The receipt.
        receipt: SignedReceipt,
    },
    /// A fee below floor x tokens (D5). States: session.
    BelowFloor {
        /// The receipt.
        receipt: SignedReceipt,
    },
    /// A source that the receipt's versions do not hold, that was withdrawn more than the grace
    /// before, or whose licence forbids paid answers (D4). The referee asks the datanet contract.
    /// States: session.
    Citation {
        /// The receipt.
        receipt: SignedReceipt,
        /// A contribution among its shares.
        contribution_id: u64,
    },
    /// Two receipts for one request (S2). States: session.
    Equivocation {
        /// One.
        first: SignedReceipt,
        /// Another with the same session, node and sequence.
        second: SignedReceipt,
    },
    /// Two neighbouring receipts that are not in rising order of ids. States: commit.
    ReceiptOrder {
        /// The left one.
        first: ReceiptAt,
        /// Its right neighbour.
        second: ReceiptAt,
    },
    /// A receipt in the tree that the session did not settle in this epoch: of another epoch, outside
    /// of the log, or another one than the log holds. States: commit, session.
    ForeignReceipt {
        /// The receipt.
        receipt: ReceiptAt,
        /// What the session's log holds at its sequence, needed when the sequence was settled in this
        /// epoch.
        logged: Option<ReceiptAt>,
    },
    /// Two neighbouring leaves of the ledger that are not in rising order of accounts. States: commit.
    LedgerOrder {
        /// The left one.
        first: LeafAt,
        /// Its right neighbour.
        second: LeafAt,
    },
    /// A leaf of the previous ledger that shrank or vanished. States: commit.
    LeafShrank {
        /// In the previous ledger.
        before: LeafAt,
        /// In this one.
        after: Place<LeafAt>,
    },
    /// A leaf whose growth is not the sum of its details, or whose uses shrank. States: commit.
    LeafGrowth {
        /// In the previous ledger.
        before: Place<LeafAt>,
        /// In this one.
        after: LeafAt,
    },
    /// Two neighbouring details that are not in rising order. States: commit.
    DetailOrder {
        /// The leaf.
        leaf: LeafAt,
        /// The left one.
        first: DetailAt,
        /// Its right neighbour.
        second: DetailAt,
    },
    /// A detail whose receipt is not in the receipts tree. States: commit.
    DetailWithoutReceipt {
        /// The leaf.
        leaf: LeafAt,
        /// The detail.
        detail: DetailAt,
        /// Where the receipt would stand.
        receipt: Place<ReceiptAt>,
    },
    /// A detail that is not share x fee, or stands under another account than the contribution's.
    /// States: commit, session.
    DetailAmount {
        /// The leaf.
        leaf: LeafAt,
        /// The detail.
        detail: DetailAt,
        /// The receipt whose id the detail names.
        receipt: crate::formats::Receipt,
        /// The contribution; none for the commons.
        source: Option<ContributionAt>,
    },
    /// A share of a receipt that its owner's leaf does not list. States: commit, session.
    ShareMissing {
        /// The receipt.
        receipt: crate::formats::Receipt,
        /// Its place in the receipts tree.
        at: ReceiptAt,
        /// The share's contribution; none for the part without evidence.
        source: Option<ContributionAt>,
        /// The owner's leaf, or where it would stand.
        leaf: Place<LeafAt>,
        /// Where the detail would stand, when there is a leaf.
        detail: Option<Place<DetailAt>>,
    },
}

/// Why a proof proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// A field of a wrong form.
    #[error(transparent)]
    Format(#[from] crate::formats::FormatError),
    /// The proof needs a statement that was not made.
    #[error("the proof must state the {0} that it is about")]
    NotStated(&'static str),
    /// A document is for something else.
    #[error("the {document} is for another {field}")]
    WrongDomain {
        /// Document.
        document: &'static str,
        /// Field that differs.
        field: &'static str,
    },
    /// A signature that is not the pinned key's.
    #[error("the signature of the receipt is not that of the key pinned by its session")]
    BadSignature,
    /// A path that does not lead to its root.
    #[error("the path of the {0} does not lead to its root")]
    BadPath(&'static str),
    /// The documents are in order: nothing is wrong with them.
    #[error("this shows no fault: {0}")]
    NoFault(&'static str),
}

/// What a proof shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// Who is guilty.
    pub node_id: u64,
    /// What the escrow must confirm.
    pub conviction: Conviction,
    /// Names the guilt: punished once, whoever files it in whatever form. One per receipt for faults
    /// of receipts, one per commitment for faults of roots.
    pub guilt: Hash,
    /// What only the datanet contract can tell; none when the proof is complete.
    pub citation: Option<Citation>,
}

/// A source that a receipt cites, to be looked up.
#[derive(Debug, Clone, PartialEq)]
pub struct Citation {
    /// Contribution.
    pub contribution_id: u64,
    /// Versions that the receipt rests on.
    pub datanets: Vec<crate::formats::VersionRef>,
    /// Height of the receipt.
    pub height: u64,
}

/// Where a proof is judged.
pub struct Court<'a> {
    /// Chain id.
    pub chain_id: &'a str,
    /// Address of the escrow.
    pub escrow: &'a str,
    /// Verifies a canonical signature: digest, signature (64 bytes), key (33 bytes).
    pub verify: &'a dyn Fn(&Hash, &[u8], &[u8]) -> bool,
}

impl Fault {
    /// Decides whether the proof shows what it says, given that the statement is true.
    ///
    /// # Errors
    /// When anything is malformed, does not lead to its root, or is in order.
    pub fn judge(&self, court: &Court, stated: &Stated) -> Result<Judgement, FaultError> {
        let _ = (court, stated);
        Err(FaultError::NoFault("no proof is judged yet"))
    }
}
