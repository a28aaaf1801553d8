//! Coins that leave the contract: both ways are pulled (A2).

use cosmwasm_std::{DepsMut, Env, Event, MessageInfo, Response, Uint128};
use openledger_contract::{ownership, params, payment};

use crate::execute::plus;
use crate::state::{self, Commit, BONDS, COMMITS, PARAMS, TOTALS};
use crate::ContractError;

/// Height from which the bonds of a commit's opened leaves return; none while a leaf can be opened.
pub(crate) fn bonds_from(commit: &Commit) -> Result<Option<u64>, ContractError> {
    match commit.unopened() > 0 && !commit.ended {
        true => Ok(None),
        false => Ok(Some(plus(plus(commit.last_reveal, commit.acceptance_blocks)?, 1)?)),
    }
}

/// Returns the bonds of a commit's opened leaves, but for those that were slashed and those that are
/// challenged: the latter follow when their challenge is over.
pub fn release_bonds(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    commit_id: u64,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    let mut commit = state::commit(deps.storage, commit_id)?;
    if commit.released {
        return Err(ContractError::AlreadyReleased { commit_id });
    }
    let Some(from) = bonds_from(&commit)? else {
        return Err(ContractError::StillOpen { commit_id, expires: commit.expires });
    };
    if env.block.height < from {
        return Err(ContractError::BondsAtStake { commit_id, from });
    }
    let leaves = commit.staked.saturating_sub(commit.challenged);
    let amount = commit.bond.checked_mul(Uint128::from(leaves))?;
    let mut totals = TOTALS.load(deps.storage)?;
    totals.staked = totals.staked.checked_sub(amount)?;
    commit.staked = commit.challenged;
    commit.released = true;

    state::credit(deps.storage, &mut totals, &commit.owner, amount)?;
    TOTALS.save(deps.storage, &totals)?;
    COMMITS.save(deps.storage, commit_id, &commit)?;
    Ok(Response::new().add_attribute("action", "release_bonds").add_event(
        Event::new("bonds_released")
            .add_attribute("commit_id", commit_id.to_string())
            .add_attribute("address", commit.owner)
            .add_attribute("leaves", leaves.to_string())
            .add_attribute("amount", amount),
    ))
}

/// Pays out what the sender is owed.
pub fn withdraw_bonds(deps: DepsMut, info: MessageInfo) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    let amount = BONDS.may_load(deps.storage, &info.sender)?.unwrap_or_default();
    if amount.is_zero() {
        return Err(ContractError::NothingToWithdraw {});
    }
    let denom = PARAMS.load(deps.storage)?.denom;
    let mut totals = TOTALS.load(deps.storage)?;
    totals.withdrawable = totals.withdrawable.checked_sub(amount)?;

    BONDS.remove(deps.storage, &info.sender);
    TOTALS.save(deps.storage, &totals)?;
    Ok(payment::pay_out("withdraw_bonds", ("bonds_withdrawn", "address"), info.sender, amount, denom))
}

/// Pays forfeited bonds.
pub fn spend_treasury(
    deps: DepsMut,
    info: MessageInfo,
    to: String,
    amount: Uint128,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    ownership::assert_owner(deps.storage, &info.sender)?;
    let to_addr = deps.api.addr_validate(&to)?;
    params::positive("amount", amount)?;
    let denom = PARAMS.load(deps.storage)?.denom;
    let mut totals = TOTALS.load(deps.storage)?;
    let available = totals.treasury;
    totals.treasury = available
        .checked_sub(amount)
        .map_err(|_| ContractError::TreasuryTooSmall { available: available.u128() })?;

    TOTALS.save(deps.storage, &totals)?;
    Ok(payment::pay_out("spend_treasury", ("treasury_spent", "address"), to_addr, amount, denom))
}
