//! Messages, one file a topic.

pub mod accept;
pub mod admin;
pub mod claim;
pub mod draw;
pub mod enroll;
pub mod fund;
pub mod nominate;
pub mod place;
pub mod retire;
pub mod vacate;

use openledger_types::msg::storage::MAX_SLOTS;

use crate::error::{ContractError, ContractResult};

/// Refuses a list of positions or slots that is empty or too long.
pub(crate) fn check_list(list: &'static str, len: usize) -> ContractResult<()> {
    match (1..=MAX_SLOTS).contains(&len) {
        true => Ok(()),
        false => Err(ContractError::BadList { list, rule: "1 to 32 entries" }),
    }
}
