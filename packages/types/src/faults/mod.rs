//! One-step proofs of faults (PROTOCOL F1): documents from which anyone sees that a node cheated,
//! without holding anything and without a vote.
//!
//! A proof is judged in two halves. [`Fault::judge`] is pure: it looks at signatures, paths and
//! arithmetic only, and trusts what the filer states of the escrow's state ([`Stated`]). The escrow
//! then confirms exactly that statement ([`Conviction`]), by hash, and refuses the whole transaction
//! when it differs. So the judge needs no queries, and the escrow needs to know no fault.
//!
//! # What is void
//! Faults of roots void the root. A fault of a receipt voids the root that settled the receipt: when
//! the session's newest settlement covers its sequence, that epoch's commitment must be stated too.
//! It is not left to the filer, for a node that accused itself would leave it out. The log's numbers
//! alone decide; a signed receipt that the log does not hold at its own sequence is an equivocation.
//!
//! # What is guilt
//! One guilt a receipt, whatever is wrong with it; one a (session, node, sequence) for equivocation;
//! one a commitment for all faults of a root. See [`receipt_guilt`], [`sequence_guilt`], [`root_guilt`].
//!
//! # Why an epoch without such a fault pays right
//! Receipts and leaves are sorted without repeats, every receipt of the tree was settled in it, and the
//! escrow counts that it holds as many as were. Every detail names one of them, is its share and stands under its
//! owner; every share has its detail. Every leaf is its predecessor grown by its details, and none
//! vanished. The escrow binds the ledger's growth to the settled data part, so the dust is what is
//! left: it needs no proof of its own.
//!
//! # What cannot be proved in one step
//! - A blob whose bytes are not its root's leaves, or a root over hashes whose leaves nobody knows:
//!   auditors do not attest it (L6). Sums and numbers of leaves that do not fit the hash are provable
//!   ([`Fault::WrongRoot`]).
//! - Evidence that is withheld, or whose header nobody can open: a voted fault.
//! - A receipt that only the payer has seen and that the payer keeps: what node and payer settle
//!   between themselves is theirs.
//! - A receipt of a session that does not exist or does not name the node: the escrow cannot state it.
//!   The receipt that it displaces is missing, which is no proof either, for a verdict may have taken a
//!   receipt out of the root that replaces a void one.
//! - The newest receipts of a session in an older root than the one that holds them: it may be the void
//!   root that was replaced.
//! - Datanets of a session of the first release, which pinned none. Roots of the first release are
//!   sorted by (session, sequence): the escrow must not confirm them.
//! - The upper bound of a receipt's height, once the settlement is past.

mod entries;
mod facts;
#[cfg(not(target_arch = "wasm32"))]
pub mod find;
mod judge;
mod place;
#[cfg(not(target_arch = "wasm32"))]
pub mod proofs;
mod receipts;
mod roots;
mod span;

pub use facts::{datanets_hash, SessionFacts};

use cosmwasm_schema::cw_serde;
use cosmwasm_std::{HexBinary, Uint128};
use openledger_merkle::Hash;

use crate::api::EvidencePiece;
use crate::encode::Preimage;
use crate::formats::{ContributionFacts, Detail, EpochCommit, LedgerLeaf, SignedReceipt};
use crate::packed::{HashPath, SumPath};

/// Guilt of a receipt, whatever is wrong with it.
///
/// `openledger/guilt/1`: `receipt` text, receipt id.
pub fn receipt_guilt(receipt_id: &Hash) -> Hash {
    Preimage::new("openledger/guilt/1").text("receipt").bytes(receipt_id).hash()
}

/// Guilt of two receipts for one request.
///
/// `openledger/guilt/1`: `sequence` text, session u64, node u64, sequence u64.
pub fn sequence_guilt(session_id: u64, node_id: u64, sequence: u64) -> Hash {
    Preimage::new("openledger/guilt/1").text("sequence").u64(session_id).u64(node_id).u64(sequence).hash()
}

/// Guilt of a root, whatever is wrong with it.
///
/// `openledger/guilt/1`: `root` text, hash of the commitment.
pub fn root_guilt(commit: &Hash) -> Hash {
    Preimage::new("openledger/guilt/1").text("root").bytes(commit).hash()
}

/// What the filer of a proof says of the escrow's state.
#[cw_serde]
#[derive(Default)]
pub struct Stated {
    /// Commitment of the root that is at fault, or that settled the receipt at fault.
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
    pub paths: Vec<HashPath>,
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
    pub path: HashPath,
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
    pub path: SumPath,
}

/// A leaf of a ledger with its place.
#[cw_serde]
pub struct LeafAt {
    /// The leaf.
    pub leaf: LedgerLeaf,
    /// Position.
    pub index: u64,
    /// Path.
    pub path: SumPath,
}

/// A detail of a leaf with its place.
#[cw_serde]
pub struct DetailAt {
    /// The detail.
    pub detail: Detail,
    /// Position.
    pub index: u64,
    /// Path.
    pub path: SumPath,
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

/// A leaf of one of an epoch's trees.
// As with proofs: one a call.
#[allow(clippy::large_enum_variant)]
#[cw_serde]
pub enum Rooted {
    /// None: the receipts or the ledger state that they hold nothing.
    Nothing {},
    /// Of the receipts.
    Receipt(
        /// The receipt's leaf.
        ReceiptAt,
    ),
    /// Of the ledger.
    Leaf(
        /// The leaf.
        LeafAt,
    ),
    /// Of a leaf's details.
    Detail {
        /// The leaf.
        leaf: LeafAt,
        /// Its detail.
        detail: DetailAt,
    },
}

/// A one-step proof.
// A proof lives once, in one call: the size of its largest form costs nothing.
#[allow(clippy::large_enum_variant)]
#[cw_serde]
pub enum Fault {
    /// A piece of evidence whose bytes differ in answer and source, that reaches beyond either text,
    /// or that has no or too many bytes. States: session, and the commitment when settled last.
    FalseSpan {
        /// The receipt.
        receipt: SignedReceipt,
        /// Root over the chunks of the answer's match text (32 bytes): leaf 0 of the evidence.
        answer_root: HexBinary,
        /// Bytes of the answer's match text.
        answer_len: u64,
        /// Path of leaf 0.
        header_path: HashPath,
        /// The piece.
        piece: EvidencePiece,
        /// Its position in the evidence, from 1.
        index: u64,
        /// Leaves of the evidence, as the filer counts them.
        count: u64,
        /// Its path.
        path: HashPath,
        /// The answer's chunks that hold the piece.
        answer: ChunkRange,
        /// The contribution.
        source: ContributionAt,
        /// Its chunks that hold the piece.
        text: ChunkRange,
    },
    /// A receipt whose fee, seed, height, model, datanets or shares do not follow from the pinned
    /// terms. States: session, and the commitment when settled last.
    Arithmetic {
        /// The receipt.
        receipt: SignedReceipt,
    },
    /// A fee below floor x tokens of the answer (D5). States: session, and the commitment when settled
    /// last.
    BelowFloor {
        /// The receipt.
        receipt: SignedReceipt,
    },
    /// A source that the receipt's versions do not hold, that was withdrawn more than the grace
    /// before, or whose licence forbids paid answers (D4). The referee asks the datanet contract.
    /// States: session, and the commitment when settled last.
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
    /// A receipt in the tree that the session did not settle in this epoch: of another epoch or denom,
    /// outside of the log, or another one than the log holds. States: commit, session.
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
    /// A leaf whose growth is not the sum of its details, or whose uses shrank or grew by more than it
    /// has details. States: commit.
    LeafGrowth {
        /// In the previous ledger.
        before: Place<LeafAt>,
        /// In this one.
        after: LeafAt,
    },
    /// A root whose hash stands for another sum or number of leaves than it states, so that nobody
    /// could prove or claim anything from it. States: commit.
    WrongRoot {
        /// A leaf under the hash.
        of: Rooted,
        /// Leaves of a tree in which its path leads to the hash; any number for [`Rooted::Nothing`].
        size: u64,
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
    /// A detail whose receipt is not in the receipts tree; a detail with a receipt id of zeros outside
    /// of the dust leaf, or any other in it, whatever the place. States: commit.
    DetailWithoutReceipt {
        /// The leaf.
        leaf: LeafAt,
        /// The detail.
        detail: DetailAt,
        /// Where the receipt would stand.
        receipt: Place<ReceiptAt>,
    },
    /// A detail that is not share x fee, stands under another account than the contribution's, or
    /// names a receipt of another node or of no valid form. States: commit; session when the receipt
    /// is this node's.
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
    /// A share of a receipt that its owner's leaf does not list, unless its amount is 0; or a receipt
    /// in the tree, signed or not, that says something else than its leaf, is another node's, or does
    /// not follow from the pinned terms. States: commit; session when the receipt is this node's and
    /// says what its leaf says.
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

/// A proof as it is filed.
#[cw_serde]
pub struct FiledFault {
    /// What it states of the escrow.
    pub stated: Stated,
    /// The proof.
    pub fault: Fault,
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
    /// Leaves that do not stand side by side, or around what they should surround.
    #[error("the neighbours of the {0} are not side by side around the place in question")]
    NotNeighbours(&'static str),
    /// Chunks that are not those of the piece.
    #[error("the chunks of the {0} are not those that hold the piece, each at its full length")]
    WrongChunks(&'static str),
    /// The documents are in order: nothing is wrong with them.
    #[error("this shows no fault: {0}")]
    NoFault(&'static str),
}

/// Guilty, or why not.
type Verdict = Result<(), FaultError>;

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

/// Verifies a canonical signature: digest, signature, key.
pub type Verify<'a> = dyn Fn(&Hash, &[u8], &[u8]) -> bool + 'a;

/// Where a proof is judged.
pub struct Court<'a> {
    /// Chain id.
    pub chain_id: &'a str,
    /// Address of the escrow.
    pub escrow: &'a str,
    /// Verifies a canonical signature: digest, signature (64 bytes), key (33 bytes).
    pub verify: &'a Verify<'a>,
}

/// A fault of a root that is being judged.
struct RootCase<'a> {
    court: &'a Court<'a>,
    stated: &'a Stated,
    commit: &'a EpochCommit,
    /// Whether the verdict rests on the stated session.
    rests_on_session: bool,
}
