//! What is paid on this chain: balances to their accounts, bounties to relayers. No pause and no state
//! of a payout stops either.

use std::collections::BTreeSet;

use cosmwasm_std::{Addr, BankMsg, Coin, DepsMut, MessageInfo, Response, Storage, Uint128};
use openledger_contract::payment;
use openledger_types::msg::gateway::MAX_ROUTE_DENOMS;

use crate::error::{ContractError, ContractResult};
use crate::money;
use crate::state::{Counters, BOUNTIES, COUNTERS};

/// Takes what an address has in a denom out of its entry.
type Take = fn(&mut dyn Storage, &Addr, &str) -> ContractResult<Uint128>;
/// The counter that it stood in.
type Term = fn(&mut Counters) -> &mut Uint128;

/// `Withdraw`.
pub fn withdraw(deps: DepsMut, info: MessageInfo, denoms: Vec<String>) -> ContractResult<Response> {
    pay(deps, info, denoms, "withdraw", money::take_balance, |counters| &mut counters.accrued)
}

/// `ClaimBounties`.
pub fn claim_bounties(deps: DepsMut, info: MessageInfo, denoms: Vec<String>) -> ContractResult<Response> {
    pay(deps, info, denoms, "claim_bounties", take_bounty, |counters| &mut counters.bounties)
}

fn take_bounty(storage: &mut dyn Storage, relayer: &Addr, denom: &str) -> ContractResult<Uint128> {
    let earned = BOUNTIES.may_load(storage, (relayer, denom))?.unwrap_or_default();
    BOUNTIES.remove(storage, (relayer, denom));
    Ok(earned)
}

fn pay(
    deps: DepsMut,
    info: MessageInfo,
    denoms: Vec<String>,
    action: &str,
    take: Take,
    term: Term,
) -> ContractResult<Response> {
    payment::nonpayable(&info)?;
    if denoms.is_empty() || denoms.len() > MAX_ROUTE_DENOMS {
        return Err(ContractError::BadBatch { list: "denoms", reason: "give 1 to 8" });
    }
    // The bank takes coins in the order of their denoms, none twice.
    let denoms: BTreeSet<String> = denoms.into_iter().collect();
    let mut coins = Vec::with_capacity(denoms.len());
    for denom in denoms {
        let amount = take(deps.storage, &info.sender, &denom)?;
        if amount.is_zero() {
            continue;
        }
        let mut counters = money::counters(deps.storage, &denom)?;
        let held = term(&mut counters);
        *held = held.checked_sub(amount)?;
        counters.paid_out = counters.paid_out.checked_add(amount)?;
        COUNTERS.save(deps.storage, &denom, &counters)?;
        coins.push(Coin::new(amount, denom));
    }
    if coins.is_empty() {
        return Err(ContractError::NothingToWithdraw {});
    }
    let paid = coins.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    Ok(Response::new()
        .add_attribute("action", action)
        .add_attribute("to", info.sender.as_str())
        .add_attribute("amount", paid)
        .add_message(BankMsg::Send { to_address: info.sender.into(), amount: coins }))
}
