//! Messages of the model registry.

use cosmwasm_schema::{cw_serde, QueryResponses};
use cosmwasm_std::{HexBinary, Uint128};

use super::common::{OwnershipAction, OwnershipResponse};
use crate::formats::{BlobRef, NumericClass, VersionRef};
use crate::money::Split;

/// Most datanets of one model version.
pub const MAX_DATANETS: usize = 8;

/// Bounds on what developers register.
#[cw_serde]
pub struct Params {
    /// Least part of every fee for the data, in basis points, whatever the datanets ask.
    pub min_data_bps: u16,
    /// Part of every fee for the protocol, in basis points; every split must give exactly this.
    pub protocol_bps: u16,
}

/// Sets the contract up.
#[cw_serde]
pub struct InstantiateMsg {
    /// Owner: the governance account.
    pub owner: String,
    /// The datanet contract.
    pub datanet: String,
    /// Bounds.
    pub params: Params,
}

/// A version as its developer registers it.
#[cw_serde]
pub struct NewVersion {
    /// Hash of the manifest's bytes (32 bytes), see `formats::manifest_hash`.
    pub manifest_hash: HexBinary,
    /// The manifest as a public blob.
    pub manifest: BlobRef,
    /// Root over the rows of all weights (32 bytes).
    pub weights_root: HexBinary,
    /// Root over the training counts (32 bytes).
    pub training_root: HexBinary,
    /// How exactly its answers repeat.
    pub numeric_class: NumericClass,
    /// Sealed versions that it rests on: (datanet, version), sorted by datanet, at most 8.
    pub datanets: Vec<(u64, u32)>,
    /// Denom of the prices.
    pub denom: String,
    /// Price of a prompt token, in base units.
    pub price_in: Uint128,
    /// Price of an answer token, in base units.
    pub price_out: Uint128,
    /// How a fee is divided.
    pub split: Split,
}

/// What can be done.
#[cw_serde]
pub enum ExecuteMsg {
    /// Makes a model; the sender is its developer.
    RegisterModel {
        /// Name, at most 64 bytes.
        name: String,
        /// What it is for, at most 1,024 bytes.
        description: String,
    },
    /// Adds a version. Only by the developer.
    RegisterVersion {
        /// Model.
        model_id: u64,
        /// The version.
        version: NewVersion,
    },
    /// Tells users to prefer another version; sessions go on. Only by the developer.
    Deprecate {
        /// Model.
        model_id: u64,
        /// Version.
        version: u32,
    },
    /// Changes the bounds for new versions. Only by the owner.
    UpdateParams {
        /// All of them.
        params: Params,
    },
    /// Stops or allows new models and versions (A1). Only by the owner.
    SetPaused {
        /// Whether to stop.
        paused: bool,
    },
    /// Changes the owner in two steps.
    UpdateOwnership(OwnershipAction),
}

/// What can be asked.
#[cw_serde]
#[derive(QueryResponses)]
pub enum QueryMsg {
    /// Bounds and pause.
    #[returns(ConfigResponse)]
    Config {},
    /// The owner.
    #[returns(OwnershipResponse)]
    Ownership {},
    /// One model.
    #[returns(ModelResponse)]
    Model {
        /// Its number.
        model_id: u64,
    },
    /// Models by number.
    #[returns(ModelsResponse)]
    Models {
        /// Number after which to start.
        start_after: Option<u64>,
        /// Entries, 10 unless told, at most 30.
        limit: Option<u32>,
    },
    /// One version.
    #[returns(ModelVersionResponse)]
    Version {
        /// Model.
        model_id: u64,
        /// Version.
        version: u32,
    },
    /// Versions of a model.
    #[returns(ModelVersionsResponse)]
    Versions {
        /// Model.
        model_id: u64,
        /// Version after which to start.
        start_after: Option<u32>,
        /// Entries, 10 unless told, at most 30.
        limit: Option<u32>,
    },
}

/// Answer to `Config {}`.
#[cw_serde]
pub struct ConfigResponse {
    /// The datanet contract.
    pub datanet: String,
    /// Bounds.
    pub params: Params,
    /// Whether new work is stopped.
    pub paused: bool,
}

/// A model.
#[cw_serde]
pub struct ModelResponse {
    /// Number.
    pub model_id: u64,
    /// Who earns the developer's part.
    pub developer: String,
    /// Name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Newest version; 0 before the first.
    pub latest_version: u32,
}

/// Answer to `Models {}`.
#[cw_serde]
pub struct ModelsResponse {
    /// In order of their numbers.
    pub models: Vec<ModelResponse>,
}

/// A version of a model.
#[cw_serde]
pub struct ModelVersionResponse {
    /// Model.
    pub model_id: u64,
    /// Version.
    pub version: u32,
    /// Developer of the model.
    pub developer: String,
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
    /// Least fee for each token of an answer that its datanets ask, the highest of them.
    pub floor_per_token: Uint128,
    /// How a fee is divided.
    pub split: Split,
    /// Height of its registration.
    pub registered_at: u64,
    /// Whether its developer advises against it.
    pub deprecated: bool,
}

/// Answer to `Versions {}`.
#[cw_serde]
pub struct ModelVersionsResponse {
    /// In order of their numbers.
    pub versions: Vec<ModelVersionResponse>,
}

/// Carries the contract from one release to the next.
#[cw_serde]
pub struct MigrateMsg {}
