//! Convention C6: every message with no coins, a wrong denom and two denoms.

use cosmwasm_std::{coin, Coin, HexBinary, Uint128};
use cw_multi_test::Executor;
use openledger_contract::CommonError;
use openledger_types::faults::{Fault, FiledFault, LeafAt, Stated};
use openledger_types::formats::{Account, LedgerLeaf, SumRoot};
use openledger_types::msg::common::{InvariantsResponse, OwnershipAction};
use openledger_types::msg::referee::{BlobKind, ExecuteMsg, QueryMsg};
use openledger_types::packed::Proof;

use crate::common::{
    about_receipts, chunk, params, refused, Suite, CASE_BOND, DEMAND_BOND, JUNK, NODE, OPEN,
};

/// What a message takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Coins {
    None,
    Demand,
    Case,
}

impl Coins {
    /// The coins that it wants.
    pub fn funds(self) -> Vec<Coin> {
        match self {
            Coins::None => vec![],
            Coins::Demand => vec![coin(DEMAND_BOND, OPEN)],
            Coins::Case => vec![coin(CASE_BOND, OPEN)],
        }
    }
}

/// Every message, who may send it (nobody named: anyone) and what it takes.
pub fn messages(suite: &Suite) -> Vec<(ExecuteMsg, &'static [&'static str], Coins)> {
    let (node_id, epoch, auditor) = (NODE, 1, 11);
    let denom = || OPEN.to_string();
    let (bytes, path) = chunk(BlobKind::Leaves, 0);
    let hash = || HexBinary::from(&[1; 32]);
    let at = |index| LeafAt {
        leaf: LedgerLeaf {
            account: Account::Commons,
            cumulative: Uint128::one(),
            uses: 0,
            detail: SumRoot::empty(),
        },
        index,
        path: vec![].into(),
    };
    let propose = OwnershipAction::Propose { new_owner: suite.bob.to_string() };
    let to = suite.bob.to_string();
    let auditors: &[&str] = &["operator", "hot key"];
    let owner: &[&str] = &["owner"];
    vec![
        (ExecuteMsg::Attest { auditor, node_id, denom: denom(), epoch }, auditors, Coins::None),
        (ExecuteMsg::ReportMisses { node_id, denom: denom(), epoch, auditors: vec![] }, &[], Coins::None),
        (ExecuteMsg::Resume { auditor }, &["operator"], Coins::None),
        (
            ExecuteMsg::DemandChunk { node_id, denom: denom(), epoch, blob: BlobKind::Leaves, index: 0 },
            &[],
            Coins::Demand,
        ),
        (ExecuteMsg::AnswerDemand { demand_id: 1, chunk: bytes, path: path.into() }, &[], Coins::None),
        (ExecuteMsg::ExpireDemand { demand_id: 1 }, &[], Coins::None),
        (
            ExecuteMsg::ProveFault {
                proof: Proof(FiledFault {
                    stated: Stated::default(),
                    fault: Fault::LedgerOrder { first: at(0), second: at(1) },
                }),
            },
            &[],
            Coins::None,
        ),
        (ExecuteMsg::OpenCase { subject: about_receipts(1, &[1]), reason: "here".into() }, &[], Coins::Case),
        (ExecuteMsg::CommitVote { case_id: 1, auditor, commitment: hash() }, auditors, Coins::None),
        (ExecuteMsg::RevealVote { case_id: 1, auditor, guilty: true, salt: hash() }, auditors, Coins::None),
        (ExecuteMsg::Conclude { case_id: 1 }, &[], Coins::None),
        (ExecuteMsg::SetArbiter { arbiter: suite.bob.to_string() }, owner, Coins::None),
        // Until the owner has named one, nobody is the arbiter.
        (ExecuteMsg::Arbitrate { case_id: 1 }, &["arbiter"], Coins::None),
        (ExecuteMsg::Award { case_id: 1, guilty: Some(true) }, &["arbiter"], Coins::None),
        (ExecuteMsg::CommitSeed { auditor, period: 1, commitment: hash() }, auditors, Coins::None),
        (ExecuteMsg::RevealSeed { auditor, period: 1, seed: hash() }, auditors, Coins::None),
        (ExecuteMsg::ReportSeed { auditor, period: 1 }, &[], Coins::None),
        (ExecuteMsg::ClaimAudit { auditor, node_id, denom: denom(), epoch }, &[], Coins::None),
        (ExecuteMsg::Withdraw {}, &[], Coins::None),
        (ExecuteMsg::SpendTreasury { to, amount: Uint128::one() }, owner, Coins::None),
        (ExecuteMsg::UpdateParams { params: params() }, owner, Coins::None),
        (ExecuteMsg::UpdateOwnership(propose), owner, Coins::None),
        (ExecuteMsg::UpdateOwnership(OwnershipAction::Cancel {}), owner, Coins::None),
        (ExecuteMsg::UpdateOwnership(OwnershipAction::Accept {}), &[], Coins::None),
        (ExecuteMsg::UpdateOwnership(OwnershipAction::Renounce {}), owner, Coins::None),
    ]
}

#[test]
fn finding_p5_messages_without_a_price_take_no_coins() {
    let mut suite = Suite::new();
    let sender = suite.operator(11);
    for (msg, allowed, coins) in messages(&suite) {
        if coins != Coins::None {
            continue;
        }
        let sender = if allowed == ["owner"] { suite.owner.clone() } else { sender.clone() };
        for funds in [vec![coin(1, OPEN)], vec![coin(1, JUNK)], vec![coin(1, JUNK), coin(1, OPEN)]] {
            refused(suite.send(&sender, &msg, &funds), &CommonError::NonPayable {}.into());
        }
    }
    suite.assert_conserved();
}

#[test]
fn finding_p5_bonds_are_one_coin_of_their_denom() {
    let mut suite = Suite::new();
    let alice = suite.alice.clone();
    for (msg, _, coins) in messages(&suite) {
        if coins == Coins::None {
            continue;
        }
        for funds in [vec![], vec![coin(5_000, JUNK)], vec![coin(5_000, JUNK), coin(5_000, OPEN)]] {
            let wrong = CommonError::WrongFunds { expected: OPEN.into() };
            refused(suite.send(&alice, &msg, &funds), &wrong.into());
        }
    }
    assert_eq!(suite.totals(), [0; 4]);
}

#[test]
fn finding_p5_coins_sent_past_the_messages_are_surplus_and_nobodys() {
    let mut suite = Suite::new();
    let (alice, referee) = (suite.alice.clone(), suite.referee.clone());
    suite.app.send_tokens(alice.clone(), referee, &[coin(77, OPEN)]).unwrap();
    let answer: InvariantsResponse = suite.ask(&QueryMsg::Invariants {}).unwrap();
    assert!(answer.holds);
    assert_eq!(answer.denoms[0].surplus, cosmwasm_std::Uint256::from(77u128));
    assert!(suite.act(&alice, &ExecuteMsg::Withdraw {}).is_err());
    let spend = ExecuteMsg::SpendTreasury { to: alice.to_string(), amount: Uint128::one() };
    assert!(suite.act(&suite.owner.clone(), &spend).is_err());
}
