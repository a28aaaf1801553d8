//! An auditor of a node's postings, and a forger who bends them.
//!
//! [`Auditor::audit`] returns ready proofs against a posting, judged. [`Posting`]'s methods here bend one
//! in place; [`Posting::reroot`] then makes its commitment fit, as a cheating node would.

use cosmwasm_std::testing::MockApi;
use cosmwasm_std::{to_json_vec, Api, HexBinary, Uint128};
use openledger_merkle::Hash;
use openledger_types::faults::find::{audit_epoch, Epoch, Findings, Known};
use openledger_types::faults::proofs::{contribution_at, detail_root, LedgerTree, ReceiptTree};
use openledger_types::faults::{
    datanets_hash, ContributionAt, Court, Fault, FaultError, Judgement, SessionFacts, Stated,
};
use openledger_types::formats::{
    Account, BlobRef, ContributionFacts, Detail, EpochCommit, LedgerBlob, LedgerEntry, Receipt,
    SignedReceipt, VersionRef,
};

use crate::{Posting, World};

/// Verifies a canonical signature as the chain does.
pub fn verify(digest: &Hash, signature: &[u8], key: &[u8]) -> bool {
    MockApi::default().secp256k1_verify(digest, signature, key).unwrap_or(false)
}

impl Posting {
    /// Makes details, leaves, receipts and blobs fit again after they were bent.
    pub fn reroot(&mut self) {
        for entry in &mut self.ledger.leaves {
            entry.leaf.detail = detail_root(&entry.details).expect("sums stay below 2^128");
        }
        self.retop();
    }

    /// The same but for the roots of details, which stay as they are.
    pub fn retop(&mut self) {
        self.commit.ledger = self.ledger_tree().root();
        self.commit.receipts = self.receipt_tree().root();
        self.commit.leaves_blob = BlobRef::of(&to_json_vec(&self.ledger).expect("the blob serialises"));
        self.commit.receipts_blob = BlobRef::of(&to_json_vec(&self.receipts).expect("the blob serialises"));
    }

    /// The tree of its receipts, from which places are read.
    pub fn receipt_tree(&self) -> ReceiptTree {
        let receipts = self.receipts.receipts.iter().map(|signed| &signed.receipt);
        ReceiptTree::new(receipts).expect("sums stay below 2^128")
    }

    /// The tree of its leaves, from which places are read.
    pub fn ledger_tree(&self) -> LedgerTree<'_> {
        LedgerTree::new(&self.ledger).expect("sums stay below 2^128")
    }

    /// An account's leaf; panics when there is none.
    pub fn entry(&mut self, account: &Account) -> &mut LedgerEntry {
        let found = self.ledger.leaves.iter_mut().find(|entry| entry.leaf.account == *account);
        found.unwrap_or_else(|| panic!("{account:?} has no leaf"))
    }

    /// Leaves an account out.
    pub fn drop_leaf(&mut self, account: &Account) {
        self.ledger.leaves.retain(|entry| entry.leaf.account != *account);
        self.reroot();
    }

    /// Adds to what an account has earned, without any detail.
    pub fn inflate(&mut self, account: &Account, amount: u128) {
        self.entry(account).leaf.cumulative += Uint128::new(amount);
        self.reroot();
    }

    /// Leaves a detail out, and what it was worth.
    pub fn drop_detail(&mut self, account: &Account, number: usize) -> Detail {
        let entry = self.entry(account);
        let taken = entry.details.remove(number);
        entry.leaf.cumulative -= taken.amount;
        self.reroot();
        taken
    }

    /// Adds a detail in its order, and what it is worth.
    pub fn add_detail(&mut self, account: &Account, detail: Detail) {
        let entry = self.entry(account);
        entry.leaf.cumulative += detail.amount;
        entry.details.push(detail);
        entry.details.sort_by_key(|detail| (detail.receipt_id.to_vec(), detail.contribution_id));
        self.reroot();
    }

    /// Gives a detail of one account to another.
    pub fn redirect(&mut self, from: &Account, number: usize, to: &Account) {
        let taken = self.drop_detail(from, number);
        self.add_detail(to, taken);
    }

    /// Puts another receipt in the place of one.
    pub fn replace_receipt(&mut self, number: usize, receipt: SignedReceipt) {
        self.receipts.receipts[number] = receipt;
        self.receipts.receipts.sort_by_cached_key(|signed| signed.receipt.digest());
        self.reroot();
    }
}

/// What an auditor has of a node: its honest postings so far, and the chain.
pub struct Auditor<'a> {
    world: &'a World,
    postings: &'a [Posting],
}

impl<'a> Auditor<'a> {
    /// Knows these postings of one node, in the order of their epochs.
    pub fn new(world: &'a World, postings: &'a [Posting]) -> Self {
        Auditor { world, postings }
    }

    /// Whatever can be proved against a posting, honest or bent, of an epoch that was known.
    pub fn audit(&self, posting: &Posting) -> Findings {
        let nothing = LedgerBlob { leaves: vec![] };
        let before = self.postings.iter().find(|known| known.commit.ledger == posting.commit.previous);
        let epoch = Epoch {
            commit: &posting.commit,
            ledger: &posting.ledger,
            receipts: &posting.receipts,
            previous: before.map_or(&nothing, |before| &before.ledger),
        };
        let chain_id = self.world.chain_id();
        audit_epoch(&self.court(&chain_id), &epoch, &Knowledge(self))
    }

    /// Judges a proof as the referee does.
    ///
    /// # Errors
    /// When the proof is none.
    pub fn judge(&self, fault: &Fault, stated: &Stated) -> Result<Judgement, FaultError> {
        let chain_id = self.world.chain_id();
        fault.judge(&self.court(&chain_id), stated)
    }

    fn court<'b>(&'b self, chain_id: &'b str) -> Court<'b> {
        Court { chain_id, escrow: self.world.escrow.as_str(), verify: &verify }
    }

    /// What the escrow states of a session after the known postings. Put together from the session and
    /// the postings: the escrow's `Facts` answers the same in one query.
    pub fn facts(&self, session_id: u64) -> SessionFacts {
        let node_id = self.postings.first().map_or(0, |posting| posting.commit.node_id);
        let session = self.world.session(session_id).expect("the session exists");
        let node = session.nodes.iter().find(|node| node.node_id == node_id);
        let node = node.expect("the session names the node");
        let model = self.world.model_version((session.model_id, session.model_version));
        let datanets = model.expect("the model exists").datanets;
        let floor = datanets.iter().map(|version| {
            let version = self.world.version(version.datanet_id, version.version);
            version.expect("the version is sealed").floor_per_token
        });
        let settles = |posting: &&Posting| posting.settlements.iter().any(|s| s.session_id == session_id);
        let newest = self.postings.iter().rev().find(settles);
        let log = self.log(session_id, u64::MAX);
        SessionFacts {
            session_id,
            node_id,
            node_key: node.node_key.clone(),
            denom: session.denom,
            model_id: session.model_id,
            model_version: session.model_version,
            datanets_hash: HexBinary::from(&datanets_hash(&datanets)),
            price_in: session.price_in,
            price_out: session.price_out,
            min_fee: session.min_fee,
            floor_per_token: floor.max().unwrap_or_default(),
            data_bps: session.split.data,
            opened_at: session.opened_at,
            log: ReceiptTree::new(&log).expect("sums stay below 2^128").root(),
            settled_from: newest.map_or(0, |posting| self.log(session_id, posting.commit.epoch).len() as u64),
            settled_epoch: newest.map_or(0, |posting| posting.commit.epoch),
        }
    }

    /// Receipts of a session that were settled before this epoch, in order of sequence.
    pub fn log(&self, session_id: u64, before: u64) -> Vec<Receipt> {
        let postings = self.postings.iter().filter(|posting| posting.commit.epoch < before);
        let receipts = postings.flat_map(|posting| &posting.receipts.receipts);
        let mut log: Vec<Receipt> = receipts
            .map(|signed| signed.receipt.clone())
            .filter(|receipt| receipt.session_id == session_id)
            .collect();
        log.sort_by_key(|receipt| receipt.sequence);
        log
    }

    /// What is to be stated of a posting and a session.
    pub fn stated(&self, posting: &Posting, session_id: u64) -> Stated {
        Stated { commit: Some(posting.commit.clone()), session: Some(self.facts(session_id)) }
    }

    /// A contribution in one of the versions that a receipt rests on.
    pub fn source(&self, receipt: &Receipt, contribution_id: u64) -> Option<ContributionAt> {
        (0..).zip(&receipt.datanets).find_map(|(number, version)| {
            let leaves = self.leaves(version);
            let index = leaves.iter().position(|facts| facts.contribution_id == contribution_id)?;
            contribution_at(number, &leaves, index as u64)
        })
    }

    /// The contributions of a version in the order of its leaves.
    fn leaves(&self, version: &VersionRef) -> Vec<ContributionFacts> {
        let mut leaves: Vec<(u64, ContributionFacts)> = (1..)
            .map_while(|id| self.world.contribution(id).ok())
            .filter(|contribution| contribution.facts.datanet_id == version.datanet_id)
            .filter_map(|contribution| Some((contribution.position?, contribution.facts)))
            .filter(|(position, _)| *position < version.size)
            .collect();
        leaves.sort_by_key(|(position, _)| *position);
        leaves.into_iter().map(|(_, facts)| facts).collect()
    }
}

/// What an auditor knows while it looks at one posting.
struct Knowledge<'a>(&'a Auditor<'a>);

impl Known for Knowledge<'_> {
    fn session(&self, session_id: u64) -> Option<SessionFacts> {
        let known = |posting: &Posting| posting.settlements.iter().any(|s| s.session_id == session_id);
        self.0.postings.iter().any(known).then(|| self.0.facts(session_id))
    }

    fn log(&self, session_id: u64) -> Vec<Receipt> {
        self.0.log(session_id, u64::MAX)
    }

    fn commitment(&self, epoch: u64) -> Option<EpochCommit> {
        let known = self.0.postings.iter().find(|posting| posting.commit.epoch == epoch);
        known.map(|posting| posting.commit.clone())
    }

    fn source(&self, receipt: &Receipt, contribution_id: u64) -> Option<ContributionAt> {
        self.0.source(receipt, contribution_id)
    }
}
