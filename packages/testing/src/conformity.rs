//! What holds for every contract, checked by each one's own tests.

use std::collections::BTreeSet;
use std::fmt::Display;

use cosmwasm_std::testing::{mock_dependencies, mock_env};
use cosmwasm_std::{Addr, DepsMut, Env, MigrateInfo, Response, Storage};

/// Namespaces of the shared helpers.
const SHARED: [&str; 3] = ["ownership", "paused", "contract_info"];

/// Panics where the text of a `state.rs` gives two keys one namespace, or a shared helper's (finding P17).
pub fn assert_namespaces_are_used_once(state: &str) {
    let own: Vec<&str> = state.split("::new(\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let keys: usize =
        [": Item<", ": Map<", ": Pack<", ": Packs<"].iter().map(|kind| state.matches(kind).count()).sum();
    assert_eq!(own.len(), keys, "every key has its namespace in state.rs");
    let all: BTreeSet<&str> = own.iter().copied().chain(SHARED).collect();
    assert_eq!(all.len(), own.len() + SHARED.len());
}

/// Migrates a contract that has `release` (name, version) on record, none for nothing, and in whose storage
/// `stored` puts what the migration reads. The version on record afterwards.
///
/// # Errors
/// The contract's refusal.
pub fn migrated_from<M, E>(
    migrate: fn(DepsMut, Env, M, MigrateInfo) -> Result<Response, E>,
    msg: M,
    stored: impl Fn(&mut dyn Storage),
    release: Option<(&str, &str)>,
) -> Result<String, E> {
    let mut deps = mock_dependencies();
    if let Some((name, version)) = release {
        cw2::set_contract_version(&mut deps.storage, name, version).expect("names and versions are text");
    }
    stored(&mut deps.storage);
    let info = MigrateInfo { sender: Addr::unchecked("admin"), old_migrate_version: None };
    migrate(deps.as_mut(), mock_env(), msg, info)?;
    Ok(cw2::get_contract_version(&deps.storage).expect("a version is on record").version)
}

/// Panics unless a migration refuses another contract, newer and unreadable releases, and storage that has no release
/// on record (finding P11). `is_refusal` tells the error that means it.
pub fn assert_strangers_are_refused<E: Display>(
    name: &str,
    migrated_from: impl Fn(Option<(&str, &str)>) -> Result<String, E>,
    is_refusal: impl Fn(&E) -> bool,
) {
    for (name, version) in [(name, "999.0.0"), ("crate:other", "0.0.1"), (name, "unknown")] {
        match migrated_from(Some((name, version))) {
            Ok(version) => panic!("migrated to {version}"),
            Err(refused) => assert!(is_refusal(&refused), "{refused}"),
        }
    }
    assert!(migrated_from(None).is_err(), "no version on record");
}
