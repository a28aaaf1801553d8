//! The switch that stops new work and nothing else (PROTOCOL A1).

use cosmwasm_std::Storage;
use cw_storage_plus::Item;

use crate::CommonError;

/// Whether new work is stopped.
const PAUSED: Item<bool> = Item::new("paused");

/// Whether new work is stopped.
pub fn is_paused(storage: &dyn Storage) -> Result<bool, CommonError> {
    Ok(PAUSED.may_load(storage)?.unwrap_or(false))
}

/// Stops or allows new work.
pub fn set(storage: &mut dyn Storage, paused: bool) -> Result<(), CommonError> {
    Ok(PAUSED.save(storage, &paused)?)
}

/// Refuses while new work is stopped.
pub fn assert_running(storage: &dyn Storage) -> Result<(), CommonError> {
    match is_paused(storage)? {
        true => Err(CommonError::Paused {}),
        false => Ok(()),
    }
}
