//! Finding faults: an auditor recomputes an epoch from its blobs and gets the proofs of what is wrong.

use std::collections::{BTreeMap, BTreeSet};

use cosmwasm_std::HexBinary;
use openledger_merkle::ZERO_HASH;

use super::entries;
use super::proofs::{detail_root, LedgerTree, ReceiptTree};
use super::receipts::breaks_terms;
use super::{ContributionAt, Court, Fault, FiledFault, Rooted, SessionFacts, Stated};
use crate::formats::{
    Account, Detail, EpochCommit, LedgerBlob, LedgerEntry, LedgerLeaf, Receipt, ReceiptsBlob, SignedReceipt,
    SumRoot,
};

/// The documents of an epoch.
#[derive(Clone, Copy)]
pub struct Epoch<'a> {
    /// What the chain holds.
    pub commit: &'a EpochCommit,
    /// The blob of leaves.
    pub ledger: &'a LedgerBlob,
    /// The blob of receipts.
    pub receipts: &'a ReceiptsBlob,
    /// The blob of leaves of the ledger before.
    pub previous: &'a LedgerBlob,
}

/// What an auditor knows beside the blobs. Where it knows nothing, nothing is found.
pub trait Known {
    /// What the escrow states of a session and this node.
    fn session(&self, session_id: u64) -> Option<SessionFacts>;

    /// Receipts of a session with this node from the first on, as many as are known.
    fn log(&self, session_id: u64) -> Vec<Receipt>;

    /// Another commitment of the same node and denom.
    fn commitment(&self, epoch: u64) -> Option<EpochCommit>;

    /// A contribution in one of the receipt's versions.
    fn source(&self, receipt: &Receipt, contribution_id: u64) -> Option<ContributionAt>;
}

/// What an audit found. An epoch is right only when both lists are empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Findings {
    /// Proofs, each judged.
    pub faults: Vec<FiledFault>,
    /// What is wrong and cannot be proved in one step: do not attest the root.
    pub unproved: Vec<String>,
}

/// Recomputes an epoch and returns whatever is wrong with it.
pub fn audit_epoch(court: &Court, epoch: &Epoch, known: &dyn Known) -> Findings {
    let trees = (
        ReceiptTree::new(epoch.receipts.receipts.iter().map(|signed| &signed.receipt)),
        LedgerTree::new(epoch.ledger),
        LedgerTree::new(epoch.previous),
    );
    let (Some(receipts), Some(ledger), Some(previous)) = trees else {
        let unproved = vec!["the amounts of a blob overflow".into()];
        return Findings { faults: vec![], unproved };
    };
    let mut audit = Audit {
        court,
        epoch: *epoch,
        known,
        receipts,
        ledger,
        previous,
        sessions: BTreeMap::new(),
        logs: BTreeMap::new(),
        findings: Findings::default(),
    };
    audit.roots();
    audit.order();
    audit.receipts();
    audit.leaves();
    audit.details();
    audit.shares();
    audit.findings
}

struct Audit<'a> {
    court: &'a Court<'a>,
    epoch: Epoch<'a>,
    known: &'a dyn Known,
    receipts: ReceiptTree,
    ledger: LedgerTree<'a>,
    previous: LedgerTree<'a>,
    sessions: BTreeMap<u64, Option<SessionFacts>>,
    logs: BTreeMap<u64, Option<ReceiptTree>>,
    findings: Findings,
}

impl Audit<'_> {
    fn session(&mut self, session_id: u64) -> Option<SessionFacts> {
        let known = self.known;
        self.sessions.entry(session_id).or_insert_with(|| known.session(session_id)).clone()
    }

    /// Takes a proof in if it is one.
    fn propose(&mut self, fault: Fault, session: Option<SessionFacts>) -> bool {
        let commit = Some(self.epoch.commit.clone());
        self.propose_for(fault, Stated { commit, session })
    }

    /// Takes a proof against one receipt in if it is one: it is about the root that settled it.
    fn propose_receipt(&mut self, fault: Fault, session: SessionFacts) -> bool {
        let commit = match session.settled_epoch == self.epoch.commit.epoch {
            true => Some(self.epoch.commit.clone()),
            false => self.known.commitment(session.settled_epoch),
        };
        self.propose_for(fault, Stated { commit, session: Some(session) })
    }

    fn propose_for(&mut self, fault: Fault, stated: Stated) -> bool {
        let proved = fault.judge(self.court, &stated).is_ok();
        if proved {
            self.findings.faults.push(FiledFault { stated, fault });
        }
        proved
    }

    /// Takes a proof in, or notes that there is none for what is wrong.
    fn charge(
        &mut self,
        fault: Option<Fault>,
        session: Option<SessionFacts>,
        wrong: impl FnOnce() -> String,
    ) {
        if !fault.is_some_and(|fault| self.propose(fault, session)) {
            self.findings.unproved.push(wrong());
        }
    }

    /// Roots that are not those of their blobs.
    fn roots(&mut self) {
        let commit = self.epoch.commit;
        if self.previous.root() != commit.previous {
            self.findings.unproved.push("the ledger before is not the one that the commitment names".into());
        }
        let pairs = [(self.receipts.root(), &commit.receipts), (self.ledger.root(), &commit.ledger)];
        for (number, (found, told)) in pairs.into_iter().enumerate() {
            if found == *told {
                continue;
            }
            let mut proofs = (0..found.count).filter_map(|index| match number {
                0 => self.receipts.at(index).map(Rooted::Receipt),
                _ => self.ledger.at(index).map(Rooted::Leaf),
            });
            let of = self.misstated(&mut proofs, &found, told);
            drop(proofs);
            self.charge(of, None, || "a root is not that of the blob's entries".into());
        }
        for (index, entry) in (0..).zip(&self.epoch.ledger.leaves) {
            let found = detail_root(&entry.details);
            if found.as_ref() == Some(&entry.leaf.detail) {
                continue;
            }
            let size = found.as_ref().map_or(0, |root| root.count);
            let mut proofs = (0..size).filter_map(|number| {
                let (leaf, detail) = (self.ledger.at(index)?, self.ledger.detail(index, number)?);
                Some(Rooted::Detail { leaf, detail })
            });
            let found = found.unwrap_or_else(SumRoot::empty);
            let of = self.misstated(&mut proofs, &found, &entry.leaf.detail);
            drop(proofs);
            // Without details the leaf's growth proves it.
            if found.count > 0 || of.is_some() {
                self.charge(of, None, || {
                    format!("the details of {:?} are not its root's", entry.leaf.account)
                });
            }
        }
    }

    /// The proof that a root misstates its sum or number of leaves.
    fn misstated(
        &self,
        proofs: &mut dyn Iterator<Item = Rooted>,
        found: &SumRoot,
        told: &SumRoot,
    ) -> Option<Fault> {
        if found.hash != told.hash && told.count > 0 {
            return None;
        }
        let stated = Stated { commit: Some(self.epoch.commit.clone()), session: None };
        let nothing = std::iter::once(Rooted::Nothing {});
        nothing
            .chain(proofs)
            .map(|of| Fault::WrongRoot { of, size: found.count })
            .find(|fault| fault.judge(self.court, &stated).is_ok())
    }

    /// Neighbours out of order.
    fn order(&mut self) {
        let (epoch, mut found) = (self.epoch, vec![]);
        let last = |length: usize| (length as u64).saturating_sub(1);
        for index in 0..last(epoch.receipts.receipts.len()) {
            if let (Some(first), Some(second)) = (self.receipts.at(index), self.receipts.at(index + 1)) {
                if first.receipt_id >= second.receipt_id {
                    found.push(Fault::ReceiptOrder { first, second });
                }
            }
        }
        for (index, pair) in (0..).zip(epoch.ledger.leaves.windows(2)) {
            let [a, b] = pair else { continue };
            if a.leaf.account >= b.leaf.account {
                if let (Some(first), Some(second)) = (self.ledger.at(index), self.ledger.at(index + 1)) {
                    found.push(Fault::LedgerOrder { first, second });
                }
            }
        }
        for (index, entry) in (0..).zip(&epoch.ledger.leaves) {
            for (number, pair) in (0..).zip(entry.details.windows(2)) {
                let [a, b] = pair else { continue };
                let key = |detail: &Detail| (detail.receipt_id.to_vec(), detail.contribution_id);
                if key(a) < key(b) {
                    continue;
                }
                let details = (self.ledger.detail(index, number), self.ledger.detail(index, number + 1));
                if let (Some(leaf), (Some(first), Some(second))) = (self.ledger.at(index), details) {
                    found.push(Fault::DetailOrder { leaf, first, second });
                }
            }
        }
        for fault in found {
            self.propose(fault, None);
        }
    }

    /// Receipts that break their terms or that the session did not settle here.
    fn receipts(&mut self) {
        let mut seen = BTreeMap::new();
        let epoch = self.epoch;
        for (index, signed) in (0..).zip(&epoch.receipts.receipts) {
            let receipt = &signed.receipt;
            let (id, session_id) = (receipt.digest(), receipt.session_id);
            let first = seen.entry((session_id, receipt.sequence)).or_insert(signed);
            let (first, repeated) = (*first, first.receipt != *receipt);
            let Some(facts) = self.session(session_id) else {
                let id = HexBinary::from(&id);
                let note = format!("receipt {id} is of session {session_id}, of which nothing is known");
                self.findings.unproved.push(note);
                continue;
            };
            if repeated {
                let fault = Fault::Equivocation { first: first.clone(), second: signed.clone() };
                self.propose_receipt(fault, facts.clone());
            }
            let broken = breaks_terms(receipt, &facts);
            if broken {
                let unpaid = self.unpaid(receipt, index, None, &Account::Commons);
                let fault = Fault::Arithmetic { receipt: signed.clone() };
                let signed = self.propose_receipt(fault, facts.clone());
                // Whoever signed it or not, it stands in the node's tree.
                let listed = unpaid.is_some_and(|fault| self.propose(fault, Some(facts.clone())));
                if !signed && !listed {
                    let note = format!("receipt {} breaks its terms", HexBinary::from(&id));
                    self.findings.unproved.push(note);
                }
            } else if !is_signed(self.court, &facts, signed) {
                let note = format!("receipt {} is not signed by its node", HexBinary::from(&id));
                self.findings.unproved.push(note);
            }
            self.propose_receipt(Fault::BelowFloor { receipt: signed.clone() }, facts.clone());
            let logged = receipt.sequence.checked_sub(1).and_then(|number| self.log(session_id)?.at(number));
            if let Some(receipt) = self.receipts.at(index) {
                self.propose(Fault::ForeignReceipt { receipt, logged }, Some(facts));
            }
        }
    }

    fn log(&mut self, session_id: u64) -> Option<&ReceiptTree> {
        let known = self.known;
        let log = self.logs.entry(session_id).or_insert_with(|| ReceiptTree::new(&known.log(session_id)));
        log.as_ref()
    }

    /// Leaves that shrank, vanished, or grew by something else than their details.
    fn leaves(&mut self) {
        let epoch = self.epoch;
        let leaves = |blob: &LedgerBlob| -> BTreeMap<Account, LedgerLeaf> {
            let leaf = |entry: &LedgerEntry| (entry.leaf.account.clone(), entry.leaf.clone());
            blob.leaves.iter().map(leaf).collect()
        };
        let (old, new) = (leaves(epoch.previous), leaves(epoch.ledger));
        for (index, entry) in (0..).zip(&epoch.previous.leaves) {
            let before = &entry.leaf;
            let kept = new
                .get(&before.account)
                .is_some_and(|after| after.cumulative >= before.cumulative && after.uses >= before.uses);
            if let (false, Some(before)) = (kept, self.previous.at(index)) {
                let after = self.ledger.place(&before.leaf.account);
                self.propose(Fault::LeafShrank { before, after }, None);
            }
        }
        for (index, entry) in (0..).zip(&epoch.ledger.leaves) {
            let after = &entry.leaf;
            let before = old.get(&after.account);
            let cumulative = before.map_or(0, |before| before.cumulative.u128());
            let uses = before.map_or(0, |before| before.uses);
            let grown = after.cumulative.u128().checked_sub(cumulative);
            let used = after.uses.checked_sub(uses);
            let told = (grown, used) == (Some(after.detail.sum.u128()), Some(uses_of(&entry.details)));
            let empty = after.detail.count == 0;
            let well_formed = after.detail.hash.len() == 32 && (!empty || after.detail == SumRoot::empty());
            if told && well_formed {
                continue;
            }
            let before = self.previous.place(&after.account);
            let account = &after.account;
            let fault = self.ledger.at(index).map(|after| Fault::LeafGrowth { before, after });
            self.charge(fault, None, || format!("the uses of {account:?} are not those of its details"));
        }
    }

    /// Details that their receipts do not lead to.
    fn details(&mut self) {
        let epoch = self.epoch;
        let receipts: BTreeMap<Vec<u8>, &Receipt> =
            epoch.receipts.receipts.iter().map(|r| (r.receipt.digest().to_vec(), &r.receipt)).collect();
        for (index, entry) in (0..).zip(&epoch.ledger.leaves) {
            let account = &entry.leaf.account;
            for (number, detail) in (0..).zip(&entry.details) {
                let id = detail.receipt_id.as_slice();
                let is_dust = id == ZERO_HASH && detail.contribution_id == 0;
                let in_dust = *account == Account::Dust;
                if is_dust && in_dust {
                    continue;
                }
                let receipt = receipts.get(id).filter(|_| !in_dust && id != ZERO_HASH);
                let (session, source, owner) = match receipt {
                    None => (None, None, None),
                    Some(receipt) => {
                        let Some(facts) = self.session(receipt.session_id) else { continue };
                        let owner = self.owner(receipt, detail.contribution_id);
                        let right = owed(&facts, receipt, detail.contribution_id)
                            == Some(detail.amount.u128())
                            && owner.as_ref().is_some_and(|(_, owner)| owner == account);
                        if right {
                            continue;
                        }
                        let (source, owner) = owner.unzip();
                        (Some(facts), source.flatten(), owner)
                    }
                };
                let places = (self.ledger.at(index), self.ledger.detail(index, number));
                let (Some(leaf), Some(at)) = places else { continue };
                let fault = match receipt {
                    Some(receipt) => {
                        let receipt = (*receipt).clone();
                        Fault::DetailAmount { leaf, detail: at, receipt, source }
                    }
                    None => {
                        let receipt = self.receipts.place(id);
                        Fault::DetailWithoutReceipt { leaf, detail: at, receipt }
                    }
                };
                self.charge(Some(fault), session, || match owner {
                    Some(_) => format!("a detail of {account:?} is wrong in a tree without order"),
                    None => format!("a detail of {account:?} is for a contribution whose owner is not known"),
                });
            }
        }
    }

    /// Shares that no leaf lists.
    fn shares(&mut self) {
        let epoch = self.epoch;
        let mut listed = BTreeSet::new();
        for entry in &epoch.ledger.leaves {
            for detail in &entry.details {
                listed.insert((&entry.leaf.account, detail.receipt_id.to_vec(), detail.contribution_id));
            }
        }
        for (index, signed) in (0..).zip(&epoch.receipts.receipts) {
            let receipt = &signed.receipt;
            let Some(facts) = self.session(receipt.session_id) else { continue };
            let paid = std::iter::once(0).chain(receipt.shares.iter().map(|share| share.contribution_id));
            for contribution_id in paid {
                if owed(&facts, receipt, contribution_id).unwrap_or_default() == 0 {
                    continue;
                }
                let Some((source, owner)) = self.owner(receipt, contribution_id) else {
                    let id = HexBinary::from(&receipt.digest());
                    let note = format!(
                        "contribution {contribution_id} of receipt {id} is not known in its versions: look \
                         whether it may be cited"
                    );
                    self.findings.unproved.push(note);
                    continue;
                };
                if !listed.contains(&(&owner, receipt.digest().to_vec(), contribution_id)) {
                    let fault = self.unpaid(receipt, index, source, &owner);
                    self.charge(fault, Some(facts.clone()), || format!("{owner:?} is not paid a share"));
                }
            }
        }
    }

    /// The proof that an owner's leaf does not list a share, if it does not.
    fn unpaid(
        &self,
        receipt: &Receipt,
        index: u64,
        source: Option<ContributionAt>,
        owner: &Account,
    ) -> Option<Fault> {
        let contribution_id = source.as_ref().map_or(0, |source| source.facts.contribution_id);
        let leaf = self.ledger.position(owner);
        Some(Fault::ShareMissing {
            receipt: receipt.clone(),
            at: self.receipts.at(index)?,
            source,
            leaf: self.ledger.place(owner),
            detail: leaf.and_then(|leaf| self.ledger.detail_place(leaf, &receipt.digest(), contribution_id)),
        })
    }

    /// Whose a contribution of a receipt is, with the proof of it.
    fn owner(&self, receipt: &Receipt, contribution_id: u64) -> Option<(Option<ContributionAt>, Account)> {
        if contribution_id == 0 {
            return Some((None, Account::Commons));
        }
        let source = self.known.source(receipt, contribution_id)?;
        let owner = Account::Contributor(source.facts.contributor.clone());
        Some((Some(source), owner))
    }
}

/// What a receipt owes to a contribution, 0 for the commons.
fn owed(facts: &SessionFacts, receipt: &Receipt, contribution_id: u64) -> Option<u128> {
    // Shares of no valid form need not add up.
    receipt.validate().ok()?;
    entries::owed(facts, receipt, contribution_id).ok().flatten()
}

/// Answers that these details pay.
fn uses_of(details: &[Detail]) -> u64 {
    let paying = details.iter().filter(|d| !d.amount.is_zero() && d.receipt_id.as_slice() != ZERO_HASH);
    paying.map(|detail| detail.receipt_id.as_slice()).collect::<BTreeSet<_>>().len() as u64
}

fn is_signed(court: &Court, facts: &SessionFacts, signed: &SignedReceipt) -> bool {
    let stated = Stated { commit: None, session: Some(facts.clone()) };
    super::receipts::signed(court, &stated, signed).is_ok()
}
