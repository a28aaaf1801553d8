//! `ReportWork` and `RecordWork`. Sums stop at the end of their range: a record of work decides about no
//! coin, so a message that is due elsewhere must not fail because of it.

use cosmwasm_std::{DepsMut, MessageInfo, Response, Storage};
use openledger_contract::payment;
use openledger_types::msg::node_registry::{DeclaredWork, RecordedWork};

use crate::execute::{assert_court, run_by};
use crate::state::{DECLARED, RECORDED};
use crate::ContractError;

/// Adds to what a node says of its own work.
pub fn report_work(
    deps: DepsMut,
    info: MessageInfo,
    node_id: u64,
    work: DeclaredWork,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    run_by(deps.storage, &info, node_id)?;
    let DeclaredWork { idle, served, refused, failed, tokens } = work;
    let mut sum = DECLARED.may_load(deps.storage, node_id)?.unwrap_or_default();
    sum.idle = sum.idle.saturating_add(idle);
    sum.served = sum.served.saturating_add(served);
    sum.refused = sum.refused.saturating_add(refused);
    sum.failed = sum.failed.saturating_add(failed);
    sum.tokens = sum.tokens.saturating_add(tokens);

    DECLARED.save(deps.storage, node_id, &sum)?;
    Ok(Response::new().add_attribute("action", "report_work").add_attribute("node_id", node_id.to_string()))
}

/// Adds to what contracts have seen of a node's work. They name nodes that exist: none is loaded here.
pub fn record_work(
    deps: DepsMut,
    info: MessageInfo,
    node_id: u64,
    work: RecordedWork,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    assert_court(deps.storage, &info.sender)?;
    record(deps.storage, node_id, work)?;
    Ok(Response::new().add_attribute("action", "record_work").add_attribute("node_id", node_id.to_string()))
}

/// Adds to the record.
pub fn record(storage: &mut dyn Storage, node_id: u64, work: RecordedWork) -> Result<(), ContractError> {
    let RecordedWork { answers, fees, epochs, audits, misses, proven_bytes, faults } = work;
    let mut sum = RECORDED.may_load(storage, node_id)?.unwrap_or_default();
    sum.answers = sum.answers.saturating_add(answers);
    sum.fees = sum.fees.saturating_add(fees);
    sum.epochs = sum.epochs.saturating_add(epochs);
    sum.audits = sum.audits.saturating_add(audits);
    sum.misses = sum.misses.saturating_add(misses);
    sum.proven_bytes = sum.proven_bytes.saturating_add(proven_bytes);
    sum.faults = sum.faults.saturating_add(faults);

    Ok(RECORDED.save(storage, node_id, &sum)?)
}
