//! What the escrow reads of the registries' answers. Fields that it does not need are skipped, so that
//! a registry may answer more after its next release and sessions can still be opened.

use cosmwasm_schema::serde::Deserialize;
use cosmwasm_std::{HexBinary, Uint128};
use openledger_types::money::Split;
use openledger_types::msg::node_registry::{NodeStatus, Role};

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
    /// Address of the hot key.
    pub hot_addr: Option<String>,
    /// What it does.
    pub roles: Vec<Role>,
    /// Where it stands.
    pub status: NodeStatus,
}

#[cfg(test)]
mod tests {
    use super::*;
    use cosmwasm_std::from_json;

    #[test]
    fn a_field_that_a_later_release_adds_is_skipped() {
        let node = r#"{"node_id":1,"operator":"o","node_key":"02","hot_addr":null,"roles":["inference"],
            "status":"bonded","rewards":["new",{"in":"a later release"}]}"#;
        assert_eq!(from_json::<NodeFacts>(node).unwrap().status, NodeStatus::Bonded);
        let model = r#"{"model_id":1,"version":2,"developer":"d","denom":"uopen","price_in":"3",
            "price_out":"7","floor_per_token":"5","deprecated":false,"referee":{"new":true},
            "split":{"protocol":1000,"developer":1500,"node":3500,"data":4000}}"#;
        assert!(from_json::<ModelTerms>(model).unwrap().split.is_whole());
    }
}
