//! Checks before a migration (conventions C3, C4).

use cosmwasm_std::Storage;

use crate::CommonError;

/// Refuses state of another contract and of a newer release, then records the new version. Returns
/// the version on record before, by which stepwise conversions are chosen.
pub fn check(storage: &mut dyn Storage, name: &str, version: &str) -> Result<String, CommonError> {
    let old = cw2::get_contract_version(storage)?;
    let refused = || CommonError::CannotMigrate { name: old.contract.clone(), version: old.version.clone() };
    if old.contract != name {
        return Err(refused());
    }
    match (parse(&old.version), parse(version)) {
        (Some(from), Some(to)) if from <= to => {}
        _ => return Err(refused()),
    }
    cw2::set_contract_version(storage, name, version)?;
    Ok(old.version)
}

/// `major.minor.patch` as numbers.
fn parse(version: &str) -> Option<(u64, u64, u64)> {
    let mut parts = version.split('.').map(|part| part.parse().ok());
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(Some(a)), Some(Some(b)), Some(Some(c)), None) => Some((a, b, c)),
        _ => None,
    }
}
