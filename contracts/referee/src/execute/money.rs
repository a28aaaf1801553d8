//! `ClaimAudit`, `Withdraw` and `SpendTreasury` (PROTOCOL F4, A2): everything is pulled.

use cosmwasm_std::{DepsMut, Event, MessageInfo, Response, Uint128};
use openledger_contract::{ownership, params, payment};
use openledger_types::msg::escrow::{ExecuteMsg as EscrowMsg, RootStatus};

use super::attest::RootKey;
use crate::state::{ATTESTED, BALANCES, CONTRACTS, PARAMS, ROOTS, TOTALS};
use crate::ContractError;

/// Has the escrow credit an auditor's operator with `floor(audit part × weight / attested weight)`; what
/// the floors leave stays with the escrow.
pub fn claim_audit(
    deps: DepsMut,
    info: MessageInfo,
    auditor: u64,
    key: RootKey,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    let contracts = CONTRACTS.load(deps.storage)?;
    let RootKey { node_id, denom, epoch: number } = key;
    let epoch = contracts.epoch(&deps.querier, node_id, &denom, number)?;
    let root = ROOTS.may_load(deps.storage, (node_id, &denom, number))?;
    let Some((root, round)) = root.and_then(|root| root.round.clone().map(|round| (root, round))) else {
        return Err(ContractError::NotPayable {});
    };
    if epoch.status != RootStatus::Final || !epoch.attested || !root.attested {
        return Err(ContractError::NotPayable {});
    }
    let mut word =
        ATTESTED.may_load(deps.storage, (root.id, auditor))?.ok_or(ContractError::NoAuditPay { auditor })?;
    let amount = epoch.audit.checked_multiply_ratio(word.weight, round.attested)?;
    if word.paid || amount.is_zero() {
        return Err(ContractError::NoAuditPay { auditor });
    }
    word.paid = true;
    let to = contracts.node(&deps.querier, auditor)?.operator;
    let event = Event::new("audit_paid")
        .add_attribute("auditor", auditor.to_string())
        .add_attribute("node_id", node_id.to_string())
        .add_attribute("epoch", number.to_string())
        .add_attribute("to", &to)
        .add_attribute("amount", amount)
        .add_attribute("denom", &denom);

    ATTESTED.save(deps.storage, (root.id, auditor), &word)?;
    let pay = EscrowMsg::PayAudit { node_id, denom, epoch: number, to, amount };
    Ok(Response::new()
        .add_attribute("action", "claim_audit")
        .add_event(event)
        .add_message(contracts.tell_escrow(&pay)?))
}

/// Pays the sender's balance out.
pub fn withdraw(deps: DepsMut, info: MessageInfo) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    let amount = BALANCES.may_load(deps.storage, &info.sender)?.unwrap_or_default();
    if amount.is_zero() {
        return Err(ContractError::NothingToWithdraw {});
    }
    let mut totals = TOTALS.load(deps.storage)?;
    totals.withdrawable = totals.withdrawable.checked_sub(amount)?;
    let denom = PARAMS.load(deps.storage)?.denom;

    TOTALS.save(deps.storage, &totals)?;
    BALANCES.remove(deps.storage, &info.sender);
    Ok(payment::pay_out("withdraw", ("withdrawn", "to"), info.sender, amount, denom))
}

/// Pays forfeited bonds.
pub fn spend_treasury(
    deps: DepsMut,
    info: MessageInfo,
    to: String,
    amount: Uint128,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    ownership::assert_owner(deps.storage, &info.sender)?;
    let to_addr = deps.api.addr_validate(&to)?;
    params::positive("amount", amount)?;
    let mut totals = TOTALS.load(deps.storage)?;
    let available = totals.treasury;
    totals.treasury =
        available.checked_sub(amount).map_err(|_| ContractError::TreasuryTooSmall { available })?;
    let denom = PARAMS.load(deps.storage)?.denom;

    TOTALS.save(deps.storage, &totals)?;
    Ok(payment::pay_out("spend_treasury", ("treasury_spent", "to"), to_addr, amount, denom))
}
