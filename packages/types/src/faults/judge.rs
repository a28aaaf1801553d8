//! From a proof to a judgement.

use cosmwasm_std::HexBinary;
use openledger_merkle::Hash;

use super::entries::{self, Unpaid};
use super::receipts::{self, signed};
use super::roots;
use super::span::Span;
use super::{
    receipt_guilt, root_guilt, sequence_guilt, Citation, Conviction, Court, Fault, FaultError, Judgement,
    RootCase, SessionFacts, Stated, Verdict,
};
use crate::formats::{EpochCommit, Receipt};

impl Fault {
    /// Its name, as convictions and events carry it.
    pub fn name(&self) -> &'static str {
        match self {
            Fault::FalseSpan { .. } => "false_span",
            Fault::Arithmetic { .. } => "arithmetic",
            Fault::BelowFloor { .. } => "below_floor",
            Fault::Citation { .. } => "citation",
            Fault::Equivocation { .. } => "equivocation",
            Fault::ReceiptOrder { .. } => "receipt_order",
            Fault::ForeignReceipt { .. } => "foreign_receipt",
            Fault::LedgerOrder { .. } => "ledger_order",
            Fault::LeafShrank { .. } => "leaf_shrank",
            Fault::LeafGrowth { .. } => "leaf_growth",
            Fault::WrongRoot { .. } => "wrong_root",
            Fault::DetailOrder { .. } => "detail_order",
            Fault::DetailWithoutReceipt { .. } => "detail_without_receipt",
            Fault::DetailAmount { .. } => "detail_amount",
            Fault::ShareMissing { .. } => "share_missing",
        }
    }

    /// Decides whether the proof shows what it says, given that the statement is true.
    ///
    /// # Errors
    /// When anything is malformed, does not lead to its root, or is in order.
    pub fn judge(&self, court: &Court, stated: &Stated) -> Result<Judgement, FaultError> {
        let of_receipt = |receipt: &Receipt, facts: &SessionFacts, verdict: Verdict| {
            verdict?;
            let root = settled_root(court, stated, facts, receipt.sequence)?;
            Ok(self.judgement_of_session(facts, root, receipt_guilt(&receipt.digest())))
        };
        match self {
            Fault::FalseSpan {
                receipt,
                answer_root,
                answer_len,
                header_path,
                piece,
                index,
                count,
                path,
                answer,
                source,
                text,
            } => {
                let facts = signed(court, stated, receipt)?;
                let receipt = &receipt.receipt;
                let span = Span {
                    receipt,
                    answer_root,
                    answer_len: *answer_len,
                    header_path,
                    piece,
                    index: *index,
                    count: *count,
                    path,
                    answer,
                    source,
                    text,
                };
                of_receipt(receipt, facts, span.is_false())
            }
            Fault::Arithmetic { receipt } => {
                let facts = signed(court, stated, receipt)?;
                of_receipt(&receipt.receipt, facts, receipts::arithmetic(&receipt.receipt, facts))
            }
            Fault::BelowFloor { receipt } => {
                let facts = signed(court, stated, receipt)?;
                of_receipt(&receipt.receipt, facts, receipts::below_floor(&receipt.receipt, facts))
            }
            Fault::Citation { receipt, contribution_id } => {
                let facts = signed(court, stated, receipt)?;
                let receipt = &receipt.receipt;
                let judgement = of_receipt(receipt, facts, receipts::citation(receipt, *contribution_id))?;
                let citation = Citation {
                    contribution_id: *contribution_id,
                    datanets: receipt.datanets.clone(),
                    height: receipt.height,
                };
                Ok(Judgement { citation: Some(citation), ..judgement })
            }
            Fault::Equivocation { first, second } => {
                let facts = signed(court, stated, first)?;
                signed(court, stated, second)?;
                receipts::equivocation(&first.receipt, &second.receipt)?;
                let guilt = sequence_guilt(facts.session_id, facts.node_id, first.receipt.sequence);
                // Which of the two was settled, if any, is not told: no root rests on it.
                Ok(self.judgement_of_session(facts, None, guilt))
            }
            _ => self.judge_root(court, stated),
        }
    }

    fn judge_root(&self, court: &Court, stated: &Stated) -> Result<Judgement, FaultError> {
        let commit = commitment(court, stated)?;
        let mut case = RootCase { court, stated, commit, rests_on_session: false };
        match self {
            Fault::ReceiptOrder { first, second } => roots::receipt_order(&case, first, second),
            Fault::ForeignReceipt { receipt, logged } => {
                roots::foreign_receipt(&mut case, receipt, logged.as_ref())
            }
            Fault::LedgerOrder { first, second } => roots::ledger_order(&case, first, second),
            Fault::LeafShrank { before, after } => roots::leaf_shrank(&case, before, after),
            Fault::LeafGrowth { before, after } => roots::leaf_growth(&case, before, after),
            Fault::WrongRoot { of, size } => roots::wrong_root(&case, of, *size),
            Fault::DetailOrder { leaf, first, second } => entries::detail_order(&case, leaf, first, second),
            Fault::DetailWithoutReceipt { leaf, detail, receipt } => {
                entries::detail_without_receipt(&case, leaf, detail, receipt)
            }
            Fault::DetailAmount { leaf, detail, receipt, source } => {
                entries::detail_amount(&mut case, leaf, detail, receipt, source.as_ref())
            }
            Fault::ShareMissing { receipt, at, source, leaf, detail } => {
                let (source, detail) = (source.as_ref(), detail.as_ref());
                entries::share_missing(&mut case, &Unpaid { receipt, at, source, leaf, detail })
            }
            // Faults of receipts name no root; `judge` has taken them.
            Fault::FalseSpan { .. }
            | Fault::Arithmetic { .. }
            | Fault::BelowFloor { .. }
            | Fault::Citation { .. }
            | Fault::Equivocation { .. } => Err(FaultError::NotStated("root")),
        }?;
        let hash = commit.hash();
        let session = stated.session.as_ref().filter(|_| case.rests_on_session);
        Ok(Judgement {
            node_id: commit.node_id,
            conviction: Conviction {
                node_id: commit.node_id,
                denom: commit.denom.clone(),
                root: Some((commit.epoch, HexBinary::from(&hash))),
                session: session.map(|facts| (facts.session_id, HexBinary::from(&facts.hash()))),
                fault: self.name().into(),
            },
            guilt: root_guilt(&hash),
            citation: None,
        })
    }

    fn judgement_of_session(
        &self,
        facts: &SessionFacts,
        root: Option<(u64, HexBinary)>,
        guilt: Hash,
    ) -> Judgement {
        Judgement {
            node_id: facts.node_id,
            conviction: Conviction {
                node_id: facts.node_id,
                denom: facts.denom.clone(),
                root,
                session: Some((facts.session_id, HexBinary::from(&facts.hash()))),
                fault: self.name().into(),
            },
            guilt,
            citation: None,
        }
    }
}

impl<'a> RootCase<'a> {
    /// The stated session of the root's node, on which the verdict rests from here on.
    pub(super) fn session(&mut self) -> Result<&'a SessionFacts, FaultError> {
        let facts = self.stated.session.as_ref().ok_or(FaultError::NotStated("session"))?;
        if facts.node_id != self.commit.node_id {
            return Err(FaultError::WrongDomain { document: "session", field: "node" });
        }
        self.rests_on_session = true;
        Ok(facts)
    }
}

/// The stated commitment, which must be of this escrow.
fn commitment<'a>(court: &Court, stated: &'a Stated) -> Result<&'a EpochCommit, FaultError> {
    let commit = stated.commit.as_ref().ok_or(FaultError::NotStated("commitment"))?;
    let differs =
        [("chain", commit.chain_id != court.chain_id), ("contract", commit.contract != court.escrow)];
    match differs.iter().find(|(_, differs)| *differs) {
        Some((field, _)) => Err(FaultError::WrongDomain { document: "commitment", field }),
        None => Ok(commit),
    }
}

/// The root that settled this sequence, when the session's newest settlement did: no path is needed,
/// since the log's numbers tell it.
fn settled_root(
    court: &Court,
    stated: &Stated,
    facts: &SessionFacts,
    sequence: u64,
) -> Result<Option<(u64, HexBinary)>, FaultError> {
    if facts.settled_epoch == 0 || sequence <= facts.settled_from || sequence > facts.log.count {
        return Ok(None);
    }
    let commit = commitment(court, stated)?;
    let differs = [
        ("node", commit.node_id != facts.node_id),
        ("denom", commit.denom != facts.denom),
        ("epoch", commit.epoch != facts.settled_epoch),
    ];
    match differs.iter().find(|(_, differs)| *differs) {
        Some((field, _)) => Err(FaultError::WrongDomain { document: "commitment", field }),
        None => Ok(Some((commit.epoch, HexBinary::from(&commit.hash())))),
    }
}
