//! Movements between counters. Each leaves the sum of the terms equal to what was paid in less what
//! was paid out.

use cosmwasm_std::{Addr, StdResult, Storage, Uint128};

use crate::error::ContractResult;
use crate::state::{Counters, BALANCES, COUNTERS};

/// Changes the counters of a denom.
pub fn update(
    storage: &mut dyn Storage,
    denom: &str,
    change: impl FnOnce(&mut Counters) -> ContractResult<()>,
) -> ContractResult<()> {
    let mut counters = COUNTERS.may_load(storage, denom)?.unwrap_or_default();
    change(&mut counters)?;
    Ok(COUNTERS.save(storage, denom, &counters)?)
}

/// Moves an amount from one counter to another.
pub fn shift(from: &mut Uint128, to: &mut Uint128, amount: Uint128) -> ContractResult<()> {
    *from = from.checked_sub(amount)?;
    *to = to.checked_add(amount)?;
    Ok(())
}

/// Coins come in to a counter. Since `paid_in` never shrinks and all counters together are at most
/// `paid_in`, its check here is what keeps every later movement from overflowing.
pub fn enter(paid_in: &mut Uint128, to: &mut Uint128, amount: Uint128) -> ContractResult<()> {
    *paid_in = paid_in.checked_add(amount)?;
    *to = to.checked_add(amount)?;
    Ok(())
}

/// Adds to what an address can withdraw; the caller moves the counter.
pub fn credit(storage: &mut dyn Storage, address: &Addr, denom: &str, amount: Uint128) -> ContractResult<()> {
    if amount.is_zero() {
        return Ok(());
    }
    let balance = BALANCES.may_load(storage, (address, denom))?.unwrap_or_default();
    Ok(BALANCES.save(storage, (address, denom), &balance.checked_add(amount)?)?)
}

/// Adds to what several addresses can withdraw; the sum of it, for the counter.
pub fn credit_all(
    storage: &mut dyn Storage,
    list: &[(Addr, Uint128)],
    denom: &str,
) -> ContractResult<Uint128> {
    let mut sum = Uint128::zero();
    for (address, amount) in list {
        credit(storage, address, denom, *amount)?;
        sum = sum.checked_add(*amount)?;
    }
    Ok(sum)
}

/// Takes everything that an address can withdraw in a denom; the caller moves the counter.
pub fn take_balance(storage: &mut dyn Storage, address: &Addr, denom: &str) -> StdResult<Uint128> {
    let balance = BALANCES.may_load(storage, (address, denom))?.unwrap_or_default();
    BALANCES.remove(storage, (address, denom));
    Ok(balance)
}

/// Everything owed in a denom; `None` on overflow, which no sequence of messages reaches.
pub fn liabilities(counters: &Counters) -> Option<Uint128> {
    [
        counters.escrowed,
        counters.pending,
        counters.accrued,
        counters.ledgers,
        counters.held,
        counters.audits,
        counters.commons,
        counters.treasury,
    ]
    .into_iter()
    .try_fold(Uint128::zero(), |sum, term| sum.checked_add(term).ok())
}
