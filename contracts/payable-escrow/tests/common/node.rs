//! What an inference node does around its answers: receipts, the newest voucher of each session,
//! settlements and epochs.

use std::collections::BTreeMap;

use cosmwasm_std::{to_json_vec, Addr, HexBinary, Uint128};
use openledger_merkle::{Frontier, SumNode, Tree, ZERO_HASH};
use openledger_types::formats::{
    hash32, seed, BlobRef, Decoding, EpochCommit, Outcome, Receipt, ReceiptsBlob, Share, SignedReceipt,
    SignedVoucher, SumRoot, VersionRef,
};
use openledger_types::money::answer_fee;
use openledger_types::msg::escrow::{ExecuteMsg, HeldReceipt, PendingReceipt, SessionResponse, Settlement};

use super::book::{Book, Settled};
use super::Key;

/// What an answer turned out to be.
#[derive(Clone)]
pub struct Answer {
    pub tokens_in: u32,
    pub tokens_out: u32,
    /// (contribution, basis points); the rest is without evidence.
    pub shares: Vec<(u64, u16)>,
}

impl Answer {
    /// Two contributions and a part without evidence.
    pub fn plain(tokens_in: u32, tokens_out: u32) -> Self {
        Answer { tokens_in, tokens_out, shares: vec![(1, 6_000), (2, 2_500)] }
    }
}

/// A session as its node keeps it.
#[derive(Clone)]
pub struct Served {
    pub terms: SessionResponse,
    /// The voucher with the newest acknowledgement.
    pub newest: SignedVoucher,
    /// Every request with its receipt, in order of sequence.
    pub log: Vec<(SignedVoucher, SignedReceipt)>,
    /// Receipts settled so far.
    pub settled: usize,
}

/// A node.
#[derive(Clone)]
pub struct TestNode {
    pub id: u64,
    pub key: Key,
    pub operator: Addr,
    pub hot: Addr,
    pub sessions: BTreeMap<u64, Served>,
    /// Denom → final ledger.
    pub books: BTreeMap<String, Book>,
    /// Denom → epochs posted.
    pub epochs: BTreeMap<String, u64>,
    /// The ledger that waits.
    pub waiting: Option<(String, Book)>,
    /// What its receipts say that a model rests on; model 2 rests on nothing.
    pub datanets: Vec<VersionRef>,
    /// What it posted last.
    pub draft: Option<Draft>,
}

/// An epoch that is ready to be posted.
#[derive(Clone)]
pub struct Draft {
    pub commit: EpochCommit,
    pub settlements: Vec<Settlement>,
    pub book: Book,
    /// Session → receipts settled with it.
    pub settled: BTreeMap<u64, usize>,
    /// Receipts in the order of the tree.
    pub receipts: Vec<SignedReceipt>,
}

impl Draft {
    /// A receipt with its place in the receipts tree.
    pub fn held(&self, index: usize) -> HeldReceipt {
        let tree = Tree::new(self.receipts.iter().map(|r| r.receipt.leaf()).collect()).unwrap();
        let receipt = &self.receipts[index].receipt;
        HeldReceipt {
            receipt_id: HexBinary::from(&receipt.digest()),
            session_id: receipt.session_id,
            sequence: receipt.sequence,
            fee: receipt.fee,
            index: index as u64,
            path: tree.prove(index as u64).unwrap().into(),
        }
    }

    /// The message.
    pub fn msg(&self) -> ExecuteMsg {
        ExecuteMsg::PostEpoch { commit: self.commit.clone(), settlements: self.settlements.clone() }
    }
}

impl TestNode {
    /// Takes a request and signs the receipt of its answer.
    pub fn serve(
        &mut self,
        terms: &SessionResponse,
        voucher: SignedVoucher,
        answer: &Answer,
        height: u64,
    ) -> SignedReceipt {
        let receipt = self.sign(self.receipt(terms, &voucher, answer, height));
        let served = self.sessions.entry(terms.session_id).or_insert_with(|| Served {
            terms: terms.clone(),
            newest: voucher.clone(),
            log: Vec::new(),
            settled: 0,
        });
        served.log.push((voucher.clone(), receipt.clone()));
        self.hear(voucher);
        receipt
    }

    /// Keeps a voucher if its acknowledgement is newer.
    pub fn hear(&mut self, voucher: SignedVoucher) {
        if let Some(served) = self.sessions.get_mut(&voucher.voucher.session_id) {
            if voucher.voucher.acknowledged.count > served.newest.voucher.acknowledged.count {
                served.newest = voucher;
            }
        }
    }

    /// An honest receipt.
    pub fn receipt(
        &self,
        terms: &SessionResponse,
        voucher: &SignedVoucher,
        answer: &Answer,
        height: u64,
    ) -> Receipt {
        let asked = &voucher.voucher;
        let zero = HexBinary::from(&ZERO_HASH);
        let own = terms.nodes.iter().find(|node| node.node_id == self.id).unwrap();
        let fee = answer_fee(
            answer.tokens_in,
            answer.tokens_out,
            own.price_in.u128(),
            own.price_out.u128(),
            terms.min_fee.u128(),
        )
        .unwrap();
        let shares: Vec<Share> = answer
            .shares
            .iter()
            .map(|(contribution_id, bps)| Share { contribution_id: *contribution_id, bps: *bps })
            .collect();
        let no_evidence = 10_000 - shares.iter().map(|s| s.bps).sum::<u16>();
        let request = hash32("request_hash", &asked.request_hash).unwrap();
        Receipt {
            chain_id: asked.chain_id.clone(),
            contract: asked.contract.clone(),
            node_id: self.id,
            session_id: asked.session_id,
            sequence: asked.sequence,
            height,
            request_hash: asked.request_hash.clone(),
            answer_root: zero.clone(),
            answer_len: 0,
            model_id: terms.model_id,
            model_version: terms.model_version,
            datanets: if terms.model_id == 2 { Vec::new() } else { self.datanets.clone() },
            tokens_in: answer.tokens_in,
            tokens_out: answer.tokens_out,
            fee: Uint128::new(fee),
            decoding: Decoding { temperature_milli: 0, top_k: 0, top_p_milli: 1000, max_tokens: 64 },
            seed: HexBinary::from(&seed(&request, asked.session_id, asked.node_id, asked.sequence)),
            commit_scheme: "none".into(),
            commit_root: zero.clone(),
            signature_scheme: "none".into(),
            signature_root: zero.clone(),
            evidence_root: zero,
            outcome: Outcome::Stop,
            shares,
            no_evidence,
        }
    }

    /// Signs with the node's key.
    pub fn sign(&self, receipt: Receipt) -> SignedReceipt {
        SignedReceipt { signature: self.key.sign(&receipt.digest()), receipt }
    }

    /// The settlement of everything that can be proved of a session, with its number of receipts;
    /// `None` when there is nothing new.
    pub fn settlement(&self, session_id: u64, k: usize) -> Option<(Settlement, usize)> {
        let served = self.sessions.get(&session_id)?;
        let acknowledged = served.newest.voucher.acknowledged.count as usize;
        let total = served.log.len().min(acknowledged + k);
        if total <= served.settled {
            return None;
        }
        let leaves: Vec<SumNode> = served.log[..total].iter().map(|(_, r)| r.receipt.leaf()).collect();
        let mut frontier = Frontier::new();
        for leaf in &leaves[..acknowledged] {
            frontier.push(*leaf).unwrap();
        }
        let pending = served.log[acknowledged..total]
            .iter()
            .map(|(voucher, receipt)| PendingReceipt { voucher: voucher.clone(), receipt: receipt.clone() })
            .collect();
        let consistency = Tree::new(leaves).unwrap().prove_consistency(served.settled as u64).unwrap();
        let settlement = Settlement {
            session_id,
            voucher: served.newest.clone(),
            acknowledged_peaks: frontier.peaks().to_vec().into(),
            pending,
            consistency: consistency.into(),
        };
        Some((settlement, total))
    }

    /// The next epoch of a denom over these sessions (all that have something new when empty).
    pub fn draft(
        &self,
        (chain_id, contract, denom): (&str, &str, &str),
        only: &[u64],
        k: usize,
        owner_of: &dyn Fn(u64) -> String,
    ) -> Option<Draft> {
        let mut settlements = Vec::new();
        let mut settled = BTreeMap::new();
        for (session_id, served) in &self.sessions {
            if served.terms.denom != denom || !(only.is_empty() || only.contains(session_id)) {
                continue;
            }
            if let Some((settlement, total)) = self.settlement(*session_id, k) {
                settlements.push(settlement);
                settled.insert(*session_id, total);
            }
        }
        if settlements.is_empty() {
            return None;
        }
        let new: Vec<(u64, Vec<SignedReceipt>)> = settled
            .iter()
            .map(|(id, total)| {
                let served = &self.sessions[id];
                (*id, served.log[served.settled..*total].iter().map(|(_, r)| r.clone()).collect())
            })
            .collect();
        let groups: Vec<Settled> = new
            .iter()
            .map(|(id, receipts)| Settled { receipts, split: self.sessions[id].terms.split })
            .collect();
        let previous = self.books.get(denom).cloned().unwrap_or_else(Book::empty);
        let book = previous.next(&groups, owner_of);
        let mut receipts: Vec<SignedReceipt> = new.into_iter().flat_map(|(_, receipts)| receipts).collect();
        receipts.sort_by_cached_key(|signed| signed.receipt.digest());
        let tree = Tree::new(receipts.iter().map(|r| r.receipt.leaf()).collect()).unwrap();
        let commit = EpochCommit {
            chain_id: chain_id.to_string(),
            contract: contract.to_string(),
            node_id: self.id,
            denom: denom.to_string(),
            epoch: self.epochs.get(denom).copied().unwrap_or(0) + 1,
            previous: previous.root,
            receipts: SumRoot::new(tree.root(), tree.len()),
            ledger: book.root.clone(),
            leaves_blob: book.blob(),
            receipts_blob: BlobRef::of(&to_json_vec(&ReceiptsBlob { receipts: receipts.clone() }).unwrap()),
        };
        Some(Draft { commit, settlements, book, settled, receipts })
    }

    /// What was posted last, without these receipts.
    pub fn replacement(&self, without: &[SignedReceipt], owner_of: &dyn Fn(u64) -> String) -> Draft {
        let mut draft = self.draft.clone().unwrap();
        draft.settlements.clear();
        draft.receipts.retain(|receipt| !without.contains(receipt));
        let mut sessions: BTreeMap<u64, Vec<SignedReceipt>> = BTreeMap::new();
        for receipt in &draft.receipts {
            sessions.entry(receipt.receipt.session_id).or_default().push(receipt.clone());
        }
        let groups: Vec<Settled> = sessions
            .iter()
            .map(|(id, receipts)| Settled { receipts, split: self.sessions[id].terms.split })
            .collect();
        let previous = self.books.get(&draft.commit.denom).cloned().unwrap_or_else(Book::empty);
        draft.book = previous.next(&groups, owner_of);
        let tree = Tree::new(draft.receipts.iter().map(|r| r.receipt.leaf()).collect()).unwrap();
        draft.commit.previous = previous.root;
        draft.commit.receipts = SumRoot::new(tree.root(), tree.len());
        draft.commit.ledger = draft.book.root.clone();
        draft.commit.leaves_blob = draft.book.blob();
        let blob = ReceiptsBlob { receipts: draft.receipts.clone() };
        draft.commit.receipts_blob = BlobRef::of(&to_json_vec(&blob).unwrap());
        draft
    }

    /// The chain took an epoch.
    pub fn posted(&mut self, draft: &Draft) {
        for (id, total) in &draft.settled {
            self.sessions.get_mut(id).unwrap().settled = *total;
        }
        self.epochs.insert(draft.commit.denom.clone(), draft.commit.epoch);
        self.waiting = Some((draft.commit.denom.clone(), draft.book.clone()));
        self.draft = Some(draft.clone());
    }

    /// The chain made the waiting root final.
    pub fn finalized(&mut self) {
        if let Some((denom, book)) = self.waiting.take() {
            self.books.insert(denom, book);
        }
    }
}
