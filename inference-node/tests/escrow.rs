//! What `ledger` builds is taken by the escrow contract itself, run in memory.

use std::collections::BTreeMap;

use openledger_node::ledger::{
    claims, grow, ledger_root, receipts_root, settlement, sort_receipts, SessionPart, SettlementInput,
};
use openledger_testing::{Answer, Client, Document, NodeModel, World};
use openledger_types::formats::{
    Account, BlobRef, EpochCommit, LedgerBlob, ReceiptsBlob, SignedReceipt, SignedVoucher, SumRoot,
};
use openledger_types::msg::escrow::ExecuteMsg;

/// A session's side of the books, as the journal holds it.
struct Books {
    client: Client,
    receipts: Vec<SignedReceipt>,
    vouchers: Vec<SignedVoucher>,
    newest: Option<SignedVoucher>,
    settled: u64,
}

impl Books {
    fn keep(&mut self, voucher: &SignedVoucher) {
        let count = |v: &SignedVoucher| v.voucher.acknowledged.count;
        if self.newest.as_ref().is_none_or(|n| count(voucher) > count(n)) {
            self.newest = Some(voucher.clone());
        }
    }
}

#[test]
fn rule_l2_the_escrow_takes_what_the_node_builds() {
    let mut world = World::new();
    let (alice, bob, user) = (world.account("alice"), world.account("bob"), world.account("user"));
    let datanet = world.create_datanet(&alice).unwrap();
    let mut given = world.contribute(&alice, datanet, Document::generate(1, 3)).unwrap();
    given.extend(world.contribute(&bob, datanet, Document::generate(2, 2)).unwrap());
    let version = world.seal(&alice, datanet).unwrap();
    let model = world.register_model("developer", &[(datanet, version.version)]).unwrap();
    let mut node = NodeModel::register(&mut world, "node").unwrap();
    let owners: BTreeMap<u64, String> = given
        .iter()
        .enumerate()
        .map(|(i, id)| (*id, if i < 3 { alice.to_string() } else { bob.to_string() }))
        .collect();
    let mut books: Vec<Books> = (0..3)
        .map(|_| Books {
            client: world.open_session(&user, model, &[(node.node_id, 100_000_000)]).unwrap(),
            receipts: vec![],
            vouchers: vec![],
            newest: None,
            settled: 0,
        })
        .collect();
    let mut previous = LedgerBlob { leaves: vec![] };

    for epoch in 1..=4u64 {
        for (s, book) in books.iter_mut().enumerate() {
            // Session 0 acknowledges everything, 1 nothing but when it must, 2 every second answer.
            for n in 0..3u64 {
                let voucher = book.client.ask(node.node_id, &format!("q {epoch} {s} {n}"), 10_000_000);
                book.keep(&voucher);
                let shares =
                    [(given[(n + epoch) as usize % 5], 3_333), (given[(n + epoch + 1) as usize % 5], 1)];
                let receipt = node.answer(&world, &voucher, Answer::citing(&shares));
                let acknowledges = match s {
                    0 => true,
                    1 => false,
                    _ => n % 2 == 0,
                };
                book.receipts.push(receipt);
                book.vouchers.push(voucher);
                let acknowledged = book.newest.as_ref().map_or(0, |v| v.voucher.acknowledged.count);
                if acknowledges || book.receipts.len() as u64 - acknowledged >= 4 {
                    let seen = book.client.acknowledgement(node.node_id).voucher.acknowledged.count as usize;
                    for receipt in &book.receipts[seen..] {
                        book.client.acknowledge(receipt);
                    }
                    let newest = book.client.acknowledgement(node.node_id);
                    book.keep(&newest);
                }
            }
        }
        let terms: Vec<_> = books.iter().map(|b| world.session(b.client.session_id).unwrap()).collect();
        let parts: Vec<SessionPart> = books
            .iter()
            .zip(&terms)
            .map(|(book, terms)| SessionPart {
                session_id: book.client.session_id,
                split: terms.split,
                receipts: book.receipts[book.settled as usize..].to_vec(),
            })
            .collect();
        let settlements = books
            .iter()
            .map(|book| {
                let voucher = book.newest.as_ref().unwrap();
                let acknowledged = voucher.voucher.acknowledged.count as usize;
                settlement(&SettlementInput {
                    session_id: book.client.session_id,
                    voucher,
                    log: &book.receipts,
                    pending: &book.vouchers[acknowledged..],
                    settled: book.settled,
                })
                .unwrap()
            })
            .collect();
        let blob = grow(&previous, &parts, &|id| owners.get(&id).cloned()).unwrap();
        let mut receipts: Vec<SignedReceipt> = parts.into_iter().flat_map(|p| p.receipts).collect();
        sort_receipts(&mut receipts);
        let commit = EpochCommit {
            chain_id: world.chain_id(),
            contract: world.escrow.to_string(),
            node_id: node.node_id,
            denom: world.denom.clone(),
            epoch,
            previous: ledger_root(&previous).unwrap(),
            receipts: receipts_root(&receipts).unwrap(),
            ledger: ledger_root(&blob).unwrap(),
            leaves_blob: BlobRef::of(&serde_json::to_vec(&blob).unwrap()),
            receipts_blob: BlobRef::of(&serde_json::to_vec(&ReceiptsBlob { receipts }).unwrap()),
        };
        let escrow = world.escrow.clone();
        world.execute(&node.operator, &escrow, &ExecuteMsg::PostEpoch { commit, settlements }, &[]).unwrap();
        world.finalize(node.node_id).unwrap();
        for book in &mut books {
            book.settled = book.receipts.len() as u64;
        }
        previous = blob;
        world.assert_invariants();
    }

    let ledger = world.ledger(node.node_id).unwrap();
    assert_eq!(ledger.ledger, ledger_root(&previous).unwrap());
    assert_ne!(ledger.ledger, SumRoot::empty());
    let accounts: Vec<Account> = previous.leaves.iter().map(|e| e.leaf.account.clone()).collect();
    let items = claims(node.node_id, &world.denom.clone(), &previous, &accounts).unwrap();
    world.claim(&user, items).unwrap();
    for who in [&alice, &bob] {
        let leaf = previous.leaves.iter().find(|e| e.leaf.account.address() == who.as_str()).unwrap();
        assert_eq!(world.withdrawable(who).unwrap(), leaf.leaf.cumulative.u128());
    }
    // Every unit that the ledger was paid is claimed: commons and dust are leaves too.
    let ledger = world.ledger(node.node_id).unwrap();
    assert_eq!(ledger.funded, ledger.claimed);
    world.assert_invariants();
}
