//! Entry points.

#[cfg(not(feature = "library"))]
use cosmwasm_std::entry_point;
use cosmwasm_std::{Binary, Deps, DepsMut, Env, MessageInfo, MigrateInfo, Response};
use openledger_contract::{migration, ownership, payment};
use openledger_types::msg::referee::{ExecuteMsg, InstantiateMsg, MigrateMsg, QueryMsg};

use crate::execute::attest::RootKey;
use crate::execute::vote::Opened;
use crate::execute::{admin, arbitrate, attest, case, demand, fault, money, seed, verdict, vote};
use crate::state::{
    Contracts, Totals, ARBITER, CASE_COUNT, CONTRACTS, DEMAND_COUNT, PARAMS, ROOT_COUNT, TOTALS,
};
use crate::{query, ContractError};

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
    ownership::initialize(deps.storage, deps.api, &msg.owner)?;
    admin::validate(&msg.params)?;
    let contracts = Contracts {
        datanet: deps.api.addr_validate(&msg.datanet)?,
        node_registry: deps.api.addr_validate(&msg.node_registry)?,
        escrow: deps.api.addr_validate(&msg.escrow)?,
    };
    cw2::set_contract_version(deps.storage, CONTRACT_NAME, CONTRACT_VERSION)?;
    CONTRACTS.save(deps.storage, &contracts)?;
    PARAMS.save(deps.storage, &msg.params)?;
    TOTALS.save(deps.storage, &Totals::default())?;
    if let Some(arbiter) = &msg.arbiter {
        ARBITER.save(deps.storage, &deps.api.addr_validate(arbiter)?)?;
    }
    for counter in [ROOT_COUNT, DEMAND_COUNT, CASE_COUNT] {
        counter.save(deps.storage, &0)?;
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
        ExecuteMsg::Attest { auditor, node_id, denom, epoch } => {
            attest::attest(deps, env, info, auditor, RootKey { node_id, denom, epoch })
        }
        ExecuteMsg::ReportMisses { node_id, denom, epoch, auditors } => {
            attest::report_misses(deps, env, info, RootKey { node_id, denom, epoch }, auditors)
        }
        ExecuteMsg::Resume { auditor } => attest::resume(deps, info, auditor),
        ExecuteMsg::DemandChunk { node_id, denom, epoch, blob, index } => {
            demand::demand_chunk(deps, env, info, RootKey { node_id, denom, epoch }, blob, index)
        }
        ExecuteMsg::AnswerDemand { demand_id, chunk, path } => {
            demand::answer_demand(deps, env, info, demand_id, chunk, path)
        }
        ExecuteMsg::ExpireDemand { demand_id } => demand::expire_demand(deps, env, info, demand_id),
        ExecuteMsg::ProveFault { proof } => fault::prove_fault(deps, env, info, proof.0),
        ExecuteMsg::OpenCase { subject, reason } => case::open_case(deps, env, info, subject, reason),
        ExecuteMsg::CommitVote { case_id, auditor, commitment } => {
            vote::commit_vote(deps, env, info, case_id, auditor, commitment)
        }
        ExecuteMsg::RevealVote { case_id, auditor, guilty, salt } => {
            vote::reveal_vote(deps, env, info, Opened { case_id, auditor, guilty, salt })
        }
        ExecuteMsg::Conclude { case_id } => verdict::conclude(deps, env, info, case_id),
        ExecuteMsg::SetArbiter { arbiter } => arbitrate::set_arbiter(deps, info, arbiter),
        ExecuteMsg::Arbitrate { case_id } => arbitrate::arbitrate(deps, info, case_id),
        ExecuteMsg::Award { case_id, guilty } => arbitrate::award(deps, info, case_id, guilty),
        ExecuteMsg::CommitSeed { auditor, period, commitment } => {
            seed::commit_seed(deps, env, info, auditor, period, commitment)
        }
        ExecuteMsg::RevealSeed { auditor, period, seed } => {
            seed::reveal_seed(deps, env, info, auditor, period, seed)
        }
        ExecuteMsg::ReportSeed { auditor, period } => seed::report_seed(deps, env, info, auditor, period),
        ExecuteMsg::ClaimAudit { auditor, node_id, denom, epoch } => {
            money::claim_audit(deps, info, auditor, RootKey { node_id, denom, epoch })
        }
        ExecuteMsg::Withdraw {} => money::withdraw(deps, info),
        ExecuteMsg::SpendTreasury { to, amount } => money::spend_treasury(deps, info, to, amount),
        ExecuteMsg::UpdateParams { params } => admin::update_params(deps, info, params),
        ExecuteMsg::UpdateOwnership(action) => admin::update_ownership(deps, info, action),
    }
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
