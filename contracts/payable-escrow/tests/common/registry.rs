//! Stand-ins for the other contracts: they answer the real queries with what a test sets, and keep what
//! they are told.

use cosmwasm_schema::cw_serde;
use cosmwasm_schema::serde::Deserialize;
use cosmwasm_std::{
    to_json_binary, Binary, Deps, DepsMut, Empty, Env, HexBinary, MessageInfo, Response, StdError, StdResult,
    Uint128,
};
use cw_multi_test::{Contract, ContractWrapper};
use cw_storage_plus::{Item, Map};
use openledger_types::formats::{BlobRef, ContributionFacts, Priority, Uses};
use openledger_types::msg::datanet::{
    ContributionResponse, ContributionStatus, ExecuteMsg as DatanetMsg, QueryMsg as DatanetQuery,
};
use openledger_types::msg::model_registry::{ModelVersionResponse, QueryMsg as ModelQuery};
use openledger_types::msg::node_registry::{
    ConfigResponse, ExecuteMsg as NodeMsg, NodeResponse, Offer, OfferResponse, Params, QueryMsg as NodeQuery,
    RecordedWork,
};
use openledger_types::msg::referee::{EligibleWeightResponse, QueryMsg as RefereeQuery};

const MODELS: Map<(u64, u32), ModelVersionResponse> = Map::new("models");
const NODES: Map<u64, NodeResponse> = Map::new("nodes");
const OFFERS: Map<(u64, u64, u32), Offer> = Map::new("offers");
/// What the registry was told.
const TOLD: Item<Told> = Item::new("told");
/// Whether a contract answers nothing and takes nothing.
const BROKEN: Item<bool> = Item::new("broken");
const WEIGHT: Item<Uint128> = Item::new("weight");
/// (contribution) → (datanet, contributor).
const SOURCES: Map<u64, (u64, String)> = Map::new("sources");
/// Datanet → storage funds.
const STORAGE: Map<u64, Uint128> = Map::new("storage");

/// What a test sets in a registry.
#[cw_serde]
pub enum Set {
    Model(Box<ModelVersionResponse>),
    Node(Box<NodeResponse>),
    Offer { node_id: u64, offer: Offer },
    Weight(Uint128),
    Source { contribution_id: u64, datanet_id: u64, contributor: String },
    Broken(bool),
}

/// What a node registry was told.
#[cw_serde]
#[derive(Default)]
pub struct Told {
    pub slashes: Vec<(u64, u16, Option<String>, String)>,
    pub work: Vec<(u64, RecordedWork)>,
}

/// What a test asks a stand-in.
#[cw_serde]
pub enum Ask {
    Told {},
    Storage { datanet_id: u64 },
}

fn instantiate(deps: DepsMut, _: Env, _: MessageInfo, _: Empty) -> StdResult<Response> {
    TOLD.save(deps.storage, &Told::default())?;
    BROKEN.save(deps.storage, &false)?;
    WEIGHT.save(deps.storage, &Uint128::zero())?;
    Ok(Response::new())
}

/// Everything that a test or a contract may tell a stand-in.
#[derive(Deserialize)]
#[serde(crate = "cosmwasm_schema::serde", untagged)]
pub enum Tell {
    Set(Set),
    Node(NodeMsg),
    Datanet(DatanetMsg),
}

fn execute(deps: DepsMut, _: Env, info: MessageInfo, msg: Tell) -> StdResult<Response> {
    if BROKEN.load(deps.storage)? && !matches!(msg, Tell::Set(Set::Broken(_))) {
        return Err(StdError::msg("broken"));
    }
    match msg {
        Tell::Set(Set::Model(model)) => MODELS.save(deps.storage, (model.model_id, model.version), &model)?,
        Tell::Set(Set::Node(node)) => NODES.save(deps.storage, node.node_id, &node)?,
        Tell::Set(Set::Offer { node_id, offer }) => {
            OFFERS.save(deps.storage, (node_id, offer.model_id, offer.version), &offer)?;
        }
        Tell::Set(Set::Weight(weight)) => WEIGHT.save(deps.storage, &weight)?,
        Tell::Set(Set::Source { contribution_id, datanet_id, contributor }) => {
            SOURCES.save(deps.storage, contribution_id, &(datanet_id, contributor))?;
        }
        Tell::Set(Set::Broken(broken)) => BROKEN.save(deps.storage, &broken)?,
        Tell::Node(NodeMsg::Slash { node_id, bps, finder, reason }) => {
            let mut told = TOLD.load(deps.storage)?;
            told.slashes.push((node_id, bps, finder, reason));
            TOLD.save(deps.storage, &told)?;
        }
        Tell::Node(NodeMsg::RecordWork { node_id, work }) => {
            let mut told = TOLD.load(deps.storage)?;
            told.work.push((node_id, work));
            TOLD.save(deps.storage, &told)?;
        }
        Tell::Datanet(DatanetMsg::FundStorage { parts }) => {
            let sent: Uint128 = parts.iter().map(|(_, amount)| *amount).sum();
            assert!(parts.windows(2).all(|pair| pair[0].0 < pair[1].0), "rising by datanet");
            assert_eq!(info.funds.len(), 1);
            assert_eq!(Uint128::try_from(info.funds[0].amount).unwrap(), sent);
            for (datanet_id, amount) in parts {
                let held = STORAGE.may_load(deps.storage, datanet_id)?.unwrap_or_default();
                STORAGE.save(deps.storage, datanet_id, &(held + amount))?;
            }
        }
        _ => return Err(StdError::msg("not told by the escrow")),
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

/// A question of the escrow or of a test.
#[derive(Deserialize)]
#[serde(crate = "cosmwasm_schema::serde", untagged)]
pub enum Question<T> {
    Ask(Ask),
    Real(T),
}

fn query_node(deps: Deps, _: Env, msg: Question<NodeQuery>) -> StdResult<Binary> {
    if BROKEN.load(deps.storage)? {
        return Err(StdError::msg("broken"));
    }
    match msg {
        Question::Real(NodeQuery::Node { node_id }) => to_json_binary(&NODES.load(deps.storage, node_id)?),
        Question::Real(NodeQuery::Offer { node_id, model_id, version }) => {
            let offer = OFFERS.may_load(deps.storage, (node_id, model_id, version))?;
            to_json_binary(&OfferResponse { offer })
        }
        Question::Real(NodeQuery::Config {}) => {
            let one = Uint128::one();
            let params = Params {
                denom: super::OPEN.into(),
                min_bond: one,
                unbonding_blocks: 1,
                key_blocks: 1,
                jail_blocks: 1,
                finder_bps: 1,
                burn_bps: 1,
                voted_cut_bps: 1,
                epoch_blocks: 1,
                veto_blocks: 1,
            };
            to_json_binary(&ConfigResponse { params, paused: false })
        }
        Question::Ask(Ask::Told {}) => to_json_binary(&TOLD.load(deps.storage)?),
        _ => Err(StdError::msg("not asked by the escrow")),
    }
}

fn query_referee(deps: Deps, _: Env, msg: RefereeQuery) -> StdResult<Binary> {
    if BROKEN.load(deps.storage)? {
        return Err(StdError::msg("broken"));
    }
    match msg {
        RefereeQuery::EligibleWeightFor { .. } => {
            to_json_binary(&EligibleWeightResponse { weight: WEIGHT.load(deps.storage)? })
        }
        _ => Err(StdError::msg("not asked by the escrow")),
    }
}

fn query_datanet(deps: Deps, _: Env, msg: Question<DatanetQuery>) -> StdResult<Binary> {
    match msg {
        Question::Real(DatanetQuery::Contribution { contribution_id }) => {
            let (datanet_id, contributor) = SOURCES.load(deps.storage, contribution_id)?;
            let zero = HexBinary::from(&[0u8; 32]);
            let facts = ContributionFacts {
                datanet_id,
                contribution_id,
                contributor,
                priority: Priority { height: 1, tx_index: 0 },
                content_root: zero.clone(),
                content_len: 1,
                match_root: zero.clone(),
                match_len: 1,
                match_hash: zero.clone(),
                blob: BlobRef { root: zero, len: 1 },
                media: "text/plain".into(),
                license: "MIT".into(),
                uses: Uses::ALL,
            };
            to_json_binary(&ContributionResponse {
                facts,
                title: String::new(),
                status: ContributionStatus::Accepted,
                duplicate_of: None,
                version: Some(1),
                position: Some(0),
                accepted_at: 1,
                cluster: contribution_id,
                withdrawn_at: None,
                reason: None,
            })
        }
        Question::Ask(Ask::Storage { datanet_id }) => {
            to_json_binary(&STORAGE.may_load(deps.storage, datanet_id)?.unwrap_or_default())
        }
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

/// The referee; tests send its messages from its address.
pub fn referee() -> Box<dyn Contract<Empty>> {
    Box::new(ContractWrapper::new(execute, instantiate, query_referee))
}

/// The datanet contract.
pub fn datanet() -> Box<dyn Contract<Empty>> {
    Box::new(ContractWrapper::new(execute, instantiate, query_datanet))
}
