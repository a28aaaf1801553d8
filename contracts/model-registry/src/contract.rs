//! Entry points.

#[cfg(not(feature = "library"))]
use cosmwasm_std::entry_point;
use cosmwasm_std::{Binary, Deps, DepsMut, Env, MessageInfo, MigrateInfo, Response};
use openledger_contract::{migration, ownership, payment};
use openledger_types::msg::model_registry::{ExecuteMsg, InstantiateMsg, MigrateMsg, QueryMsg};

use crate::execute::{admin, model, notice, training, version};
use crate::state::{DATANET, MODEL_COUNT, PARAMS};
use crate::{migrations, query, ContractError};

/// Name on record, constant for ever.
pub const CONTRACT_NAME: &str = "crate:openledger-model-registry";
/// Release on record.
pub const CONTRACT_VERSION: &str = env!("CARGO_PKG_VERSION");

/// Sets the contract up.
#[cfg_attr(not(feature = "library"), entry_point)]
pub fn instantiate(
    deps: DepsMut,
    _env: Env,
    info: MessageInfo,
    msg: InstantiateMsg,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    ownership::initialize(deps.storage, deps.api, &msg.owner)?;
    admin::validate(&msg.params)?;
    let datanet_addr = deps.api.addr_validate(&msg.datanet)?;
    cw2::set_contract_version(deps.storage, CONTRACT_NAME, CONTRACT_VERSION)?;
    DATANET.save(deps.storage, &datanet_addr)?;
    PARAMS.save(deps.storage, &msg.params)?;
    MODEL_COUNT.save(deps.storage, &0)?;
    Ok(Response::new()
        .add_attribute("action", "instantiate")
        .add_attribute("owner", msg.owner)
        .add_attribute("datanet", datanet_addr))
}

/// Carries out a message; none takes coins.
pub fn execute(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    msg: ExecuteMsg,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    match msg {
        ExecuteMsg::RegisterModel { name, description } => {
            model::register_model(deps, info, name, description)
        }
        ExecuteMsg::RegisterVersion { model_id, version } => {
            version::register_version(deps, env, info, model_id, version)
        }
        ExecuteMsg::Deprecate { model_id, version } => notice::deprecate(deps, info, model_id, version),
        ExecuteMsg::SetPrice { model_id, version, price_in, price_out } => {
            notice::set_price(deps, env, info, (model_id, version), price_in, price_out)
        }
        ExecuteMsg::UpdateDeveloper { model_id, action } => {
            model::update_developer(deps, info, model_id, action)
        }
        ExecuteMsg::MarkStale { model_id, version } => notice::mark_stale(deps, model_id, version),
        ExecuteMsg::ProveTraining { model_id, version, datanet_id, items } => {
            training::prove(deps, (model_id, version), datanet_id, items)
        }
        ExecuteMsg::UpdateParams { params } => admin::update_params(deps, info, params),
        ExecuteMsg::SetPaused { paused } => admin::set_paused(deps, info, paused),
        ExecuteMsg::UpdateOwnership(action) => admin::update_ownership(deps, info, action),
    }
}

/// Answers a question.
pub fn query(deps: Deps, env: Env, msg: QueryMsg) -> Result<Binary, ContractError> {
    query::answer(deps, env, msg)
}

/// Carries the contract from an older release to this one.
#[cfg_attr(not(feature = "library"), entry_point, migrate_version(2))]
pub fn migrate(
    deps: DepsMut,
    _env: Env,
    _msg: MigrateMsg,
    _info: MigrateInfo,
) -> Result<Response, ContractError> {
    let from = migration::check(deps.storage, CONTRACT_NAME, CONTRACT_VERSION)?;
    migrations::run(deps.storage, &from)?;
    Ok(Response::new()
        .add_attribute("action", "migrate")
        .add_attribute("from", from)
        .add_attribute("to", CONTRACT_VERSION))
}
