use cosmwasm_std::testing::{mock_dependencies, mock_env};
use cosmwasm_std::{Addr, MigrateInfo};
use openledger_contract::CommonError;
use openledger_storage::contract::{migrate, CONTRACT_NAME, CONTRACT_VERSION};
use openledger_storage::ContractError;
use openledger_types::msg::storage::MigrateMsg;

fn migrated_from(name: &str, version: &str) -> Result<String, ContractError> {
    let mut deps = mock_dependencies();
    cw2::set_contract_version(&mut deps.storage, name, version).unwrap();
    let info = MigrateInfo { sender: Addr::unchecked("admin"), old_migrate_version: None };
    migrate(deps.as_mut(), mock_env(), MigrateMsg {}, info)?;
    Ok(cw2::get_contract_version(&deps.storage).unwrap().version)
}

#[test]
fn finding_p11_an_older_release_is_carried_over() {
    assert_eq!(migrated_from(CONTRACT_NAME, "0.0.9").unwrap(), CONTRACT_VERSION);
    assert_eq!(migrated_from(CONTRACT_NAME, CONTRACT_VERSION).unwrap(), CONTRACT_VERSION);
}

#[test]
fn finding_p11_another_contract_or_a_newer_release_is_refused() {
    let newer = "999.0.0";
    for (name, version) in [(CONTRACT_NAME, newer), ("crate:other", "0.0.1"), (CONTRACT_NAME, "unknown")] {
        let refused = migrated_from(name, version).unwrap_err();
        assert!(matches!(refused, ContractError::Common(CommonError::CannotMigrate { .. })), "{refused}");
    }
    let mut deps = mock_dependencies();
    let info = MigrateInfo { sender: Addr::unchecked("admin"), old_migrate_version: None };
    assert!(migrate(deps.as_mut(), mock_env(), MigrateMsg {}, info).is_err(), "no version on record");
}
