//! Three honest epochs of one node, made by hand: what no proof may convict.

use std::collections::BTreeMap;

use cosmwasm_std::{to_json_vec, HexBinary, Uint128};
use k256::ecdsa::signature::hazmat::{PrehashSigner, PrehashVerifier};
use k256::ecdsa::{Signature, SigningKey, VerifyingKey};
use openledger_types::api::EvidencePiece;
use openledger_types::faults::find::{audit_epoch, Epoch, Findings, Known};
use openledger_types::faults::proofs::{contribution_at, detail_root, LedgerTree, ReceiptTree};
use openledger_types::faults::{datanets_hash, ContributionAt, Court, Judgement, SessionFacts, Stated};
use openledger_types::faults::{Fault, FaultError};
use openledger_types::formats::*;
use openledger_types::merkle::{chunk_root, Hash, Tree, CONTENT_CHUNK, ZERO_HASH};
use openledger_types::money::{answer_fee, divide_answer, split_fees, Split};
use sha2::{Digest, Sha256};

pub const CHAIN: &str = "openledger-1";
pub const ESCROW: &str = "openledger1escrow";
pub const NODE: u64 = 2;
pub const DENOM: &str = "uopen";
pub const SPLIT: Split = Split { protocol: 500, developer: 1_500, node: 4_000, data: 4_000 };

/// What each epoch settles: (session, new receipts).
const PLAN: [&[(u64, u64)]; 3] = [&[(7, 3)], &[(7, 2), (9, 3)], &[(9, 1)]];

pub struct Made {
    pub commit: EpochCommit,
    pub ledger: LedgerBlob,
    pub receipts: ReceiptsBlob,
    /// What the escrow states of the sessions after it.
    pub facts: BTreeMap<u64, SessionFacts>,
}

impl Made {
    /// Takes the roots of what the blobs have become.
    pub fn reroot(&mut self) {
        for entry in &mut self.ledger.leaves {
            entry.leaf.detail = detail_root(&entry.details).unwrap();
        }
        self.retop();
    }

    /// The same without the roots of the details.
    pub fn retop(&mut self) {
        let receipts = ReceiptTree::new(self.receipts.receipts.iter().map(|r| &r.receipt)).unwrap();
        self.commit.ledger = LedgerTree::new(&self.ledger).unwrap().root();
        self.commit.receipts = receipts.root();
        self.commit.leaves_blob = BlobRef::of(&to_json_vec(&self.ledger).unwrap());
        self.commit.receipts_blob = BlobRef::of(&to_json_vec(&self.receipts).unwrap());
    }

    pub fn leaf(&mut self, account: &Account) -> &mut LedgerEntry {
        self.ledger.leaves.iter_mut().find(|entry| entry.leaf.account == *account).unwrap()
    }
}

pub struct Told {
    pub signed: SignedReceipt,
    pub answer: String,
    pub pieces: Vec<EvidencePiece>,
}

pub struct Story {
    pub key: SigningKey,
    pub texts: Vec<String>,
    pub contributions: Vec<ContributionFacts>,
    pub version: VersionRef,
    pub logs: BTreeMap<u64, Vec<Told>>,
    pub epochs: Vec<Made>,
}

pub fn verify(digest: &Hash, signature: &[u8], key: &[u8]) -> bool {
    let (Ok(key), Ok(signature)) = (VerifyingKey::from_sec1_bytes(key), Signature::from_slice(signature))
    else {
        return false;
    };
    key.verify_prehash(digest, &signature).is_ok()
}

pub fn court() -> Court<'static> {
    Court { chain_id: CHAIN, escrow: ESCROW, verify: &verify }
}

pub fn judge(fault: &Fault, stated: &Stated) -> Result<Judgement, FaultError> {
    fault.judge(&court(), stated)
}

pub fn account(name: &str) -> Account {
    Account::Contributor(format!("openledger1{name}"))
}

/// Numbers out of a seed.
pub struct Dice(u64, u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Dice(seed, 0)
    }

    pub fn roll(&mut self, below: u64) -> u64 {
        self.1 += 1;
        let hash = Sha256::digest([self.0.to_be_bytes(), self.1.to_be_bytes()].concat());
        u64::from_be_bytes(hash[..8].try_into().unwrap()) % below
    }
}

impl Story {
    pub fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let key = SigningKey::from_slice(&[7; 32]).unwrap();
        let mut word = || (0..6).map(|_| char::from(b'a' + dice.roll(26) as u8)).collect::<String>();
        let texts: Vec<String> =
            (0..5).map(|_| (0..400).map(|_| word()).collect::<Vec<_>>().join(" ")).collect();
        let contributions: Vec<_> = (1..).zip(&texts).map(|(id, text)| contribution(id, text)).collect();
        let tree = Tree::new(contributions.iter().map(ContributionFacts::leaf).collect()).unwrap();
        let root = HexBinary::from(&tree.root());
        let version = VersionRef { datanet_id: 3, version: 1, root, size: tree.len() };
        let mut story = Story { key, texts, contributions, version, logs: BTreeMap::new(), epochs: vec![] };
        for plan in PLAN {
            story.settle(plan, &mut dice);
        }
        story
    }

    fn settle(&mut self, plan: &[(u64, u64)], dice: &mut Dice) {
        let number = self.epochs.len() as u64 + 1;
        let (mut facts, mut new, mut data) = (BTreeMap::new(), vec![], 0);
        for session_id in [7, 9] {
            let before = self.epochs.last().map(|epoch| epoch.facts[&session_id].clone());
            facts.insert(session_id, before.unwrap_or_else(|| self.opened(session_id)));
        }
        for (session_id, count) in plan {
            let facts = facts.get_mut(session_id).unwrap();
            facts.settled_from = facts.log.count;
            facts.settled_epoch = number;
            let mut fees = 0;
            for _ in 0..*count {
                let sequence = self.logs.get(session_id).map_or(1, |log| log.len() as u64 + 1);
                let told = self.answer(facts, sequence, dice);
                fees += told.signed.receipt.fee.u128();
                new.push(told.signed.clone());
                self.logs.entry(*session_id).or_default().push(told);
            }
            data += split_fees(fees, &SPLIT).unwrap().data;
            facts.log = self.log(*session_id, u64::MAX).root();
        }
        new.sort_by_key(|signed: &SignedReceipt| signed.receipt.digest());
        let ledger = self.grow(&new, data);
        let previous = self.epochs.last().map_or_else(SumRoot::empty, |epoch| epoch.commit.ledger.clone());
        let mut made = Made {
            commit: EpochCommit {
                chain_id: CHAIN.into(),
                contract: ESCROW.into(),
                node_id: NODE,
                denom: DENOM.into(),
                epoch: number,
                previous,
                receipts: SumRoot::empty(),
                ledger: SumRoot::empty(),
                leaves_blob: BlobRef::of(&[]),
                receipts_blob: BlobRef::of(&[]),
            },
            ledger,
            receipts: ReceiptsBlob { receipts: new },
            facts,
        };
        made.reroot();
        self.epochs.push(made);
    }

    fn opened(&self, session_id: u64) -> SessionFacts {
        SessionFacts {
            session_id,
            node_id: NODE,
            node_key: HexBinary::from(self.key.verifying_key().to_encoded_point(true).as_bytes()),
            denom: DENOM.into(),
            model_id: 5,
            model_version: 1,
            datanets_hash: HexBinary::from(&datanets_hash(std::slice::from_ref(&self.version))),
            price_in: Uint128::new(53),
            price_out: Uint128::new(101),
            min_fee: Uint128::new(10_000),
            floor_per_token: Uint128::new(50),
            data_bps: SPLIT.data,
            opened_at: 90,
            log: SumRoot::empty(),
            settled_from: 0,
            settled_epoch: 0,
        }
    }

    fn answer(&self, facts: &SessionFacts, sequence: u64, dice: &mut Dice) -> Told {
        // Two sources, of which the answer repeats some bytes; the rest has no evidence.
        let (mut answer, mut pieces, mut shares) = (String::from("it is said that "), vec![], vec![]);
        let (first, second) = (dice.roll(4) as usize, 4);
        for source in [first, second] {
            let (from, len) = (dice.roll(1_500) as usize, 300 + dice.roll(724) as usize);
            let piece = EvidencePiece {
                answer_start: answer.len() as u64,
                len: len as u32,
                contribution_id: source as u64 + 1,
                source_start: from as u64,
            };
            answer.push_str(&self.texts[source][from..from + len]);
            answer.push_str(" and ");
            pieces.push(piece);
            shares.push(Share { contribution_id: source as u64 + 1, bps: 1 + dice.roll(5_000) as u16 });
        }
        let no_evidence = BPS - shares.iter().map(|share| share.bps).sum::<u16>();
        let request = request_hash(b"?", &[sequence as u8; 32]);
        let (tokens_in, tokens_out) = (20, 100 + dice.roll(100) as u32);
        let fee = answer_fee(
            tokens_in,
            tokens_out,
            facts.price_in.u128(),
            facts.price_out.u128(),
            facts.min_fee.u128(),
        );
        let zero = HexBinary::from(&ZERO_HASH);
        let receipt = Receipt {
            chain_id: CHAIN.into(),
            contract: ESCROW.into(),
            node_id: NODE,
            session_id: facts.session_id,
            sequence,
            height: 100,
            request_hash: HexBinary::from(&request),
            answer_root: HexBinary::from(&chunk_root(answer.as_bytes(), CONTENT_CHUNK)),
            answer_len: answer.len() as u64,
            model_id: facts.model_id,
            model_version: facts.model_version,
            datanets: vec![self.version.clone()],
            tokens_in,
            tokens_out,
            fee: Uint128::new(fee.unwrap()),
            decoding: Decoding { temperature_milli: 0, top_k: 0, top_p_milli: 1_000, max_tokens: 256 },
            seed: HexBinary::from(&seed(&request, facts.session_id, NODE, sequence)),
            commit_scheme: "none".into(),
            commit_root: zero.clone(),
            signature_scheme: "none".into(),
            signature_root: zero,
            evidence_root: HexBinary::from(&evidence_root(&answer, &pieces)),
            outcome: Outcome::Stop,
            shares,
            no_evidence,
        };
        Told { signed: self.sign(receipt), answer, pieces }
    }

    /// Signs whatever a receipt says.
    pub fn sign(&self, receipt: Receipt) -> SignedReceipt {
        let signature: Signature = self.key.sign_prehash(&receipt.digest()).unwrap();
        let signature = signature.normalize_s().unwrap_or(signature);
        SignedReceipt { receipt, signature: HexBinary::from(&signature.to_bytes()[..]) }
    }

    /// The first receipts of a session's log.
    pub fn log(&self, session_id: u64, count: u64) -> ReceiptTree {
        let log = self.logs.get(&session_id).map_or(&[][..], Vec::as_slice);
        ReceiptTree::new(log.iter().take(count as usize).map(|told| &told.signed.receipt)).unwrap()
    }

    pub fn owner(&self, contribution_id: u64) -> Account {
        match contribution_id {
            0 => Account::Commons,
            id => Account::Contributor(self.contributions[id as usize - 1].contributor.clone()),
        }
    }

    pub fn source(&self, contribution_id: u64) -> Option<ContributionAt> {
        contribution_at(0, &self.contributions, contribution_id.checked_sub(1)?)
    }

    /// The ledger after these receipts, whose data part is told.
    fn grow(&self, receipts: &[SignedReceipt], data: u128) -> LedgerBlob {
        let mut accounts: BTreeMap<Account, (u128, u64, Vec<Detail>)> = BTreeMap::new();
        for entry in self.epochs.last().iter().flat_map(|epoch| &epoch.ledger.leaves) {
            let leaf = &entry.leaf;
            accounts.insert(leaf.account.clone(), (leaf.cumulative.u128(), leaf.uses, vec![]));
        }
        let mut given = 0;
        for signed in receipts {
            let receipt = &signed.receipt;
            let seed = hash32("seed", &receipt.seed).unwrap();
            let fee = receipt.fee.u128();
            let division = divide_answer(fee, SPLIT.data, &receipt.shares, receipt.no_evidence, &seed);
            for (contribution_id, amount) in std::iter::once((0, division.commons)).chain(division.amounts) {
                let leaf = accounts.entry(self.owner(contribution_id)).or_default();
                let receipt_id = HexBinary::from(&receipt.digest());
                // Two sources of one contributor are one use.
                leaf.1 += u64::from(leaf.2.iter().all(|detail| detail.receipt_id != receipt_id));
                leaf.0 += amount;
                leaf.2.push(Detail { receipt_id, contribution_id, amount: Uint128::new(amount) });
                given += amount;
            }
        }
        if data > given {
            let leaf = accounts.entry(Account::Dust).or_default();
            leaf.0 += data - given;
            let receipt_id = HexBinary::from(&ZERO_HASH);
            leaf.2.push(Detail { receipt_id, contribution_id: 0, amount: Uint128::new(data - given) });
        }
        let entry = |(account, (cumulative, uses, mut details)): (Account, (u128, u64, Vec<Detail>))| {
            details.sort_by_key(|detail| (detail.receipt_id.to_vec(), detail.contribution_id));
            let detail = detail_root(&details).unwrap();
            let leaf = LedgerLeaf { account, cumulative: Uint128::new(cumulative), uses, detail };
            LedgerEntry { leaf, details }
        };
        LedgerBlob { leaves: accounts.into_iter().map(entry).collect() }
    }

    /// An auditor's findings in an epoch, as it stands after a later one.
    pub fn audit(&self, epoch: usize, now: usize) -> Findings {
        let nothing = LedgerBlob { leaves: vec![] };
        let made = &self.epochs[epoch];
        let previous = epoch.checked_sub(1).map_or(&nothing, |before| &self.epochs[before].ledger);
        let documents =
            Epoch { commit: &made.commit, ledger: &made.ledger, receipts: &made.receipts, previous };
        audit_epoch(&court(), &documents, &Auditor { story: self, now })
    }
}

struct Auditor<'a> {
    story: &'a Story,
    now: usize,
}

impl Known for Auditor<'_> {
    fn session(&self, session_id: u64) -> Option<SessionFacts> {
        self.story.epochs[self.now].facts.get(&session_id).cloned()
    }

    fn log(&self, session_id: u64) -> Vec<Receipt> {
        let count = self.story.epochs[self.now].facts[&session_id].log.count as usize;
        let log = self.story.logs.get(&session_id).map_or(&[][..], Vec::as_slice);
        log.iter().take(count).map(|told| told.signed.receipt.clone()).collect()
    }

    fn commitment(&self, epoch: u64) -> Option<EpochCommit> {
        let index = usize::try_from(epoch.checked_sub(1)?).ok()?;
        self.story.epochs.get(index).map(|made| made.commit.clone())
    }

    fn source(&self, _: &Receipt, contribution_id: u64) -> Option<ContributionAt> {
        self.story.source(contribution_id)
    }
}

fn contribution(id: u64, text: &str) -> ContributionFacts {
    let name = ["alice", "bob", "carol"][id as usize % 3];
    let bytes = text.as_bytes();
    let root = HexBinary::from(&chunk_root(bytes, CONTENT_CHUNK));
    ContributionFacts {
        datanet_id: 3,
        contribution_id: id,
        contributor: account(name).address().into(),
        priority: Priority { height: 50 + id, tx_index: 0 },
        content_root: root.clone(),
        content_len: bytes.len() as u64,
        match_root: root,
        match_len: bytes.len() as u64,
        match_hash: HexBinary::from(&Sha256::digest(bytes)[..]),
        blob: BlobRef::of(bytes),
        media: "text/plain".into(),
        license: "CC-BY-4.0".into(),
        uses: Uses::ALL,
    }
}

pub fn evidence_root(answer: &str, pieces: &[EvidencePiece]) -> Hash {
    let root = chunk_root(answer.as_bytes(), CONTENT_CHUNK);
    let mut leaves = vec![evidence_header_leaf(&root, answer.len() as u64)];
    leaves.extend(pieces.iter().map(|piece| {
        let EvidencePiece { answer_start, len, contribution_id, source_start } = *piece;
        Piece { answer_start, len, contribution_id, source_start }.leaf()
    }));
    Tree::new(leaves).unwrap().root()
}
