//! Stand-ins for the two registries: they answer the real queries with what a test sets.

use cosmwasm_schema::cw_serde;
use cosmwasm_std::{
    to_json_binary, Binary, Deps, DepsMut, Empty, Env, MessageInfo, Response, StdError, StdResult,
};
use cw_multi_test::{Contract, ContractWrapper};
use cw_storage_plus::Map;
use openledger_types::msg::model_registry::{ModelVersionResponse, QueryMsg as ModelQuery};
use openledger_types::msg::node_registry::{NodeResponse, QueryMsg as NodeQuery};

const MODELS: Map<(u64, u32), ModelVersionResponse> = Map::new("models");
const NODES: Map<u64, NodeResponse> = Map::new("nodes");

/// What a test sets.
#[cw_serde]
pub enum Set {
    Model(Box<ModelVersionResponse>),
    Node(Box<NodeResponse>),
}

fn instantiate(_: DepsMut, _: Env, _: MessageInfo, _: Empty) -> StdResult<Response> {
    Ok(Response::new())
}

fn execute(deps: DepsMut, _: Env, _: MessageInfo, msg: Set) -> StdResult<Response> {
    match msg {
        Set::Model(model) => MODELS.save(deps.storage, (model.model_id, model.version), &model)?,
        Set::Node(node) => NODES.save(deps.storage, node.node_id, &node)?,
    }
    Ok(Response::new())
}

fn query_model(deps: Deps, _: Env, msg: ModelQuery) -> StdResult<Binary> {
    match msg {
        ModelQuery::Version { model_id, version } => {
            to_json_binary(&MODELS.load(deps.storage, (model_id, version))?)
        }
        _ => Err(StdError::msg("not asked by the escrow")),
    }
}

fn query_node(deps: Deps, _: Env, msg: NodeQuery) -> StdResult<Binary> {
    match msg {
        NodeQuery::Node { node_id } => to_json_binary(&NODES.load(deps.storage, node_id)?),
        _ => Err(StdError::msg("not asked by the escrow")),
    }
}

/// The model registry.
pub fn models() -> Box<dyn Contract<Empty>> {
    Box::new(ContractWrapper::new(execute, instantiate, query_model))
}

/// The node registry.
pub fn nodes() -> Box<dyn Contract<Empty>> {
    Box::new(ContractWrapper::new(execute, instantiate, query_node))
}
