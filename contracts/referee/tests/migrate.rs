use cosmwasm_std::Storage;
use cw_multi_test::Executor;
use openledger_contract::CommonError;
use openledger_referee::contract::{migrate, CONTRACT_NAME, CONTRACT_VERSION};
use openledger_referee::state::{ARBITER, ARBITRATED, REFUTED};
use openledger_referee::ContractError;
use openledger_testing::conformity;
use openledger_types::msg::referee::{ArbiterResponse, ExecuteMsg, MigrateMsg, QueryMsg, Verdict};

use crate::common::{about_copy, Suite, CASE_BOND};

fn migrated_from(release: Option<(&str, &str)>) -> Result<String, ContractError> {
    conformity::migrated_from(migrate, MigrateMsg {}, |_| {}, release)
}

#[test]
fn finding_p11_an_older_release_is_carried_over() {
    assert_eq!(migrated_from(Some((CONTRACT_NAME, "0.0.9"))).unwrap(), CONTRACT_VERSION);
    assert_eq!(migrated_from(Some((CONTRACT_NAME, CONTRACT_VERSION))).unwrap(), CONTRACT_VERSION);
}

#[test]
fn finding_p11_another_contract_or_a_newer_release_is_refused() {
    conformity::assert_strangers_are_refused(CONTRACT_NAME, migrated_from, |refused| {
        matches!(refused, ContractError::Common(CommonError::CannotMigrate { .. }))
    });
}

/// What 0.1.0 kept had none of the keys of disputes.
fn forget_disputes(storage: &mut dyn Storage, case_id: u64) {
    ARBITER.remove(storage);
    ARBITRATED.remove(storage, case_id);
    REFUTED.remove(storage, case_id);
    cw2::set_contract_version(storage, CONTRACT_NAME, "0.1.0").unwrap();
}

#[test]
fn rule_f2_state_of_the_first_release_goes_on_without_an_arbiter_until_one_is_named() {
    let mut suite = Suite::new();
    let (alice, owner, bob) = (suite.alice.clone(), suite.owner.clone(), suite.bob.clone());
    let case_id = suite.open(&alice, about_copy(), CASE_BOND).unwrap();
    let referee = suite.referee.clone();
    forget_disputes(&mut *suite.app.contract_storage_mut(&referee), case_id);
    let admin = suite.admin.clone();
    suite.app.migrate_contract(admin, referee, &MigrateMsg {}, suite.code_id).unwrap();

    let query = QueryMsg::Arbiter { case_id: Some(case_id) };
    let found: ArbiterResponse = suite.ask(&query).unwrap();
    assert_eq!((found.arbiter, found.of_case), (None, None));
    assert!(suite.act(&bob, &ExecuteMsg::Arbitrate { case_id }).is_err());
    // The case that was open ends as it would have.
    suite.advance(100);
    suite.conclude(case_id).unwrap();
    assert_eq!(suite.case(case_id).verdict, Some(Verdict::Undecided));
    suite.act(&owner, &ExecuteMsg::SetArbiter { arbiter: bob.to_string() }).unwrap();
    let found: ArbiterResponse = suite.ask(&query).unwrap();
    assert_eq!(found.arbiter, Some(bob.to_string()));
    suite.assert_conserved();
}
