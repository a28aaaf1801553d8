//! Entry points.

#[cfg(not(feature = "library"))]
use cosmwasm_std::entry_point;
use cosmwasm_std::{Binary, Deps, DepsMut, Env, MessageInfo, MigrateInfo, Response, Uint128};
use openledger_contract::{migration, ownership, pause, payment};
use openledger_types::msg::storage::{ExecuteMsg, InstantiateMsg, MigrateMsg, QueryMsg};

use crate::error::ContractResult;
use crate::execute::{accept, admin, claim, draw, enroll, fund, nominate, place, retire, vacate};
use crate::query;
use crate::state::{
    Contracts, CONTRACTS, DEPOSITS, DRAW_COUNT, OBJECT_COUNT, OPERATOR_COUNT, PARAMS, WITHDRAWABLE,
};

/// Name on record, constant for ever.
pub const CONTRACT_NAME: &str = "crate:openledger-storage";
/// Release on record.
pub const CONTRACT_VERSION: &str = env!("CARGO_PKG_VERSION");

/// Sets the contract up.
#[cfg_attr(not(feature = "library"), entry_point)]
pub fn instantiate(
    deps: DepsMut,
    _env: Env,
    info: MessageInfo,
    msg: InstantiateMsg,
) -> ContractResult<Response> {
    payment::nonpayable(&info)?;
    ownership::initialize(deps.storage, deps.api, &msg.owner)?;
    admin::validate(&msg.params)?;
    let contracts = Contracts {
        datanet: deps.api.addr_validate(&msg.datanet)?,
        node_registry: deps.api.addr_validate(&msg.node_registry)?,
    };
    cw2::set_contract_version(deps.storage, CONTRACT_NAME, CONTRACT_VERSION)?;
    CONTRACTS.save(deps.storage, &contracts)?;
    PARAMS.save(deps.storage, &msg.params)?;
    for counter in [OBJECT_COUNT, DRAW_COUNT, OPERATOR_COUNT] {
        counter.save(deps.storage, &0)?;
    }
    for sum in [DEPOSITS, WITHDRAWABLE] {
        sum.save(deps.storage, &Uint128::zero())?;
    }
    Ok(Response::new().add_attribute("action", "instantiate").add_attribute("owner", msg.owner))
}

/// Carries out a message.
pub fn execute(deps: DepsMut, env: Env, info: MessageInfo, msg: ExecuteMsg) -> ContractResult<Response> {
    match msg {
        ExecuteMsg::Fund { parts } => fund::fund(deps, env, info, parts),
        ExecuteMsg::AnnounceExit { datanet_id } => fund::announce_exit(deps, env, info, datanet_id),
        ExecuteMsg::Exit { datanet_id } => fund::exit(deps, env, info, datanet_id),
        ExecuteMsg::SetPrice { datanet_id, price } => fund::set_price(deps, env, info, datanet_id, price),
        ExecuteMsg::Enroll { node_id, capacity } => enroll::enroll(deps, env, info, node_id, capacity),
        ExecuteMsg::Leave { node_id } => enroll::leave(deps, env, info, node_id),
        ExecuteMsg::Delist { node_id } => enroll::delist(deps, env, info, node_id),
        ExecuteMsg::Place { datanet_id, contributions, roots } => {
            place::place(deps, env, info, datanet_id, contributions, roots)
        }
        ExecuteMsg::Nominate { object_id, nominees } => {
            nominate::nominate(deps, env, info, object_id, nominees)
        }
        ExecuteMsg::Accept { node_id, slots } => accept::accept(deps, env, info, node_id, slots),
        ExecuteMsg::Draw {} => draw::draw(deps, env, info),
        ExecuteMsg::Prove { node_id, answers } => draw::prove(deps, env, info, node_id, answers),
        ExecuteMsg::ReportMiss { node_id } => draw::report_miss(deps, env, info, node_id),
        ExecuteMsg::Vacate { node_id, positions } => vacate::vacate(deps, env, info, node_id, positions),
        ExecuteMsg::Sweep { node_id, positions } => vacate::sweep(deps, info, node_id, positions),
        ExecuteMsg::Claim { node_id, positions } => claim::claim(deps, env, info, node_id, positions),
        ExecuteMsg::Retire { object_id, contribution_id } => {
            retire::retire(deps, env, info, object_id, contribution_id)
        }
        ExecuteMsg::UpdateParams { params } => admin::update_params(deps, info, params),
        ExecuteMsg::SetPaused { paused } => Ok(pause::execute(deps.storage, &info, paused)?),
        ExecuteMsg::UpdateOwnership(action) => Ok(ownership::execute(deps.storage, deps.api, &info, action)?),
    }
}

/// Answers a question.
pub fn query(deps: Deps, env: Env, msg: QueryMsg) -> ContractResult<Binary> {
    query::answer(deps, env, msg)
}

/// Carries the contract from an older release to this one.
#[cfg_attr(not(feature = "library"), entry_point, migrate_version(1))]
pub fn migrate(deps: DepsMut, _env: Env, _msg: MigrateMsg, _info: MigrateInfo) -> ContractResult<Response> {
    let from = migration::check(deps.storage, CONTRACT_NAME, CONTRACT_VERSION)?;
    Ok(Response::new()
        .add_attribute("action", "migrate")
        .add_attribute("from", from)
        .add_attribute("to", CONTRACT_VERSION))
}
