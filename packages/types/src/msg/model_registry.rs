//! Messages of the model registry.

use cosmwasm_schema::{cw_serde, QueryResponses};
use cosmwasm_std::{HexBinary, Uint128};

use super::common::{OwnershipAction, OwnershipResponse};
use super::datanet::TrainingItem;
use crate::formats::{BlobRef, NumericClass, SumRoot, VersionRef};
use crate::money::{Royalty, Split};

/// Most datanets of one model version.
pub const MAX_DATANETS: usize = 8;
/// Most parents of one model version.
pub const MAX_PARENTS: usize = 4;
/// Most royalties of one model version (K of L11).
pub const MAX_ROYALTIES: usize = 8;

/// Bounds on what developers register.
#[cw_serde]
pub struct Params {
    /// Least part of every fee for the data, in basis points, whatever the datanets ask.
    pub min_data_bps: u16,
    /// Part of every fee for the protocol, in basis points; every split must give exactly this.
    pub protocol_bps: u16,
    /// Most of every fee that all royalties of a version may take together, in basis points (L11).
    pub max_royalty_bps: u16,
    /// Blocks between `SetPrice` and the first session at the new price.
    pub price_notice: u64,
}

/// What a parent is to a model version.
#[cw_serde]
#[derive(Copy, Eq)]
pub enum ParentKind {
    /// Its weights were trained further, or run under an adapter.
    Base,
    /// An adapter was merged.
    Adapter,
    /// Its answers were trained on.
    Teacher,
}

/// A model version that another one rests on.
#[cw_serde]
pub struct Parent {
    /// Model.
    pub model_id: u64,
    /// Version.
    pub version: u32,
    /// What it is.
    pub kind: ParentKind,
}

/// A datanet that a version was trained on.
#[cw_serde]
pub struct TrainedOn {
    /// Datanet.
    pub datanet_id: u64,
    /// Sealed version.
    pub version: u32,
    /// Training receipt: tree over `formats::training_leaf`, sorted by contribution.
    pub training: SumRoot,
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
    /// Over the training counts (32 bytes), see `formats::training_root`; must follow from
    /// `datanets`.
    pub training_root: HexBinary,
    /// How exactly its answers repeat.
    pub numeric_class: NumericClass,
    /// Sealed versions that it rests on, sorted by datanet, at most 8.
    pub datanets: Vec<TrainedOn>,
    /// Model versions that it rests on, sorted by (model, version), at most 4.
    pub parents: Vec<Parent>,
    /// What every version that rests on this one owes its developer, in basis points of the fee.
    pub royalty_bps: u16,
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
    /// Adds a version. Only by the developer. Royalties of its parents are flattened into it, none
    /// dropped, and must fit into the developer's part (L11). Uses the developer's paid access to
    /// every datanet that asks a training price.
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
    /// Changes the prices of a version for sessions opened `price_notice` blocks later. Only by the
    /// developer.
    SetPrice {
        /// Model.
        model_id: u64,
        /// Version.
        version: u32,
        /// Price of a prompt token, in base units.
        price_in: Uint128,
        /// Price of an answer token, in base units; at least the floor of its datanets.
        price_out: Uint128,
    },
    /// Changes the developer of a model in two steps; sessions already open pay the one pinned.
    UpdateDeveloper {
        /// Model.
        model_id: u64,
        /// Step; `Renounce` is refused.
        action: OwnershipAction,
    },
    /// Marks a version whose datanets lost contributions since. By anyone.
    MarkStale {
        /// Model.
        model_id: u64,
        /// Version.
        version: u32,
    },
    /// Counts training uses that the training receipt proves, once each. By anyone; at most 32.
    ProveTraining {
        /// Model.
        model_id: u64,
        /// Version.
        version: u32,
        /// Datanet.
        datanet_id: u64,
        /// Leaves.
        items: Vec<TrainingItem>,
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
    /// Whether the datanets of a version lost contributions, asked of the datanet contract now.
    #[returns(StaleResponse)]
    Stale {
        /// Model.
        model_id: u64,
        /// Version.
        version: u32,
    },
    /// Training uses of a contribution that were proved.
    #[returns(TrainingUsageResponse)]
    Usage {
        /// Contribution.
        contribution_id: u64,
        /// (model, version) after which to start.
        start_after: Option<(u64, u32)>,
        /// Entries, 10 unless told, at most 30.
        limit: Option<u32>,
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
    /// A successor of the developer who has not accepted.
    pub pending_developer: Option<String>,
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
    /// Training receipts, in the order of `datanets`; empty for versions of the first release.
    pub training: Vec<SumRoot>,
    /// Model versions that it rests on.
    pub parents: Vec<Parent>,
    /// What versions that rest on this one owe its developer, in basis points of the fee.
    pub royalty_bps: u16,
    /// What it owes its ancestors' developers, flattened, in basis points of the fee.
    pub royalties: Vec<Royalty>,
    /// Denom of the prices.
    pub denom: String,
    /// Price of a prompt token now, in base units.
    pub price_in: Uint128,
    /// Price of an answer token now, in base units.
    pub price_out: Uint128,
    /// A change of the prices that was announced.
    pub next_price: Option<NextPrice>,
    /// Least fee for each token of an answer that its datanets ask, the highest of them.
    pub floor_per_token: Uint128,
    /// How a fee is divided.
    pub split: Split,
    /// Height of its registration.
    pub registered_at: u64,
    /// Whether its developer advises against it.
    pub deprecated: bool,
    /// Whether it was marked: its datanets lost contributions since.
    pub stale: bool,
}

/// Prices that hold later.
#[cw_serde]
pub struct NextPrice {
    /// First height at which sessions pin them.
    pub from: u64,
    /// Price of a prompt token, in base units.
    pub price_in: Uint128,
    /// Price of an answer token, in base units.
    pub price_out: Uint128,
}

/// Answer to `Stale {}`.
#[cw_serde]
pub struct StaleResponse {
    /// Whether any contribution is gone.
    pub stale: bool,
    /// Contributions of its versions that are gone, by datanet.
    pub lost: Vec<(u64, u64)>,
}

/// Answer to `Usage {}`.
#[cw_serde]
pub struct TrainingUsageResponse {
    /// Proved so far, over all models.
    pub times_seen: u64,
    /// By model version.
    pub entries: Vec<TrainingUse>,
}

/// How often one training saw a contribution.
#[cw_serde]
pub struct TrainingUse {
    /// Model.
    pub model_id: u64,
    /// Version.
    pub version: u32,
    /// Times.
    pub times_seen: u64,
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
