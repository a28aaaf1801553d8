//! Everything the contract keeps: each key, what it is made of and what stands under it.

use cosmwasm_schema::cw_serde;
use cosmwasm_std::{Addr, HexBinary, Storage, Uint128};
use cw_storage_plus::{Item, Map};
use openledger_types::formats::{BlobRef, NumericClass, VersionRef};
use openledger_types::money::Split;
use openledger_types::msg::model_registry::Params;

use crate::ContractError;

/// A model.
#[cw_serde]
pub struct Model {
    /// Who earns the developer's part.
    pub developer: Addr,
    /// Name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Newest version; 0 before the first.
    pub latest_version: u32,
}

/// A version of a model; all but `deprecated` never changes.
#[cw_serde]
pub struct Version {
    /// Hash of the manifest's bytes (32 bytes).
    pub manifest_hash: HexBinary,
    /// The manifest as a public blob.
    pub manifest: BlobRef,
    /// Root over the rows of all weights (32 bytes).
    pub weights_root: HexBinary,
    /// Root over the training counts (32 bytes).
    pub training_root: HexBinary,
    /// How exactly its answers repeat.
    pub numeric_class: NumericClass,
    /// Versions that it rests on, with their roots.
    pub datanets: Vec<VersionRef>,
    /// Denom of the prices.
    pub denom: String,
    /// Price of a prompt token, in base units.
    pub price_in: Uint128,
    /// Price of an answer token, in base units.
    pub price_out: Uint128,
    /// The highest of its datanets' floors, in base units per answer token.
    pub floor_per_token: Uint128,
    /// How a fee is divided.
    pub split: Split,
    /// Height of its registration.
    pub registered_at: u64,
    /// Whether its developer advises against it.
    pub deprecated: bool,
}

/// The datanet contract, the only one whose answers are believed.
pub const DATANET: Item<Addr> = Item::new("datanet");

/// Bounds.
pub const PARAMS: Item<Params> = Item::new("params");

/// Models registered so far.
pub const MODEL_COUNT: Item<u64> = Item::new("model_count");

/// Key: model.
pub const MODELS: Map<u64, Model> = Map::new("models");

/// Key: (model, version).
pub const VERSIONS: Map<(u64, u32), Version> = Map::new("versions");

/// The version that has a manifest. Key: (model, manifest hash).
pub const MANIFESTS: Map<(u64, &[u8]), u32> = Map::new("manifests");

/// Loads a model.
pub fn model(storage: &dyn Storage, model_id: u64) -> Result<Model, ContractError> {
    MODELS.may_load(storage, model_id)?.ok_or(ContractError::ModelNotFound { model_id })
}

/// Loads a version of a model that exists.
pub fn version(storage: &dyn Storage, model_id: u64, version: u32) -> Result<Version, ContractError> {
    VERSIONS
        .may_load(storage, (model_id, version))?
        .ok_or(ContractError::VersionNotFound { model_id, version })
}
