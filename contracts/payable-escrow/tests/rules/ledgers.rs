//! L1 to L4: what a node that lies in its ledger can and cannot take.

use std::collections::BTreeMap;

use cosmwasm_std::Uint128;
use openledger_payable_escrow::ContractError;
use openledger_types::formats::{Account, LedgerEntry, LedgerLeaf, SumRoot};

use crate::common::book::Book;
use crate::common::suite::FINAL;
use crate::common::{refused, Answer, Client, Suite, OPEN};

/// A ledger of these amounts, whatever receipts say.
fn lie(amounts: &[(&str, u128)]) -> Book {
    let sorted: BTreeMap<&str, u128> = amounts.iter().copied().collect();
    let entries = sorted
        .into_iter()
        .map(|(address, amount)| LedgerEntry {
            leaf: LedgerLeaf {
                account: Account::Contributor(address.to_string()),
                cumulative: Uint128::new(amount),
                uses: 1,
                detail: SumRoot::empty(),
            },
            details: Vec::new(),
        })
        .collect();
    Book::of(entries)
}

/// Answers worth 1,000 (400 for the data), settled with a ledger of the node's invention.
fn settle_lie(suite: &mut Suite, client: &mut Client, amounts: &[(&str, u128)]) {
    suite.answer(client, 1, &Answer::plain(100, 100));
    let mut draft = suite.draft(1, OPEN, &[]).unwrap();
    draft.book = lie(amounts);
    draft.commit.ledger = draft.book.root.clone();
    suite.post_draft(&draft).unwrap();
    suite.advance(FINAL);
    suite.finalize(1).unwrap();
}

fn claim_of(suite: &Suite, address: &str) -> openledger_types::msg::escrow::ClaimItem {
    let account = Account::Contributor(address.to_string());
    suite.claims(1, OPEN).into_iter().find(|c| c.leaf.account == account).unwrap()
}

fn scene() -> (Suite, Client, String, String) {
    let mut suite = Suite::new();
    let user = suite.user(0);
    let client = suite.open(&user, 1, &[(1, 50_000)]);
    let (a, b) = (suite.contributor(1).to_string(), suite.contributor(2).to_string());
    (suite, client, a, b)
}

#[test]
fn rule_l1_a_leaf_left_out_and_inflated_later_takes_no_more_than_was_funded() {
    let (mut suite, mut client, a, b) = scene();
    // Epoch 1: all to A. Epoch 2: A is left out, B gets both. Epoch 3: A again, with everything.
    settle_lie(&mut suite, &mut client, &[(&a, 400)]);
    let claim = claim_of(&suite, &a);
    suite.claim(vec![claim]).unwrap();
    settle_lie(&mut suite, &mut client, &[(&b, 800)]);
    let claim = claim_of(&suite, &b);
    refused(suite.claim(vec![claim]), &ContractError::AboveFunded { position: 0, node_id: 1 });
    suite.assert_conserved();
    settle_lie(&mut suite, &mut client, &[(&a, 1_200)]);
    // A's growth over what it was credited is 800, and 800 is what is left.
    let claim = claim_of(&suite, &a);
    suite.claim(vec![claim]).unwrap();
    let ledger = suite.ledger(1, OPEN);
    assert_eq!((ledger.funded.u128(), ledger.claimed.u128()), (1_200, 1_200));
    settle_lie(&mut suite, &mut client, &[(&b, 1_600)]);
    let claim = claim_of(&suite, &b);
    refused(suite.claim(vec![claim]), &ContractError::AboveFunded { position: 0, node_id: 1 });
    suite.assert_conserved();
}

#[test]
fn rule_l1_alternating_claims_never_pass_what_was_funded() {
    let (mut suite, mut client, a, b) = scene();
    let mut funded = 0;
    for turn in 0..6u128 {
        funded += 400;
        let (rich, poor) = if turn % 2 == 0 { (&a, &b) } else { (&b, &a) };
        settle_lie(&mut suite, &mut client, &[(rich, funded), (poor, 0)]);
        for address in [rich, poor] {
            let claim = claim_of(&suite, address);
            drop(suite.claim(vec![claim]));
            let ledger = suite.ledger(1, OPEN);
            assert!(ledger.claimed <= ledger.funded);
            suite.assert_conserved();
        }
    }
    let paid: u128 =
        [&a, &b].iter().map(|x| suite.balance(&cosmwasm_std::Addr::unchecked(x.as_str()), OPEN)).sum();
    assert!(paid <= funded);
    assert_eq!(suite.ledger(1, OPEN).funded.u128(), funded);
}

#[test]
fn rule_l1_two_leaves_of_one_account_are_one_account() {
    let (mut suite, mut client, a, _) = scene();
    suite.answer(&mut client, 1, &Answer::plain(100, 100));
    let mut draft = suite.draft(1, OPEN, &[]).unwrap();
    let leaf = lie(&[(&a, 200)]).entries.remove(0);
    draft.book = Book::of(vec![leaf.clone(), leaf]);
    draft.commit.ledger = draft.book.root.clone();
    suite.post_draft(&draft).unwrap();
    suite.advance(FINAL);
    suite.finalize(1).unwrap();
    let claims = suite.claims(1, OPEN);
    suite.claim(claims).unwrap();
    assert_eq!(suite.balance(&suite.contributor(1), OPEN), 200);
    suite.assert_conserved();
}

#[test]
fn rule_l2_a_ledger_grows_by_the_data_part_exactly() {
    let (mut suite, mut client, a, _) = scene();
    suite.answer(&mut client, 1, &Answer::plain(100, 100));
    let draft = suite.draft(1, OPEN, &[]).unwrap();
    for amount in [0, 399, 401, 1_000, u128::MAX] {
        let mut bad = draft.clone();
        bad.book = lie(&[(&a, amount)]);
        bad.commit.ledger = bad.book.root.clone();
        let refusal =
            ContractError::WrongCommit { field: "ledger.sum", rule: "the previous sum and the data's part" };
        refused(suite.post_draft(&bad), &refusal);
    }
    suite.post_draft(&draft).unwrap();
}

#[test]
fn rule_l3_growth_of_every_leaf_is_the_sum_of_its_details() {
    let (mut suite, mut client, _, _) = scene();
    let mut before: BTreeMap<Account, u128> = BTreeMap::new();
    for epoch in 0..4u32 {
        for i in 0..5u32 {
            let first = u64::from(epoch + i + 1);
            let shares = vec![(first, 3_333), (first + 1, 3_333), (first + 5, 1_000)];
            suite.answer(&mut client, 1, &Answer { tokens_in: 7 + i, tokens_out: 31 + epoch, shares });
        }
        suite.settle(1, OPEN);
        let book = &suite.nodes[&1].books[OPEN];
        for LedgerEntry { leaf, details } in &book.entries {
            let earned = leaf.cumulative.u128() - before.get(&leaf.account).copied().unwrap_or(0);
            assert_eq!(leaf.detail.sum.u128(), earned);
            assert_eq!(leaf.detail.count, details.len() as u64);
            assert_eq!(details.iter().map(|d| d.amount.u128()).sum::<u128>(), earned);
        }
        before = book.entries.iter().map(|e| (e.leaf.account.clone(), e.leaf.cumulative.u128())).collect();
        assert_eq!(before.values().sum::<u128>(), suite.ledger(1, OPEN).funded.u128());
    }
    let claims = suite.claims(1, OPEN);
    suite.claim(claims).unwrap();
    assert_eq!(suite.term(OPEN, "ledgers"), 0);
    suite.assert_conserved();
}

#[test]
fn rule_l4_dust_and_shares_without_evidence_go_to_the_commons() {
    let (mut suite, mut client, _, _) = scene();
    // Fees of 107 three times: 42 each to divide, while the rest of 321 less the floors is 129.
    for _ in 0..3 {
        suite.answer(&mut client, 1, &Answer { tokens_in: 10, tokens_out: 11, shares: vec![(1, 5_000)] });
    }
    suite.settle(1, OPEN);
    let fee = 10 * 3 + 11 * 7;
    let fees = 3 * fee;
    let data = fees - fees / 10 - fees * 15 / 100 - fees * 35 / 100;
    let each = fee * 4 / 10;
    let dust = data - 3 * each;
    assert!(dust > 0);
    let claims = suite.claims(1, OPEN);
    let of = |account: &Account| {
        claims.iter().find(|c| c.leaf.account == *account).map(|c| c.leaf.cumulative.u128())
    };
    assert_eq!(of(&Account::Dust), Some(dust));
    assert_eq!(of(&Account::Commons), Some(3 * each / 2));
    suite.claim(claims.clone()).unwrap();
    assert_eq!(suite.term(OPEN, "commons"), dust + 3 * each / 2);
    suite.assert_conserved();
}
