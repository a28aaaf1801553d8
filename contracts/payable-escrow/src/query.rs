//! Reading.

use cosmwasm_std::{to_json_binary, Binary, Deps, Env, HexBinary, Order, Uint128, Uint256};
use cw_storage_plus::Bound;
use openledger_contract::{ownership, paging, pause};
use openledger_types::formats::Account;
use openledger_types::money::Royalty;
use openledger_types::msg::common::{Amount, DenomInvariant, InvariantsResponse, Term};
use openledger_types::msg::escrow::{
    BalanceResponse, ClaimedResponse, ConfigResponse, ConnectionsResponse, EpochResponse, HeldResponse,
    LedgerResponse, PendingResponse, QueryMsg, RootStatus, SessionNodeResponse, SessionResponse,
    SessionsResponse, UsageResponse, MAX_DENOMS,
};

use crate::credits::Credits;
use crate::error::ContractResult;
use crate::execute::admin::MAX_DENOMS_EVER;
use crate::execute::root::facts;
use crate::execute::session::load;
use crate::money::liabilities;
use crate::roots::{self, Epoch};
use crate::state::{
    Uses, BALANCES, CASES, CONNECTED, CONTRIBUTOR_USES, COUNTERS, FUNDS, GATEWAY, LEDGERS, LOGS, OUTCOMES,
    PARAMS, PENDING, PINS, PURSES, REGISTRIES, SESSIONS, USES,
};

/// Answers a query.
pub fn answer(deps: Deps, env: Env, msg: QueryMsg) -> ContractResult<Binary> {
    Ok(match msg {
        QueryMsg::Config {} => to_json_binary(&config(deps)?),
        QueryMsg::Ownership {} => to_json_binary(&ownership::query(deps.storage)?),
        QueryMsg::Session { session_id } => to_json_binary(&session(deps, session_id)?),
        QueryMsg::Sessions { start_after, limit } => to_json_binary(&sessions(deps, start_after, limit)?),
        QueryMsg::Ledger { node_id, denom } => to_json_binary(&ledger(deps, &env, node_id, &denom)?),
        QueryMsg::Epoch { node_id, denom, epoch } => {
            to_json_binary(&epoch_of(deps, &env, node_id, &denom, epoch)?)
        }
        QueryMsg::Pending { node_id } => to_json_binary(&pending(deps, &env, node_id)?),
        QueryMsg::Connections {} => to_json_binary(&connections(deps)?),
        QueryMsg::Facts { session_id, node_id } => to_json_binary(&facts(deps, session_id, node_id)?),
        QueryMsg::Held { case_id } => to_json_binary(&held(deps, case_id)?),
        QueryMsg::Usage { contribution_id, contributor } => {
            to_json_binary(&usage(deps, contribution_id, contributor)?)
        }
        QueryMsg::Claimed { node_id, denom, account } => {
            to_json_binary(&claimed(deps, node_id, &denom, &account)?)
        }
        QueryMsg::Balance { address } => to_json_binary(&balance(deps, &address)?),
        QueryMsg::Invariants {} => to_json_binary(&invariants(deps, &env)?),
    }?)
}

fn config(deps: Deps) -> ContractResult<ConfigResponse> {
    let registries = REGISTRIES.load(deps.storage)?;
    Ok(ConfigResponse {
        model_registry: registries.model.into(),
        node_registry: registries.node.into(),
        params: PARAMS.load(deps.storage)?.0,
        paused: pause::is_paused(deps.storage)?,
    })
}

fn session(deps: Deps, session_id: u64) -> ContractResult<SessionResponse> {
    let terms = load(deps.storage, session_id)?;
    let purse = PURSES.load(deps.storage, session_id)?;
    let mut nodes = Vec::with_capacity(terms.nodes.len());
    for node_id in terms.nodes.iter().copied() {
        let pin = PINS.load(deps.storage, (session_id, node_id))?;
        let log = LOGS.load(deps.storage, (session_id, node_id))?;
        let (price_in, price_out) = pin.prices(&terms);
        nodes.push(SessionNodeResponse {
            node_id,
            cap: log.cap,
            settled: log.log.sum,
            log: log.log,
            settled_at: log.settled_at,
            node_key: pin.node_key,
            price_in,
            price_out,
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
        royalties: terms
            .royalties
            .into_iter()
            .map(|(recipient, bps)| Royalty { recipient: recipient.into(), bps })
            .collect(),
        opened_at: terms.opened_at,
        expires: terms.expires,
        close_requested_at: purse.close_requested_at,
        closed: purse.closed,
    })
}

fn sessions(deps: Deps, start_after: Option<u64>, limit: Option<u32>) -> ContractResult<SessionsResponse> {
    let ids = SESSIONS
        .keys(deps.storage, start_after.map(Bound::exclusive))
        .take(paging::limit(limit))
        .collect::<Result<Vec<u64>, _>>()?;
    let sessions = ids.into_iter().map(|id| session(deps, id)).collect::<ContractResult<_>>()?;
    Ok(SessionsResponse { sessions })
}

fn ledger(deps: Deps, env: &Env, node_id: u64, denom: &str) -> ContractResult<LedgerResponse> {
    let ledger = LEDGERS.may_load(deps.storage, (node_id, denom))?.unwrap_or_default();
    let waiting = PENDING.may_load(deps.storage, node_id)?.filter(|pending| pending.denom == denom);
    let (epoch, newest) = match waiting {
        Some(pending) => (pending.epoch, pending.origin().saturating_sub(1)),
        None => (ledger.epoch, ledger.newest()),
    };
    let funds = FUNDS.may_load(deps.storage, (node_id, denom))?.unwrap_or_default();
    let leaves_blob = match newest {
        0 => None,
        newest => Some(roots::load(deps.storage, env, (node_id, denom, newest))?.commit.leaves_blob),
    };
    Ok(LedgerResponse {
        epoch,
        ledger: ledger.ledger,
        leaves_blob,
        funded: funds.funded,
        claimed: funds.claimed,
        refunded: funds.refunded,
        closed: ledger.closed.is_some(),
    })
}

fn epoch_of(deps: Deps, env: &Env, node_id: u64, denom: &str, epoch: u64) -> ContractResult<EpochResponse> {
    let place = (node_id, denom, epoch);
    let Epoch { commit, posted_at, final_at } = roots::load(deps.storage, env, place)?;
    let mut answer = EpochResponse {
        hash: HexBinary::from(&commit.hash()),
        posted_at,
        final_at,
        finalized: false,
        status: roots::status(deps.storage, place)?,
        holds: 0,
        void_reason: None,
        audit: Uint128::zero(),
        audit_paid: Uint128::zero(),
        attested: false,
        fees: commit.receipts.sum,
        data: commit.ledger.sum.saturating_sub(commit.previous.sum),
        commit,
    };
    answer.finalized = answer.status == RootStatus::Final;
    let waits = PENDING.may_load(deps.storage, node_id)?;
    if let Some(root) = waits.filter(|root| root.denom == denom && root.epoch == epoch) {
        let covered = root.covered();
        (answer.fees, answer.data) = (covered.fees, covered.data);
        answer.attested = root.attested;
        answer.holds = root.holds;
        answer.void_reason = root.void.map(|void| void.reason);
        if root.attested {
            answer.final_at = root.early_at;
        }
    } else if let Some(outcome) = OUTCOMES.may_load(deps.storage, place)? {
        answer.attested = outcome.attested;
        answer.void_reason = outcome.reason;
        answer.audit = outcome.audit;
        answer.audit_paid = outcome.paid;
    }
    Ok(answer)
}

fn pending(deps: Deps, env: &Env, node_id: u64) -> ContractResult<PendingResponse> {
    let epoch = match PENDING.may_load(deps.storage, node_id)? {
        Some(pending) => Some(epoch_of(deps, env, node_id, &pending.denom, pending.epoch)?),
        None => None,
    };
    Ok(PendingResponse { epoch })
}

fn connections(deps: Deps) -> ContractResult<ConnectionsResponse> {
    let connected = CONNECTED.may_load(deps.storage)?;
    let (datanet, referee) = connected.map(|of| (of.datanet.to_string(), of.referee.to_string())).unzip();
    let gateway = GATEWAY.may_load(deps.storage)?.map(String::from);
    Ok(ConnectionsResponse { datanet, referee, gateway })
}

fn held(deps: Deps, case_id: u64) -> ContractResult<HeldResponse> {
    let case = CASES.may_load(deps.storage, case_id)?;
    let (held, decided) = case.map(|case| (case.held, case.decided)).unwrap_or_default();
    Ok(HeldResponse { fees: held.fees, data: held.data, decided })
}

fn usage(deps: Deps, contribution_id: u64, contributor: Option<String>) -> ContractResult<UsageResponse> {
    if let Some(address) = contributor {
        let address = deps.api.addr_validate(&address)?;
        let answers = CONTRIBUTOR_USES.may_load(deps.storage, &address)?.unwrap_or_default();
        return Ok(UsageResponse { answers, earned: vec![] });
    }
    let Uses { answers, earned } = USES.may_load(deps.storage, contribution_id)?.unwrap_or_default();
    let earned = earned.into_iter().map(|(denom, amount)| Amount { denom, amount }).collect();
    Ok(UsageResponse { answers, earned })
}

fn claimed(deps: Deps, node_id: u64, denom: &str, account: &Account) -> ContractResult<ClaimedResponse> {
    let ledger = LEDGERS.may_load(deps.storage, (node_id, denom))?.unwrap_or_default();
    let credit = Credits::default().get(deps.storage, (node_id, denom, account), &ledger)?;
    Ok(ClaimedResponse { amount: credit.amount })
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
    let all = COUNTERS.keys(deps.storage, None).take(MAX_DENOMS_EVER).collect::<Result<Vec<String>, _>>()?;
    for denom in all {
        let counters = COUNTERS.load(deps.storage, &denom)?;
        let balance = deps.querier.query_balance(&env.contract.address, &denom)?.amount;
        let terms = [
            ("escrowed", counters.escrowed),
            ("pending", counters.pending),
            ("accrued", counters.accrued),
            ("ledgers", counters.ledgers),
            ("held", counters.held),
            ("audits", counters.audits),
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
