//! Movements between counters. Each leaves the sum of the terms equal to what came in less what went
//! out.

use cosmwasm_std::{Addr, Deps, Env, Storage, Uint128, Uint256};

use crate::error::{ContractError, ContractResult};
use crate::state::{Counters, BALANCES, COUNTERS};

/// The counters of a denom.
pub fn counters(storage: &dyn Storage, denom: &str) -> ContractResult<Counters> {
    Ok(COUNTERS.may_load(storage, denom)?.unwrap_or_default())
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

/// What an account can withdraw.
pub fn balance(storage: &dyn Storage, account: &Addr, denom: &str) -> ContractResult<Uint128> {
    Ok(BALANCES.may_load(storage, (account, denom))?.unwrap_or_default())
}

/// Takes everything that an account can withdraw in a denom; the caller moves the counter.
pub fn take_balance(storage: &mut dyn Storage, account: &Addr, denom: &str) -> ContractResult<Uint128> {
    let balance = balance(storage, account, denom)?;
    BALANCES.remove(storage, (account, denom));
    Ok(balance)
}

/// What must lie in the gateway's balance.
pub fn owed(counters: &Counters) -> ContractResult<Uint128> {
    Ok(counters.accrued.checked_add(counters.bounties)?)
}

/// Coins beyond what is owed: sent past the messages, or brought back by a packet whose callback was
/// lost.
pub fn surplus(deps: Deps, env: &Env, denom: &str, counters: &Counters) -> ContractResult<Uint128> {
    let held = deps.querier.query_balance(&env.contract.address, denom)?.amount;
    let surplus = held.saturating_sub(Uint256::from(owed(counters)?));
    // More than 128 bits cannot be booked anyhow.
    Ok(Uint128::try_from(surplus).unwrap_or(Uint128::MAX))
}

/// Refuses to book more than the surplus holds beyond `reserved`.
pub fn assert_surplus(
    deps: Deps,
    env: &Env,
    (denom, counters): (&str, &Counters),
    reserved: Uint128,
    amount: Uint128,
) -> ContractResult<()> {
    let free = surplus(deps, env, denom, counters)?.saturating_sub(reserved);
    match amount <= free {
        true => Ok(()),
        false => Err(ContractError::AboveSurplus { surplus: free }),
    }
}
