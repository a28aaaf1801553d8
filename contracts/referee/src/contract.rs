//! Entry points.

#[cfg(not(feature = "library"))]
use cosmwasm_std::entry_point;
use cosmwasm_std::{to_json_binary, Binary, Deps, DepsMut, Env, MessageInfo, MigrateInfo, Response, Uint128};
use openledger_contract::{migration, ownership, payment, CommonError};
use openledger_types::msg::common::InvariantsResponse;
use openledger_types::msg::referee::{EligibleWeightResponse, ExecuteMsg, InstantiateMsg, MigrateMsg, QueryMsg};

use crate::error::ContractError;
use crate::state::{Contracts, CONTRACTS, PARAMS};

/// Name on record, constant for ever.
pub const CONTRACT_NAME: &str = "crate:openledger-referee";
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
    cw2::set_contract_version(deps.storage, CONTRACT_NAME, CONTRACT_VERSION)?;
    ownership::initialize(deps.storage, deps.api, &msg.owner)?;
    let contracts = Contracts {
        datanet: deps.api.addr_validate(&msg.datanet)?,
        node_registry: deps.api.addr_validate(&msg.node_registry)?,
        escrow: deps.api.addr_validate(&msg.escrow)?,
    };
    CONTRACTS.save(deps.storage, &contracts)?;
    PARAMS.save(deps.storage, &msg.params)?;
    Ok(Response::new().add_attribute("action", "instantiate"))
}

/// Carries out a message.
#[cfg_attr(not(feature = "library"), entry_point)]
pub fn execute(
    _deps: DepsMut,
    _env: Env,
    _info: MessageInfo,
    _msg: ExecuteMsg,
) -> Result<Response, ContractError> {
    Err(CommonError::Paused {}.into())
}

/// Answers a question.
#[cfg_attr(not(feature = "library"), entry_point)]
pub fn query(_deps: Deps, _env: Env, msg: QueryMsg) -> Result<Binary, ContractError> {
    match msg {
        QueryMsg::Invariants {} => {
            Ok(to_json_binary(&InvariantsResponse { holds: true, denoms: vec![], broken: vec![] })?)
        }
        QueryMsg::EligibleWeight {} => {
            Ok(to_json_binary(&EligibleWeightResponse { weight: Uint128::zero() })?)
        }
        _ => Err(CommonError::Paused {}.into()),
    }
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
