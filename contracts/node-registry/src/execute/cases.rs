//! `Freeze`: while a case is open the bond stays (PROTOCOL F5).

use cosmwasm_std::{DepsMut, Event, MessageInfo, Response};
use openledger_contract::payment;

use crate::execute::assert_referee;
use crate::state::{self, CASES, NODES};
use crate::ContractError;

/// Counts a case that was opened or closed. Only the referee opens; who has opened may close, even when
/// another referee is believed by then: otherwise a change of referees would hold bonds for ever.
pub fn freeze(deps: DepsMut, info: MessageInfo, node_id: u64, open: bool) -> Result<Response, ContractError> {
    payment::nonpayable(&info)?;
    let key = (node_id, &info.sender);
    let own = CASES.may_load(deps.storage, key)?.unwrap_or_default();
    if open || own == 0 {
        assert_referee(deps.storage, &info.sender)?;
    }
    let mut node = state::node(deps.storage, node_id)?;
    let own = match open {
        true => own.saturating_add(1),
        false => own.checked_sub(1).ok_or(ContractError::NoOpenCase { node_id })?,
    };
    node.open_cases = match open {
        true => node.open_cases.saturating_add(1),
        false => node.open_cases.saturating_sub(1),
    };

    match own {
        0 => CASES.remove(deps.storage, key),
        _ => CASES.save(deps.storage, key, &own)?,
    }
    NODES.save(deps.storage, node_id, &node)?;
    Ok(Response::new().add_attribute("action", "freeze").add_event(
        Event::new("node_cases")
            .add_attribute("node_id", node_id.to_string())
            .add_attribute("open_cases", node.open_cases.to_string()),
    ))
}
