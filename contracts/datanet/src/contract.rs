//! Entry points.

#[cfg(not(feature = "library"))]
use cosmwasm_std::entry_point;
use cosmwasm_std::{Binary, Deps, DepsMut, Env, MessageInfo, MigrateInfo, Response};
use openledger_contract::{migration, ownership, payment};
use openledger_types::formats::Uses;
use openledger_types::msg::datanet::{ExecuteMsg, InstantiateMsg, MigrateMsg, Policy, QueryMsg};

use crate::execute::{
    access, admin, bonds, bounty, commit, create, curate, edit, expire, keys, reveal, seal, storage,
    training, verdict, withdraw,
};
use crate::state::{Totals, COMMIT_COUNT, CONTRIBUTION_COUNT, DATANET_COUNT, PARAMS, TOTALS};
use crate::{migrations, query, ContractError};

/// Name on record, constant for ever.
pub const CONTRACT_NAME: &str = "crate:openledger-datanet";
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
    for count in [DATANET_COUNT, COMMIT_COUNT, CONTRIBUTION_COUNT] {
        count.save(deps.storage, &0)?;
    }
    TOTALS.save(deps.storage, &Totals::default())?;
    if let Some(connect) = msg.connect {
        admin::believe(deps.branch(), &connect.model_registry, &connect.referee)?;
        if let Some(storage) = connect.storage {
            storage::believe(deps, &storage)?;
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
        ExecuteMsg::CreateDatanet {
            name,
            description,
            visibility,
            license,
            recipient,
            public_identity,
            min_data_bps,
            floor_per_token,
            policy,
            uses,
            training_price,
        } => {
            let terms = create::Terms {
                visibility,
                license,
                min_data_bps,
                floor_per_token,
                policy: policy.unwrap_or(Policy::Open {}),
                uses: uses.unwrap_or(Uses::ALL),
                training_price: training_price.unwrap_or_default(),
            };
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
        ExecuteMsg::RotateKey { datanet_id, recipient, previous } => {
            keys::rotate_key(deps, env, info, datanet_id, recipient, previous)
        }
        ExecuteMsg::WithdrawBonds {} => bonds::withdraw_bonds(deps, info),
        ExecuteMsg::SpendTreasury { to, amount } => bonds::spend_treasury(deps, info, to, amount),
        ExecuteMsg::UpdateParams { params } => admin::update_params(deps, info, params),
        ExecuteMsg::SetPaused { paused } => admin::set_paused(deps, info, paused),
        ExecuteMsg::UpdateOwnership(action) => admin::update_ownership(deps, info, action),
        ExecuteMsg::EditDatanet { datanet_id, name, description } => {
            edit::edit_datanet(deps, info, datanet_id, name, description)
        }
        ExecuteMsg::UpdateTerms { datanet_id, min_data_bps, floor_per_token, training_price } => {
            edit::update_terms(deps, info, datanet_id, min_data_bps, floor_per_token, training_price)
        }
        ExecuteMsg::UpdateCurators { datanet_id, curators, quorum } => {
            curate::update_curators(deps, info, datanet_id, curators, quorum)
        }
        ExecuteMsg::UpdateDatanetOwner { datanet_id, action } => {
            edit::update_datanet_owner(deps, info, datanet_id, action)
        }
        ExecuteMsg::EditContribution { contribution_id, title } => {
            edit::edit_contribution(deps, info, contribution_id, title)
        }
        ExecuteMsg::Withdraw { contribution_ids } => withdraw::withdraw(deps, env, info, contribution_ids),
        ExecuteMsg::Curate { contribution_ids, approve, reason, slash } => {
            curate::curate(deps, info, contribution_ids, approve, reason, slash)
        }
        ExecuteMsg::ReleaseBonds { commit_id } => bonds::release_bonds(deps, env, info, commit_id),
        ExecuteMsg::BuyAccess { datanet_id, recipient } => {
            access::buy_access(deps, env, info, datanet_id, recipient)
        }
        ExecuteMsg::GrantAccess { datanet_id, developer, wrapped } => {
            access::grant_access(deps, env, info, datanet_id, developer, wrapped)
        }
        ExecuteMsg::LeaveAccess { datanet_id } => access::leave_access(deps, env, info, datanet_id),
        ExecuteMsg::SlashAccess { datanet_id, developer, reason } => {
            access::slash_access(deps, info, datanet_id, developer, reason)
        }
        ExecuteMsg::UseAccess { datanet_id, version, developer, model_id, model_version, training } => {
            let key = (datanet_id, (model_id, model_version));
            training::use_access(deps, info, key, version, developer, training)
        }
        ExecuteMsg::ClaimTraining { datanet_id, model_id, model_version, items } => {
            training::claim_training(deps, info, (datanet_id, (model_id, model_version)), items)
        }
        ExecuteMsg::FundBounty { datanet_id, topic, blocks } => {
            bounty::fund_bounty(deps, env, info, datanet_id, topic, blocks)
        }
        ExecuteMsg::AddToBounty { bounty_id } => bounty::add_to_bounty(deps, env, info, bounty_id),
        ExecuteMsg::AwardBounty { bounty_id, contribution_id, amount } => {
            bounty::award_bounty(deps, env, info, bounty_id, contribution_id, amount)
        }
        ExecuteMsg::LeaveBounty { bounty_id } => bounty::leave_bounty(deps, env, info, bounty_id),
        ExecuteMsg::FundStorage { parts } => storage::fund_storage(deps, info, parts),
        ExecuteMsg::ConnectStorage { storage } => storage::connect_storage(deps, info, &storage),
        ExecuteMsg::ForwardDeposit { datanet_id } => storage::forward_deposit(deps, info, datanet_id),
        ExecuteMsg::HoldContribution { contribution_id, open } => {
            verdict::hold_contribution(deps, info, contribution_id, open)
        }
        ExecuteMsg::ConvictContribution { contribution_id, copied_of, reason, finder } => {
            verdict::convict_contribution(deps, env, info, contribution_id, copied_of, reason, finder)
        }
        ExecuteMsg::Connect { model_registry, referee } => {
            admin::connect(deps, info, model_registry, referee)
        }
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
    _env: Env,
    _msg: MigrateMsg,
    _info: MigrateInfo,
) -> Result<Response, ContractError> {
    let from = migration::check(deps.storage, CONTRACT_NAME, CONTRACT_VERSION)?;
    if migrations::is_first_release(&from) {
        migrations::from_first_release(deps.storage)?;
    }
    Ok(Response::new()
        .add_attribute("action", "migrate")
        .add_attribute("from", from)
        .add_attribute("to", CONTRACT_VERSION))
}
