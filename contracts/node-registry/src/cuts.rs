//! What becomes of a cut (PROTOCOL F5). Rounding: the cut and the finder's part are rounded down, the
//! burned part is rounded up, the treasury has the rest. So every cut burns something, and a finder
//! never gets back what the node lost.

use cosmwasm_std::{coin, Addr, BankMsg, Storage, Uint128};
use openledger_types::money::bps_floor;
use openledger_types::msg::node_registry::Params;

use crate::state::{Node, FINDERS, TOTALS};
use crate::ContractError;

/// `floor(amount × bps / 10,000)`.
pub fn part(amount: Uint128, bps: u16) -> Uint128 {
    Uint128::new(bps_floor(amount.u128(), bps))
}

/// How a cut is divided; the parts sum to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Division {
    /// To who found the fault.
    pub finder: Uint128,
    /// Burned.
    pub burned: Uint128,
    /// To the treasury.
    pub treasury: Uint128,
}

/// Divides a cut. `finder_bps + burn_bps` is at most 10,000, so nothing is short.
pub fn divide(amount: Uint128, params: &Params, has_finder: bool) -> Result<Division, ContractError> {
    let finder = match has_finder {
        true => part(amount, params.finder_bps),
        false => Uint128::zero(),
    };
    let kept = part(amount, 10_000u16.saturating_sub(params.burn_bps));
    let burned = amount.checked_sub(kept)?;
    let treasury = kept.checked_sub(finder)?;
    Ok(Division { finder, burned, treasury })
}

/// What was done with a cut.
pub struct Taken {
    /// Base units taken.
    pub amount: Uint128,
    /// Who has the finder's part.
    pub finder: Option<Addr>,
    /// How it was divided.
    pub division: Division,
    /// Burns the burned part; none when nothing was taken.
    pub burn: Option<BankMsg>,
}

/// Takes `amount`, or what is left, from a node's bond and books the parts. The caller saves the node.
/// An operator does not find its own fault: that part is the treasury's.
pub fn take(
    storage: &mut dyn Storage,
    params: &Params,
    node: &mut Node,
    amount: Uint128,
    finder: Option<Addr>,
) -> Result<Taken, ContractError> {
    let amount = amount.min(node.bond);
    let finder = finder.filter(|finder| *finder != node.operator);
    let division = divide(amount, params, finder.is_some())?;
    if amount.is_zero() {
        return Ok(Taken { amount, finder, division, burn: None });
    }
    node.bond = node.bond.checked_sub(amount)?;
    let mut totals = TOTALS.load(storage)?;
    totals.bonds = totals.bonds.checked_sub(amount)?;
    totals.burned = totals.burned.checked_add(division.burned)?;
    totals.treasury = totals.treasury.checked_add(division.treasury)?;
    if let Some(finder) = finder.as_ref().filter(|_| !division.finder.is_zero()) {
        totals.rewards = totals.rewards.checked_add(division.finder)?;
        FINDERS.update(storage, finder, |owed| {
            owed.unwrap_or_default().checked_add(division.finder).map_err(ContractError::from)
        })?;
    }
    TOTALS.save(storage, &totals)?;
    let burn = BankMsg::Burn { amount: vec![coin(division.burned.u128(), &params.denom)] };
    Ok(Taken { amount, finder, division, burn: Some(burn) })
}
