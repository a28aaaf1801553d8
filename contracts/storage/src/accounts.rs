//! Deposits: how long they pay, and whose they are.

use cosmwasm_std::{Storage, Uint128};
use openledger_contract::CommonError;
use openledger_types::formats::PRICE_UNIT;

use crate::error::ContractResult;
use crate::state::{Account, ACCOUNTS};

/// Shares for each free base unit after which a deposit counts as spent: what is left of old shares
/// is then worth less than any coin they were bought for.
const SPENT: u128 = 1_000_000;

const UNIT: Uint128 = Uint128::new(PRICE_UNIT);

/// A datanet's deposit, brought to this height.
pub fn load(storage: &dyn Storage, datanet_id: u64, height: u64) -> ContractResult<Account> {
    let new = || Account { mark: height, funded_to: height, ..Account::default() };
    let mut account = ACCOUNTS.may_load(storage, datanet_id)?.unwrap_or_else(new);
    account.advance(height)?;
    Ok(account)
}

impl Account {
    /// Pays for the blocks up to `height`, as many as the deposit covers in whole.
    fn advance(&mut self, height: u64) -> ContractResult<()> {
        let blocks = height.saturating_sub(self.mark);
        let paid = match self.lasts()? {
            Some(lasts) => u64::try_from(lasts).unwrap_or(u64::MAX).min(blocks),
            None => blocks,
        };
        let used = self.rate.checked_mul(Uint128::from(paid))?;
        self.reserved = self.reserved.checked_add(used)?;
        self.funded_blocks = self.funded_blocks.saturating_add(paid);
        if paid > 0 || self.rate.is_zero() {
            self.funded_to = self.mark.saturating_add(paid);
        }
        self.mark = self.mark.max(height);
        Ok(())
    }

    /// Atoms that are neither reserved nor spent.
    pub fn free_atoms(&self) -> ContractResult<Uint128> {
        Ok(self.deposit.checked_mul(UNIT)?.saturating_sub(self.reserved))
    }

    /// Base units that are neither reserved nor spent, rounded down.
    pub fn free(&self) -> ContractResult<Uint128> {
        Ok(self.free_atoms()?.checked_div(UNIT)?)
    }

    /// Whole blocks that it still pays for; none while nothing is kept.
    pub fn lasts(&self) -> ContractResult<Option<u128>> {
        match self.rate.is_zero() {
            true => Ok(None),
            false => Ok(Some(self.free_atoms()?.checked_div(self.rate)?.u128())),
        }
    }

    /// Whether something is kept and the next block cannot be paid.
    pub fn is_dry(&self) -> ContractResult<bool> {
        Ok(self.lasts()?.is_some_and(|blocks| blocks == 0))
    }

    /// Adds coins; returns the shares that they are worth, rounded down.
    pub fn fund(&mut self, amount: Uint128) -> ContractResult<Uint128> {
        let free = self.free()?;
        if self.shares.is_zero() || self.shares.u128() / SPENT >= free.u128() {
            // Spent, or new: what is left is nobody's.
            self.generation = self.generation.saturating_add(1);
            self.shares = free;
        }
        let shares = match free.is_zero() {
            true => amount,
            false => part(amount, self.shares, free)?,
        };
        self.shares = self.shares.checked_add(shares)?;
        self.deposit = self.deposit.checked_add(amount)?;
        Ok(shares)
    }

    /// Base units that so many shares are worth, rounded down.
    pub fn value(&self, shares: Uint128) -> ContractResult<Uint128> {
        match self.shares.is_zero() {
            true => Ok(Uint128::zero()),
            false => part(self.free()?, shares, self.shares),
        }
    }
}

/// `amount × numerator / denominator`, rounded down.
fn part(amount: Uint128, numerator: Uint128, denominator: Uint128) -> ContractResult<Uint128> {
    let whole = amount.full_mul(numerator).checked_div(denominator.into())?;
    Ok(Uint128::try_from(whole).map_err(|_| CommonError::AmountTooLarge {})?)
}
