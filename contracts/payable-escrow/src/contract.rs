//! Entry points.

#[cfg(not(feature = "library"))]
use cosmwasm_std::entry_point;
use cosmwasm_std::{Binary, Deps, DepsMut, Env, MessageInfo, MigrateInfo, Reply, Response};
use openledger_contract::{migration, ownership, pause, payment};
use openledger_types::msg::escrow::{ExecuteMsg, InstantiateMsg, MigrateMsg, QueryMsg};

use crate::error::{ContractError, ContractResult};
use crate::execute::{
    abandoned, admin, cases, claim, commons, epoch, finality, gateway, root, session, unsettled, uses,
    withdraw,
};
use crate::state::{Registries, LAST_SESSION, REGISTRIES};
use crate::{migrations, query};

/// Name on record, constant for ever.
pub const CONTRACT_NAME: &str = "crate:openledger-payable-escrow";
/// Version on record.
pub const CONTRACT_VERSION: &str = env!("CARGO_PKG_VERSION");
/// Version of the state: the chain calls [`migrate`] only when it rises.
pub const STATE_VERSION: u64 = 2;
/// Number of submessages whose failure changes nothing here: coins do not wait for another contract.
pub const MAY_FAIL: u64 = 1;

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
    if let Some(connect) = msg.connect {
        let mut deps = deps;
        root::believe(deps.branch(), &connect.datanet, &connect.referee)?;
        gateway::believe(deps, connect.gateway.as_deref())?;
    }
    Ok(Response::new().add_attribute("action", "instantiate"))
}

/// Changes state.
pub fn execute(deps: DepsMut, env: Env, info: MessageInfo, msg: ExecuteMsg) -> ContractResult<Response> {
    match msg {
        ExecuteMsg::OpenSession { model_id, model_version, session_key, nodes, blocks } => {
            let order = session::Order { model_id, model_version, session_key, nodes, blocks };
            session::open(deps, env, info, order)
        }
        ExecuteMsg::OpenSessionFor { owner, model_id, model_version, session_key, nodes, blocks } => {
            let order = session::Order { model_id, model_version, session_key, nodes, blocks };
            gateway::open_for(deps, env, info, &owner, order)
        }
        ExecuteMsg::TopUp { session_id, node_id } => session::top_up(deps, env, info, session_id, node_id),
        ExecuteMsg::PostEpoch { commit, settlements } => epoch::post(deps, env, info, commit, settlements),
        ExecuteMsg::ReplaceEpoch { commit } => epoch::replace(deps, env, info, commit),
        ExecuteMsg::Finalize { node_id } => finality::finalize(deps, env, info, node_id),
        ExecuteMsg::Attest { node_id, denom, epoch } => root::attest(deps, info, node_id, denom, epoch),
        ExecuteMsg::HoldRoot { node_id, denom, epoch, open } => {
            root::hold(deps, info, node_id, denom, epoch, open)
        }
        ExecuteMsg::VoidRoot { node_id, denom, epoch, reason } => {
            root::void_root(deps, env, info, (node_id, denom, epoch), reason)
        }
        ExecuteMsg::Convict { conviction } => root::convict(deps, env, info, conviction),
        ExecuteMsg::HoldReceipts { case_id, node_id, denom, epoch, receipts } => {
            cases::hold(deps, env, info, case_id, (node_id, denom, epoch), receipts)
        }
        ExecuteMsg::DecideReceipts { case_id, guilty } => cases::decide(deps, env, info, case_id, guilty),
        ExecuteMsg::PayAudit { node_id, denom, epoch, to, amount } => {
            cases::pay_audit(deps, env, info, (node_id, denom, epoch), to, amount)
        }
        ExecuteMsg::CloseAbandoned { node_id } => abandoned::close(deps, env, info, node_id),
        ExecuteMsg::ClaimAbandoned { node_id, denom, epoch, model_id, model_version, datanet_id, items } => {
            let (root, model) = ((node_id, denom, epoch), (model_id, model_version, datanet_id));
            abandoned::claim(deps, info, root, model, items)
        }
        ExecuteMsg::RefundAbandoned { session_id, node_id } => {
            abandoned::refund(deps, info, session_id, node_id)
        }
        ExecuteMsg::ProveUnsettled { receipt } => unsettled::prove(deps, env, info, receipt),
        ExecuteMsg::SweepCommons { denom } => commons::sweep(deps, env, info, denom),
        ExecuteMsg::ProveUses { node_id, denom, epoch, contribution_id, leaf, index, path, details } => {
            let root = (node_id, denom, epoch);
            uses::prove(deps, env, info, root, contribution_id, (leaf, index, path), details)
        }
        ExecuteMsg::Claim { claims } => claim::claim(deps, env, info, claims),
        ExecuteMsg::Withdraw { denoms } => withdraw::withdraw(deps, info, denoms),
        ExecuteMsg::DrawAccrued { denom, draws } => gateway::draw(deps, info, denom, draws),
        ExecuteMsg::RequestClose { session_id } => session::request_close(deps, env, info, session_id),
        ExecuteMsg::Refund { session_id } => session::refund(deps, env, info, session_id),
        ExecuteMsg::SpendTreasury { to, amount } => admin::spend_treasury(deps, info, to, amount),
        ExecuteMsg::UpdateParams { params } => admin::update_params(deps, info, params),
        ExecuteMsg::SetPaused { paused } => Ok(pause::execute(deps.storage, &info, paused)?),
        ExecuteMsg::UpdateOwnership(action) => Ok(ownership::execute(deps.storage, deps.api, &info, action)?),
        ExecuteMsg::Connect { datanet, referee } => root::connect(deps, info, datanet, referee),
        ExecuteMsg::ConnectGateway { gateway } => gateway::connect(deps, info, gateway),
    }
}

/// Answers questions.
pub fn query(deps: Deps, env: Env, msg: QueryMsg) -> ContractResult<Binary> {
    query::answer(deps, env, msg)
}

/// Hears of a submessage that failed and was allowed to.
#[cfg_attr(not(feature = "library"), entry_point)]
pub fn reply(_deps: DepsMut, _env: Env, reply: Reply) -> ContractResult<Response> {
    match reply.id {
        MAY_FAIL => Ok(Response::new().add_attribute("action", "not_heard")),
        id => Err(ContractError::UnknownReply { id }),
    }
}

/// Carries the state from one release to the next.
#[cfg_attr(not(feature = "library"), entry_point, migrate_version(STATE_VERSION))]
pub fn migrate(deps: DepsMut, _env: Env, _msg: MigrateMsg, _info: MigrateInfo) -> ContractResult<Response> {
    let from = migration::check(deps.storage, CONTRACT_NAME, CONTRACT_VERSION)?;
    if from == migrations::v0_1_0::VERSION {
        migrations::v0_1_0::convert(deps.storage)?;
    }
    Ok(Response::new()
        .add_attribute("action", "migrate")
        .add_attribute("from", from)
        .add_attribute("to", CONTRACT_VERSION))
}
