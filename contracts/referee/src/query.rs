//! Questions.

use cosmwasm_std::{to_json_binary, Addr, Binary, Deps, Env, Order};
use cw_storage_plus::Bound;
use openledger_contract::{invariants, ownership, paging};
use openledger_types::msg::common::InvariantsResponse;
use openledger_types::msg::referee::{
    ArbiterResponse, AttestationResponse, AuditorResponse, BalanceResponse, CaseResponse, CasesResponse,
    ConfigResponse, DemandResponse, DemandsResponse, EligibleWeightResponse, QueryMsg, SeedResponse,
};

use crate::state::{
    self, Case, Contracts, Demand, Docket, Standing, Totals, ARBITER, ARBITRATED, ATTESTED, BALANCES, CASES,
    CONTRACTS, DEMANDS, PARAMS, ROOTS, SEEDS, SNAPSHOTS, STANDINGS, TOTALS,
};
use crate::{weight, ContractError};

/// Answers a question.
pub fn answer(deps: Deps, env: Env, msg: QueryMsg) -> Result<Binary, ContractError> {
    Ok(match msg {
        QueryMsg::Config {} => to_json_binary(&config(deps)?),
        QueryMsg::Ownership {} => to_json_binary(&ownership::query(deps.storage)?),
        QueryMsg::EligibleWeightFor { node_id } => to_json_binary(&eligible(deps, node_id)?),
        QueryMsg::Attestation { node_id, denom, epoch } => {
            to_json_binary(&attestation(deps, node_id, &denom, epoch)?)
        }
        QueryMsg::Auditor { auditor } => {
            let Standing { missed, suspended } =
                STANDINGS.may_load(deps.storage, auditor)?.unwrap_or_default();
            to_json_binary(&AuditorResponse { missed, suspended })
        }
        QueryMsg::Arbiter { case_id } => {
            let of_case = match case_id {
                Some(case_id) => ARBITRATED.may_load(deps.storage, case_id)?,
                None => None,
            };
            to_json_binary(&ArbiterResponse {
                arbiter: ARBITER.may_load(deps.storage)?.map(Addr::into_string),
                of_case: of_case.map(Addr::into_string),
            })
        }
        QueryMsg::Demand { demand_id } => {
            to_json_binary(&demand_response(demand_id, state::demand(deps.storage, demand_id)?))
        }
        QueryMsg::Demands { start_after, limit } => to_json_binary(&demands(deps, start_after, limit)?),
        QueryMsg::Case { case_id } => {
            let case =
                CASES.may_load(deps.storage, case_id)?.ok_or(ContractError::CaseNotFound { case_id })?;
            to_json_binary(&case_response(deps, case_id, case)?)
        }
        QueryMsg::Cases { start_after, limit } => to_json_binary(&cases(deps, start_after, limit)?),
        QueryMsg::Seed { auditor, period } => to_json_binary(&seed(deps, auditor, period)?),
        QueryMsg::Balance { address } => {
            let address = deps.api.addr_validate(&address)?;
            let withdrawable = BALANCES.may_load(deps.storage, &address)?.unwrap_or_default();
            to_json_binary(&BalanceResponse { withdrawable })
        }
        QueryMsg::Invariants {} => to_json_binary(&conservation(deps, &env)?),
    }?)
}

fn config(deps: Deps) -> Result<ConfigResponse, ContractError> {
    let Contracts { datanet, node_registry, escrow } = CONTRACTS.load(deps.storage)?;
    Ok(ConfigResponse {
        datanet: datanet.into_string(),
        node_registry: node_registry.into_string(),
        escrow: escrow.into_string(),
        params: PARAMS.load(deps.storage)?,
    })
}

fn eligible(deps: Deps, node_id: u64) -> Result<EligibleWeightResponse, ContractError> {
    let contracts = CONTRACTS.load(deps.storage)?;
    let operator = contracts.node(&deps.querier, node_id)?.operator;
    let weights = weight::snapshot(deps.storage, &deps.querier, &contracts, &[&operator])?;
    Ok(EligibleWeightResponse { weight: weight::total(&weights)? })
}

fn attestation(
    deps: Deps,
    node_id: u64,
    denom: &str,
    epoch: u64,
) -> Result<AttestationResponse, ContractError> {
    let root = ROOTS.may_load(deps.storage, (node_id, denom, epoch))?;
    let Some((id, round)) = root.and_then(|root| root.round.map(|round| (root.id, round))) else {
        return Ok(AttestationResponse {
            eligible: None,
            attested: Default::default(),
            auditors: vec![],
            until: None,
        });
    };
    let mut auditors = Vec::new();
    for (auditor, _) in SNAPSHOTS.load(deps.storage, id)? {
        if let Some(word) = ATTESTED.may_load(deps.storage, (id, auditor))? {
            auditors.push((auditor, word.weight));
        }
    }
    Ok(AttestationResponse {
        eligible: Some(round.eligible),
        attested: round.attested,
        auditors,
        until: Some(round.until),
    })
}

fn demand_response(demand_id: u64, demand: Demand) -> DemandResponse {
    let Demand { demander, node_id, denom, epoch, blob, index, bond, until, status } = demand;
    let demander = demander.into_string();
    DemandResponse { demand_id, demander, node_id, denom, epoch, blob, index, bond, until, status }
}

fn demands(
    deps: Deps,
    start_after: Option<u64>,
    limit: Option<u32>,
) -> Result<DemandsResponse, ContractError> {
    let demands = DEMANDS
        .range(deps.storage, start_after.map(Bound::exclusive), None, Order::Ascending)
        .take(paging::limit(limit))
        .map(|entry| entry.map(|(demand_id, demand)| demand_response(demand_id, demand)))
        .collect::<Result<_, _>>()?;
    Ok(DemandsResponse { demands })
}

fn case_response(deps: Deps, case_id: u64, case: Case) -> Result<CaseResponse, ContractError> {
    let Docket { opened_at, commit_until, reveal_until, eligible, guilty, not_guilty, verdict, .. } =
        state::docket(deps.storage, case_id)?;
    Ok(CaseResponse {
        case_id,
        challenger: case.challenger.into_string(),
        subject: case.subject,
        reason: case.reason,
        bond: case.bond,
        opened_at,
        commit_until,
        reveal_until,
        eligible,
        guilty,
        not_guilty,
        verdict,
    })
}

fn cases(deps: Deps, start_after: Option<u64>, limit: Option<u32>) -> Result<CasesResponse, ContractError> {
    let cases = CASES
        .range(deps.storage, start_after.map(Bound::exclusive), None, Order::Ascending)
        .take(paging::limit(limit))
        .map(|entry| {
            let (case_id, case) = entry?;
            case_response(deps, case_id, case)
        })
        .collect::<Result<_, _>>()?;
    Ok(CasesResponse { cases })
}

fn seed(deps: Deps, auditor: u64, period: u64) -> Result<SeedResponse, ContractError> {
    Ok(match SEEDS.may_load(deps.storage, (auditor, period))? {
        Some(seed) => {
            SeedResponse { commitment: Some(seed.commitment), seed: seed.seed, reported: seed.reported }
        }
        None => SeedResponse { commitment: None, seed: None, reported: false },
    })
}

fn conservation(deps: Deps, env: &Env) -> Result<InvariantsResponse, ContractError> {
    let denom = PARAMS.load(deps.storage)?.denom;
    let Totals { demand_bonds, case_bonds, withdrawable, treasury } = TOTALS.load(deps.storage)?;
    let terms = [
        ("demand_bonds", demand_bonds),
        ("case_bonds", case_bonds),
        ("withdrawable", withdrawable),
        ("treasury", treasury),
    ];
    let equation = invariants::equation(&deps.querier, &env.contract.address, &denom, &terms)?;
    let broken = match equation.holds {
        true => vec![],
        false => vec![format!("the contract owes more {denom} than it holds")],
    };
    Ok(InvariantsResponse { holds: equation.holds, denoms: vec![equation], broken })
}
