//! A one-step proof as `ProveFault` carries it (docs/formats.md, Packed): most of it is hashes, which
//! JSON would write at twice their length.

use super::{packed_text, PackError, Packed, Part, Parts, Writer};
use crate::api::EvidencePiece;
use crate::faults::{
    ChunkRange, ContributionAt, DetailAt, Fault, FiledFault, LeafAt, Place, ReceiptAt, Rooted, SessionFacts,
    Stated,
};
use crate::formats::{
    Account, BlobRef, ContributionFacts, Decoding, Detail, EpochCommit, LedgerLeaf, Outcome, Priority,
    Receipt, Share, SignedReceipt, Uses, VersionRef,
};
use crate::parts;

packed_text! {
    /// A proof with what it states of the escrow: base64 of its fields in order (docs/formats.md,
    /// Packed).
    pub struct Proof(pub FiledFault);
}

impl From<FiledFault> for Proof {
    fn from(filed: FiledFault) -> Self {
        Proof(filed)
    }
}

impl Packed for Proof {
    fn pack(&self) -> Vec<u8> {
        self.0.pack()
    }

    fn unpack(bytes: &[u8]) -> Result<Self, PackError> {
        FiledFault::unpack(bytes).map(Proof)
    }
}

parts! {
    struct FiledFault { stated, fault }
    struct Stated { commit, session }
    struct EpochCommit {
        chain_id, contract, node_id, denom, epoch, previous, receipts, ledger, leaves_blob, receipts_blob,
    }
    struct SessionFacts {
        session_id, node_id, node_key, denom, model_id, model_version, datanets_hash, price_in, price_out,
        min_fee, floor_per_token, data_bps, opened_at, log, settled_from, settled_epoch,
    }
    struct BlobRef { root, len }
    struct SignedReceipt { receipt, signature }
    struct Receipt {
        chain_id, contract, node_id, session_id, sequence, height, request_hash, answer_root, answer_len,
        model_id, model_version, datanets, tokens_in, tokens_out, fee, decoding, seed, commit_scheme,
        commit_root, signature_scheme, signature_root, evidence_root, outcome, shares, no_evidence,
    }
    struct VersionRef { datanet_id, version, root, size }
    struct Decoding { temperature_milli, top_k, top_p_milli, max_tokens }
    enum Outcome { 1 = Stop, 2 = Length, 3 = Cancelled }
    struct Share { contribution_id, bps }
    struct EvidencePiece { answer_start, len, contribution_id, source_start }
    struct ChunkRange { first, chunks, paths }
    struct ContributionAt { datanet, facts, index, path }
    struct ContributionFacts {
        datanet_id, contribution_id, contributor, priority, content_root, content_len, match_root,
        match_len, match_hash, blob, media, license, uses,
    }
    struct Priority { height, tx_index }
    struct LedgerLeaf { account, cumulative, uses, detail }
    struct Detail { receipt_id, contribution_id, amount }
    struct ReceiptAt { receipt_id, session_id, sequence, fee, index, path }
    struct LeafAt { leaf, index, path }
    struct DetailAt { detail, index, path }
    enum Fault {
        0 = FalseSpan {
            receipt, answer_root, answer_len, header_path, piece, index, count, path, answer, source, text,
        },
        1 = Arithmetic { receipt },
        2 = BelowFloor { receipt },
        3 = Citation { receipt, contribution_id },
        4 = Equivocation { first, second },
        5 = ReceiptOrder { first, second },
        6 = ForeignReceipt { receipt, logged },
        7 = LedgerOrder { first, second },
        8 = LeafShrank { before, after },
        9 = LeafGrowth { before, after },
        10 = WrongRoot { of, size },
        11 = DetailOrder { leaf, first, second },
        12 = DetailWithoutReceipt { leaf, detail, receipt },
        13 = DetailAmount { leaf, detail, receipt, source },
        14 = ShareMissing { receipt, at, source, leaf, detail },
    }
}

/// The code of the leaf.
impl Part for Uses {
    fn write(&self, out: &mut Writer) {
        out.u8(self.code());
    }

    fn read(rest: &mut Parts, field: &'static str) -> Self {
        Uses::from_code(rest.u8(field)).unwrap_or_else(|| {
            rest.fail(PackError::Unknown(field));
            Uses::ALL
        })
    }
}

/// The code of the hash, then the address of a contributor.
impl Part for Account {
    fn write(&self, out: &mut Writer) {
        out.u8(self.code());
        if let Account::Contributor(address) = self {
            out.text(address);
        }
    }

    fn read(rest: &mut Parts, field: &'static str) -> Self {
        match rest.u8(field) {
            0 => return Account::Commons,
            1 => return Account::Dust,
            2 => return Account::Contributor(Part::read(rest, field)),
            _ => rest.fail(PackError::Unknown(field)),
        }
        Account::Commons
    }
}

/// 0 and what stands there, or 1 and the neighbours.
impl<T: Part> Part for Place<T> {
    fn write(&self, out: &mut Writer) {
        match self {
            Place::At(found) => {
                out.u8(0);
                found.write(out);
            }
            Place::Absent { left, right } => {
                out.u8(1);
                left.write(out);
                right.write(out);
            }
        }
    }

    fn read(rest: &mut Parts, field: &'static str) -> Self {
        match bool::read(rest, field) {
            false => Place::At(T::read(rest, field)),
            true => Place::Absent { left: Part::read(rest, field), right: Part::read(rest, field) },
        }
    }
}

/// 0 for nothing, 1 and a receipt, 2 and a leaf, 3 and a leaf with one of its details.
impl Part for Rooted {
    fn write(&self, out: &mut Writer) {
        match self {
            Rooted::Nothing {} => out.u8(0),
            Rooted::Receipt(receipt) => {
                out.u8(1);
                receipt.write(out);
            }
            Rooted::Leaf(leaf) => {
                out.u8(2);
                leaf.write(out);
            }
            Rooted::Detail { leaf, detail } => {
                out.u8(3);
                leaf.write(out);
                detail.write(out);
            }
        }
    }

    fn read(rest: &mut Parts, field: &'static str) -> Self {
        match rest.u8(field) {
            0 => return Rooted::Nothing {},
            1 => return Rooted::Receipt(Part::read(rest, field)),
            2 => return Rooted::Leaf(Part::read(rest, field)),
            3 => return Rooted::Detail { leaf: Part::read(rest, field), detail: Part::read(rest, field) },
            _ => rest.fail(PackError::Unknown(field)),
        }
        Rooted::Nothing {}
    }
}
