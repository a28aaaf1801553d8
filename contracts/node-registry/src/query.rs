//! Questions.

use cosmwasm_std::{to_json_binary, Addr, Binary, Deps, Env, Order};
use cw_storage_plus::Bound;
use openledger_contract::{invariants, ownership, paging, pause};
use openledger_types::msg::common::InvariantsResponse;
use openledger_types::msg::node_registry::{
    ConfigResponse, NodeKeyResponse, NodeResponse, NodesResponse, QueryMsg,
};

use crate::state::{self, Node, BONDS, NODES, PARAMS};
use crate::ContractError;

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
        QueryMsg::NodeKey { node_id, height } => {
            state::node(deps.storage, node_id)?;
            to_json_binary(&NodeKeyResponse { node_key: state::key_at(deps.storage, node_id, height)? })
        }
        QueryMsg::Invariants {} => to_json_binary(&conservation(deps, &env)?),
        _ => return Err(openledger_contract::CommonError::Paused {}.into()),
    }?)
}

fn config(deps: Deps) -> Result<ConfigResponse, ContractError> {
    Ok(ConfigResponse { params: PARAMS.load(deps.storage)?, paused: pause::is_paused(deps.storage)? })
}

fn node_response(deps: Deps, env: &Env, node_id: u64, node: Node) -> Result<NodeResponse, ContractError> {
    let node_key = state::key_at(deps.storage, node_id, env.block.height)?;
    Ok(NodeResponse {
        node_id,
        operator: node.operator.into_string(),
        moniker: node.moniker,
        endpoint: node.endpoint,
        node_key: node_key.ok_or(ContractError::NodeNotFound { node_id })?,
        key_expires: u64::MAX,
        jailed_until: None,
        open_cases: 0,
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
        .range(deps.storage, start, None, Order::Ascending)
        .take(paging::limit(limit))
        .map(|entry| {
            let (node_id, node) = entry?;
            node_response(deps, env, node_id, node)
        })
        .collect::<Result<_, _>>()?;
    Ok(NodesResponse { nodes })
}

fn conservation(deps: Deps, env: &Env) -> Result<InvariantsResponse, ContractError> {
    let denom = PARAMS.load(deps.storage)?.denom;
    let terms = [("bonds", BONDS.load(deps.storage)?)];
    let equation = invariants::equation(&deps.querier, &env.contract.address, &denom, &terms)?;
    let broken = match equation.holds {
        true => vec![],
        false => vec![format!("the contract owes more {denom} than it holds")],
    };
    Ok(InvariantsResponse { holds: equation.holds, denoms: vec![equation], broken })
}
