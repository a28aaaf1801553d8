//! Answers.

use std::collections::BTreeMap;

use cosmwasm_std::{to_json_binary, Addr, Binary, Deps, Env, Order, Uint128};
use cw_storage_plus::Bound;
use openledger_contract::lean::Lean;
use openledger_contract::{invariants as equations, ownership, paging, pause};
use openledger_types::msg::common::{Amount, InvariantsResponse};
use openledger_types::msg::gateway::{
    AccountDenom, AccountResponse, AccountsResponse, BountiesResponse, ConfigResponse, PayInResponse,
    PayoutFilter, PayoutResponse, PayoutsResponse, Preference, QueryMsg, Route, RoutesResponse,
};

use crate::error::{ContractError, ContractResult};
use crate::execute::admin::MAX_DENOMS_EVER;
use crate::execute::flush::bounty;
use crate::payout::{is_overdue, state_code};
use crate::state::{
    ATTEMPTS, BALANCES, BOUNTIES, DENOMS, ESCROW, IN_STATE, OF_ACCOUNT, ON_ROUTE, OPEN, PACKETS, PARAMS,
    PAYOUTS, PAY_INS, ROUTES,
};
use crate::{account, escrow, money, payout};

/// Answers a query.
pub fn answer(deps: Deps, env: Env, msg: QueryMsg) -> ContractResult<Binary> {
    Ok(match msg {
        QueryMsg::Config {} => to_json_binary(&config(deps)?),
        QueryMsg::Ownership {} => to_json_binary(&ownership::query(deps.storage)?),
        QueryMsg::Route { name } => to_json_binary(&route(deps, name)?),
        QueryMsg::Routes { start_after, limit } => to_json_binary(&routes(deps, start_after, limit)?),
        QueryMsg::Account { address } => {
            let address = deps.api.addr_validate(&address)?;
            let preference = account::preference(deps.storage, &address)?;
            to_json_binary(&account_of(deps, address, preference)?)
        }
        QueryMsg::RemoteAccount { channel_id, address } => {
            let account = account::payer(deps.api, &env, &channel_id, &address)?;
            let preference = account::preference(deps.storage, &account)?;
            to_json_binary(&account_of(deps, account, preference)?)
        }
        QueryMsg::Accounts { route, start_after, limit } => {
            to_json_binary(&accounts(deps, &route, start_after, limit)?)
        }
        QueryMsg::Payout { payout_id } => to_json_binary(&payout_of(deps, &env, payout_id)?),
        QueryMsg::PacketPayout { channel_id, sequence } => {
            let payout_id = PACKETS
                .may_load(deps.storage, (&channel_id, sequence))?
                .ok_or(ContractError::PacketNotFound { channel_id, sequence })?;
            to_json_binary(&payout_of(deps, &env, payout_id)?)
        }
        QueryMsg::Payouts { filter, start_after, limit } => {
            to_json_binary(&payouts(deps, &env, filter, start_after, limit)?)
        }
        QueryMsg::PayIn { channel_id, sequence } => to_json_binary(&pay_in(deps, channel_id, sequence)?),
        QueryMsg::Bounties { relayer } => to_json_binary(&bounties(deps, &relayer)?),
        QueryMsg::Invariants {} => to_json_binary(&invariants(deps, &env)?),
    }?)
}

fn config(deps: Deps) -> ContractResult<ConfigResponse> {
    let Lean(params) = PARAMS.load(deps.storage)?;
    let paused = pause::is_paused(deps.storage)?;
    Ok(ConfigResponse { escrow: ESCROW.load(deps.storage)?.into(), params, paused })
}

fn route(deps: Deps, name: String) -> ContractResult<Route> {
    let Lean(route) = ROUTES.may_load(deps.storage, &name)?.ok_or(ContractError::RouteNotFound { name })?;
    Ok(route)
}

fn routes(deps: Deps, start_after: Option<String>, limit: Option<u32>) -> ContractResult<RoutesResponse> {
    let routes = ROUTES
        .range(deps.storage, start_after.as_deref().map(Bound::exclusive), None, Order::Ascending)
        .take(paging::limit(limit))
        .map(|entry| entry.map(|(_, Lean(route))| route))
        .collect::<Result<_, _>>()?;
    Ok(RoutesResponse { routes })
}

fn account_of(deps: Deps, address: Addr, preference: Option<Preference>) -> ContractResult<AccountResponse> {
    let Lean(params) = PARAMS.load(deps.storage)?;
    let route = match &preference {
        Some(preference) => ROUTES.may_load(deps.storage, &preference.route)?.map(|Lean(route)| route),
        None => None,
    };
    let payer = preference.as_ref().is_some_and(|preference| preference.payer);
    // Denom to (here, in the escrow).
    let mut money: BTreeMap<String, (Uint128, Uint128)> = BTreeMap::new();
    for entry in route.iter().flat_map(|route| &route.denoms) {
        money.entry(entry.denom.clone()).or_default();
    }
    let held = BALANCES.prefix(&address).range(deps.storage, None, None, Order::Ascending);
    for entry in held.take(MAX_DENOMS_EVER) {
        let (denom, amount) = entry?;
        money.entry(denom).or_default().0 = amount;
    }
    for Amount { denom, amount } in escrow::balances(deps, &address)? {
        money.entry(denom).or_default().1 = amount;
    }
    let mut denoms = Vec::with_capacity(money.len());
    for (denom, (accrued, in_escrow)) in money {
        let priced = route.iter().flat_map(|route| &route.denoms).find(|entry| entry.denom == denom);
        let least = priced.map_or(Uint128::MAX, |priced| priced.min_payout);
        let total = accrued.saturating_add(in_escrow);
        denoms.push(AccountDenom {
            accrued,
            in_escrow,
            min_payout: if payer { Uint128::one() } else { least },
            bounty: priced
                .map_or(Uint128::zero(), |priced| bounty(total, params.bounty_bps).min(priced.max_bounty)),
            open_payout: OPEN.may_load(deps.storage, (&address, &denom))?,
            denom,
        });
    }
    let attempts = ATTEMPTS.may_load(deps.storage, &address)?.unwrap_or_default();
    let goes_on = payer || attempts.failures < params.max_attempts;
    Ok(AccountResponse {
        address: address.into(),
        preference,
        failures: attempts.failures,
        next_attempt: goes_on.then_some(attempts.next_at),
        denoms,
    })
}

fn accounts(
    deps: Deps,
    route: &str,
    start_after: Option<String>,
    limit: Option<u32>,
) -> ContractResult<AccountsResponse> {
    let after = start_after.map(|account| deps.api.addr_validate(&account)).transpose()?;
    let found = ON_ROUTE
        .prefix(route)
        .keys(deps.storage, after.as_ref().map(Bound::exclusive), None, Order::Ascending)
        .take(paging::limit(limit))
        .collect::<Result<Vec<Addr>, _>>()?;
    let mut accounts = Vec::with_capacity(found.len());
    for address in found {
        if let Some(preference) = account::preference(deps.storage, &address)? {
            accounts.push((address.into(), preference));
        }
    }
    Ok(AccountsResponse { accounts })
}

fn payout_of(deps: Deps, env: &Env, payout_id: u64) -> ContractResult<PayoutResponse> {
    let Lean(params) = PARAMS.load(deps.storage)?;
    let payout = payout::load(deps.storage, payout_id)?;
    Ok(PayoutResponse {
        payout_id,
        overdue: is_overdue(&payout, params.grace_seconds, env.block.time.nanos()),
        account: payout.account.into(),
        route: payout.route,
        channel_id: payout.channel_id,
        sequence: payout.sequence,
        remote_addr: payout.remote_addr,
        amount: Amount { denom: payout.denom, amount: payout.amount },
        bounty: payout.bounty,
        state: payout.state,
        attempt: payout.attempt,
        sent_at: payout.sent_at,
        timeout: payout.timeout,
    })
}

fn payouts(
    deps: Deps,
    env: &Env,
    filter: Option<PayoutFilter>,
    start_after: Option<u64>,
    limit: Option<u32>,
) -> ContractResult<PayoutsResponse> {
    let (from, limit) = (start_after.map(Bound::exclusive), paging::limit(limit));
    let storage = deps.storage;
    let ids: Vec<u64> = match filter {
        None => PAYOUTS.keys(storage, from, None, Order::Ascending).take(limit).collect::<Result<_, _>>()?,
        Some(PayoutFilter::Account(address)) => {
            let account = deps.api.addr_validate(&address)?;
            let listed = OF_ACCOUNT.prefix(&account);
            listed.keys(storage, from, None, Order::Ascending).take(limit).collect::<Result<_, _>>()?
        }
        Some(PayoutFilter::State(state)) => {
            let listed = IN_STATE.prefix(state_code(state));
            listed.keys(storage, from, None, Order::Ascending).take(limit).collect::<Result<_, _>>()?
        }
    };
    let payouts = ids.into_iter().map(|id| payout_of(deps, env, id)).collect::<ContractResult<_>>()?;
    Ok(PayoutsResponse { payouts })
}

fn pay_in(deps: Deps, channel_id: String, sequence: u64) -> ContractResult<PayInResponse> {
    let found = PAY_INS.may_load(deps.storage, (&channel_id, sequence))?;
    let Lean(pay_in) = found.ok_or(ContractError::PayInNotFound { channel_id, sequence })?;
    Ok(pay_in)
}

fn bounties(deps: Deps, relayer: &str) -> ContractResult<BountiesResponse> {
    let relayer = deps.api.addr_validate(relayer)?;
    let amounts = BOUNTIES
        .prefix(&relayer)
        .range(deps.storage, None, None, Order::Ascending)
        .take(MAX_DENOMS_EVER)
        .map(|entry| entry.map(|(denom, amount)| Amount { denom, amount }))
        .collect::<Result<_, _>>()?;
    Ok(BountiesResponse { amounts })
}

/// Of every denom that a route ever listed.
fn invariants(deps: Deps, env: &Env) -> ContractResult<InvariantsResponse> {
    let known = DENOMS
        .keys(deps.storage, None, None, Order::Ascending)
        .take(MAX_DENOMS_EVER)
        .collect::<Result<Vec<String>, _>>()?;
    let (mut denoms, mut broken) = (Vec::with_capacity(known.len()), Vec::new());
    for denom in known {
        let counters = money::counters(deps.storage, &denom)?;
        let terms = [("accrued", counters.accrued), ("bounties", counters.bounties)];
        denoms.push(equations::equation(&deps.querier, &env.contract.address, &denom, &terms)?);
        let here = [counters.accrued, counters.bounties, counters.in_flight, counters.unresolved]
            .into_iter()
            .try_fold(Uint128::zero(), |sum, term| sum.checked_add(term).ok());
        if here != counters.paid_in.checked_sub(counters.paid_out).ok() {
            broken.push(format!(
                "{denom}: paid_in - paid_out is not accrued + in_flight + unresolved + bounties"
            ));
        }
    }
    let holds = broken.is_empty() && denoms.iter().all(|equation| equation.holds);
    Ok(InvariantsResponse { holds, denoms, broken })
}
