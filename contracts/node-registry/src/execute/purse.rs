//! `WithdrawRewards` and `SpendTreasury`: what cuts have left is pulled (PROTOCOL A2).

use cosmwasm_std::{coin, BankMsg, DepsMut, Event, MessageInfo, Response, Uint128};
use openledger_contract::{ownership, params, payment};

use crate::state::{FINDERS, PARAMS, REWARDS, TREASURY};
use crate::ContractError;

/// Pays the sender's finder's parts out.
pub fn withdraw_rewards(deps: DepsMut, info: MessageInfo) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    let address = info.sender;
    let owed = FINDERS.may_load(deps.storage, &address)?;
    let amount = owed.ok_or_else(|| ContractError::NoRewards { address: address.to_string() })?;
    let left = REWARDS.load(deps.storage)?.checked_sub(amount)?;
    let denom = PARAMS.load(deps.storage)?.denom;

    FINDERS.remove(deps.storage, &address);
    REWARDS.save(deps.storage, &left)?;
    Ok(Response::new()
        .add_attribute("action", "withdraw_rewards")
        .add_event(
            Event::new("rewards_withdrawn")
                .add_attribute("address", &address)
                .add_attribute("amount", amount)
                .add_attribute("denom", &denom),
        )
        .add_message(BankMsg::Send {
            to_address: address.into_string(),
            amount: vec![coin(amount.u128(), denom)],
        }))
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
    let held = TREASURY.load(deps.storage)?;
    let left = held
        .checked_sub(amount)
        .map_err(|_| ContractError::TreasuryTooSmall { held: held.u128(), asked: amount.u128() })?;
    let denom = PARAMS.load(deps.storage)?.denom;

    TREASURY.save(deps.storage, &left)?;
    Ok(Response::new()
        .add_attribute("action", "spend_treasury")
        .add_event(
            Event::new("treasury_spent")
                .add_attribute("to", &to_addr)
                .add_attribute("amount", amount)
                .add_attribute("denom", &denom),
        )
        .add_message(BankMsg::Send {
            to_address: to_addr.into_string(),
            amount: vec![coin(amount.u128(), denom)],
        }))
}
