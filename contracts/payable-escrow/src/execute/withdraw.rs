//! From balances to wallets (A2).

use std::collections::BTreeSet;

use cosmwasm_std::{BankMsg, Coin, DepsMut, MessageInfo, Response};
use openledger_contract::payment;
use openledger_types::msg::escrow::MAX_DENOMS;

use crate::error::{ContractError, ContractResult};
use crate::money;

/// `Withdraw`. Pays all of the sender's balances in these denoms.
pub fn withdraw(deps: DepsMut, info: MessageInfo, denoms: Vec<String>) -> ContractResult<Response> {
    payment::nonpayable(&info)?;
    if denoms.is_empty() || denoms.len() > MAX_DENOMS {
        return Err(ContractError::BadBatch { list: "denoms", reason: "give 1 to 8" });
    }
    // The bank takes coins in the order of their denoms, none twice.
    let denoms: BTreeSet<String> = denoms.into_iter().collect();
    let mut coins = Vec::with_capacity(denoms.len());
    for denom in denoms {
        let amount = money::take_balance(deps.storage, &info.sender, &denom)?;
        if amount.is_zero() {
            continue;
        }
        money::update(deps.storage, &denom, |counters| {
            money::shift(&mut counters.accrued, &mut counters.paid_out, amount)
        })?;
        coins.push(Coin::new(amount, denom));
    }
    if coins.is_empty() {
        return Err(ContractError::NothingToWithdraw {});
    }
    let paid = coins.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    Ok(Response::new()
        .add_attribute("action", "withdraw")
        .add_attribute("to", info.sender.as_str())
        .add_attribute("amount", paid)
        .add_message(BankMsg::Send { to_address: info.sender.into(), amount: coins }))
}
