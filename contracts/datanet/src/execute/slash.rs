//! What becomes of a slashed bond (PROTOCOL F5): a part is burned, a part goes to the finder, the rest
//! to the treasury. The parts are rounded down, so that the treasury gets the remainder.

use cosmwasm_std::{coin, Addr, BankMsg, Storage, Uint128};
use openledger_types::money::bps_floor;
use openledger_types::msg::datanet::Params;

use crate::state::{self, Totals};
use crate::ContractError;

/// Divides `amount`, which the caller has taken from another counter; returns the burned part.
/// Without a finder the treasury gets the finder's part.
pub(crate) fn divide(
    storage: &mut dyn Storage,
    params: &Params,
    totals: &mut Totals,
    amount: Uint128,
    finder: Option<&Addr>,
) -> Result<Uint128, ContractError> {
    let burned = Uint128::new(bps_floor(amount.u128(), params.burn_bps));
    let mut rest = amount.checked_sub(burned)?;
    if let Some(finder) = finder {
        let found = Uint128::new(bps_floor(amount.u128(), params.finder_bps)).min(rest);
        rest = rest.checked_sub(found)?;
        state::credit(storage, totals, finder, found)?;
    }
    totals.treasury = totals.treasury.checked_add(rest)?;
    Ok(burned)
}

/// Burns coins; none when there are none.
pub(crate) fn burn(params: &Params, amount: Uint128) -> Option<BankMsg> {
    (!amount.is_zero()).then(|| BankMsg::Burn { amount: vec![coin(amount.u128(), params.denom.clone())] })
}
