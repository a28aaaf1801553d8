//! A node's side: receipts, its ledger of shares, settlements and claims (PROTOCOL L2-L4).

use std::collections::BTreeMap;

use cosmwasm_std::{to_json_vec, Addr, HexBinary, Uint128};
use openledger_merkle::{chunk_root, Frontier, Hash, SumNode, Tree, CONTENT_CHUNK, ZERO_HASH};
use openledger_types::formats::{
    hash32, seed, Account, BlobRef, Decoding, Detail, EpochCommit, LedgerBlob, LedgerEntry, LedgerLeaf,
    Outcome, Receipt, ReceiptsBlob, Share, SignedReceipt, SignedVoucher, SumRoot, BPS,
};
use openledger_types::money::{answer_fee, divide_answer, split_fees};
use openledger_types::msg::escrow::{
    ClaimItem, DetailItem, ExecuteMsg, HeldReceipt, LedgerResponse, PendingReceipt, QueryMsg,
    SessionResponse, Settlement,
};

use crate::{Key, Result, World};

/// What a node answers, as far as the chain is concerned.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The answer's text.
    pub text: String,
    /// Tokens of the prompt.
    pub tokens_in: u32,
    /// Tokens of the answer.
    pub tokens_out: u32,
    /// Who earns, sorted by contribution.
    pub shares: Vec<Share>,
    /// Basis points without evidence.
    pub no_evidence: u16,
}

impl Answer {
    /// An answer of 100 tokens to a prompt of 20 that cites contributions, (contribution, basis
    /// points) each; the rest has no evidence.
    pub fn citing(shares: &[(u64, u16)]) -> Self {
        let mut shares: Vec<Share> = shares
            .iter()
            .map(|(contribution_id, bps)| Share { contribution_id: *contribution_id, bps: *bps })
            .collect();
        shares.sort_by_key(|share| share.contribution_id);
        let cited: u16 = shares.iter().map(|share| share.bps).sum();
        Answer { text: "An answer.".into(), tokens_in: 20, tokens_out: 100, shares, no_evidence: BPS - cited }
    }
}

/// A node and its books in one denom.
pub struct NodeModel {
    /// Node.
    pub node_id: u64,
    /// Who registered it.
    pub operator: Addr,
    /// Key that signs receipts.
    pub key: Key,
    denom: String,
    epoch: u64,
    ledger: BTreeMap<Account, (u128, u64)>,
    previous: SumRoot,
    books: BTreeMap<u64, Book>,
    /// Ledger before the newest posting: a void root is replaced from it.
    before: (BTreeMap<Account, (u128, u64)>, SumRoot),
}

/// What passed in one session.
#[derive(Default, Clone)]
struct Book {
    vouchers: Vec<SignedVoucher>,
    receipts: Vec<SignedReceipt>,
    newest: Option<SignedVoucher>,
    settled: u64,
}

/// Everything that one `PostEpoch` rests on.
#[derive(Clone, Debug)]
pub struct Posting {
    /// The commitment.
    pub commit: EpochCommit,
    /// The sessions.
    pub settlements: Vec<Settlement>,
    /// The document with the leaves.
    pub ledger: LedgerBlob,
    /// The document with the receipts.
    pub receipts: ReceiptsBlob,
}

impl Posting {
    /// The message that posts it.
    pub fn msg(&self) -> ExecuteMsg {
        ExecuteMsg::PostEpoch { commit: self.commit.clone(), settlements: self.settlements.clone() }
    }

    /// Claims of every leaf.
    pub fn claims(&self) -> Vec<ClaimItem> {
        let tree = sum_tree(self.ledger.leaves.iter().map(|entry| entry.leaf.leaf()));
        let claim = |(index, entry): (usize, &LedgerEntry)| ClaimItem {
            node_id: self.commit.node_id,
            denom: self.commit.denom.clone(),
            leaf: entry.leaf.clone(),
            index: index as u64,
            path: tree.prove(index as u64).expect("the leaf exists").into(),
        };
        self.ledger.leaves.iter().enumerate().map(claim).collect()
    }

    /// A receipt with its place in the receipts tree, as cases hold it.
    pub fn held(&self, index: usize) -> HeldReceipt {
        let tree = sum_tree(self.receipts.receipts.iter().map(|signed| signed.receipt.leaf()));
        let receipt = &self.receipts.receipts[index].receipt;
        HeldReceipt {
            receipt_id: HexBinary::from(&receipt.digest()),
            session_id: receipt.session_id,
            sequence: receipt.sequence,
            fee: receipt.fee,
            index: index as u64,
            path: tree.prove(index as u64).expect("the receipt exists").into(),
        }
    }

    /// The message that proves this epoch's uses of a contribution; none when it was not used.
    pub fn uses(&self, contribution_id: u64) -> Option<ExecuteMsg> {
        let uses = |entry: &LedgerEntry| {
            entry.details.iter().any(|detail| detail.contribution_id == contribution_id)
        };
        let position = self.ledger.leaves.iter().position(uses)?;
        let details = &self.ledger.leaves[position].details;
        let tree = sum_tree(details.iter().map(Detail::leaf));
        let item = |(index, detail): (usize, &Detail)| DetailItem {
            detail: detail.clone(),
            index: index as u64,
            path: tree.prove(index as u64).expect("the detail exists").into(),
        };
        let details = details.iter().enumerate().filter(|(_, of)| of.contribution_id == contribution_id);
        let claim = self.claims().swap_remove(position);
        Some(ExecuteMsg::ProveUses {
            node_id: self.commit.node_id,
            denom: self.commit.denom.clone(),
            epoch: self.commit.epoch,
            contribution_id,
            leaf: claim.leaf,
            index: claim.index,
            path: claim.path,
            details: details.map(item).collect(),
        })
    }

    /// Claims of the leaves that grew in this epoch.
    pub fn grown_claims(&self) -> Vec<ClaimItem> {
        self.claims().into_iter().filter(|claim| !claim.leaf.detail.sum.is_zero()).collect()
    }
}

impl NodeModel {
    /// Registers a node of this name and keeps its books.
    pub fn register(world: &mut World, name: &str) -> Result<Self> {
        let (operator, key) = (world.account(name), Key::named(name));
        let node_id = world.register_node(&operator, name, &key)?;
        Ok(NodeModel {
            node_id,
            operator,
            key,
            denom: world.denom.clone(),
            epoch: 0,
            ledger: BTreeMap::new(),
            previous: SumRoot::empty(),
            books: BTreeMap::new(),
            before: (BTreeMap::new(), SumRoot::empty()),
        })
    }

    /// Answers a voucher's request and signs the receipt.
    pub fn answer(&mut self, world: &World, voucher: &SignedVoucher, answer: Answer) -> SignedReceipt {
        let session = world.session(voucher.voucher.session_id).expect("the session exists");
        let own = session.nodes.iter().find(|node| node.node_id == self.node_id).expect("the node is named");
        let model = (session.model_id, session.model_version);
        let datanets = world.model_version(model).expect("the model exists").datanets;
        let asked = &voucher.voucher;
        let request = hash32("request_hash", &asked.request_hash).expect("vouchers hold hashes");
        let fee = answer_fee(
            answer.tokens_in,
            answer.tokens_out,
            own.price_in.u128(),
            own.price_out.u128(),
            session.min_fee.u128(),
        );
        let zero = HexBinary::from(&ZERO_HASH);
        let receipt = Receipt {
            chain_id: asked.chain_id.clone(),
            contract: asked.contract.clone(),
            node_id: self.node_id,
            session_id: asked.session_id,
            sequence: asked.sequence,
            height: world.height(),
            request_hash: asked.request_hash.clone(),
            answer_root: HexBinary::from(&chunk_root(answer.text.as_bytes(), CONTENT_CHUNK)),
            answer_len: answer.text.len() as u64,
            model_id: session.model_id,
            model_version: session.model_version,
            datanets,
            tokens_in: answer.tokens_in,
            tokens_out: answer.tokens_out,
            fee: Uint128::new(fee.expect("fees stay below 2^128")),
            decoding: Decoding { temperature_milli: 0, top_k: 0, top_p_milli: 1_000, max_tokens: 256 },
            seed: HexBinary::from(&seed(&request, asked.session_id, self.node_id, asked.sequence)),
            commit_scheme: "none".into(),
            commit_root: zero.clone(),
            signature_scheme: "none".into(),
            signature_root: zero.clone(),
            evidence_root: zero,
            outcome: Outcome::Stop,
            shares: answer.shares,
            no_evidence: answer.no_evidence,
        };
        self.receive(voucher);
        let receipt = self.sign(receipt);
        let book = self.books.entry(asked.session_id).or_default();
        book.vouchers.push(voucher.clone());
        book.receipts.push(receipt.clone());
        receipt
    }

    /// Signs a receipt, whatever it says: tests forge with it.
    pub fn sign(&self, receipt: Receipt) -> SignedReceipt {
        let signature = self.key.sign(&receipt.digest());
        SignedReceipt { receipt, signature }
    }

    /// Keeps a voucher if it acknowledges no less than those before.
    pub fn receive(&mut self, voucher: &SignedVoucher) {
        let book = self.books.entry(voucher.voucher.session_id).or_default();
        let newer =
            |old: &SignedVoucher| old.voucher.acknowledged.count <= voucher.voucher.acknowledged.count;
        if book.newest.as_ref().is_none_or(newer) {
            book.newest = Some(voucher.clone());
        }
    }

    /// Settles sessions in the next epoch, without sending it. Sessions are put in order.
    pub fn epoch(&self, world: &World, sessions: &[u64]) -> Posting {
        let mut sessions = sessions.to_vec();
        sessions.sort_unstable();
        sessions.dedup();
        let mut settlements = vec![];
        let mut receipts = vec![];
        for session_id in sessions {
            let book = self.books.get(&session_id).expect("the session was served");
            receipts.extend_from_slice(&book.receipts[book.settled as usize..]);
            settlements.push(book.settlement(session_id));
        }
        self.commit(world, settlements, receipts, self.epoch + 1)
    }

    /// The root in place of a void one, without these receipts. The number of its epoch is asked of
    /// the escrow.
    pub fn replacement(&self, world: &World, void: &Posting, without: &[SignedReceipt]) -> Posting {
        let mut receipts = void.receipts.receipts.clone();
        receipts.retain(|receipt| !without.contains(receipt));
        let msg = QueryMsg::Ledger { node_id: self.node_id, denom: self.denom.clone() };
        let ledger: LedgerResponse = world.query(&world.escrow, &msg).expect("the escrow answers");
        let books = NodeModel {
            node_id: self.node_id,
            operator: self.operator.clone(),
            key: self.key.clone(),
            denom: self.denom.clone(),
            epoch: ledger.epoch,
            ledger: self.before.0.clone(),
            previous: self.before.1.clone(),
            books: BTreeMap::new(),
            before: self.before.clone(),
        };
        books.commit(world, vec![], receipts, ledger.epoch + 1)
    }

    /// Replaces a void root by one without these receipts.
    pub fn replace_epoch(
        &mut self,
        world: &mut World,
        void: &Posting,
        without: &[SignedReceipt],
    ) -> Result<Posting> {
        let posting = self.replacement(world, void, without);
        let (escrow, msg) =
            (world.escrow.clone(), ExecuteMsg::ReplaceEpoch { commit: posting.commit.clone() });
        world.execute(&self.operator, &escrow, &msg, &[])?;
        (self.ledger, self.previous) = self.before.clone();
        self.posted(&posting);
        Ok(posting)
    }

    /// Receipts sorted, divided and committed.
    fn commit(
        &self,
        world: &World,
        settlements: Vec<Settlement>,
        mut receipts: Vec<SignedReceipt>,
        epoch: u64,
    ) -> Posting {
        let mut fees: BTreeMap<u64, u128> = BTreeMap::new();
        let mut growth = Growth::default();
        for SignedReceipt { receipt, .. } in &receipts {
            let terms = world.session(receipt.session_id).expect("the session exists");
            *fees.entry(receipt.session_id).or_default() += receipt.fee.u128();
            growth.add(world, receipt, &terms);
        }
        let data = fees.into_iter().map(|(session_id, fees)| {
            let terms = world.session(session_id).expect("the session exists");
            split_fees(fees, &terms.split).expect("splits are whole").data
        });
        growth.dust(data.sum());
        receipts.sort_by_cached_key(|signed: &SignedReceipt| signed.receipt.digest());
        let ledger = self.leaves(growth);
        let receipts = ReceiptsBlob { receipts };
        let tree = sum_tree(ledger.leaves.iter().map(|entry| entry.leaf.leaf()));
        let paid = sum_tree(receipts.receipts.iter().map(|signed| signed.receipt.leaf()));
        let commit = EpochCommit {
            chain_id: world.chain_id(),
            contract: world.escrow.to_string(),
            node_id: self.node_id,
            denom: self.denom.clone(),
            epoch,
            previous: self.previous.clone(),
            receipts: SumRoot::new(paid.root(), paid.len()),
            ledger: SumRoot::new(tree.root(), tree.len()),
            leaves_blob: BlobRef::of(&to_json_vec(&ledger).expect("the blob serialises")),
            receipts_blob: BlobRef::of(&to_json_vec(&receipts).expect("the blob serialises")),
        };
        Posting { commit, settlements, ledger, receipts }
    }

    /// Settles sessions in the next epoch. The root must be final before the next one is posted.
    pub fn post_epoch(&mut self, world: &mut World, sessions: &[u64]) -> Result<Posting> {
        let posting = self.epoch(world, sessions);
        let escrow = world.escrow.clone();
        world.execute(&self.operator, &escrow, &posting.msg(), &[])?;
        self.posted(&posting);
        Ok(posting)
    }

    /// Moves the books on after a posting was taken.
    pub fn posted(&mut self, posting: &Posting) {
        self.before = (self.ledger.clone(), self.previous.clone());
        self.epoch = posting.commit.epoch;
        self.previous = posting.commit.ledger.clone();
        for entry in &posting.ledger.leaves {
            let leaf = &entry.leaf;
            self.ledger.insert(leaf.account.clone(), (leaf.cumulative.u128(), leaf.uses));
        }
        for settlement in &posting.settlements {
            if let Some(book) = self.books.get_mut(&settlement.session_id) {
                book.settled = book.receipts.len() as u64;
            }
        }
    }

    /// The ledger after this growth, in the order of its accounts.
    fn leaves(&self, growth: Growth) -> LedgerBlob {
        let mut accounts = self.ledger.clone();
        for (account, details) in &growth.details {
            let leaf = accounts.entry(account.clone()).or_default();
            leaf.0 += details.iter().map(|detail| detail.amount.u128()).sum::<u128>();
            leaf.1 += growth.uses.get(account).copied().unwrap_or_default();
        }
        let entry = |(account, (cumulative, uses)): (Account, (u128, u64))| {
            let mut details = growth.details.get(&account).cloned().unwrap_or_default();
            details.sort_by_key(|detail| (detail.receipt_id.to_vec(), detail.contribution_id));
            let tree = sum_tree(details.iter().map(Detail::leaf));
            let detail = SumRoot::new(tree.root(), tree.len());
            LedgerEntry {
                leaf: LedgerLeaf { account, cumulative: Uint128::new(cumulative), uses, detail },
                details,
            }
        };
        LedgerBlob { leaves: accounts.into_iter().map(entry).collect() }
    }
}

impl Book {
    /// What proves the session's receipts so far to the escrow.
    fn settlement(&self, session_id: u64) -> Settlement {
        let voucher = self.newest.clone().expect("there is a voucher");
        let acknowledged = voucher.voucher.acknowledged.count as usize;
        let leaves: Vec<SumNode> = self.receipts.iter().map(|signed| signed.receipt.leaf()).collect();
        let mut log = Frontier::new();
        for leaf in &leaves[..acknowledged] {
            log.push(*leaf).expect("sums stay below 2^128");
        }
        let pending = self.vouchers.iter().zip(&self.receipts).skip(acknowledged);
        let consistency = sum_tree(leaves.iter().copied()).prove_consistency(self.settled);
        Settlement {
            session_id,
            voucher,
            acknowledged_peaks: log.peaks().to_vec().into(),
            pending: pending
                .map(|(voucher, receipt)| PendingReceipt {
                    voucher: voucher.clone(),
                    receipt: receipt.clone(),
                })
                .collect(),
            consistency: consistency.expect("settled receipts are in the log").into(),
        }
    }
}

/// What an epoch adds to the ledger.
#[derive(Default)]
struct Growth {
    details: BTreeMap<Account, Vec<Detail>>,
    uses: BTreeMap<Account, u64>,
    given: u128,
}

impl Growth {
    /// Divides one receipt's data part (L4).
    fn add(&mut self, world: &World, receipt: &Receipt, terms: &SessionResponse) {
        let id: Hash = receipt.digest();
        let seed = hash32("seed", &receipt.seed).expect("receipts hold hashes");
        let fee = receipt.fee.u128();
        let division = divide_answer(fee, terms.split.data, &receipt.shares, receipt.no_evidence, &seed);
        let commons = std::iter::once((0, division.commons));
        let mut paid: Vec<Account> = vec![];
        for (contribution_id, amount) in commons.chain(division.amounts) {
            // Every share has its detail, even where its amount is 0.
            if contribution_id == 0 && receipt.no_evidence == 0 {
                continue;
            }
            let account = match contribution_id {
                0 => Account::Commons,
                id => {
                    let contribution = world.contribution(id).expect("the contribution exists");
                    Account::Contributor(contribution.facts.contributor)
                }
            };
            self.given += amount;
            self.details.entry(account.clone()).or_default().push(Detail {
                receipt_id: HexBinary::from(&id),
                contribution_id,
                amount: Uint128::new(amount),
            });
            if amount > 0 && !paid.contains(&account) {
                paid.push(account);
            }
        }
        for account in paid {
            *self.uses.entry(account).or_default() += 1;
        }
    }

    /// Gives what rounding left of the data's part to the dust leaf.
    fn dust(&mut self, data: u128) {
        let dust = data - self.given;
        if dust > 0 {
            let zero = HexBinary::from(&ZERO_HASH);
            let detail = Detail { receipt_id: zero, contribution_id: 0, amount: Uint128::new(dust) };
            self.details.insert(Account::Dust, vec![detail]);
        }
    }
}

/// The tree over these leaves.
fn sum_tree(leaves: impl Iterator<Item = SumNode>) -> Tree<SumNode> {
    Tree::new(leaves.collect()).expect("sums stay below 2^128")
}
