//! Where an account wants its earnings.

use cosmwasm_std::{DepsMut, Env, MessageInfo, Response};
use openledger_contract::lean::Lean;
use openledger_contract::{payment, text};
use openledger_types::msg::gateway::{Preference, Route};

use crate::account;
use crate::error::{ContractError, ContractResult};
use crate::state::{Attempts, ATTEMPTS, PARAMS, ROUTES};

/// `SetPreference`. Only for the sender: this is the consent by which the gateway draws. After a failure
/// the attempts start afresh, one hold-off from now, so that an address that cannot receive does not
/// cost relayers without end.
pub fn set(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    route: String,
    remote_addr: String,
) -> ContractResult<Response> {
    payment::nonpayable(&info)?;
    let Some(Lean(Route { prefix, .. })) = ROUTES.may_load(deps.storage, &route)? else {
        return Err(ContractError::RouteNotFound { name: route });
    };
    text::remote_account("remote_addr", &remote_addr, &prefix)?;
    if ATTEMPTS.may_load(deps.storage, &info.sender)?.is_some_and(|attempts| attempts.failures > 0) {
        let Lean(params) = PARAMS.load(deps.storage)?;
        let next_at = env.block.height.saturating_add(params.holdoff_blocks);
        ATTEMPTS.save(deps.storage, &info.sender, &Attempts { failures: 0, next_at })?;
    }
    let response = Response::new()
        .add_attribute("action", "set_preference")
        .add_attribute("account", info.sender.as_str())
        .add_attribute("route", route.as_str())
        .add_attribute("remote_addr", remote_addr.as_str());
    let preference = Preference { route, channel_id: None, remote_addr, payer: false };
    account::set_preference(deps.storage, &info.sender, preference)?;
    Ok(response)
}

/// `ClearPreference`.
pub fn clear(deps: DepsMut, info: MessageInfo) -> ContractResult<Response> {
    payment::nonpayable(&info)?;
    if !account::remove_preference(deps.storage, &info.sender)? {
        return Err(ContractError::NoPreference {});
    }
    Ok(Response::new().add_attribute("action", "clear_preference").add_attribute("account", info.sender))
}
