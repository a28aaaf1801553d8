//! `CreateDatanet`.

use cosmwasm_std::{DepsMut, Event, MessageInfo, Response, Uint128};
use openledger_contract::{pause, payment, text, CommonError};
use openledger_types::formats::BPS;
use openledger_types::msg::datanet::Visibility;

use crate::state::{Datanet, DATANETS, DATANET_COUNT};
use crate::ContractError;

/// What people read.
pub struct Names {
    /// Name, at most 64 bytes.
    pub name: String,
    /// What it is about, at most 1,024 bytes.
    pub description: String,
}

/// The datanet's age key pair.
pub struct Keys {
    /// Recipient that contributions are encrypted to.
    pub recipient: String,
    /// Identity, given exactly when the datanet is public.
    pub public_identity: Option<String>,
}

/// What using the data costs and who sees it.
pub struct Terms {
    /// Who sees the text.
    pub visibility: Visibility,
    /// SPDX expression for contributions that name none.
    pub license: String,
    /// Least part of every fee for the data, in basis points.
    pub min_data_bps: u16,
    /// Least fee for each token of an answer, in base units.
    pub floor_per_token: Uint128,
}

/// Makes a datanet that the sender owns.
pub fn create_datanet(
    deps: DepsMut,
    info: MessageInfo,
    names: Names,
    keys: Keys,
    terms: Terms,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    pause::assert_running(deps.storage)?;
    validate(&names, &keys, &terms)?;
    let datanet_id = next(DATANET_COUNT.load(deps.storage)?)?;
    let datanet = Datanet {
        owner: info.sender,
        name: names.name,
        description: names.description,
        visibility: terms.visibility,
        license: terms.license,
        recipient: keys.recipient,
        public_identity: keys.public_identity,
        min_data_bps: terms.min_data_bps,
        floor_per_token: terms.floor_per_token,
    };

    DATANET_COUNT.save(deps.storage, &datanet_id)?;
    DATANETS.save(deps.storage, datanet_id, &datanet)?;
    Ok(Response::new().add_attribute("action", "create_datanet").add_event(
        Event::new("datanet_created")
            .add_attribute("datanet_id", datanet_id.to_string())
            .add_attribute("owner", datanet.owner),
    ))
}

fn validate(names: &Names, keys: &Keys, terms: &Terms) -> Result<(), CommonError> {
    text::line("name", &names.name, 1, 64, "a line of 1 to 64 bytes")?;
    text::paragraph("description", &names.description, 1024, "at most 1,024 bytes of text")?;
    text::license(&terms.license)?;
    text::age_recipient("recipient", &keys.recipient)?;
    match (terms.visibility, &keys.public_identity) {
        (Visibility::Public, Some(identity)) => text::age_identity("public_identity", identity)?,
        (Visibility::Public, None) => {
            return Err(CommonError::BadField {
                field: "public_identity",
                rule: "given, because the datanet is public",
            })
        }
        (_, Some(_)) => {
            return Err(CommonError::BadField {
                field: "public_identity",
                rule: "left out, because the datanet is not public",
            })
        }
        (_, None) => {}
    }
    if terms.min_data_bps > BPS {
        return Err(CommonError::BadField { field: "min_data_bps", rule: "at most 10,000 basis points" });
    }
    Ok(())
}

/// The number after `last`.
pub(crate) fn next(last: u64) -> Result<u64, ContractError> {
    Ok(cosmwasm_std::Uint64::new(last).checked_add(cosmwasm_std::Uint64::one())?.u64())
}
