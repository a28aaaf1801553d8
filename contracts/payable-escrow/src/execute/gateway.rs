//! What the IBC gateway may do: draw balances of the accounts that asked it to send them on, and open
//! sessions for payers of other chains (P1). It never touches anything else.

use std::collections::BTreeSet;

use cosmwasm_std::{Addr, BankMsg, Coin, Deps, DepsMut, Env, MessageInfo, Response, Uint128};
use openledger_contract::{ownership, payment, CommonError};
use openledger_types::msg::escrow::{Draw, MAX_DRAWS};

use crate::error::{ContractError, ContractResult};
use crate::execute::session::{self, Order};
use crate::money;
use crate::state::{BALANCES, GATEWAY};

/// `ConnectGateway`.
pub fn connect(deps: DepsMut, info: MessageInfo, gateway: Option<String>) -> ContractResult<Response> {
    payment::nonpayable(&info)?;
    ownership::assert_owner(deps.storage, &info.sender)?;
    believe(deps, gateway.as_deref())?;
    Ok(Response::new()
        .add_attribute("action", "connect_gateway")
        .add_attribute("gateway", gateway.unwrap_or_default()))
}

/// Records the gateway, or that there is none.
pub fn believe(deps: DepsMut, gateway: Option<&str>) -> ContractResult<()> {
    match gateway {
        Some(gateway) => GATEWAY.save(deps.storage, &deps.api.addr_validate(gateway)?)?,
        None => GATEWAY.remove(deps.storage),
    }
    Ok(())
}

fn assert_gateway(deps: Deps, sender: &Addr) -> ContractResult<()> {
    if GATEWAY.may_load(deps.storage)?.as_ref() != Some(sender) {
        return Err(CommonError::Unauthorized { role: "the gateway" }.into());
    }
    Ok(())
}

/// `OpenSessionFor`.
pub fn open_for(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    owner: &str,
    order: Order,
) -> ContractResult<Response> {
    assert_gateway(deps.as_ref(), &info.sender)?;
    let owner = deps.api.addr_validate(owner)?;
    let gateway = info.sender.clone();
    session::open_as(deps, env, info, order, (owner, Some(gateway)))
}

/// `DrawAccrued`. One transfer, whatever the number of accounts. That an account wants it is the
/// gateway's to know: it draws for those only that named an address on another chain.
pub fn draw(deps: DepsMut, info: MessageInfo, denom: String, draws: Vec<Draw>) -> ContractResult<Response> {
    payment::nonpayable(&info)?;
    assert_gateway(deps.as_ref(), &info.sender)?;
    let refuse = |reason| Err(ContractError::BadBatch { list: "draws", reason });
    if draws.is_empty() || draws.len() > MAX_DRAWS {
        return refuse("give 1 to 20");
    }
    let mut seen = BTreeSet::new();
    let mut total = Uint128::zero();
    for Draw { account, amount } in &draws {
        let account = deps.api.addr_validate(account)?;
        let balance = BALANCES.may_load(deps.storage, (&account, &denom))?.unwrap_or_default();
        let Ok(left) = balance.checked_sub(*amount) else {
            return refuse("more than the balance of an account");
        };
        if amount.is_zero() {
            return refuse("an amount of nothing");
        }
        match left.is_zero() {
            true => BALANCES.remove(deps.storage, (&account, &denom)),
            false => BALANCES.save(deps.storage, (&account, &denom), &left)?,
        }
        if !seen.insert(account) {
            return refuse("an account twice");
        }
        total = total.checked_add(*amount)?;
    }
    money::update(deps.storage, &denom, |counters| {
        money::shift(&mut counters.accrued, &mut counters.paid_out, total)
    })?;
    Ok(Response::new()
        .add_attribute("action", "draw_accrued")
        .add_attribute("accounts", draws.len().to_string())
        .add_attribute("amount", format!("{total}{denom}"))
        .add_message(BankMsg::Send { to_address: info.sender.into(), amount: vec![Coin::new(total, denom)] }))
}
