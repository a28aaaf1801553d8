//! Whatever a node bends in an epoch, an auditor finds a proof for it.

use cosmwasm_std::{HexBinary, Uint128};
use openledger_types::faults::Fault;
use openledger_types::formats::{Account, Detail};
use openledger_types::merkle::ZERO_HASH;
use proptest::prelude::*;

use super::story::{account, court, judge, Dice, Made, Story};

/// Bends the second epoch and asks for a proof of this name. Every proof must be judged guilty, of this
/// node, with the bent root.
fn found(seed: u64, name: &str, bend: impl FnOnce(&mut Story)) -> Vec<Fault> {
    let mut story = Story::new(seed);
    assert_eq!(story.audit(1, 1), Default::default());
    bend(&mut story);
    let findings = story.audit(1, 1);
    for found in &findings.faults {
        let judged = found.fault.judge(&court(), &found.stated).unwrap();
        let root = (2, HexBinary::from(&story.epochs[1].commit.hash()));
        assert_eq!((judged.node_id, judged.conviction.root.as_ref()), (2, Some(&root)));
        assert_eq!(judged.conviction.fault, found.fault.name());
    }
    let faults: Vec<Fault> = findings.faults.into_iter().map(|found| found.fault).collect();
    let names: Vec<_> = faults.iter().map(Fault::name).collect();
    assert!(names.contains(&name), "{name} is not among {names:?}; {:?}", findings.unproved);
    faults
}

fn bent(name: &str, bend: impl Fn(&mut Made)) {
    for seed in 0..3 {
        found(seed, name, |story| {
            bend(&mut story.epochs[1]);
            story.epochs[1].reroot();
        });
    }
}

/// The contributor of the last contribution, who has a share of every answer.
fn carol() -> Account {
    account("carol")
}

#[test]
fn rule_l2_receipts_out_of_order_or_twice() {
    bent("receipt_order", |made| made.receipts.receipts.swap(1, 2));
    bent("receipt_order", |made| made.receipts.receipts[0] = made.receipts.receipts[1].clone());
}

#[test]
fn rule_l2_leaves_out_of_order_or_twice() {
    bent("ledger_order", |made| made.ledger.leaves.swap(0, 1));
    bent("ledger_order", |made| {
        let twice = made.ledger.leaves[2].clone();
        made.ledger.leaves.insert(2, twice);
    });
}

#[test]
fn rule_f1_a_receipt_of_an_older_epoch() {
    for name in ["foreign_receipt", "detail_without_receipt"] {
        found(1, name, |story| {
            let old = story.logs[&7][0].signed.clone();
            let made = &mut story.epochs[1];
            made.receipts.receipts[0] = old;
            made.receipts.receipts.sort_by_key(|signed| signed.receipt.digest());
            made.reroot();
        });
    }
}

#[test]
fn rule_f1_a_receipt_that_the_log_does_not_hold() {
    found(1, "foreign_receipt", |story| {
        let mut other = story.logs[&9][1].signed.receipt.clone();
        other.answer_len += 1;
        let other = story.sign(other);
        let made = &mut story.epochs[1];
        let place = |r: &&mut openledger_types::formats::SignedReceipt| {
            (r.receipt.session_id, r.receipt.sequence) == (9, 2)
        };
        *made.receipts.receipts.iter_mut().find(place).unwrap() = other;
        made.receipts.receipts.sort_by_key(|signed| signed.receipt.digest());
        made.reroot();
    });
}

#[test]
fn rule_f1_a_receipt_of_a_session_that_the_epoch_did_not_settle() {
    // The first epoch's newest receipt of session 7, in a root after the one that holds it.
    let mut story = Story::new(1);
    let facts = story.epochs[0].facts[&7].clone();
    story.epochs[1].facts.insert(7, facts);
    let findings = story.audit(1, 1);
    assert!(findings.faults.iter().any(|found| found.fault.name() == "foreign_receipt"));
    let old = story.logs[&7][2].signed.clone();
    let made = &mut story.epochs[1];
    made.receipts.receipts.retain(|signed| signed.receipt.session_id == 9);
    made.receipts.receipts.push(old);
    made.receipts.receipts.sort_by_key(|signed| signed.receipt.digest());
    made.reroot();
    let findings = story.audit(1, 1);
    assert!(findings.faults.iter().any(|found| found.fault.name() == "foreign_receipt"));
}

#[test]
fn rule_f1_a_receipt_of_a_sequence_that_was_never_settled() {
    found(1, "foreign_receipt", |story| {
        // The third epoch settles it; the second took it in early.
        let early = story.logs[&9][3].signed.clone();
        let made = &mut story.epochs[1];
        made.receipts.receipts[0] = early;
        made.receipts.receipts.sort_by_key(|signed| signed.receipt.digest());
        made.reroot();
    });
}

#[test]
fn rule_f1_leaves_that_shrank_or_vanished() {
    bent("leaf_shrank", |made| made.leaf(&carol()).leaf.cumulative = Uint128::new(1));
    bent("leaf_shrank", |made| made.leaf(&carol()).leaf.uses = 0);
    for account in [Account::Commons, Account::Dust, carol()] {
        bent("leaf_shrank", |made| made.ledger.leaves.retain(|entry| entry.leaf.account != account));
    }
    bent("leaf_shrank", |made| made.ledger.leaves.clear());
}

#[test]
fn rule_l3_growth_that_is_not_the_sum_of_the_details() {
    bent("leaf_growth", |made| made.leaf(&carol()).leaf.cumulative += Uint128::new(1));
    bent("leaf_growth", |made| made.leaf(&carol()).leaf.uses += 100);
    bent("leaf_growth", |made| made.leaf(&carol()).leaf.uses = 0);
    bent("leaf_growth", |made| made.leaf(&carol()).details.clear());
    // A leaf out of nothing.
    bent("leaf_growth", |made| {
        let mut entry = made.ledger.leaves[2].clone();
        entry.leaf.account = account("zoe");
        entry.leaf.cumulative = Uint128::new(5);
        entry.details.clear();
        made.ledger.leaves.push(entry);
    });
}

#[test]
fn rule_l3_details_out_of_order_or_twice() {
    bent("detail_order", |made| made.leaf(&carol()).details.swap(0, 1));
    bent("detail_order", |made| {
        let details = &mut made.leaf(&carol()).details;
        details.insert(1, details[0].clone());
    });
}

#[test]
fn rule_f1_details_without_a_receipt() {
    for byte in [0x00, 0x01, 0x80, 0xff] {
        bent("detail_without_receipt", |made| {
            let receipt_id = HexBinary::from(&[byte; 32]);
            let details = &mut made.leaf(&carol()).details;
            details.push(Detail { receipt_id, contribution_id: 2, amount: Uint128::new(9) });
            details.sort_by_key(|detail| (detail.receipt_id.to_vec(), detail.contribution_id));
        });
    }
    // An id of another length is no receipt's either.
    bent("detail_without_receipt", |made| {
        let details = &mut made.leaf(&carol()).details;
        details[0].receipt_id = HexBinary::from(&details[0].receipt_id[..31]);
    });
}

#[test]
fn rule_l4_dust_stands_in_the_dust_leaf_alone() {
    let dust = |amount| Detail {
        receipt_id: HexBinary::from(&ZERO_HASH),
        contribution_id: 0,
        amount: Uint128::new(amount),
    };
    for owner in [carol(), Account::Commons] {
        bent("detail_without_receipt", |made| made.leaf(&owner).details.insert(0, dust(10)));
    }
    bent("detail_without_receipt", |made| {
        let answer = made.leaf(&carol()).details[0].clone();
        made.leaf(&Account::Dust).details.push(answer);
    });
    bent("detail_without_receipt", |made| {
        let odd = Detail { contribution_id: 1, ..dust(3) };
        made.leaf(&Account::Dust).details.push(odd);
    });
    bent("detail_order", |made| made.leaf(&Account::Dust).details.insert(0, dust(3)));
}

#[test]
fn rule_l4_details_that_are_not_the_share() {
    bent("detail_amount", |made| made.leaf(&carol()).details[0].amount += Uint128::new(1));
    bent("detail_amount", |made| made.leaf(&carol()).details[0].amount = Uint128::zero());
    bent("detail_amount", |made| made.leaf(&Account::Commons).details[0].amount += Uint128::new(1));
    // For a contribution that the receipt does not pay.
    bent("detail_amount", |made| made.leaf(&carol()).details[0].contribution_id = 77);
}

#[test]
fn rule_f1_details_under_another_account() {
    for to in [account("alice"), account("bob"), Account::Commons] {
        for name in ["detail_amount", "share_missing"] {
            bent(name, |made| {
                let taken = made.leaf(&carol()).details.remove(0);
                let details = &mut made.leaf(&to).details;
                details.push(taken);
                details.sort_by_key(|detail| (detail.receipt_id.to_vec(), detail.contribution_id));
            });
        }
    }
    // The same address in other letters is another account.
    for name in ["detail_amount", "share_missing"] {
        bent(name, |made| {
            let mut loud = made.leaf(&carol()).clone();
            loud.leaf.account = Account::Contributor(carol().address().to_uppercase());
            made.leaf(&carol()).details.clear();
            let place = made.ledger.leaves.partition_point(|entry| entry.leaf.account < loud.leaf.account);
            made.ledger.leaves.insert(place, loud);
        });
    }
}

#[test]
fn rule_f1_shares_that_are_missing() {
    for index in 0..5 {
        bent("share_missing", |made| drop(made.leaf(&carol()).details.remove(index)));
        bent("share_missing", |made| drop(made.leaf(&Account::Commons).details.remove(index)));
    }
    bent("share_missing", |made| made.leaf(&carol()).details.clear());
    bent("share_missing", |made| made.ledger.leaves.retain(|entry| entry.leaf.account != carol()));
    bent("share_missing", |made| made.ledger.leaves.clear());
}

#[test]
fn a_share_of_nothing_needs_no_detail() {
    let mut story = Story::new(1);
    let made = &mut story.epochs[1];
    made.leaf(&carol()).details.clear();
    made.reroot();
    // Where the data's part is nothing, every share is.
    made.facts.values_mut().for_each(|facts| facts.data_bps = 0);
    let names: Vec<_> = story.audit(1, 1).faults.iter().map(|found| found.fault.name()).collect();
    assert!(names.contains(&"detail_amount") && !names.contains(&"share_missing"), "{names:?}");
}

#[test]
fn rule_s2_a_settled_receipt_against_its_terms_needs_no_signature() {
    for (name, signs) in [("arithmetic", true), ("share_missing", false)] {
        found(2, name, |story| {
            let told = &mut story.logs.get_mut(&9).unwrap()[1];
            let mut receipt = told.signed.receipt.clone();
            receipt.fee += Uint128::new(1);
            told.signed.receipt = receipt.clone();
            if signs {
                let signed = story.sign(receipt.clone());
                story.logs.get_mut(&9).unwrap()[1].signed = signed;
            }
            let bad = story.logs[&9][1].signed.clone();
            let log = story.log(9, 3).root();
            let made = &mut story.epochs[1];
            let of = |r: &&mut openledger_types::formats::SignedReceipt| {
                (r.receipt.session_id, r.receipt.sequence) == (9, 2)
            };
            *made.receipts.receipts.iter_mut().find(of).unwrap() = bad;
            made.receipts.receipts.sort_by_key(|signed| signed.receipt.digest());
            made.facts.get_mut(&9).unwrap().log = log;
            made.reroot();
        });
    }
}

#[test]
fn a_proof_against_a_bent_root_says_nothing_of_the_honest_one() {
    let mut story = Story::new(0);
    let honest = story.epochs[1].commit.clone();
    drop(story.epochs[1].leaf(&carol()).details.remove(0));
    story.epochs[1].reroot();
    let findings = story.audit(1, 1);
    assert!(!findings.faults.is_empty());
    for found in findings.faults {
        let mut stated = found.stated;
        stated.commit = Some(honest.clone());
        assert!(judge(&found.fault, &stated).is_err());
    }
}

/// Bends one entry so that every sum still fits, as the escrow demands; false when nothing changed.
fn shift(made: &mut Made, dice: &mut Dice) -> bool {
    let honest = made.ledger.clone();
    let any = |dice: &mut Dice, made: &Made| {
        let leaf = dice.roll(made.ledger.leaves.len() as u64) as usize;
        let details = made.ledger.leaves[leaf].details.len() as u64;
        (details > 0).then(|| (leaf, dice.roll(details.max(1)) as usize))
    };
    let (Some((from, a)), Some((to, b))) = (any(dice, made), any(dice, made)) else { return false };
    let receipts: Vec<_> = made.receipts.receipts.iter().map(|r| r.receipt.digest()).collect();
    let leaves = &mut made.ledger.leaves;
    let amount = leaves[from].details[a].amount;
    match dice.roll(5) {
        0 => {
            let part = Uint128::new(1 + u128::from(dice.roll(100))).min(amount);
            leaves[from].details[a].amount -= part;
            leaves[to].details[b].amount += part;
        }
        1 if !amount.is_zero() && (from, a) != (to, b) => {
            leaves[to].details[b].amount += amount;
            leaves[from].details.remove(a);
        }
        2 => {
            let detail = leaves[from].details.remove(a);
            leaves[to].details.push(detail);
        }
        3 => leaves[from].details[a].contribution_id = dice.roll(7),
        _ => {
            let pick = dice.roll(receipts.len() as u64) as usize;
            leaves[from].details[a].receipt_id = HexBinary::from(&receipts[pick]);
        }
    }
    for (entry, before) in leaves.iter_mut().zip(&honest.leaves) {
        entry.details.sort_by_key(|detail| (detail.receipt_id.to_vec(), detail.contribution_id));
        let sum = |details: &[Detail]| details.iter().map(|detail| detail.amount.u128()).sum::<u128>();
        let old = before.leaf.cumulative.u128() - sum(&before.details);
        entry.leaf.cumulative = Uint128::new(old + sum(&entry.details));
    }
    made.reroot();
    made.ledger != honest
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..Default::default() })]

    #[test]
    fn rule_f1_no_shift_between_entries_goes_unproved(seed in 0u64..8, rolls in any::<u64>()) {
        let mut story = Story::new(seed);
        let (honest, mut dice) = (story.epochs[1].commit.clone(), Dice::new(rolls));
        if !shift(&mut story.epochs[1], &mut dice) {
            return Ok(());
        }
        prop_assert_eq!(honest.ledger.sum, story.epochs[1].commit.ledger.sum);
        let found = story.audit(1, 1).faults;
        // Uses that no longer fit would prove it too; the amounts alone must do.
        prop_assert!(found.iter().any(|found| found.fault.name() != "leaf_growth"));
    }
}
