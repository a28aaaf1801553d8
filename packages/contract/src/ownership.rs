//! Two-step ownership (convention C13): a governance account or a multisig can hold it.

use cosmwasm_schema::cw_serde;
use cosmwasm_std::{Addr, Api, MessageInfo, Response, Storage};
use cw_storage_plus::Item;
use openledger_types::msg::common::{OwnershipAction, OwnershipResponse};

use crate::{payment, CommonError};

#[cw_serde]
struct Ownership {
    owner: Option<Addr>,
    pending: Option<Addr>,
}

/// The owner and a proposed successor.
const OWNERSHIP: Item<Ownership> = Item::new("ownership");

/// Sets the first owner.
pub fn initialize(storage: &mut dyn Storage, api: &dyn Api, owner: &str) -> Result<(), CommonError> {
    let owner = api.addr_validate(owner)?;
    Ok(OWNERSHIP.save(storage, &Ownership { owner: Some(owner), pending: None })?)
}

/// Refuses every sender but the owner.
pub fn assert_owner(storage: &dyn Storage, sender: &Addr) -> Result<(), CommonError> {
    match OWNERSHIP.load(storage)?.owner {
        Some(owner) if owner == *sender => Ok(()),
        _ => Err(CommonError::Unauthorized { role: "the owner" }),
    }
}

/// Takes one step of a change of owner.
pub fn update(
    storage: &mut dyn Storage,
    api: &dyn Api,
    sender: &Addr,
    action: OwnershipAction,
) -> Result<(), CommonError> {
    let mut ownership = OWNERSHIP.load(storage)?;
    if !matches!(action, OwnershipAction::Accept {}) {
        assert_owner(storage, sender)?;
    }
    match action {
        OwnershipAction::Propose { new_owner } => ownership.pending = Some(api.addr_validate(&new_owner)?),
        OwnershipAction::Cancel {} => ownership.pending = None,
        OwnershipAction::Renounce {} => ownership = Ownership { owner: None, pending: None },
        OwnershipAction::Accept {} => {
            if ownership.pending.as_ref() != Some(sender) {
                return Err(CommonError::NoPendingOwner {});
            }
            ownership = Ownership { owner: ownership.pending, pending: None };
        }
    }
    Ok(OWNERSHIP.save(storage, &ownership)?)
}

/// `UpdateOwnership`: [`update`] as an answer to the message.
pub fn execute(
    storage: &mut dyn Storage,
    api: &dyn Api,
    info: &MessageInfo,
    action: OwnershipAction,
) -> Result<Response, CommonError> {
    payment::nonpayable(info)?;
    update(storage, api, &info.sender, action)?;
    Ok(Response::new().add_attribute("action", "update_ownership"))
}

/// Answer to `Ownership {}`.
pub fn query(storage: &dyn Storage) -> Result<OwnershipResponse, CommonError> {
    let ownership = OWNERSHIP.load(storage)?;
    Ok(OwnershipResponse {
        owner: ownership.owner.map(String::from),
        pending: ownership.pending.map(String::from),
    })
}
