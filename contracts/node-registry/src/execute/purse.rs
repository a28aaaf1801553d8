//! `WithdrawRewards` and `SpendTreasury`: what cuts have left is pulled (PROTOCOL A2).

use cosmwasm_std::{DepsMut, MessageInfo, Response, Uint128};
use openledger_contract::{ownership, params, payment};

use crate::state::{FINDERS, PARAMS, TOTALS};
use crate::ContractError;

/// Pays the sender's finder's parts out.
pub fn withdraw_rewards(deps: DepsMut, info: MessageInfo) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    let address = info.sender;
    let owed = FINDERS.may_load(deps.storage, &address)?;
    let amount = owed.ok_or_else(|| ContractError::NoRewards { address: address.to_string() })?;
    let mut totals = TOTALS.load(deps.storage)?;
    totals.rewards = totals.rewards.checked_sub(amount)?;
    let denom = PARAMS.load(deps.storage)?.denom;

    FINDERS.remove(deps.storage, &address);
    TOTALS.save(deps.storage, &totals)?;
    Ok(payment::pay_out("withdraw_rewards", ("rewards_withdrawn", "address"), address, amount, denom))
}

/// Pays from the treasury.
pub fn spend_treasury(
    deps: DepsMut,
    info: MessageInfo,
    to: &str,
    amount: Uint128,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    ownership::assert_owner(deps.storage, &info.sender)?;
    params::positive("amount", amount)?;
    let to_addr = deps.api.addr_validate(to)?;
    let mut totals = TOTALS.load(deps.storage)?;
    let held = totals.treasury;
    totals.treasury = held
        .checked_sub(amount)
        .map_err(|_| ContractError::TreasuryTooSmall { held: held.u128(), asked: amount.u128() })?;
    let denom = PARAMS.load(deps.storage)?.denom;

    TOTALS.save(deps.storage, &totals)?;
    Ok(payment::pay_out("spend_treasury", ("treasury_spent", "to"), to_addr, amount, denom))
}
