//! Counters of uses. They move no money (I2).

use cosmwasm_std::{DepsMut, Env, MessageInfo, Response, Uint128};
use openledger_contract::lists::is_rising;
use openledger_contract::payment;
use openledger_merkle::verify_inclusion;
use openledger_types::formats::LedgerLeaf;
use openledger_types::msg::escrow::{DetailItem, RootStatus, MAX_DENOMS, MAX_DETAILS};
use openledger_types::packed::SumPath;

use crate::error::{ContractError, ContractResult};
use crate::roots;
use crate::state::{USES, USES_UNTIL};

/// `ProveUses`.
pub fn prove(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    (node_id, denom, epoch): (u64, String, u64),
    contribution_id: u64,
    (leaf, index, path): (LedgerLeaf, u64, SumPath),
    details: Vec<DetailItem>,
) -> ContractResult<Response> {
    payment::nonpayable(&info)?;
    if details.is_empty() || details.len() > MAX_DETAILS {
        return Err(ContractError::BadBatch { list: "details", reason: "give 1 to 32" });
    }
    if !is_rising(&details, |item| item.index) {
        return Err(ContractError::BadBatch { list: "details", reason: "sort them by position, none twice" });
    }
    let place = (node_id, denom.as_str(), epoch);
    let ledger = roots::load(deps.storage, &env, place)?.commit.ledger;
    if roots::status(deps.storage, place)? != RootStatus::Final {
        return Err(ContractError::RootNotFinal { node_id, epoch });
    }
    let key = (contribution_id, node_id, denom.as_str());
    let until = USES_UNTIL.may_load(deps.storage, key)?.unwrap_or_default();
    if epoch <= until {
        return Err(ContractError::UsesCounted { until });
    }
    if !verify_inclusion(&leaf.leaf(), index, ledger.count, &path, &ledger.node()?) {
        return Err(ContractError::NotInLedger { position: 0, node_id });
    }
    let root = leaf.detail.node()?;
    let mut uses = USES.may_load(deps.storage, contribution_id)?.unwrap_or_default();
    for (position, DetailItem { detail, index, path }) in details.iter().enumerate() {
        let proved = detail.contribution_id == contribution_id
            && verify_inclusion(&detail.leaf(), *index, leaf.detail.count, path, &root);
        if !proved {
            return Err(ContractError::NotInLedger { position, node_id });
        }
        uses.answers = uses.answers.saturating_add(1);
        let at = uses.earned.iter().position(|(of, _)| *of == denom).unwrap_or(uses.earned.len());
        if at == uses.earned.len() && at < MAX_DENOMS {
            uses.earned.push((denom.clone(), Uint128::zero()));
        }
        if let Some((_, sum)) = uses.earned.get_mut(at) {
            *sum = sum.checked_add(detail.amount)?;
        }
    }
    USES_UNTIL.save(deps.storage, key, &epoch)?;
    USES.save(deps.storage, contribution_id, &uses)?;
    Ok(Response::new()
        .add_attribute("action", "prove_uses")
        .add_attribute("contribution_id", contribution_id.to_string())
        .add_attribute("answers", uses.answers.to_string()))
}
