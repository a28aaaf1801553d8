//! Bounds of parameters: none may be zero, because a zero would disable its rule.

use cosmwasm_std::Uint128;

use crate::CommonError;

/// Refuses an amount of zero.
pub fn positive(name: &'static str, amount: Uint128) -> Result<(), CommonError> {
    match amount.is_zero() {
        true => Err(CommonError::BadParam { name, rule: "at least 1 base unit" }),
        false => Ok(()),
    }
}

/// Refuses a window of no blocks, and one so long that heights could overflow.
pub fn blocks(name: &'static str, blocks: u64) -> Result<(), CommonError> {
    match blocks {
        1..=1_000_000_000 => Ok(()),
        _ => Err(CommonError::BadParam { name, rule: "1 to 1,000,000,000 blocks" }),
    }
}

/// Refuses basis points outside of `1..=10,000`.
pub fn basis_points(name: &'static str, bps: u16) -> Result<(), CommonError> {
    match bps {
        1..=10_000 => Ok(()),
        _ => Err(CommonError::BadParam { name, rule: "1 to 10,000 basis points" }),
    }
}
