//! What a fragment has earned: for each block that the holder's proofs cover and the deposit paid for, its
//! leaves times its price.
//!
//! Rounding: atoms of one settlement become base units rounded down; the rest stays in the deposit. Blocks
//! are counted twice, as proven by the holder and as funded by the account, and a settlement pays the
//! lesser number: never more than what was reserved for the fragment, never for a block without a proof.

use cosmwasm_std::{Storage, Uint128};
use openledger_types::formats::PRICE_UNIT;

use crate::error::{ContractError, ContractResult};
use crate::state::{Account, Holding, Storer, BALANCES, DEPOSITS, EARNED, HOLDINGS, OBJECTS, WITHDRAWABLE};
use crate::{accounts, state};

/// Atoms that a block of a fragment costs.
pub fn rate(leaves: u64, price: Uint128) -> ContractResult<Uint128> {
    Ok(Uint128::from(leaves).checked_mul(price)?)
}

/// What a settlement of a fragment comes to.
pub struct Due {
    /// Base units for the operator.
    pub pay: Uint128,
    /// Atoms that are no longer reserved.
    pub release: Uint128,
    /// The account's funded blocks up to which it is settled.
    pub funded: u64,
    /// Blocks paid.
    pub blocks: u64,
}

/// Computes a settlement; `last` when the fragment ends, so that nothing of it can be proved later.
pub fn due(holding: &Holding, storer: &Storer, account: &Account, last: bool) -> ContractResult<Due> {
    // Blocks after the holder's mark are undecided: they stay reserved until the next proof.
    let undecided = match last {
        true => 0,
        false => account.funded_to.saturating_sub(storer.mark),
    };
    let funded = account.funded_blocks.saturating_sub(undecided).max(holding.paid_funded);
    let proven = storer.proven_blocks.saturating_sub(holding.paid_proven);
    let settled = funded.saturating_sub(holding.paid_funded);
    let blocks = proven.min(settled);
    let rate = rate(holding.leaves, holding.price)?;
    let pay = rate.checked_mul(Uint128::from(blocks))?.checked_div(Uint128::new(PRICE_UNIT))?;
    let release = rate.checked_mul(Uint128::from(settled))?;
    Ok(Due { pay, release, funded, blocks })
}

/// Settles a fragment: pays the operator's balance from the account, which the caller saves, as the
/// holding. Returns bytes times blocks that it was paid for.
pub fn settle(
    storage: &mut dyn Storage,
    holding: &mut Holding,
    storer: &Storer,
    account: &mut Account,
    last: bool,
) -> ContractResult<u64> {
    let Due { pay, release, funded, blocks } = due(holding, storer, account, last)?;
    account.reserved = account.reserved.checked_sub(release)?;
    account.deposit = account.deposit.checked_sub(pay)?;
    holding.paid_funded = funded;
    holding.paid_proven = holding.paid_proven.max(storer.proven_blocks);
    if !pay.is_zero() {
        let balance = BALANCES.may_load(storage, &storer.operator)?.unwrap_or_default();
        BALANCES.save(storage, &storer.operator, &balance.checked_add(pay)?)?;
        let earned = EARNED.may_load(storage, &storer.operator)?.unwrap_or_default();
        EARNED.save(storage, &storer.operator, &earned.checked_add(pay)?)?;
        DEPOSITS.update(storage, |all| all.checked_sub(pay).map_err(ContractError::from))?;
        WITHDRAWABLE.update(storage, |all| all.checked_add(pay).map_err(ContractError::from))?;
    }
    Ok(holding.len.saturating_mul(blocks))
}

/// Ends a fragment that a node keeps at a position: settles it for the last time. Its slot is the caller's
/// to free; so is the node to save. A fragment that has ended already is left alone.
pub fn end(
    storage: &mut dyn Storage,
    (node_id, position): (u64, u64),
    mut holding: Holding,
    storer: &mut Storer,
    height: u64,
) -> ContractResult<Holding> {
    if !holding.live {
        return Ok(holding);
    }
    let mut account = accounts::load(storage, holding.datanet_id, height)?;
    settle(storage, &mut holding, storer, &mut account, true)?;
    let rate = rate(holding.leaves, holding.price)?;
    account.rate = account.rate.checked_sub(rate)?;
    storer.rate = storer.rate.checked_sub(rate)?;
    storer.kept = storer.kept.saturating_sub(holding.leaves);
    holding.live = false;

    state::ACCOUNTS.save(storage, holding.datanet_id, &account)?;
    HOLDINGS.save(storage, (node_id, position), &holding)?;
    Ok(holding)
}

/// Ends a fragment as [`end`] and frees its slot. The fragment has not ended yet: its slot may be
/// another's since.
pub fn vacate(
    storage: &mut dyn Storage,
    place: (u64, u64),
    holding: Holding,
    storer: &mut Storer,
    height: u64,
) -> ContractResult<Holding> {
    let holding = end(storage, place, holding, storer, height)?;
    let mut object = state::object(storage, holding.object_id)?;
    state::slot(&mut object, holding.slot)?.holder = None;
    OBJECTS.save(storage, holding.object_id, &object)?;
    Ok(holding)
}
