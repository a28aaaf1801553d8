//! Questions.

use cosmwasm_std::{to_json_binary, Addr, Binary, Deps, Order};
use cw_storage_plus::Bound;
use openledger_contract::{ownership, paging, pause};
use openledger_types::msg::model_registry::{
    ConfigResponse, ModelResponse, ModelVersionResponse, ModelVersionsResponse, ModelsResponse, QueryMsg,
};

use crate::state::{self, Model, Version, DATANET, MODELS, PARAMS, VERSIONS};
use crate::ContractError;

/// Answers a question.
pub fn answer(deps: Deps, msg: QueryMsg) -> Result<Binary, ContractError> {
    Ok(match msg {
        QueryMsg::Config {} => to_json_binary(&config(deps)?),
        QueryMsg::Ownership {} => to_json_binary(&ownership::query(deps.storage)?),
        QueryMsg::Model { model_id } => {
            to_json_binary(&model_response(model_id, state::model(deps.storage, model_id)?))
        }
        QueryMsg::Models { start_after, limit } => to_json_binary(&models(deps, start_after, limit)?),
        QueryMsg::Version { model_id, version } => {
            let developer = state::model(deps.storage, model_id)?.developer;
            let stored = state::version(deps.storage, model_id, version)?;
            to_json_binary(&version_response(model_id, version, &developer, stored))
        }
        QueryMsg::Versions { model_id, start_after, limit } => {
            to_json_binary(&versions(deps, model_id, start_after, limit)?)
        }
        _ => return Err(openledger_contract::CommonError::Paused {}.into()),
    }?)
}

fn config(deps: Deps) -> Result<ConfigResponse, ContractError> {
    Ok(ConfigResponse {
        datanet: DATANET.load(deps.storage)?.into_string(),
        params: PARAMS.load(deps.storage)?,
        paused: pause::is_paused(deps.storage)?,
    })
}

fn model_response(model_id: u64, model: Model) -> ModelResponse {
    ModelResponse {
        model_id,
        developer: model.developer.into_string(),
        name: model.name,
        description: model.description,
        latest_version: model.latest_version,
        pending_developer: None,
    }
}

fn models(deps: Deps, start_after: Option<u64>, limit: Option<u32>) -> Result<ModelsResponse, ContractError> {
    let start = start_after.map(Bound::exclusive);
    let models = MODELS
        .range(deps.storage, start, None, Order::Ascending)
        .take(paging::limit(limit))
        .map(|entry| entry.map(|(model_id, model)| model_response(model_id, model)))
        .collect::<Result<_, _>>()?;
    Ok(ModelsResponse { models })
}

fn version_response(model_id: u64, number: u32, developer: &Addr, version: Version) -> ModelVersionResponse {
    ModelVersionResponse {
        model_id,
        version: number,
        developer: developer.to_string(),
        manifest_hash: version.manifest_hash,
        manifest: version.manifest,
        weights_root: version.weights_root,
        training_root: version.training_root,
        numeric_class: version.numeric_class,
        datanets: version.datanets,
        training: vec![],
        parents: vec![],
        royalty_bps: 0,
        royalties: vec![],
        next_price: None,
        stale: false,
        denom: version.denom,
        price_in: version.price_in,
        price_out: version.price_out,
        floor_per_token: version.floor_per_token,
        split: version.split,
        registered_at: version.registered_at,
        deprecated: version.deprecated,
    }
}

fn versions(
    deps: Deps,
    model_id: u64,
    start_after: Option<u32>,
    limit: Option<u32>,
) -> Result<ModelVersionsResponse, ContractError> {
    let developer = state::model(deps.storage, model_id)?.developer;
    let start = start_after.map(Bound::exclusive);
    let versions = VERSIONS
        .prefix(model_id)
        .range(deps.storage, start, None, Order::Ascending)
        .take(paging::limit(limit))
        .map(|entry| entry.map(|(number, version)| version_response(model_id, number, &developer, version)))
        .collect::<Result<_, _>>()?;
    Ok(ModelVersionsResponse { versions })
}
