//! What a datanet's owner and a contributor may change: words, terms and the owner; never data.

use cosmwasm_std::{DepsMut, Event, MessageInfo, Response, Uint128};
use openledger_contract::{payment, text, CommonError};
use openledger_types::msg::common::OwnershipAction;

use crate::execute::create::{check_data_bps, check_description, check_name};
use crate::state::{self, DATANETS};
use crate::{records, ContractError};

/// Changes name and description.
pub fn edit_datanet(
    deps: DepsMut,
    info: MessageInfo,
    datanet_id: u64,
    name: Option<String>,
    description: Option<String>,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    let mut datanet = state::owned_datanet(deps.storage, datanet_id, &info.sender)?;
    if let Some(name) = name {
        check_name(&name)?;
        datanet.name = name;
    }
    if let Some(description) = description {
        check_description(&description)?;
        datanet.description = description;
    }

    DATANETS.save(deps.storage, datanet_id, &datanet)?;
    Ok(Response::new()
        .add_attribute("action", "edit_datanet")
        .add_event(Event::new("datanet_edited").add_attribute("datanet_id", datanet_id.to_string())))
}

/// Changes what models pay, for versions that are sealed from now on.
pub fn update_terms(
    deps: DepsMut,
    info: MessageInfo,
    datanet_id: u64,
    min_data_bps: u16,
    floor_per_token: Uint128,
    training_price: Uint128,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    let mut datanet = state::owned_datanet(deps.storage, datanet_id, &info.sender)?;
    check_data_bps(min_data_bps)?;
    datanet.min_data_bps = min_data_bps;
    datanet.floor_per_token = floor_per_token;
    datanet.training_price = training_price;

    DATANETS.save(deps.storage, datanet_id, &datanet)?;
    Ok(Response::new().add_attribute("action", "update_terms").add_event(
        Event::new("terms_changed")
            .add_attribute("datanet_id", datanet_id.to_string())
            .add_attribute("min_data_bps", min_data_bps.to_string())
            .add_attribute("floor_per_token", floor_per_token)
            .add_attribute("training_price", training_price),
    ))
}

/// Takes one step of a change of a datanet's owner.
pub fn update_datanet_owner(
    deps: DepsMut,
    info: MessageInfo,
    datanet_id: u64,
    action: OwnershipAction,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    let mut datanet = match action {
        OwnershipAction::Accept {} => state::datanet(deps.storage, datanet_id)?,
        _ => state::owned_datanet(deps.storage, datanet_id, &info.sender)?,
    };
    match action {
        OwnershipAction::Propose { new_owner } => {
            datanet.pending_owner = Some(deps.api.addr_validate(&new_owner)?);
        }
        OwnershipAction::Cancel {} => datanet.pending_owner = None,
        OwnershipAction::Accept {} => {
            if datanet.pending_owner.as_ref() != Some(&info.sender) {
                return Err(CommonError::NoPendingOwner {}.into());
            }
            datanet.owner = info.sender;
            datanet.pending_owner = None;
        }
        OwnershipAction::Renounce {} => return Err(ContractError::NeedsOwner { datanet_id }),
    }

    DATANETS.save(deps.storage, datanet_id, &datanet)?;
    Ok(Response::new().add_attribute("action", "update_datanet_owner").add_event(
        Event::new("datanet_owner")
            .add_attribute("datanet_id", datanet_id.to_string())
            .add_attribute("owner", datanet.owner),
    ))
}

/// Changes the title of the sender's contribution.
pub fn edit_contribution(
    deps: DepsMut,
    info: MessageInfo,
    contribution_id: u64,
    title: String,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    let contribution = records::load(deps.storage, contribution_id)?;
    if contribution.facts.contributor != info.sender.as_str() {
        return Err(CommonError::Unauthorized { role: "the contributor" }.into());
    }
    check_title(&title)?;

    records::set_title(deps.storage, contribution_id, title)?;
    Ok(Response::new().add_attribute("action", "edit_contribution").add_event(
        Event::new("contribution_edited").add_attribute("contribution_id", contribution_id.to_string()),
    ))
}

/// Refuses a title of a wrong form.
pub(crate) fn check_title(title: &str) -> Result<(), CommonError> {
    text::line("title", title, 0, 128, "a line of at most 128 bytes")
}
