//! Questions.

use cosmwasm_std::{to_json_binary, Binary, Deps, Env, HexBinary, Order};
use cw_storage_plus::Bound;
use openledger_contract::{invariants, ownership, paging, pause};
use openledger_types::formats::hash32;
use openledger_types::msg::common::InvariantsResponse;
use openledger_types::msg::datanet::{
    BondsResponse, CommitResponse, ConfigResponse, ContributionResponse, ContributionsResponse,
    DatanetResponse, DatanetsResponse, KeyGrantResponse, LeavesResponse, MatchResponse, QueryMsg,
    VersionResponse,
};

use crate::execute::seal;
use crate::state::{
    self, Contribution, Datanet, Fate, BONDS, BY_DATANET, BY_MATCH, DATANETS, KEY_GRANTS, LEAVES, PARAMS,
    TOTALS, VERSIONS,
};
use crate::ContractError;

/// Most leaves of one answer.
const MAX_LEAVES: u32 = 100;

/// Answers a question.
pub fn answer(deps: Deps, env: Env, msg: QueryMsg) -> Result<Binary, ContractError> {
    Ok(match msg {
        QueryMsg::Config {} => to_json_binary(&config(deps)?),
        QueryMsg::Ownership {} => to_json_binary(&ownership::query(deps.storage)?),
        QueryMsg::Datanet { datanet_id } => {
            let datanet = state::datanet(deps.storage, datanet_id)?;
            to_json_binary(&datanet_response(deps, datanet_id, datanet)?)
        }
        QueryMsg::Datanets { start_after, limit } => to_json_binary(&datanets(deps, start_after, limit)?),
        QueryMsg::Commit { commit_id } => to_json_binary(&commit(deps, commit_id)?),
        QueryMsg::Contribution { contribution_id } => {
            to_json_binary(&contribution_response(deps, contribution_id)?)
        }
        QueryMsg::Contributions { datanet_id, start_after, limit } => {
            to_json_binary(&contributions(deps, datanet_id, start_after, limit)?)
        }
        QueryMsg::ByMatchHash { match_hash } => to_json_binary(&by_match_hash(deps, match_hash)?),
        QueryMsg::Version { datanet_id, version } => to_json_binary(&sealed(deps, datanet_id, version)?),
        QueryMsg::Leaves { datanet_id, start, limit } => {
            to_json_binary(&leaves(deps, datanet_id, start, limit)?)
        }
        QueryMsg::KeyGrant { datanet_id, node_id } => to_json_binary(&KeyGrantResponse {
            wrapped: KEY_GRANTS.may_load(deps.storage, (datanet_id, node_id))?,
        }),
        QueryMsg::Bonds { address } => to_json_binary(&bonds(deps, address)?),
        QueryMsg::Invariants {} => to_json_binary(&conservation(deps, env)?),
        _ => return Err(openledger_contract::CommonError::Paused {}.into()),
    }?)
}

fn config(deps: Deps) -> Result<ConfigResponse, ContractError> {
    Ok(ConfigResponse { params: PARAMS.load(deps.storage)?, paused: pause::is_paused(deps.storage)? })
}

fn datanet_response(deps: Deps, datanet_id: u64, datanet: Datanet) -> Result<DatanetResponse, ContractError> {
    let stats = state::stats(deps.storage, datanet_id)?;
    Ok(DatanetResponse {
        datanet_id,
        owner: datanet.owner.into_string(),
        name: datanet.name,
        description: datanet.description,
        visibility: datanet.visibility,
        license: datanet.license,
        recipient: datanet.recipient,
        public_identity: datanet.public_identity,
        min_data_bps: datanet.min_data_bps,
        floor_per_token: datanet.floor_per_token,
        policy: openledger_types::msg::datanet::Policy::Open {},
        uses: openledger_types::formats::Uses::ALL,
        training_price: cosmwasm_std::Uint128::zero(),
        pending_owner: None,
        withdrawals: 0,
        contributions: stats.contributions,
        bytes: stats.bytes,
        latest_version: stats.latest_version,
        leaves: seal::leaves(deps.storage, datanet_id)?,
    })
}

fn datanets(
    deps: Deps,
    start_after: Option<u64>,
    limit: Option<u32>,
) -> Result<DatanetsResponse, ContractError> {
    let start = start_after.map(Bound::exclusive);
    let datanets = DATANETS
        .range(deps.storage, start, None, Order::Ascending)
        .take(paging::limit(limit))
        .map(|entry| {
            let (datanet_id, datanet) = entry?;
            datanet_response(deps, datanet_id, datanet)
        })
        .collect::<Result<_, _>>()?;
    Ok(DatanetsResponse { datanets })
}

fn commit(deps: Deps, commit_id: u64) -> Result<CommitResponse, ContractError> {
    let commit = state::commit(deps.storage, commit_id)?;
    Ok(CommitResponse {
        commit_id,
        datanet_id: commit.datanet_id,
        owner: commit.owner.into_string(),
        root: commit.root,
        count: commit.count,
        revealed: commit.revealed,
        priority: commit.priority,
        expires: commit.expires,
        ended: commit.ended,
        bonds_from: None,
        released: false,
        slashed: 0,
    })
}

fn contribution_response(deps: Deps, contribution_id: u64) -> Result<ContributionResponse, ContractError> {
    let Contribution { facts, title } = state::contribution(deps.storage, contribution_id)?;
    let Fate { status, duplicate_of, version, position } = state::fate(deps.storage, contribution_id)?;
    Ok(ContributionResponse { facts, title, status, duplicate_of, version, position, accepted_at: 0, cluster: contribution_id, withdrawn_at: None, reason: None })
}

fn contributions(
    deps: Deps,
    datanet_id: u64,
    start_after: Option<u64>,
    limit: Option<u32>,
) -> Result<ContributionsResponse, ContractError> {
    state::datanet(deps.storage, datanet_id)?;
    let start = start_after.map(Bound::exclusive);
    let contributions = BY_DATANET
        .prefix(datanet_id)
        .keys(deps.storage, start, None, Order::Ascending)
        .take(paging::limit(limit))
        .map(|id| contribution_response(deps, id?))
        .collect::<Result<_, ContractError>>()?;
    Ok(ContributionsResponse { contributions })
}

fn by_match_hash(deps: Deps, match_hash: HexBinary) -> Result<MatchResponse, ContractError> {
    let key = hash32("match_hash", &match_hash)?;
    Ok(MatchResponse { contribution_id: BY_MATCH.may_load(deps.storage, &key)? })
}

fn sealed(deps: Deps, datanet_id: u64, version: u32) -> Result<VersionResponse, ContractError> {
    state::datanet(deps.storage, datanet_id)?;
    VERSIONS
        .may_load(deps.storage, (datanet_id, version))?
        .ok_or(ContractError::VersionNotFound { datanet_id, version })
}

fn leaves(
    deps: Deps,
    datanet_id: u64,
    start: u64,
    limit: Option<u32>,
) -> Result<LeavesResponse, ContractError> {
    state::datanet(deps.storage, datanet_id)?;
    let leaves = LEAVES
        .prefix(datanet_id)
        .range(deps.storage, Some(Bound::inclusive(start)), None, Order::Ascending)
        .take(paging::capped(limit, MAX_LEAVES))
        .map(|entry| Ok(state::contribution(deps.storage, entry?.1)?.facts))
        .collect::<Result<_, ContractError>>()?;
    Ok(LeavesResponse { leaves })
}

fn bonds(deps: Deps, address: String) -> Result<BondsResponse, ContractError> {
    let addr = deps.api.addr_validate(&address)?;
    Ok(BondsResponse { withdrawable: BONDS.may_load(deps.storage, &addr)?.unwrap_or_default() })
}

fn conservation(deps: Deps, env: Env) -> Result<InvariantsResponse, ContractError> {
    let denom = PARAMS.load(deps.storage)?.denom;
    let totals = TOTALS.load(deps.storage)?;
    let terms = [
        ("bonds_held", totals.held),
        ("bonds_withdrawable", totals.withdrawable),
        ("treasury", totals.treasury),
    ];
    let equation = invariants::equation(&deps.querier, &env.contract.address, &denom, &terms)?;
    let broken = match equation.holds {
        true => vec![],
        false => vec![format!("the contract owes more {denom} than it holds")],
    };
    Ok(InvariantsResponse { holds: equation.holds, denoms: vec![equation], broken })
}
