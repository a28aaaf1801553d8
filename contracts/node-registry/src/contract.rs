//! Entry points.

#[cfg(not(feature = "library"))]
use cosmwasm_std::entry_point;
use cosmwasm_std::{Binary, Deps, DepsMut, Env, MessageInfo, MigrateInfo, Response, Uint128};
use openledger_contract::{migration, ownership, payment};
use openledger_types::msg::node_registry::{ExecuteMsg, InstantiateMsg, MigrateMsg, QueryMsg};

use crate::execute::register::Registration;
use crate::execute::{admin, bond, cases, cut, offer, purse, register, slash, update, work};
use crate::state::{Prices, NODE_COUNT, PARAMS};
use crate::{migrations, query, ContractError};

/// Name on record, constant for ever.
pub const CONTRACT_NAME: &str = "crate:openledger-node-registry";
/// Release on record.
pub const CONTRACT_VERSION: &str = env!("CARGO_PKG_VERSION");

/// Sets the contract up.
#[cfg_attr(not(feature = "library"), entry_point)]
pub fn instantiate(
    mut deps: DepsMut,
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
    admin::open_counters(deps.storage, Uint128::zero())?;
    if let Some(connect) = msg.connect {
        admin::believe(deps.branch(), &connect.model_registry, &connect.escrow, &connect.referee)?;
        if let Some(storage) = connect.storage {
            admin::believe_storage(deps, &storage)?;
        }
    }
    Ok(Response::new().add_attribute("action", "instantiate").add_attribute("owner", msg.owner))
}

/// Carries out a message.
pub fn execute(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    msg: ExecuteMsg,
) -> Result<Response, ContractError> {
    match msg {
        ExecuteMsg::Register { moniker, endpoint, node_key, key_proof, hot_addr, age_recipient, roles } => {
            let new = Registration { moniker, endpoint, node_key, key_proof, hot_addr, age_recipient, roles };
            register::register(deps, env, info, new)
        }
        ExecuteMsg::UpdateNode { node_id, endpoint, moniker, hot_addr, age_recipient, roles } => {
            let changes = update::Changes { endpoint, moniker, hot_addr, age_recipient, roles };
            update::update_node(deps, info, node_id, changes)
        }
        ExecuteMsg::RotateKey { node_id, node_key, key_proof } => {
            update::rotate_key(deps, env, info, node_id, node_key, key_proof)
        }
        ExecuteMsg::RenewKey { node_id } => update::renew_key(deps, env, info, node_id),
        ExecuteMsg::Offer { node_id, model_id, version, price_in, price_out } => {
            offer::offer(deps, info, node_id, (model_id, version), Prices { price_in, price_out })
        }
        ExecuteMsg::StopOffer { node_id, model_id, version } => {
            offer::stop_offer(deps, info, node_id, model_id, version)
        }
        ExecuteMsg::ReportWork { node_id, work } => work::report_work(deps, info, node_id, work),
        ExecuteMsg::RecordWork { node_id, work } => work::record_work(deps, info, node_id, work),
        ExecuteMsg::Unjail { node_id } => slash::unjail(deps, env, info, node_id),
        ExecuteMsg::Slash { node_id, bps, finder, reason } => {
            slash::slash(deps, env, info, node_id, bps, finder, &reason)
        }
        ExecuteMsg::PlanCut { node_id, bps, finder, reason } => {
            cut::plan_cut(deps, env, info, node_id, bps, finder, reason)
        }
        ExecuteMsg::ExecuteCut { cut_id } => cut::execute_cut(deps, env, info, cut_id),
        ExecuteMsg::VetoCut { cut_id } => cut::veto_cut(deps, info, cut_id),
        ExecuteMsg::Freeze { node_id, open } => cases::freeze(deps, info, node_id, open),
        ExecuteMsg::WithdrawRewards {} => purse::withdraw_rewards(deps, info),
        ExecuteMsg::SpendTreasury { to, amount } => purse::spend_treasury(deps, info, &to, amount),
        ExecuteMsg::Connect { model_registry, escrow, referee } => {
            admin::connect(deps, info, &model_registry, &escrow, &referee)
        }
        ExecuteMsg::ConnectStorage { storage } => admin::connect_storage(deps, info, &storage),
        ExecuteMsg::AddBond { node_id } => bond::add_bond(deps, info, node_id),
        ExecuteMsg::Unbond { node_id } => bond::unbond(deps, env, info, node_id),
        ExecuteMsg::WithdrawBond { node_id } => bond::withdraw_bond(deps, env, info, node_id),
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
    env: Env,
    _msg: MigrateMsg,
    _info: MigrateInfo,
) -> Result<Response, ContractError> {
    let from = migration::check(deps.storage, CONTRACT_NAME, CONTRACT_VERSION)?;
    migrations::convert(deps.storage, &from, env.block.height)?;
    Ok(Response::new()
        .add_attribute("action", "migrate")
        .add_attribute("from", from)
        .add_attribute("to", CONTRACT_VERSION))
}
