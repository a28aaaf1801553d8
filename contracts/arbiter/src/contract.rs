//! Entry points.

#[cfg(not(feature = "library"))]
use cosmwasm_std::entry_point;
use cosmwasm_std::{Binary, Deps, DepsMut, Env, MessageInfo, MigrateInfo, Response};
use openledger_contract::{migration, ownership, params, payment};
use openledger_types::msg::arbiter::{
    ExecuteMsg, InstantiateMsg, MigrateMsg, Params, QueryMsg, TotalsResponse,
};
use openledger_types::msg::referee;

use crate::execute::{self, Opening, Shown};
use crate::state::{Contracts, CONTRACTS, PARAMS, TOTALS};
use crate::{query, ContractError};

/// Name on record, constant for ever.
pub const CONTRACT_NAME: &str = "crate:openledger-arbiter";
/// Version on record.
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
    params::blocks("move_blocks", msg.params.move_blocks)?;
    let referee = deps.api.addr_validate(&msg.referee)?;
    let peers: referee::ConfigResponse =
        deps.querier.query_wasm_smart(&referee, &referee::QueryMsg::Config {})?;
    let contracts = Contracts {
        referee,
        node_registry: deps.api.addr_validate(&peers.node_registry)?,
        model_registry: deps.api.addr_validate(&msg.model_registry)?,
    };
    cw2::set_contract_version(deps.storage, CONTRACT_NAME, CONTRACT_VERSION)?;
    CONTRACTS.save(deps.storage, &contracts)?;
    PARAMS.save(deps.storage, &msg.params)?;
    TOTALS.save(deps.storage, &TotalsResponse::default())?;
    Ok(Response::new().add_attribute("action", "instantiate").add_attribute("owner", msg.owner))
}

/// Carries out a message.
pub fn execute(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    msg: ExecuteMsg,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    match msg {
        ExecuteMsg::Open { case_id, receipt, manifest, config, prompt, repetition_milli } => {
            let opening = Opening { receipt, manifest, config, prompt, repetition_milli };
            execute::open(deps, env, info, case_id, opening)
        }
        ExecuteMsg::Contest { case_id } => execute::contest(deps, env, info, case_id),
        ExecuteMsg::Answer { case_id, tokens, digests, trace_root } => {
            execute::answer(deps, env, info, case_id, &tokens, &digests, trace_root)
        }
        ExecuteMsg::Show { case_id, hashes } => execute::show(deps, env, info, case_id, hashes),
        ExecuteMsg::Pick { case_id, index } => execute::pick(deps, env, info, case_id, index),
        ExecuteMsg::Step { case_id, prompt, tokens, digests, openings } => {
            execute::step(deps, env, info, case_id, Shown { prompt, tokens, digests, openings })
        }
        ExecuteMsg::Expire { case_id } => execute::expire(deps, env, case_id),
        ExecuteMsg::UpdateParams { params } => update_params(deps, info, params),
        ExecuteMsg::UpdateOwnership(action) => {
            let response = ownership::execute(deps.storage, deps.api, &info, action)?;
            Ok(response.add_attribute("sender", info.sender))
        }
    }
}

/// Changes windows; open disputes keep theirs.
fn update_params(deps: DepsMut, info: MessageInfo, new: Params) -> Result<Response, ContractError> {
    ownership::assert_owner(deps.storage, &info.sender)?;
    params::blocks("move_blocks", new.move_blocks)?;
    PARAMS.save(deps.storage, &new)?;
    Ok(Response::new().add_attribute("action", "update_params"))
}

/// Answers a question.
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
