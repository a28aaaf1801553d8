//! Questions.

use cosmwasm_std::{to_json_binary, Binary, Deps, Env, Order, StdResult};
use cw_storage_plus::Bound;
use openledger_contract::{invariants, ownership, paging};
use openledger_types::msg::arbiter::{
    ConfigResponse, DisputeResponse, DisputesResponse, QueryMsg, TotalsResponse,
};
use openledger_types::msg::common::InvariantsResponse;
use openledger_types::msg::referee;

use crate::state::{self, Contracts, CONTRACTS, MATTERS, PARAMS, TOTALS};
use crate::ContractError;

/// Answers a question.
pub fn answer(deps: Deps, env: Env, msg: QueryMsg) -> Result<Binary, ContractError> {
    Ok(match msg {
        QueryMsg::Config {} => to_json_binary(&config(deps)?),
        QueryMsg::Ownership {} => to_json_binary(&ownership::query(deps.storage)?),
        QueryMsg::Dispute { case_id } => to_json_binary(&dispute(deps, case_id)?),
        QueryMsg::Disputes { start_after, limit } => to_json_binary(&disputes(deps, start_after, limit)?),
        QueryMsg::Totals {} => to_json_binary(&TOTALS.load(deps.storage)?),
        QueryMsg::Invariants {} => to_json_binary(&conservation(deps, &env)?),
    }?)
}

fn config(deps: Deps) -> Result<ConfigResponse, ContractError> {
    let Contracts { referee, model_registry, .. } = CONTRACTS.load(deps.storage)?;
    Ok(ConfigResponse {
        referee: referee.into_string(),
        model_registry: model_registry.into_string(),
        params: PARAMS.load(deps.storage)?,
    })
}

fn dispute(deps: Deps, case_id: u64) -> Result<DisputeResponse, ContractError> {
    let (matter, board) = state::dispute(deps.storage, case_id)?;
    Ok(DisputeResponse {
        case_id,
        node_id: matter.node_id,
        challenger: matter.challenger.into_string(),
        by_node: matter.by_node,
        turn: board.turn(),
        until: board.until,
        receipt_id: matter.receipt_id,
        prompt_hash: matter.prompt_hash,
        repetition_milli: matter.repetition_milli,
        trace_root: board.trace_root,
        slot: board.slot,
        offset: board.offset,
        size: board.size,
        hash: board.hash,
        shown: board.shown,
        outcome: board.outcome,
    })
}

fn disputes(
    deps: Deps,
    start_after: Option<u64>,
    limit: Option<u32>,
) -> Result<DisputesResponse, ContractError> {
    let cases = MATTERS
        .keys(deps.storage, start_after.map(Bound::exclusive), None, Order::Ascending)
        .take(paging::limit(limit))
        .collect::<StdResult<Vec<_>>>()?;
    let disputes = cases.into_iter().map(|case_id| dispute(deps, case_id)).collect::<Result<_, _>>()?;
    Ok(DisputesResponse { disputes })
}

/// Coins of the bonds' denom are owed to nobody, so that all are surplus; every dispute runs or has one outcome.
fn conservation(deps: Deps, env: &Env) -> Result<InvariantsResponse, ContractError> {
    let referee = CONTRACTS.load(deps.storage)?.referee;
    let config: referee::ConfigResponse =
        deps.querier.query_wasm_smart(&referee, &referee::QueryMsg::Config {})?;
    let equation = invariants::equation(&deps.querier, &env.contract.address, &config.params.denom, &[])?;
    let TotalsResponse { opened, running, guilty, not_guilty, contested, lapsed } =
        TOTALS.load(deps.storage)?;
    let parts = [running, guilty, not_guilty, contested, lapsed];
    let sum = parts.into_iter().try_fold(0u64, u64::checked_add);
    let broken = match sum == Some(opened) {
        true => vec![],
        false => vec![format!("{opened} disputes were opened, {parts:?} run or ended")],
    };
    Ok(InvariantsResponse { holds: equation.holds && broken.is_empty(), denoms: vec![equation], broken })
}
