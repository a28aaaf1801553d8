//! No combination of honest documents, bent or mixed, convicts the node that made them.

use openledger_types::faults::proofs::{false_span, LedgerTree, ReceiptTree};
use openledger_types::faults::{Fault, FaultError, Place, Rooted, Stated};
use openledger_types::formats::{EpochCommit, LedgerBlob};
use proptest::prelude::*;
use serde_json::{json, Value};

use super::story::{judge, Dice, Story};

/// What can truly be stated: any commitment with what the escrow says of a session after it.
pub fn statements(story: &Story) -> Vec<Stated> {
    let mut all = vec![];
    for now in 0..story.epochs.len() {
        for facts in story.epochs[now].facts.values() {
            all.push(Stated { commit: None, session: Some(facts.clone()) });
            for epoch in &story.epochs[..=now] {
                all.push(Stated { commit: Some(epoch.commit.clone()), session: Some(facts.clone()) });
            }
        }
    }
    all
}

/// A proof of every kind out of every place of an epoch's documents, as somebody would file it against
/// an honest node.
pub fn accusations(story: &Story, epoch: usize, now: usize) -> Vec<(Stated, Fault)> {
    let made = &story.epochs[epoch];
    let nothing = LedgerBlob { leaves: vec![] };
    let before = epoch.checked_sub(1).map_or(&nothing, |before| &story.epochs[before].ledger);
    let (ledger, previous) = (LedgerTree::new(&made.ledger).unwrap(), LedgerTree::new(before).unwrap());
    let receipts = ReceiptTree::new(made.receipts.receipts.iter().map(|r| &r.receipt)).unwrap();
    let mut all = vec![];
    let commit = |commit: &EpochCommit| Stated { commit: Some(commit.clone()), session: None };
    let root = commit(&made.commit);

    for (index, signed) in (0..).zip(&made.receipts.receipts) {
        let receipt = &signed.receipt;
        let facts = &story.epochs[now].facts[&receipt.session_id];
        let both = Stated { commit: Some(made.commit.clone()), session: Some(facts.clone()) };
        let log = story.log(receipt.session_id, facts.log.count);
        let told = &story.logs[&receipt.session_id][receipt.sequence as usize - 1];
        let at = receipts.at(index).unwrap();
        let logged = log.at(receipt.sequence - 1).unwrap();
        let mut add = |fault| all.push((both.clone(), fault));
        for (number, piece) in (0..).zip(&told.pieces) {
            let source = story.source(piece.contribution_id).unwrap();
            let text = story.texts[piece.contribution_id as usize - 1].as_bytes();
            let answer = told.answer.as_bytes();
            add(false_span(signed, answer, &told.pieces, number, source, text).unwrap());
        }
        add(Fault::Arithmetic { receipt: signed.clone() });
        add(Fault::BelowFloor { receipt: signed.clone() });
        for other in &story.logs[&receipt.session_id] {
            add(Fault::Equivocation { first: signed.clone(), second: other.signed.clone() });
        }
        add(Fault::ForeignReceipt { receipt: at.clone(), logged: Some(logged) });
        add(Fault::ForeignReceipt { receipt: at.clone(), logged: None });
        add(Fault::WrongRoot { of: Rooted::Receipt(at.clone()), size: receipts.root().count });
        let shares = receipt.shares.iter().map(|share| share.contribution_id);
        for contribution_id in std::iter::once(0).chain(shares) {
            let owner = story.owner(contribution_id);
            let detail = ledger
                .position(&owner)
                .and_then(|leaf| ledger.detail_place(leaf, &receipt.digest(), contribution_id));
            add(Fault::ShareMissing {
                receipt: receipt.clone(),
                at: at.clone(),
                source: story.source(contribution_id),
                leaf: ledger.place(&owner),
                detail,
            });
        }
        if let Some(second) = receipts.at(index + 1) {
            all.push((root.clone(), Fault::ReceiptOrder { first: at, second }));
        }
    }
    for index in 0..before.leaves.len() as u64 {
        let before = previous.at(index).unwrap();
        let after = ledger.place(&before.leaf.account);
        all.push((root.clone(), Fault::LeafShrank { before, after }));
    }
    for (index, entry) in (0..).zip(&made.ledger.leaves) {
        let leaf = ledger.at(index).unwrap();
        let before = previous.place(&leaf.leaf.account);
        all.push((root.clone(), Fault::LeafGrowth { before, after: leaf.clone() }));
        let of = Rooted::Leaf(leaf.clone());
        all.push((root.clone(), Fault::WrongRoot { of, size: made.ledger.leaves.len() as u64 }));
        if let Some(second) = ledger.at(index + 1) {
            all.push((root.clone(), Fault::LedgerOrder { first: leaf.clone(), second }));
        }
        for (number, entry_detail) in (0..).zip(&entry.details) {
            let detail = ledger.detail(index, number).unwrap();
            let of = Rooted::Detail { leaf: leaf.clone(), detail: detail.clone() };
            all.push((root.clone(), Fault::WrongRoot { of, size: entry.details.len() as u64 }));
            if let Some(second) = ledger.detail(index, number + 1) {
                let (leaf, first) = (leaf.clone(), detail.clone());
                all.push((root.clone(), Fault::DetailOrder { leaf, first, second }));
            }
            let place = receipts.place(&entry_detail.receipt_id);
            all.push((
                root.clone(),
                Fault::DetailWithoutReceipt { leaf: leaf.clone(), detail: detail.clone(), receipt: place },
            ));
            let named = made
                .receipts
                .receipts
                .iter()
                .find(|signed| entry_detail.receipt_id.as_slice() == signed.receipt.digest());
            let Some(named) = named else { continue };
            let facts = &story.epochs[now].facts[&named.receipt.session_id];
            let fault = Fault::DetailAmount {
                leaf: leaf.clone(),
                detail,
                receipt: named.receipt.clone(),
                source: story.source(entry_detail.contribution_id),
            };
            all.push((Stated { session: Some(facts.clone()), ..root.clone() }, fault));
        }
    }
    all
}

fn all_accusations(story: &Story) -> Vec<(Stated, Fault)> {
    let last = story.epochs.len();
    (0..last).flat_map(|epoch| (epoch..last).flat_map(move |now| accusations(story, epoch, now))).collect()
}

#[test]
fn rule_f1_an_honest_node_is_never_convicted_by_its_own_documents() {
    for seed in 0..4 {
        let story = Story::new(seed);
        let mut reasons = std::collections::BTreeMap::new();
        for (stated, fault) in all_accusations(&story) {
            match judge(&fault, &stated) {
                Err(FaultError::NoFault(_)) => *reasons.entry(fault.name()).or_insert(0) += 1,
                // The same sequence of another epoch's state, or a session without its log.
                Err(FaultError::WrongDomain { .. }) => {}
                other => panic!("{}: {other:?}", fault.name()),
            }
        }
        // Every kind but the one that the datanet contract decides was heard to the end.
        assert_eq!(reasons.len(), 14, "{reasons:?}");
    }
}

#[test]
fn rule_f1_an_auditor_finds_nothing_in_honest_epochs() {
    for seed in 0..6 {
        let story = Story::new(seed);
        for epoch in 0..story.epochs.len() {
            for now in epoch..story.epochs.len() {
                assert_eq!(story.audit(epoch, now), Default::default(), "{seed} {epoch} {now}");
            }
        }
    }
}

/// The second epoch's root was void; number 3 replaced it with the same receipts.
#[test]
fn rule_l7_neither_a_void_root_nor_the_one_that_replaces_it_is_foreign() {
    let mut story = Story::new(1);
    let made = &mut story.epochs[1];
    let void = made.commit.clone();
    made.commit.epoch = 3;
    made.facts.values_mut().for_each(|facts| facts.settled_epoch = 3);
    let replacing = made.commit.clone();
    assert_eq!(story.audit(1, 1), Default::default());
    for commit in [void, replacing] {
        for (stated, fault) in accusations(&story, 1, 1) {
            let stated = Stated { commit: Some(commit.clone()), ..stated };
            assert!(judge(&fault, &stated).is_err(), "{}", fault.name());
        }
    }
}

#[test]
fn rule_f1_citations_are_left_to_the_datanet_contract() {
    let story = Story::new(2);
    let signed = story.logs[&9][3].signed.clone();
    let facts = story.epochs[2].facts[&9].clone();
    let stated = Stated { commit: Some(story.epochs[2].commit.clone()), session: Some(facts) };
    let share = signed.receipt.shares[0].contribution_id;
    let fault = Fault::Citation { receipt: signed.clone(), contribution_id: share };
    let judged = judge(&fault, &stated).unwrap();
    let citation = judged.citation.unwrap();
    assert_eq!((citation.contribution_id, citation.height), (share, signed.receipt.height));
    assert_eq!(citation.datanets, signed.receipt.datanets);
    let fault = Fault::Citation { receipt: signed, contribution_id: 77 };
    assert!(matches!(judge(&fault, &stated), Err(FaultError::NoFault(_))));
}

/// All paths to values of a document.
fn paths(value: &Value, at: &mut Vec<String>, out: &mut Vec<Vec<String>>) {
    out.push(at.clone());
    let mut below = |key: String, value: &Value| {
        at.push(key);
        paths(value, at, out);
        at.pop();
    };
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| below(key.clone(), value)),
        Value::Array(list) => (0..).zip(list).for_each(|(i, value): (usize, _)| below(i.to_string(), value)),
        _ => {}
    }
}

fn at<'a>(value: &'a mut Value, path: &[String]) -> &'a mut Value {
    path.iter().fold(value, |value, key| match value {
        Value::Array(list) => &mut list[key.parse::<usize>().unwrap()],
        other => other.get_mut(key).unwrap(),
    })
}

/// Changes a value a little, or puts in its place what stands at a like place of another document.
fn bend(document: &mut Value, other: &Value, dice: &mut Dice) {
    let mut all = vec![];
    paths(document, &mut vec![], &mut all);
    let path = all[dice.roll(all.len() as u64) as usize].clone();
    let value = at(document, &path);
    let graft = dice.roll(2) == 0;
    if graft {
        let mut from = vec![];
        paths(other, &mut vec![], &mut from);
        let like: Vec<_> = from.iter().filter(|p| p.last() == path.last() && !p.is_empty()).collect();
        if !like.is_empty() {
            let pick = like[dice.roll(like.len() as u64) as usize];
            *value = at(&mut other.clone(), pick).clone();
            return;
        }
    }
    let step = [1, 2, 1 << 10, u64::MAX][dice.roll(4) as usize];
    match value {
        Value::Number(n) => {
            let n = n.as_u64().unwrap();
            *value = json!(if dice.roll(2) == 0 { n.wrapping_add(step) } else { n.wrapping_sub(step) });
        }
        Value::String(s) if s.len() < 40 && s.parse::<u128>().is_ok() => {
            let n = s.parse::<u128>().unwrap();
            *value =
                json!([n.saturating_add(1), n.saturating_sub(1), 0, u128::MAX][dice.roll(4) as usize]
                    .to_string());
        }
        Value::String(s) if s.len() > 1 && dice.roll(2) == 0 => {
            let (head, tail) = s.split_at(s.len() / 2 / 2 * 2);
            *value = json!(format!("{tail}{head}"));
        }
        Value::Array(list) if !list.is_empty() => {
            let i = dice.roll(list.len() as u64) as usize;
            match dice.roll(3) {
                0 => drop(list.remove(i)),
                1 => list.push(list[i].clone()),
                _ => list.swap(0, i),
            }
        }
        Value::Object(map) if map.contains_key("at") => {
            *value = json!({ "absent": { "left": null, "right": map["at"].clone() } });
        }
        Value::Object(map) if map.contains_key("left") => {
            let (left, right) = (map["left"].clone(), map["right"].clone());
            *value = json!({ "left": right, "right": left });
        }
        _ => *value = Value::Null,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..Default::default() })]

    #[test]
    fn rule_f1_no_bent_proof_convicts_an_honest_node(seed in 0u64..3, rolls in any::<u64>()) {
        let story = Story::new(seed);
        let (all, stated) = (all_accusations(&story), statements(&story));
        let mut dice = Dice::new(rolls);
        for _ in 0..40 {
            let (own, fault) = &all[dice.roll(all.len() as u64) as usize];
            let mut document = serde_json::to_value(fault).unwrap();
            let other = serde_json::to_value(&all[dice.roll(all.len() as u64) as usize].1).unwrap();
            for _ in 0..1 + dice.roll(4) {
                bend(&mut document, &other, &mut dice);
            }
            let Ok(bent) = serde_json::from_value::<Fault>(document) else { continue };
            if matches!(bent, Fault::Citation { .. }) {
                continue;
            }
            let any = &stated[dice.roll(stated.len() as u64) as usize];
            for stated in [own, any] {
                prop_assert!(judge(&bent, stated).is_err(), "{bent:?}");
            }
        }
    }
}

fn cases() -> u32 {
    let long = std::env::var("OPENLEDGER_LONG").is_ok();
    let told = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    told.unwrap_or(if long { 2_000 } else { 48 })
}

#[test]
fn a_place_in_an_empty_tree_is_between_nothing() {
    let empty = LedgerBlob { leaves: vec![] };
    let tree = LedgerTree::new(&empty).unwrap();
    let place = tree.place(&openledger_types::formats::Account::Dust);
    assert_eq!(place, Place::Absent { left: None, right: None });
}
