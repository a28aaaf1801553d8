//! Payouts of which no news came, and coins that came without a message.

use cosmwasm_std::{DepsMut, Env, MessageInfo, Response, Uint128};
use openledger_contract::lean::Lean;
use openledger_contract::{ownership, params, payment};
use openledger_types::msg::gateway::{PayoutState, Resolution};

use crate::error::{ContractError, ContractResult};
use crate::state::{Payout, BALANCES, COUNTERS, PARAMS};
use crate::{money, payout};

/// `MarkUnresolved`. By anyone, once timeout and grace are over.
pub fn mark(deps: DepsMut, env: Env, info: MessageInfo, payout_id: u64) -> ContractResult<Response> {
    payment::nonpayable(&info)?;
    let payout = payout::load(deps.storage, payout_id)?;
    assert_overdue(&deps, &env, payout_id, &payout)?;
    let event = payout::unresolve(deps.storage, payout_id, "no news")?;
    Ok(Response::new().add_attribute("action", "mark_unresolved").add_event(event))
}

/// `ResolvePayout`. What counts as refunded must lie here and belong to nobody.
pub fn resolve(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    payout_id: u64,
    outcome: Resolution,
) -> ContractResult<Response> {
    payment::nonpayable(&info)?;
    ownership::assert_owner(deps.storage, &info.sender)?;
    let payout = payout::load(deps.storage, payout_id)?;
    if payout.state != PayoutState::Unresolved {
        assert_overdue(&deps, &env, payout_id, &payout)?;
    }
    let height = env.block.height;
    let event = match outcome {
        Resolution::Settled => payout::settle(deps.storage, height, payout_id, None)?,
        Resolution::Refunded => {
            let counters = money::counters(deps.storage, &payout.denom)?;
            let held = (payout.denom.as_str(), &counters);
            money::assert_surplus(deps.as_ref(), &env, held, Uint128::zero(), payout.amount)?;
            payout::refund(deps.storage, height, payout_id, "resolved", false)?
        }
    };
    Ok(Response::new()
        .add_attribute("action", "resolve_payout")
        .add_attribute("by", info.sender)
        .add_event(event))
}

/// `BookSurplus`. Leaves what unresolved payouts may have brought back.
pub fn book_surplus(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    (denom, amount): (String, Uint128),
    account: String,
) -> ContractResult<Response> {
    payment::nonpayable(&info)?;
    ownership::assert_owner(deps.storage, &info.sender)?;
    let account = deps.api.addr_validate(&account)?;
    params::positive("amount", amount)?;
    let mut counters = money::counters(deps.storage, &denom)?;
    money::assert_surplus(deps.as_ref(), &env, (&denom, &counters), counters.unresolved, amount)?;
    money::enter(&mut counters.paid_in, &mut counters.accrued, amount)?;
    let balance = money::balance(deps.storage, &account, &denom)?.checked_add(amount)?;
    COUNTERS.save(deps.storage, &denom, &counters)?;
    BALANCES.save(deps.storage, (&account, &denom), &balance)?;
    Ok(Response::new()
        .add_attribute("action", "book_surplus")
        .add_attribute("account", account)
        .add_attribute("amount", format!("{amount}{denom}")))
}

fn assert_overdue(deps: &DepsMut, env: &Env, payout_id: u64, payout: &Payout) -> ContractResult<()> {
    let Lean(params) = PARAMS.load(deps.storage)?;
    match payout::is_overdue(payout, params.grace_seconds, env.block.time.nanos()) {
        true => Ok(()),
        false => Err(ContractError::NotUnresolved { payout_id, state: payout.state }),
    }
}
