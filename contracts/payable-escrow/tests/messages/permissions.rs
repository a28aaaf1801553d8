//! Who may send which message.

use cosmwasm_std::{Addr, Uint128};
use openledger_types::faults::Conviction;
use openledger_types::formats::{Account, LedgerLeaf, SumRoot};
use openledger_types::msg::common::{Amount, OwnershipAction};
use openledger_types::msg::escrow::ExecuteMsg;

use crate::common::suite::params;
use crate::common::{Answer, Client, Key, Suite, OPEN};

#[path = "../../../../packages/contract/tests/tables.rs"]
mod tables;

/// Whether a refusal is for lack of permission.
fn is_unauthorized(suite: &mut Suite, sender: &Addr, msg: &ExecuteMsg) -> bool {
    suite.call(sender, msg).is_err_and(|error| {
        let text = error.to_string();
        text.contains("unauthorized: only") || text.contains("no change of owner is proposed")
    })
}

/// Messages of the referee.
pub fn by_referee() -> Vec<ExecuteMsg> {
    let denom = || OPEN.to_string();
    let conviction =
        Conviction { node_id: 1, denom: denom(), root: None, session: None, fault: "span".into() };
    vec![
        ExecuteMsg::Attest { node_id: 1, denom: denom(), epoch: 1 },
        ExecuteMsg::HoldRoot { node_id: 1, denom: denom(), epoch: 1, open: true },
        ExecuteMsg::HoldRoot { node_id: 1, denom: denom(), epoch: 1, open: false },
        ExecuteMsg::VoidRoot { node_id: 1, denom: denom(), epoch: 1, reason: "withheld".into() },
        ExecuteMsg::Convict { conviction },
        ExecuteMsg::HoldReceipts { case_id: 1, node_id: 1, denom: denom(), epoch: 1, receipts: vec![] },
        ExecuteMsg::DecideReceipts { case_id: 1, guilty: true },
        ExecuteMsg::PayAudit {
            node_id: 1,
            denom: denom(),
            epoch: 1,
            to: Suite::new().owner.to_string(),
            amount: Uint128::one(),
        },
    ]
}

/// Messages of anyone that take no coins.
pub fn by_anyone(suite: &Suite) -> Vec<ExecuteMsg> {
    let denom = || OPEN.to_string();
    let mut client = suite_client(suite);
    let voucher = client.ask(1, 1_000);
    let terms = suite.session(1);
    let receipt = suite.nodes[&1].receipt(&terms, &voucher, &Answer::plain(10, 10), suite.height());
    let leaf = LedgerLeaf {
        account: Account::Commons,
        cumulative: Uint128::one(),
        uses: 1,
        detail: SumRoot::empty(),
    };
    vec![
        ExecuteMsg::Finalize { node_id: 1 },
        ExecuteMsg::Claim { claims: vec![].into() },
        ExecuteMsg::Withdraw { denoms: vec![denom()] },
        ExecuteMsg::Refund { session_id: 1 },
        ExecuteMsg::CloseAbandoned { node_id: 1 },
        ExecuteMsg::ClaimAbandoned {
            node_id: 1,
            denom: denom(),
            epoch: 1,
            model_id: 1,
            model_version: 1,
            datanet_id: 1,
            items: vec![],
        },
        ExecuteMsg::RefundAbandoned { session_id: 1, node_id: 1 },
        ExecuteMsg::ProveUnsettled { receipt: suite.nodes[&1].sign(receipt) },
        ExecuteMsg::SweepCommons { denom: denom() },
        ExecuteMsg::ProveUses {
            node_id: 1,
            denom: denom(),
            epoch: 1,
            contribution_id: 1,
            leaf,
            index: 0,
            path: vec![].into(),
            details: vec![],
        },
    ]
}

fn suite_client(suite: &Suite) -> Client {
    Client {
        chain_id: suite.app.block_info().chain_id,
        contract: suite.escrow.to_string(),
        session_id: 1,
        denom: OPEN.into(),
        key: Key::named("k"),
        lanes: Default::default(),
    }
}

/// `ReplaceEpoch` needs a root that is void.
#[test]
fn only_those_who_could_post_a_void_root_replace_it() {
    let mut suite = Suite::new();
    let user = suite.user(0);
    let mut client = suite.open(&user, 1, &[(1, 50_000)]);
    suite.answer(&mut client, 1, &Answer::plain(100, 100));
    suite.post(1, OPEN);
    suite.void(1);
    let commit = suite.replacement(1, &[]).commit;
    let msg = ExecuteMsg::ReplaceEpoch { commit };
    let outsiders = [
        suite.owner.clone(),
        user,
        suite.referee.clone(),
        suite.stranger.clone(),
        suite.nodes[&2].hot.clone(),
    ];
    for sender in outsiders {
        assert!(is_unauthorized(&mut suite, &sender, &msg));
    }
    let operator = suite.nodes[&1].operator.clone();
    suite.call(&operator, &msg).unwrap();
}

#[test]
fn the_table_of_permissions() {
    // Session 1 of user 0 with node 1, which has something to settle; user 1 is proposed as owner.
    let scene = || {
        let mut suite = Suite::new();
        let user = suite.user(0);
        let mut client = suite.open(&user, 1, &[(1, 50_000)]);
        suite.answer(&mut client, 1, &Answer::plain(100, 100));
        let owner = suite.owner.clone();
        let new_owner = suite.user(1).to_string();
        let propose = ExecuteMsg::UpdateOwnership(OwnershipAction::Propose { new_owner });
        suite.call(&owner, &propose).unwrap();
        suite
    };
    let suite = scene();
    let post = suite.draft(1, OPEN, &[]).unwrap().msg();
    let amount = Amount { denom: OPEN.into(), amount: Uint128::one() };
    let to = suite.owner.to_string();
    let propose = OwnershipAction::Propose { new_owner: to.clone() };
    // Columns: owner, session's owner, proposed owner, operator, hot address, stranger, referee.
    let everyone = [true; 7];
    let owner = [true, false, false, false, false, false, false];
    let referee = [false, false, false, false, false, false, true];
    let node = [false, false, false, true, true, false, false];
    let mut table: Vec<(ExecuteMsg, [bool; 7])> = vec![
        (post, node),
        (ExecuteMsg::RequestClose { session_id: 1 }, [false, true, false, false, false, false, false]),
        (ExecuteMsg::SpendTreasury { to, amount }, owner),
        (ExecuteMsg::UpdateParams { params: params() }, owner),
        (ExecuteMsg::SetPaused { paused: true }, owner),
        (suite.connect(), owner),
        (ExecuteMsg::ConnectGateway { gateway: None }, owner),
        (ExecuteMsg::DrawAccrued { denom: OPEN.into(), draws: vec![] }, [false; 7]),
        (suite.opening_for(&suite.owner, &Key::named("k"), &[(1, 50_000)]), [false; 7]),
        (ExecuteMsg::UpdateOwnership(propose), owner),
        (
            ExecuteMsg::UpdateOwnership(OwnershipAction::Accept {}),
            [false, false, true, false, false, false, false],
        ),
        (ExecuteMsg::UpdateOwnership(OwnershipAction::Cancel {}), owner),
        (ExecuteMsg::UpdateOwnership(OwnershipAction::Renounce {}), owner),
        (
            ExecuteMsg::OpenSession {
                model_id: 1,
                model_version: 1,
                session_key: suite.nodes[&1].key.public(),
                nodes: vec![],
                blocks: None,
            },
            everyone,
        ),
        (ExecuteMsg::TopUp { session_id: 1, node_id: 1 }, everyone),
    ];
    table.extend(by_anyone(&suite).into_iter().map(|msg| (msg, everyone)));
    table.extend(by_referee().into_iter().map(|msg| (msg, referee)));
    // Who may replace a root that is void has a test of its own, above.
    let mut told = tables::told(table.iter().map(|(msg, _)| msg));
    told.insert("replace_epoch".into());
    assert_eq!(told, tables::all::<ExecuteMsg>(), "a message without a row");
    for (msg, allowed) in table {
        for (column, allowed) in allowed.into_iter().enumerate() {
            let mut suite = scene();
            let node = &suite.nodes[&1];
            let senders = [
                suite.owner.clone(),
                suite.user(0),
                suite.user(1),
                node.operator.clone(),
                node.hot.clone(),
                suite.stranger.clone(),
                suite.referee.clone(),
            ];
            let refused = is_unauthorized(&mut suite, &senders[column], &msg);
            assert_eq!(refused, !allowed, "{msg:?} by sender {column}");
        }
    }
}
