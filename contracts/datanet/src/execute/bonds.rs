//! Coins that leave the contract: both ways are pulled (A2).

use cosmwasm_std::{coin, BankMsg, DepsMut, Event, MessageInfo, Response, Uint128};
use openledger_contract::{ownership, params, payment};

use crate::state::{BONDS, PARAMS, TOTALS};
use crate::ContractError;

/// Pays the sender's returned bonds out.
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
    Ok(Response::new()
        .add_attribute("action", "withdraw_bonds")
        .add_event(
            Event::new("bonds_withdrawn")
                .add_attribute("address", &info.sender)
                .add_attribute("amount", amount)
                .add_attribute("denom", &denom),
        )
        .add_message(BankMsg::Send {
            to_address: info.sender.into_string(),
            amount: vec![coin(amount.u128(), denom)],
        }))
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
    Ok(Response::new()
        .add_attribute("action", "spend_treasury")
        .add_event(
            Event::new("treasury_spent")
                .add_attribute("address", &to_addr)
                .add_attribute("amount", amount)
                .add_attribute("denom", &denom),
        )
        .add_message(BankMsg::Send {
            to_address: to_addr.into_string(),
            amount: vec![coin(amount.u128(), denom)],
        }))
}
