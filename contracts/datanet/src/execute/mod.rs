//! Messages, one file a topic.

pub mod access;
pub mod admin;
pub mod bonds;
pub mod bounty;
pub mod commit;
pub mod create;
pub mod curate;
pub mod edit;
pub mod expire;
pub mod keys;
pub mod reveal;
pub mod seal;
pub mod slash;
pub mod storage;
pub mod training;
pub mod verdict;
pub mod withdraw;

use cosmwasm_std::{Env, Uint64};
use openledger_contract::lists::is_rising;
use openledger_contract::CommonError;
use openledger_types::formats::Priority;
use openledger_types::msg::datanet::MAX_NAMED;

use crate::ContractError;

/// The place of the transaction that is being carried out in the chain-wide order (D2).
pub(crate) fn priority_now(env: &Env) -> Priority {
    Priority {
        height: env.block.height,
        tx_index: env.transaction.as_ref().map_or(0, |transaction| transaction.index),
    }
}

/// `value + more`, refused when it overflows.
pub(crate) fn plus(value: u64, more: u64) -> Result<u64, ContractError> {
    Ok(Uint64::new(value).checked_add(Uint64::new(more))?.u64())
}

/// Refuses a list that is empty, longer than 64, or does not rise.
pub(crate) fn check_ids(ids: &[u64]) -> Result<(), ContractError> {
    let rising = is_rising(ids, |id| *id);
    match (1..=MAX_NAMED).contains(&ids.len()) && rising {
        true => Ok(()),
        false => {
            let rule = "1 to 64 numbers, rising, without repeats";
            Err(CommonError::BadField { field: "contribution_ids", rule }.into())
        }
    }
}
