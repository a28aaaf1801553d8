//! `RegisterModel`.

use cosmwasm_std::{DepsMut, Event, MessageInfo, Response, Uint64};
use openledger_contract::{pause, text};

use crate::state::{Model, MODELS, MODEL_COUNT};
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
    let model = Model { developer: info.sender, name, description, latest_version: 0 };

    MODEL_COUNT.save(deps.storage, &model_id)?;
    MODELS.save(deps.storage, model_id, &model)?;
    Ok(Response::new().add_attribute("action", "register_model").add_event(
        Event::new("model_registered")
            .add_attribute("model_id", model_id.to_string())
            .add_attribute("developer", model.developer),
    ))
}
