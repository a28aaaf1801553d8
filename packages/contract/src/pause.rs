//! The switch that stops new work and nothing else (PROTOCOL A1).

use cosmwasm_std::{MessageInfo, Response, Storage};
use cw_storage_plus::Item;

use crate::{ownership, payment, CommonError};

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

/// `SetPaused`: the owner stops or allows new work.
pub fn execute(storage: &mut dyn Storage, info: &MessageInfo, paused: bool) -> Result<Response, CommonError> {
    payment::nonpayable(info)?;
    ownership::assert_owner(storage, &info.sender)?;
    set(storage, paused)?;
    Ok(Response::new().add_attribute("action", "set_paused").add_attribute("paused", paused.to_string()))
}

/// Refuses while new work is stopped.
pub fn assert_running(storage: &dyn Storage) -> Result<(), CommonError> {
    match is_paused(storage)? {
        true => Err(CommonError::Paused {}),
        false => Ok(()),
    }
}
