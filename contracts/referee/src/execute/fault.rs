//! `ProveFault` (PROTOCOL F1): judged, confirmed and settled in one transaction, without a hold.

use cosmwasm_std::{Api, DepsMut, Env, Event, MessageInfo, QuerierWrapper, Response};
use openledger_contract::{payment, CommonError};
use openledger_types::faults::{Citation, Court, FiledFault, Judgement};
use openledger_types::msg::escrow::ExecuteMsg as EscrowMsg;

use crate::state::{Contracts, CONTRACTS, GUILTS, PARAMS};
use crate::ContractError;

/// Most datanets that a citation is looked up in.
const MAX_CITED: usize = 32;

/// Judges a proof and carries out what follows.
pub fn prove_fault(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    FiledFault { stated, fault }: FiledFault,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    let escrow = CONTRACTS.load(deps.storage)?.escrow;
    let api: &dyn Api = deps.api;
    let verify = |digest: &[u8; 32], signature: &[u8], key: &[u8]| {
        api.secp256k1_verify(digest, signature, key).unwrap_or(false)
    };
    let court = Court { chain_id: &env.block.chain_id, escrow: escrow.as_str(), verify: &verify };
    let judgement = fault.judge(&court, &stated)?;
    convict(deps, env, info, judgement)
}

/// Carries a judgement out: once per guilt, the root void, the node cut, the sender its finder. The
/// escrow refuses the whole transaction when the proof rests on anything that it does not confirm.
fn convict(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    judgement: Judgement,
) -> Result<Response, ContractError> {
    let Judgement { node_id, conviction, guilt, citation } = judgement;
    if let Some(height) = GUILTS.may_load(deps.storage, &guilt)? {
        return Err(ContractError::AlreadyPunished { height });
    }
    let contracts = CONTRACTS.load(deps.storage)?;
    if let Some(citation) = citation {
        check_citation(&deps.querier, &contracts, &citation)?;
    }
    let params = PARAMS.load(deps.storage)?;
    let fault = conviction.fault.clone();

    GUILTS.save(deps.storage, &guilt, &env.block.height)?;
    Ok(Response::new()
        .add_attribute("action", "prove_fault")
        .add_event(
            Event::new("fault_proved")
                .add_attribute("node_id", node_id.to_string())
                .add_attribute("fault", &fault)
                .add_attribute("finder", &info.sender),
        )
        .add_message(contracts.tell_escrow(&EscrowMsg::Convict { conviction })?)
        .add_message(contracts.slash(node_id, params.fault_cut_bps, info.sender.as_str(), &fault)?))
}

/// Refuses a citation that is in order: the contribution stands in a version that the receipt rests on,
/// allows paid answers, and was not withdrawn so long before that its grace was over (D4).
fn check_citation(
    querier: &QuerierWrapper,
    contracts: &Contracts,
    citation: &Citation,
) -> Result<(), ContractError> {
    let Citation { contribution_id, datanets, height } = citation;
    if datanets.len() > MAX_CITED {
        return Err(CommonError::BadField { field: "datanets", rule: "at most 32 versions" }.into());
    }
    for version in datanets {
        let found = contracts.contribution_in(querier, version.datanet_id, *contribution_id)?;
        let Some(found) = found else { continue };
        if found.position.is_none_or(|position| position >= version.size) {
            continue;
        }
        let over = match found.withdrawn_at {
            Some(withdrawn) => withdrawn.saturating_add(contracts.withdrawal_grace(querier)?) < *height,
            None => false,
        };
        if found.facts.uses.allows_paid_answers() && !over {
            return Err(ContractError::CitationInOrder {
                contribution_id: *contribution_id,
                height: *height,
            });
        }
    }
    // In no version that the receipt names, or in none where it might be cited.
    Ok(())
}

#[cfg(test)]
#[path = "fault_tests.rs"]
mod tests;
