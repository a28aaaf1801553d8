//! Reading.

use cosmwasm_std::{to_json_binary, Binary, Deps, Env, HexBinary, Order, Uint128, Uint256};
use cw_storage_plus::Bound;
use openledger_contract::{ownership, paging, pause};
use openledger_types::formats::Account;
use openledger_types::msg::common::{Amount, DenomInvariant, InvariantsResponse, Term};
use openledger_types::msg::escrow::{
    BalanceResponse, ClaimedResponse, ConfigResponse, EpochResponse, LedgerResponse, PendingResponse,
    QueryMsg, RootStatus, SessionNodeResponse, SessionResponse, SessionsResponse, MAX_DENOMS,
};

use crate::error::{ContractError, ContractResult};
use crate::execute::admin::MAX_DENOMS_EVER;
use crate::execute::session::load;
use crate::money::liabilities;
use crate::state::{
    account_key, Counters, BALANCES, CLAIMED, COUNTERS, EPOCHS, FUNDS, LEDGERS, LOGS, PARAMS, PENDING, PINS,
    PURSES, REGISTRIES, SESSIONS,
};

/// Answers a query.
pub fn answer(deps: Deps, env: Env, msg: QueryMsg) -> ContractResult<Binary> {
    Ok(match msg {
        QueryMsg::Config {} => to_json_binary(&config(deps)?),
        QueryMsg::Ownership {} => to_json_binary(&ownership::query(deps.storage)?),
        QueryMsg::Session { session_id } => to_json_binary(&session(deps, session_id)?),
        QueryMsg::Sessions { start_after, limit } => to_json_binary(&sessions(deps, start_after, limit)?),
        QueryMsg::Ledger { node_id, denom } => to_json_binary(&ledger(deps, node_id, &denom)?),
        QueryMsg::Epoch { node_id, denom, epoch } => to_json_binary(&epoch_of(deps, node_id, &denom, epoch)?),
        QueryMsg::Pending { node_id } => to_json_binary(&pending(deps, node_id)?),
        QueryMsg::Claimed { node_id, denom, account } => {
            to_json_binary(&claimed(deps, node_id, &denom, &account)?)
        }
        QueryMsg::Balance { address } => to_json_binary(&balance(deps, &address)?),
        QueryMsg::Invariants {} => to_json_binary(&invariants(deps, &env)?),
        _ => return Err(openledger_contract::CommonError::Paused {}.into()),
    }?)
}

fn config(deps: Deps) -> ContractResult<ConfigResponse> {
    let registries = REGISTRIES.load(deps.storage)?;
    Ok(ConfigResponse {
        model_registry: registries.model.into(),
        node_registry: registries.node.into(),
        params: PARAMS.load(deps.storage)?,
        paused: pause::is_paused(deps.storage)?,
    })
}

fn session(deps: Deps, session_id: u64) -> ContractResult<SessionResponse> {
    let terms = load(deps, session_id)?;
    let purse = PURSES.load(deps.storage, session_id)?;
    let mut nodes = Vec::with_capacity(terms.nodes.len());
    for node_id in terms.nodes {
        let pin = PINS.load(deps.storage, (session_id, node_id))?;
        let log = LOGS.load(deps.storage, (session_id, node_id))?;
        nodes.push(SessionNodeResponse {
            node_id,
            cap: log.cap,
            settled: log.log.sum,
            log: log.log,
            settled_at: log.settled_at,
            node_key: pin.node_key,
            price_in: terms.price_in,
            price_out: terms.price_out,
            operator: pin.operator.into(),
            hot_addr: pin.hot.map(String::from),
        });
    }
    Ok(SessionResponse {
        session_id,
        owner: terms.owner.into(),
        session_key: terms.session_key,
        denom: terms.denom,
        deposit: purse.deposit,
        open_fee: terms.open_fee,
        protocol: purse.protocol,
        developer_part: purse.developer,
        node_part: purse.node,
        data_part: purse.data,
        refunded: purse.refunded,
        nodes,
        model_id: terms.model_id,
        model_version: terms.model_version,
        developer: terms.developer.into(),
        price_in: terms.price_in,
        price_out: terms.price_out,
        min_fee: terms.min_fee,
        split: terms.split,
        royalties: vec![],
        opened_at: terms.opened_at,
        expires: terms.expires,
        close_requested_at: purse.close_requested_at,
        closed: purse.closed,
    })
}

fn sessions(deps: Deps, start_after: Option<u64>, limit: Option<u32>) -> ContractResult<SessionsResponse> {
    let ids = SESSIONS
        .keys(deps.storage, start_after.map(Bound::exclusive), None, Order::Ascending)
        .take(paging::limit(limit))
        .collect::<Result<Vec<u64>, _>>()?;
    let sessions = ids.into_iter().map(|id| session(deps, id)).collect::<ContractResult<_>>()?;
    Ok(SessionsResponse { sessions })
}

fn ledger(deps: Deps, node_id: u64, denom: &str) -> ContractResult<LedgerResponse> {
    let ledger = LEDGERS.may_load(deps.storage, (node_id, denom))?.unwrap_or_default();
    let funds = FUNDS.may_load(deps.storage, (node_id, denom))?.unwrap_or_default();
    Ok(LedgerResponse {
        epoch: ledger.epoch,
        ledger: ledger.ledger,
        leaves_blob: ledger.leaves_blob,
        funded: funds.funded,
        claimed: funds.claimed,
        refunded: funds.refunded,
        closed: false,
    })
}

fn epoch_of(deps: Deps, node_id: u64, denom: &str, epoch: u64) -> ContractResult<EpochResponse> {
    let record = EPOCHS
        .may_load(deps.storage, (node_id, denom, epoch))?
        .ok_or_else(|| ContractError::EpochNotFound { node_id, denom: denom.to_string(), epoch })?;
    let waits = PENDING
        .may_load(deps.storage, node_id)?
        .is_some_and(|pending| pending.denom == denom && pending.epoch == epoch);
    Ok(EpochResponse {
        hash: HexBinary::from(&record.commit.hash()),
        commit: record.commit,
        posted_at: record.posted_at,
        final_at: record.final_at,
        finalized: !waits,
        status: if waits { RootStatus::Pending } else { RootStatus::Final },
        holds: 0,
        void_reason: None,
        audit: Uint128::zero(),
        audit_paid: Uint128::zero(),
        attested: record.attested,
        fees: record.fees,
        data: record.data,
    })
}

fn pending(deps: Deps, node_id: u64) -> ContractResult<PendingResponse> {
    let epoch = match PENDING.may_load(deps.storage, node_id)? {
        Some(pending) => Some(epoch_of(deps, node_id, &pending.denom, pending.epoch)?),
        None => None,
    };
    Ok(PendingResponse { epoch })
}

fn claimed(deps: Deps, node_id: u64, denom: &str, account: &Account) -> ContractResult<ClaimedResponse> {
    let amount = CLAIMED.may_load(deps.storage, (node_id, denom, &account_key(account)))?.unwrap_or_default();
    Ok(ClaimedResponse { amount })
}

fn balance(deps: Deps, address: &str) -> ContractResult<BalanceResponse> {
    let addr = deps.api.addr_validate(address)?;
    let amounts = BALANCES
        .prefix(&addr)
        .range(deps.storage, None, None, Order::Ascending)
        .take(MAX_DENOMS)
        .map(|entry| entry.map(|(denom, amount)| Amount { denom, amount }))
        .collect::<Result<_, _>>()?;
    Ok(BalanceResponse { amounts })
}

fn invariants(deps: Deps, env: &Env) -> ContractResult<InvariantsResponse> {
    let mut denoms = Vec::new();
    let mut broken = Vec::new();
    let all = COUNTERS
        .range(deps.storage, None, None, Order::Ascending)
        .take(MAX_DENOMS_EVER)
        .collect::<Result<Vec<(String, Counters)>, _>>()?;
    for (denom, counters) in all {
        let balance = deps.querier.query_balance(&env.contract.address, &denom)?.amount;
        let terms = [
            ("escrowed", counters.escrowed),
            ("pending", counters.pending),
            ("accrued", counters.accrued),
            ("ledgers", counters.ledgers),
            ("commons", counters.commons),
            ("treasury", counters.treasury),
        ]
        .map(|(name, amount)| Term { name: name.to_string(), amount: amount.into() })
        .to_vec();
        let owed = liabilities(&counters);
        let kept = counters.paid_in.checked_sub(counters.paid_out).ok();
        if owed.is_none() || owed != kept {
            broken.push(format!("{denom}: the terms are not what was paid in less what was paid out"));
        }
        let owed = owed.map_or(Uint256::MAX, Uint256::from);
        let holds = balance >= owed;
        if !holds {
            broken.push(format!("{denom}: the balance does not cover the terms"));
        }
        let surplus = balance.saturating_sub(owed);
        denoms.push(DenomInvariant { denom, balance, terms, surplus, holds });
    }
    Ok(InvariantsResponse { holds: broken.is_empty(), denoms, broken })
}
