//! From a root that is wrong to proofs that the referee takes (PROTOCOL F1).

use std::collections::BTreeMap;

use openledger_client::verify_digest;
use openledger_types::faults::find::{audit_epoch, Epoch, Known};
use openledger_types::faults::{ContributionAt, Court, FiledFault, SessionFacts};
use openledger_types::formats::{
    ContributionFacts, EpochCommit, LedgerBlob, Receipt, ReceiptsBlob, SignedReceipt, VersionRef,
};
use openledger_types::merkle::{Hash, Tree};
use openledger_types::signature::is_canonical;

/// A sealed version with its leaves.
pub(super) struct Sealed {
    pub(super) version: VersionRef,
    leaves: Vec<ContributionFacts>,
    tree: Tree<Hash>,
    positions: BTreeMap<u64, u64>,
}

impl Sealed {
    pub(super) fn new(version: VersionRef, leaves: Vec<ContributionFacts>) -> Self {
        let tree = Tree::new(leaves.iter().map(ContributionFacts::leaf).collect());
        let positions = (0..).zip(&leaves).map(|(at, facts)| (facts.contribution_id, at)).collect();
        Sealed { version, leaves, tree: tree.unwrap_or_else(Tree::empty), positions }
    }
}

/// What proofs are made from, beside the documents of the epoch.
pub(super) struct Evidence {
    pub(super) facts: BTreeMap<u64, SessionFacts>,
    pub(super) logs: BTreeMap<u64, Vec<SignedReceipt>>,
    pub(super) commitments: BTreeMap<u64, EpochCommit>,
    pub(super) versions: Vec<Sealed>,
}

impl Known for Evidence {
    fn session(&self, session_id: u64) -> Option<SessionFacts> {
        self.facts.get(&session_id).cloned()
    }

    fn log(&self, session_id: u64) -> Vec<Receipt> {
        let log = self.logs.get(&session_id).map(Vec::as_slice).unwrap_or_default();
        log.iter().map(|signed| signed.receipt.clone()).collect()
    }

    fn commitment(&self, epoch: u64) -> Option<EpochCommit> {
        self.commitments.get(&epoch).cloned()
    }

    fn source(&self, receipt: &Receipt, contribution_id: u64) -> Option<ContributionAt> {
        (0u32..).zip(&receipt.datanets).find_map(|(datanet, version)| {
            let sealed = self.versions.iter().find(|sealed| sealed.version == *version)?;
            let index = *sealed.positions.get(&contribution_id)?;
            Some(ContributionAt {
                datanet,
                facts: sealed.leaves.get(usize::try_from(index).ok()?)?.clone(),
                index,
                path: sealed.tree.prove(index)?.into(),
            })
        })
    }
}

/// The proofs of what is wrong with an epoch. Pure; documents that cannot be read prove nothing.
pub(super) fn proofs(
    commit: &EpochCommit,
    leaves: &[u8],
    receipts: &[u8],
    previous: &LedgerBlob,
    evidence: &Evidence,
) -> Vec<FiledFault> {
    let read =
        (serde_json::from_slice::<LedgerBlob>(leaves), serde_json::from_slice::<ReceiptsBlob>(receipts));
    let (Ok(ledger), Ok(receipts)) = read else { return Vec::new() };
    let verify = |digest: &Hash, signature: &[u8], key: &[u8]| {
        is_canonical(signature) && verify_digest(key, digest, signature)
    };
    let court = Court { chain_id: &commit.chain_id, escrow: &commit.contract, verify: &verify };
    let epoch = Epoch { commit, ledger: &ledger, receipts: &receipts, previous };
    audit_epoch(&court, &epoch, evidence).faults
}
