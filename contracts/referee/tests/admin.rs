use cosmwasm_std::Uint128;
use cw_multi_test::Executor;
use openledger_contract::CommonError;
use openledger_referee::ContractError;
use openledger_types::msg::referee::{ExecuteMsg, InstantiateMsg, Params};
use openledger_types::profile::Profile;

use crate::common::{params, refused, Suite, CASE_BOND, JUNK, NODE};

/// Every way in which one parameter would disable its rule.
fn disabling() -> Vec<(&'static str, Params)> {
    type Change = fn(&mut Params);
    let changes: [(&'static str, Change); 22] = [
        ("params.denom", |p| p.denom = String::new()),
        ("availability_blocks", |p| p.availability_blocks = 0),
        ("demand_blocks", |p| p.demand_blocks = 0),
        ("demand_bond", |p| p.demand_bond = Uint128::zero()),
        ("max_demands", |p| p.max_demands = 0),
        ("max_demands", |p| p.max_demands = 1_025),
        ("dispute_blocks", |p| p.dispute_blocks = 0),
        ("dispute_blocks", |p| p.dispute_blocks = 1),
        ("case_bond", |p| p.case_bond = Uint128::zero()),
        ("case_bond_bps", |p| p.case_bond_bps = 0),
        ("quorum_bps", |p| p.quorum_bps = 5_000),
        ("quorum_bps", |p| p.quorum_bps = 10_001),
        ("missed_roots", |p| p.missed_roots = 0),
        ("missed_cut_bps", |p| p.missed_cut_bps = 0),
        ("fault_cut_bps", |p| p.fault_cut_bps = 0),
        ("withheld_cut_bps", |p| p.withheld_cut_bps = 10_001),
        ("voted_cut_bps", |p| p.voted_cut_bps = 0),
        ("seed_blocks", |p| p.seed_blocks = 0),
        ("seed_blocks", |p| p.seed_blocks = u64::MAX),
        ("seed_cut_bps", |p| p.seed_cut_bps = 0),
        ("dispute_blocks", |p| p.dispute_blocks = u64::MAX),
        ("case_bond_bps", |p| p.case_bond_bps = 10_001),
    ];
    changes
        .into_iter()
        .map(|(name, change)| {
            let mut params = params();
            change(&mut params);
            (name, params)
        })
        .collect()
}

#[test]
fn no_parameter_may_disable_its_rule() {
    let mut suite = Suite::new();
    let (owner, admin) = (suite.owner.clone(), suite.admin.clone());
    for (name, params) in disabling() {
        let sent = suite.act(&owner, &ExecuteMsg::UpdateParams { params: params.clone() });
        assert!(sent.unwrap_err().to_string().contains(name), "{name}");
        let msg = InstantiateMsg {
            owner: owner.to_string(),
            datanet: suite.datanet.to_string(),
            node_registry: suite.nodes.to_string(),
            escrow: suite.escrow.to_string(),
            arbiter: None,
            params,
        };
        let made = suite.app.instantiate_contract(suite.code_id, admin.clone(), &msg, &[], "r", None);
        assert!(made.unwrap_err().to_string().contains(name), "{name}");
    }
    for profile in [Profile::protocol("uopen"), Profile::devnet("uopen")] {
        suite.act(&owner, &ExecuteMsg::UpdateParams { params: profile.referee }).unwrap();
    }
}

#[test]
fn the_denom_of_the_bonds_stays() {
    let mut suite = Suite::new();
    let owner = suite.owner.clone();
    let mut changed = params();
    changed.denom = JUNK.into();
    let bad = CommonError::BadParam { name: "denom", rule: "that of the instantiation" };
    refused(suite.act(&owner, &ExecuteMsg::UpdateParams { params: changed }), &bad.into());
}

#[test]
fn finding_p1_addresses_of_messages_are_validated() {
    let mut suite = Suite::new();
    let (owner, admin) = (suite.owner.clone(), suite.admin.clone());
    let loud = suite.alice.to_string().to_uppercase();
    let spend = ExecuteMsg::SpendTreasury { to: loud.clone(), amount: Uint128::one() };
    assert!(!suite.act(&owner, &spend).unwrap_err().to_string().contains("treasury holds"));
    let msg = InstantiateMsg {
        owner: loud,
        datanet: suite.datanet.to_string(),
        node_registry: suite.nodes.to_string(),
        escrow: suite.escrow.to_string(),
        arbiter: None,
        params: params(),
    };
    let made = suite.app.instantiate_contract(suite.code_id, admin, &msg, &[], "r", None);
    assert!(made.is_err());
}

#[test]
fn finding_p19_balances_are_pulled_once() {
    let mut suite = Suite::new();
    let operator = suite.operator(NODE);
    refused(suite.act(&operator, &ExecuteMsg::Withdraw {}), &ContractError::NothingToWithdraw {});
    let alice = suite.alice.clone();
    let case_id = suite.open(&alice, crate::common::about_copy(), CASE_BOND).unwrap();
    suite.advance(100);
    suite.conclude(case_id).unwrap();
    let before = suite.purse(&alice);
    suite.act(&alice, &ExecuteMsg::Withdraw {}).unwrap();
    assert_eq!(suite.purse(&alice), before + CASE_BOND);
    refused(suite.act(&alice, &ExecuteMsg::Withdraw {}), &ContractError::NothingToWithdraw {});
    suite.assert_conserved();
}

#[test]
fn rule_a1_no_message_stops_challenges() {
    // A1: whatever the owner sends, demands, cases and their ends go on.
    let mut suite = Suite::new();
    let (alice, owner) = (suite.alice.clone(), suite.owner.clone());
    let case_id = suite.open(&alice, crate::common::about_copy(), CASE_BOND).unwrap();
    suite.act(&owner, &ExecuteMsg::UpdateParams { params: params() }).unwrap();
    let renounce = openledger_types::msg::common::OwnershipAction::Renounce {};
    suite.act(&owner, &ExecuteMsg::UpdateOwnership(renounce)).unwrap();
    suite.demand(&alice, 1, openledger_types::msg::referee::BlobKind::Leaves, 0).unwrap();
    suite.advance(100);
    suite.conclude(case_id).unwrap();
    suite.expire(&alice, 1).unwrap();
    suite.act(&alice, &ExecuteMsg::Withdraw {}).unwrap();
    suite.assert_conserved();
}
