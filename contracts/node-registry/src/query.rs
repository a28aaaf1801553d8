//! Questions.

use cosmwasm_std::{to_json_binary, Addr, Binary, Deps, Env, Order};
use cw_storage_plus::Bound;
use openledger_contract::{invariants, ownership, paging, pause};
use openledger_types::msg::common::InvariantsResponse;
use openledger_types::msg::node_registry::{
    AuditWeightResponse, AuditorsResponse, ConfigResponse, ConnectionsResponse, CutResponse, CutsResponse,
    NodeKeyResponse, NodeResponse, NodesResponse, Offer, OfferResponse, OffersResponse, QueryMsg,
    RewardsResponse, ServersResponse, WorkResponse,
};

use crate::state::{
    self, Cut, Node, Prices, Totals, CONNECTIONS, CUTS, DECLARED, FINDERS, NODES, OFFERS, PARAMS, RECORDED,
    SERVERS, TOTALS,
};
use crate::{audit, ContractError};

/// Answers a question.
pub fn answer(deps: Deps, env: Env, msg: QueryMsg) -> Result<Binary, ContractError> {
    Ok(match msg {
        QueryMsg::Config {} => to_json_binary(&config(deps)?),
        QueryMsg::Ownership {} => to_json_binary(&ownership::query(deps.storage)?),
        QueryMsg::Node { node_id } => {
            let node = state::node(deps.storage, node_id)?;
            to_json_binary(&node_response(deps, &env, node_id, node)?)
        }
        QueryMsg::Nodes { start_after, limit } => to_json_binary(&nodes(deps, &env, start_after, limit)?),
        QueryMsg::Connections {} => to_json_binary(&connections(deps)?),
        QueryMsg::Work { node_id } => to_json_binary(&work(deps, node_id)?),
        QueryMsg::Offers { node_id, start_after, limit } => {
            to_json_binary(&offers(deps, node_id, start_after, limit)?)
        }
        QueryMsg::Offer { node_id, model_id, version } => {
            let prices = OFFERS.may_load(deps.storage, (node_id, model_id, version))?;
            to_json_binary(&OfferResponse { offer: prices.map(|prices| offer(model_id, version, prices)) })
        }
        QueryMsg::Servers { model_id, version, start_after, limit } => {
            to_json_binary(&servers(deps, model_id, version, start_after, limit)?)
        }
        QueryMsg::Auditors {} => to_json_binary(&AuditorsResponse { auditors: audit::auditors(deps)? }),
        QueryMsg::AuditWeight { node_id } => {
            to_json_binary(&AuditWeightResponse { weight: audit::weight_of(deps, node_id)? })
        }
        QueryMsg::Cut { cut_id } => to_json_binary(&cut_response(cut_id, state::cut(deps.storage, cut_id)?)),
        QueryMsg::Cuts { start_after, limit } => to_json_binary(&cuts(deps, start_after, limit)?),
        QueryMsg::Rewards { address } => to_json_binary(&rewards(deps, &address)?),
        QueryMsg::NodeKey { node_id, height } => {
            state::node(deps.storage, node_id)?;
            to_json_binary(&NodeKeyResponse { node_key: state::key_at(deps.storage, node_id, height)? })
        }
        QueryMsg::Invariants {} => to_json_binary(&conservation(deps, &env)?),
    }?)
}

fn config(deps: Deps) -> Result<ConfigResponse, ContractError> {
    Ok(ConfigResponse { params: PARAMS.load(deps.storage)?, paused: pause::is_paused(deps.storage)? })
}

fn connections(deps: Deps) -> Result<ConnectionsResponse, ContractError> {
    let known = CONNECTIONS.may_load(deps.storage)?;
    let (model_registry, escrow, referee, storage) = match known {
        Some(known) => (Some(known.model_registry), Some(known.escrow), Some(known.referee), known.storage),
        None => (None, None, None, None),
    };
    Ok(ConnectionsResponse {
        model_registry: model_registry.map(Addr::into_string),
        escrow: escrow.map(Addr::into_string),
        referee: referee.map(Addr::into_string),
        storage: storage.map(Addr::into_string),
    })
}

fn node_response(deps: Deps, env: &Env, node_id: u64, node: Node) -> Result<NodeResponse, ContractError> {
    let node_key = state::key_at(deps.storage, node_id, env.block.height)?;
    Ok(NodeResponse {
        node_id,
        node_key: node_key.ok_or(ContractError::NodeNotFound { node_id })?,
        key_expires: state::key_expires(deps.storage, &node)?,
        operator: node.operator.into_string(),
        moniker: node.moniker,
        endpoint: node.endpoint,
        jailed_until: node.jailed_until,
        open_cases: node.open_cases,
        hot_addr: node.hot_addr.map(Addr::into_string),
        age_recipient: node.age_recipient,
        roles: node.roles,
        bond: node.bond,
        status: node.status,
        unbonds_at: node.unbonds_at,
    })
}

fn nodes(
    deps: Deps,
    env: &Env,
    start_after: Option<u64>,
    limit: Option<u32>,
) -> Result<NodesResponse, ContractError> {
    let start = start_after.map(Bound::exclusive);
    let nodes = NODES
        .keys(deps.storage, start)
        .take(paging::limit(limit))
        .map(|node_id| {
            let node_id = node_id?;
            node_response(deps, env, node_id, state::node(deps.storage, node_id)?)
        })
        .collect::<Result<_, _>>()?;
    Ok(NodesResponse { nodes })
}

fn work(deps: Deps, node_id: u64) -> Result<WorkResponse, ContractError> {
    state::node(deps.storage, node_id)?;
    Ok(WorkResponse {
        recorded: RECORDED.may_load(deps.storage, node_id)?.unwrap_or_default(),
        declared: DECLARED.may_load(deps.storage, node_id)?.unwrap_or_default(),
    })
}

fn offer(model_id: u64, version: u32, prices: Prices) -> Offer {
    Offer { model_id, version, price_in: prices.price_in, price_out: prices.price_out }
}

fn offers(
    deps: Deps,
    node_id: u64,
    start_after: Option<(u64, u32)>,
    limit: Option<u32>,
) -> Result<OffersResponse, ContractError> {
    let offers = OFFERS
        .sub_prefix(node_id)
        .range(deps.storage, start_after.map(Bound::exclusive), None, Order::Ascending)
        .take(paging::limit(limit))
        .map(|entry| entry.map(|((model_id, version), prices)| offer(model_id, version, prices)))
        .collect::<Result<_, _>>()?;
    Ok(OffersResponse { offers })
}

fn servers(
    deps: Deps,
    model_id: u64,
    version: u32,
    start_after: Option<u64>,
    limit: Option<u32>,
) -> Result<ServersResponse, ContractError> {
    let servers = SERVERS
        .prefix((model_id, version))
        .keys(deps.storage, start_after.map(Bound::exclusive), None, Order::Ascending)
        .take(paging::limit(limit))
        .map(|node_id| {
            let node_id = node_id?;
            let prices = OFFERS.load(deps.storage, (node_id, model_id, version))?;
            Ok((node_id, offer(model_id, version, prices)))
        })
        .collect::<Result<_, ContractError>>()?;
    Ok(ServersResponse { servers })
}

fn cut_response(cut_id: u64, cut: Cut) -> CutResponse {
    CutResponse {
        cut_id,
        node_id: cut.node_id,
        amount: cut.amount,
        finder: cut.finder.map(Addr::into_string),
        reason: cut.reason,
        from: cut.from,
        status: cut.status,
    }
}

fn cuts(deps: Deps, start_after: Option<u64>, limit: Option<u32>) -> Result<CutsResponse, ContractError> {
    let cuts = CUTS
        .range(deps.storage, start_after.map(Bound::exclusive), None, Order::Ascending)
        .take(paging::limit(limit))
        .map(|entry| entry.map(|(cut_id, cut)| cut_response(cut_id, cut)))
        .collect::<Result<_, _>>()?;
    Ok(CutsResponse { cuts })
}

fn rewards(deps: Deps, address: &str) -> Result<RewardsResponse, ContractError> {
    let address = deps.api.addr_validate(address)?;
    Ok(RewardsResponse { withdrawable: FINDERS.may_load(deps.storage, &address)?.unwrap_or_default() })
}

fn conservation(deps: Deps, env: &Env) -> Result<InvariantsResponse, ContractError> {
    let denom = PARAMS.load(deps.storage)?.denom;
    let Totals { bonds, rewards, treasury, burned: _ } = TOTALS.load(deps.storage)?;
    let terms = [("bonds", bonds), ("rewards", rewards), ("treasury", treasury)];
    let equation = invariants::equation(&deps.querier, &env.contract.address, &denom, &terms)?;
    let broken = match equation.holds {
        true => vec![],
        false => vec![format!("the contract owes more {denom} than it holds")],
    };
    Ok(InvariantsResponse { holds: equation.holds, denoms: vec![equation], broken })
}
