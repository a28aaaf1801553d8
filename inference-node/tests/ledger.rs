//! Ledgers against the rules of PROTOCOL, over random receipts.

use std::collections::BTreeMap;

use cosmwasm_std::{HexBinary, Uint128};
use openledger_node::ledger::{claims, grow, ledger_root, parse_ledger, use_proof, SessionPart};
use openledger_types::formats::*;
use openledger_types::merkle::{verify_inclusion, ZERO_HASH};
use openledger_types::money::{bps_floor, split_fees, Split};
use proptest::prelude::*;

fn owner(id: u64) -> Option<String> {
    Some(format!("openledger1owner{}", id % 5))
}

fn h(byte: u8) -> HexBinary {
    HexBinary::from([byte; 32].as_slice())
}

fn receipt(session_id: u64, sequence: u64, fee: u128, shares: Vec<Share>) -> SignedReceipt {
    let given: u16 = shares.iter().map(|s| s.bps).sum();
    let receipt = Receipt {
        chain_id: "openledger-7".into(),
        contract: "openledger1escrow".into(),
        node_id: 3,
        session_id,
        sequence,
        height: 9,
        request_hash: h(1),
        answer_root: h(2),
        answer_len: 5,
        model_id: 1,
        model_version: 1,
        datanets: vec![],
        tokens_in: 1,
        tokens_out: 1,
        fee: Uint128::new(fee),
        decoding: Decoding { temperature_milli: 0, top_k: 0, top_p_milli: 1000, max_tokens: 1 },
        seed: h(sequence as u8),
        commit_scheme: "none".into(),
        commit_root: HexBinary::from(&ZERO_HASH),
        signature_scheme: "none".into(),
        signature_root: HexBinary::from(&ZERO_HASH),
        evidence_root: h(6),
        outcome: Outcome::Stop,
        shares,
        no_evidence: BPS - given,
    };
    receipt.validate().unwrap();
    SignedReceipt { receipt, signature: HexBinary::from([0u8; 64].as_slice()) }
}

prop_compose! {
    fn any_shares()(weights in proptest::collection::btree_map(1u64..30, 1u16..600, 0..12)) -> Vec<Share> {
        weights.into_iter().map(|(contribution_id, bps)| Share { contribution_id, bps }).collect()
    }
}

prop_compose! {
    fn any_split()(a in 0u16..2_000, b in 0u16..2_000, c in 0u16..2_000) -> Split {
        Split { protocol: a, developer: b, node: c, data: BPS - a - b - c }
    }
}

fn any_epoch() -> impl Strategy<Value = Vec<SessionPart>> {
    proptest::collection::vec(
        (any_split(), proptest::collection::vec((1u128..1_000_000_007, any_shares()), 1..6)),
        1..4,
    )
    .prop_map(|sessions| {
        sessions
            .into_iter()
            .zip(1u64..)
            .map(|((split, receipts), session_id)| SessionPart {
                session_id,
                split,
                receipts: receipts
                    .into_iter()
                    .zip(1u64..)
                    .map(|((fee, shares), sequence)| receipt(session_id, sequence, fee, shares))
                    .collect(),
            })
            .collect()
    })
}

fn data(parts: &[SessionPart]) -> u128 {
    parts
        .iter()
        .map(|p| split_fees(p.receipts.iter().map(|r| r.receipt.fee.u128()).sum(), &p.split).unwrap().data)
        .sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn rule_l2_the_ledger_grows_by_exactly_the_data_part(epochs in proptest::collection::vec(any_epoch(), 1..4)) {
        let mut ledger = LedgerBlob { leaves: vec![] };
        let mut total = 0u128;
        for parts in &epochs {
            let before = ledger.clone();
            ledger = grow(&before, parts, &owner).unwrap();
            total += data(parts);
            let root = ledger_root(&ledger).unwrap();
            prop_assert_eq!(root.sum.u128(), total);

            // L2: leaves sorted, unique, never shrinking, none lost.
            prop_assert!(ledger.leaves.windows(2).all(|w| w[0].leaf.account < w[1].leaf.account));
            let old: BTreeMap<_, _> = before.leaves.iter().map(|e| (e.leaf.account.clone(), &e.leaf)).collect();
            let new: BTreeMap<_, _> = ledger.leaves.iter().map(|e| (e.leaf.account.clone(), e)).collect();
            prop_assert!(old.keys().all(|account| new.contains_key(account)));
            for (account, entry) in &new {
                let grown = entry.leaf.cumulative.u128() - old.get(account).map_or(0, |l| l.cumulative.u128());
                // L3: the details' sum is the growth; they are sorted by (receipt, contribution).
                prop_assert_eq!(entry.leaf.detail.sum.u128(), grown);
                let keys: Vec<_> =
                    entry.details.iter().map(|d| (d.receipt_id.to_vec(), d.contribution_id)).collect();
                prop_assert!(keys.windows(2).all(|w| w[0] < w[1]));
            }

            // L4: every share of every receipt has its entry, and each receipt's entries are its data part.
            let mut by_receipt: BTreeMap<Vec<u8>, u128> = BTreeMap::new();
            let mut entries = 0;
            for detail in ledger.leaves.iter().flat_map(|e| &e.details) {
                *by_receipt.entry(detail.receipt_id.to_vec()).or_default() += detail.amount.u128();
                entries += usize::from(detail.receipt_id.as_slice() != ZERO_HASH);
            }
            let mut expected = 0;
            for part in parts {
                for signed in &part.receipts {
                    let r = &signed.receipt;
                    expected += r.shares.len() + usize::from(r.no_evidence > 0);
                    let paid = by_receipt.get(r.digest().as_slice()).copied().unwrap_or(0);
                    prop_assert_eq!(paid, bps_floor(r.fee.u128(), part.split.data));
                }
            }
            prop_assert_eq!(entries, expected);

            // The blob is read back against its roots; one changed byte is refused.
            let bytes = serde_json::to_vec(&ledger).unwrap();
            let blob = BlobRef::of(&bytes);
            prop_assert_eq!(&parse_ledger(&bytes, &blob, &root).unwrap(), &ledger);
            let mut changed = bytes.clone();
            changed[bytes.len() / 2] ^= 1;
            prop_assert!(parse_ledger(&changed, &blob, &root).is_err());
            let mut more = ledger.clone();
            if let Some(entry) = more.leaves.last_mut() {
                entry.leaf.cumulative += Uint128::one();
            }
            let bytes = serde_json::to_vec(&more).unwrap();
            prop_assert!(parse_ledger(&bytes, &BlobRef::of(&bytes), &root).is_err());

            // L9: every leaf can be claimed.
            let accounts: Vec<Account> = new.keys().cloned().collect();
            let items = claims(3, "uopen", &ledger, &accounts).unwrap();
            prop_assert_eq!(items.len(), accounts.len());
            for item in items {
                let path = &item.path;
                prop_assert!(verify_inclusion(&item.leaf.leaf(), item.index, root.count, path, &root.node().unwrap()));
            }
        }
    }
}

#[test]
fn rule_l4_dust_is_a_leaf_of_its_own() {
    let split = Split { protocol: 333, developer: 1_777, node: 2_890, data: 5_000 };
    let shares = vec![Share { contribution_id: 1, bps: 10_000 }];
    let part = SessionPart {
        session_id: 1,
        split,
        receipts: vec![receipt(1, 1, 101, shares.clone()), receipt(1, 2, 103, shares)],
    };
    let ledger = grow(&LedgerBlob { leaves: vec![] }, &[part], &owner).unwrap();
    // 204 less floor(6.79) + floor(36.25) + floor(58.95) = 104; the receipts give 50 + 51.
    let found: Vec<_> = ledger
        .leaves
        .iter()
        .map(|e| (e.leaf.account.clone(), e.leaf.cumulative.u128(), e.leaf.uses))
        .collect();
    assert_eq!(found, [(Account::Dust, 3, 0), (Account::Contributor("openledger1owner1".into()), 101, 2)]);
    assert_eq!(ledger.leaves[0].details[0].receipt_id.as_slice(), ZERO_HASH);
    assert!(grow(&ledger, &[], &|_| None).is_ok());
}

#[test]
fn a_contribution_without_owner_stops_the_ledger() {
    let shares = vec![Share { contribution_id: 4, bps: 5_000 }];
    let split = Split { protocol: 0, developer: 0, node: 0, data: 10_000 };
    let part = SessionPart { session_id: 1, split, receipts: vec![receipt(1, 1, 1_000, shares)] };
    let none = LedgerBlob { leaves: vec![] };
    assert_eq!(grow(&none, std::slice::from_ref(&part), &|_| None).unwrap_err().code, "E-LEDGER-001");
    let broken = SessionPart { split: Split { data: 9_999, ..split }, ..part };
    assert_eq!(grow(&none, &[broken], &owner).unwrap_err().code, "E-LEDGER-001");
}

#[test]
fn uses_of_a_contribution_are_proved_from_the_ledger() {
    let split = Split { protocol: 0, developer: 0, node: 0, data: 10_000 };
    let shares =
        |id: u64| vec![Share { contribution_id: id, bps: 4_000 }, Share { contribution_id: id + 5, bps: 1 }];
    // Contributions 1, 6 and 11 have one owner; 40 answers cite 1, and 2 is cited for nothing.
    let mut receipts: Vec<SignedReceipt> =
        (1..=40).map(|n| receipt(1, n, 1_000 + u128::from(n), shares(1))).collect();
    receipts.push(receipt(1, 41, 1, vec![Share { contribution_id: 2, bps: 1 }]));
    let part = SessionPart { session_id: 1, split, receipts };
    let ledger = grow(&LedgerBlob { leaves: vec![] }, &[part], &owner).unwrap();
    let root = ledger_root(&ledger).unwrap();
    let account = Account::Contributor(owner(1).unwrap());
    let proof = use_proof(&ledger, &account, 1).unwrap().unwrap();
    // No more than one message takes, the largest, in rising order.
    assert_eq!(proof.details.len(), 32);
    assert!(proof.details.windows(2).all(|w| w[0].index < w[1].index));
    assert!(proof.details.iter().all(|item| item.detail.contribution_id == 1));
    let path = &proof.path;
    assert!(verify_inclusion(&proof.leaf.leaf(), proof.index, root.count, path, &root.node().unwrap()));
    let detail = &proof.leaf.detail;
    for item in &proof.details {
        let path = &item.path;
        let node = detail.node().unwrap();
        assert!(verify_inclusion(&item.detail.leaf(), item.index, detail.count, path, &node));
    }
    // Nothing was paid for 2, nobody else owns 1.
    assert!(use_proof(&ledger, &Account::Contributor(owner(2).unwrap()), 2).unwrap().is_none());
    assert!(use_proof(&ledger, &Account::Contributor(owner(2).unwrap()), 1).unwrap().is_none());
}
