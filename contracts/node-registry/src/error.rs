//! Why a message is refused.

use cosmwasm_std::{OverflowError, StdError};
use openledger_contract::CommonError;
use thiserror::Error;

/// Refusals of the node registry.
#[derive(Error, Debug)]
pub enum ContractError {
    /// Refusals that all contracts share.
    #[error(transparent)]
    Common(#[from] CommonError),
    /// From the standard library.
    #[error(transparent)]
    Std(#[from] StdError),
    /// A number above its range.
    #[error(transparent)]
    Overflow(#[from] OverflowError),
    /// No such node.
    #[error("there is no node {node_id}")]
    NodeNotFound {
        /// What was asked for.
        node_id: u64,
    },
    /// No such cut.
    #[error("there is no planned cut {cut_id}")]
    CutNotFound {
        /// What was asked for.
        cut_id: u64,
    },
    /// No such offer.
    #[error("node {node_id} does not offer version {version} of model {model_id}")]
    OfferNotFound {
        /// Node.
        node_id: u64,
        /// Model.
        model_id: u64,
        /// Version.
        version: u32,
    },
    /// The bond is below the least one.
    #[error("a node's bond is at least {least} base units, not {sent}")]
    BondTooSmall {
        /// Least bond.
        least: u128,
        /// What was sent, or what is left of it.
        sent: u128,
    },
    /// The key belongs or belonged to a node.
    #[error("this key belongs to node {node_id} for ever: make a new one")]
    KeyTaken {
        /// The node.
        node_id: u64,
    },
    /// The signature over the registration of the key is not the key's.
    #[error(
        "key_proof is not this key's signature for this operator: sign node_key_digest({chain_id}, \
         {registry}, {operator}, key) with s in the lower half"
    )]
    BadKeyProof {
        /// Chain id that is signed.
        chain_id: String,
        /// Registry that is signed.
        registry: String,
        /// Operator that is signed.
        operator: String,
    },
    /// The node is not in service.
    #[error("node {node_id} is not in service")]
    NotBonded {
        /// Node.
        node_id: u64,
    },
    /// The node's bond was paid out.
    #[error("node {node_id} has left")]
    HasLeft {
        /// Node.
        node_id: u64,
    },
    /// The node has not asked to leave.
    #[error("node {node_id} is in service: send Unbond first")]
    NotUnbonding {
        /// Node.
        node_id: u64,
    },
    /// The delay is not over.
    #[error("the bond of node {node_id} is at stake until height {unbonds_at}")]
    StillUnbonding {
        /// Node.
        node_id: u64,
        /// First height at which it can be withdrawn.
        unbonds_at: u64,
    },
    /// Open cases hold the bond.
    #[error("{open_cases} open cases hold the bond of node {node_id}: wait until they are decided")]
    BondFrozen {
        /// Node.
        node_id: u64,
        /// Open cases.
        open_cases: u32,
    },
    /// Planned cuts hold the bond.
    #[error(
        "{planned_cuts} planned cuts hold the bond of node {node_id}: send ExecuteCut when their time has \
         come"
    )]
    CutsWaiting {
        /// Node.
        node_id: u64,
        /// Planned cuts that wait.
        planned_cuts: u32,
    },
    /// The node is not in jail.
    #[error("node {node_id} is not in jail")]
    NotJailed {
        /// Node.
        node_id: u64,
    },
    /// The time in jail is not over.
    #[error("node {node_id} stays in jail until height {jailed_until}")]
    StillJailed {
        /// Node.
        node_id: u64,
        /// First height at which it can leave.
        jailed_until: u64,
    },
    /// The model registry is not known.
    #[error("no model registry is connected: the owner must send Connect first")]
    NotConnected {},
    /// The price is below the model's.
    #[error("{field} is at least the model's price of {least} base units, not {asked}")]
    PriceTooLow {
        /// Field of the message.
        field: &'static str,
        /// The model's price in force.
        least: u128,
        /// What was asked.
        asked: u128,
    },
    /// The node has as many offers as it may.
    #[error("node {node_id} has {most} offers, the most there may be: send StopOffer first")]
    TooManyOffers {
        /// Node.
        node_id: u64,
        /// Most offers.
        most: u32,
    },
    /// The operator operates no validator of the bonded set.
    #[error("{operator} operates no validator of the bonded set: only such an account's node may audit")]
    NotValidator {
        /// The operator.
        operator: String,
    },
    /// The operator has a node that audits.
    #[error("node {node_id} of this operator audits already: one auditor an operator")]
    AlreadyAudits {
        /// That node.
        node_id: u64,
    },
    /// There are as many auditors as there may be.
    #[error("there are {most} auditors, the most there may be: try again when one has left")]
    TooManyAuditors {
        /// Most auditors.
        most: usize,
    },
    /// The cut does not wait.
    #[error("cut {cut_id} was carried out or vetoed")]
    CutSettled {
        /// Cut.
        cut_id: u64,
    },
    /// The cut may still be vetoed.
    #[error("cut {cut_id} can be carried out from height {from}")]
    CutTooEarly {
        /// Cut.
        cut_id: u64,
        /// First height at which it can be carried out.
        from: u64,
    },
    /// The sender has opened no case that is not closed.
    #[error("this contract has no open case against node {node_id}")]
    NoOpenCase {
        /// Node.
        node_id: u64,
    },
    /// Nothing to withdraw.
    #[error("there is nothing to withdraw for {address}")]
    NoRewards {
        /// Who asked.
        address: String,
    },
    /// More than the treasury holds.
    #[error("the treasury holds {held} base units, not {asked}")]
    TreasuryTooSmall {
        /// What it holds.
        held: u128,
        /// What was asked.
        asked: u128,
    },
}
