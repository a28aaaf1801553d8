//! The conservation equation of one denom, `balance = Σ terms + surplus` (PROTOCOL A2).

use cosmwasm_std::{QuerierWrapper, Uint128, Uint256};
use openledger_types::msg::common::{DenomInvariant, Term};

use crate::CommonError;

/// Compares what the bank says `address` holds of `denom` with the counters in `terms`.
pub fn equation(
    querier: &QuerierWrapper,
    address: &cosmwasm_std::Addr,
    denom: &str,
    terms: &[(&str, Uint128)],
) -> Result<DenomInvariant, CommonError> {
    let balance = querier.query_balance(address, denom)?.amount;
    let mut owed = Uint256::zero();
    for (_, amount) in terms {
        owed = owed.checked_add(Uint256::from(*amount)).map_err(cosmwasm_std::StdError::from)?;
    }
    Ok(DenomInvariant {
        denom: denom.to_string(),
        balance,
        terms: terms
            .iter()
            .map(|(name, amount)| Term { name: (*name).to_string(), amount: Uint256::from(*amount) })
            .collect(),
        surplus: balance.saturating_sub(owed),
        holds: balance >= owed,
    })
}
