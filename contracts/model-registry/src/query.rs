//! Questions.

use cosmwasm_std::{to_json_binary, Addr, Binary, Deps, Env, Order};
use cw_storage_plus::Bound;
use openledger_contract::{ownership, paging, pause};
use openledger_types::msg::model_registry::{
    ConfigResponse, ModelResponse, ModelVersionResponse, ModelVersionsResponse, ModelsResponse, QueryMsg,
    StaleResponse, TrainingUsageResponse, TrainingUse,
};

use crate::state::{self, Model, Version, DATANET, MODELS, PARAMS, TRAINING_TOTALS, TRAINING_USES, VERSIONS};
use crate::{datanets, ContractError};

/// Answers a question.
pub fn answer(deps: Deps, env: Env, msg: QueryMsg) -> Result<Binary, ContractError> {
    Ok(match msg {
        QueryMsg::Config {} => to_json_binary(&config(deps)?),
        QueryMsg::Ownership {} => to_json_binary(&ownership::query(deps.storage)?),
        QueryMsg::Model { model_id } => {
            to_json_binary(&model_response(model_id, state::model(deps.storage, model_id)?))
        }
        QueryMsg::Models { start_after, limit } => to_json_binary(&models(deps, start_after, limit)?),
        QueryMsg::Version { model_id, version } => {
            let developer = state::model(deps.storage, model_id)?.developer;
            let now = state::version(deps.storage, model_id, version)?.at(env.block.height);
            to_json_binary(&version_response(model_id, version, &developer, now))
        }
        QueryMsg::Versions { model_id, start_after, limit } => {
            to_json_binary(&versions(deps, env.block.height, model_id, start_after, limit)?)
        }
        QueryMsg::Stale { model_id, version } => to_json_binary(&stale(deps, model_id, version)?),
        QueryMsg::Usage { contribution_id, start_after, limit } => {
            to_json_binary(&usage(deps, contribution_id, start_after, limit)?)
        }
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
        pending_developer: model.pending_developer.map(String::from),
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
        training: version.training,
        parents: version.parents,
        royalty_bps: version.royalty_bps,
        royalties: version.royalties,
        denom: version.denom,
        price_in: version.price_in,
        price_out: version.price_out,
        next_price: version.next_price,
        floor_per_token: version.floor_per_token,
        split: version.split,
        registered_at: version.registered_at,
        deprecated: version.deprecated,
        stale: version.stale,
    }
}

fn versions(
    deps: Deps,
    height: u64,
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
        .map(|entry| {
            entry.map(|(number, version)| version_response(model_id, number, &developer, version.at(height)))
        })
        .collect::<Result<_, _>>()?;
    Ok(ModelVersionsResponse { versions })
}

fn stale(deps: Deps, model_id: u64, number: u32) -> Result<StaleResponse, ContractError> {
    let version = state::version(deps.storage, model_id, number)?;
    let lost = datanets::lost(deps, &version.datanets)?;
    Ok(StaleResponse { stale: !lost.is_empty(), lost })
}

fn usage(
    deps: Deps,
    contribution_id: u64,
    start_after: Option<(u64, u32)>,
    limit: Option<u32>,
) -> Result<TrainingUsageResponse, ContractError> {
    let entries = TRAINING_USES
        .sub_prefix(contribution_id)
        .range(deps.storage, start_after.map(Bound::exclusive), None, Order::Ascending)
        .take(paging::limit(limit))
        .map(|entry| {
            entry.map(|((model_id, version), times_seen)| TrainingUse { model_id, version, times_seen })
        })
        .collect::<Result<_, _>>()?;
    let times_seen = TRAINING_TOTALS.may_load(deps.storage, contribution_id)?.unwrap_or_default();
    Ok(TrainingUsageResponse { times_seen, entries })
}
