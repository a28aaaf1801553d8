//! `CreateDatanet`.

use cosmwasm_std::{DepsMut, Event, MessageInfo, Response, Uint128};
use openledger_contract::{pause, payment, text, CommonError};
use openledger_types::formats::{Uses, BPS};
use openledger_types::msg::datanet::{Policy, Visibility};

use crate::execute::curate;

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
    /// Who decides what a version takes.
    pub policy: Policy,
    /// What may be done with contributions that say nothing themselves.
    pub uses: Uses,
    /// Price of training, in base units.
    pub training_price: Uint128,
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
    if let Policy::Curated { curators, quorum } = &terms.policy {
        curate::check_curators(deps.api, curators, *quorum)?;
    }
    let datanet_id = next(DATANET_COUNT.load(deps.storage)?)?;
    let datanet = Datanet {
        owner: info.sender,
        name: names.name,
        description: names.description,
        visibility: terms.visibility,
        license: terms.license,
        recipient: keys.recipient,
        key: 0,
        public_identity: keys.public_identity,
        min_data_bps: terms.min_data_bps,
        floor_per_token: terms.floor_per_token,
        policy: terms.policy,
        uses: terms.uses,
        training_price: terms.training_price,
        pending_owner: None,
    };

    DATANET_COUNT.save(deps.storage, &datanet_id)?;
    DATANETS.save(deps.storage, datanet_id, &datanet)?;
    Ok(Response::new().add_attribute("action", "create_datanet").add_event(
        Event::new("datanet_created")
            .add_attribute("datanet_id", datanet_id.to_string())
            .add_attribute("owner", datanet.owner),
    ))
}

/// Refuses a name of a wrong form.
pub(crate) fn check_name(name: &str) -> Result<(), CommonError> {
    text::line("name", name, 1, 64, "a line of 1 to 64 bytes")
}

/// Refuses a description of a wrong form.
pub(crate) fn check_description(description: &str) -> Result<(), CommonError> {
    text::paragraph("description", description, 1024, "at most 1,024 bytes of text")
}

/// Refuses more than the whole fee.
pub(crate) fn check_data_bps(min_data_bps: u16) -> Result<(), CommonError> {
    match min_data_bps > BPS {
        true => Err(CommonError::BadField { field: "min_data_bps", rule: "at most 10,000 basis points" }),
        false => Ok(()),
    }
}

fn validate(names: &Names, keys: &Keys, terms: &Terms) -> Result<(), CommonError> {
    check_name(&names.name)?;
    check_description(&names.description)?;
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
    check_data_bps(terms.min_data_bps)
}

/// The number after `last`.
pub(crate) fn next(last: u64) -> Result<u64, ContractError> {
    Ok(cosmwasm_std::Uint64::new(last).checked_add(cosmwasm_std::Uint64::one())?.u64())
}
