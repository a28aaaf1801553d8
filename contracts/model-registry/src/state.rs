//! Everything the contract keeps: each key, what it is made of and what stands under it.

use cosmwasm_schema::cw_serde;
use cosmwasm_std::{Addr, HexBinary, Storage, Uint128};
use cw_storage_plus::{Item, Map};
use openledger_types::formats::{BlobRef, NumericClass, SumRoot, VersionRef};
use openledger_types::money::{Royalty, Split};
use openledger_types::msg::model_registry::{NextPrice, Params, Parent};

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
    /// A successor of the developer who has not accepted.
    #[serde(default)]
    pub pending_developer: Option<Addr>,
}

/// A version of a model; only prices, `deprecated` and `stale` ever change. What release 0.1 did not
/// know is empty in its versions.
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
    /// Training receipts, in the order of `datanets`.
    #[serde(default)]
    pub training: Vec<SumRoot>,
    /// Model versions that it rests on.
    #[serde(default)]
    pub parents: Vec<Parent>,
    /// What versions that rest on this one owe its developer, in basis points of the fee.
    #[serde(default)]
    pub royalty_bps: u16,
    /// What it owes its ancestors' developers, flattened (L11).
    #[serde(default)]
    pub royalties: Vec<Royalty>,
    /// Denom of the prices.
    pub denom: String,
    /// Price of a prompt token until `next_price` is due, in base units.
    pub price_in: Uint128,
    /// Price of an answer token until `next_price` is due, in base units.
    pub price_out: Uint128,
    /// Prices that were announced.
    #[serde(default)]
    pub next_price: Option<NextPrice>,
    /// The highest of its datanets' floors, in base units per answer token.
    pub floor_per_token: Uint128,
    /// How a fee is divided.
    pub split: Split,
    /// Height of its registration.
    pub registered_at: u64,
    /// Whether its developer advises against it.
    pub deprecated: bool,
    /// Whether it was marked: its datanets lost contributions since.
    #[serde(default)]
    pub stale: bool,
}

impl Version {
    /// The version with the prices in force at `height`: an announcement that is due takes the place
    /// of the prices before it. Nobody needs to send a message when the notice is over.
    pub fn at(mut self, height: u64) -> Self {
        if let Some(next) = self.next_price.take_if(|next| next.from <= height) {
            self.price_in = next.price_in;
            self.price_out = next.price_out;
        }
        self
    }
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

/// Times that the training of a version saw a contribution, as proved. Key: (contribution, model,
/// version).
pub const TRAINING_USES: Map<(u64, u64, u32), u64> = Map::new("training_uses");

/// Sum of a contribution's training uses over all versions. Key: contribution.
pub const TRAINING_TOTALS: Map<u64, u64> = Map::new("training_totals");

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
