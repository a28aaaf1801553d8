use openledger_arbiter::contract::{migrate, CONTRACT_NAME, CONTRACT_VERSION};
use openledger_arbiter::ContractError;
use openledger_contract::CommonError;
use openledger_testing::conformity;
use openledger_types::msg::arbiter::MigrateMsg;

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
