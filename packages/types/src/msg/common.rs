//! What all contracts share.

use cosmwasm_schema::cw_serde;
use cosmwasm_std::{Uint128, Uint256};

/// Steps of a change of owner (convention C13).
#[cw_serde]
pub enum OwnershipAction {
    /// The owner names a successor.
    Propose {
        /// Address of the successor.
        new_owner: String,
    },
    /// The successor takes over.
    Accept {},
    /// The owner takes a proposal back.
    Cancel {},
    /// The owner gives the contract up for ever.
    Renounce {},
}

/// Answer to `Ownership {}`.
#[cw_serde]
pub struct OwnershipResponse {
    /// The owner; none once renounced.
    pub owner: Option<String>,
    /// A successor who has not accepted.
    pub pending: Option<String>,
}

/// One term of a conservation equation.
#[cw_serde]
pub struct Term {
    /// Name of the counter.
    pub name: String,
    /// Its value in base units.
    pub amount: Uint256,
}

/// The conservation equation of one denom: `balance = Σ terms + surplus`.
#[cw_serde]
pub struct DenomInvariant {
    /// Denom.
    pub denom: String,
    /// What the bank says the contract holds.
    pub balance: Uint256,
    /// What the contract owes, by counter.
    pub terms: Vec<Term>,
    /// Coins sent to the contract outside of its messages.
    pub surplus: Uint256,
    /// Whether the balance covers the terms.
    pub holds: bool,
}

/// Answer to `Invariants {}`.
#[cw_serde]
pub struct InvariantsResponse {
    /// Whether every equation and counter rule holds.
    pub holds: bool,
    /// One equation a denom.
    pub denoms: Vec<DenomInvariant>,
    /// Counter rules that are broken, in words; empty when all is well.
    pub broken: Vec<String>,
}

/// An amount of one denom that fits the protocol's 128 bits.
#[cw_serde]
pub struct Amount {
    /// Denom.
    pub denom: String,
    /// Base units.
    pub amount: Uint128,
}

/// Default number of entries of a list query.
pub const DEFAULT_LIMIT: u32 = 10;
/// Most entries of a list query.
pub const MAX_LIMIT: u32 = 30;
