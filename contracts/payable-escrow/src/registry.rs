//! What the escrow reads of other contracts' answers. Fields that it does not need are skipped, so that
//! a contract may answer more after its next release and sessions can still be opened.

use cosmwasm_schema::serde::de::DeserializeOwned;
use cosmwasm_schema::serde::{Deserialize, Serialize};
use cosmwasm_std::{Addr, Deps, HexBinary, Uint128};
use openledger_contract::lean::Lean;
use openledger_types::formats::{SumRoot, VersionRef};
use openledger_types::money::{Royalty, Split};
use openledger_types::msg::datanet::QueryMsg as DatanetQuery;
use openledger_types::msg::model_registry::QueryMsg as ModelQuery;
use openledger_types::msg::node_registry::{NodeStatus, QueryMsg as NodeQuery, Role};
use openledger_types::msg::referee::{EligibleWeightResponse, QueryMsg as RefereeQuery};

use crate::error::{ContractError, ContractResult};
use crate::state::{Connected, CONNECTED, REGISTRIES};

/// Of the answer to the model registry's `Version`.
#[derive(Deserialize)]
#[serde(crate = "cosmwasm_schema::serde")]
pub struct ModelTerms {
    /// Model.
    pub model_id: u64,
    /// Version.
    pub version: u32,
    /// Developer of the model.
    pub developer: String,
    /// Versions of datanets that it rests on.
    #[serde(default)]
    pub datanets: Vec<VersionRef>,
    /// Training receipts, in the order of `datanets`.
    #[serde(default)]
    pub training: Vec<SumRoot>,
    /// What it owes its ancestors' developers.
    #[serde(default)]
    pub royalties: Vec<Royalty>,
    /// Denom of the prices.
    pub denom: String,
    /// Price of a prompt token, in base units.
    pub price_in: Uint128,
    /// Price of an answer token, in base units.
    pub price_out: Uint128,
    /// Least fee for each token of an answer that its datanets ask.
    pub floor_per_token: Uint128,
    /// How a fee is divided.
    pub split: Split,
    /// Whether its developer advises against it.
    pub deprecated: bool,
}

/// Of the answer to the node registry's `Node`.
#[derive(Deserialize)]
#[serde(crate = "cosmwasm_schema::serde")]
pub struct NodeFacts {
    /// Number.
    pub node_id: u64,
    /// Who owns its earnings.
    pub operator: String,
    /// Key in force (33 bytes).
    pub node_key: HexBinary,
    /// Last height at which sessions may pin it; none from a registry of the first release.
    pub key_expires: Option<u64>,
    /// Height at which it can leave jail; none when it is not in jail.
    pub jailed_until: Option<u64>,
    /// Address of the hot key.
    pub hot_addr: Option<String>,
    /// What it does.
    pub roles: Vec<Role>,
    /// Bond in base units.
    pub bond: Uint128,
    /// Where it stands.
    pub status: NodeStatus,
}

/// Of the answer to the node registry's `Offer`.
#[derive(Deserialize)]
#[serde(crate = "cosmwasm_schema::serde")]
struct OfferAnswer {
    offer: Option<OfferTerms>,
}

/// What a node asks for a model version.
#[derive(Deserialize)]
#[serde(crate = "cosmwasm_schema::serde")]
pub struct OfferTerms {
    /// Price of a prompt token, in base units; the model's when absent.
    pub price_in: Option<Uint128>,
    /// Price of an answer token.
    pub price_out: Option<Uint128>,
}

/// Of the answer to the node registry's `Config`.
#[derive(Deserialize)]
#[serde(crate = "cosmwasm_schema::serde")]
struct BondConfig {
    params: BondParams,
}

#[derive(Deserialize)]
#[serde(crate = "cosmwasm_schema::serde")]
struct BondParams {
    denom: String,
}

/// Of the answer to the datanet contract's `Contribution`.
#[derive(Deserialize)]
#[serde(crate = "cosmwasm_schema::serde")]
struct ContributionAnswer {
    facts: Source,
}

/// Whose a contribution is.
#[derive(Deserialize)]
#[serde(crate = "cosmwasm_schema::serde")]
pub struct Source {
    /// Datanet.
    pub datanet_id: u64,
    /// Who owns its earnings.
    pub contributor: String,
}

/// Asks a contract.
fn ask<T: DeserializeOwned>(deps: Deps, contract: Addr, question: &impl Serialize) -> ContractResult<T> {
    let Lean(answer) = deps.querier.query_wasm_smart::<Lean<T>>(contract, question)?;
    Ok(answer)
}

/// A model version.
pub fn model(deps: Deps, model_id: u64, version: u32) -> ContractResult<ModelTerms> {
    let registry = REGISTRIES.load(deps.storage)?.model;
    ask(deps, registry, &ModelQuery::Version { model_id, version })
}

/// A node.
pub fn node(deps: Deps, node_id: u64) -> ContractResult<NodeFacts> {
    let registry = REGISTRIES.load(deps.storage)?.node;
    ask(deps, registry, &NodeQuery::Node { node_id })
}

/// What a node asks for a model version; none when it does not offer it.
pub fn offer(deps: Deps, node_id: u64, model_id: u64, version: u32) -> ContractResult<Option<OfferTerms>> {
    let registry = REGISTRIES.load(deps.storage)?.node;
    let question = NodeQuery::Offer { node_id, model_id, version };
    let answer: OfferAnswer = ask(deps, registry, &question)?;
    Ok(answer.offer)
}

/// Denom of nodes' bonds.
pub fn bond_denom(deps: Deps) -> ContractResult<String> {
    let registry = REGISTRIES.load(deps.storage)?.node;
    let answer: BondConfig = ask(deps, registry, &NodeQuery::Config {})?;
    Ok(answer.params.denom)
}

/// Whose a contribution is.
pub fn contribution(deps: Deps, contribution_id: u64) -> ContractResult<Source> {
    let question = DatanetQuery::Contribution { contribution_id };
    let answer: ContributionAnswer = ask(deps, connected(deps)?.datanet, &question)?;
    Ok(answer.facts)
}

/// All audit weight that may attest a node's roots now; none where no referee is connected.
pub fn audit_weight(deps: Deps, node_id: u64) -> ContractResult<Uint128> {
    let Some(Connected { referee, .. }) = CONNECTED.may_load(deps.storage)? else {
        return Ok(Uint128::zero());
    };
    let answer: EligibleWeightResponse = ask(deps, referee, &RefereeQuery::EligibleWeightFor { node_id })?;
    Ok(answer.weight)
}

/// The contracts that are believed, or the typed refusal.
pub fn connected(deps: Deps) -> ContractResult<Connected> {
    CONNECTED.may_load(deps.storage)?.ok_or(ContractError::NotConnected {})
}

#[cfg(test)]
mod tests {
    use super::*;
    use cosmwasm_std::from_json;

    #[test]
    fn a_field_that_a_later_release_adds_is_skipped() {
        let node = r#"{"node_id":1,"operator":"o","node_key":"02","hot_addr":null,"roles":["inference"],
            "bond":"1","status":"bonded","rewards":["new",{"in":"a later release"}]}"#;
        assert_eq!(from_json::<NodeFacts>(node).unwrap().status, NodeStatus::Bonded);
        let model = r#"{"model_id":1,"version":2,"developer":"d","denom":"uopen","price_in":"3",
            "price_out":"7","floor_per_token":"5","deprecated":false,"referee":{"new":true},
            "split":{"protocol":1000,"developer":1500,"node":3500,"data":4000}}"#;
        assert!(from_json::<ModelTerms>(model).unwrap().split.is_whole());
    }
}
