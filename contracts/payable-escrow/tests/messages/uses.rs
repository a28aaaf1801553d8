//! `ProveUses` and `Usage`.

use cosmwasm_std::StdResult;
use cw_multi_test::AppResponse;
use openledger_merkle::Tree;
use openledger_payable_escrow::ContractError;
use openledger_types::formats::{Account, Detail};
use openledger_types::msg::escrow::{DetailItem, ExecuteMsg, QueryMsg, UsageResponse};

use crate::common::{refused, Answer, Client, Suite, OPEN};

fn scene() -> (Suite, Client) {
    let mut suite = Suite::new();
    let user = suite.user(0);
    let mut client = suite.open(&user, 1, &[(1, 100_000)]);
    for tokens in [50, 60, 70] {
        suite.answer(&mut client, 1, &Answer::plain(tokens, tokens));
    }
    suite.settle(1, OPEN);
    (suite, client)
}

/// The message that proves all uses of a contribution in the newest final ledger.
fn proof(suite: &Suite, contribution_id: u64, epoch: u64) -> ExecuteMsg {
    let book = &suite.nodes[&1].books[OPEN];
    let account = Account::Contributor(suite.contributor(contribution_id).to_string());
    let index = book.entries.iter().position(|e| e.leaf.account == account).unwrap();
    let claim = book.claim(1, OPEN, index);
    let details = &book.entries[index].details;
    let tree = Tree::new(details.iter().map(Detail::leaf).collect()).unwrap();
    let details = details
        .iter()
        .enumerate()
        .filter(|(_, detail)| detail.contribution_id == contribution_id)
        .map(|(index, detail)| DetailItem {
            detail: detail.clone(),
            index: index as u64,
            path: tree.prove(index as u64).unwrap().into(),
        })
        .collect();
    ExecuteMsg::ProveUses {
        node_id: 1,
        denom: OPEN.into(),
        epoch,
        contribution_id,
        leaf: claim.leaf,
        index: claim.index,
        path: claim.path,
        details,
    }
}

fn send(suite: &mut Suite, msg: &ExecuteMsg) -> StdResult<AppResponse> {
    let anyone = suite.stranger.clone();
    suite.call(&anyone, msg)
}

fn usage(suite: &Suite, contribution_id: u64, contributor: Option<String>) -> UsageResponse {
    suite.query(&QueryMsg::Usage { contribution_id, contributor })
}

#[test]
fn rule_i2_uses_are_counted_from_final_ledgers_once_and_move_no_money() {
    let (mut suite, mut client) = scene();
    let invariants = suite.invariants();
    let msg = proof(&suite, 1, 1);
    send(&mut suite, &msg).unwrap();
    assert_eq!(suite.invariants(), invariants);
    let counted = usage(&suite, 1, None);
    assert_eq!(counted.answers, 3);
    // Three fifths of two fifths of 500, 600 and 700.
    assert_eq!(counted.earned[0].amount.u128(), 120 + 144 + 168);
    refused(send(&mut suite, &msg), &ContractError::UsesCounted { until: 1 });
    suite.answer(&mut client, 1, &Answer::plain(50, 50));
    suite.settle(1, OPEN);
    let msg = proof(&suite, 1, 2);
    send(&mut suite, &msg).unwrap();
    assert_eq!(usage(&suite, 1, None).answers, 4);
    assert_eq!(usage(&suite, 2, None).answers, 0);
}

#[test]
fn uses_that_no_final_ledger_proves_are_refused() {
    let (mut suite, mut client) = scene();
    let good = proof(&suite, 1, 1);
    type Change = fn(&mut u64, &mut Vec<DetailItem>, &mut u64);
    let changes: [Change; 5] = [
        |contribution, _, _| *contribution = 2,
        |_, details, _| details[1].index += 1,
        |_, details, _| details[1].detail.amount += cosmwasm_std::Uint128::one(),
        |_, details, _| {
            details[1].path.pop();
        },
        |_, _, index| *index += 1,
    ];
    for change in changes {
        let mut wrong = good.clone();
        if let ExecuteMsg::ProveUses { contribution_id, details, index, .. } = &mut wrong {
            change(contribution_id, details, index);
        }
        assert!(send(&mut suite, &wrong).is_err());
    }
    let mut doubled = good.clone();
    if let ExecuteMsg::ProveUses { details, .. } = &mut doubled {
        details.insert(0, details[0].clone());
    }
    let reason = "sort them by position, none twice";
    refused(send(&mut suite, &doubled), &ContractError::BadBatch { list: "details", reason });
    suite.answer(&mut client, 1, &Answer::plain(50, 50));
    suite.post(1, OPEN);
    let mut early = good;
    if let ExecuteMsg::ProveUses { epoch, .. } = &mut early {
        *epoch = 2;
    }
    refused(send(&mut suite, &early), &ContractError::RootNotFinal { node_id: 1, epoch: 2 });
}

#[test]
fn claims_count_the_answers_that_paid_a_contributor() {
    let (mut suite, mut client) = scene();
    let contributor = suite.contributor(1).to_string();
    let claims = suite.claims(1, OPEN);
    suite.claim(claims).unwrap();
    assert_eq!(usage(&suite, 0, Some(contributor.clone())).answers, 3);
    suite.answer(&mut client, 1, &Answer::plain(50, 50));
    suite.settle(1, OPEN);
    let claims = suite.claims(1, OPEN);
    suite.claim(claims).unwrap();
    assert_eq!(usage(&suite, 0, Some(contributor)).answers, 4);
}
