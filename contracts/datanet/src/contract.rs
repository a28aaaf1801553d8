//! Entry points.

#[cfg(not(feature = "library"))]
use cosmwasm_std::entry_point;
use cosmwasm_std::{Binary, Deps, DepsMut, Env, MessageInfo, MigrateInfo, Response};
use openledger_contract::{migration, ownership, payment};
use openledger_types::msg::datanet::{ExecuteMsg, InstantiateMsg, MigrateMsg, QueryMsg};

use crate::execute::{admin, bonds, commit, create, expire, keys, reveal, seal};
use crate::state::{Totals, COMMIT_COUNT, CONTRIBUTION_COUNT, DATANET_COUNT, PARAMS, TOTALS};
use crate::{query, ContractError};

/// Name on record, constant for ever.
pub const CONTRACT_NAME: &str = "crate:openledger-datanet";
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
    for count in [DATANET_COUNT, COMMIT_COUNT, CONTRIBUTION_COUNT] {
        count.save(deps.storage, &0)?;
    }
    TOTALS.save(deps.storage, &Totals::default())?;
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
        ExecuteMsg::CreateDatanet {
            name,
            description,
            visibility,
            license,
            recipient,
            public_identity,
            min_data_bps,
            floor_per_token,
            ..
        } => {
            let terms = create::Terms { visibility, license, min_data_bps, floor_per_token };
            create::create_datanet(
                deps,
                info,
                create::Names { name, description },
                create::Keys { recipient, public_identity },
                terms,
            )
        }
        ExecuteMsg::Commit { datanet_id, root, count } => {
            commit::commit(deps, env, info, datanet_id, root, count)
        }
        ExecuteMsg::Reveal { commit_id, items } => reveal::reveal(deps, env, info, commit_id, items),
        ExecuteMsg::ExpireCommit { commit_id } => expire::expire_commit(deps, env, info, commit_id),
        ExecuteMsg::Seal { datanet_id, up_to, limit } => {
            seal::seal(deps, env, info, datanet_id, up_to, limit)
        }
        ExecuteMsg::GrantKey { datanet_id, node_id, wrapped } => {
            keys::grant_key(deps, info, datanet_id, node_id, wrapped)
        }
        ExecuteMsg::WithdrawBonds {} => bonds::withdraw_bonds(deps, info),
        ExecuteMsg::SpendTreasury { to, amount } => bonds::spend_treasury(deps, info, to, amount),
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
