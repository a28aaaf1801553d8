//! `RegisterModel` and `UpdateDeveloper`.

use cosmwasm_std::{DepsMut, Event, MessageInfo, Response, Storage, Uint64};
use openledger_contract::{pause, text, CommonError};
use openledger_types::msg::common::OwnershipAction;

use crate::state::{self, Model, MODELS, MODEL_COUNT};
use crate::ContractError;

/// Makes a model whose developer is the sender.
pub fn register_model(
    deps: DepsMut,
    info: MessageInfo,
    name: String,
    description: String,
) -> Result<Response, ContractError> {
    pause::assert_running(deps.storage)?;
    text::line("name", &name, 1, 64, "a line of 1 to 64 bytes")?;
    text::paragraph("description", &description, 1024, "at most 1,024 bytes of text")?;
    let model_id = Uint64::new(MODEL_COUNT.load(deps.storage)?).checked_add(Uint64::one())?.u64();
    let model =
        Model { developer: info.sender, name, description, latest_version: 0, pending_developer: None };

    MODEL_COUNT.save(deps.storage, &model_id)?;
    MODELS.save(deps.storage, model_id, &model)?;
    Ok(Response::new().add_attribute("action", "register_model").add_event(
        Event::new("model_registered")
            .add_attribute("model_id", model_id.to_string())
            .add_attribute("developer", model.developer),
    ))
}

/// Takes one step of a change of a model's developer. Sessions that are open and royalties that were
/// flattened keep paying the developer of then.
pub fn update_developer(
    deps: DepsMut,
    info: MessageInfo,
    model_id: u64,
    action: OwnershipAction,
) -> Result<Response, ContractError> {
    let mut model = match action {
        OwnershipAction::Accept {} => state::model(deps.storage, model_id)?,
        _ => developed_by(deps.storage, &info, model_id)?,
    };
    let step = match action {
        OwnershipAction::Propose { new_owner } => {
            model.pending_developer = Some(deps.api.addr_validate(&new_owner)?);
            "propose"
        }
        OwnershipAction::Cancel {} => {
            model.pending_developer = None;
            "cancel"
        }
        OwnershipAction::Accept {} => {
            if model.pending_developer.as_ref() != Some(&info.sender) {
                return Err(CommonError::NoPendingOwner {}.into());
            }
            model.pending_developer = None;
            model.developer = info.sender;
            "accept"
        }
        OwnershipAction::Renounce {} => return Err(ContractError::CannotRenounce {}),
    };

    MODELS.save(deps.storage, model_id, &model)?;
    let mut event = Event::new("model_developer_updated")
        .add_attribute("model_id", model_id.to_string())
        .add_attribute("step", step)
        .add_attribute("developer", model.developer);
    if let Some(pending) = model.pending_developer {
        event = event.add_attribute("pending_developer", pending);
    }
    Ok(Response::new().add_attribute("action", "update_developer").add_event(event))
}

/// Loads a model, refusing everyone but its developer.
pub fn developed_by(
    storage: &dyn Storage,
    info: &MessageInfo,
    model_id: u64,
) -> Result<Model, ContractError> {
    let model = state::model(storage, model_id)?;
    match model.developer == info.sender {
        true => Ok(model),
        false => Err(CommonError::Unauthorized { role: "the model's developer" }.into()),
    }
}
