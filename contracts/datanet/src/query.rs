//! Questions.

use cosmwasm_std::{to_json_binary, Binary, Deps, Env, HexBinary, Order, Uint128};
use cw_storage_plus::Bound;
use openledger_contract::{invariants, ownership, paging, pause};
use openledger_types::formats::hash32;
use openledger_types::msg::common::{Amount, InvariantsResponse};
use openledger_types::msg::datanet::{
    Access, AccessResponse, AccessesResponse, BondsResponse, BountiesResponse, BountyResponse,
    CommitResponse, ConfigResponse, ConnectionsResponse, ContributionResponse, ContributionStatus,
    ContributionsResponse, CurationResponse, DatanetResponse, DatanetsResponse, DeveloperAccess, KeyGrant,
    KeyGrantResponse, KeyGrantsResponse, LeavesResponse, MatchResponse, PastKey, PastKeysResponse, QueryMsg,
    StorageResponse, TrainingPot, TrainingResponse, VersionHealthResponse, WithdrawalsResponse,
};

use crate::execute::{access, bonds, seal, storage, withdraw};
use crate::records::{self, Reader};
use crate::state::{
    self, Bounty, Datanet, ACCESSES, BONDS, BOUNTIES_OF, BY_MATCH, CONNECTIONS, DATANETS, DEPOSITS, GRANTED,
    KEY_GRANTS, LEAVES, LEGACY_BY_DATANET, PARAMS, PAST_KEYS, RUNS, STORAGE, STORAGE_TOTALS, TOTALS,
    TRAINING, VOTES, WITHDRAWALS, WITHDRAWAL_LOGS,
};
use crate::ContractError;

/// Most leaves, and most withdrawals, of one answer.
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
            to_json_binary(&contribution_response(deps, &mut Reader::default(), contribution_id)?)
        }
        QueryMsg::Contributions { datanet_id, start_after, limit } => {
            to_json_binary(&contributions(deps, datanet_id, start_after, limit)?)
        }
        QueryMsg::ByMatchHash { match_hash } => to_json_binary(&by_match_hash(deps, match_hash)?),
        QueryMsg::Version { datanet_id, version } => {
            state::datanet(deps.storage, datanet_id)?;
            to_json_binary(&state::version(deps.storage, datanet_id, version)?)
        }
        QueryMsg::Connections {} => to_json_binary(&connections(deps)?),
        QueryMsg::Withdrawals { datanet_id, start, limit } => {
            to_json_binary(&withdrawals(deps, datanet_id, start, limit)?)
        }
        QueryMsg::VersionHealth { datanet_id, version } => to_json_binary(&VersionHealthResponse {
            size: state::version(deps.storage, datanet_id, version)?.version.size,
            lost: withdraw::losses(deps.storage, datanet_id, version)?,
        }),
        QueryMsg::Curation { contribution_id } => to_json_binary(&curation(deps, contribution_id)?),
        QueryMsg::Access { datanet_id, developer } => {
            to_json_binary(&access_of(deps, datanet_id, developer)?)
        }
        QueryMsg::Training { datanet_id, model_id, model_version } => {
            let pot = TRAINING.may_load(deps.storage, (datanet_id, (model_id, model_version)))?;
            to_json_binary(&TrainingResponse {
                training: pot.map(|pot| TrainingPot {
                    paid: pot.paid,
                    claimed: pot.claimed,
                    training: pot.training,
                }),
            })
        }
        QueryMsg::Bounty { bounty_id } => {
            to_json_binary(&bounty_response(bounty_id, state::bounty(deps.storage, bounty_id)?))
        }
        QueryMsg::Bounties { datanet_id, start_after, limit } => {
            to_json_binary(&bounties(deps, datanet_id, start_after, limit)?)
        }
        QueryMsg::Storage { datanet_id } => to_json_binary(&deposits(deps, datanet_id)?),
        QueryMsg::Leaves { datanet_id, start, limit } => {
            to_json_binary(&leaves(deps, datanet_id, start, limit)?)
        }
        QueryMsg::KeyGrant { datanet_id, node_id } => to_json_binary(&KeyGrantResponse {
            wrapped: KEY_GRANTS.may_load(deps.storage, (datanet_id, node_id))?,
            key: GRANTED.may_load(deps.storage, (datanet_id, node_id))?.unwrap_or_default(),
        }),
        QueryMsg::KeyGrants { datanet_id, start_after, limit } => {
            to_json_binary(&key_grants(deps, datanet_id, start_after, limit)?)
        }
        QueryMsg::Accesses { datanet_id, start_after, limit } => {
            to_json_binary(&accesses(deps, datanet_id, start_after, limit)?)
        }
        QueryMsg::PastKeys { datanet_id, start_after, limit } => {
            to_json_binary(&past_keys(deps, datanet_id, start_after, limit)?)
        }
        QueryMsg::Bonds { address } => to_json_binary(&withdrawable(deps, address)?),
        QueryMsg::Invariants {} => to_json_binary(&conservation(deps, env)?),
    }?)
}

fn config(deps: Deps) -> Result<ConfigResponse, ContractError> {
    Ok(ConfigResponse { params: PARAMS.load(deps.storage)?, paused: pause::is_paused(deps.storage)? })
}

fn datanet_response(deps: Deps, datanet_id: u64, datanet: Datanet) -> Result<DatanetResponse, ContractError> {
    let stats = state::stats(deps.storage, datanet_id)?;
    let (leaves, legacy_leaves) = seal::leaves(deps.storage, datanet_id)?;
    Ok(DatanetResponse {
        datanet_id,
        owner: datanet.owner.into_string(),
        name: datanet.name,
        description: datanet.description,
        visibility: datanet.visibility,
        license: datanet.license,
        recipient: datanet.recipient,
        key: datanet.key,
        public_identity: datanet.public_identity,
        min_data_bps: datanet.min_data_bps,
        floor_per_token: datanet.floor_per_token,
        policy: datanet.policy,
        uses: datanet.uses,
        training_price: datanet.training_price,
        pending_owner: datanet.pending_owner.map(String::from),
        withdrawals: WITHDRAWAL_LOGS.may_load(deps.storage, datanet_id)?.unwrap_or_default().size,
        contributions: stats.contributions,
        bytes: stats.bytes,
        latest_version: stats.latest_version,
        leaves,
        legacy_leaves,
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
    let bonds_from = match commit.staked > 0 {
        true => bonds::bonds_from(&commit)?,
        false => None,
    };
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
        bonds_from,
        released: commit.released,
        slashed: commit.slashed,
    })
}

fn contribution_response(
    deps: Deps,
    reader: &mut Reader,
    contribution_id: u64,
) -> Result<ContributionResponse, ContractError> {
    let contribution = reader.load(deps.storage, contribution_id)?;
    let fate = records::fate(deps.storage, &contribution)?;
    let waits = matches!(fate.status, ContributionStatus::Proposed | ContributionStatus::Accepted);
    Ok(ContributionResponse {
        status: if fate.challenged && waits { ContributionStatus::Challenged } else { fate.status },
        duplicate_of: fate.duplicate_of,
        version: fate.version,
        position: fate.position,
        accepted_at: contribution.accepted_at,
        cluster: records::cluster(deps.storage, contribution_id)?,
        withdrawn_at: fate.withdrawn_at,
        reason: fate.reason,
        title: contribution.title,
        facts: contribution.facts,
    })
}

fn contributions(
    deps: Deps,
    datanet_id: u64,
    start_after: Option<u64>,
    limit: Option<u32>,
) -> Result<ContributionsResponse, ContractError> {
    state::datanet(deps.storage, datanet_id)?;
    let limit = paging::limit(limit);
    let start = start_after.map(Bound::exclusive);
    // Numbers of the first release are below all others.
    let mut ids: Vec<u64> = LEGACY_BY_DATANET
        .prefix(datanet_id)
        .keys(deps.storage, start.clone(), None, Order::Ascending)
        .take(limit)
        .collect::<Result<_, _>>()?;
    let after = start_after.unwrap_or_default();
    let runs = RUNS.prefix(datanet_id).range(deps.storage, start, None, Order::Ascending);
    for run in runs.take(limit.saturating_sub(ids.len())) {
        let (last, first) = run?;
        let from = first.max(after.saturating_add(1));
        ids.extend((from..=last).take(limit.saturating_sub(ids.len())));
    }
    let mut reader = Reader::default();
    let contributions = ids
        .into_iter()
        .map(|id| contribution_response(deps, &mut reader, id))
        .collect::<Result<_, ContractError>>()?;
    Ok(ContributionsResponse { contributions })
}

fn by_match_hash(deps: Deps, match_hash: HexBinary) -> Result<MatchResponse, ContractError> {
    let key = hash32("match_hash", &match_hash)?;
    Ok(MatchResponse { contribution_id: BY_MATCH.may_load(deps.storage, &key)? })
}

fn leaves(
    deps: Deps,
    datanet_id: u64,
    start: u64,
    limit: Option<u32>,
) -> Result<LeavesResponse, ContractError> {
    state::datanet(deps.storage, datanet_id)?;
    let mut reader = Reader::default();
    let leaves = LEAVES
        .prefix(datanet_id)
        .range(deps.storage, Some(Bound::inclusive(start)), None, Order::Ascending)
        .take(paging::capped(limit, MAX_LEAVES))
        .map(|entry| Ok(reader.load(deps.storage, entry?.1)?.facts))
        .collect::<Result<_, ContractError>>()?;
    Ok(LeavesResponse { leaves })
}

fn withdrawable(deps: Deps, address: String) -> Result<BondsResponse, ContractError> {
    let addr = deps.api.addr_validate(&address)?;
    Ok(BondsResponse { withdrawable: BONDS.may_load(deps.storage, &addr)?.unwrap_or_default() })
}

fn connections(deps: Deps) -> Result<ConnectionsResponse, ContractError> {
    let known = CONNECTIONS.may_load(deps.storage)?;
    let (model_registry, referee) = known.map(|known| (known.model_registry, known.referee)).unzip();
    Ok(ConnectionsResponse {
        model_registry: model_registry.map(String::from),
        referee: referee.map(String::from),
        storage: STORAGE.may_load(deps.storage)?.map(String::from),
    })
}

fn withdrawals(
    deps: Deps,
    datanet_id: u64,
    start: u64,
    limit: Option<u32>,
) -> Result<WithdrawalsResponse, ContractError> {
    state::datanet(deps.storage, datanet_id)?;
    let withdrawals = WITHDRAWALS
        .prefix(datanet_id)
        .range(deps.storage, Some(Bound::inclusive(start)), None, Order::Ascending)
        .take(paging::capped(limit, MAX_LEAVES))
        .map(|entry| Ok(entry?.1))
        .collect::<Result<_, ContractError>>()?;
    Ok(WithdrawalsResponse { withdrawals })
}

fn curation(deps: Deps, contribution_id: u64) -> Result<CurationResponse, ContractError> {
    records::load(deps.storage, contribution_id)?;
    let votes = VOTES.may_load(deps.storage, contribution_id)?.unwrap_or_default();
    Ok(CurationResponse {
        approvals: votes.approvals.into_iter().map(String::from).collect(),
        rejections: votes.rejections.into_iter().map(|(curator, _)| curator.into_string()).collect(),
    })
}

fn access_of(deps: Deps, datanet_id: u64, developer: String) -> Result<AccessResponse, ContractError> {
    let developer_addr = deps.api.addr_validate(&developer)?;
    let access = ACCESSES.may_load(deps.storage, (datanet_id, &developer_addr))?;
    Ok(AccessResponse { access: access.map(access_response).transpose()? })
}

fn access_response(access: state::Access) -> Result<Access, ContractError> {
    Ok(Access {
        leaves_at: access::leaves_at(&access)?,
        recipient: access.recipient,
        paid: access.paid,
        bond: access.bond,
        bought_at: access.bought_at,
        wrapped: access.wrapped,
        key: access.key,
    })
}

fn accesses(
    deps: Deps,
    datanet_id: u64,
    start_after: Option<String>,
    limit: Option<u32>,
) -> Result<AccessesResponse, ContractError> {
    let start_addr = start_after.map(|start| deps.api.addr_validate(&start)).transpose()?;
    let accesses = ACCESSES
        .prefix(datanet_id)
        .range(deps.storage, start_addr.as_ref().map(Bound::exclusive), None, Order::Ascending)
        .take(paging::limit(limit))
        .map(|entry| {
            let (developer, access) = entry?;
            Ok(DeveloperAccess { developer: developer.into_string(), access: access_response(access)? })
        })
        .collect::<Result<_, ContractError>>()?;
    Ok(AccessesResponse { accesses })
}

fn key_grants(
    deps: Deps,
    datanet_id: u64,
    start_after: Option<u64>,
    limit: Option<u32>,
) -> Result<KeyGrantsResponse, ContractError> {
    let grants = KEY_GRANTS
        .prefix(datanet_id)
        .keys(deps.storage, start_after.map(Bound::exclusive), None, Order::Ascending)
        .take(paging::limit(limit))
        .map(|node_id| {
            let node_id = node_id?;
            let key = GRANTED.may_load(deps.storage, (datanet_id, node_id))?.unwrap_or_default();
            Ok(KeyGrant { node_id, key })
        })
        .collect::<Result<_, ContractError>>()?;
    Ok(KeyGrantsResponse { grants })
}

fn past_keys(
    deps: Deps,
    datanet_id: u64,
    start_after: Option<u32>,
    limit: Option<u32>,
) -> Result<PastKeysResponse, ContractError> {
    let newest = state::datanet(deps.storage, datanet_id)?.key;
    let first = start_after.map_or(0, |key| key.saturating_add(1));
    let keys = (first..newest)
        .take(paging::limit(limit))
        .map(|key| {
            let past = PAST_KEYS.load(deps.storage, (datanet_id, key))?;
            Ok(PastKey { key, recipient: past.recipient, until: past.until, wrapped: past.wrapped })
        })
        .collect::<Result<_, ContractError>>()?;
    Ok(PastKeysResponse { keys })
}

fn bounty_response(bounty_id: u64, bounty: Bounty) -> BountyResponse {
    BountyResponse {
        bounty_id,
        datanet_id: bounty.datanet_id,
        topic: bounty.topic,
        founder: bounty.founder.into_string(),
        funded: bounty.funded,
        awarded: bounty.awarded,
        returned: bounty.returned,
        created_at: bounty.created.height,
        expires: bounty.expires,
    }
}

fn bounties(
    deps: Deps,
    datanet_id: u64,
    start_after: Option<u64>,
    limit: Option<u32>,
) -> Result<BountiesResponse, ContractError> {
    state::datanet(deps.storage, datanet_id)?;
    let bounties = BOUNTIES_OF
        .prefix(datanet_id)
        .keys(deps.storage, start_after.map(Bound::exclusive), None, Order::Ascending)
        .take(paging::limit(limit))
        .map(|id| {
            let id = id?;
            Ok(bounty_response(id, state::bounty(deps.storage, id)?))
        })
        .collect::<Result<_, ContractError>>()?;
    Ok(BountiesResponse { bounties })
}

fn deposits(deps: Deps, datanet_id: u64) -> Result<StorageResponse, ContractError> {
    state::datanet(deps.storage, datanet_id)?;
    let deposits = DEPOSITS
        .prefix(datanet_id)
        .range(deps.storage, None, None, Order::Ascending)
        .take(storage::MAX_DENOMS as usize)
        .map(|entry| entry.map(|(denom, amount)| Amount { denom, amount }))
        .collect::<Result<_, _>>()?;
    Ok(StorageResponse { deposits })
}

fn conservation(deps: Deps, env: Env) -> Result<InvariantsResponse, ContractError> {
    let bonds = PARAMS.load(deps.storage)?.denom;
    let totals = TOTALS.load(deps.storage)?;
    let pots = state::pots(deps.storage)?;
    let deposits: Vec<(String, Uint128)> = STORAGE_TOTALS
        .range(deps.storage, None, None, Order::Ascending)
        .take(storage::MAX_DENOMS_IN_ALL as usize)
        .collect::<Result<_, _>>()?;
    let own = deposits.iter().find(|(denom, _)| *denom == bonds).map_or(Uint128::zero(), |(_, sum)| *sum);
    let terms = [
        ("bonds_held", totals.held),
        ("bonds_at_stake", totals.staked),
        ("withdrawable", totals.withdrawable),
        ("treasury", totals.treasury),
        ("access_paid", pots.access_paid),
        ("developer_bonds", pots.developer_bonds),
        ("training_pots", pots.training),
        ("bounties", pots.bounties),
        ("storage_deposits", own),
    ];
    let address = &env.contract.address;
    let mut denoms = vec![invariants::equation(&deps.querier, address, &bonds, &terms)?];
    for (denom, sum) in deposits.iter().filter(|(denom, _)| *denom != bonds) {
        let terms = [("storage_deposits", *sum)];
        denoms.push(invariants::equation(&deps.querier, address, denom, &terms)?);
    }
    let broken: Vec<String> = denoms
        .iter()
        .filter(|equation| !equation.holds)
        .map(|equation| format!("the contract owes more {} than it holds", equation.denom))
        .collect();
    Ok(InvariantsResponse { holds: broken.is_empty(), denoms, broken })
}
