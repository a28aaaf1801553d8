//! Attacks, by what the attacker tries. More stand with the rules that they run against: forks of a log
//! (`logs`), vouchers of another chain or contract and malleable signatures (`vouchers`), false paths
//! (`messages::claim`), lying ledgers (`ledgers`), pots (`messages::abandoned`).

use cosmwasm_std::{HexBinary, Uint128};
use openledger_payable_escrow::ContractError;
use openledger_types::formats::{Account, LedgerEntry, LedgerLeaf, Share, SignedReceipt, SumRoot};
use openledger_types::money::{bps_floor, divide_answer, split_fees, split_royalties, Split};
use openledger_types::msg::escrow::{ExecuteMsg, RootStatus};

use crate::common::book::{Book, Settled};
use crate::common::suite::{ABANDONED, FINAL, GRACE, MIN_DEPOSIT, MIN_FEE, OPEN_FEE};
use crate::common::{refused, Answer, Client, Suite, OPEN};

fn scene() -> (Suite, Client) {
    let mut suite = Suite::new();
    let user = suite.user(0);
    let client = suite.open(&user, 1, &[(1, 500_000)]);
    (suite, client)
}

fn lie(amounts: &[(&str, u128)]) -> Book {
    let leaf = |(address, amount): &(&str, u128)| LedgerEntry {
        leaf: LedgerLeaf {
            account: Account::Contributor((*address).to_string()),
            cumulative: Uint128::new(*amount),
            uses: 1,
            detail: SumRoot::empty(),
        },
        details: Vec::new(),
    };
    Book::of(amounts.iter().map(leaf).collect())
}

fn settle_lie(suite: &mut Suite, client: &mut Client, amounts: &[(&str, u128)]) {
    suite.answer(client, 1, &Answer::plain(100, 100));
    let mut draft = suite.draft(1, OPEN, &[]).unwrap();
    draft.book = lie(amounts);
    draft.commit.ledger = draft.book.root.clone();
    suite.post_draft(&draft).unwrap();
}

#[test]
fn attack_a_root_whose_leaves_are_withheld_pays_nobody() {
    let (mut suite, mut client) = scene();
    suite.answer(&mut client, 1, &Answer::plain(100, 100));
    suite.post(1, OPEN);
    let demand = ExecuteMsg::HoldRoot { node_id: 1, denom: OPEN.into(), epoch: 1, open: true };
    suite.judge(&demand).unwrap();
    suite.advance(10 * FINAL);
    refused(suite.finalize(1), &ContractError::RootDemanded { open: 1 });
    suite.void(1);
    let operator = suite.nodes[&1].operator.clone();
    assert_eq!(suite.balance(&operator, OPEN), 0);
    assert_eq!(suite.term(OPEN, "pending"), 1_000);
    suite.assert_conserved();
}

#[test]
fn attack_a_node_that_takes_its_part_and_vanishes_has_no_part() {
    let (mut suite, mut client) = scene();
    suite.answer(&mut client, 1, &Answer::plain(100, 100));
    suite.post(1, OPEN);
    suite.void(1);
    suite.advance(ABANDONED);
    let anyone = suite.user(2);
    suite.call(&anyone, &ExecuteMsg::CloseAbandoned { node_id: 1 }).unwrap();
    suite.call(&anyone, &ExecuteMsg::RefundAbandoned { session_id: 1, node_id: 1 }).unwrap();
    assert_eq!(suite.balance(&suite.nodes[&1].operator.clone(), OPEN), 0);
    assert_eq!(suite.balance(&suite.user(0), OPEN), 350);
    assert_eq!(suite.told().slashes.len(), 1);
    suite.assert_conserved();
}

/// L1 with L8: what a lie promised beyond the funds does not come out of an abandoned root's pot.
#[test]
fn attack_a_cross_epoch_lie_does_not_eat_the_pot_of_an_abandoned_root() {
    let (mut suite, mut client) = scene();
    let (a, b) = (suite.contributor(1).to_string(), suite.contributor(2).to_string());
    settle_lie(&mut suite, &mut client, &[(&a, 400)]);
    suite.advance(FINAL);
    suite.finalize(1).unwrap();
    let claims = suite.claims(1, OPEN);
    suite.claim(claims).unwrap();
    settle_lie(&mut suite, &mut client, &[(&b, 800)]);
    suite.advance(FINAL);
    suite.finalize(1).unwrap();
    settle_lie(&mut suite, &mut client, &[(&b, 1_200)]);
    suite.void(1);
    suite.advance(ABANDONED);
    let anyone = suite.user(2);
    suite.call(&anyone, &ExecuteMsg::CloseAbandoned { node_id: 1 }).unwrap();
    let ledger = suite.ledger(1, OPEN);
    assert!(ledger.funded - ledger.claimed >= Uint128::new(800), "the coins are there");
    let claims = suite.claims(1, OPEN);
    refused(suite.claim(claims), &ContractError::AboveFunded { position: 0, node_id: 1 });
    suite.call(&anyone, &ExecuteMsg::RefundAbandoned { session_id: 1, node_id: 1 }).unwrap();
    suite.assert_conserved();
}

/// L9: an inner node binds the sums of both children, so its total cannot be divided otherwise.
#[test]
fn attack_two_child_splits_of_one_inner_node() {
    let (mut suite, mut client) = scene();
    let (a, b) = (suite.contributor(1).to_string(), suite.contributor(2).to_string());
    settle_lie(&mut suite, &mut client, &[(&a, 100), (&b, 300)]);
    suite.advance(FINAL);
    suite.finalize(1).unwrap();
    let honest = suite.claims(1, OPEN).remove(0);
    let mut shifted = honest.clone();
    shifted.leaf.cumulative = Uint128::new(300);
    shifted.path[0].sum = 100;
    refused(suite.claim(vec![shifted]), &ContractError::NotInLedger { position: 0, node_id: 1 });
    let mut sum_only = honest.clone();
    sum_only.path[0].sum = 299;
    refused(suite.claim(vec![sum_only]), &ContractError::NotInLedger { position: 0, node_id: 1 });
    suite.claim(vec![honest]).unwrap();
}

/// L4: each receipt divides its own fee, so cheap answers move nothing of a dear one.
#[test]
fn attack_ten_thousand_one_unit_answers_redirect_nobodys_fees() {
    let (mut suite, mut client) = scene();
    let dear =
        suite.ask(&mut client, 1, &Answer { tokens_in: 0, tokens_out: 30_000, shares: vec![(1, 10_000)] });
    let split = suite.session(1).split;
    let cheap: Vec<SignedReceipt> = (0..10_000u64)
        .map(|sequence| {
            let mut receipt = dear.receipt.clone();
            receipt.session_id = 2;
            receipt.sequence = sequence + 1;
            receipt.fee = Uint128::one();
            receipt.shares = vec![Share { contribution_id: 2, bps: 10_000 }];
            SignedReceipt { receipt, signature: HexBinary::default() }
        })
        .collect();
    let owner_of = |contribution: u64| suite.contributor(contribution).to_string();
    let of = |book: &Book, id: u64| {
        let account = Account::Contributor(owner_of(id));
        let entry = book.entries.iter().find(|e| e.leaf.account == account);
        entry.map_or(0, |entry| entry.leaf.cumulative.u128())
    };
    let receipts = [dear];
    let alone = Book::empty().next(&[Settled { receipts: &receipts, split }], &owner_of);
    let both = Book::empty()
        .next(&[Settled { receipts: &receipts, split }, Settled { receipts: &cheap, split }], &owner_of);
    assert_eq!(of(&both, 1), of(&alone, 1));
    assert_eq!(of(&both, 1), 84_000);
    // A floor of four tenths of a unit is nothing; what the sum leaves is the commons'.
    assert_eq!(of(&both, 2), 0);
    let dust = both.entries.iter().find(|e| e.leaf.account == Account::Dust).unwrap();
    assert_eq!(dust.leaf.cumulative.u128(), 4_000);
}

/// "Blocks" are heights: a chain that stands still for a month ends no grace.
#[test]
fn attack_a_chain_halt_across_a_grace_period() {
    let (mut suite, mut client) = scene();
    suite.answer(&mut client, 1, &Answer::plain(100, 100));
    let user = suite.user(0);
    suite.call(&user, &ExecuteMsg::RequestClose { session_id: 1 }).unwrap();
    let from = suite.height() + GRACE;
    suite.app.update_block(|block| {
        block.height += 1;
        block.time = block.time.plus_days(30);
    });
    refused(suite.call(&user, &ExecuteMsg::Refund { session_id: 1 }), &ContractError::GraceRunning { from });
    suite.post(1, OPEN);
    suite.assert_conserved();
}

#[test]
fn attack_a_settlement_during_the_challenge_window() {
    let (mut suite, mut client) = scene();
    suite.answer(&mut client, 1, &Answer::plain(100, 100));
    suite.post(1, OPEN);
    suite.answer(&mut client, 1, &Answer::plain(100, 100));
    let before = suite.session(1);
    let draft = suite.draft(1, OPEN, &[]).unwrap();
    let final_at = suite.pending(1).unwrap().final_at;
    refused(suite.post_draft(&draft), &ContractError::RootPending { final_at });
    assert_eq!(suite.session(1), before);
    assert_eq!(suite.epoch(1, OPEN, 1).status, RootStatus::Pending);
}

/// A verdict and finality in one block: whichever comes first decides, and no coin moves twice.
#[test]
fn attack_slash_race() {
    for verdict_first in [true, false] {
        let (mut suite, mut client) = scene();
        suite.answer(&mut client, 1, &Answer::plain(100, 100));
        let draft = suite.draft(1, OPEN, &[]).unwrap();
        suite.post_draft(&draft).unwrap();
        suite.hold(1, &draft, &[0]).unwrap();
        suite.advance(FINAL);
        if verdict_first {
            suite.decide(1, true);
            suite.returned.insert(1, 1_000);
            refused(suite.finalize(1), &ContractError::RootVoid { epoch: 1 });
            assert_eq!(suite.term(OPEN, "escrowed"), 500_000);
        } else {
            suite.finalize(1).unwrap();
            suite.decide(1, true);
            assert_eq!(suite.balance(&suite.user(0), OPEN), 600);
            assert_eq!(suite.ledger(1, OPEN).funded.u128(), 400);
        }
        suite.assert_conserved();
    }
}

/// A million splits of one unit: nothing is made or lost, and roundings go to the data.
#[test]
fn attack_dust_and_rounding_farming_in_the_pure_function() {
    let split = Split { protocol: 500, developer: 1_500, node: 4_000, data: 4_000 };
    let mut sums = [0u128; 4];
    for fee in std::iter::repeat_n(1u128, 1_000_000) {
        let parts = split_fees(fee, &split).unwrap();
        for (sum, part) in sums.iter_mut().zip([parts.protocol, parts.developer, parts.node, parts.data]) {
            *sum += part;
        }
    }
    assert_eq!(sums, [0, 0, 0, 1_000_000]);
    let shares = [Share { contribution_id: 1, bps: 1 }, Share { contribution_id: 2, bps: 9_998 }];
    for fee in 0..20_000u128 {
        let division = divide_answer(fee, 4_000, &shares, 1, &[7; 32]);
        let given: u128 = division.amounts.iter().map(|(_, amount)| amount).sum();
        assert_eq!(given + division.commons, bps_floor(fee, 4_000));
    }
}

/// The same through the contract: a thousand answers at the least fee, in one log. Parts are those of
/// the sum, so splitting a purchase into small ones gains nobody more than three units an epoch.
#[test]
fn attack_dust_and_rounding_farming_through_the_contract() {
    let (mut suite, mut client) = scene();
    for _ in 0..1_000 {
        suite.answer(&mut client, 1, &Answer { tokens_in: 0, tokens_out: 1, shares: vec![(1, 3_333)] });
    }
    suite.settle(1, OPEN);
    let session = suite.session(1);
    let whole = split_fees(1_000 * MIN_FEE, &session.split).unwrap();
    assert_eq!(session.data_part.u128(), whole.data);
    assert_eq!(session.protocol.u128(), whole.protocol);
    let claims = suite.claims(1, OPEN);
    suite.claim(claims).unwrap();
    assert!(suite.balance(&suite.contributor(1), OPEN) <= whole.data * 3_334 / 10_000);
    assert_eq!(suite.term(OPEN, "ledgers"), 0);
    suite.assert_conserved();
}

/// Each of many tiny sessions pays its opening; nobody else's settlement does more work for them.
#[test]
fn attack_griefing_by_many_tiny_sessions() {
    let stored = |tiny: u64| {
        let (mut suite, mut client) = scene();
        let attacker = suite.user(1);
        let purse = suite.wallet(&attacker, OPEN);
        for _ in 0..tiny {
            suite.open_with(&attacker, 1, &[(1, 1)], MIN_DEPOSIT).unwrap();
        }
        assert_eq!(purse - suite.wallet(&attacker, OPEN), u128::from(tiny) * (MIN_DEPOSIT + OPEN_FEE));
        assert_eq!(suite.term(OPEN, "treasury"), OPEN_FEE * u128::from(tiny + 1));
        suite.answer(&mut client, 1, &Answer::plain(100, 100));
        let before = suite.app.dump_wasm_raw(&suite.escrow);
        suite.post(1, OPEN);
        let after = suite.app.dump_wasm_raw(&suite.escrow);
        suite.assert_conserved();
        after.iter().filter(|entry| !before.contains(entry)).count()
    };
    assert_eq!(stored(0), stored(200));
}

/// One party is payer, developer, ancestor, node, contributor and auditor: whatever split it chooses, it
/// pays more than it gets, because at most half of the protocol's part comes back.
#[test]
fn attack_self_dealing_search_for_a_profitable_split() {
    let mut seed = 1u64;
    let mut random = move |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    for _ in 0..200_000 {
        let protocol = 1 + random(5_000) as u16;
        let developer = random(u64::from(10_000 - protocol) + 1) as u16;
        let node = random(u64::from(10_000 - protocol - developer) + 1) as u16;
        let split = Split { protocol, developer, node, data: 10_000 - protocol - developer - node };
        let royalty = random(u64::from(developer) + 1) as u16;
        let fees = u128::from(1 + random(1_000_000));
        let audit_bps = 1 + random(5_000) as u16;
        let parts = split_fees(fees, &split).unwrap();
        let (royalties, rest) = split_royalties(fees, parts.developer, &[royalty]).unwrap();
        let back = royalties[0] + rest + parts.node + parts.data + bps_floor(parts.protocol, audit_bps);
        assert!(back <= fees - parts.protocol.div_ceil(2), "{split:?} {fees}");
    }
    // Through the contract, all parties one: the opening fee and the protocol's part are gone.
    let mut suite = Suite::new();
    let me = suite.user(0);
    let mut model = suite.model(1, OPEN);
    model.developer = me.to_string();
    suite.set_model(model);
    let mut entry = suite.node_entry(1);
    entry.operator = me.to_string();
    suite.set_node(entry);
    suite.nodes.get_mut(&1).unwrap().operator = me.clone();
    let before = suite.wallet(&me, OPEN);
    let mut client = suite.open(&me, 1, &[(1, 50_000)]);
    suite.answer(&mut client, 1, &Answer { tokens_in: 0, tokens_out: 5_000, shares: vec![] });
    let mut draft = suite.draft(1, OPEN, &[]).unwrap();
    // It even lies that all evidence is its own.
    draft.book = lie(&[(me.as_str(), 14_000)]);
    draft.commit.ledger = draft.book.root.clone();
    suite.post_draft(&draft).unwrap();
    suite.call(&me, &ExecuteMsg::RequestClose { session_id: 1 }).unwrap();
    suite.advance(GRACE);
    suite.finalize(1).unwrap();
    let claims = suite.claims(1, OPEN);
    suite.claim(claims).unwrap();
    suite.call(&me, &ExecuteMsg::Refund { session_id: 1 }).unwrap();
    suite.call(&me, &ExecuteMsg::Withdraw { denoms: vec![OPEN.into()] }).unwrap();
    assert_eq!(before - suite.wallet(&me, OPEN), OPEN_FEE + 3_500);
    suite.assert_conserved();
}
