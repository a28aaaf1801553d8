//! `PostEpoch`: the commitment and the batch. What a settlement must be is in the rules S1 to S3.

use cosmwasm_std::{to_json_vec, HexBinary, Uint128};
use openledger_contract::CommonError;
use openledger_payable_escrow::ContractError;
use openledger_types::formats::{Account, EpochCommit, SumRoot};
use openledger_types::money::split_fees;

use crate::common::suite::{refused_in, FINAL, MIN_FEE, PURSE};
use crate::common::{refused, Answer, Client, Suite, ATOM, OPEN};

fn scene() -> (Suite, Client) {
    let mut suite = Suite::new();
    let user = suite.user(0);
    let mut client = suite.open(&user, 1, &[(1, 100_000)]);
    for tokens in [50, 60, 70] {
        suite.answer(&mut client, 1, &Answer::plain(tokens, tokens));
    }
    (suite, client)
}

#[test]
fn an_epoch_moves_exactly_the_fees() {
    let (mut suite, client) = scene();
    let fees = (50 + 60 + 70) * 10;
    suite.post(1, OPEN);
    let session = suite.session(client.session_id);
    let parts = split_fees(fees, &session.split).unwrap();
    assert_eq!(session.protocol.u128(), parts.protocol);
    assert_eq!(session.developer_part.u128(), parts.developer);
    assert_eq!(session.node_part.u128(), parts.node);
    assert_eq!(session.data_part.u128(), parts.data);
    assert_eq!(session.nodes[0].settled.u128(), fees);
    assert_eq!(session.nodes[0].log.count, 3);
    assert_eq!(session.nodes[0].settled_at, suite.height());
    let epoch = suite.pending(1).unwrap();
    assert_eq!((epoch.fees.u128(), epoch.data.u128()), (fees, parts.data));
    assert_eq!(epoch.hash, HexBinary::from(&epoch.commit.hash()));
    assert_eq!(suite.term(OPEN, "pending"), fees);
    suite.assert_conserved();
}

#[test]
fn several_sessions_of_several_users_settle_in_one_message() {
    let mut suite = Suite::new();
    let mut clients = Vec::new();
    for user in 0..3 {
        let user = suite.user(user);
        for _ in 0..3 {
            clients.push(suite.open(&user, 1, &[(1, 20_000), (2, 20_000)]));
            suite.advance(1);
        }
    }
    let mut fees = 0;
    for (i, client) in clients.iter_mut().enumerate() {
        for _ in 0..=i {
            fees += suite.answer(client, 1, &Answer::plain(30, 40)).receipt.fee.u128();
        }
        suite.ask(client, 2, &Answer::plain(9, 9));
    }
    suite.settle(1, OPEN);
    assert_eq!(suite.epoch(1, OPEN, 1).fees.u128(), fees);
    assert_eq!(suite.epoch(1, OPEN, 1).commit.receipts.count, 45);
    let claims = suite.claims(1, OPEN);
    suite.claim(claims).unwrap();
    suite.settle(2, OPEN);
    suite.assert_conserved();
    assert_eq!(suite.term(OPEN, "escrowed"), 9 * 40_000 - fees - 9 * MIN_FEE);
}

#[test]
fn a_commitment_that_is_not_the_next_one_is_refused() {
    let (mut suite, _) = scene();
    let draft = suite.draft(1, OPEN, &[]).unwrap();
    type Change = fn(&mut EpochCommit);
    let cases: [(&str, Change); 14] = [
        ("chain_id", |c| c.chain_id = "another-1".into()),
        ("contract", |c| c.contract = "another".into()),
        ("epoch", |c| c.epoch = 0),
        ("epoch", |c| c.epoch = 2),
        ("previous", |c| c.previous.sum += Uint128::one()),
        ("previous", |c| c.previous.count = 1),
        ("receipts.sum", |c| c.receipts.sum += Uint128::one()),
        ("receipts.sum", |c| c.receipts.sum -= Uint128::one()),
        ("receipts.count", |c| c.receipts.count += 1),
        ("ledger.sum", |c| c.ledger.sum += Uint128::one()),
        ("ledger.sum", |c| c.ledger.sum -= Uint128::one()),
        ("leaves_blob", |c| c.leaves_blob.len = 0),
        ("receipts_blob", |c| c.receipts_blob.len = 0),
        ("previous", |c| c.previous.hash = HexBinary::default()),
    ];
    for (field, change) in cases {
        let mut bad = draft.clone();
        change(&mut bad.commit);
        let text = suite.post_draft(&bad).unwrap_err().to_string();
        assert!(text.contains(&format!("the commitment's {field} is not")), "{field}: {text}");
    }
    let lengths: [Change; 4] = [
        |c| c.receipts.hash = HexBinary::from(&[0; 31]),
        |c| c.ledger.hash = HexBinary::from(&[0; 33]),
        |c| c.leaves_blob.root = HexBinary::default(),
        |c| c.receipts_blob.root = HexBinary::default(),
    ];
    for change in lengths {
        let mut bad = draft.clone();
        change(&mut bad.commit);
        assert!(suite.post_draft(&bad).unwrap_err().to_string().contains("must have 32 bytes"));
    }
    suite.post_draft(&draft).unwrap();
}

#[test]
fn the_next_epoch_stands_on_the_final_ledger_and_never_shrinks() {
    let (mut suite, mut client) = scene();
    suite.settle(1, OPEN);
    suite.answer(&mut client, 1, &Answer::plain(20, 20));
    let draft = suite.draft(1, OPEN, &[]).unwrap();
    assert_eq!((draft.commit.epoch, draft.commit.previous.count), (2, 3));
    let mut fewer = draft.clone();
    fewer.commit.ledger.count = 2;
    refused(
        suite.post_draft(&fewer),
        &ContractError::WrongCommit { field: "ledger.count", rule: "at least that of the previous ledger" },
    );
    let mut unrelated = draft.clone();
    unrelated.commit.previous = SumRoot::empty();
    refused(
        suite.post_draft(&unrelated),
        &ContractError::WrongCommit { field: "previous", rule: "the newest final ledger" },
    );
    suite.post_draft(&draft).unwrap();
}

#[test]
fn rule_a2_a_batch_is_bounded_sorted_and_not_empty() {
    let (mut suite, _) = scene();
    let draft = suite.draft(1, OPEN, &[]).unwrap();
    let one = draft.settlements[0].clone();
    let mut other = one.clone();
    other.session_id = 0;
    for (settlements, reason) in [
        (vec![], "give 1 to 32"),
        (vec![one.clone(); 33], "give 1 to 32"),
        (vec![one.clone(), one.clone()], "sort them by session, none twice"),
        (vec![one.clone(), other], "sort them by session, none twice"),
    ] {
        let mut bad = draft.clone();
        bad.settlements = settlements;
        refused(suite.post_draft(&bad), &ContractError::BadBatch { list: "settlements", reason });
    }
}

#[test]
fn only_the_pinned_operator_or_hot_address_posts() {
    let (mut suite, _) = scene();
    let draft = suite.draft(1, OPEN, &[]).unwrap();
    let role = "the node's operator or hot address";
    let outsiders =
        [suite.user(0), suite.owner.clone(), suite.developer.clone(), suite.nodes[&2].hot.clone()];
    for sender in outsiders {
        let result = suite.call(&sender, &draft.msg());
        refused_in(1, result, CommonError::Unauthorized { role }.into());
    }
    // A new hot address is not the one pinned.
    let newcomer = suite.address("new-hot");
    let mut entry = suite.node_entry(1);
    entry.hot_addr = Some(newcomer.to_string());
    suite.set_node(entry);
    refused_in(1, suite.call(&newcomer, &draft.msg()), CommonError::Unauthorized { role }.into());
    let operator = suite.nodes[&1].operator.clone();
    suite.call(&operator, &draft.msg()).unwrap();
}

#[test]
fn sessions_of_another_denom_node_or_none_are_refused() {
    let (mut suite, _) = scene();
    let user = suite.user(1);
    let mut atoms = suite.open(&user, 2, &[(1, 20_000)]);
    suite.answer(&mut atoms, 1, &Answer::plain(20, 20));
    let draft = suite.draft(1, OPEN, &[]).unwrap();
    let mut mixed = draft.clone();
    mixed.settlements.extend(suite.draft(1, ATOM, &[]).unwrap().settlements);
    let refusal = ContractError::WrongDomain { document: "session", field: "denom" };
    refused_in(2, suite.post_draft(&mixed), refusal);
    let mut missing = draft.clone();
    missing.settlements[0].session_id = 99;
    refused_in(99, suite.post_draft(&missing), ContractError::SessionNotFound { session_id: 99 });
    let mut foreign = draft.clone();
    foreign.commit.node_id = 2;
    let refusal = ContractError::NodeNotInSession { session_id: 1, node_id: 2 };
    refused_in(1, suite.post_draft(&foreign), refusal);
    suite.assert_conserved();
}

#[test]
fn a_thousand_answers_settle_in_one_message_of_the_size_of_ten() {
    let mut sizes = Vec::new();
    for answers in [10u32, 1_000] {
        let mut suite = Suite::new();
        let user = suite.user(0);
        let mut client = suite.open(&user, 1, &[(1, PURSE / 2)]);
        for i in 0..answers {
            suite.answer(&mut client, 1, &Answer::plain(10 + i % 7, 20));
        }
        let draft = suite.draft(1, OPEN, &[]).unwrap();
        assert_eq!(draft.commit.receipts.count, u64::from(answers));
        sizes.push(to_json_vec(&draft.msg()).unwrap().len());
        suite.post_draft(&draft).unwrap();
        suite.advance(FINAL);
        suite.finalize(1).unwrap();
        // One claim pays a contributor for all of them.
        let earner = suite.contributor(1);
        let all = suite.claims(1, OPEN);
        let claim =
            all.into_iter().find(|c| c.leaf.account == Account::Contributor(earner.to_string())).unwrap();
        assert_eq!(claim.leaf.uses, u64::from(answers));
        let amount = claim.leaf.cumulative.u128();
        suite.claim(vec![claim]).unwrap();
        assert_eq!(suite.balance(&earner, OPEN), amount);
        suite.assert_conserved();
    }
    // 1,000 has six peaks, 10 has two: nothing else may grow but digits.
    assert!(sizes[1] < sizes[0] + 4 * 120 + 100, "{sizes:?}");
}
