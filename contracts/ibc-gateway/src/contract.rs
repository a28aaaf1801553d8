//! Entry points.

#[cfg(not(feature = "library"))]
use cosmwasm_std::entry_point;
use cosmwasm_std::{
    Binary, Deps, DepsMut, Env, IbcBasicResponse, IbcDestinationCallbackMsg, IbcSourceCallbackMsg,
    MessageInfo, MigrateInfo, Never, Reply, Response,
};
use openledger_contract::{migration, ownership, pause, payment};
use openledger_types::msg::gateway::{ExecuteMsg, InstantiateMsg, MigrateMsg, QueryMsg};

use crate::error::ContractResult;
use crate::execute::{admin, close, flush, preference, unresolved, withdraw};
use crate::state::{ESCROW, LAST_PAYOUT};
use crate::{ibc_destination, ibc_source, query};

/// Name on record, constant for ever.
pub const CONTRACT_NAME: &str = "crate:openledger-ibc-gateway";
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
    ESCROW.save(deps.storage, &deps.api.addr_validate(&msg.escrow)?)?;
    LAST_PAYOUT.save(deps.storage, &0)?;
    admin::save_params(deps.storage, msg.params)?;
    for route in msg.routes {
        admin::save_route(deps.storage, route)?;
    }
    Ok(Response::new().add_attribute("action", "instantiate"))
}

/// Changes state.
pub fn execute(deps: DepsMut, env: Env, info: MessageInfo, msg: ExecuteMsg) -> ContractResult<Response> {
    match msg {
        ExecuteMsg::SetPreference { route, remote_addr } => {
            preference::set(deps, env, info, route, remote_addr)
        }
        ExecuteMsg::ClearPreference {} => preference::clear(deps, info),
        ExecuteMsg::FlushPayouts { route, denom, accounts, start_after, limit } => {
            let choice = flush::Choice { accounts, start_after, limit };
            flush::flush(deps, env, info, (route, denom), choice)
        }
        ExecuteMsg::Withdraw { denoms } => withdraw::withdraw(deps, info, denoms),
        ExecuteMsg::MarkUnresolved { payout_id } => unresolved::mark(deps, env, info, payout_id),
        ExecuteMsg::ResolvePayout { payout_id, outcome } => {
            unresolved::resolve(deps, env, info, payout_id, outcome)
        }
        ExecuteMsg::BookSurplus { denom, amount, account } => {
            unresolved::book_surplus(deps, env, info, (denom, amount), account)
        }
        ExecuteMsg::CloseSession { session_id, signature } => {
            close::close(deps, env, info, session_id, signature)
        }
        ExecuteMsg::ClaimBounties { denoms } => withdraw::claim_bounties(deps, info, denoms),
        ExecuteMsg::SetRoute { route } => admin::set_route(deps, info, route),
        ExecuteMsg::UpdateParams { params } => admin::update_params(deps, info, params),
        ExecuteMsg::SetPaused { paused } => Ok(pause::execute(deps.storage, &info, paused)?),
        ExecuteMsg::UpdateOwnership(action) => Ok(ownership::execute(deps.storage, deps.api, &info, action)?),
    }
}

/// Answers questions.
pub fn query(deps: Deps, env: Env, msg: QueryMsg) -> ContractResult<Binary> {
    query::answer(deps, env, msg)
}

/// Hears what became of a transfer that was handed over, or of a session that was to be opened.
#[cfg_attr(not(feature = "library"), entry_point)]
pub fn reply(deps: DepsMut, env: Env, reply: Reply) -> ContractResult<Response> {
    crate::reply::reply(deps, &env, reply)
}

/// Hears what became of a payout's packet. The type says that it cannot fail.
#[cfg_attr(not(feature = "library"), entry_point)]
pub fn ibc_source_callback(
    deps: DepsMut,
    env: Env,
    msg: IbcSourceCallbackMsg,
) -> Result<IbcBasicResponse, Never> {
    Ok(ibc_source::callback(deps.storage, &env, msg))
}

/// Hears of coins that came from another chain. The type says that it cannot fail.
#[cfg_attr(not(feature = "library"), entry_point)]
pub fn ibc_destination_callback(
    deps: DepsMut,
    env: Env,
    msg: IbcDestinationCallbackMsg,
) -> Result<IbcBasicResponse, Never> {
    Ok(ibc_destination::callback(deps, &env, &msg))
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
