//! Sending earnings to other chains.

use cosmwasm_std::{to_json_string, Coin};
use cosmwasm_std::{
    Addr, Deps, DepsMut, Env, Event, IbcMsg, IbcTimeout, MessageInfo, Order, Response, SubMsg, Uint128,
};
use cw_storage_plus::Bound;
use openledger_contract::lean::Lean;
use openledger_contract::{paging, payment, CommonError};
use openledger_types::msg::escrow::{Draw, ExecuteMsg as EscrowMsg};
use openledger_types::msg::gateway::{Memo, Params, PayoutState, Preference, Route, MAX_FLUSH};

use crate::error::{ContractError, ContractResult};
use crate::payout::state_code;
use crate::state::{
    Payout, ATTEMPTS, BALANCES, COUNTERS, IN_STATE, LAST_PAYOUT, OF_ACCOUNT, ON_ROUTE, OPEN, PARAMS, PAYOUTS,
    ROUTES,
};
use crate::{account, escrow, money, reply};

/// Seconds until a refund over a channel without a route times out.
const DEFAULT_TIMEOUT: u64 = 7_200;

/// Which accounts to look at.
pub struct Choice {
    /// These; else the route's in order.
    pub accounts: Option<Vec<String>>,
    /// Account after which to go on.
    pub start_after: Option<String>,
    /// How many to look at.
    pub limit: Option<u32>,
}

/// A payout that is due.
struct Due {
    preference: Preference,
    channel_id: String,
    timeout_seconds: u64,
    /// From the escrow.
    drawn: Uint128,
    /// Held here.
    accrued: Uint128,
    /// For the relayer.
    bounty: Uint128,
    attempt: u32,
}

/// `FlushPayouts`. All drawings are one message to the escrow, which goes before the transfers. A
/// transfer that cannot be sent reverts alone, see [`crate::reply`].
pub fn flush(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    (route, denom): (String, String),
    choice: Choice,
) -> ContractResult<Response> {
    payment::nonpayable(&info)?;
    let Lean(params) = PARAMS.load(deps.storage)?;
    let terms = ROUTES.may_load(deps.storage, &route)?.map(|Lean(terms)| terms);
    let accounts = choose(deps.as_ref(), &route, choice)?;
    let mut counters = money::counters(deps.storage, &denom)?;
    let mut last = LAST_PAYOUT.load(deps.storage)?;
    let next = accounts.last().map(Addr::to_string).unwrap_or_default();
    let (mut draws, mut transfers, mut events) = (Vec::new(), Vec::new(), Vec::new());
    for account in accounts {
        let due = match plan(deps.as_ref(), &env, &params, (&route, terms.as_ref()), &account, &denom)? {
            Ok(due) => due,
            Err(reason) => {
                let skipped = Event::new("payout_skipped")
                    .add_attribute("account", account.as_str())
                    .add_attribute("reason", reason);
                events.push(skipped);
                continue;
            }
        };
        last = last.checked_add(1).ok_or(CommonError::AmountTooLarge {})?;
        let amount = due.drawn.checked_add(due.accrued)?.checked_sub(due.bounty)?;
        let timeout = env.block.time.plus_seconds(due.timeout_seconds);
        if !due.drawn.is_zero() {
            money::enter(&mut counters.paid_in, &mut counters.accrued, due.drawn)?;
            draws.push(Draw { account: account.to_string(), amount: due.drawn });
        }
        money::shift(&mut counters.accrued, &mut counters.in_flight, amount)?;
        money::shift(&mut counters.accrued, &mut counters.bounties, due.bounty)?;
        BALANCES.remove(deps.storage, (&account, &denom));
        OPEN.save(deps.storage, (&account, &denom), &last)?;
        OF_ACCOUNT.save(deps.storage, (&account, last), &true)?;
        IN_STATE.save(deps.storage, (state_code(PayoutState::InFlight), last), &true)?;
        let memo = Memo::payout(env.contract.address.as_str(), params.callback_gas);
        let transfer = IbcMsg::Transfer {
            channel_id: due.channel_id.clone(),
            to_address: due.preference.remote_addr.clone(),
            amount: Coin::new(amount, denom.as_str()),
            timeout: IbcTimeout::with_timestamp(timeout),
            memo: Some(to_json_string(&memo)?),
        };
        let payout = Payout {
            account,
            route: due.preference.route,
            channel_id: due.channel_id,
            sequence: None,
            remote_addr: due.preference.remote_addr,
            denom: denom.clone(),
            amount,
            bounty: due.bounty,
            state: PayoutState::InFlight,
            attempt: due.attempt,
            sent_at: env.block.height,
            timeout: timeout.nanos(),
        };
        PAYOUTS.save(deps.storage, last, &payout)?;
        let message = SubMsg::reply_always(transfer, reply::SENT)
            .with_gas_limit(params.send_gas)
            .with_payload(last.to_be_bytes());
        transfers.push(message);
    }
    LAST_PAYOUT.save(deps.storage, &last)?;
    if !transfers.is_empty() {
        COUNTERS.save(deps.storage, &denom, &counters)?;
    }
    let mut response = Response::new()
        .add_attribute("action", "flush_payouts")
        .add_attribute("route", route)
        .add_attribute("sent", transfers.len().to_string())
        .add_attribute("next", next)
        .add_events(events);
    if !draws.is_empty() {
        let draw = EscrowMsg::DrawAccrued { denom, draws };
        response = response.add_message(escrow::tell(deps.as_ref(), &draw, vec![])?);
    }
    Ok(response.add_submessages(transfers))
}

/// The accounts named, or the next ones of the route.
fn choose(deps: Deps, route: &str, choice: Choice) -> ContractResult<Vec<Addr>> {
    if let Some(accounts) = choice.accounts {
        if accounts.is_empty() || accounts.len() > MAX_FLUSH as usize {
            return Err(ContractError::BadBatch { list: "accounts", reason: "give 1 to 20" });
        }
        return Ok(accounts
            .iter()
            .map(|account| deps.api.addr_validate(account))
            .collect::<Result<_, _>>()?);
    }
    let after = choice.start_after.map(|account| deps.api.addr_validate(&account)).transpose()?;
    Ok(ON_ROUTE
        .prefix(route)
        .keys(deps.storage, after.as_ref().map(Bound::exclusive), None, Order::Ascending)
        .take(paging::capped(choice.limit, MAX_FLUSH))
        .collect::<Result<_, _>>()?)
}

/// What is due to an account, or why nothing is.
fn plan(
    deps: Deps,
    env: &Env,
    params: &Params,
    (route, terms): (&str, Option<&Route>),
    account: &Addr,
    denom: &str,
) -> ContractResult<Result<Due, &'static str>> {
    let Some(preference) = account::preference(deps.storage, account)?.filter(|own| own.route == route)
    else {
        return Ok(Err("its preference is another route, or none"));
    };
    if OPEN.has(deps.storage, (account, denom)) {
        return Ok(Err("a payout is open"));
    }
    let attempts = ATTEMPTS.may_load(deps.storage, account)?.unwrap_or_default();
    if env.block.height < attempts.next_at {
        return Ok(Err("in a hold-off"));
    }
    let priced = terms.and_then(|terms| terms.denoms.iter().find(|entry| entry.denom == denom));
    // A payer has no key here to set another address or to withdraw with: its coins are sent back
    // whatever the route's minimum and state, and tried for ever, ever more rarely.
    let least = match (preference.payer, priced) {
        (true, _) => Uint128::one(),
        (false, None) => return Ok(Err("the route does not carry the denom")),
        (false, Some(_)) if terms.is_some_and(|terms| !terms.enabled) => {
            return Ok(Err("the route is closed"))
        }
        (false, Some(_)) if attempts.failures >= params.max_attempts => {
            return Ok(Err("too many failures: it sets its address again, or withdraws"));
        }
        (false, Some(priced)) => priced.min_payout,
    };
    let accrued = money::balance(deps.storage, account, denom)?;
    let drawn = escrow::balance(deps, account, denom)?;
    let total = accrued.checked_add(drawn)?;
    if total < least {
        return Ok(Err("below the route's minimum"));
    }
    let bounty =
        priced.map_or(Uint128::zero(), |priced| bounty(total, params.bounty_bps).min(priced.max_bounty));
    let fixed = preference.channel_id.clone();
    let Some(channel_id) = fixed.or_else(|| terms.map(|terms| terms.channel_id.clone())) else {
        return Ok(Err("the route has no channel"));
    };
    let timeout_seconds = terms.map_or(DEFAULT_TIMEOUT, |terms| terms.timeout_seconds);
    let attempt = attempts.failures.saturating_add(1);
    Ok(Ok(Due { preference, channel_id, timeout_seconds, drawn, accrued, bounty, attempt }))
}

/// Part of a payout for its relayer, before the route's cap: floor(total x bps / 10,000). At most 5 % by
/// the bounds of the parameter, so never the whole.
pub fn bounty(total: Uint128, bps: u16) -> Uint128 {
    total.multiply_ratio(bps, 10_000u128)
}
