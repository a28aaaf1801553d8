//! Why a message is refused.

use cosmwasm_std::{OverflowError, StdError};
use openledger_contract::CommonError;
use openledger_types::formats::FormatError;
use thiserror::Error;

/// Refusals of the model registry.
#[derive(Error, Debug)]
pub enum ContractError {
    /// Refusals that all contracts share.
    #[error(transparent)]
    Common(#[from] CommonError),
    /// A field of a wrong form.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// From the standard library.
    #[error(transparent)]
    Std(#[from] StdError),
    /// A number above its range.
    #[error(transparent)]
    Overflow(#[from] OverflowError),
    /// No such model.
    #[error("there is no model {model_id}")]
    ModelNotFound {
        /// What was asked for.
        model_id: u64,
    },
    /// No such version.
    #[error("model {model_id} has no version {version}")]
    VersionNotFound {
        /// Model.
        model_id: u64,
        /// What was asked for.
        version: u32,
    },
    /// The model has this manifest already.
    #[error("model {model_id} registered this manifest as version {version}")]
    ManifestTaken {
        /// Model.
        model_id: u64,
        /// The version with the manifest.
        version: u32,
    },
    /// The datanet contract does not know the version.
    #[error("datanet {datanet_id} has no sealed version {version}: {reason}")]
    DatanetVersion {
        /// Datanet.
        datanet_id: u64,
        /// Version.
        version: u32,
        /// What the datanet contract answered.
        reason: String,
    },
    /// The parts of the split are not 10,000 together.
    #[error("the parts of the split must be 10,000 basis points together")]
    SplitNotWhole {},
    /// The protocol's part is fixed.
    #[error("the split must give the protocol exactly {expected} basis points, not {actual}")]
    ProtocolPart {
        /// What it must be.
        expected: u16,
        /// What it is.
        actual: u16,
    },
    /// The data's part is below the least one (D5).
    #[error("the split must give the data at least {least} basis points, not {actual}")]
    DataPart {
        /// The highest of the registry's and the datanets' least parts.
        least: u16,
        /// What it is.
        actual: u16,
    },
    /// The price of an answer token is below the datanets' floor (D5).
    #[error("an answer token must cost at least {floor} base units, not {price}")]
    BelowFloor {
        /// The highest of the datanets' floors.
        floor: u128,
        /// What it costs.
        price: u128,
    },
    /// The version is deprecated already.
    #[error("version {version} of model {model_id} is deprecated already")]
    AlreadyDeprecated {
        /// Model.
        model_id: u64,
        /// Version.
        version: u32,
    },
    /// The training root does not follow from the training receipts.
    #[error("training_root must be {expected}: the root over the training receipts of `datanets`")]
    TrainingRoot {
        /// What it must be, in hexadecimal.
        expected: String,
    },
    /// More ancestors earn royalties than a version can carry; none may be dropped (L11).
    #[error("the parents bring royalties for {actual} developers, at most {most}: name fewer parents")]
    RoyaltyCount {
        /// K of L11.
        most: usize,
        /// How many there are.
        actual: usize,
    },
    /// The royalties do not fit (L11).
    #[error(
        "the parents' royalties are {total} basis points of the fee, more than {most}: they must fit into \
         the split's developer part and into max_royalty_bps"
    )]
    RoyaltiesTooHigh {
        /// The smaller of the split's developer part and `max_royalty_bps`.
        most: u16,
        /// What they are together.
        total: u32,
    },
    /// The version asks more for itself than a version may owe in all (L11).
    #[error("royalty_bps must be at most max_royalty_bps, {most} basis points, not {actual}")]
    OwnRoyaltyTooHigh {
        /// The bound.
        most: u16,
        /// What it asks.
        actual: u16,
    },
    /// A model without a developer would earn for nobody.
    #[error("a developer cannot renounce a model: propose a successor, or deprecate its versions")]
    CannotRenounce {},
    /// The version does not rest on this datanet.
    #[error("version {version} of model {model_id} was not trained on datanet {datanet_id}")]
    NotTrainedOn {
        /// Model.
        model_id: u64,
        /// Version.
        version: u32,
        /// Datanet.
        datanet_id: u64,
    },
    /// Versions of the first release came without training receipts.
    #[error("version {version} of model {model_id} has no training receipt: register a newer version")]
    NoTrainingReceipt {
        /// Model.
        model_id: u64,
        /// Version.
        version: u32,
    },
    /// The path does not lead to the training receipt's root.
    #[error("the training receipt does not hold contribution {contribution_id} at position {index}: send the path of its leaf")]
    TrainingProof {
        /// Contribution.
        contribution_id: u64,
        /// Position.
        index: u64,
    },
    /// Every leaf was counted before.
    #[error("all of these training uses were counted before: leave them out")]
    AlreadyCounted {},
    /// No contribution is gone.
    #[error("version {version} of model {model_id} is not stale: its datanets lost no contribution")]
    NotStale {
        /// Model.
        model_id: u64,
        /// Version.
        version: u32,
    },
    /// The version was marked before.
    #[error("version {version} of model {model_id} is marked as stale already")]
    AlreadyStale {
        /// Model.
        model_id: u64,
        /// Version.
        version: u32,
    },
}
