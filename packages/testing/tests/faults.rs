//! One-step proofs against a node of the kit: its honest postings convict it of nothing, each bent one
//! of what was bent.

use cosmwasm_std::{HexBinary, Uint128};
use openledger_testing::{match_text, Answer, Auditor, Client, Document, NodeModel, Posting, World};
use openledger_types::api::EvidencePiece;
use openledger_types::faults::find::Findings;
use openledger_types::faults::proofs::{false_span, ReceiptTree};
use openledger_types::faults::{Fault, FaultError, Stated};
use openledger_types::formats::{
    evidence_header_leaf, Account, Detail, LedgerEntry, LedgerLeaf, Piece, Receipt, SignedReceipt, SumRoot,
};
use openledger_types::merkle::{chunk_root, Tree, CONTENT_CHUNK};

/// Three contributors, a model on their data, a node that has posted two epochs over two sessions.
struct Job {
    world: World,
    node: NodeModel,
    documents: Vec<Document>,
    given: Vec<u64>,
    owners: Vec<Account>,
    clients: Vec<Client>,
    postings: Vec<Posting>,
}

impl Job {
    fn new() -> Self {
        let mut world = World::new();
        let owner = world.account("owner");
        let datanet = world.create_datanet(&owner).unwrap();
        let (mut given, mut documents, mut owners) = (vec![], vec![], vec![]);
        for (number, name) in ["alice", "bob", "carol"].into_iter().enumerate() {
            let contributor = world.account(name);
            let texts = Document::generate(number as u64, 2);
            documents.extend(texts.clone());
            given.extend(world.contribute(&contributor, datanet, texts).unwrap());
            owners.push(Account::Contributor(contributor.to_string()));
        }
        world.advance(world.profile.datanet.acceptance_blocks);
        let version = world.seal(&owner, datanet).unwrap();
        let model = world.register_model("developer", &[(datanet, version.version)]).unwrap();
        let node = NodeModel::register(&mut world, "node").unwrap();
        let mut clients = vec![];
        for name in ["user", "other"] {
            let user = world.account(name);
            clients.push(world.open_session(&user, model, &[(node.node_id, 1_000_000)]).unwrap());
        }
        let mut job = Job { world, node, documents, given, owners, clients, postings: vec![] };
        job.epoch(&[(0, 3)]);
        job.epoch(&[(0, 3), (1, 2)]);
        job
    }

    /// Asks, answers, posts and makes final.
    fn epoch(&mut self, plan: &[(usize, usize)]) {
        let mut sessions = vec![];
        for (client, count) in plan {
            let client = &mut self.clients[*client];
            for number in 0..*count {
                let voucher = client.ask(self.node.node_id, &format!("question {number}?"), 20_000);
                let at = |n: usize| self.given[n % self.given.len()];
                let mut answer = Answer::citing(&[(at(number), 3_333), (at(number + 2), 1_667)]);
                answer.tokens_out = 101 + number as u32;
                let receipt = self.node.answer(&self.world, &voucher, answer);
                client.acknowledge(&receipt);
            }
            self.node.receive(&client.acknowledgement(self.node.node_id));
            sessions.push(client.session_id);
        }
        let posting = self.node.post_epoch(&mut self.world, &sessions).unwrap();
        self.world.finalize(self.node.node_id).unwrap();
        self.postings.push(posting);
    }

    fn auditor(&self) -> Auditor<'_> {
        Auditor::new(&self.world, &self.postings)
    }

    /// Audits the second posting after it was bent, which must show a fault of this name.
    fn bent(&self, name: &str, bend: impl Fn(&mut Posting)) -> Findings {
        let mut posting = self.postings[1].clone();
        bend(&mut posting);
        let findings = self.auditor().audit(&posting);
        let names: Vec<_> = findings.faults.iter().map(|found| found.fault.name()).collect();
        assert!(names.contains(&name), "{name} is not among {names:?}: {:?}", findings.unproved);
        for found in &findings.faults {
            let judged = self.auditor().judge(&found.fault, &found.stated).unwrap();
            assert_eq!(judged.node_id, self.node.node_id);
            let root = Some((posting.commit.epoch, HexBinary::from(&posting.commit.hash())));
            assert_eq!(judged.conviction.root, root);
            // Against the honest root the same proof is none.
            if posting.commit != self.postings[1].commit {
                let stated = Stated { commit: Some(self.postings[1].commit.clone()), ..found.stated.clone() };
                assert!(self.auditor().judge(&found.fault, &stated).is_err());
            }
        }
        findings
    }

    /// A contributor that the second epoch paid.
    fn paid(&self) -> Account {
        let paid = |entry: &&LedgerEntry| {
            matches!(entry.leaf.account, Account::Contributor(_)) && entry.details.len() > 1
        };
        self.postings[1].ledger.leaves.iter().find(paid).unwrap().leaf.account.clone()
    }

    /// The newest receipt of the second session, and what is to be stated of it.
    fn newest(&self) -> (Receipt, Stated) {
        let session_id = self.clients[1].session_id;
        let log = self.auditor().log(session_id, u64::MAX);
        (log.last().unwrap().clone(), self.auditor().stated(&self.postings[1], session_id))
    }

    fn arithmetic(&self, bend: impl FnOnce(&mut Receipt)) -> Result<(), FaultError> {
        let (mut receipt, stated) = self.newest();
        bend(&mut receipt);
        let fault = Fault::Arithmetic { receipt: self.node.sign(receipt) };
        self.auditor().judge(&fault, &stated).map(drop)
    }
}

#[test]
fn rule_f1_honest_postings_show_nothing() {
    let job = Job::new();
    for posting in &job.postings {
        assert_eq!(job.auditor().audit(posting), Findings::default());
    }
}

#[test]
fn rule_f1_bent_receipts_trees() {
    let job = Job::new();
    job.bent("receipt_order", |posting| {
        posting.receipts.receipts.swap(0, 1);
        posting.reroot();
    });
    let old = job.postings[0].receipts.receipts[0].clone();
    for name in ["foreign_receipt", "share_missing"] {
        job.bent(name, |posting| posting.replace_receipt(0, old.clone()));
    }
}

#[test]
fn rule_f1_bent_ledgers() {
    let job = Job::new();
    let paid = job.paid();
    job.bent("ledger_order", |posting| {
        posting.ledger.leaves.reverse();
        posting.reroot();
    });
    job.bent("leaf_shrank", |posting| posting.drop_leaf(&paid));
    job.bent("leaf_shrank", |posting| posting.drop_leaf(&Account::Commons));
    job.bent("leaf_growth", |posting| posting.inflate(&paid, 1));
    job.bent("leaf_growth", |posting| {
        let account = Account::Contributor("openledger1zzz".into());
        let leaf = LedgerLeaf { account, cumulative: Uint128::new(9), uses: 0, detail: SumRoot::empty() };
        posting.ledger.leaves.push(LedgerEntry { leaf, details: vec![] });
        posting.reroot();
    });
    job.bent("wrong_root", |posting| posting.commit.ledger.sum += Uint128::one());
    job.bent("wrong_root", |posting| posting.commit.ledger.count += 1);
}

#[test]
fn rule_f1_bent_details() {
    let job = Job::new();
    let paid = job.paid();
    job.bent("detail_order", |posting| {
        posting.entry(&paid).details.swap(0, 1);
        posting.reroot();
    });
    let foreign = Detail { receipt_id: HexBinary::from(&[7; 32]), contribution_id: 1, amount: 5u128.into() };
    job.bent("detail_without_receipt", |posting| posting.add_detail(&paid, foreign.clone()));
    job.bent("detail_amount", |posting| {
        let mut detail = posting.drop_detail(&paid, 0);
        detail.amount += Uint128::one();
        posting.add_detail(&paid, detail);
    });
    for to in [&Account::Commons, job.owners.iter().find(|owner| **owner != paid).unwrap()] {
        for name in ["detail_amount", "share_missing"] {
            job.bent(name, |posting| posting.redirect(&paid, 0, to));
        }
    }
    job.bent("share_missing", |posting| drop(posting.drop_detail(&paid, 0)));
    job.bent("share_missing", |posting| drop(posting.drop_detail(&Account::Commons, 0)));
}

#[test]
fn rule_f1_a_redirected_share_is_proved_by_its_place() {
    // The proof by hand, as a contributor would make it who has only their own documents.
    let job = Job::new();
    let (paid, auditor) = (job.paid(), job.auditor());
    let mut posting = job.postings[1].clone();
    let taken = posting.drop_detail(&paid, 0);
    let receipts = posting.receipt_tree();
    let index = posting
        .receipts
        .receipts
        .iter()
        .position(|signed| taken.receipt_id.as_slice() == signed.receipt.digest())
        .unwrap();
    let receipt = posting.receipts.receipts[index].receipt.clone();
    let tree = posting.ledger_tree();
    let leaf = tree.position(&paid).unwrap();
    let fault = |tree: &openledger_types::faults::proofs::LedgerTree| Fault::ShareMissing {
        at: receipts.at(index as u64).unwrap(),
        source: auditor.source(&receipt, taken.contribution_id),
        leaf: tree.place(&paid),
        detail: tree.detail_place(leaf, &taken.receipt_id, taken.contribution_id),
        receipt: receipt.clone(),
    };
    let stated = auditor.stated(&posting, receipt.session_id);
    assert!(auditor.judge(&fault(&tree), &stated).is_ok());
    let honest = fault(&job.postings[1].ledger_tree());
    let stated = auditor.stated(&job.postings[1], receipt.session_id);
    assert_eq!(auditor.judge(&honest, &stated), Err(FaultError::NoFault("the share has its detail")));
}

#[test]
fn rule_f1_receipts_against_their_terms() {
    let job = Job::new();
    assert!(matches!(job.arithmetic(|_| {}), Err(FaultError::NoFault(_))));
    let bends: [fn(&mut Receipt); 5] = [
        |receipt| receipt.fee += Uint128::one(),
        |receipt| receipt.model_version += 1,
        |receipt| receipt.height = 0,
        |receipt| receipt.shares[0].bps += 1,
        |receipt| receipt.datanets[0].size -= 1,
    ];
    for bend in bends {
        assert_eq!(job.arithmetic(bend), Ok(()));
    }
}

#[test]
fn rule_d5_a_fee_below_the_floor_of_the_datanet() {
    let job = Job::new();
    let (mut receipt, stated) = job.newest();
    let honest = Fault::BelowFloor { receipt: job.node.sign(receipt.clone()) };
    assert!(matches!(job.auditor().judge(&honest, &stated), Err(FaultError::NoFault(_))));
    let floor = stated.session.as_ref().unwrap().floor_per_token.u128();
    assert!(floor > 0);
    receipt.fee = Uint128::new(floor * u128::from(receipt.tokens_out) - 1);
    let fault = Fault::BelowFloor { receipt: job.node.sign(receipt) };
    assert!(job.auditor().judge(&fault, &stated).is_ok());
}

#[test]
fn rule_d4_a_citation_is_handed_to_the_datanet_contract() {
    let job = Job::new();
    let (receipt, stated) = job.newest();
    let contribution_id = receipt.shares[0].contribution_id;
    let signed = job.node.sign(receipt.clone());
    let fault = Fault::Citation { receipt: signed.clone(), contribution_id };
    let citation = job.auditor().judge(&fault, &stated).unwrap().citation.unwrap();
    assert_eq!((citation.contribution_id, citation.height), (contribution_id, receipt.height));
    let fault = Fault::Citation { receipt: signed, contribution_id: 1_000 };
    assert!(matches!(job.auditor().judge(&fault, &stated), Err(FaultError::NoFault(_))));
}

#[test]
fn rule_s2_two_receipts_for_one_request() {
    let job = Job::new();
    let (receipt, stated) = job.newest();
    let mut other = receipt.clone();
    other.answer_len += 1;
    let sign = |receipt: &Receipt| job.node.sign(receipt.clone());
    let fault = Fault::Equivocation { first: sign(&receipt), second: sign(&other) };
    assert!(job.auditor().judge(&fault, &stated).is_ok());
    let fault = Fault::Equivocation { first: sign(&receipt), second: sign(&receipt) };
    assert!(matches!(job.auditor().judge(&fault, &stated), Err(FaultError::NoFault(_))));
}

/// A receipt over an answer that repeats the first document, whose one piece starts so much too late.
fn spanning(job: &Job, late: u64) -> (SignedReceipt, String, Vec<EvidencePiece>, String) {
    let text = match_text(&job.documents[0].text);
    let answer = format!("they say {}", &text[..60]);
    let pieces =
        vec![EvidencePiece { answer_start: 9, len: 40, contribution_id: job.given[0], source_start: late }];
    let root = chunk_root(answer.as_bytes(), CONTENT_CHUNK);
    let EvidencePiece { answer_start, len, contribution_id, source_start } = pieces[0];
    let piece = Piece { answer_start, len, contribution_id, source_start };
    let leaves = vec![evidence_header_leaf(&root, answer.len() as u64), piece.leaf()];
    let mut receipt = job.newest().0;
    receipt.evidence_root = HexBinary::from(&Tree::new(leaves).unwrap().root());
    (job.node.sign(receipt), answer, pieces, text)
}

#[test]
fn rule_f1_a_false_span() {
    let job = Job::new();
    let stated = job.newest().1;
    for (late, guilty) in [(0, false), (1, true)] {
        let (receipt, answer, pieces, text) = spanning(&job, late);
        let source = job.auditor().source(&receipt.receipt, job.given[0]).unwrap();
        let fault = false_span(&receipt, answer.as_bytes(), &pieces, 0, source, text.as_bytes()).unwrap();
        assert_eq!(job.auditor().judge(&fault, &stated).is_ok(), guilty);
    }
}

#[test]
fn the_facts_of_a_session_are_those_of_the_chain() {
    let job = Job::new();
    for client in &job.clients {
        let session = job.world.session(client.session_id).unwrap();
        let facts = job.auditor().facts(client.session_id);
        assert_eq!(facts.log, session.nodes[0].log);
        let log = job.auditor().log(client.session_id, u64::MAX);
        assert_eq!(ReceiptTree::new(&log).unwrap().root(), facts.log);
        assert_eq!(facts.settled_epoch, 2);
    }
    assert_eq!(job.auditor().facts(job.clients[0].session_id).settled_from, 3);
}
