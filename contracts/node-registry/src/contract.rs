//! Entry points.

#[cfg(not(feature = "library"))]
use cosmwasm_std::entry_point;
use cosmwasm_std::{Binary, Deps, DepsMut, Env, MessageInfo, MigrateInfo, Response, Uint128};
use openledger_contract::{migration, ownership, payment};
use openledger_types::msg::node_registry::{ExecuteMsg, InstantiateMsg, MigrateMsg, QueryMsg};

use crate::execute::register::Registration;
use crate::execute::{admin, bond, register, update};
use crate::state::{BONDS, NODE_COUNT, PARAMS};
use crate::{query, ContractError};

/// Name on record, constant for ever.
pub const CONTRACT_NAME: &str = "crate:openledger-node-registry";
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
    cw2::set_contract_version(deps.storage, CONTRACT_NAME, CONTRACT_VERSION)?;
    PARAMS.save(deps.storage, &msg.params)?;
    NODE_COUNT.save(deps.storage, &0)?;
    BONDS.save(deps.storage, &Uint128::zero())?;
    Ok(Response::new().add_attribute("action", "instantiate").add_attribute("owner", msg.owner))
}

/// Carries out a message.
#[cfg_attr(not(feature = "library"), entry_point)]
pub fn execute(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    msg: ExecuteMsg,
) -> Result<Response, ContractError> {
    match msg {
        ExecuteMsg::Register { moniker, endpoint, node_key, hot_addr, age_recipient, roles, .. } => {
            let new = Registration { moniker, endpoint, node_key, hot_addr, age_recipient, roles };
            register::register(deps, env, info, new)
        }
        ExecuteMsg::UpdateNode { node_id, endpoint, moniker, hot_addr, .. } => {
            update::update_node(deps, info, node_id, update::Changes { endpoint, moniker, hot_addr })
        }
        ExecuteMsg::RotateKey { node_id, node_key, .. } => update::rotate_key(deps, env, info, node_id, node_key),
        ExecuteMsg::AddBond { node_id } => bond::add_bond(deps, info, node_id),
        ExecuteMsg::Unbond { node_id } => bond::unbond(deps, env, info, node_id),
        ExecuteMsg::WithdrawBond { node_id } => bond::withdraw_bond(deps, env, info, node_id),
        ExecuteMsg::UpdateParams { params } => admin::update_params(deps, info, params),
        ExecuteMsg::SetPaused { paused } => admin::set_paused(deps, info, paused),
        ExecuteMsg::UpdateOwnership(action) => admin::update_ownership(deps, info, action),
        ExecuteMsg::Connect { .. } => Ok(Response::new()),
        _ => Err(openledger_contract::CommonError::Paused {}.into()),
    }
}

/// Answers a question.
#[cfg_attr(not(feature = "library"), entry_point)]
pub fn query(deps: Deps, env: Env, msg: QueryMsg) -> Result<Binary, ContractError> {
    query::answer(deps, env, msg)
}

/// Carries the contract from an older release to this one.
#[cfg_attr(not(feature = "library"), entry_point, migrate_version(1))]
pub fn migrate(
    deps: DepsMut,
    _env: Env,
    _msg: MigrateMsg,
    _info: MigrateInfo,
) -> Result<Response, ContractError> {
    let from = migration::check(deps.storage, CONTRACT_NAME, CONTRACT_VERSION)?;
    Ok(Response::new()
        .add_attribute("action", "migrate")
        .add_attribute("from", from)
        .add_attribute("to", CONTRACT_VERSION))
}
