//! `SetArbiter`, `Arbitrate` and `Award` (PROTOCOL F2): arithmetic decides a case instead of votes.

use cosmwasm_std::{DepsMut, MessageInfo, Response};
use openledger_contract::{ownership, payment, CommonError};
use openledger_types::msg::referee::{ReceiptFault, Subject, Verdict};

use super::verdict;
use super::vote::running;
use crate::state::{ARBITER, ARBITRATED, CASES, REFUTED};
use crate::ContractError;

/// Names the arbiter.
pub fn set_arbiter(deps: DepsMut, info: MessageInfo, arbiter: String) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    ownership::assert_owner(deps.storage, &info.sender)?;
    ARBITER.save(deps.storage, &deps.api.addr_validate(&arbiter)?)?;
    Ok(Response::new().add_attribute("action", "set_arbiter").add_attribute("arbiter", arbiter))
}

/// The arbiter takes a case: its votes are not counted before its time is over.
pub fn arbitrate(deps: DepsMut, info: MessageInfo, case_id: u64) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    if ARBITER.may_load(deps.storage)?.as_ref() != Some(&info.sender) {
        return Err(CommonError::Unauthorized { role: "the arbiter" }.into());
    }
    running(deps.storage, case_id)?;
    let case = CASES.may_load(deps.storage, case_id)?.ok_or(ContractError::CaseNotFound { case_id })?;
    if !matches!(case.subject, Subject::Receipts { kind: ReceiptFault::Output, .. }) {
        return Err(CommonError::BadField { field: "case_id", rule: "a case about an answer" }.into());
    }
    ARBITRATED.save(deps.storage, case_id, &info.sender)?;
    Ok(Response::new().add_attribute("action", "arbitrate").add_attribute("case_id", case_id.to_string()))
}

/// The arbiter convicts, or gives a case back to the votes. That a challenger lost proves nothing of the answer:
/// a friend of the node may lose on purpose. So it costs the bond unless a quorum still says guilty.
pub fn award(
    deps: DepsMut,
    info: MessageInfo,
    case_id: u64,
    guilty: Option<bool>,
) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    if ARBITRATED.may_load(deps.storage, case_id)?.as_ref() != Some(&info.sender) {
        return Err(CommonError::Unauthorized { role: "the arbiter that has the case" }.into());
    }
    ARBITRATED.remove(deps.storage, case_id);
    let docket = running(deps.storage, case_id)?;
    if guilty == Some(true) {
        return verdict::end(deps, case_id, docket, Verdict::Guilty, "award");
    }
    if guilty == Some(false) {
        REFUTED.save(deps.storage, case_id, &true)?;
    }
    Ok(Response::new()
        .add_attribute("action", "award")
        .add_attribute("case_id", case_id.to_string())
        .add_attribute("refuted", (guilty == Some(false)).to_string()))
}
