//! Entry points.

#[cfg(not(feature = "library"))]
use cosmwasm_std::entry_point;
use cosmwasm_std::{Binary, Deps, DepsMut, Env, MessageInfo, MigrateInfo, Response};
use openledger_contract::{migration, ownership, payment};
use openledger_types::msg::escrow::{ExecuteMsg, InstantiateMsg, MigrateMsg, QueryMsg};

use crate::error::ContractResult;
use crate::execute::{admin, claim, epoch, session};
use crate::query;
use crate::state::{Registries, LAST_SESSION, REGISTRIES};

/// Name on record, constant for ever.
pub const CONTRACT_NAME: &str = "crate:openledger-payable-escrow";
/// Version on record.
pub const CONTRACT_VERSION: &str = env!("CARGO_PKG_VERSION");
/// Version of the state: the chain calls [`migrate`] only when it rises.
pub const STATE_VERSION: u64 = 1;

/// Sets the contract up.
#[cfg_attr(not(feature = "library"), entry_point)]
pub fn instantiate(
    deps: DepsMut,
    _env: Env,
    info: MessageInfo,
    msg: InstantiateMsg,
) -> ContractResult<Response> {
    payment::nonpayable(&info)?;
    cw2::set_contract_version(deps.storage, CONTRACT_NAME, CONTRACT_VERSION)?;
    ownership::initialize(deps.storage, deps.api, &msg.owner)?;
    let registries = Registries {
        model: deps.api.addr_validate(&msg.model_registry)?,
        node: deps.api.addr_validate(&msg.node_registry)?,
    };
    REGISTRIES.save(deps.storage, &registries)?;
    LAST_SESSION.save(deps.storage, &0)?;
    admin::save_params(deps.storage, &msg.params)?;
    Ok(Response::new().add_attribute("action", "instantiate"))
}

/// Changes state.
#[cfg_attr(not(feature = "library"), entry_point)]
pub fn execute(deps: DepsMut, env: Env, info: MessageInfo, msg: ExecuteMsg) -> ContractResult<Response> {
    match msg {
        ExecuteMsg::OpenSession { model_id, model_version, session_key, nodes, blocks } => {
            let order = session::Order { model_id, model_version, session_key, nodes, blocks };
            session::open(deps, env, info, order)
        }
        ExecuteMsg::TopUp { session_id, node_id } => session::top_up(deps, env, info, session_id, node_id),
        ExecuteMsg::PostEpoch { commit, settlements } => epoch::post(deps, env, info, commit, settlements),
        ExecuteMsg::Finalize { node_id } => epoch::finalize(deps, env, info, node_id),
        ExecuteMsg::Claim { claims } => claim::claim(deps, env, info, claims),
        ExecuteMsg::Withdraw { denoms } => claim::withdraw(deps, info, denoms),
        ExecuteMsg::RequestClose { session_id } => session::request_close(deps, env, info, session_id),
        ExecuteMsg::Refund { session_id } => session::refund(deps, env, info, session_id),
        ExecuteMsg::SpendTreasury { to, amount } => admin::spend_treasury(deps, info, to, amount),
        ExecuteMsg::UpdateParams { params } => admin::update_params(deps, info, params),
        ExecuteMsg::SetPaused { paused } => admin::set_paused(deps, info, paused),
        ExecuteMsg::UpdateOwnership(action) => admin::update_ownership(deps, info, action),
        ExecuteMsg::Connect { .. } => Ok(Response::new()),
        _ => Err(openledger_contract::CommonError::Paused {}.into()),
    }
}

/// Answers questions.
#[cfg_attr(not(feature = "library"), entry_point)]
pub fn query(deps: Deps, env: Env, msg: QueryMsg) -> ContractResult<Binary> {
    query::answer(deps, env, msg)
}

/// Carries the state from one release to the next.
#[cfg_attr(not(feature = "library"), entry_point, migrate_version(STATE_VERSION))]
pub fn migrate(deps: DepsMut, _env: Env, _msg: MigrateMsg, _info: MigrateInfo) -> ContractResult<Response> {
    let from = migration::check(deps.storage, CONTRACT_NAME, CONTRACT_VERSION)?;
    Ok(Response::new()
        .add_attribute("action", "migrate")
        .add_attribute("from", from)
        .add_attribute("to", CONTRACT_VERSION))
}
