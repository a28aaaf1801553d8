//! `Claim`.

use std::collections::BTreeMap;

use cosmwasm_std::Uint128;
use openledger_contract::CommonError;
use openledger_merkle::SumNode;
use openledger_payable_escrow::ContractError;
use openledger_types::formats::Account;
use openledger_types::msg::escrow::{ClaimItem, ExecuteMsg};

use crate::common::suite::FINAL;
use crate::common::{refused, Answer, Suite, ATOM, OPEN};

/// Five contributors, the commons and dust in node 1's ledger.
fn scene() -> Suite {
    let mut suite = Suite::new();
    let user = suite.user(0);
    let mut client = suite.open(&user, 1, &[(1, 100_000)]);
    for i in 0..5u64 {
        let shares = vec![(i + 1, 3_333), (i + 2, 3_334)];
        suite.answer(&mut client, 1, &Answer { tokens_in: 33, tokens_out: 41 + i as u32, shares });
    }
    suite.settle(1, OPEN);
    suite
}

#[test]
fn every_account_gets_exactly_its_leaf_and_the_ledger_is_empty() {
    let mut suite = scene();
    let claims = suite.claims(1, OPEN);
    assert_eq!(claims.len(), 7, "commons, dust, five contributors");
    let total: u128 = claims.iter().map(|c| c.leaf.cumulative.u128()).sum();
    assert_eq!(total, suite.ledger(1, OPEN).funded.u128());
    suite.claim(claims.clone()).unwrap();
    let mut commons = 0;
    for claim in &claims {
        let amount = claim.leaf.cumulative.u128();
        assert_eq!(suite.claimed(1, OPEN, claim.leaf.account.clone()), amount);
        match &claim.leaf.account {
            Account::Contributor(address) => {
                assert_eq!(suite.balance(&cosmwasm_std::Addr::unchecked(address), OPEN), amount);
            }
            _ => commons += amount,
        }
    }
    assert!(commons > 0);
    assert_eq!(suite.term(OPEN, "commons"), commons);
    assert_eq!(suite.term(OPEN, "ledgers"), 0);
    suite.assert_conserved();
}

#[test]
fn a_leaf_is_credited_once() {
    let mut suite = scene();
    let claims = suite.claims(1, OPEN);
    let account = claims[3].clone();
    suite.claim(vec![account.clone()]).unwrap();
    refused(suite.claim(vec![account.clone()]), &ContractError::NothingToClaim {});
    // Twice in one message, with one that is new: credited once (P6).
    let ledgers = suite.term(OPEN, "ledgers");
    let new = claims[4].clone();
    suite.claim(vec![new.clone(), account, new.clone(), new.clone()]).unwrap();
    assert_eq!(suite.term(OPEN, "ledgers"), ledgers - new.leaf.cumulative.u128());
    suite.assert_conserved();
}

#[test]
fn rule_l9_a_false_path_index_depth_or_leaf_is_refused() {
    let mut suite = scene();
    let all = suite.claims(1, OPEN);
    type Change = fn(&mut ClaimItem);
    let changes: [Change; 13] = [
        |c| c.index += 1,
        |c| c.index = u64::MAX,
        |c| c.path[0].hash = c.path[1].hash,
        |c| c.path[0].sum += 1,
        |c| c.path[0].sum = u128::MAX,
        |c| {
            c.path.pop();
        },
        |c| c.path.clear(),
        |c| {
            let extra = SumNode { hash: c.path[0].hash, sum: 0 };
            c.path.push(extra);
        },
        |c| c.path.reverse(),
        |c| c.leaf.cumulative += Uint128::one(),
        |c| c.leaf.uses += 1,
        |c| c.leaf.detail.sum += Uint128::one(),
        |c| c.leaf.account = Account::Commons,
    ];
    for (number, change) in changes.iter().enumerate() {
        for claim in [&all[2], &all[5]] {
            let mut bad = claim.clone();
            change(&mut bad);
            let result = suite.claim(vec![bad]);
            let text = result.expect_err(&format!("change {number}")).to_string();
            let refusal = ContractError::NotInLedger { position: 0, node_id: 1 }.to_string();
            assert!(text.contains(&refusal), "change {number}: {text}");
        }
    }
    // Moving value between the leaf and its sibling keeps the sum above, and is still refused.
    let mut shifted = all[2].clone();
    shifted.leaf.cumulative += Uint128::one();
    shifted.path[0].sum -= 1;
    refused(suite.claim(vec![shifted]), &ContractError::NotInLedger { position: 0, node_id: 1 });
    suite.assert_conserved();
}

#[test]
fn rule_l9_an_inner_node_is_never_a_leaf() {
    // A ledger of one leaf whose detail carries the hash of an inner node: its sums are committed
    // as a leaf, so a path from "below" it leads nowhere.
    let mut suite = scene();
    let all = suite.claims(1, OPEN);
    let mut below = all[0].clone();
    below.path.insert(0, SumNode { hash: all[0].path[0].hash, sum: 0 });
    refused(suite.claim(vec![below]), &ContractError::NotInLedger { position: 0, node_id: 1 });
    // The parent of leaves 0 and 1 in place of leaf 0, with the rest of the path.
    let mut above = all[0].clone();
    above.path.remove(0);
    above.leaf.cumulative = all[0].leaf.cumulative + all[1].leaf.cumulative;
    refused(suite.claim(vec![above]), &ContractError::NotInLedger { position: 0, node_id: 1 });
}

#[test]
fn rule_l1_a_ledger_funded_in_one_denom_pays_in_no_other() {
    let mut suite = scene();
    let user = suite.user(1);
    let mut atoms = suite.open(&user, 2, &[(1, 50_000), (2, 50_000)]);
    suite.answer(&mut atoms, 1, &Answer::plain(200, 200));
    suite.answer(&mut atoms, 2, &Answer::plain(200, 200));
    suite.settle(1, ATOM);
    suite.settle(2, ATOM);
    for mut claim in suite.claims(1, OPEN) {
        claim.denom = ATOM.into();
        refused(suite.claim(vec![claim.clone()]), &ContractError::NotInLedger { position: 0, node_id: 1 });
        claim.denom = "ujunk".into();
        refused(suite.claim(vec![claim.clone()]), &ContractError::NotInLedger { position: 0, node_id: 1 });
        claim.denom = OPEN.into();
        claim.node_id = 2;
        refused(suite.claim(vec![claim.clone()]), &ContractError::NotInLedger { position: 0, node_id: 2 });
        claim.node_id = 77;
        refused(suite.claim(vec![claim]), &ContractError::NotInLedger { position: 0, node_id: 77 });
    }
    // Both ledgers of node 1 and the one of node 2, in one message (L10).
    let mut all = suite.claims(1, OPEN);
    all.extend(suite.claims(1, ATOM));
    all.extend(suite.claims(2, ATOM));
    suite.claim(all).unwrap();
    assert_eq!((suite.term(OPEN, "ledgers"), suite.term(ATOM, "ledgers")), (0, 0));
    suite.assert_conserved();
}

#[test]
fn rule_l10_anyone_claims_for_others_who_are_credited() {
    let mut suite = scene();
    let claims = suite.claims(1, OPEN);
    let sender = suite.user(2);
    let before = suite.wallet(&sender, OPEN);
    suite.call(&sender, &ExecuteMsg::Claim { claims: claims.into() }).unwrap();
    assert_eq!(suite.balance(&sender, OPEN), 0);
    assert_eq!(suite.wallet(&sender, OPEN), before);
    assert!(suite.balance(&suite.contributor(2), OPEN) > 0);
}

#[test]
fn finding_p1_an_address_in_another_spelling_is_not_another_account() {
    let mut suite = Suite::new();
    let user = suite.user(0);
    let mut client = suite.open(&user, 1, &[(1, 100_000)]);
    suite.answer(&mut client, 1, &Answer { tokens_in: 50, tokens_out: 50, shares: vec![(1, 10_000)] });
    let mut draft = suite.draft(1, OPEN, &[]).unwrap();
    let mut entries = draft.book.entries.clone();
    let upper = suite.contributor(1).as_str().to_uppercase();
    for entry in &mut entries {
        if let Account::Contributor(address) = &mut entry.leaf.account {
            *address = upper.clone();
        }
    }
    draft.book = crate::common::book::Book::of(entries);
    draft.commit.ledger = draft.book.root.clone();
    suite.post_draft(&draft).unwrap();
    suite.advance(FINAL);
    suite.finalize(1).unwrap();
    let claims = suite.claims(1, OPEN);
    assert!(suite.claim(claims).is_err());
    assert_eq!(suite.balance(&suite.contributor(1), OPEN), 0);
    suite.assert_conserved();
}

#[test]
fn rule_l1_old_leaves_pay_only_the_growth_and_claims_make_due_roots_final() {
    let mut suite = Suite::new();
    let user = suite.user(0);
    let mut client = suite.open(&user, 1, &[(1, 100_000)]);
    let one = Answer { tokens_in: 100, tokens_out: 100, shares: vec![(1, 10_000)] };
    suite.answer(&mut client, 1, &one);
    suite.settle(1, OPEN);
    let first = suite.claims(1, OPEN);
    suite.claim(first.clone()).unwrap();
    assert_eq!(suite.balance(&suite.contributor(1), OPEN), 400);

    let two = Answer { tokens_in: 100, tokens_out: 100, shares: vec![(1, 5_000), (2, 5_000)] };
    suite.answer(&mut client, 1, &two);
    suite.post(1, OPEN);
    suite.advance(FINAL);
    // Nobody called Finalize. A path to the ledger that this message replaces is still good, but
    // pays nothing new; a path to the new one pays the growth.
    let second = suite.nodes[&1].waiting.clone().unwrap().1.claims(1, OPEN);
    let mut all = first.clone();
    all.extend(second);
    suite.claim(all).unwrap();
    suite.nodes.get_mut(&1).unwrap().finalized();
    assert!(suite.epoch(1, OPEN, 1).finalized);
    assert_eq!(suite.balance(&suite.contributor(1), OPEN), 600);
    assert_eq!(suite.balance(&suite.contributor(2), OPEN), 200);
    // Once replaced, the old path leads nowhere.
    refused(suite.claim(first), &ContractError::NotInLedger { position: 0, node_id: 1 });
    suite.assert_conserved();
}

#[test]
fn rule_a2_a_message_of_claims_is_bounded() {
    let mut suite = scene();
    let one = suite.claims(1, OPEN)[0].clone();
    for claims in [vec![], vec![one.clone(); 33]] {
        refused(suite.claim(claims), &ContractError::BadBatch { list: "claims", reason: "give 1 to 32" });
    }
    suite.claim(vec![one; 32]).unwrap();
}

#[test]
fn an_invalid_account_cannot_be_claimed_for() {
    let mut suite = scene();
    let mut claim = suite.claims(1, OPEN)[4].clone();
    claim.leaf.account = Account::Contributor("nobody".into());
    assert!(suite.claim(vec![claim]).is_err());
    let by_key: BTreeMap<_, _> =
        suite.claims(1, OPEN).into_iter().map(|c| (c.leaf.account, c.index)).collect();
    assert_eq!(by_key.into_values().collect::<Vec<_>>(), (0..7).collect::<Vec<_>>(), "sorted leaves");
    let refusal = CommonError::NonPayable {};
    let user = suite.user(0);
    let claims = suite.claims(1, OPEN);
    let result =
        suite.send(&user, &ExecuteMsg::Claim { claims: claims.into() }, &[cosmwasm_std::coin(1, OPEN)]);
    refused(result, &refusal.into());
}
