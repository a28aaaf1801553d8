//! `migrate`.

use cosmwasm_std::testing::{mock_dependencies, mock_env};
use cosmwasm_std::{Addr, MigrateInfo};
use openledger_payable_escrow::contract::{migrate, CONTRACT_NAME, CONTRACT_VERSION};
use openledger_types::msg::escrow::MigrateMsg;

use crate::common::{Answer, Suite, OPEN};

#[test]
fn convention_c4_the_same_or_an_older_version_migrates_and_keeps_its_state() {
    let mut suite = Suite::new();
    let user = suite.user(0);
    let mut client = suite.open(&user, 1, &[(1, 50_000)]);
    suite.answer(&mut client, 1, &Answer::plain(100, 100));
    suite.post(1, OPEN);
    let before = suite.session(1);
    suite.migrate().unwrap();
    assert_eq!(suite.session(1), before);
    suite.assert_conserved();
}

/// What the chain says of the one who migrates.
fn info() -> MigrateInfo {
    MigrateInfo { sender: Addr::unchecked("governance"), old_migrate_version: Some(1) }
}

#[test]
fn finding_p11_another_contract_or_a_newer_version_is_refused() {
    let mut deps = mock_dependencies();
    for (name, version, allowed) in [
        (CONTRACT_NAME, CONTRACT_VERSION, true),
        (CONTRACT_NAME, "0.0.1", true),
        ("crate:another", "0.0.1", false),
        (CONTRACT_NAME, "99.0.0", false),
        (CONTRACT_NAME, "one", false),
    ] {
        cw2::set_contract_version(&mut deps.storage, name, version).unwrap();
        assert_eq!(
            migrate(deps.as_mut(), mock_env(), MigrateMsg {}, info()).is_ok(),
            allowed,
            "{name} {version}"
        );
        if allowed {
            let kept = cw2::get_contract_version(&deps.storage).unwrap();
            assert_eq!((kept.contract.as_str(), kept.version.as_str()), (CONTRACT_NAME, CONTRACT_VERSION));
        }
    }
    let mut empty = mock_dependencies();
    assert!(migrate(empty.as_mut(), mock_env(), MigrateMsg {}, info()).is_err(), "no version on record");
}
